//! How many connections are open, and when that is too many to keep them after an answer.
//!
//! The head of a connection's first request has an end to its time, and a connection without a request has one too. In between
//! the protocol layer waits for ever: for the rest of the head of a later request. Where no connection is kept there are no later
//! ones, so those who stop there never hold more than half of the connections.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The open connections of a server.
#[derive(Debug)]
pub(crate) struct Crowd {
    open: AtomicUsize,
    most_kept: usize,
}

impl Crowd {
    /// For a server that has at most so many open at the same time.
    pub(crate) fn of_at_most(connections: usize) -> Arc<Self> {
        Arc::new(Self { open: AtomicUsize::new(0), most_kept: connections / 2 })
    }

    /// Counts a connection until what is returned is dropped with it.
    pub(crate) fn enter(self: &Arc<Self>) -> Present {
        self.open.fetch_add(1, Ordering::Relaxed);
        Present(Arc::clone(self))
    }
}

/// A connection that is counted.
#[derive(Debug)]
pub(crate) struct Present(Arc<Crowd>);

impl Present {
    /// Whether connections are closed after their answers now.
    pub(crate) fn is_crowded(&self) -> bool {
        self.0.open.load(Ordering::Relaxed) > self.0.most_kept
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
