use async_trait::async_trait;

use super::{RevokeReason, Session, SessionSort, SessionsGrant};
use crate::{
    access::{Grant, ManageSessions, Standing},
    ids::{SessionId, UserId},
    page::{Listing, Page},
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

/// What a request needs to know of its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSession {
    /// The rights of its user.
    pub standing: Standing,
    /// The counter of its newest refresh token.
    pub refresh_counter: i64,
    /// The highest counter of which a token was used.
    pub refresh_confirmed: i64,
}

/// An account that nobody else changes meanwhile.
#[derive(Clone)]
pub struct LockedAccount {
    /// Whether the user may see everything.
    pub is_superuser: bool,
    /// The hash of his password, if he has one.
    pub password: Option<PasswordHash>,
}

/// Stores sessions. Mostly reached before anybody has proven who he is, so no grant guards that; only the session use cases
/// can reach it.
#[async_trait]
pub trait SessionRepository {
    /// The active account with this address.
    async fn find_login(&self, email: &EmailAddress) -> Result<Option<LoginRecord>, StoreError>;

    /// The rights of the session's user at this moment, in one statement. `None` if session or user are gone, ended,
    /// over or archived.
    ///
    /// Memberships count if they and their organization are active; assignments if they and their membership are. An
    /// assigned site or module may be archived: every query leaves it out by itself.
    async fn find_standing(
        &self,
        session: SessionId,
        now: Instant,
    ) -> Result<Option<LiveSession>, StoreError>;

    /// The session, whatever its state, locked until the transaction ends.
    ///
    /// # Errors
    /// `Conflict(Rule::RefreshInFlight)` if somebody else has locked it: nobody waits here, so that those who do hold no
    /// connection meanwhile.
    async fn lock_session(&mut self, id: SessionId) -> Result<Option<Session>, StoreError>;

    /// Whether the active user is a superuser; `None` if he is archived, or there is none.
    async fn find_is_superuser(&self, user: UserId) -> Result<Option<bool>, StoreError>;

    /// The active account, held until the transaction ends: whoever changes its password or state waits. `None` if it is archived, or
    /// there is none.
    async fn lock_account(&mut self, user: UserId) -> Result<Option<LockedAccount>, StoreError>;

    /// Adds a session.
    async fn insert_session(&mut self, session: &Session) -> Result<(), StoreError>;

    /// Notes that a token of this counter was used, if it is the newest and was not used before.
    async fn confirm_session(&mut self, id: SessionId, counter: i64, at: Instant) -> Result<(), StoreError>;

    /// Writes counters, lifetimes, moment and client of the rotation of a locked session.
    async fn rotate_session(&mut self, session: &Session) -> Result<(), StoreError>;

    /// One page of the live sessions of a user within the grant, the newest first unless it is asked for otherwise.
    async fn list_sessions(
        &self,
        grant: &Grant<ManageSessions>,
        user: UserId,
        now: Instant,
        listing: &Listing<(), SessionSort>,
    ) -> Result<Page<Session>, StoreError>;

    /// Ends a live session of the grant's user. False if it is not his, has been ended or is over.
    async fn end_session(
        &mut self,
        grant: &SessionsGrant,
        id: SessionId,
        at: Instant,
        reason: RevokeReason,
    ) -> Result<bool, StoreError>;

    /// Ends all sessions of a user that have not been ended before, but for this one.
    async fn end_sessions(
        &mut self,
        user: UserId,
        except: Option<SessionId>,
        at: Instant,
        reason: RevokeReason,
    ) -> Result<(), StoreError>;

    /// Whether none of the user's sessions so far came from this address, and there were some.
    async fn is_new_address(&self, user: UserId, client: &str) -> Result<bool, StoreError>;

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
