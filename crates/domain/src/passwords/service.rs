use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    NewPassword, PasswordChange, PasswordForgotten, PasswordReset, RESET_LIFETIME, RESETS_AN_HOUR,
    SendPasswordReset, WELCOME_LIFETIME,
    strength::{fault, normalized},
};
use crate::{
    access::{Actor, Author, ChangePassword, OwnGrant, RequestContext, RunJobs},
    audit::{Action, Audit},
    error::{Error, FieldErrors, Rule, TokenFault},
    ids::UserId,
    input::{Input, checked, checked_with},
    jobs::{self, Run, When},
    mail::{self, Content, NewMail, Notice, SecurityEvent},
    platform::Platform,
    ports::{HashRoom, PasswordHash, PasswordVerdict, Tx},
    sessions::{RevokeReason, author},
    text::{EmailAddress, Secret},
    throttle::{AccountKey, Admission, Counter, Place},
};

/// The page that asks for the new password, below the public URL.
const RESET_PAGE: &str = "/reset-password";
/// What the address of a [`SendPasswordReset`] is sealed for.
const ADDRESS_CONTEXT: &[u8] = b"password reset:address";
/// Hashes of this scheme were made elsewhere, of passwords as they were typed.
const IMPORTED_SCHEME: &str = "bcrypt";
const HOUR: std::time::Duration = std::time::Duration::from_hours(1);

/// Use cases of passwords.
pub struct Passwords<'a> {
    platform: &'a Platform,
}

