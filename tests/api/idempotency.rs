//! Requests that are sent again with their idempotency key.

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement, TransactionTrait as _};
use serde_json::{Value, json};
use sitewatch_tests::{
    client::{Answer, Client},
    world::{Backend, SUPERUSER, World},
};

const KEY: &str = "idempotency-key";
const REPLAYED: &str = "idempotent-replayed";
const OWN_KEYS: &str = "/api/v1/auth/me/api-keys";

/// A POST with a key.
async fn keyed(client: &Client, key: &str, path: &str, body: Value) -> Answer {
    client.send(Method::POST, path, Some(body), &[(KEY, key)]).await
}

/// That an answer is another one, given again.
#[track_caller]
fn is_given_again(again: &Answer, first: &Answer) {
    assert_eq!((first.header(REPLAYED), again.header(REPLAYED)), ("", "true"), "{}", again.text);
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    for name in ["location", "etag", "content-type"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
}

async fn database(world: &World) -> DatabaseConnection {
    Database::connect(world.database_url()).await.expect("a connection")
}

async fn number(database: &DatabaseConnection, sql: &str) -> i64 {
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let row = database.query_one_raw(statement).await.expect("an answer").expect("a row");
    row.try_get_by_index(0).expect("a number")
}

async fn total(client: &Client, path: &str) -> Value {
    client.get(path).await.expect(200).json()["meta"]["total"].clone()
}

pub async fn what_is_sent_again_has_one_effect_and_one_answer(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (_, admin) = world.member(&org, "ada", "admin").await;
    let sites = format!("/api/v1/organizations/{org}/sites");
    let body = json!({ "name": "North", "timezone": "Europe/Paris", "latitude": 48 });
    let made = keyed(&admin, "k", &sites, body.clone()).await.expect(201);
    assert_eq!(made.header("location"), format!("/api/v1/sites/{}", made.id()));
    is_given_again(&keyed(&admin, "k", &sites, body.clone()).await, &made);
    // However it is spelled.
    let spelled = br#"{ "latitude": 48.0, "timezone": "Europe/Paris", "name": "\u004eorth" }"#.to_vec();
    let headers = [("content-type", "application/json"), (KEY, "k")];
    is_given_again(&admin.raw(Method::POST, &sites, spelled, &headers).await, &made);
    assert_eq!(total(&admin, "/api/v1/sites").await, 1);
    let log = format!("/api/v1/organizations/{org}/audit?resource=site&action=created");
    assert_eq!(admin.get(&log).await.expect(200).data().as_array().expect("a list").len(), 1);
    // The answer is that of the moment, whatever became of the object.
    admin.put(&format!("/api/v1/sites/{}", made.id()), json!({ "name": "South" })).await.expect(200);
    is_given_again(&keyed(&admin, "k", &sites, body.clone()).await, &made);
    // Another request may have the same name by now.
    assert_ne!(keyed(&admin, "l", &sites, body).await.expect(201).id(), made.id());

    // What is done and can be done once only.
    let site = format!("/api/v1/sites/{}", made.id());
    admin.delete(&site).await.expect(200);
    let restore =
        async |key: &str| admin.send(Method::POST, &format!("{site}/restore"), None, &[(KEY, key)]).await;
    let restored = restore("k").await.expect(200);
    is_given_again(&restore("k").await, &restored);
    assert_eq!(restore("l").await.expect(409).error_type(), "conflict");

    // What would be told otherwise the second time.
    let kind = world.module_type(&org, "T", &["power"]).await;
    let module = world.module(&made.id(), &kind, "M").await;
    let readings = format!("/api/v1/modules/{module}/readings");
    let batch = json!({ "readings": [{ "metric": "power", "at": "2026-01-01T00:00:00Z", "value": 1 }] });
    let stored = keyed(&admin, "k", &readings, batch.clone()).await.expect(200);
    assert_eq!(stored.data()["accepted"], 1);
    is_given_again(&keyed(&admin, "k", &readings, batch.clone()).await, &stored);
    assert_eq!(admin.post(&readings, batch).await.expect(200).data()["duplicate"], 1);

    // What waits already is answered with its job, and changes nothing.
    let report = json!({ "organization_id": org, "name": "R", "period": "day", "format": "csv" });
    let report = admin.post("/api/v1/reports", report).await.expect(201).id();
    let run = async |key: &str| keyed(&admin, key, &format!("/api/v1/reports/{report}/run"), json!({})).await;
    let first = run("k").await.expect(202);
    is_given_again(&run("k").await, &first);
    let same = run("l").await.expect(202);
    assert_eq!(same.id(), first.id());
    is_given_again(&run("l").await, &same);
}

pub async fn twins_at_the_same_moment_have_one_effect(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    for round in 1..=10 {
        let body = json!({ "organization_id": org, "name": "R", "period": "day", "format": "csv" });
        let mut twins = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (client, body) = (world.root.clone(), body.clone());
            let key = format!("round {round}");
            twins.spawn(async move { keyed(&client, &key, "/api/v1/reports", body).await });
        }
        let answers = twins.join_all().await;
        let (done, waiting): (Vec<&Answer>, Vec<&Answer>) =
            answers.iter().partition(|answer| answer.status == StatusCode::CREATED);
        for answer in waiting {
            assert_eq!((answer.status.as_u16(), answer.error_type().as_str()), (409, "in_flight"));
        }
        let first: Vec<_> = done.iter().filter(|answer| answer.header(REPLAYED).is_empty()).collect();
        assert_eq!(first.len(), 1, "round {round}: {answers:?}");
        assert!(done.iter().all(|answer| answer.text == first[0].text), "round {round}: {answers:?}");
        assert_eq!(total(&world.root, "/api/v1/reports").await, round);
    }
}

