//! An account that does not exist costs what one costs that does, and is told the same, so that neither an answer nor its time tells
//! who has one.

use std::{fmt::Debug, future::Future, sync::Arc, time::Duration};

use serde_json::{Value, json};
use sitewatch_ephemeral::Unlimited;
use sitewatch_tests::{
    client::{Answer, Client},
    postgres::DatabaseCopy,
    world::{Backend, PASSWORD},
};

use crate::{clocked::Clocked, jobs::system};

const ROOT: &str = "root@example.org";
const FORGOT: &str = "/api/v1/auth/password/forgot";
const ACCEPT: &str = "/api/v1/auth/invitations/accept";

/// All that two answers must have in common.
#[derive(Debug, PartialEq)]
struct Told {
    status: u16,
    body: String,
    headers: Vec<(String, String)>,
}

/// What an answer took: hashes made and checked; statements in their order, as PostgreSQL noted them.
#[derive(Debug, PartialEq)]
struct Work {
    hashes: (usize, usize),
    statements: Vec<String>,
}

/// An answer without what is its own: the id of the request, and these words of the answer.
fn told(answer: &Answer, own: &[&str]) -> Told {
    let request = answer.header("x-request-id");
    let without = |text: &str| {
        let own = own.iter().filter(|word| !word.is_empty());
        own.fold(text.replace(request, "…"), |text, word| text.replace(word, "…"))
    };
    // An `ETag` is a digest of the body, ids included.
    let headers = answer.headers.iter().filter(|(name, _)| !["date", "etag"].contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), without(value.to_str().expect("text"))));
    let mut headers: Vec<_> = headers.collect();
    headers.sort();
    Told { status: answer.status.as_u16(), body: without(&answer.text), headers }
}

/// An installation whose work is noted, where it is on PostgreSQL.
async fn noting(backend: &Backend) -> Clocked {
    let database = backend.database().await;
    if let Some(database) = &database {
        database.note_statements().await;
    }
    Clocked::on(database, |_| Arc::new(Unlimited)).await
}

/// What is asked, and what it took.
async fn worked(stage: &Clocked, asked: impl Future<Output = Answer>) -> (Answer, Work) {
    let noted = || stage.database.as_ref().map_or_else(Vec::new, DatabaseCopy::noted_statements);
    let (before, hashes) = (noted().len(), stage.hasher.calls());
    let answer = asked.await;
    let after = stage.hasher.calls();
    // What was given up is rolled back some time after the answer.
    let statements = noted().split_off(before).into_iter().filter(|statement| statement != "ROLLBACK");
    let work = Work { hashes: (after.0 - hashes.0, after.1 - hashes.1), statements: statements.collect() };
    (answer, work)
}

/// The first of them stands for all.
fn all_equal<T: PartialEq + Debug>(of: &[&str], all: &[T]) {
    assert_eq!(of.len(), all.len());
    for (name, one) in of.iter().zip(all) {
        assert_eq!(one, &all[0], "{name}");
    }
}

pub async fn each_failed_sign_in_checks_one_hash(backend: Arc<Backend>) {
    let stage = Clocked::start(&backend).await;
    for email in stage.accounts().await {
        for password in ["a guess of some length", "", &"x".repeat(5_000)] {
            let guess = json!({ "email": email, "password": password });
            let (answer, work) = worked(&stage, stage.visitor.post("/api/v1/auth/login", guess)).await;
            assert_eq!((answer.expect(401).status.as_u16(), work.hashes), (401, (0, 1)), "{email}");
        }
    }
}

/// The same statements in the same order.
pub async fn each_failed_sign_in_asks_the_same_of_the_database(backend: Arc<Backend>) {
    let stage = noting(&backend).await;
    let noted = async |email: &str, status: u16| {
        let guess = json!({ "email": email, "password": "a guess of some length" });
        let (answer, work) = worked(&stage, stage.visitor.post("/api/v1/auth/login", guess)).await;
        answer.expect(status);
        work.statements
    };
    // Every first look at a table is preceded by the driver's own questions.
    noted("first@example.org", 401).await;
    let emails = stage.accounts().await;
    let mut all = Vec::new();
    for email in emails {
        all.push(noted(email, 401).await);
    }
    assert!(all[0].len() >= 5, "{:?}", all[0]);
    all_equal(&emails, &all);
    // Refused guesses too. The audit log has no more than ten of them in a minute.
    let mut all = Vec::new();
    for email in emails {
        for _ in 0..4 {
            noted(email, 401).await;
        }
        all.push(noted(email, 429).await);
    }
    all_equal(&emails, &all);
}

/// Whoever forgot his password is told the same as a stranger, for the same work: no hash for anybody.
pub async fn who_forgot_his_password_costs_what_a_stranger_costs(backend: Arc<Backend>) {
    let stage = noting(&backend).await;
    let forgot = async |email: &str| {
        let (answer, work) = worked(&stage, stage.visitor.post(FORGOT, json!({ "email": email }))).await;
        (told(&answer, &[]), work)
    };
    forgot("first@example.org").await;
    let [ada, none, gone, nobody, _] = stage.accounts().await;
    let emails = [ada, none, gone, nobody];
    // Three letters each, and then none for a while.
    for (letter, status) in [202, 202, 202, 429].into_iter().enumerate() {
        let mut all = Vec::new();
        for email in emails {
            // However it is written.
            let email = if letter == 1 { email.to_uppercase() } else { email.to_owned() };
            all.push(forgot(&email).await);
        }
        all_equal(&emails, &all);
        let (told, work) = &all[0];
        assert_eq!((told.status, work.hashes), (status, (0, 0)), "{}", told.body);
        assert_eq!(work.statements.is_empty(), stage.database.is_none());
    }
    let refused = stage.visitor.post(FORGOT, json!({ "email": "none" })).await;
    assert_eq!(refused.expect(422).faults(), ["email"]);
}

