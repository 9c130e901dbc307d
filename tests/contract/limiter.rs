//! What a rate limiter promises, in this process and in Redis; and what becomes of it when Redis does not answer.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use sitewatch_domain::ports::{Bucket, Quota, RateLimiter, Verdict};
use sitewatch_ephemeral::{LocalLimiter, RedisLimiter};
use sitewatch_runtime::system::SystemClock;
use sitewatch_tests::{
    redis::RedisServer,
    redis_groups::{RedisCluster, RedisPair},
};
use tokio::task::JoinSet;

/// Gives so much at once, and nothing more while a test runs.
const fn at_once(burst: u32) -> Quota {
    Quota { per_minute: 1, burst }
}

/// What a slow machine is waited for where it is not the time that is tested.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is waited for a Redis that does not answer.
const IMPATIENCE: Duration = Duration::from_secs(1);
const CLIENTS: usize = 1_000;

/// What keeps the buckets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Local,
    Redis,
    Cluster,
    Sentinels,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Local, Self::Redis, Self::Cluster, Self::Sentinels];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Redis => "redis",
            Self::Cluster => "cluster",
            Self::Sentinels => "sentinels",
        })
    }
}

type Nodes = [Arc<dyn RateLimiter>; 2];

/// A Redis of one kind, while it is held.
pub enum Held {
    Server(RedisServer),
    Cluster(RedisCluster),
    Pair(RedisPair),
}

impl Held {
    /// One of this kind; none if it is in this process.
    pub async fn start(kind: Kind) -> Option<Self> {
        Some(match kind {
            Kind::Local => return None,
            Kind::Redis => Self::Server(RedisServer::start().await),
            Kind::Cluster => Self::Cluster(RedisCluster::start().await),
            Kind::Sentinels => Self::Pair(RedisPair::start().await),
        })
    }

    pub fn url(&self) -> String {
        match self {
            Self::Server(server) => server.url(),
            Self::Cluster(cluster) => cluster.url(),
            Self::Pair(pair) => pair.url(),
        }
    }
}

fn node(redis: &RedisServer, patience: Duration) -> Arc<dyn RateLimiter> {
    node_at(&redis.url(), patience)
}

fn node_at(url: &str, patience: Duration) -> Arc<dyn RateLimiter> {
    Arc::new(RedisLimiter::waiting_for(url, 2, "here", Arc::new(SystemClock), patience).expect("a URL"))
}

/// Two nodes that share their buckets; two handles of one process if it keeps them.
async fn nodes(kind: Kind) -> (Nodes, Option<Held>) {
    let held = Held::start(kind).await;
    let nodes = match &held {
        None => {
            let limiter: Arc<dyn RateLimiter> = Arc::new(LocalLimiter::new(Arc::new(SystemClock)));
            [Arc::clone(&limiter), limiter]
        }
        Some(redis) => [(); 2].map(|()| node_at(&redis.url(), PATIENCE)),
    };
    (nodes, held)
}

async fn take(limiter: &Arc<dyn RateLimiter>, name: &str, quota: Quota) -> Verdict {
    limiter.take(&[Bucket { name, quota }]).await
}

async fn is_admitted(limiter: &Arc<dyn RateLimiter>, name: &str, quota: Quota) -> bool {
    matches!(take(limiter, name, quota).await, Verdict::Admitted(_))
}

/// What is left in each bucket once one was taken.
fn left(verdict: &Verdict) -> Vec<u32> {
    match verdict {
        Verdict::Admitted(levels) => levels.iter().map(|level| level.left).collect(),
        other => panic!("{other:?}"),
    }
}

pub async fn a_bucket_gives_what_is_in_it(kind: Kind) {
    let ([one, two], _redis) = nodes(kind).await;
    for (limiter, expected) in [(&one, 4), (&two, 3), (&one, 2), (&two, 1), (&one, 0)] {
        assert_eq!(left(&take(limiter, "a", at_once(5)).await), [expected]);
    }
    for limiter in [&one, &two] {
        let refused = take(limiter, "a", at_once(5)).await;
        let Verdict::Refused { retry_after, levels } = refused else { panic!("{refused:?}") };
        assert!(retry_after > Duration::ZERO && retry_after <= Duration::from_mins(1), "{retry_after:?}");
        let full_in = levels[0].full_in;
        assert!(levels[0].left == 0 && full_in > Duration::from_mins(4) && full_in <= Duration::from_mins(5));
    }
    assert_eq!(left(&take(&one, "b", at_once(5)).await), [4], "another bucket");
    assert!(!one.is_degraded() && !two.is_degraded());
}

