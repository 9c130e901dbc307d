//! Whoever guesses passwords is slowed down, and keeps nobody out.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};
use sitewatch_domain::{access::RequestContext, error::Error, ids::OrgId, passwords::RESET_LIFETIME};
use sitewatch_ephemeral::LocalLimiter;
use sitewatch_tests::{
    client::Answer,
    world::{Backend, PASSWORD},
};

use crate::clocked::Clocked;

/// Wrong guesses in a row that are looked at without a delay.
const FREE: usize = 5;
const WRONG: &str = "a guess of some length";
const ADA: &str = "ada@example.org";

/// A sign-in from an address.
async fn sign_in(stage: &Clocked, from: &str, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "password": password });
    let headers = [("x-forwarded-for", from)];
    stage.visitor.send(Method::POST, "/api/v1/auth/login", Some(body), &headers).await
}

async fn guesses(stage: &Clocked, from: &str, email: &str, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(sign_in(stage, from, email, WRONG).await.status.as_u16());
    }
    statuses
}

pub fn expect_limited(answer: &Answer, seconds: u64) {
    assert_eq!((answer.status.as_u16(), answer.error_type().as_str()), (429, "rate_limited"));
    assert_eq!(answer.header("retry-after"), seconds.to_string());
}

pub async fn failures_delay_the_next_guess_and_keep_nobody_out(backend: Arc<Backend>) {
    let stage = Clocked::start(&backend).await;
    let (home, elsewhere) = ("192.0.2.1", "198.51.100.7");
    stage.user(ADA, Some(PASSWORD)).await;
    // From now on a place where she signs in.
    sign_in(&stage, home, ADA, PASSWORD).await.expect(200);
    assert_eq!(guesses(&stage, elsewhere, ADA, FREE).await, [401; FREE]);
    for (from, password) in [(elsewhere, WRONG), (elsewhere, PASSWORD), ("198.51.100.8", PASSWORD)] {
        expect_limited(&sign_in(&stage, from, ADA, password).await, 6);
    }
    sign_in(&stage, home, ADA, PASSWORD).await.expect(200);
    expect_limited(&sign_in(&stage, elsewhere, ADA, PASSWORD).await, 6);
    // A part of a second is a second to wait.
    stage.forward(Duration::from_millis(5_999));
    expect_limited(&sign_in(&stage, elsewhere, ADA, PASSWORD).await, 1);
    // Each failure doubles the delay, and what was not looked at did not count.
    stage.forward(Duration::from_millis(1));
    sign_in(&stage, elsewhere, ADA, WRONG).await.expect(401);
    expect_limited(&sign_in(&stage, elsewhere, ADA, WRONG).await, 12);
    // Whoever waits and knows it is in, and from then on at home there as well.
    stage.forward(Duration::from_secs(12));
    sign_in(&stage, elsewhere, ADA, PASSWORD).await.expect(200);
    assert_eq!(guesses(&stage, "198.51.100.9", ADA, FREE + 1).await, [401, 401, 401, 401, 401, 429]);
    sign_in(&stage, elsewhere, ADA, PASSWORD).await.expect(200);
    // A neighbour of hers does not guess on without an end either.
    assert_eq!(guesses(&stage, home, ADA, FREE + 1).await, [401, 401, 401, 401, 401, 429]);
    expect_limited(&sign_in(&stage, home, ADA, PASSWORD).await, 6);
    sign_in(&stage, elsewhere, ADA, PASSWORD).await.expect(200);
}

