//! Buckets that all nodes share, in Redis.
//!
//! Redis may be away, slow, flushed or frozen at any moment. What it does not answer in time, this node decides by itself, with its part of
//! each quota; after some failures in a row nobody asks any more, until a probe in the background is answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use deadpool_redis::{Manager, Pool, PoolError, redis::Script};
use sitewatch_domain::{
    ports::{Bucket, Quota, RateLimiter, Verdict},
    time::Clock,
};
use tokio::{runtime::Handle, time::timeout};

use crate::{breaker::Breaker, limiter_local::LocalLimiter};

/// What a request waits for Redis at most.
const PATIENCE: Duration = Duration::from_millis(50);
/// Between two looks whether Redis answers.
const PROBE_EVERY: Duration = Duration::from_secs(2);
/// How long a new connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
const CONNECTIONS: usize = 16;
/// What all keys begin with.
const PREFIX: &str = "sitewatch:limit:";
const PROBE: Quota = Quota { per_minute: 60_000, burst: 1_000 };

/// Keeps buckets in Redis, all that a request takes from in one step and by Redis' own clock.
pub struct RedisLimiter {
    shared: Arc<Shared>,
    here: LocalLimiter,
    nodes: u32,
    /// Connections live in the runtime that this was made in: a thread that serves requests would drive them only between requests.
    runtime: Handle,
    is_watched: AtomicBool,
}

struct Shared {
    pool: Pool,
    script: Script,
    breaker: Breaker,
    patience: Duration,
}

/// A bucket as the script is given it: its key, the microseconds until one comes back, how many come at once.
type Asked = (String, u64, u32);

/// The URL is of no Redis.
#[derive(Debug, thiserror::Error)]
#[error("the URL of Redis cannot be used: {0}")]
pub struct RedisUrlError(String);

impl RedisLimiter {
    /// Buckets at this URL (`redis://` or `rediss://`); `nodes` is how many share them, and `clock` goes for what this one decides by
    /// itself. Nothing is connected yet, so that a Redis that is away stops no start. To be made within a runtime.
    ///
    /// # Errors
    /// If the URL cannot be read. Whether anybody answers is found out later.
    pub fn new(url: &str, nodes: u32, clock: Arc<dyn Clock>) -> Result<Self, RedisUrlError> {
        let manager = Manager::new(url).map_err(|error| RedisUrlError(error.category().to_owned()))?;
        let pool = Pool::builder(manager).max_size(CONNECTIONS).build();
        let pool = pool.map_err(|error| RedisUrlError(error.to_string()))?;
        let script = Script::new(include_str!("limiter.lua"));
        let shared = Shared { pool, script, breaker: Breaker::default(), patience: PATIENCE };
        Ok(Self {
            shared: Arc::new(shared),
            here: LocalLimiter::new(clock),
            nodes,
            runtime: Handle::current(),
            is_watched: AtomicBool::new(false),
        })
    }

    /// The same, which waits for Redis so long; to be called before it is asked.
    #[must_use]
    pub fn waiting_for(self, patience: Duration) -> Self {
        let Shared { pool, script, .. } = self.shared.as_ref();
        let (pool, script) = (pool.clone(), script.clone());
        Self { shared: Arc::new(Shared { pool, script, breaker: Breaker::default(), patience }), ..self }
    }

    /// Looks after Redis from the first question on, until this is dropped.
    fn watch(&self) {
        if self.is_watched.swap(true, Ordering::Relaxed) {
            return;
        }
        let watched = Arc::downgrade(&self.shared);
        self.runtime.spawn(async move {
            while let Some(shared) = watched.upgrade() {
                shared.probe().await;
                drop(shared);
                tokio::time::sleep(PROBE_EVERY).await;
            }
        });
    }

