//! Sessions: looked at and ended by their users and by superusers; what users are told of them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::Method;
use sea_orm::{ConnectionTrait as _, Database, Statement, TransactionTrait as _};
use serde_json::{Value, json};
use sitewatch_domain::{
    housekeeping::ForgetSessions,
    jobs::{Claim, Job as _, Run, When},
    sessions::MOST_GRACE_USES,
};
use sitewatch_tests::{
    client::{Answer, Client},
    world::{Backend, PASSWORD, World},
};

use crate::{clocked::Clocked, jobs::system};

const MINE: &str = "/api/v1/auth/me/sessions";

/// The events of the notices that were written for somebody, in the order of their names.
pub async fn notices(world: &World, recipient: &str) -> Vec<String> {
    let database = Database::connect(world.database_url()).await.expect("a connection");
    let sql = format!(
        "SELECT dedupe_key FROM deliveries WHERE template = 'security_notice' AND recipient = '{recipient}' ORDER BY dedupe_key"
    );
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let rows = database.query_all_raw(statement).await.expect("rows");
    let keys = rows.iter().map(|row| row.try_get_by_index::<String>(0).expect("a key"));
    keys.map(|key| key.split(':').nth(1).expect("an event").to_owned()).collect()
}

async fn sessions(client: &Client, path: &str) -> Vec<Value> {
    client.get(path).await.expect(200).data().as_array().expect("a list").clone()
}

fn id(session: &Value) -> &str {
    session["id"].as_str().expect("an id")
}

pub async fn a_user_sees_and_ends_his_sessions(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (_, first) = world.user("ada").await;
    let second = world.anonymous().login("ada@example.org", PASSWORD).await;
    let (_, stranger) = world.user("eve").await;
    let found = sessions(&first, MINE).await;
    assert_eq!(found.len(), 2);
    assert_eq!([&found[0]["is_current"], &found[1]["is_current"]], [false, true], "the newest first");
    for session in &found {
        assert_eq!(session["ip"], "127.0.0.1");
        for moment in ["created_at", "last_used_at", "expires_at"] {
            assert!(session[moment].is_string(), "{session}");
        }
        let keys: Vec<&String> = session.as_object().expect("an object").keys().collect();
        assert_eq!(keys.len(), 7, "nothing else is told: {keys:?}");
    }
    let upwards = sessions(&first, &format!("{MINE}?sort=created_at&per_page=1")).await;
    assert_eq!(id(&upwards[0]), id(&found[1]));
    // Somebody else's is as good as none.
    for gone in [id(&sessions(&stranger, MINE).await[0]), "018f0000-0000-7000-8000-000000000000"] {
        first.delete(&format!("{MINE}/{gone}")).await.expect(404);
    }
    let other = format!("{MINE}/{}", id(&found[0]));
    first.delete(&other).await.expect(204);
    second.get("/api/v1/auth/me").await.expect(401);
    first.get("/api/v1/auth/me").await.expect(200);
    first.delete(&other).await.expect(404);
    first.delete(&format!("{MINE}/{}", id(&found[1]))).await.expect(204);
    first.get("/api/v1/auth/me").await.expect(401);
    stranger.get("/api/v1/auth/me").await.expect(200);
}

pub async fn signing_out_everywhere_ends_all_and_their_refresh_tokens(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (user, first) = world.user("ada").await;
    let login = json!({ "email": "ada@example.org", "password": PASSWORD });
    let second = world.anonymous().post("/api/v1/auth/login", login).await.expect(200).data();
    first.act("/api/v1/auth/logout-all").await.expect(204);
    first.get("/api/v1/auth/me").await.expect(401);
    let access = second["access_token"].as_str().expect("a token");
    world.anonymous().with_token(access).get("/api/v1/auth/me").await.expect(401);
    let body = json!({ "refresh_token": second["refresh_token"] });
    world.anonymous().post("/api/v1/auth/refresh", body).await.expect(401);
    let log =
        world.root.get(&format!("/api/v1/audit?action=signed_out&resource_id={user}")).await.expect(200);
    assert_eq!(log.data().as_array().expect("a list").len(), 1);
    world.anonymous().login("ada@example.org", PASSWORD).await.get(MINE).await.expect(200);
}

pub async fn a_superuser_ends_the_sessions_of_others(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (user, first) = world.member(&org, "ada", "member").await;
    let (_, admin) = world.member(&org, "bob", "admin").await;
    let (_, stranger) = world.user("eve").await;
    let second = world.anonymous().login("ada@example.org", PASSWORD).await;
    let path = format!("/api/v1/users/{user}/sessions");
    assert_eq!(sessions(&first, &path).await.len(), 2, "his own");
    admin.get(&path).await.expect(403);
    admin.delete(&path).await.expect(403);
    stranger.get(&path).await.expect(404);
    let found = sessions(&world.root, &path).await;
    assert!(found.iter().all(|session| session["is_current"] == false));
    let one = format!("{path}/{}", id(&found[0]));
    admin.delete(&one).await.expect(403);
    stranger.delete(&one).await.expect(404);
    // Below another user it is not found.
    let me = world.root.get("/api/v1/auth/me").await.expect(200).id();
    world.root.delete(&format!("/api/v1/users/{me}/sessions/{}", id(&found[0]))).await.expect(404);
    world.root.delete(&one).await.expect(204);
    second.get("/api/v1/auth/me").await.expect(401);
    first.get("/api/v1/auth/me").await.expect(200);
    world.root.delete(&path).await.expect(204);
    first.get("/api/v1/auth/me").await.expect(401);
    assert!(sessions(&world.root, &path).await.is_empty());
}

