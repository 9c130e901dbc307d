//! How often somebody may ask: buckets that fill again steadily. They may be lost at any moment, so nothing is counted here that has to
//! outlast a restart.

use std::time::Duration;

use async_trait::async_trait;

/// How much a bucket gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// In a minute, one after another; at least 1.
    pub per_minute: u32,
    /// At once, when nothing was taken for a while; at least 1.
    pub burst: u32,
}

/// What a bucket says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// One was taken.
    Admitted,
    /// It is empty; nothing was taken.
    Refused {
        /// When there is one again.
        retry_after: Duration,
    },
}

/// Keeps buckets by name. One that cannot be asked admits: what must hold is counted in the database.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Takes one from the bucket of this name, which always comes with the same quota.
    async fn take(&self, bucket: &str, quota: Quota) -> Verdict;
}
