//! What rings over Redis, and what does not ring for a while.

use std::{sync::Arc, time::Duration};

use sitewatch_tests::{ports::free_port, redis::RedisServer};
use tokio::time::Instant;

use crate::{
    ledger::Ledger,
    plant::{Kind, Plant},
};

/// So long that whatever is quicker was rung for.
const RARELY: Duration = Duration::from_secs(30);
const LEASE: Duration = Duration::from_secs(15);

/// Writes jobs one by one; the longest time from the commit to the effect.
async fn slowest_of(ledger: &Ledger, jobs: u32) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..jobs {
        let began = Instant::now();
        assert!(ledger.write(1).await);
        ledger.settled(RARELY).await;
        slowest = slowest.max(began.elapsed());
    }
    slowest
}

/// Waits until the worker's own port says what is expected of Redis.
async fn redis_is(port: u16, word: &str) {
    let expected = format!("\"redis\":\"{word}\"");
    let give_up = Instant::now() + Duration::from_secs(20);
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let ask = async || {
        let answer = client.get(format!("http://127.0.0.1:{port}/health/ready")).send().await.ok()?;
        assert_eq!(answer.status(), 200, "a worker works without Redis");
        answer.text().await.ok()
    };
    while !ask().await.is_some_and(|text| text.contains(&expected)) {
        assert!(Instant::now() < give_up, "Redis is not {word}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub async fn a_commit_wakes_a_worker_in_another_process(_kind: Arc<Kind>) {
    let redis = RedisServer::start().await;
    let plant = Arc::new(Plant::with_redis(Kind::PostgresAndRedis, LEASE, RARELY, Some(redis)).await);
    let ledger = Ledger::new(&plant);
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let _worker = plant.worker(&[("SITEWATCH_WORKER_MANAGEMENT_BIND", &address)]);
    redis_is(port, "up").await;
    assert!(slowest_of(&ledger, 20).await < Duration::from_secs(3));

    let figures = reqwest::get(format!("http://{address}/metrics")).await.expect("an answer");
    let figures = figures.text().await.expect("a text");
    for line in [
        "jobs{lane=\"default\",state=\"succeeded\"} 20",
        "job_runs_total{kind=\"jobs.probe.v1\",verdict=\"succeeded\"} 20",
        "redis_up 1",
        "job_run_seconds_count{kind=\"jobs.probe.v1\"} 20",
    ] {
        assert!(figures.contains(line), "{line} in {figures}");
    }
    // What is done is deleted, so that Redis does not fill up.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let redis = plant.redis.as_ref().expect("a Redis");
    assert_eq!(redis.ask(&["HLEN", "sitewatch:jobs:default:data"]).as_deref(), Some(":0"));
}

pub async fn a_redis_that_comes_later_rings(_kind: Arc<Kind>) {
    let poll = Duration::from_secs(1);
    let plant = Plant::with_redis(Kind::PostgresAndRedis, LEASE, poll, Some(RedisServer::stopped())).await;
    let plant = Arc::new(plant);
    let ledger = Ledger::new(&plant);
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let _worker = plant.worker(&[("SITEWATCH_WORKER_MANAGEMENT_BIND", &address)]);
    redis_is(port, "down").await;
    assert!(slowest_of(&ledger, 5).await < Duration::from_secs(3), "without Redis jobs are looked for");
    let redis = plant.redis.as_ref().expect("a Redis");
    redis.start_again().await;
    redis_is(port, "up").await;
    assert_eq!(redis.ask(&["FLUSHALL"]).as_deref(), Some("+OK"));
    assert!(slowest_of(&ledger, 5).await < Duration::from_secs(3));
    redis.kill();
    redis_is(port, "down").await;
    assert!(slowest_of(&ledger, 5).await < Duration::from_secs(3));
    ledger.check().await;
}

pub async fn a_bell_of_nonsense_is_cleaned(_kind: Arc<Kind>) {
    let redis = RedisServer::start().await;
    let plant = Arc::new(Plant::with_redis(Kind::PostgresAndRedis, LEASE, RARELY, Some(redis)).await);
    let redis = plant.redis.as_ref().expect("a Redis");
    // Ids without their data, and far more of them than apalis can take at once.
    let fill = "for i = 1, 20000 do redis.call('ZADD', KEYS[1], 1, 'x' .. i) end";
    redis.ask(&["EVAL", fill, "1", "sitewatch:jobs:default:scheduled"]);
    assert_eq!(redis.ask(&["ZCARD", "sitewatch:jobs:default:scheduled"]).as_deref(), Some(":20000"));
    let ledger = Ledger::new(&plant);
    let _worker = plant.worker(&[]);
    let give_up = Instant::now() + Duration::from_secs(20);
    while redis.ask(&["ZCARD", "sitewatch:jobs:default:scheduled"]).as_deref() != Some(":0") {
        assert!(Instant::now() < give_up, "what nobody can take is still there");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // The listener that follows registers itself after the cleaning.
    while redis.ask(&["ZCARD", "sitewatch:jobs:default:workers"]).as_deref() != Some(":1") {
        assert!(Instant::now() < give_up, "nobody listens");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(slowest_of(&ledger, 5).await < Duration::from_secs(5));
}
