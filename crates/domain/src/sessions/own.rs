//! The sessions of a user: looked at and ended by himself, or by a superuser.

use super::{RevokeReason, Session, SessionSort, Sessions, SessionsGrant};
use crate::{
    access::{Actor, ManageSessions},
    audit::{Action, Audit},
    error::{Error, TokenFault},
    ids::{SessionId, UserId},
    page::{Inactive, Listing, Page},
};

impl Sessions<'_> {
    /// One page of the live sessions of the user who acts.
    ///
    /// # Errors
    /// `Unauthenticated` if no user acts.
    pub async fn list_own(
        &self,
        actor: &Actor,
        listing: &Listing<(), SessionSort>,
    ) -> Result<Page<Session>, Error> {
        let actor = &actor.looking_for::<ManageSessions>()?;
        let user = actor.user().ok_or(Error::Unauthenticated(TokenFault::Missing))?;
        self.list(actor, user, listing).await
    }

    /// One page of the live sessions of a user.
    ///
    /// # Errors
    /// `NotFound` for a user whom the actor does not see; `Forbidden` for everybody but himself and superusers.
    pub async fn list_of(
        &self,
        actor: &Actor,
        user: UserId,
        listing: &Listing<(), SessionSort>,
    ) -> Result<Page<Session>, Error> {
        let actor = &actor.looking_for::<ManageSessions>()?;
        self.platform.users().find(actor, user, Inactive::Hidden).await?;
        grant_for(actor, user)?;
        self.list(actor, user, listing).await
    }

    async fn list(
        &self,
        actor: &Actor,
        user: UserId,
        listing: &Listing<(), SessionSort>,
    ) -> Result<Page<Session>, Error> {
        let grant = actor.grant::<ManageSessions>()?;
        let reader = self.platform.read(actor).await?;
        Ok(reader.list_sessions(&grant, user, self.platform.now(), listing).await?)
    }

    /// Ends a session of the user who acts; it may be the one that he acts in.
    ///
    /// # Errors
    /// `Unauthenticated` if no user acts; `NotFound` if it is not his or has ended.
    pub async fn end_own(&self, actor: &Actor, session: SessionId) -> Result<(), Error> {
        let actor = &actor.looking_for::<ManageSessions>()?;
        let user = actor.user().ok_or(Error::Unauthenticated(TokenFault::Missing))?;
        self.end(actor, user, session).await
    }

    /// Ends a session of a user.
    ///
    /// # Errors
    /// As [`Sessions::list_of`], and `NotFound` if it is not his or has ended.
    pub async fn end_of(&self, actor: &Actor, user: UserId, session: SessionId) -> Result<(), Error> {
        let actor = &actor.looking_for::<ManageSessions>()?;
        self.platform.users().find(actor, user, Inactive::Hidden).await?;
        self.end(actor, user, session).await
    }

    async fn end(&self, actor: &Actor, user: UserId, session: SessionId) -> Result<(), Error> {
        let grant = grant_for(actor, user)?;
        let reason = grant.reason();
        let mut tx = self.platform.write(actor).await?;
        if !tx.end_session(&grant, session, self.platform.now(), reason).await? {
            return Err(Error::NotFound { what: "session" });
        }
        let trail = Audit::session(actor.author().clone(), Action::SignedOut, session.uuid(), user);
        self.platform.commit(tx, trail).await
    }

    /// Ends all sessions of the user who acts, the one that he acts in among them.
    ///
    /// # Errors
    /// `Unauthenticated` if no user acts.
    pub async fn end_all_own(&self, actor: &Actor) -> Result<(), Error> {
        let actor = &actor.looking_for::<ManageSessions>()?;
        let user = actor.user().ok_or(Error::Unauthenticated(TokenFault::Missing))?;
        self.end_all(actor, user).await
    }

    /// Ends all sessions of a user.
    ///
    /// # Errors
    /// As [`Sessions::list_of`].
    pub async fn end_all_of(&self, actor: &Actor, user: UserId) -> Result<(), Error> {
        let actor = &actor.looking_for::<ManageSessions>()?;
        self.platform.users().find(actor, user, Inactive::Hidden).await?;
        self.end_all(actor, user).await
    }

    async fn end_all(&self, actor: &Actor, user: UserId) -> Result<(), Error> {
        let grant = grant_for(actor, user)?;
        let reason = grant.reason();
        let mut tx = self.platform.write(actor).await?;
        tx.end_sessions(user, None, self.platform.now(), reason).await?;
        let trail = Audit::of_account(actor.author().clone(), Action::SignedOut, user);
        self.platform.commit(tx, trail).await
    }
}

/// The right to look at and end the sessions of a user.
fn grant_for(actor: &Actor, user: UserId) -> Result<SessionsGrant, Error> {
    if actor.user() == Some(user) {
        return Ok(SessionsGrant::Own(actor.grant_own::<ManageSessions>()?));
    }
    Ok(SessionsGrant::Anybodys(actor.grant_platform::<ManageSessions>()?, user))
}

impl SessionsGrant {
    /// Whose sessions.
    pub const fn user(&self) -> UserId {
        match self {
            Self::Own(grant) => grant.user(),
            Self::Anybodys(_, user) => *user,
        }
    }

    const fn reason(&self) -> RevokeReason {
        match self {
            Self::Own(_) => RevokeReason::EndedByUser,
            Self::Anybodys(..) => RevokeReason::EndedBySuperuser,
        }
    }
}
