//! The bell: tells workers that something is due. The ledger is the truth, so a bell that is not heard costs time and nothing
//! else.

use crate::jobs::Ticket;

/// Rings for jobs that were just committed.
pub trait JobQueue: Send + Sync {
    /// Rings, and returns at once: whatever has to be waited for is done elsewhere, and whatever fails is logged and
    /// counted there.
    fn ring(&self, tickets: &[Ticket]);
}
