//! `kill -9` and SIGTERM during a stream of batches.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use sitewatch_tests::harness::is_long_run;

use crate::{
    Kind,
    load::{Load, plant},
    start::{Installation, drains},
};

pub async fn acknowledged_readings_survive_a_kill(kind: Arc<Kind>) {
    let kills = if is_long_run() { 50 } else { 5 };
    let seed = seed();
    tell(&format!("{kills} kills, seed {seed}"));
    let mut random = seed;
    let mut installation = Installation::new(&kind).await;
    let mut client = installation.start().await;
    let load = Load::new(plant(&client).await);
    for _ in 0..kills {
        let senders = load.flow(&client).await;
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis((random >> 33) % 500)).await;
        installation.kill();
        for sender in senders {
            let refused = sender.await.expect("a sender that ends");
            assert_eq!(refused, None, "a good batch was refused before the kill");
        }
        client = installation.start().await;
    }
    let numbers = load.check(&client).await;
    tell(&format!("{kills} kills, seed {seed}: {numbers}"));
}

pub async fn a_stop_under_load_loses_nothing(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let client = installation.start().await;
    let load = Load::new(plant(&client).await);
    let senders = load.flow(&client).await;
    installation.ask_to_stop();
    // Whoever spreads load over several servers is told before this one stops taking connections.
    drains(&client).await;
    let status = installation.wait().await;
    assert_eq!(status.code(), Some(0), "{status}");
    for sender in senders {
        let refused = sender.await.expect("a sender that ends").map(|status| status.as_u16());
        assert!(matches!(refused, None | Some(503)), "refused with {refused:?} while the server stopped");
    }
    let client = installation.start().await;
    let numbers = load.check(&client).await;
    tell(&format!("a stop under load: {numbers}"));
}

/// That of `SITEWATCH_TEST_SEED`, to do a failed run again, or a fresh one.
#[expect(clippy::disallowed_methods, reason = "a fresh seed for each run, told before anything can fail")]
pub fn seed() -> u64 {
    if let Some(given) = std::env::var_os("SITEWATCH_TEST_SEED") {
        return given.to_str().and_then(|text| text.parse().ok()).expect("SITEWATCH_TEST_SEED is a number");
    }
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |now| now.as_nanos() as u64)
}

#[expect(clippy::print_stderr, reason = "what was measured belongs to the run's output")]
pub fn tell(text: &str) {
    eprintln!("{text}");
}
