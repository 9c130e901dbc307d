//! The columns that every resource carries: when, by whom, still active, which revision.

use serde::Serialize;

use crate::{access::Author, error::Rule, ids::UserId, time::Instant};

/// Counts the changes of an object, from 1. `ETag` and `If-Match` compare it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Revision(pub i64);

impl Revision {
    /// The revision of a new object.
    pub const FIRST: Self = Self(1);

    /// The revision after one more change.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// What a caller last saw of an object that he changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// He did not say.
    None,
    /// He saw one of these revisions: any other is stale. None of them, if the list is empty.
    OneOf(Vec<Revision>),
}

impl Precondition {
    /// Refuses a change of something that the caller saw in another state.
    ///
    /// # Errors
    /// [`crate::Error::Stale`].
    pub fn check(&self, stamp: &Stamp) -> Result<(), crate::Error> {
        match self {
            Self::OneOf(seen) if !seen.contains(&stamp.revision) => Err(crate::Error::Stale),
            Self::None | Self::OneOf(_) => Ok(()),
        }
    }

    /// Why a write found another revision than the one that was read a moment before: whoever named what he saw saw
    /// something else, and whoever promised nothing only met somebody.
    pub fn overtaken(&self) -> crate::Error {
        match self {
            Self::None => crate::Error::Conflict(Rule::ChangedMeanwhile),
            Self::OneOf(_) => crate::Error::Stale,
        }
    }
}

/// The audit columns of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stamp {
    /// When it was made.
    pub created_at: Instant,
    /// The user who made it; `None` for what the system, the first set-up, devices or organization keys make.
    pub created_by: Option<UserId>,
    /// When it was last changed; `None` until the first change.
    pub updated_at: Option<Instant>,
    /// The user who last changed it.
    pub updated_by: Option<UserId>,
    /// False once it is archived.
    pub is_active: bool,
    /// Counts its changes.
    pub revision: Revision,
}

impl Stamp {
    /// The stamp of something new.
    pub fn new(author: &Author, now: Instant) -> Self {
        Self {
            created_at: now,
            created_by: author.user,
            updated_at: None,
            updated_by: None,
            is_active: true,
            revision: Revision::FIRST,
        }
    }

    /// The stamp after a change.
    pub fn touched(&self, author: &Author, now: Instant) -> Self {
        Self {
            updated_at: Some(now),
            updated_by: author.user,
            revision: self.revision.next(),
            ..self.clone()
        }
    }

    /// The stamp after archiving.
    pub fn archived(&self, author: &Author, now: Instant) -> Self {
        Self { is_active: false, ..self.touched(author, now) }
    }

    /// The stamp after restoring.
    pub fn restored(&self, author: &Author, now: Instant) -> Self {
        Self { is_active: true, ..self.touched(author, now) }
    }
}