/// An organization's admin and where he invites; somewhere else there are a member, one without a password and one whose account is
/// archived. All addresses are of the same length.
async fn invited(stage: &Clocked) -> (Client, String, [&'static str; 5]) {
    let root = stage.superuser(ROOT).await;
    let organization =
        async |name: &str| root.post("/api/v1/organizations", json!({ "name": name })).await.expect(201).id();
    let (here, elsewhere) = (organization("Here").await, organization("Elsewhere").await);
    let join = async |org: &str, email: &str, role: &str| {
        let user = stage.user(email, Some(PASSWORD)).await.to_string();
        let body = json!({ "user_id": user, "role": role });
        root.post(&format!("/api/v1/organizations/{org}/users"), body).await.expect(201);
    };
    join(&here, "boss@example.org", "admin").await;
    join(&elsewhere, "away@example.org", "admin").await;
    let [_, none, gone, _, _] = stage.accounts().await;
    stage.user("idle@example.org", Some(PASSWORD)).await;
    let admin = stage.visitor.login("boss@example.org", PASSWORD).await;
    let path = format!("/api/v1/organizations/{here}/invitations");
    (admin, path, ["away@example.org", none, gone, "idle@example.org", "zero@example.org"])
}

/// What an admin does with invitations tells him nothing about accounts that he does not see: neither what he is told, nor the work.
pub async fn inviting_costs_the_same_whoever_has_an_account(backend: Arc<Backend>) {
    let stage = noting(&backend).await;
    let (admin, path, emails) = invited(&stage).await;
    let body = |email: &str| json!({ "email": email, "role": "member" });
    // The first of all is preceded by the driver's own questions.
    let first = admin.post(&path, body("init@example.org")).await.expect(201).id();
    admin.act(&format!("{path}/{first}/resend")).await.expect(200);
    admin.post(&path, body("init@example.org")).await.expect(409);
    admin.get(&format!("{path}/{first}")).await.expect(200);
    let mut ids = Vec::new();
    for status in [201, 409] {
        let mut all = Vec::new();
        for email in emails {
            let (answer, work) = worked(&stage, admin.post(&path, body(email))).await;
            if status == 201 {
                ids.push(answer.id());
            }
            all.push((told(&answer, &[email, ids.last().expect("an id")]), work));
        }
        all_equal(&emails, &all);
        let (told, work) = &all[0];
        assert_eq!((told.status, work.hashes), (status, (0, 0)), "{}", told.body);
        assert_eq!(work.statements.is_empty(), stage.database.is_none());
    }
    // What he sees of it, sending it once more, and once too often.
    for (how, status) in [("", 200), ("/resend", 200), ("/resend", 429)] {
        let mut all = Vec::new();
        for (email, id) in emails.iter().zip(&ids) {
            let path = format!("{path}/{id}{how}");
            let asked = async || if how.is_empty() { admin.get(&path).await } else { admin.act(&path).await };
            let (answer, work) = worked(&stage, asked()).await;
            all.push((told(&answer, &[email, id]), work));
        }
        all_equal(&emails, &all);
        assert_eq!((all[0].0.status, all[0].1.hashes), (status, (0, 0)), "{}", all[0].0.body);
    }
    // The mails that go out, as he sees their jobs.
    let listed = admin.get("/api/v1/jobs?kind=mail.send.v1&sort=created_at").await.expect(200).data();
    let jobs = listed.as_array().expect("jobs").iter().map(|job| {
        let mut job = job.clone();
        for own in ["id", "request_id", "created_at", "run_at"] {
            job[own] = Value::Null;
        }
        job
    });
    let jobs: Vec<Value> = jobs.collect();
    assert_eq!(jobs.len(), 2 * (emails.len() + 1));
    assert!(jobs.iter().all(|job| *job == jobs[0]), "{jobs:?}");
}

/// Who brings a token that is good for nothing is told the same whatever it was, and nothing is hashed.
pub async fn a_dead_token_is_told_like_one_that_never_was(backend: Arc<Backend>) {
    let stage = noting(&backend).await;
    let (admin, path, emails) = invited(&stage).await;
    let mut tokens =
        vec!["inv_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned(), "nonsense".to_owned()];
    let mut ids = Vec::new();
    for email in emails {
        let id = admin.post(&path, json!({ "email": email, "role": "member" })).await.expect(201).id();
        tokens.push(token(&stage, &id).await);
        ids.push(id);
    }
    // One accepted, one taken back, the others over.
    stage.visitor.post(ACCEPT, json!({ "token": tokens[2] })).await.expect(200);
    admin.delete(&format!("{path}/{}", ids[1])).await.expect(200);
    stage.forward(Duration::from_hours(72));
    let mut all = Vec::new();
    for token in &tokens {
        for more in [json!({}), json!({ "full_name": "N", "password": "gravel tandem plum" })] {
            let mut body = more;
            body["token"] = json!(token);
            let (answer, work) = worked(&stage, stage.visitor.post(ACCEPT, body)).await;
            all.push((told(&answer, &[]), work.hashes));
        }
    }
    let names: Vec<&str> = tokens.iter().flat_map(|token| [token.as_str(); 2]).collect();
    all_equal(&names, &all);
    assert_eq!((all[0].0.status, all[0].1), (410, (0, 0)));
}

/// The token of an invitation that nobody has posted yet.
async fn token(stage: &Clocked, invitation: &str) -> String {
    let mail = stage.platform.mail();
    let delivery = mail.find(&system(), &format!("invitation:{invitation}:1")).await.expect("a mail");
    mail.secret_of(&delivery).expect("a token").expose().clone()
}
