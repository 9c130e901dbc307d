//! The wall clock and the operating system's randomness: their only rightful home.

use std::{
    io::Write as _,
    time::{SystemTime, UNIX_EPOCH},
};

use sitewatch_domain::{
    ports::credentials::Entropy,
    time::{Clock, Instant},
};

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one rightful reader of the wall clock")]
    fn now(&self) -> Instant {
        let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            // A machine whose clock was never set: before the epoch, but still moving on.
            Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
        };
        Instant::from_micros(micros)
    }
}

/// The operating system's source of randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    /// Ends the process if the system has no randomness to give: ids, tokens and keys that could be guessed would be worse,
    /// and a panic would be caught somewhere above and tried again.
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            tracing::error!(%error, "the operating system gives no random bytes: ending");
            // Also past a filter or a log that has not begun; nothing can be done if this fails as well.
            let _ =
                writeln!(std::io::stderr(), "sitewatch: the operating system gives no random bytes: {error}");
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_shows_this_century_and_moves_on() {
        let first = SystemClock.now();
        assert!(first > "2025-01-01T00:00:00Z".parse().expect("a moment"));
        assert!(SystemClock.now() >= first);
    }

    #[test]
    fn random_bytes_differ() {
        let (mut one, mut other) = ([0_u8; 32], [0_u8; 32]);
        OsEntropy.fill(&mut one);
        OsEntropy.fill(&mut other);
        assert_ne!(one, other);
        assert_ne!(one, [0_u8; 32]);
    }
}