impl<'a> Passwords<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// What is wrong with a password that somebody wants to have, under the name of its field. `about` are his names.
    pub(crate) fn faults(&self, field: &str, password: &Secret<String>, about: &[&str]) -> FieldErrors {
        match fault(password, self.platform.password_min_length(), about) {
            Some(fault) => FieldErrors::one(field, fault),
            None => FieldErrors::new(),
        }
    }

    /// Hashes a password.
    pub(crate) async fn hash(&self, password: &Secret<String>) -> Result<PasswordHash, Error> {
        Ok(self.platform.ports().passwords.hash(normalized(password)).await?)
    }

    /// Checks a password for whoever has a place in the line of the hashes, with the same work whether or not there is one to check it
    /// against.
    pub(crate) async fn verify_within(
        &self,
        room: HashRoom,
        password: &Secret<String>,
        stored: Option<PasswordHash>,
    ) -> Result<PasswordVerdict, Error> {
        let is_imported = stored.as_ref().is_some_and(|stored| stored.scheme == IMPORTED_SCHEME);
        let password = if is_imported { password.clone() } else { normalized(password) };
        Ok(self.platform.ports().passwords.verify_within(room, password, stored).await?)
    }

    /// Changes the password of the user who acts, ends all of his sessions but this one, and tells him by mail.
    ///
    /// # Errors
    /// `Forbidden` if no user acts; `Invalid`, also if the old password is not his; `Conflict(ChangedMeanwhile)`; `Unavailable` while
    /// every hashing thread is taken; `Limited` after a few wrong ones.
    pub async fn change(&self, actor: &Actor, input: impl Input<PasswordChange>) -> Result<(), Error> {
        let grant = actor.grant_own::<ChangePassword>()?;
        let reader = self.platform.read(actor).await?;
        let words = reader.words_about(grant.user()).await?;
        let before = reader.find_password(&grant).await?;
        drop(reader);
        let about: Vec<&str> = words.iter().map(String::as_str).collect();
        let change = checked_with(input, |change: &PasswordChange| {
            self.faults("new_password", &change.new_password, &about)
        })?;
        if normalized(&change.new_password) == normalized(&change.current_password) {
            return Err(Error::invalid("new_password", "must be another one than the current password"));
        }
        // A guess like one at signing in, and counted as one: whoever took a token does not guess faster with it.
        let request = actor.request();
        let throttle = self.platform.throttle();
        let room = self.platform.ports().passwords.room()?;
        let reader = self.platform.read(actor).await?;
        let address = reader.find_address(grant.user()).await?;
        drop(reader);
        let address = address.ok_or(Error::Unauthenticated(TokenFault::Invalid))?;
        let admission = throttle.guess(&request, &address).await?;
        let outcome = self.try_change(actor, &grant, (room, before, &change), &admission).await;
        throttle.judged(admission, outcome)
    }

    async fn try_change(
        &self,
        actor: &Actor,
        grant: &OwnGrant<ChangePassword>,
        (room, before, change): (HashRoom, Option<PasswordHash>, &PasswordChange),
        admission: &Admission,
    ) -> Result<(), Error> {
        let verdict = self.verify_within(room, &change.current_password, before.clone()).await?;
        let (Some(before), PasswordVerdict::Correct | PasswordVerdict::CorrectButOutdated) =
            (before, verdict)
        else {
            self.platform.audit().note_failed_sign_in(actor.author(), Some(grant.user())).await;
            return Err(Error::invalid("current_password", "is not your password"));
        };
        let after = self.hash(&change.new_password).await?;
        let mut tx = self.platform.write(actor).await?;
        let now = self.platform.now();
        if !tx.change_password(grant, &before, &after).await? {
            return Err(Error::Conflict(Rule::ChangedMeanwhile));
        }
        // The user before his sessions, as where he signs in: a session that was begun with the old password is there by now, or never will be.
        tx.end_sessions(grant.user(), actor.session(), now, RevokeReason::PasswordChanged).await?;
        admission.succeeded(tx.as_mut(), now).await?;
        let told = (grant.user(), SecurityEvent::PasswordChanged);
        self.tell(tx.as_mut(), actor.author(), actor.user_agent(), told).await?;
        let trail = Audit::of_account(actor.author().clone(), Action::PasswordChanged, grant.user());
        self.platform.commit(tx, trail).await
    }

    /// Has a way to a new password sent to an address, if it is that of an account. Does the same for every address.
    ///
    /// # Errors
    /// `Invalid` for what is no address; `Limited`; `Unavailable`.
    pub async fn forgot(
        &self,
        request: RequestContext,
        input: impl Input<PasswordForgotten>,
    ) -> Result<(), Error> {
        let throttle = self.platform.throttle();
        let forgotten = checked(input)?;
        let email =
            forgotten.email.parse().map_err(|error| Error::invalid("email", format!("is {error}")))?;
        throttle.letter(&request, &email).await?;
        let job = self.letter_to(&forgotten.email, false)?;
        let nobody = Actor::anonymous(request);
        let mut tx = self.platform.write(&nobody).await?;
        jobs::enqueue(self.platform, tx.as_mut(), nobody.author(), &job, When::Now).await?;
        self.platform.commit(tx, Audit::none("what comes of it is told when the password is changed")).await
    }

    /// Writes the mail that somebody asked for, if the address is that of an active user who has not got many already. Settles the
    /// job.
    ///
    /// # Errors
    /// `Conflict(LeaseLost)`; `Unavailable`.
    pub async fn send_reset(&self, run: &Run, job: &SendPasswordReset) -> Result<(), Error> {
        let actor = run.closing_actor(None);
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut tx = self.platform.write(&actor).await?;
        let Some(address) = self.address_of(job) else {
            return self.platform.commit(tx, Audit::none("nobody can be told from it")).await;
        };
        if let Some(account) = tx.find_login(&address).await? {
            let (now, token) = (self.platform.now(), self.platform.random::<32>());
            let token = Secret::new(URL_SAFE_NO_PAD.encode(token));
            let reset = PasswordReset {
                id: self.platform.mint::<PasswordReset>().uuid(),
                user_id: account.user_id,
                email: address.clone(),
                token_digest: token.digest(),
                created_at: now,
                expires_at: now.plus(if job.is_welcome { WELCOME_LIFETIME } else { RESET_LIFETIME }),
            };
            if tx.insert_password_reset(&grant, &reset, now.minus(HOUR), RESETS_AN_HOUR).await? {
                let path = RESET_PAGE.to_owned();
                let content = if job.is_welcome {
                    Content::Welcome(mail::Welcome { path, hours: WELCOME_LIFETIME.as_secs() / 3600 })
                } else {
                    Content::PasswordReset(mail::PasswordReset {
                        path,
                        minutes: RESET_LIFETIME.as_secs() / 60,
                    })
                };
                let new = NewMail {
                    secret: Some(token),
                    good_until: Some(reset.expires_at),
                    ..NewMail::new(address, format!("password_reset:{}", reset.id), content)
                };
                mail::send(self.platform, tx.as_mut(), grant.author(), new).await?;
            }
        }
        self.platform.commit(tx, Audit::none("what comes of it is told when the password is changed")).await
    }

    /// Has the user of a new account sent the way to his first password.
    pub(crate) async fn welcome(
        &self,
        tx: &mut dyn Tx,
        by: &Author,
        email: &EmailAddress,
    ) -> Result<(), Error> {
        let job = self.letter_to(email.as_str(), true)?;
        jobs::enqueue(self.platform, tx, by, &job, When::Now).await.map(drop)
    }

    fn letter_to(&self, address: &str, is_welcome: bool) -> Result<SendPasswordReset, Error> {
        let sealer = &self.platform.ports().sealer;
        let sealed = sealer.seal(ADDRESS_CONTEXT, address.as_bytes()).map_err(Error::Internal)?;
        Ok(SendPasswordReset { sealed_address: URL_SAFE_NO_PAD.encode(sealed), is_welcome })
    }

    fn address_of(&self, job: &SendPasswordReset) -> Option<EmailAddress> {
        let sealed = URL_SAFE_NO_PAD.decode(&job.sealed_address).ok()?;
        let opened = self.platform.ports().sealer.open(ADDRESS_CONTEXT, &sealed);
        let opened =
            opened.inspect_err(|error| tracing::warn!(%error, "the address of a job cannot be opened"));
        std::str::from_utf8(opened.ok()?.expose()).ok()?.parse().ok()
    }

    /// Gives whoever has the token of a mail a new password, ends all of his sessions, and tells him by mail. The token is used up.
    ///
    /// # Errors
    /// `Unauthenticated(Invalid)` for a token that is unknown, was used or is over, or whose user is gone: which is not told;
    /// `Invalid`, which does not use it up; `Unavailable` while every hashing thread is taken.
    pub async fn reset(&self, request: RequestContext, input: impl Input<NewPassword>) -> Result<(), Error> {
        let refused = || Error::Unauthenticated(TokenFault::Invalid);
        let new = checked(input)?;
        let nobody = Actor::anonymous(request.clone());
        let reader = self.platform.read(&nobody).await?;
        let found = reader.find_password_reset(&new.token.digest(), self.platform.now()).await?;
        let reset = found.ok_or_else(refused)?;
        let words = reader.words_about(reset.user_id).await?;
        drop(reader);
        let about: Vec<&str> = words.iter().map(String::as_str).collect();
        self.faults("new_password", &new.new_password, &about).into_result()?;
        let hash = self.hash(&new.new_password).await?;
        let mut tx = self.platform.write(&nobody).await?;
        let account = tx.lock_account(reset.user_id).await?.ok_or_else(refused)?;
        if !tx.use_password_reset(&reset, &hash).await? {
            return Err(refused());
        }
        tx.end_sessions(reset.user_id, None, self.platform.now(), RevokeReason::PasswordChanged).await?;
        // Whoever was guessing has guessed at another password; and here is somebody who reads the account's mail.
        if let Some(address) = tx.find_address(reset.user_id).await? {
            let account = AccountKey::of_sign_in(&address);
            tx.write_attempts(&account, None, &Counter::default()).await?;
            if let Some(place) = request.client.map(Place::of) {
                tx.write_attempts(&account, Some(&place), &Counter::of_success(self.platform.now())).await?;
            }
        }
        let by = author((reset.user_id, account.is_superuser), &request);
        let told = (reset.user_id, SecurityEvent::PasswordReset);
        self.tell(tx.as_mut(), &by, request.user_agent.as_deref(), told).await?;
        let trail = Audit::of_account(by, Action::PasswordReset, reset.user_id);
        self.platform.commit(tx, trail).await
    }

    async fn tell(
        &self,
        tx: &mut dyn Tx,
        by: &Author,
        user_agent: Option<&str>,
        (user, event): (UserId, SecurityEvent),
    ) -> Result<(), Error> {
        // Each change is news of its own.
        let of = self.platform.mint::<Notice<'_>>().to_string();
        let keys_left = tx.count_good_api_keys(user).await?;
        let notice = Notice { user, event, of, about: None, keys_left, user_agent };
        mail::notify(self.platform, tx, by, notice).await.map(drop)
    }
}
