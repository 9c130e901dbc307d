use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use validator::Validate;

use super::{
    ABSOLUTE_LIFETIME, ACCESS_TOKEN_LIFETIME, IDLE_LIFETIME, LiveSession, LockedAccount, RefreshKey,
    RefreshToken, RevokeReason, Session,
    family::{Verdict, client_kind},
};
use crate::{
    access::{Actor, Author, AuthorKind, ReadProfiles, RequestContext},
    audit::{Action, Audit},
    error::{Error, Rule, TokenFault},
    ids::{SessionId, UserId},
    input::{Input, checked},
    keys,
    mail::{self, Notice, SecurityEvent},
    platform::Platform,
    ports::{AccessClaims, HashRoom, PasswordVerdict, Tx},
    text::{EmailAddress, Secret},
    throttle::Admission,
    time::Instant,
    users::User,
};

/// What somebody signs in with.
#[derive(Debug, Clone, Validate)]
pub struct Credentials {
    /// The address; one that is no address is simply unknown.
    #[validate(length(max = 1000, message = "must be at most 1000 characters"))]
    pub email: String,
    /// The password.
    #[validate(skip)]
    pub password: Secret<String>,
}

/// What a session is carried on with.
#[derive(Debug, Clone)]
pub struct SessionTokens {
    /// Shown with every request.
    pub access_token: Secret<String>,
    /// Shown once, for the next pair.
    pub refresh_token: Secret<String>,
    /// When the access token ends.
    pub expires_at: Instant,
    /// Seconds until then.
    pub expires_in: u64,
}

/// Use cases of sessions; the only ones with doors for somebody who has not proven who he is.
pub struct Sessions<'a> {
    pub(super) platform: &'a Platform,
}