pub async fn a_place_is_known_for_a_while(backend: Arc<Backend>) {
    let stage = Clocked::start(&backend).await;
    let (home, elsewhere) = ("2001:db8:1:2::1", "198.51.100.7");
    stage.user(ADA, Some(PASSWORD)).await;
    sign_in(&stage, home, ADA, PASSWORD).await.expect(200);
    stage.forward(Duration::from_hours(89 * 24));
    assert_eq!(guesses(&stage, elsewhere, ADA, FREE + 1).await, [401, 401, 401, 401, 401, 429]);
    // Another address of the same network, and then too long ago.
    sign_in(&stage, "2001:db8:1:2:3::4", ADA, PASSWORD).await.expect(200);
    stage.forward(Duration::from_hours(90 * 24));
    assert_eq!(guesses(&stage, elsewhere, ADA, FREE + 1).await, [401, 401, 401, 401, 401, 429]);
    expect_limited(&sign_in(&stage, home, ADA, PASSWORD).await, 6);
}

pub async fn nobodys_address_is_limited_like_an_account(backend: Arc<Backend>) {
    let stage = Clocked::start(&backend).await;
    let mut told = Vec::new();
    for email in stage.accounts().await {
        let mut answers = Vec::new();
        for _ in 0..=FREE + 1 {
            let answer = sign_in(&stage, "198.51.100.7", email, WRONG).await;
            let mut body = answer.json();
            body["request_id"] = Value::Null;
            let headers: BTreeSet<String> = answer.headers.keys().map(ToString::to_string).collect();
            answers.push((answer.status, headers, body));
        }
        assert_eq!(answers.iter().filter(|(status, ..)| *status == 429).count(), 2);
        told.push(answers);
    }
    for answers in &told {
        assert_eq!(answers, &told[0]);
    }
}

pub async fn guesses_at_the_same_moment_count_each(backend: Arc<Backend>) {
    let stage = Clocked::start(&backend).await;
    stage.user(ADA, Some(PASSWORD)).await;
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..60 {
        let client = stage.visitor.clone();
        let from = format!("198.51.100.{number}");
        let body = json!({ "email": ADA, "password": WRONG });
        asking.spawn(async move {
            let headers = [("x-forwarded-for", from.as_str())];
            client.send(Method::POST, "/api/v1/auth/login", Some(body), &headers).await.status.as_u16()
        });
    }
    let statuses = asking.join_all().await;
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    // Some find all places in the line of the hashes taken, and are not counted.
    assert_eq!(count(401) + count(429) + count(503), 60, "{statuses:?}");
    assert!((1..=FREE).contains(&count(401)), "{statuses:?}");
}

pub async fn an_address_has_a_rate_of_its_own(backend: Arc<Backend>) {
    let stage = Clocked::limited(&backend).await;
    let someone = |number: usize| format!("{number}@example.org");
    for number in 0..5 {
        sign_in(&stage, "198.51.100.7", &someone(number), WRONG).await.expect(401);
    }
    expect_limited(&sign_in(&stage, "198.51.100.7", &someone(5), WRONG).await, 3);
    // Before anything else is looked at.
    let headers = [("x-forwarded-for", "198.51.100.7"), ("content-type", "application/json")];
    let odd = stage.visitor.raw(Method::POST, "/api/v1/auth/login", b"{".to_vec(), &headers).await;
    expect_limited(&odd, 3);
    let headers =
        [("x-forwarded-for", "198.51.100.7"), ("content-type", "application/x-www-form-urlencoded")];
    let form = b"grant_type=password&username=x&password=y".to_vec();
    let token = stage.visitor.raw(Method::POST, "/api/v1/auth/token", form, &headers).await;
    expect_limited(&token, 3);
    sign_in(&stage, "198.51.100.8", &someone(6), WRONG).await.expect(401);
    // A customer has a whole network of addresses.
    for number in 0..5 {
        sign_in(&stage, &format!("2001:db8:1:2::{number}"), &someone(10 + number), WRONG).await.expect(401);
    }
    expect_limited(&sign_in(&stage, "2001:db8:1:2:ffff::9", &someone(20), WRONG).await, 3);
    sign_in(&stage, "2001:db8:1:3::1", &someone(21), WRONG).await.expect(401);
    stage.forward(Duration::from_secs(3));
    sign_in(&stage, "198.51.100.7", &someone(5), WRONG).await.expect(401);
    expect_limited(&sign_in(&stage, "198.51.100.7", &someone(5), WRONG).await, 3);
}

