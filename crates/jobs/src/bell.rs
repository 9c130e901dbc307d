//! The bell within one process.

use std::sync::Arc;

use sitewatch_domain::{
    jobs::{Lane, Ticket},
    ports::JobQueue,
};
use tokio::sync::Notify;

/// One bell a lane. Rings workers of the same process, by itself or as the last part of a bell that comes from elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Bells(Arc<[Notify; Lane::ALL.len()]>);

impl Bells {
    /// Wakes the workers of a lane; heard later if none listens now.
    pub fn wake(&self, lane: Lane) {
        if let Some(bell) = self.of(lane) {
            bell.notify_one();
        }
    }

    /// Waits for the bell of a lane.
    pub(crate) async fn heard(&self, lane: Lane) {
        match self.of(lane) {
            Some(bell) => bell.notified().await,
            None => std::future::pending().await,
        }
    }

    fn of(&self, lane: Lane) -> Option<&Notify> {
        let index = Lane::ALL.iter().position(|known| *known == lane)?;
        self.0.get(index)
    }
}

impl JobQueue for Bells {
    fn ring(&self, tickets: &[Ticket]) {
        for lane in Lane::ALL {
            if tickets.iter().any(|ticket| ticket.lane == *lane) {
                self.wake(*lane);
            }
        }
    }
}
