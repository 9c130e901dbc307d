//! Sessions: signing in, staying signed in, signing out.
//!
//! A session is one sign-in on one device. It carries a family of refresh tokens of which only the newest is good; the one
//! before it is answered with the newest once more for a short while, and using any other is taken for theft and ends the
//! session (see `family.rs`). Access tokens name their session and die with it.

mod confirming;
mod family;
mod own;
mod refresh_token;
mod repository;
mod service;

use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;

pub(crate) use confirming::Confirming;
pub use family::{LOST_ANSWER_GRACE, MOST_GRACE_USES, TABS_GRACE};
pub use refresh_token::RefreshToken;
pub use repository::{LiveSession, LockedAccount, LoginRecord, SessionRepository};
pub(crate) use service::author;
pub use service::{Credentials, SessionTokens, Sessions};

use crate::{
    access::{ManageSessions, OwnGrant, PlatformGrant},
    audit::Audited,
    ids::{SessionId, UserId},
    text::Secret,
    time::Instant,
};

/// How long an access token is good.
pub const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_mins(15);
/// How long a session lives without being refreshed.
pub const IDLE_LIFETIME: Duration = Duration::from_hours(30 * 24);
/// How long a session lives at most.
pub const ABSOLUTE_LIFETIME: Duration = Duration::from_hours(90 * 24);

/// One sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// The session's id, `sid` in tokens.
    pub id: SessionId,
    /// Who signed in.
    pub user_id: UserId,
    /// When.
    pub created_at: Instant,
    /// Ends then unless refreshed before.
    pub idle_until: Instant,
    /// Ends then in any case.
    pub absolute_until: Instant,
    /// The counter of the newest refresh token.
    pub refresh_counter: i64,
    /// The highest counter of which a token, refresh or access, was used.
    pub refresh_confirmed: i64,
    /// When the newest one was first used, if it was.
    pub confirmed_at: Option<Instant>,
    /// When the newest refresh token was issued.
    pub rotated_at: Instant,
    /// How often it was sent once more for the one before.
    pub grace_uses: u32,
    /// What kind of client it was issued to.
    #[serde(skip)]
    pub client_kind: Option<Vec<u8>>,
    /// The session's own key for the MAC of its refresh tokens, sealed with a key from outside the database.
    #[serde(skip)]
    pub sealed_key: Vec<u8>,
    /// The address that signed in.
    pub client: Option<String>,
    /// Its `User-Agent`.
    pub user_agent: Option<String>,
    /// When it was ended before its time.
    pub revoked_at: Option<Instant>,
    /// Why.
    pub revoke_reason: Option<RevokeReason>,
}

impl Session {
    /// Whether it is neither revoked nor over at this moment.
    pub fn is_live(&self, now: Instant) -> bool {
        self.revoked_at.is_none() && now < self.idle_until && now < self.absolute_until
    }
}

impl Audited for Session {
    const RESOURCE: &'static str = "session";

    fn resource_id(&self) -> Uuid {
        self.id.uuid()
    }
}

/// Why a session was ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokeReason {
    /// Its user signed out.
    SignedOut,
    /// A refresh token was used a second time.
    TokenReused,
    /// Its user's account was archived.
    UserArchived,
    /// Its user ended it from another session, or all at once.
    EndedByUser,
    /// A superuser ended it.
    EndedBySuperuser,
    /// The password was changed.
    PasswordChanged,
}

/// The right to end sessions of one user: his own, or a superuser's right over everybody's.
#[derive(Debug)]
pub enum SessionsGrant {
    /// His own.
    Own(OwnGrant<ManageSessions>),
    /// Those of this user.
    Anybodys(PlatformGrant<ManageSessions>, UserId),
}

/// What sessions can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionSort {
    /// When somebody signed in.
    CreatedAt,
    /// When it was last refreshed.
    LastUsedAt,
}

impl RevokeReason {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::SignedOut,
        Self::TokenReused,
        Self::UserArchived,
        Self::EndedByUser,
        Self::EndedBySuperuser,
        Self::PasswordChanged,
    ];

    /// The name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::TokenReused => "token_reused",
            Self::UserArchived => "user_archived",
            Self::EndedByUser => "ended_by_user",
            Self::EndedBySuperuser => "ended_by_superuser",
            Self::PasswordChanged => "password_changed",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.name() == name)
    }
}

/// The raw key of a session's refresh tokens.
pub(crate) type RefreshKey = Secret<Vec<u8>>;
