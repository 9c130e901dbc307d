//! Whether a service is asked at all.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// Failures in a row after which nobody asks any more.
const MOST_FAILURES: u32 = 5;

/// Opens after some failures in a row, and is closed from outside.
#[derive(Debug)]
pub(crate) struct Breaker {
    failures: AtomicU32,
    is_open: AtomicBool,
    made_at: Instant,
    /// Milliseconds from then to the last answer; 0 before the first one.
    answered_at: AtomicU64,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            failures: AtomicU32::default(),
            is_open: AtomicBool::default(),
            made_at: Instant::now(),
            answered_at: AtomicU64::default(),
        }
    }
}

impl Breaker {
    /// Whether nobody asks.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// It answered.
    pub(crate) fn answered(&self) {
        self.failures.store(0, Ordering::Relaxed);
        self.answered_at.store(self.now().max(1), Ordering::Relaxed);
    }

    /// Whether it answered somebody not longer ago than this.
    pub(crate) fn has_answered_within(&self, time: Duration) -> bool {
        let last = self.answered_at.load(Ordering::Relaxed);
        last != 0 && u128::from(self.now().saturating_sub(last)) <= time.as_millis()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.made_at.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// It did not. Whether that opened it.
    pub(crate) fn failed(&self) -> bool {
        self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_FAILURES && self.open()
    }

    /// Opens it at once. Whether it was closed.
    pub(crate) fn open(&self) -> bool {
        !self.is_open.swap(true, Ordering::Relaxed)
    }

    /// Closes it. Whether it was open.
    pub(crate) fn close(&self) -> bool {
        self.answered();
        self.is_open.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_open_it_and_it_stays_open_until_it_is_closed() {
        let breaker = Breaker::default();
        assert!(!breaker.has_answered_within(Duration::from_mins(1)));
        for _ in 0..MOST_FAILURES - 1 {
            assert!(!breaker.failed());
        }
        breaker.answered();
        assert!(breaker.has_answered_within(Duration::from_mins(1)));
        for _ in 0..MOST_FAILURES - 1 {
            assert!(!breaker.failed() && !breaker.is_open());
        }
        assert!(breaker.failed() && breaker.is_open());
        assert!(!breaker.failed(), "that is no news");
        breaker.answered();
        assert!(breaker.is_open());
        assert!(breaker.close() && !breaker.is_open() && !breaker.close());
        assert!(!breaker.failed(), "counted anew");
        assert!(breaker.open() && !breaker.open());
    }
}