pub async fn a_key_is_of_one_request_of_one_caller(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (a, b) = (world.organization("A").await, world.organization("B").await);
    let (_, ada) = world.member(&a, "ada", "admin").await;
    let (_, bob) = world.member(&a, "bob", "admin").await;
    let body = |name: &str| json!({ "organization_id": a, "name": name });
    let made = keyed(&ada, "k", "/api/v1/sites", body("S")).await.expect(201);
    let other = keyed(&ada, "k", "/api/v1/sites", body("T")).await.expect(422);
    assert_eq!((other.error_type().as_str(), other.faults().len()), ("idempotency_mismatch", 0));
    // A body with faults is another one as well.
    let faulty = keyed(&ada, "k", "/api/v1/sites", body("")).await.expect(422);
    assert_eq!(faulty.error_type(), "idempotency_mismatch");
    is_given_again(&keyed(&ada, "k", "/api/v1/sites", body("S")).await, &made);
    assert_eq!(total(&ada, "/api/v1/sites").await, 1);

    // Another caller's key is another one, and so is that of another route.
    let of_bob = keyed(&bob, "k", "/api/v1/sites", body("U")).await.expect(201);
    assert_eq!(of_bob.header(REPLAYED), "");
    let scopes = json!({ "name": "a program", "scopes": ["sites:write"] });
    let secret = keyed(&ada, "k", OWN_KEYS, scopes).await.expect(201).data()["secret"].clone();
    let program = ada.with_token(secret.as_str().expect("a secret"));
    let of_program = keyed(&program, "k", "/api/v1/sites", body("V")).await.expect(201);
    is_given_again(&keyed(&program, "k", "/api/v1/sites", body("V")).await, &of_program);
    // The same route for another object is another request.
    let restore = async |org: &str| {
        world.root.delete(&format!("/api/v1/organizations/{org}")).await.expect(200);
        world
            .root
            .send(Method::POST, &format!("/api/v1/organizations/{org}/restore"), None, &[(KEY, "r")])
            .await
    };
    restore(&a).await.expect(200);
    assert_eq!(restore(&b).await.expect(422).error_type(), "idempotency_mismatch");

    let long = "k".repeat(255);
    keyed(&ada, &long, "/api/v1/sites", body("W")).await.expect(201);
    for headers in [
        vec![(KEY, "")],
        vec![(KEY, &*format!("{long}k"))],
        vec![(KEY, "a\tb")],
        vec![(KEY, "k"), (KEY, "k")],
    ] {
        let refused = ada.send(Method::POST, "/api/v1/sites", Some(body("X")), &headers).await.expect(400);
        assert_eq!(refused.error_type(), "bad_request");
    }
    // Where nothing is done, keys are nothing.
    ada.send(Method::GET, "/api/v1/sites", None, &[(KEY, "")]).await.expect(200);
    let question = json!({ "modules": [], "metrics": ["power"], "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z" });
    for _ in 0..2 {
        assert_eq!(keyed(&ada, "k", "/api/v1/telemetry/query", question.clone()).await.header(REPLAYED), "");
    }
}

