//! Guesses that were counted and never looked at: the database broke off, or there was no room to hash.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{AccountKey, Place};

/// The counter that a guess was counted in: that of a place, or that of all others.
pub(super) type Which = (AccountKey, Option<Place>);

/// So many counters are remembered. Beyond that a guess stays counted: an outage in which somebody guesses at made-up accounts fills no
/// memory.
const MOST: usize = 1_000;

/// How many guesses are to be taken back, by counter. In memory alone, because the database is what was away; what a restart forgets
/// costs the account some seconds of delay.
#[derive(Default)]
pub(crate) struct Unjudged(Mutex<HashMap<Which, u32>>);

/// Guesses that are being taken back. They are given back when it is dropped before they are written.
pub(super) struct TakenBack<'a> {
    from: &'a Unjudged,
    which: Which,
    attempts: u32,
}

impl Unjudged {
    /// One more of this counter.
    pub(super) fn note(&self, which: Which) {
        self.add(which, 1);
    }

    /// All of this counter.
    pub(super) fn take(&self, which: Which) -> TakenBack<'_> {
        let attempts = self.all().remove(&which).unwrap_or_default();
        TakenBack { from: self, which, attempts }
    }

    fn add(&self, which: Which, attempts: u32) {
        let mut all = self.all();
        if all.len() < MOST || all.contains_key(&which) {
            let noted = all.entry(which).or_default();
            *noted = noted.saturating_add(attempts);
        } else {
            tracing::warn!("a sign-in that could not be tried counts as a wrong one");
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Which, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TakenBack<'_> {
    /// How many.
    pub(super) const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// They are written out of the counter.
    pub(super) fn settle(mut self) {
        self.attempts = 0;
    }
}

impl Drop for TakenBack<'_> {
    fn drop(&mut self) {
        if self.attempts > 0 {
            let nothing = (AccountKey([0; 32]), None);
            self.from.add(mem::replace(&mut self.which, nothing), self.attempts);
        }
    }
}
