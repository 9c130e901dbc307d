//! More sign-ins than can be hashed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm::{ConnectionTrait as _, Database, Statement};
use serde_json::json;
use sitewatch_tests::{
    harness::is_long_run,
    world::{Backend, SUPERUSER, World},
};

/// What the hashing pool holds: two at work and sixteen waiting.
const CAPACITY: usize = 18;
const VISITORS: usize = 60;

/// Those that do not fit are told at once when to come back; whoever asks for something else does not notice.
pub async fn a_flood_of_sign_ins_is_turned_away_and_holds_nobody_up(backend: Arc<Backend>) {
    let world = World::with(&backend, &[("SITEWATCH_BCRYPT_COST", "12")]).await;
    let mut visitors = tokio::task::JoinSet::new();
    let began = Instant::now();
    for number in 0..VISITORS {
        let client = world.anonymous();
        let body = json!({ "email": format!("{number}@example.org"), "password": "a guess of some length" });
        visitors.spawn(async move { client.post("/api/v1/auth/login", body).await });
    }
    let client = world.anonymous();
    let mut slowest = Duration::ZERO;
    let mut asked = 0;
    let mut answers = Vec::new();
    while !visitors.is_empty() {
        let asking = Instant::now();
        client.get("/health").await.expect(200);
        slowest = slowest.max(asking.elapsed());
        asked += 1;
        while let Some(answer) = visitors.try_join_next() {
            answers.push(answer.expect("an answer"));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let turned_away = answers.iter().filter(|answer| answer.status.as_u16() == 503).count();
    let hashed = answers.iter().filter(|answer| answer.status.as_u16() == 401).count();
    assert_eq!((answers.len(), turned_away + hashed), (VISITORS, VISITORS), "{answers:?}");
    assert!(
        turned_away >= VISITORS - CAPACITY * 2 && hashed >= 2,
        "{turned_away} turned away, {hashed} hashed"
    );
    for answer in answers.iter().filter(|answer| answer.status.as_u16() == 503) {
        assert_eq!(answer.error_type(), "unavailable");
        assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1), "{answer:?}");
    }
    assert!(asked > 10 && slowest < Duration::from_secs(1), "the slowest of {asked} took {slowest:?}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    world.anonymous().login(SUPERUSER.0, SUPERUSER.1).await;
}

/// Sign-ins that are opened in a second, whether or not earlier ones are answered.
const RATE: u32 = 200;

/// Each of them is answered in one of four ways; whoever is signed in is served; and what is turned away costs the database nothing.
pub async fn two_hundred_sign_ins_a_second_hold_nobody_up(backend: Arc<Backend>) {
    let settings = [
        ("SITEWATCH_BCRYPT_COST", "12"),
        ("SITEWATCH_TRUSTED_PROXIES", "127.0.0.1"),
        ("SITEWATCH_RATE_LIMITS", "on"),
        // Whoever is signed in asks as often as he is answered.
        ("SITEWATCH_RATE_LIMIT_READ", "1000000"),
        ("SITEWATCH_RATE_LIMIT_WRITE", "1000000"),
    ];
    let world = World::with(&backend, &settings).await;
    let seconds = if is_long_run() { 30 } else { 10 };
    // A connection for each: one that is kept may be closed at the moment when it is used again.
    let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build();
    let http = http.expect("an HTTP client");
    let began = tokio::time::Instant::now();
    let (base, visits) = (world.base.clone(), RATE * seconds);
    let flood = tokio::spawn(async move {
        let mut visitors = tokio::task::JoinSet::new();
        for number in 0..visits {
            tokio::time::sleep_until(began + Duration::from_secs(1) / RATE * number).await;
            // From a hundred addresses, each of which comes more often than it may.
            let request = http
                .post(format!("{base}/api/v1/auth/login"))
                .header("x-forwarded-for", format!("198.51.100.{}", number % 100))
                .json(&json!({ "email": format!("{number}@example.org"), "password": "a guess of some length" }));
            visitors.spawn(async move { request.send().await.map_or(0, |answer| answer.status().as_u16()) });
        }
        visitors.join_all().await
    });
    let visitor = world.anonymous();
    let mut slowest = Duration::ZERO;
    let mut asked = 0;
    while !flood.is_finished() {
        let asking = Instant::now();
        visitor.get("/health").await.expect(200);
        world.root.get("/api/v1/auth/me").await.expect(200);
        world.root.post("/api/v1/organizations", json!({ "name": format!("O {asked}") })).await.expect(201);
        slowest = slowest.max(asking.elapsed());
        asked += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let statuses = flood.await.expect("no panic");
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    let told = format!("{} not looked at, {} hashed, {} turned away", count(429), count(401), count(503));
    assert_eq!(count(401) + count(429) + count(503), visits as usize, "{told}");
    assert!(count(401) > 0 && count(429) > 0 && count(503) > count(401), "{told}");
    // How fast they are is measured where nothing else runs (`make bench`).
    assert!(asked > 5 && slowest < Duration::from_secs(5), "the slowest of {asked} took {slowest:?}; {told}");
    let counted = counted(&world).await;
    // Beside those that were hashed a few waited for it in vain, and the superuser signed in.
    assert!(counted <= count(401) + CAPACITY * 4, "{counted} counted, {told}");
}

/// How many accounts attempts were counted of.
async fn counted(world: &World) -> usize {
    let database = Database::connect(world.database_url()).await.expect("a connection");
    let statement = Statement::from_string(
        database.get_database_backend(),
        "SELECT count(*) FROM attempts WHERE failures > 0",
    );
    let row = database.query_one_raw(statement).await.expect("an answer").expect("a row");
    database.close().await.expect("closed");
    row.try_get_by_index::<i64>(0).expect("a number") as usize
}