pub async fn letters_to_an_address_are_few(backend: Arc<Backend>) {
    let stage = Clocked::start(&backend).await;
    let [ada, eve] = [ADA, "eve@example.org"].map(|email| email.parse().expect("an address"));
    let request = RequestContext::default();
    let throttle = stage.platform.throttle();
    for _ in 0..3 {
        throttle.letter(&request, &ada).await.expect("a letter");
    }
    let refused = throttle.letter(&request, &ada).await;
    assert!(
        matches!(&refused, Err(Error::Limited { retry_after }) if retry_after.as_secs() == 60),
        "{refused:?}"
    );
    throttle.letter(&request, &eve).await.expect("a letter");
    stage.forward(Duration::from_mins(1));
    throttle.letter(&request, &ada).await.expect("a letter");
    // However long that goes on, there is a way to a new password that is still good.
    for _ in 0..20 {
        stage.forward(RESET_LIFETIME / 2);
        throttle.letter(&request, &ada).await.expect("a letter");
    }
    throttle.letter(&request, &ada).await.expect_err("the next one waits");
    // Neither do strangers keep an organization from inviting somebody, nor other organizations.
    let [org, other] = [1, 2].map(|number| OrgId::from_uuid(uuid::Uuid::from_u128(number)));
    for _ in 0..3 {
        throttle.invitation(&request, org, &ada).await.expect("an invitation");
    }
    throttle.invitation(&request, org, &ada).await.expect_err("a fourth one");
    throttle.invitation(&request, other, &ada).await.expect("an invitation");
    // Who has had all his letters can still sign in.
    assert!(throttle.guess(&request, &ada).await.is_ok());
}

/// What no session of this installation ever had costs a glance at its seal: nothing is asked of the database, and whoever goes on
/// waits. Who shares his address and has a token of a session is not held up.
pub async fn forged_refresh_tokens_are_limited_and_ask_nothing(backend: Arc<Backend>) {
    let database = backend.database().await;
    if let Some(database) = &database {
        database.note_statements().await;
    }
    let stage = Clocked::on(database, |clock| Arc::new(LocalLimiter::new(clock))).await;
    stage.user(ADA, Some(PASSWORD)).await;
    let place = "198.51.100.7";
    let signed_in = sign_in(&stage, place, ADA, PASSWORD).await.expect(200).data();
    let own = signed_in["refresh_token"].as_str().expect("a token").to_owned();
    let refresh = async |token: &str| {
        let body = json!({ "refresh_token": token });
        let headers = [("x-forwarded-for", place)];
        stage.visitor.send(Method::POST, "/api/v1/auth/refresh", Some(body), &headers).await
    };
    let noted = || stage.database.as_ref().map_or(0, |database| database.noted_statements().len());
    let before = noted();
    let (name, coded) = own.split_once('.').expect("a name");
    let bytes = URL_SAFE_NO_PAD.decode(coded).expect("base64");
    let token_of = |bytes: &[u8]| format!("{name}.{}", URL_SAFE_NO_PAD.encode(bytes));
    let mut forged =
        vec![String::new(), own[1..].to_owned(), token_of(&bytes[..56]), token_of(&vec![7; bytes.len()])];
    // The counter, the session, the MACs: any bit of it.
    for index in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[index] ^= 1;
        forged.push(token_of(&changed));
    }
    for token in &forged {
        stage.forward(Duration::from_secs(3));
        refresh(token).await.expect(401);
    }
    stage.forward(Duration::from_mins(1));
    for token in &forged[..5] {
        refresh(token).await.expect(401);
    }
    for _ in 0..2 {
        expect_limited(&refresh(&forged[0]).await, 3);
    }
    assert_eq!(noted(), before, "nothing was asked");
    refresh(&own).await.expect(200);
    expect_limited(&refresh(&forged[0]).await, 3);
}
