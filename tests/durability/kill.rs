//! `kill -9` and SIGTERM during a stream of batches.

use std::{sync::Arc, time::Duration};

use sitewatch_tests::{
    harness::is_long_run,
    random::{Random, seed, tell},
};

use crate::{
    Kind,
    load::{Load, plant},
    start::{Installation, drains},
};

pub async fn acknowledged_readings_survive_a_kill(kind: Arc<Kind>) {
    let kills = if is_long_run() { 50 } else { 5 };
    let seed = seed();
    tell(&format!("{kills} kills, seed {seed}"));
    let mut random = Random::new(seed);
    let mut installation = Installation::new(&kind).await;
    let mut client = installation.start().await;
    let load = Load::new(plant(&client).await);
    for _ in 0..kills {
        let senders = load.flow(&client).await;
        tokio::time::sleep(Duration::from_millis(random.below(500) as u64)).await;
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