pub async fn whoever_waits_as_long_as_he_is_told_is_admitted(kind: Kind) {
    let ([one, two], _redis) = nodes(kind).await;
    let quota = Quota { per_minute: 600, burst: 3 };
    for _ in 0..3 {
        let wait = loop {
            if let Verdict::Refused { retry_after, .. } = take(&one, "a", quota).await {
                break retry_after;
            }
        };
        assert!(wait <= quota.each(), "{wait:?}");
        tokio::time::sleep(wait + Duration::from_millis(5)).await;
        assert!(is_admitted(&two, "a", quota).await);
    }
}

pub async fn what_one_bucket_refuses_is_taken_from_none(kind: Kind) {
    let ([one, two], _redis) = nodes(kind).await;
    let bucket = |name| Bucket { name, quota: at_once(3) };
    assert_eq!(left(&one.take(&[bucket("a"), bucket("b")]).await), [2, 2]);
    assert_eq!(left(&two.take(&[bucket("b"), bucket("c")]).await), [1, 2]);
    assert_eq!(left(&one.take(&[bucket("b")]).await), [0]);
    for _ in 0..3 {
        let refused = two.take(&[bucket("a"), bucket("b")]).await;
        let Verdict::Refused { levels, .. } = refused else { panic!("{refused:?}") };
        assert_eq!(levels.iter().map(|level| level.left).collect::<Vec<_>>(), [2, 0]);
    }
    assert_eq!(left(&one.take(&[bucket("a")]).await), [1]);
    assert!(left(&one.take(&[]).await).is_empty());
}

/// Each of them asks at both nodes at the same moment for twice what he has.
pub async fn a_thousand_clients_get_what_is_theirs(kind: Kind) {
    let (nodes, _redis) = nodes(kind).await;
    let mut asking = JoinSet::new();
    for client in 0..CLIENTS {
        for node in &nodes {
            let node = Arc::clone(node);
            asking.spawn(async move {
                let name = format!("client {client}");
                let mut admitted = 0;
                for _ in 0..2 {
                    admitted += usize::from(is_admitted(&node, &name, at_once(2)).await);
                }
                (client, admitted)
            });
        }
    }
    let mut admitted = [0; CLIENTS];
    for (client, count) in asking.join_all().await {
        admitted[client] += count;
    }
    assert_eq!(admitted.iter().filter(|count| **count != 2).count(), 0, "{admitted:?}");
}

/// Over any time, a bucket gives what was in it and what came back meanwhile: never one more.
pub async fn a_thousand_clients_of_one_bucket_stay_within_its_bound(kind: Kind) {
    let (nodes, _redis) = nodes(kind).await;
    let quota = Quota { per_minute: 6_000, burst: 100 };
    let began = Instant::now();
    let asked_for = Duration::from_secs(2);
    let mut asking = JoinSet::new();
    for client in 0..CLIENTS {
        let node = Arc::clone(&nodes[client % 2]);
        asking.spawn(async move {
            let mut admitted = 0;
            while began.elapsed() < asked_for {
                admitted += u128::from(is_admitted(&node, "all", quota).await);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            admitted
        });
    }
    let admitted: u128 = asking.join_all().await.into_iter().sum();
    let came_back = |time: Duration| time.as_micros() / quota.each().as_micros();
    let bound = u128::from(quota.burst) + came_back(began.elapsed());
    assert!(admitted <= bound, "{admitted} of at most {bound}");
    let flow = u128::from(quota.burst) + came_back(asked_for) / 2;
    assert!(admitted >= flow, "{admitted}, where {flow} came back at least");
}

/// Waits until something is so.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < give_up, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn full_buckets_are_forgotten() {
    let redis = RedisServer::start().await;
    let limiter = node(&redis, PATIENCE);
    for number in 0..20 {
        assert!(is_admitted(&limiter, &format!("{number}"), Quota { per_minute: 600, burst: 5 }).await);
    }
    until("nothing is kept", || redis.ask(&["DBSIZE"]).as_deref() == Some(":0")).await;
}

pub async fn a_flushed_redis_gives_anew() {
    let redis = RedisServer::start().await;
    let limiter = node(&redis, PATIENCE);
    for flush in [&["FLUSHALL"][..], &["SCRIPT", "FLUSH"]] {
        let name = flush.join(" ");
        assert_eq!(left(&take(&limiter, &name, at_once(1)).await), [0]);
        assert!(!is_admitted(&limiter, &name, at_once(1)).await);
        assert_eq!(redis.ask(flush).as_deref(), Some("+OK"));
        let is_gone = flush.len() == 1;
        assert_eq!(is_admitted(&limiter, &name, at_once(1)).await, is_gone, "{name}");
    }
    assert!(!limiter.is_degraded());
}

/// What may happen to Redis.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Killed,
    Frozen,
    Full,
}