/// `POST /auth/refresh` as a client of this kind.
async fn refresh(world: &World, token: &Value, agent: &str) -> Answer {
    let body = json!({ "refresh_token": token });
    world.anonymous().send(Method::POST, "/api/v1/auth/refresh", Some(body), &[("user-agent", agent)]).await
}

pub async fn another_client_is_no_other_tab(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    world.user("ada").await;
    let login = json!({ "email": "ada@example.org", "password": PASSWORD });
    let first = world.anonymous().post("/api/v1/auth/login", login).await.expect(200).data();
    let second = refresh(&world, &first["refresh_token"], "Firefox/128.0").await.expect(200).data();
    // The same one after an update.
    let again = refresh(&world, &first["refresh_token"], "Firefox/129.0").await.expect(200).data();
    assert_eq!(again["refresh_token"], second["refresh_token"]);
    assert!(notices(&world, "ada@example.org").await.is_empty());
    refresh(&world, &first["refresh_token"], "curl/8.5.0").await.expect(401);
    refresh(&world, &second["refresh_token"], "Firefox/128.0").await.expect(401);
    assert_eq!(
        notices(&world, "ada@example.org").await,
        ["token_reused"],
        "he is told, although the request failed"
    );
}

pub async fn a_sign_in_from_a_new_address_is_told(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    world.user("ada").await;
    let again = async || drop(world.anonymous().login("ada@example.org", PASSWORD).await);
    again().await;
    assert!(
        notices(&world, "ada@example.org").await.is_empty(),
        "the first one, and one from the same address"
    );
    let database = Database::connect(world.database_url()).await.expect("a connection");
    database.execute_unprepared("UPDATE sessions SET client = '192.0.2.1'").await.expect("other addresses");
    again().await;
    again().await;
    assert_eq!(notices(&world, "ada@example.org").await, ["new_sign_in"]);
    // Nobody knows any more where she was; that she was somewhere is known.
    database.execute_unprepared("DELETE FROM sessions WHERE client IS NOT NULL").await.expect("forgotten");
    again().await;
    assert_eq!(notices(&world, "ada@example.org").await, ["new_sign_in", "new_sign_in"]);
}

/// As many tabs as may have the successor once more get it; the next ones wait, are told to, and stay signed in.
pub async fn too_many_tabs_wait_and_stay_signed_in(backend: Arc<Backend>) {
    let stage = Clocked::start(&backend).await;
    stage.user("ada@example.org", Some(PASSWORD)).await;
    let login = json!({ "email": "ada@example.org", "password": PASSWORD });
    let first = stage.visitor.post("/api/v1/auth/login", login).await.expect(200).data();
    let refresh = async |token: &Value| {
        stage.visitor.post("/api/v1/auth/refresh", json!({ "refresh_token": token })).await
    };
    let second = refresh(&first["refresh_token"]).await.expect(200).data();
    for _ in 0..MOST_GRACE_USES {
        let again = refresh(&first["refresh_token"]).await.expect(200).data();
        assert_eq!(again["refresh_token"], second["refresh_token"]);
    }
    let began = Instant::now();
    let (one, other) = tokio::join!(refresh(&first["refresh_token"]), refresh(&first["refresh_token"]));
    expect_to_wait(&[one, other], began);
    refresh(&second["refresh_token"]).await.expect(200);
}

/// A refresh waits while another one of its session is under way; whoever waits too long is told to come back.
#[expect(
    clippy::disallowed_methods,
    reason = "it stands for another refresh that does not end, on PostgreSQL"
)]
pub async fn a_refresh_waits_for_another_one(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let login = json!({ "email": "ada@example.org", "password": PASSWORD });
    world.user("ada").await;
    let tokens = world.anonymous().post("/api/v1/auth/login", login).await.expect(200).data();
    let body = json!({ "refresh_token": tokens["refresh_token"] });
    let database = Database::connect(world.database_url()).await.expect("a connection");
    let held = database.begin().await.expect("a transaction");
    held.execute_unprepared("SELECT 1 FROM sessions FOR UPDATE").await.expect("the session is held");
    let began = Instant::now();
    let client = world.anonymous();
    let refused = client.post("/api/v1/auth/refresh", body.clone()).await;
    expect_to_wait(&[refused], began);
    let (answer, ()) = tokio::join!(client.post("/api/v1/auth/refresh", body), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        held.rollback().await.expect("let go");
    });
    answer.expect(200);
}

fn expect_to_wait(refused: &[Answer], began: Instant) {
    assert!(began.elapsed() >= Duration::from_secs(3), "they waited for {:?}", began.elapsed());
    for answer in refused {
        assert_eq!((answer.status.as_u16(), answer.error_type().as_str()), (409, "in_flight"));
        assert_eq!(answer.header("retry-after"), "1");
    }
}

pub async fn a_node_with_a_wrong_clock_forgets_nothing(backend: Arc<Backend>) {
    let clocked = Clocked::start(&backend).await;
    clocked.user("ada@example.org", Some(PASSWORD)).await;
    clocked.visitor.login("ada@example.org", PASSWORD).await;
    clocked.forward(Duration::from_hours(400 * 24));
    let jobs = clocked.platform.jobs();
    jobs.enqueue(&system(), &ForgetSessions {}, When::Now).await.expect("written");
    let claim = Claim {
        lane: ForgetSessions::LANE,
        kinds: &[ForgetSessions::KIND],
        limit: 1,
        together: 1,
        lease: Duration::from_mins(1),
        worker: "a test",
    };
    let run = Run::of(jobs.claim(&system(), &claim).await.expect("an answer").remove(0));
    assert_eq!(clocked.platform.housekeeping().forget_sessions(&run).await.expect("done"), 0);
    assert_eq!(clocked.platform.reports().forget(&run).await.expect("done"), (0, 0));
}
