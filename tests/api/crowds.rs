//! More requests than a server works on at the same time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::Method;
use sea_orm::{
    ConnectionTrait as _, Database, DatabaseTransaction, DbBackend, Statement, TransactionTrait as _,
};
use serde_json::json;
use sitewatch_tests::world::{Backend, World};

const REPORTS: &str = "/api/v1/reports";

/// Reads that do not get on keep out other reads, and not what devices send; all is well when they are through.
#[expect(clippy::disallowed_methods, reason = "it stands for lists that are slow, on PostgreSQL")]
pub async fn a_crowd_before_lists_costs_no_readings(backend: Arc<Backend>) {
    let world = World::with(&backend, &[("SITEWATCH_REQUESTS_AT_ONCE", "5")]).await;
    let org = world.organization("A").await;
    let site = world.site(&org, "S").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let module = world.module(&site, &kind, "M").await;
    let made = world.root.act(&format!("/api/v1/modules/{module}/credentials")).await.expect(201).data();
    let device = world.anonymous().with_token(made["secret"].as_str().expect("a secret"));

    let database = Database::connect(world.database_url()).await.expect("a connection");
    let held = database.begin().await.expect("a transaction");
    held.execute_unprepared("LOCK TABLE reports").await.expect("the reports are held");
    // Four of five places are for reads.
    let slow: Vec<_> = (0..4)
        .map(|_| {
            let root = world.root.clone();
            tokio::spawn(async move { root.get(REPORTS).await })
        })
        .collect();
    let give_up = Instant::now() + Duration::from_secs(20);
    while waiting_for_locks(&held).await < 4 {
        assert!(Instant::now() < give_up, "the lists do not wait");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refused = world.root.get("/api/v1/metrics").await.expect(503);
    assert_eq!((refused.error_type().as_str(), refused.header("retry-after")), ("unavailable", "1"));
    for hour in 0..5 {
        let reading = json!({ "metric": "power", "at": format!("2026-01-01T{hour:02}:00:00Z"), "value": 1 });
        let body = json!({ "readings": [reading] });
        device.post(&format!("/api/v1/modules/{module}/readings"), body).await.expect(200);
        world.root.get("/api/v1/metrics").await.expect(503);
    }
    world.anonymous().get("/health/ready").await.expect(200);
    held.rollback().await.expect("let go");
    for answer in slow {
        answer.await.expect("an answer").expect(200);
    }
    world.root.get("/api/v1/metrics").await.expect(200);
}

/// How many statements wait for what another one holds.
async fn waiting_for_locks(database: &DatabaseTransaction) -> i64 {
    let count = "SELECT count(*) AS waiting FROM pg_locks WHERE NOT granted \
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let row = database.query_one_raw(Statement::from_string(DbBackend::Postgres, count)).await;
    row.expect("an answer").expect("a row").try_get("", "waiting").expect("a number")
}

/// Whoever sends a body slowly holds no place meanwhile.
pub async fn a_body_on_its_way_holds_no_place(backend: Arc<Backend>) {
    use tokio::{io::AsyncWriteExt as _, net::TcpStream};

    let world = World::with(&backend, &[("SITEWATCH_REQUESTS_AT_ONCE", "4")]).await;
    let address = world.base.trim_start_matches("http://").to_owned();
    let mut slow = Vec::new();
    for path in ["/api/v1/auth/login", "/api/v1/sites"] {
        for _ in 0..10 {
            let mut stream = TcpStream::connect(&address).await.expect("a connection");
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
                 content-length: 1000\r\n\r\n{{",
                world.root.token()
            );
            stream.write_all(head.as_bytes()).await.expect("written");
            slow.push(stream);
        }
    }
    // Sooner than their silence would end them.
    let give_up = Instant::now() + Duration::from_secs(7);
    while world
        .root
        .send(Method::POST, "/api/v1/organizations", Some(json!({ "name": "A" })), &[])
        .await
        .status
        != 201
    {
        assert!(Instant::now() < give_up, "slow bodies keep others out");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for number in 0..20 {
        world.organization(&format!("Organization {number}")).await;
    }
    drop(slow);
}
