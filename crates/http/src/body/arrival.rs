//! How long a body may take to arrive. A client that stops in the middle of one would hold its connection for ever.

use std::time::{Duration, Instant};

use actix_web::rt::time::timeout;

use crate::error::ApiError;

/// How long nothing may come.
const SILENCE: Duration = Duration::from_secs(10);
/// So many bytes give a long one another second: batches come over slow lines too, and they do not trickle.
const BYTES_PER_SECOND: usize = 4 * 1024;

/// A body that has begun to arrive.
pub(crate) struct Arrival {
    began: Instant,
    /// How long a short body may take.
    whole: Duration,
}

impl Arrival {
    /// Of a body of which nothing has been read, and which may take that long if it is a short one.
    pub(crate) fn begins(whole: Duration) -> Self {
        Self { began: Instant::now(), whole }
    }

    /// Waits for the next part, after so many bytes have come.
    ///
    /// # Errors
    /// 408 if it takes too long.
    pub(crate) async fn of<T>(&self, part: impl Future<Output = T>, received: usize) -> Result<T, ApiError> {
        let patience = patience(self.whole, self.began.elapsed(), received);
        timeout(patience, part).await.map_err(|_elapsed| ApiError::request_timeout())
    }
}

/// How long the next part may take.
fn patience(whole: Duration, elapsed: Duration, received: usize) -> Duration {
    let earned = u64::try_from(received / BYTES_PER_SECOND).map_or(Duration::MAX, Duration::from_secs);
    whole.saturating_add(earned).saturating_sub(elapsed).min(SILENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_trickles_is_not_waited_for() {
        let whole = Duration::from_secs(30);
        let after = |seconds, received| patience(whole, Duration::from_secs(seconds), received).as_secs();
        assert_eq!(
            [after(0, 0), after(15, 3), after(25, 3), after(30, 4_095), after(600, 3)],
            [10, 10, 5, 0, 0]
        );
        assert_eq!([after(30, 20 * 1024), after(34, 20 * 1024), after(35, 20 * 1024)], [5, 1, 0]);
        assert_eq!(after(500, 2 * 1024 * 1024), 10);
        assert_eq!(patience(Duration::from_secs(3), Duration::from_secs(1), 7), Duration::from_secs(2));
    }
}
