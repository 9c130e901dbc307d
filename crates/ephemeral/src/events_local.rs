//! Events within this process.

use async_trait::async_trait;
use sitewatch_domain::{
    ids::OrgId,
    ports::{EventBus, Heard, Subscription},
};
use tokio::sync::broadcast::{self, error::RecvError};

/// Whoever lags behind so many is told that he missed something.
const BACKLOG: usize = 1_024;

/// Tells everybody in this process.
pub struct LocalBus {
    told: broadcast::Sender<Heard>,
}

impl LocalBus {
    /// A bus that nobody listens to yet.
    pub fn new() -> Self {
        Self { told: broadcast::Sender::new(BACKLOG) }
    }

    pub(crate) fn tell(&self, heard: Heard) {
        // Nobody may be listening.
        let _listeners = self.told.send(heard);
    }
}

impl Default for LocalBus {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl EventBus for LocalBus {
    fn publish(&self, organization: OrgId) {
        self.tell(Heard::Changed(organization));
    }

    fn subscribe(&self) -> Box<dyn Subscription> {
        Box::new(Listener(self.told.subscribe()))
    }
}

struct Listener(broadcast::Receiver<Heard>);

#[async_trait]
impl Subscription for Listener {
    async fn next(&mut self) -> Heard {
        match self.0.recv().await {
            Ok(heard) => heard,
            Err(RecvError::Lagged(_)) => Heard::Missed,
            // The bus is gone: nothing will ever be told again.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
