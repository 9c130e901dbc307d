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

/// What is in a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// What may be taken at once.
    pub left: u32,
    /// How long it takes to be full again, if nothing more is taken.
    pub full_in: Duration,
}

/// A bucket and what it gives. One of the same name always comes with the same quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket<'a> {
    /// Its name, made of ids and digests alone.
    pub name: &'a str,
    /// What it gives.
    pub quota: Quota,
}

/// What the buckets say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is counted here.
    Unlimited,
    /// One was taken from each. What is left, in the order of the buckets.
    Admitted(Vec<Level>),
    /// One of them is empty, and nothing was taken from any.
    Refused {
        /// When there is one again in each.
        retry_after: Duration,
        /// What is in them, in the order of the buckets.
        levels: Vec<Level>,
    },
}

/// Keeps buckets by name. One that cannot be asked decides by itself as well as it can, and never fails: what must hold is counted in the
/// database.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Takes one from each of these buckets, which differ, or nothing from any of them.
    async fn take(&self, buckets: &[Bucket<'_>]) -> Verdict;

    /// Whether it decides alone for now what it should decide together with others.
    fn is_degraded(&self) -> bool {
        false
    }
}

const MINUTE_MICROS: u64 = 60_000_000;

impl Quota {
    /// So many in a minute, a quarter of them at once.
    pub const fn per_minute(per_minute: u32) -> Self {
        Self { per_minute, burst: per_minute.div_ceil(4) }
    }

    /// How long one takes to come back: whole microseconds, at least one.
    pub fn each(self) -> Duration {
        Duration::from_micros((MINUTE_MICROS / u64::from(self.per_minute.max(1))).max(1))
    }

    /// How long an empty bucket takes to be full.
    pub fn room(self) -> Duration {
        self.each().saturating_mul(self.burst.max(1))
    }

    /// What is in a bucket that will be full after this time.
    pub fn level(self, full_in: Duration) -> Level {
        let left = self.room().saturating_sub(full_in).as_micros() / self.each().as_micros();
        Level { left: u32::try_from(left).unwrap_or(u32::MAX), full_in }
    }

    /// The part of each of so many nodes that cannot ask each other; at least one.
    pub fn shared_by(self, nodes: u32) -> Self {
        let part = |whole: u32| whole.div_ceil(nodes.max(1)).max(1);
        Self { per_minute: part(self.per_minute), burst: part(self.burst) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_counts_what_is_there_now() {
        let quota = Quota::per_minute(20);
        assert_eq!((quota.burst, quota.each()), (5, Duration::from_secs(3)));
        for (full_in, left) in [(0, 5), (1, 4), (3_000, 4), (3_001, 3), (12_000, 1), (15_000, 0), (99_000, 0)]
        {
            assert_eq!(quota.level(Duration::from_millis(full_in)).left, left, "{full_in}");
        }
    }

    #[test]
    fn odd_quotas_give_something() {
        assert_eq!(Quota::per_minute(1), Quota { per_minute: 1, burst: 1 });
        assert_eq!(Quota::per_minute(u32::MAX).each(), Duration::from_micros(1));
        assert_eq!(Quota::per_minute(10).shared_by(4), Quota { per_minute: 3, burst: 1 });
        assert_eq!(Quota::per_minute(10).shared_by(0), Quota::per_minute(10));
        assert_eq!(Quota::per_minute(1).shared_by(1_000), Quota::per_minute(1));
    }
}
