//! The caches of answers in this process and in Redis, held to the same promises.

use std::{sync::Arc, time::Duration};

use sitewatch_domain::ports::{AnswerCache, CacheKey, CachedAnswer};
use sitewatch_ephemeral::{LocalCache, RedisCache};
use sitewatch_tests::{
    redis::RedisServer,
    redis_groups::{RedisCluster, RedisPair},
};
use tokio::time::Instant;

use crate::limiter::{Fault, Held, Kind, until};

const MIB: u64 = 1 << 20;
/// What is waited for a Redis that does not answer: a slow machine may take its time over one that does.
const IMPATIENCE: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_mins(1);

type Cache = Arc<dyn AnswerCache>;

fn node(redis: &RedisServer) -> Cache {
    node_at(&redis.url())
}

fn node_at(url: &str) -> Cache {
    Arc::new(RedisCache::waiting_for(url, MIB, "installation:1", IMPATIENCE).expect("a URL"))
}

/// A cache, and the Redis that it is on.
async fn cache(kind: Kind) -> (Cache, Option<Held>) {
    match Held::start(kind).await {
        None => (Arc::new(LocalCache::new(MIB)), None),
        Some(redis) => (node_at(&redis.url()), Some(redis)),
    }
}

fn key(number: u8) -> CacheKey {
    CacheKey([number; 32])
}

fn answer(text: &str) -> Arc<CachedAnswer> {
    Arc::new(CachedAnswer { tag: format!("\"1-{text}\""), body: text.repeat(10).into_bytes() })
}

/// Keeps it at one node until another has it: nobody waits until Redis has what is kept, and what it does not take in time is made again.
async fn share(from: &Cache, to: &Cache, key: CacheKey, text: &str) {
    let give_up = Instant::now() + Duration::from_secs(30);
    loop {
        from.put(key, answer(text), LONG);
        tokio::time::sleep(Duration::from_millis(10)).await;
        if let Some(found) = to.get(&key).await {
            assert_eq!(found, answer(text));
            return;
        }
        assert!(Instant::now() < give_up, "{text} is not shared");
    }
}

pub async fn what_is_kept_is_given_under_its_key_alone(kind: Kind) {
    let (cache, _redis) = cache(kind).await;
    assert_eq!(cache.get(&key(1)).await, None);
    cache.put(key(1), answer("one"), LONG);
    cache.put(key(2), answer("two"), LONG);
    assert_eq!(cache.get(&key(1)).await, Some(answer("one")));
    assert_eq!(cache.get(&key(2)).await, Some(answer("two")));
    assert_eq!(cache.get(&key(3)).await, None);
    assert!(!cache.is_degraded());
}

pub async fn nothing_is_kept_longer_than_its_time(kind: Kind) {
    let (cache, _redis) = cache(kind).await;
    let put = Instant::now();
    cache.put(key(1), answer("short"), Duration::from_millis(300));
    cache.put(key(2), answer("long"), LONG);
    while cache.get(&key(1)).await.is_some() {
        assert!(put.elapsed() < Duration::from_secs(20), "it is there for ever");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(put.elapsed() >= Duration::from_millis(270), "a tenth shorter at the most: {:?}", put.elapsed());
    assert_eq!(cache.get(&key(2)).await, Some(answer("long")));
}

pub async fn memory_is_bounded(kind: Kind) {
    let (cache, redis) = cache(kind).await;
    // What is looked for afterwards is what this process has in its memory.
    drop(redis);
    let large = Arc::new(CachedAnswer { tag: String::new(), body: vec![b'x'; 64 * 1024] });
    for number in 0..200 {
        cache.put(key(number), Arc::clone(&large), LONG);
    }
    // What is too much goes a moment later, while the cache is used.
    let kept = async || {
        let mut kept = 0;
        for number in 0..200 {
            kept += usize::from(cache.get(&key(number)).await.is_some());
        }
        kept
    };
    let give_up = Instant::now() + Duration::from_secs(20);
    loop {
        let count = kept().await;
        if (1..=16).contains(&count) {
            return;
        }
        assert!(Instant::now() < give_up, "{count} answers of 64 KiB in a MiB");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub async fn nodes_share_what_they_keep_within_their_installation() {
    let redis = RedisServer::start().await;
    let [one, two, three] = [(); 3].map(|()| node(&redis));
    share(&one, &two, key(1), "shared").await;
    assert_eq!(redis.keys_without_an_end("*"), Vec::<String>::new());
    let stranger = RedisCache::waiting_for(&redis.url(), MIB, "installation:2", IMPATIENCE).expect("a URL");
    assert_eq!(stranger.get(&key(1)).await, None, "another installation, or version");
    redis.overwrite("sitewatch:answer:*", "forged");
    assert_eq!(three.get(&key(1)).await, None, "it is not the one that was asked for");
    assert_eq!(two.get(&key(1)).await, Some(answer("shared")), "in memory");
    assert_eq!(redis.ask(&["FLUSHALL"]).as_deref(), Some("+OK"));
    assert_eq!(three.get(&key(1)).await, None);
    assert!(RedisCache::new("http://127.0.0.1:1", MIB, "").is_err());
}

/// Each node has what it kept itself, without asking again and again; and they share it again afterwards.
pub async fn without_redis_each_node_keeps_its_own(fault: Fault) {
    let redis = RedisServer::start().await;
    let [one, two] = [(); 2].map(|()| node(&redis));
    share(&one, &two, key(1), "before").await;
    fault.begin(&redis);
    one.put(key(2), answer("meanwhile"), LONG);
    for _ in 0..20 {
        assert_eq!(one.get(&key(2)).await, Some(answer("meanwhile")));
        assert_eq!(two.get(&key(1)).await, Some(answer("before")));
        assert_eq!(two.get(&key(2)).await, None);
    }
    until("it is told", || two.is_degraded()).await;
    fault.end(&redis).await;
    for node in [&one, &two] {
        until("Redis is asked again", || !node.is_degraded()).await;
    }
    share(&one, &two, key(3), "afterwards").await;
}

pub async fn nodes_share_what_they_keep_in_a_cluster() {
    let redis = RedisCluster::start().await;
    let [one, two] = [(); 2].map(|()| node_at(&redis.url()));
    // On all of its nodes.
    for number in 0..20 {
        share(&one, &two, key(number), &format!("answer {number}")).await;
    }
}

/// When another server becomes the master, nodes share there.
pub async fn a_new_master_is_found() {
    let redis = RedisPair::start().await;
    let [one, two] = [(); 2].map(|()| node_at(&redis.url()));
    share(&one, &two, key(1), "before").await;
    redis.lose_master().await;
    share(&two, &one, key(2), "afterwards").await;
    assert_eq!(one.get(&key(1)).await, Some(answer("before")));
}

/// Nodes share what they keep although the Sentinel that is named first never answers.
pub async fn a_frozen_sentinel_is_passed_over() {
    let (redis, frozen) = (RedisPair::start().await, RedisServer::start().await);
    frozen.freeze();
    let [one, two] = [(); 2].map(|()| node_at(&redis.url_after(&frozen)));
    for number in 0..5 {
        share(&one, &two, key(number), &format!("answer {number}")).await;
    }
    for node in [&one, &two] {
        until("it is not away", || !node.is_degraded()).await;
    }
}
