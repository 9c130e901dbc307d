//! More sign-ins than can be hashed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use sitewatch_tests::world::{Backend, SUPERUSER, World};

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
