//! How long a failed job waits before it is tried again.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_hours(1);

/// The pause before the next try: 5 s after the first failure, doubled by each further one, at most an hour, and up to a
/// quarter more by chance, so that what failed together is not tried together.
///
/// `attempts` counts the tries so far, from 1; `chance` is a random byte.
pub fn backoff(attempts: u32, chance: u8) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let pause = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    pause + pause.mul_f64(f64::from(chance) / 255.0 / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour_and_spread_by_a_quarter() {
        let seconds: Vec<u64> = (1..=12).map(|attempt| backoff(attempt, 0).as_secs()).collect();
        assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600]);
        assert_eq!(backoff(u32::MAX, 255), Duration::from_mins(75));
        assert_eq!(backoff(0, 0), FIRST);
    }
}
