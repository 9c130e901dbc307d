//! The leases that a worker holds, and how its jobs are told that one is lost.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sitewatch_domain::{ids::JobId, jobs::ClaimedJob};
use tokio::sync::watch;

/// A lease in hand.
struct Lease {
    token: i64,
    lost: watch::Sender<bool>,
}

/// All leases of a worker, those of jobs that have not begun yet included.
#[derive(Default)]
pub(crate) struct Held(Mutex<HashMap<JobId, Lease>>);

impl Held {
    /// Notes a lease; what its job listens to.
    pub(crate) fn hold(&self, job: &ClaimedJob) -> watch::Receiver<bool> {
        let (lost, listener) = watch::channel(false);
        self.leases().insert(job.id, Lease { token: job.token, lost });
        listener
    }

    /// Forgets a lease, unless the same job was claimed anew since.
    pub(crate) fn release(&self, job: JobId, token: i64) {
        let mut leases = self.leases();
        if leases.get(&job).is_some_and(|lease| lease.token == token) {
            leases.remove(&job);
        }
    }

    /// All leases.
    pub(crate) fn all(&self) -> Vec<(JobId, i64)> {
        self.leases().iter().map(|(job, lease)| (*job, lease.token)).collect()
    }

    /// How many.
    pub(crate) fn count(&self) -> usize {
        self.leases().len()
    }

    /// Tells jobs that these leases of theirs are lost, or that the worker has to end.
    pub(crate) fn lose(&self, lost: impl IntoIterator<Item = (JobId, i64)>) {
        let leases = self.leases();
        for (job, token) in lost {
            if let Some(lease) = leases.get(&job).filter(|lease| lease.token == token) {
                let _nobody_listens = lease.lost.send(true);
            }
        }
    }

    fn leases(&self) -> MutexGuard<'_, HashMap<JobId, Lease>> {
        // Nothing panics while it holds the lock; a map is whole whatever happens.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