pub async fn whoever_may_not_claims_nothing_and_is_told_nothing(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    world.member(&org, "bob", "admin").await;
    let (ada, client) = world.member(&org, "ada", "member").await;
    let path = format!("/api/v1/organizations/{org}/sites");
    let body = json!({ "name": "S" });
    keyed(&world.anonymous(), "k", &path, body.clone()).await.expect(401);
    keyed(&client, "k", &path, body.clone()).await.expect(403);
    keyed(&client, "k", &format!("/api/v1/sites/{org}/restore"), json!({})).await.expect(404);
    keyed(&world.root, "k", &path, json!({ "name": "" })).await.expect(422);
    let json_type = [("content-type", "application/json"), (KEY, "k")];
    world.root.raw(Method::POST, &path, b"{".to_vec(), &json_type).await.expect(400);
    world.root.raw(Method::POST, &path, vec![b' '; 3 * 1024 * 1024], &json_type).await.expect(413);
    let database = database(&world).await;
    assert_eq!(number(&database, "SELECT count(*) FROM idempotency_keys").await, 0);

    // The same request, once he may, and when he may no longer.
    let member = format!("/api/v1/organizations/{org}/users/{ada}");
    world.root.put(&member, json!({ "role": "admin" })).await.expect(200);
    let made = keyed(&client, "k", &path, body.clone()).await.expect(201);
    is_given_again(&keyed(&client, "k", &path, body.clone()).await, &made);
    world.root.put(&member, json!({ "role": "member" })).await.expect(200);
    assert_eq!(keyed(&client, "k", &path, body).await.expect(403).header(REPLAYED), "");
    assert_eq!(number(&database, "SELECT count(*) FROM idempotency_keys").await, 1);
}

pub async fn a_final_refusal_is_given_again(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let site = format!("/api/v1/sites/{}", world.site(&org, "S").await);
    let path = format!("/api/v1/organizations/{org}/sites");
    let refused = keyed(&world.root, "k", &path, json!({ "name": "S" })).await.expect(409);
    world.root.put(&site, json!({ "name": "T" })).await.expect(200);
    let again = keyed(&world.root, "k", &path, json!({ "name": "S" })).await.expect(409);
    assert_eq!((refused.header(REPLAYED), again.header(REPLAYED)), ("", "true"));
    // Each names its own request, as the one error body does.
    assert_eq!((refused.error_type().as_str(), again.error_type().as_str()), ("conflict", "conflict"));
    assert_eq!(refused.json()["detail"], again.json()["detail"]);
    keyed(&world.root, "l", &path, json!({ "name": "S" })).await.expect(201);
    // A precondition that failed stays failed; faults of an input can be mended under the same key.
    world.root.delete(&site).await.expect(200);
    let stale = [(KEY, "k"), ("if-match", "\"1-0\"")];
    for is_replayed in ["", "true"] {
        let answer =
            world.root.send(Method::POST, &format!("{site}/restore"), None, &stale).await.expect(412);
        assert_eq!(answer.header(REPLAYED), is_replayed);
    }
    keyed(&world.root, "m", &path, json!({ "name": 7 })).await.expect(422);
    keyed(&world.root, "m", &path, json!({ "name": "U" })).await.expect(201);
}

