//! The buses of events in this process and over Redis, held to the same promises.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sitewatch_domain::{
    ids::{Id, OrgId},
    ports::{EventBus, Heard, Subscription},
};
use sitewatch_ephemeral::{LocalBus, RedisBus};
use sitewatch_tests::{redis::RedisServer, redis_groups::RedisPair};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::limiter::{Fault, Held, Kind, until};

/// What a slow machine is waited for where it is not the time that is tested.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is waited for a Redis that does not answer.
const IMPATIENCE: Duration = Duration::from_secs(1);

type Bus = Arc<dyn EventBus>;

fn node(url: &str, patience: Duration) -> Bus {
    // Each a process of its own.
    static NODES: AtomicU64 = AtomicU64::new(1);
    let node = Uuid::from_u128(NODES.fetch_add(1, Ordering::Relaxed).into());
    Arc::new(RedisBus::waiting_for(url, "installation", node, patience).expect("a URL"))
}

/// Two nodes that hear each other; two handles of one process if it is not over Redis.
async fn nodes(kind: Kind) -> ([Bus; 2], Option<Held>) {
    match Held::start(kind).await {
        None => {
            let bus: Bus = Arc::new(LocalBus::new());
            ([Arc::clone(&bus), bus], None)
        }
        Some(redis) => ([(); 2].map(|()| node(&redis.url(), PATIENCE)), Some(redis)),
    }
}

fn organization(number: u128) -> OrgId {
    Id::from_uuid(Uuid::from_u128(number))
}

async fn heard(listener: &mut Box<dyn Subscription>) -> Heard {
    timeout(PATIENCE, listener.next()).await.expect("something is told")
}

/// Tells it at one node until it is heard at another: a node that has just begun to listen hears nothing of what was told before.
async fn reach(from: &Bus, listener: &mut Box<dyn Subscription>, number: u128) {
    let give_up = Instant::now() + PATIENCE;
    loop {
        from.publish(organization(number));
        while let Ok(heard) = timeout(Duration::from_millis(50), listener.next()).await {
            if heard == Heard::Changed(organization(number)) {
                return;
            }
        }
        assert!(Instant::now() < give_up, "{number} is not heard");
    }
}

/// What was told before does not come once more.
async fn silence(listener: &mut Box<dyn Subscription>) {
    while timeout(Duration::from_millis(300), listener.next()).await.is_ok() {}
}

pub async fn what_is_told_is_heard_everywhere_once(kind: Kind) {
    let ([one, two], _redis) = nodes(kind).await;
    let (mut here, mut there) = (one.subscribe(), two.subscribe());
    reach(&one, &mut there, 1).await;
    reach(&two, &mut here, 2).await;
    silence(&mut here).await;
    silence(&mut there).await;
    let mut late = two.subscribe();
    for number in 10..20 {
        one.publish(organization(number));
    }
    for listener in [&mut here, &mut there, &mut late] {
        let mut all = Vec::new();
        for _ in 10..20 {
            all.push(heard(listener).await);
        }
        all.sort_unstable_by_key(|heard| format!("{heard:?}"));
        let expected: Vec<_> = (10..20).map(|number| Heard::Changed(organization(number))).collect();
        assert_eq!(all, expected);
        assert!(timeout(Duration::from_millis(200), listener.next()).await.is_err(), "each once");
    }
    assert!(!one.is_degraded() && !two.is_degraded());
}

pub async fn whoever_lags_behind_is_told(kind: Kind) {
    let ([one, _two], redis) = nodes(kind).await;
    let mut slow = one.subscribe();
    // Its own listeners are told by each node itself.
    drop(redis);
    for number in 0..5_000 {
        one.publish(organization(number));
    }
    assert_eq!(heard(&mut slow).await, Heard::Missed);
    let last = Heard::Changed(organization(4_999));
    while heard(&mut slow).await != last {}
}

/// Each node hears itself, and others hear that they may have missed something.
pub async fn without_redis_each_node_hears_itself(fault: Fault) {
    let redis = RedisServer::start().await;
    let [one, two] = [(); 2].map(|()| node(&redis.url(), IMPATIENCE));
    let (mut here, mut there) = (one.subscribe(), two.subscribe());
    reach(&one, &mut there, 1).await;
    silence(&mut here).await;
    silence(&mut there).await;
    fault.begin(&redis);
    one.publish(organization(2));
    assert_eq!(heard(&mut here).await, Heard::Changed(organization(2)), "at once");
    for bus in [&one, &two] {
        until("it is told", || bus.is_degraded()).await;
    }
    fault.end(&redis).await;
    for bus in [&one, &two] {
        until("Redis is asked again", || !bus.is_degraded()).await;
    }
    while heard(&mut there).await != Heard::Missed {}
    reach(&one, &mut there, 3).await;
}

pub async fn a_new_master_is_found() {
    let redis = RedisPair::start().await;
    let [one, two] = [(); 2].map(|()| node(&redis.url(), IMPATIENCE));
    let mut there = two.subscribe();
    reach(&one, &mut there, 1).await;
    redis.lose_master().await;
    reach(&one, &mut there, 2).await;
}

pub async fn installations_hear_themselves_alone() {
    let redis = RedisServer::start().await;
    let [one, two] = [(); 2].map(|()| node(&redis.url(), IMPATIENCE));
    let stranger = RedisBus::new(&redis.url(), "another", Uuid::max()).expect("a URL");
    let (mut there, mut elsewhere) = (two.subscribe(), stranger.subscribe());
    silence(&mut elsewhere).await;
    reach(&one, &mut there, 1).await;
    assert_eq!(redis.ask(&["PUBLISH", "sitewatch:events:installation", "nonsense"]).as_deref(), Some(":2"));
    reach(&one, &mut there, 2).await;
    assert!(timeout(Duration::from_millis(300), elsewhere.next()).await.is_err());
    assert!(RedisBus::new("http://127.0.0.1:1", "", Uuid::nil()).is_err());
}
