//! Telling everybody that there is something new to read.

use async_trait::async_trait;

use crate::ids::OrgId;

/// Tells all nodes that something of an organization has changed, so that whoever shows it reads it again.
///
/// What is told may be lost: the database is what counts, and whoever may have missed something is told that too.
#[async_trait]
pub trait EventBus: Send + Sync {
    /// Tells it, without waiting: at once to those who listen in this process, and a moment later to those of other nodes.
    fn publish(&self, organization: OrgId);

    /// Everything that is told from now on.
    fn subscribe(&self) -> Box<dyn Subscription>;

    /// Whether it hears nothing from other nodes for now.
    fn is_degraded(&self) -> bool {
        false
    }
}

/// What one listener hears.
#[async_trait]
pub trait Subscription: Send {
    /// The next thing, once there is one.
    async fn next(&mut self) -> Heard;
}

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Something of this organization has changed.
    Changed(OrgId),
    /// Something may have been missed, of whichever organization: everything is to be read again.
    Missed,
}
