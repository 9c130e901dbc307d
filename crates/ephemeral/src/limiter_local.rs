//! Buckets of this process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use sitewatch_domain::{
    ports::{Bucket, RateLimiter, Verdict},
    time::{Clock, Instant},
};

/// Buckets at most. An address fills its own again within seconds, and a full one is not kept.
const MOST: usize = 100_000;

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

    fn take_at(&self, buckets: &[Bucket<'_>], clock: impl FnOnce() -> Instant) -> Verdict {
        // Each entry is whole at every moment, so a thread that panicked left nothing half done.
        let mut kept = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // Only now, so that whoever comes later looks later.
        let now = clock();
        let found = buckets.iter().map(|bucket| (bucket, kept.full_at(bucket, now)));
        let found: Vec<(&Bucket<'_>, Instant)> = found.collect();
        let wait = found.iter().map(|(Bucket { quota, .. }, full_at)| {
            full_at.plus(quota.each()).since(now).saturating_sub(quota.room())
        });
        let retry_after = wait.max().unwrap_or_default();
        let level = |(bucket, full_at): &(&Bucket<'_>, Instant)| bucket.quota.level(full_at.since(now));
        if !retry_after.is_zero() {
            return Verdict::Refused { retry_after, levels: found.iter().map(level).collect() };
        }
        kept.make_room(self.most, now);
        let taken = found.into_iter().map(|(bucket, full_at)| {
            let full_at = full_at.plus(bucket.quota.each());
            kept.note(self.most, bucket.name, full_at);
            level(&(bucket, full_at))
        });
        Verdict::Admitted(taken.collect())
    }
}

impl Buckets {
    fn full_at(&mut self, bucket: &Bucket<'_>, now: Instant) -> Instant {
        let Some(kept) = self.full_at.get_mut(bucket.name) else { return now };
        // Later than an empty one is full: the clock was set back since. It is empty, then, and no more than that.
        *kept = (*kept).min(now.plus(bucket.quota.room()));
        (*kept).max(now)
    }

    /// Where all room is taken by others that are not full, this one is not counted rather than refused.
    fn note(&mut self, most: usize, name: &str, full_at: Instant) {
        if let Some(kept) = self.full_at.get_mut(name) {
            *kept = full_at;
        } else if self.full_at.len() < most {
            self.full_at.insert(name.to_owned(), full_at);
        }
    }

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
    async fn take(&self, buckets: &[Bucket<'_>]) -> Verdict {
        self.take_at(buckets, || self.clock.now())
    }
}

#[async_trait]
impl RateLimiter for Unlimited {
    async fn take(&self, _buckets: &[Bucket<'_>]) -> Verdict {
        Verdict::Unlimited
    }
}

#[cfg(test)]
mod tests {
    use sitewatch_domain::ports::Quota;

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

    fn bucket(name: &str) -> Bucket<'_> {
        Bucket { name, quota: QUOTA }
    }

    fn admitted(limiter: &LocalLimiter, name: &str, times: usize, now: Instant) -> usize {
        let take = |_: &usize| matches!(limiter.take_at(&[bucket(name)], || now), Verdict::Admitted(_));
        (0..times).filter(take).count()
    }

    fn refused(limiter: &LocalLimiter, names: &[&str], now: Instant) -> (u64, Vec<u32>) {
        let buckets: Vec<_> = names.iter().map(|name| bucket(name)).collect();
        match limiter.take_at(&buckets, || now) {
            Verdict::Refused { retry_after, levels } => {
                (retry_after.as_secs(), levels.iter().map(|level| level.left).collect())
            }
            admitted => panic!("{admitted:?}"),
        }
    }

    #[test]
    fn a_burst_is_followed_by_a_steady_flow() {
        let limiter = limiter();
        assert_eq!(admitted(&limiter, "a", 20, START), 5);
        assert_eq!(refused(&limiter, &["a"], START), (3, vec![0]));
        assert_eq!(refused(&limiter, &["a"], at(2_000)), (1, vec![0]));
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
    fn what_one_refuses_is_taken_from_none() {
        let limiter = limiter();
        assert_eq!(admitted(&limiter, "a", 2, START), 2);
        assert_eq!(admitted(&limiter, "b", 5, START), 5);
        assert_eq!(refused(&limiter, &["a", "b"], START), (3, vec![3, 0]));
        assert_eq!(admitted(&limiter, "a", 20, START), 3);
        let levels = limiter.take_at(&[bucket("c"), bucket("d")], || START);
        let Verdict::Admitted(levels) = levels else { panic!("{levels:?}") };
        assert_eq!(
            levels.iter().map(|level| (level.left, level.full_in.as_secs())).collect::<Vec<_>>(),
            [(4, 3); 2]
        );
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
    fn a_clock_that_is_set_back_keeps_nobody_out_for_long() {
        let limiter = limiter();
        assert_eq!(admitted(&limiter, "a", 5, at(3_600_000)), 5);
        assert_eq!(refused(&limiter, &["a"], START), (3, vec![0]));
        assert_eq!(admitted(&limiter, "a", 20, at(3_000)), 1);
    }

    #[tokio::test]
    async fn the_clock_is_the_one_that_was_given() {
        let limiter = limiter();
        for _ in 0..5 {
            assert!(matches!(limiter.take(&[bucket("a")]).await, Verdict::Admitted(_)));
        }
        assert!(matches!(limiter.take(&[bucket("a")]).await, Verdict::Refused { .. }));
        assert_eq!(Unlimited.take(&[bucket("a")]).await, Verdict::Unlimited);
    }
}
