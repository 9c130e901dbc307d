//! Threads that are lost to jobs which never give way. Nothing can end them but the end of the process.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// A worker that has lost more ends, so that whoever watches over it starts a fresh one.
const MOST: usize = 4;

/// The count of them.
#[derive(Default)]
pub(crate) struct LostThreads {
    count: AtomicUsize,
    exhausted: Notify,
}

impl LostThreads {
    /// One more is lost.
    pub(crate) fn lose(&self) {
        let lost = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        metrics::counter!("job_threads_lost_total").increment(1);
        if lost > MOST {
            self.exhausted.notify_one();
        }
    }

    /// Waits until too many are.
    pub(crate) async fn exhausted(&self) {
        self.exhausted.notified().await;
    }
}