pub async fn a_key_is_forgotten_after_a_day(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let body = json!({ "organization_id": org, "name": "R", "period": "day", "format": "csv" });
    let first = keyed(&world.root, "k", "/api/v1/reports", body.clone()).await.expect(201);
    is_given_again(&keyed(&world.root, "k", "/api/v1/reports", body.clone()).await, &first);
    let database = database(&world).await;
    let lifetime = "SELECT expires_at - created_at FROM idempotency_keys";
    let day = 24 * 60 * 60 * 1_000_000;
    assert!((day - 60_000_000..=day).contains(&number(&database, lifetime).await));
    database.execute_unprepared("UPDATE idempotency_keys SET expires_at = 1").await.expect("an update");
    let second = keyed(&world.root, "k", "/api/v1/reports", body.clone()).await.expect(201);
    assert_ne!(second.id(), first.id());
    is_given_again(&keyed(&world.root, "k", "/api/v1/reports", body).await, &second);
    assert_eq!(number(&database, "SELECT count(*) FROM idempotency_keys").await, 1);
}

pub async fn a_secret_is_shown_again_and_kept_sealed(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let body = json!({ "name": "canary-of-a-program", "scopes": ["sites:read"] });
    let made = keyed(&world.root, "canary-of-a-key", OWN_KEYS, body.clone()).await.expect(201);
    let again = keyed(&world.root, "canary-of-a-key", OWN_KEYS, body).await;
    is_given_again(&again, &made);
    let secret = again.data()["secret"].as_str().expect("a secret").to_owned();
    world.anonymous().with_token(&secret).get("/api/v1/sites").await.expect(200);
    let database = database(&world).await;
    let sql = "SELECT route, key_digest, fingerprint, answer FROM idempotency_keys";
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let row = database.query_one_raw(statement).await.expect("an answer").expect("a row");
    let route: String = row.try_get("", "route").expect("a route");
    assert_eq!(route, format!("POST {OWN_KEYS}"));
    for column in ["key_digest", "fingerprint", "answer"] {
        let bytes: Vec<u8> = row.try_get("", column).expect("bytes");
        for text in [secret.as_bytes(), b"canary"] {
            assert!(!bytes.windows(text.len()).any(|part| part == text), "{column}");
        }
    }
}

/// Another node has begun the same request, and is slow.
#[expect(
    clippy::disallowed_methods,
    reason = "on PostgreSQL, where a transaction that has begun waits for its turn"
)]
pub async fn a_twin_under_way_is_not_waited_for_long(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let database = database(&world).await;
    let twin = database.begin().await.expect("a transaction");
    let claim = format!(
        "INSERT INTO idempotency_keys (principal, route, key_digest, fingerprint, created_at, expires_at) \
         SELECT id, 'POST /api/v1/organizations', sha256('k'::bytea), '', 0, {} FROM users WHERE email = '{}'",
        i64::MAX,
        SUPERUSER.0
    );
    twin.execute_unprepared(&claim).await.expect("a claim");
    let waited = keyed(&world.root, "k", "/api/v1/organizations", json!({ "name": "A" })).await.expect(409);
    assert_eq!((waited.error_type().as_str(), waited.header("retry-after")), ("in_flight", "1"));
    twin.rollback().await.expect("taken back");
    let made = keyed(&world.root, "k", "/api/v1/organizations", json!({ "name": "A" })).await.expect(201);
    assert_eq!(made.header(REPLAYED), "");
}