    async fn ask(&self, buckets: &[Bucket<'_>]) -> Result<Verdict, String> {
        let asked: Vec<Asked> = buckets.iter().map(asked).collect();
        let shared = Arc::clone(&self.shared);
        // In a task of its own: whoever stops waiting breaks off no connection, neither in the middle of an answer nor while it is being made.
        let asking = self.runtime.spawn(async move { shared.run(&asked).await });
        let answer =
            timeout(self.shared.patience, asking).await.map_err(|_| "no answer in time".to_owned())?;
        let answer = answer.map_err(|error| error.to_string())??;
        let mut micros = answer.into_iter().map(Duration::from_micros);
        let wait = micros.next().ok_or_else(|| "an empty answer".to_owned())?;
        let levels =
            buckets.iter().zip(micros).map(|(bucket, full_in)| bucket.quota.level(full_in)).collect();
        Ok(if wait.is_zero() {
            Verdict::Admitted(levels)
        } else {
            Verdict::Refused { retry_after: wait, levels }
        })
    }

    async fn take_here(&self, buckets: &[Bucket<'_>]) -> Verdict {
        metrics::counter!("rate_limit_fallbacks_total").increment(1);
        let part = |bucket: &Bucket<'_>| bucket.quota.shared_by(self.nodes);
        let parts = buckets.iter().map(|bucket| Bucket { name: bucket.name, quota: part(bucket) });
        let parts: Vec<_> = parts.collect();
        self.here.take(&parts).await
    }
}

fn asked(bucket: &Bucket<'_>) -> Asked {
    let each = u64::try_from(bucket.quota.each().as_micros()).unwrap_or(u64::MAX);
    (format!("{PREFIX}{}", bucket.name), each, bucket.quota.burst.max(1))
}

impl Shared {
    async fn run(&self, asked: &[Asked]) -> Result<Vec<u64>, String> {
        let mut connection = self.pool.get().await.map_err(told)?;
        let mut invocation = self.script.prepare_invoke();
        for (key, each, burst) in asked {
            invocation.key(key).arg(*each).arg(*burst);
        }
        invocation.invoke_async(&mut connection).await.map_err(|error| error.category().to_owned())
    }

    /// Asks as a request would, but waits for the connection.
    async fn probe(&self) {
        let asked = [asked(&Bucket { name: "probe", quota: PROBE })];
        let connected = async { self.pool.get().await.map(drop).map_err(told) };
        let answered = async {
            connected.await?;
            let began = Instant::now();
            self.run(&asked).await?;
            if began.elapsed() > self.patience { Err("it is slow".to_owned()) } else { Ok(()) }
        };
        let answered = timeout(CONNECT_WITHIN + self.patience, answered).await;
        match answered.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
            Ok(()) => {
                if self.breaker.close() {
                    tracing::info!("the Redis of the rate limits answers again");
                }
                metrics::gauge!("rate_limit_redis_up").set(1.0);
            }
            Err(error) => {
                let is_news = self.breaker.open();
                self.given_up(is_news, &error);
            }
        }
    }

    fn failed(&self, error: &str) {
        if self.breaker.failed() {
            self.given_up(true, error);
        }
    }

    fn given_up(&self, is_news: bool, error: &str) {
        // Those that wait may lead nowhere.
        drop(self.pool.retain(|_, _| false));
        metrics::gauge!("rate_limit_redis_up").set(0.0);
        if is_news {
            tracing::warn!(
                error,
                "the Redis of the rate limits does not answer; each server gives its part by itself"
            );
        }
    }
}

/// What is wrong, without the URL.
fn told(error: PoolError) -> String {
    match error {
        PoolError::Backend(error) => error.category().to_owned(),
        other => other.to_string(),
    }
}

#[async_trait]
impl RateLimiter for RedisLimiter {
    async fn take(&self, buckets: &[Bucket<'_>]) -> Verdict {
        self.watch();
        if !self.shared.breaker.is_open() {
            match self.ask(buckets).await {
                Ok(verdict) => {
                    self.shared.breaker.answered();
                    return verdict;
                }
                Err(error) => self.shared.failed(&error),
            }
        }
        self.take_here(buckets).await
    }

    fn is_degraded(&self) -> bool {
        self.watch();
        self.shared.breaker.is_open()
    }
}
