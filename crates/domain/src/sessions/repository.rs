use async_trait::async_trait;

use super::{RevokeReason, Session};
use crate::{
    access::Standing,
    ids::{SessionId, UserId},
    ports::{PasswordHash, StoreError},
    text::EmailAddress,
    time::Instant,
};

/// What signing in needs to know of an account.
#[derive(Clone)]
pub struct LoginRecord {
    /// The user.
    pub user_id: UserId,
    /// The password hash; `None` for an account without a password.
    pub password: Option<PasswordHash>,
}

/// Stores sessions. Reached before anybody has proven who he is, so no grant guards it; only the session use cases can
/// reach it.
#[async_trait]
pub trait SessionRepository {
    /// The active account with this address.
    async fn find_login(&self, email: &EmailAddress) -> Result<Option<LoginRecord>, StoreError>;

    /// The rights of the session's user at this moment, in one statement. `None` if session or user are gone, ended,
    /// over or archived.
    ///
    /// Memberships count if they and their organization are active; assignments if they and their membership are. An
    /// assigned site or module may be archived: every query leaves it out by itself.
    async fn find_standing(&self, session: SessionId, now: Instant) -> Result<Option<Standing>, StoreError>;

    /// The session, whatever its state, locked until the transaction ends.
    async fn lock_session(&mut self, id: SessionId) -> Result<Option<Session>, StoreError>;

    /// Whether the user of the session is active.
    async fn is_user_active(&self, user: UserId) -> Result<bool, StoreError>;

    /// Adds a session.
    async fn insert_session(&mut self, session: &Session) -> Result<(), StoreError>;

    /// Writes counter, lifetimes and moment of rotation of a locked session.
    async fn rotate_session(&mut self, session: &Session) -> Result<(), StoreError>;

    /// Ends a session that has not been ended before.
    async fn revoke_session(
        &mut self,
        id: SessionId,
        at: Instant,
        reason: RevokeReason,
    ) -> Result<(), StoreError>;

    /// Notes a successful sign-in, and the new hash if the old one was outdated.
    async fn record_login(
        &mut self,
        user: UserId,
        at: Instant,
        new_hash: Option<&PasswordHash>,
    ) -> Result<(), StoreError>;
}
