use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::ids::SessionId;

/// The tokens whose first use is being noted by this process: of the many requests that a client begins with a fresh token
/// one writes, and the others do not wait.
#[derive(Debug, Default)]
pub(crate) struct Confirming(Mutex<HashSet<(SessionId, i64)>>);

/// That a first use is being noted; ends when dropped, however that comes about.
pub(crate) struct Noting<'a> {
    all: &'a Confirming,
    which: (SessionId, i64),
}

impl Confirming {
    /// Begins to note the first use; `None` if somebody is at it.
    pub(crate) fn begin(&self, session: SessionId, counter: i64) -> Option<Noting<'_>> {
        let which = (session, counter);
        self.set().insert(which).then_some(Noting { all: self, which })
    }

    fn set(&self) -> MutexGuard<'_, HashSet<(SessionId, i64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Noting<'_> {
    fn drop(&mut self) {
        self.all.set().remove(&self.which);
    }
}
