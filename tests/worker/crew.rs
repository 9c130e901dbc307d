//! Workers, and somebody who starts them again as a supervisor does.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use sitewatch_tests::processes::Process;
use tokio::task::JoinHandle;

use crate::plant::Plant;

/// How long a supervisor takes to notice an end.
const NOTICED: Duration = Duration::from_millis(50);

/// Some workers of an installation. Dropping it ends them.
pub struct Crew {
    plant: Arc<Plant>,
    workers: Arc<Mutex<Vec<Process>>>,
    supervisor: JoinHandle<()>,
}

impl Crew {
    /// Starts so many, on SQLite a single one.
    pub fn of(plant: &Arc<Plant>, count: usize) -> Self {
        let count = if plant.postgres.is_some() { count } else { 1 };
        let workers: Vec<Process> = (0..count).map(|_| plant.worker(&[])).collect();
        let workers = Arc::new(Mutex::new(workers));
        let (watched, at) = (Arc::clone(&workers), Arc::clone(plant));
        let supervisor = tokio::spawn(async move {
            loop {
                tokio::time::sleep(NOTICED).await;
                for worker in watched.lock().expect("no panic while workers are started").iter_mut() {
                    if worker.ended().is_some() {
                        *worker = at.worker(&[]);
                    }
                }
            }
        });
        Self { plant: Arc::clone(plant), workers, supervisor }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.workers().len()
    }

    /// Kills one, and starts it again.
    pub fn kill(&self, index: usize) {
        let mut workers = self.workers();
        workers[index].kill();
        workers[index] = self.plant.worker(&[]);
    }

    /// Freezes one for a while.
    pub async fn freeze(&self, index: usize, time: Duration) {
        self.workers()[index].freeze();
        tokio::time::sleep(time).await;
        self.workers()[index].thaw();
    }

    fn workers(&self) -> MutexGuard<'_, Vec<Process>> {
        self.workers.lock().expect("no panic while workers are started")
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}
