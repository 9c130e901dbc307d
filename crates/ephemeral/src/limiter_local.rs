//! Buckets of this process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use sitewatch_domain::{
    ports::{Quota, RateLimiter, Verdict},
    time::{Clock, Instant},
};

/// Buckets at most. An address fills its own again within seconds, and a full one is not kept.
const MOST: usize = 100_000;
const MINUTE: Duration = Duration::from_mins(1);

/// Keeps buckets in the memory of this process, by GCRA: each bucket is the one moment at which it will be full again.
pub struct LocalLimiter {
    clock: Arc<dyn Clock>,
    buckets: Mutex<Buckets>,
    most: usize,
}

#[derive(Default)]
struct Buckets {
    full_at: HashMap<String, Instant>,
    swept_at: Instant,
}

/// Admits everything.
pub struct Unlimited;

impl LocalLimiter {
    /// Without any bucket yet: all are full.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, buckets: Mutex::default(), most: MOST }
    }

    fn take_now(&self, bucket: &str, quota: Quota, now: Instant) -> Verdict {
        let each = MINUTE / quota.per_minute.max(1);
        let room = each * quota.burst.max(1);
        // Each entry is whole at every moment, so a thread that panicked left nothing half done.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = buckets.full_at.get(bucket).copied().unwrap_or(now).max(now);
        // A longer wait was written by a clock that has been set back since.
        let full_at = if full_at.since(now) > room { now } else { full_at };
        let next = full_at.plus(each);
        if next.since(now) > room {
            return Verdict::Refused { retry_after: next.since(now).saturating_sub(room) };
        }
        buckets.make_room(self.most, now);
        // Where all room is taken by others that are not full, this one is not counted rather than refused.
        if buckets.full_at.len() < self.most || buckets.full_at.contains_key(bucket) {
            buckets.full_at.insert(bucket.to_owned(), next);
        }
        Verdict::Admitted
    }
}

impl Buckets {
    /// Forgets the full ones, once a second at most.
    fn make_room(&mut self, most: usize, now: Instant) {
        let was_swept = self.swept_at <= now && now.since(self.swept_at) < Duration::from_secs(1);
        if self.full_at.len() >= most && !was_swept {
            self.swept_at = now;
            self.full_at.retain(|_, full_at| *full_at > now);
        }
    }
}

#[async_trait]
impl RateLimiter for LocalLimiter {
    async fn take(&self, bucket: &str, quota: Quota) -> Verdict {
        self.take_now(bucket, quota, self.clock.now())
    }
}

#[async_trait]
impl RateLimiter for Unlimited {
    async fn take(&self, _bucket: &str, _quota: Quota) -> Verdict {
        Verdict::Admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota { per_minute: 20, burst: 5 };
    const START: Instant = Instant::from_secs(1_800_000_000);

    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Instant {
            START
        }
    }

    fn limiter() -> LocalLimiter {
        LocalLimiter::new(Arc::new(Stopped))
    }

    fn at(millis: u64) -> Instant {
        START.plus(Duration::from_millis(millis))
    }

    fn admitted(limiter: &LocalLimiter, bucket: &str, times: usize, now: Instant) -> usize {
        (0..times).filter(|_| limiter.take_now(bucket, QUOTA, now) == Verdict::Admitted).count()
    }

    #[test]
    fn a_burst_is_followed_by_a_steady_flow() {
        let limiter = limiter();
        assert_eq!(admitted(&limiter, "a", 20, START), 5);
        let refused = |millis| limiter.take_now("a", QUOTA, at(millis));
        assert_eq!(refused(0), Verdict::Refused { retry_after: Duration::from_secs(3) });
        assert_eq!(refused(2_000), Verdict::Refused { retry_after: Duration::from_secs(1) });
        assert_eq!(admitted(&limiter, "a", 20, at(3_000)), 1);
        assert_eq!(admitted(&limiter, "b", 20, at(3_000)), 5, "another bucket");
        assert_eq!(admitted(&limiter, "a", 20, at(60_000)), 5, "full again");
    }

    #[test]
    fn whoever_never_stops_gets_his_quota_and_his_burst() {
        let limiter = limiter();
        let all: usize = (0..600).map(|tenth| admitted(&limiter, "a", 1, at(tenth * 100))).sum();
        assert_eq!(all, 24, "five at once and one each three seconds within the minute");
    }

    #[test]
    fn the_buckets_are_bounded_and_the_full_ones_go_first() {
        let limiter = LocalLimiter { most: 10, ..limiter() };
        for number in 0..30 {
            assert_eq!(admitted(&limiter, &number.to_string(), 1, START), 1);
        }
        let count = |limiter: &LocalLimiter| limiter.buckets.lock().expect("no panic").full_at.len();
        assert_eq!(count(&limiter), 10);
        assert_eq!(admitted(&limiter, "0", 20, START), 4, "what is kept counts on");
        assert_eq!(admitted(&limiter, "later", 20, at(4_000)), 5);
        assert_eq!(count(&limiter), 2, "the one that is not full yet, and the new one");
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_out() {
        let limiter = limiter();
        assert_eq!(admitted(&limiter, "a", 5, at(3_600_000)), 5);
        assert_eq!(admitted(&limiter, "a", 20, START), 5);
    }

    #[tokio::test]
    async fn the_clock_is_the_one_that_was_given() {
        let limiter = limiter();
        for _ in 0..5 {
            assert_eq!(limiter.take("a", QUOTA).await, Verdict::Admitted);
        }
        assert_eq!(limiter.take("a", QUOTA).await, Verdict::Refused { retry_after: Duration::from_secs(3) });
        assert_eq!(Unlimited.take("a", QUOTA).await, Verdict::Admitted);
    }
}
