//! Guesses that were counted and then failed on our side, mostly because the database went away: nothing was found to be wrong about them.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{AccountKey, Place};
use crate::time::Instant;

/// The counter that a guess was counted in: that of a place, or that of all others.
pub(super) type Which = (AccountKey, Option<Place>);

/// So many counters are remembered. Beyond that a guess stays counted: an outage in which somebody guesses at made-up accounts fills no
/// memory.
const MOST: usize = 1_000;
/// How long after an outage somebody is expected to try again.
const KEPT_FOR: Duration = Duration::from_mins(15);

/// How many guesses are to be taken back, by counter. In the memory of this process alone, because the database is what was away: what
/// is forgotten here, or tried again elsewhere, stays counted.
#[derive(Default)]
pub(crate) struct Unjudged(Mutex<HashMap<Which, Noted>>);

#[derive(Clone, Copy, Default)]
struct Noted {
    attempts: u32,
    forget_at: Instant,
}

/// Guesses that are being taken back. They are given back when it is dropped before they are settled.
pub(super) struct TakenBack<'a> {
    from: &'a Unjudged,
    which: Which,
    noted: Noted,
}

impl Unjudged {
    /// One more of this counter.
    pub(super) fn note(&self, which: Which, now: Instant) {
        let mut all = self.all();
        if all.len() >= MOST {
            all.retain(|_, noted| now < noted.forget_at);
        }
        if all.len() >= MOST && !all.contains_key(&which) {
            tracing::warn!("a sign-in that could not be tried counts as a wrong one");
            return;
        }
        let noted = all.entry(which).or_default();
        let before = if now < noted.forget_at { noted.attempts } else { 0 };
        *noted = Noted { attempts: before.saturating_add(1), forget_at: now.plus(KEPT_FOR) };
    }

    /// All of this counter.
    pub(super) fn take(&self, which: Which, now: Instant) -> TakenBack<'_> {
        let noted = self.all().remove(&which).filter(|noted| now < noted.forget_at).unwrap_or_default();
        TakenBack { from: self, which, noted }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Which, Noted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TakenBack<'_> {
    /// How many.
    pub(super) const fn attempts(&self) -> u32 {
        self.noted.attempts
    }

    /// They are written out of the counter, or may be.
    pub(super) fn settle(mut self) {
        self.noted = Noted::default();
    }
}

impl Drop for TakenBack<'_> {
    fn drop(&mut self) {
        if self.noted.attempts > 0 {
            let which = mem::replace(&mut self.which, (AccountKey([0; 32]), None));
            let mut all = self.from.all();
            let noted = all.entry(which).or_default();
            noted.attempts = noted.attempts.saturating_add(self.noted.attempts);
            noted.forget_at = noted.forget_at.max(self.noted.forget_at);
        }
    }
}
