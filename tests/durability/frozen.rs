//! A database that answers nothing for a while: everybody is told so in time, and afterwards all is as it was told.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use sitewatch_tests::{
    client::{Answer, Client},
    frozen::Frozen,
    world::SUPERUSER,
};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    Kind,
    load::{Load, plant},
    start::{Installation, PATIENCE},
};

/// What readiness may take.
const SIGN_OF_LIFE: Duration = Duration::from_secs(4);
/// What a request may take.
const ANSWER: Duration = Duration::from_secs(12);

pub async fn a_frozen_database_is_told_in_time(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let client = installation.start().await;
    let load = Load::new(plant(&client).await);
    let senders = load.flow(&client).await;
    let stranger = Client::anonymous(client.base());
    let credentials = json!({ "email": SUPERUSER.0, "password": SUPERUSER.1 });
    let frozen = Frozen::over(installation.postgres());
    let began = Instant::now();
    let (ready, read, write, login) = tokio::join!(
        timed(client.get("/health/ready")),
        timed(client.get("/api/v1/organizations")),
        timed(client.post("/api/v1/organizations", json!({ "name": "Late" }))),
        timed(stranger.post("/api/v1/auth/login", credentials)),
    );
    assert!(ready.1 < SIGN_OF_LIFE, "readiness took {:?}", ready.1);
    assert_eq!(ready.0.expect(503).json()["reasons"], json!(["database"]));
    for (answer, took) in [read, write, login] {
        let answer = answer.expect(503);
        assert_eq!(answer.error_type(), "unavailable");
        assert!(took < ANSWER && !answer.header("retry-after").is_empty(), "{took:?} {:?}", answer.headers);
    }
    for sender in senders {
        let refused = sender.await.expect("a sender that ends").map(|status| status.as_u16());
        assert_eq!(refused, Some(503), "a commit that nobody answered");
    }
    assert!(began.elapsed() < ANSWER, "the senders took {:?}", began.elapsed());
    drop(frozen);
    let thawed = Instant::now();
    while client.get("/health/ready").await.status.as_u16() != 200 {
        assert!(thawed.elapsed() < PATIENCE, "not ready again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    client.get("/api/v1/organizations").await.expect(200);
    load.check(&client).await;
    // All connections are good again, not only one of them.
    let senders = load.flow(&client).await;
    installation.kill();
    for sender in senders {
        assert_eq!(sender.await.expect("a sender that ends"), None, "a good batch was refused");
    }
}

/// Connections that lead nowhere are not waited for: they are given up, and others are opened in their place.
pub async fn sessions_that_never_answer_are_replaced(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let client = installation.start().await;
    // Transactions, and more at a time than a node has connections, so that it opens all of them.
    let mut asking =
        crowd(&client, "/api/v1/organizations", |number| json!({ "name": format!("O {number}") }));
    while let Some(answer) = asking.join_next().await {
        answer.expect("an answer").expect(201);
    }
    let frozen = Frozen::over_sessions(installation.postgres());
    assert!(frozen.count() >= 20, "{} sessions", frozen.count());
    let began = Instant::now();
    // Sign-ins, for they look for the account at once, each on a connection of its own.
    let credentials = json!({ "email": SUPERUSER.0, "password": SUPERUSER.1 });
    let mut asking = crowd(&client, "/api/v1/auth/login", |_| credentials.clone());
    // And what begins a transaction without looking for anything before, as many as want all connections at once.
    let forgotten = crowd(&client, "/api/v1/auth/password/forgot", |_| json!({ "email": SUPERUSER.0 }));
    for answer in forgotten.join_all().await {
        answer.expect(503);
    }
    while let Some(answer) = asking.join_next().await {
        answer.expect("an answer").expect(503);
    }
    while client.get("/api/v1/organizations").await.status.as_u16() != 200 {
        assert!(began.elapsed() < PATIENCE, "still not served");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(frozen);
}

/// Sends so many requests at a time that they want all connections of a node.
fn crowd(client: &Client, path: &'static str, body: impl Fn(u32) -> Value) -> JoinSet<Answer> {
    let send = |number| {
        let (client, body) = (client.clone(), body(number));
        async move { client.post(path, body).await }
    };
    (0..80).map(send).collect()
}

async fn timed<T>(answer: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let answer = tokio::time::timeout(Duration::from_mins(1), answer).await.expect("an answer");
    (answer, began.elapsed())
}