impl Fault {
    pub const ALL: [(&str, Self); 3] =
        [("killed", Self::Killed), ("frozen", Self::Frozen), ("full", Self::Full)];

    pub fn begin(self, redis: &RedisServer) {
        match self {
            Self::Killed => redis.kill(),
            Self::Frozen => redis.freeze(),
            Self::Full => drop(redis.ask(&["CONFIG", "SET", "maxmemory", "1"]).expect("an answer")),
        }
    }

    pub async fn end(self, redis: &RedisServer) {
        match self {
            Self::Killed => redis.start_again().await,
            Self::Frozen => redis.thaw(),
            Self::Full => drop(redis.ask(&["CONFIG", "SET", "maxmemory", "0"]).expect("an answer")),
        }
    }
}

/// Each of two nodes gives half of what they gave together, without asking again and again; and they share it again afterwards.
pub async fn without_redis_each_node_gives_its_part(fault: Fault) {
    let redis = RedisServer::start().await;
    let nodes = [node(&redis, IMPATIENCE), node(&redis, IMPATIENCE)];
    // The first connections are made before anything is counted on.
    for (number, node) in nodes.iter().enumerate() {
        assert!(is_admitted(node, &format!("warm {number}"), at_once(9)).await);
        let give_up = Instant::now() + PATIENCE;
        while node.is_degraded() {
            assert!(Instant::now() < give_up, "Redis is up and does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    fault.begin(&redis);
    for node in &nodes {
        let mut admitted = 0;
        for _ in 0..12 {
            admitted += usize::from(is_admitted(node, "a", at_once(8)).await);
        }
        assert_eq!(admitted, 4);
        assert!(node.is_degraded());
        let began = Instant::now();
        for number in 0..200 {
            assert!(is_admitted(node, &format!("{number}"), at_once(8)).await);
        }
        assert!(began.elapsed() < IMPATIENCE * 10, "nobody waits for Redis any more: {:?}", began.elapsed());
    }
    fault.end(&redis).await;
    for node in &nodes {
        until("Redis is asked again", || !node.is_degraded()).await;
    }
    let [one, two] = &nodes;
    for expected in [7, 6, 5] {
        let node = if expected == 6 { two } else { one };
        assert_eq!(left(&take(node, "afterwards", at_once(8)).await), [expected]);
    }
}

/// A Redis that never was there stops nobody, and is told at once.
pub async fn without_redis_from_the_beginning_nothing_fails() {
    let redis = RedisServer::stopped();
    let limiter = node(&redis, IMPATIENCE);
    assert_eq!(left(&take(&limiter, "a", at_once(8)).await), [3], "the part of one of two");
    until("it is told", || limiter.is_degraded()).await;
    redis.start_again().await;
    until("Redis is asked", || !limiter.is_degraded()).await;
    assert_eq!(left(&take(&limiter, "a", at_once(8)).await), [7]);
    let odd = RedisLimiter::new("http://127.0.0.1:1", 1, "here", Arc::new(SystemClock));
    assert!(odd.is_err());
}

/// Two installations at one Redis use up nothing of each other's, though they name their buckets alike.
pub async fn installations_have_their_own_buckets() {
    let redis = RedisServer::start().await;
    let of = |installation: &str| -> Arc<dyn RateLimiter> {
        let clock = Arc::new(SystemClock);
        Arc::new(RedisLimiter::waiting_for(&redis.url(), 2, installation, clock, PATIENCE).expect("a URL"))
    };
    for (limiter, expected) in [(of("one"), 7), (of("one"), 6), (of("two"), 7), (of("one"), 5)] {
        assert_eq!(left(&take(&limiter, "a", at_once(8)).await), [expected]);
    }
}

/// When another server becomes the master, both nodes count there.
pub async fn a_new_master_is_found() {
    let redis = RedisPair::start().await;
    let nodes = [(); 2].map(|()| node_at(&redis.url(), IMPATIENCE));
    for node in &nodes {
        until_shared(node).await;
    }
    redis.lose_master().await;
    for node in &nodes {
        until_shared(node).await;
    }
    let [one, two] = &nodes;
    for (node, expected) in [(one, 7), (two, 6), (one, 5)] {
        assert_eq!(left(&take(node, "afterwards", at_once(8)).await), [expected]);
    }
}

/// Waits until a node gives all that there is instead of its part.
async fn until_shared(node: &Arc<dyn RateLimiter>) {
    let give_up = Instant::now() + PATIENCE;
    for number in 0.. {
        let verdict = take(node, &format!("{:p} {number}", Arc::as_ptr(node)), at_once(8)).await;
        if left(&verdict) == [7] && !node.is_degraded() {
            return;
        }
        assert!(Instant::now() < give_up, "the master is not found");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