impl<'a> Sessions<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// Signs in.
    ///
    /// The same work is done for unknown and archived accounts, for those without a password and for wrong passwords, the
    /// audit entry included. Whoever guesses is slowed down before anything is hashed ([`crate::throttle`]).
    ///
    /// # Errors
    /// `Unauthenticated(Credentials)`; `Invalid`; `Limited`; `Unavailable` while every hashing thread is taken.
    pub async fn login(
        &self,
        request: RequestContext,
        input: impl Input<Credentials>,
    ) -> Result<SessionTokens, Error> {
        let throttle = self.platform.throttle();
        let credentials = checked(input)?;
        // Before anything is asked or written: a flood is turned away without a word to the database.
        let room = self.platform.ports().passwords.room()?;
        let nobody = Actor::anonymous(request.clone());
        let email = address_of(&credentials.email)?;
        let admission = throttle.guess(&request, &email).await?;
        let tried = self.try_password(&nobody, room, (&email, &credentials.password), &admission).await;
        throttle.judged(admission, tried)
    }

    async fn try_password(
        &self,
        nobody: &Actor,
        room: HashRoom,
        (email, password): (&EmailAddress, &Secret<String>),
        admission: &Admission,
    ) -> Result<SessionTokens, Error> {
        let request = nobody.request();
        let record = self.platform.read(nobody).await?.find_login(email).await?;
        let (user, stored) = record.map_or((None, None), |found| (Some(found.user_id), found.password));
        let verified = stored.clone();
        let passwords = self.platform.passwords();
        let verdict = passwords.verify_within(room, password, stored).await?;
        let (Some(user), PasswordVerdict::Correct | PasswordVerdict::CorrectButOutdated) = (user, verdict)
        else {
            return Err(self.sign_in_failed(nobody, user).await);
        };
        let new_hash = match verdict {
            // Without room for it the next time will do: the password is right.
            PasswordVerdict::CorrectButOutdated => passwords.hash(password).await.ok(),
            PasswordVerdict::Correct | PasswordVerdict::Wrong => None,
        };
        let (session, key) = self.begin(user, &request)?;
        let mut tx = self.platform.write(nobody).await?;
        // A password that was replaced while this one was being checked lets nobody in any more, and is not written back.
        let account = tx.lock_account(user).await?.filter(|account| account.password == verified);
        let Some(LockedAccount { is_superuser, .. }) = account else {
            // Ended first: on SQLite there is one writer at a time.
            drop(tx);
            return Err(self.sign_in_failed(nobody, Some(user)).await);
        };
        let by = author((user, is_superuser), &request);
        self.tell_of_new_address(tx.as_mut(), &by, &session).await?;
        tx.insert_session(&session).await?;
        tx.record_login(user, session.created_at, new_hash.as_ref()).await?;
        admission.succeeded(tx.as_mut(), session.created_at).await?;
        let trail = Audit::session(by, Action::SignedIn, session.id.uuid(), user);
        self.platform.commit(tx, trail).await?;
        self.tokens(&session, &key, session.created_at)
    }

    /// Tells the user of a sign-in from an address that none of his earlier sessions had; the very first one is no news.
    async fn tell_of_new_address(
        &self,
        tx: &mut dyn Tx,
        by: &Author,
        session: &Session,
    ) -> Result<(), Error> {
        let Some(client) = &session.client else { return Ok(()) };
        if !tx.is_new_address(session.user_id, client).await? {
            return Ok(());
        }
        let notice = Notice {
            user: session.user_id,
            event: SecurityEvent::NewSignIn,
            of: session.id.to_string(),
            about: None,
            keys_left: 0,
            user_agent: session.user_agent.as_deref(),
        };
        mail::notify(self.platform, tx, by, notice).await.map(drop)
    }

    async fn sign_in_failed(&self, nobody: &Actor, account: Option<UserId>) -> Error {
        self.platform.audit().note_failed_sign_in(nobody.author(), account).await;
        Error::Unauthenticated(TokenFault::Credentials)
    }

    /// Exchanges a refresh token for the next pair; the old one is dead afterwards.
    ///
    /// The token before the newest is answered with the newest once more where the client may have lost the answer, or has
    /// several tabs (see `family.rs`). Every other one that was exchanged before is taken for stolen: its session ends, newest
    /// tokens included. That stays done although the request fails.
    ///
    /// # Errors
    /// `Unauthenticated(Invalid)` for everything else; `Conflict(RefreshInFlight)` while another request exchanges a token of the
    /// session: to be tried again in some milliseconds; `Limited` after a few that were never issued here.
    pub async fn refresh(&self, request: RequestContext, token: &str) -> Result<SessionTokens, Error> {
        let refused = || Error::Unauthenticated(TokenFault::Invalid);
        let notary = self.platform.ports().notary.as_ref();
        let token = RefreshToken::parse(token).filter(|token| token.is_sealed(notary));
        let Some(token) = token else {
            // A guess like others, for which the database is not asked. Whoever shares its address and has a token is not counted.
            self.platform.throttle().forged(&request).await?;
            return Err(refused());
        };
        let nobody = Actor::anonymous(request.clone());
        let live =
            self.platform.read(&nobody).await?.find_standing(token.session(), self.platform.now()).await?;
        if live.is_none() {
            // Sealed here once, and good for nothing any more: no transaction, of which SQLite has one at a time.
            self.platform.throttle().forged(&request).await?;
            return Err(refused());
        }
        let mut tx = self.platform.write(&nobody).await?;
        let session = tx.lock_session(token.session()).await?.ok_or_else(refused)?;
        let key = self.open_key(&session)?;
        let now = self.platform.now();
        if !token.is_authentic(&key) || !session.is_live(now) {
            return Err(refused());
        }
        let is_superuser = tx.find_is_superuser(session.user_id).await?.ok_or_else(refused)?;
        let kind = client_kind(request.user_agent.as_deref());
        match session.judge(token.counter(), &kind, now) {
            Verdict::Exchange => self.exchange(tx, session, &key, kind, now).await,
            Verdict::SendAgain => self.send_again(tx, session, &key, now).await,
            Verdict::Wait => Err(Error::Conflict(Rule::RefreshInFlight)),
            Verdict::Reused => {
                let by = author((session.user_id, is_superuser), &request);
                self.end_reused(tx, &session, by, request.user_agent.as_deref()).await?;
                Err(refused())
            }
            Verdict::Ahead => {
                tracing::error!(session.id = %session.id, "an authentic refresh token is ahead of its session; was a backup restored?");
                Err(refused())
            }
        }
    }

    async fn exchange(
        &self,
        mut tx: Box<dyn Tx>,
        session: Session,
        key: &RefreshKey,
        client_kind: Vec<u8>,
        now: Instant,
    ) -> Result<SessionTokens, Error> {
        let next = Session {
            refresh_counter: session.refresh_counter.saturating_add(1),
            refresh_confirmed: session.refresh_counter,
            confirmed_at: None,
            rotated_at: now,
            grace_uses: 0,
            client_kind: Some(client_kind),
            idle_until: now.plus(IDLE_LIFETIME),
            ..session
        };
        tx.rotate_session(&next).await?;
        self.platform.commit(tx, Audit::none("a rotation is part of the sign-in that the log has")).await?;
        self.tokens(&next, key, now)
    }

    /// Sends the newest token for the one before: nothing is exchanged, and the same use is only counted.
    async fn send_again(
        &self,
        mut tx: Box<dyn Tx>,
        session: Session,
        key: &RefreshKey,
        now: Instant,
    ) -> Result<SessionTokens, Error> {
        let same = Session { grace_uses: session.grace_uses.saturating_add(1), ..session };
        tx.rotate_session(&same).await?;
        self.platform.commit(tx, Audit::none("nothing is exchanged that was not before")).await?;
        self.tokens(&same, key, now)
    }

    async fn end_reused(
        &self,
        mut tx: Box<dyn Tx>,
        session: &Session,
        by: Author,
        user_agent: Option<&str>,
    ) -> Result<(), Error> {
        tx.revoke_session(session.id, self.platform.now(), RevokeReason::TokenReused).await?;
        let notice = Notice {
            user: session.user_id,
            event: SecurityEvent::TokenReused,
            of: session.id.to_string(),
            about: None,
            keys_left: 0,
            user_agent,
        };
        mail::notify(self.platform, tx.as_mut(), &by, notice).await?;
        let trail = Audit::session(by, Action::TokenReused, session.id.uuid(), session.user_id);
        self.platform.commit(tx, trail).await?;
        tracing::warn!(session.id = %session.id, user.id = %session.user_id, "a refresh token was used again; its session was ended");
        Ok(())
    }

    /// Signs out: the session of the request ends at once, on every node.
    ///
    /// # Errors
    /// `Unauthenticated` if no user acts.
    pub async fn logout(&self, actor: &Actor) -> Result<(), Error> {
        let user = actor.person()?;
        let session = actor.session().ok_or(Error::Unauthenticated(TokenFault::Missing))?;
        let mut tx = self.platform.write(actor).await?;
        tx.revoke_session(session, self.platform.now(), RevokeReason::SignedOut).await?;
        let trail = Audit::session(actor.author().clone(), Action::SignedOut, session.uuid(), user);
        self.platform.commit(tx, trail).await
    }

    /// Who shows this access token, API key or device credential, with his rights at this moment.
    ///
    /// # Errors
    /// `Unauthenticated`; `Unavailable` if the database cannot be asked: no decision without it.
    pub async fn authenticate(&self, request: RequestContext, token: &str) -> Result<Actor, Error> {
        if keys::is_key(token) {
            return keys::authenticate(self.platform, request, token).await;
        }
        let now = self.platform.now();
        let claims = self.platform.ports().tokens.verify(token, now).map_err(Error::Unauthenticated)?;
        let nobody = Actor::anonymous(RequestContext::default());
        let live = self.platform.read(&nobody).await?.find_standing(claims.session, now).await?;
        let live = live
            .filter(|live| live.standing.user == claims.user)
            .ok_or(Error::Unauthenticated(TokenFault::Invalid))?;
        self.confirm(&nobody, &claims, &live).await;
        Ok(Actor::from_standing(live.standing, request))
    }

    /// Notes the first use of an access token that came with the newest refresh token: whoever uses it has the answer to the
    /// refresh, so that nobody can have lost it. Once a rotation; the standing tells whether it was done.
    async fn confirm(&self, nobody: &Actor, claims: &AccessClaims, live: &LiveSession) {
        let counter = live.refresh_counter;
        if claims.refresh_counter != counter || live.refresh_confirmed >= counter {
            return;
        }
        let Some(_noting) = self.platform.confirming().begin(claims.session, counter) else { return };
        if let Err(error) = self.note_first_use(nobody, claims.session, counter).await {
            // The old token is then good for a minute rather than ten seconds, which is no reason to refuse the request.
            tracing::warn!(session.id = %claims.session, %error, "the first use of a token could not be noted");
        }
    }

    async fn note_first_use(&self, nobody: &Actor, session: SessionId, counter: i64) -> Result<(), Error> {
        let mut tx = self.platform.write(nobody).await?;
        tx.confirm_session(session, counter, self.platform.now()).await?;
        self.platform.commit(tx, Audit::none("that a token is used is told by what it is used for")).await
    }

    /// The user who acts, or whose key acts; a key needs no scope for it.
    ///
    /// # Errors
    /// `Unauthenticated` for nobody; `Forbidden` for devices and keys of organizations.
    pub async fn me(&self, actor: &Actor) -> Result<User, Error> {
        let actor = actor.as_oneself()?;
        let id = actor.user().ok_or(Error::Unauthenticated(TokenFault::Missing))?;
        let grant = actor.grant::<ReadProfiles>()?;
        let reader = self.platform.read(&actor).await?;
        reader.find_user(&grant, id).await?.ok_or(Error::Unauthenticated(TokenFault::Invalid))
    }

    fn begin(&self, user: UserId, request: &RequestContext) -> Result<(Session, RefreshKey), Error> {
        let now = self.platform.now();
        let key: RefreshKey = Secret::new(self.platform.random::<32>().to_vec());
        let id = self.platform.mint();
        let session = Session {
            id,
            user_id: user,
            created_at: now,
            idle_until: now.plus(IDLE_LIFETIME),
            absolute_until: now.plus(ABSOLUTE_LIFETIME),
            refresh_counter: 1,
            // There is no token before the first one that anybody could show.
            refresh_confirmed: 1,
            confirmed_at: None,
            rotated_at: now,
            grace_uses: 0,
            client_kind: Some(client_kind(request.user_agent.as_deref())),
            sealed_key: self
                .platform
                .ports()
                .sealer
                .seal(&key_context(id), key.expose())
                .map_err(Error::Internal)?,
            client: request.client.map(|address| address.to_string()),
            user_agent: request.user_agent.clone(),
            revoked_at: None,
            revoke_reason: None,
        };
        Ok((session, key))
    }

    fn open_key(&self, session: &Session) -> Result<RefreshKey, Error> {
        let opened = self.platform.ports().sealer.open(&key_context(session.id), &session.sealed_key);
        opened.map_err(|error| {
            // The secret that sealed it was taken out of the ring: the session cannot go on, which is no fault of ours.
            tracing::warn!(session.id = %session.id, error = %error, "the key of a session cannot be opened");
            Error::Unauthenticated(TokenFault::Invalid)
        })
    }

    fn tokens(&self, session: &Session, key: &RefreshKey, now: Instant) -> Result<SessionTokens, Error> {
        let expires_at = now.plus(ACCESS_TOKEN_LIFETIME).min(session.absolute_until);
        let claims = AccessClaims {
            user: session.user_id,
            session: session.id,
            issued_at: now,
            expires_at,
            token_id: self.platform.mint::<AccessClaims>().uuid(),
            refresh_counter: session.refresh_counter,
        };
        Ok(SessionTokens {
            access_token: self.platform.ports().tokens.sign(&claims).map_err(Error::Internal)?,
            refresh_token: RefreshToken::issue(
                session.id,
                session.refresh_counter,
                key,
                self.platform.ports().notary.as_ref(),
            ),
            expires_at,
            expires_in: expires_at.since(now).as_secs(),
        })
    }
}

/// The address that somebody signs in with. A text that is none is counted and looked up all the same, under one that nobody can have.
fn address_of(text: &str) -> Result<EmailAddress, Error> {
    let nobody = |_| "nobody@invalid".parse::<EmailAddress>();
    text.parse().or_else(nobody).map_err(|error| Error::Internal(error.into()))
}

fn key_context(session: SessionId) -> Vec<u8> {
    format!("session:{}", URL_SAFE_NO_PAD.encode(session.uuid().as_bytes())).into_bytes()
}

/// A user, and whether he is a superuser, who is known by something else than an access token.
pub(crate) fn author((user, is_superuser): (UserId, bool), request: &RequestContext) -> Author {
    Author {
        kind: AuthorKind::User,
        user: Some(user),
        is_superuser,
        credential: None,
        request_id: request.request_id.clone(),
        client: request.client,
    }
}
