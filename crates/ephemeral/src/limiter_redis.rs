//! Buckets that all nodes share, in Redis.
//!
//! What Redis does not answer in time, this node decides by itself, with its part of each quota.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use deadpool_redis::redis::Script;
use sitewatch_domain::{
    ports::{Bucket, Quota, RateLimiter, Verdict},
    time::Clock,
};

use crate::{
    limiter_local::LocalLimiter,
    redis_place::{Connection, RedisUrlError},
    redis_service::{Asking, Purpose, RedisService},
};

/// What all keys begin with. What is in braces places them on the same node of a Cluster, so that one script takes from several buckets.
const PREFIX: &str = "{sitewatch:limit}:";
const PROBE: Quota = Quota { per_minute: 60_000, burst: 1_000 };
const PURPOSE: Purpose = Purpose {
    name: "the Redis of the rate limits",
    meanwhile: "each server gives its part by itself",
    gauge: "rate_limit_redis_up",
};

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("limiter.lua")));

/// Keeps buckets in Redis, all that a request takes from in one step and by Redis' own clock.
pub struct RedisLimiter {
    redis: Arc<RedisService>,
    here: LocalLimiter,
    nodes: u32,
    prefix: String,
}

/// A bucket as the script is given it: its key, the microseconds until one comes back, how many come at once.
type Asked = (String, u64, u32);

impl RedisLimiter {
    /// Buckets at this URL (of one server, a Cluster or Sentinels: docs/configuration.md); `nodes` is how many share them, `installation` tells them from
    /// those of other installations at the same Redis, and `clock` goes for what this one decides by itself. Nothing is connected yet, so that a Redis that is away stops no start. To be made within a runtime.
    ///
    /// # Errors
    /// If the URL cannot be read. Whether anybody answers is found out later.
    pub fn new(
        url: &str,
        nodes: u32,
        installation: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RedisUrlError> {
        Ok(Self::over(RedisService::new(url, PURPOSE, probe)?, nodes, installation, clock))
    }

    /// The same, which waits for Redis so long.
    ///
    /// # Errors
    /// As [`RedisLimiter::new`].
    pub fn waiting_for(
        url: &str,
        nodes: u32,
        installation: &str,
        clock: Arc<dyn Clock>,
        patience: Duration,
    ) -> Result<Self, RedisUrlError> {
        let redis = RedisService::new(url, PURPOSE, probe)?.waiting_for(patience);
        Ok(Self::over(redis, nodes, installation, clock))
    }

    fn over(redis: RedisService, nodes: u32, installation: &str, clock: Arc<dyn Clock>) -> Self {
        let prefix = format!("{PREFIX}{installation}:");
        Self { redis: Arc::new(redis), here: LocalLimiter::new(clock), nodes, prefix }
    }

    async fn ask(&self, buckets: &[Bucket<'_>]) -> Option<Verdict> {
        let asked: Vec<Asked> = buckets.iter().map(|bucket| asked(&self.prefix, bucket)).collect();
        let answer = self.redis.ask(move |connection| Box::pin(async move { run(connection, &asked).await }));
        let mut micros = answer.await?.into_iter().map(Duration::from_micros);
        let wait = micros.next()?;
        let levels =
            buckets.iter().zip(micros).map(|(bucket, full_in)| bucket.quota.level(full_in)).collect();
        Some(if wait.is_zero() {
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

fn asked(prefix: &str, bucket: &Bucket<'_>) -> Asked {
    let each = u64::try_from(bucket.quota.each().as_micros()).unwrap_or(u64::MAX);
    ([prefix, bucket.name].concat(), each, bucket.quota.burst.max(1))
}

async fn run(
    connection: &mut Connection,
    asked: &[Asked],
) -> Result<Vec<u64>, deadpool_redis::redis::RedisError> {
    let mut invocation = SCRIPT.prepare_invoke();
    for (key, each, burst) in asked {
        invocation.key(key).arg(*each).arg(*burst);
    }
    invocation.invoke_async(connection).await
}

fn probe(connection: &mut Connection) -> Asking<'_, ()> {
    let asked = [asked(PREFIX, &Bucket { name: "probe", quota: PROBE })];
    Box::pin(async move { run(connection, &asked).await.map(drop) })
}

#[async_trait]
impl RateLimiter for RedisLimiter {
    async fn take(&self, buckets: &[Bucket<'_>]) -> Verdict {
        match self.ask(buckets).await {
            Some(verdict) => verdict,
            None => self.take_here(buckets).await,
        }
    }

    fn is_degraded(&self) -> bool {
        self.redis.is_away()
    }
}
