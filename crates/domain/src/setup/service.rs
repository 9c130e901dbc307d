use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;

use super::FirstSuperuser;
use crate::{
    access::{Actor, ManageUsers, RequestContext},
    audit::Audit,
    error::{Error, TokenFault},
    input::{Input, checked_with},
    platform::Platform,
    stamp::Stamp,
    text::Secret,
    users::User,
};

/// Use cases of the first set-up.
pub struct Setup<'a> {
    platform: &'a Platform,
}

impl<'a> Setup<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// Opens the set-up if there is no superuser yet: a fresh one-time token, which is stored as a digest and can be
    /// shown only now. `None` if there is a superuser.
    ///
    /// # Errors
    /// `Forbidden` for everybody but the system.
    pub async fn open(&self, actor: &Actor) -> Result<Option<Secret<String>>, Error> {
        let grant = actor.grant_platform::<ManageUsers>()?;
        let mut tx = self.platform.write(actor).await?;
        if tx.has_superuser().await? {
            return Ok(None);
        }
        let token = Secret::new(URL_SAFE_NO_PAD.encode(self.platform.random::<32>()));
        tx.put_setup_token(&grant, &token.digest()).await?;
        self.platform.commit(tx, Audit::none("opening the set-up changes no resource")).await?;
        Ok(Some(token))
    }

    /// Makes the first superuser for whoever has the token.
    ///
    /// # Errors
    /// `Gone` once there is a superuser; `Unauthenticated` for a wrong token; `Invalid`; `Conflict(UserEmail)`.
    #[expect(clippy::disallowed_methods, reason = "the one-time token stands for the system's own right")]
    pub async fn complete(
        &self,
        request: RequestContext,
        input: impl Input<FirstSuperuser>,
    ) -> Result<User, Error> {
        let reader = self.platform.read(&Actor::anonymous(request.clone())).await?;
        let Some(expected) = reader.setup_token().await? else {
            return Err(Error::Gone { what: "the first set-up" });
        };
        drop(reader);
        let passwords = self.platform.passwords();
        let first =
            checked_with(input, |first: &FirstSuperuser| first.to_new_user().password_faults(&passwords))?;
        if !bool::from(first.token.digest().ct_eq(&expected)) {
            let nobody = Actor::anonymous(request);
            self.platform.audit().note_failed_sign_in(nobody.author(), None).await;
            return Err(Error::Unauthenticated(TokenFault::Invalid));
        }
        let actor = Actor::system(request);
        let grant = actor.grant_platform::<ManageUsers>()?;
        let hash = passwords.hash(&first.password).await?;
        let new = first.to_new_user();
        let user = User {
            id: self.platform.mint(),
            email: new.email.parse().map_err(|error| Error::invalid("email", format!("is {error}")))?,
            full_name: new.full_name,
            is_superuser: true,
            locale: "en".into(),
            timezone: "UTC".into(),
            last_login_at: None,
            stamp: Stamp::new(grant.author(), self.platform.now()),
        };
        let mut tx = self.platform.write(&actor).await?;
        // Of two who send the same token at once, one is too late.
        if tx.has_superuser().await? || !tx.take_setup_token(&grant, &expected).await? {
            return Err(Error::Gone { what: "the first set-up" });
        }
        tx.insert_user(&grant, &user, Some(&hash)).await?;
        self.platform.commit(tx, Audit::created(&grant, &user)).await?;
        Ok(user)
    }

    /// Whether any superuser exists.
    ///
    /// # Errors
    /// `Forbidden` for everybody but superusers and the system.
    pub async fn has_superuser(&self, actor: &Actor) -> Result<bool, Error> {
        actor.grant_platform::<ManageUsers>()?;
        Ok(self.platform.read(actor).await?.has_superuser().await?)
    }

    /// Checks that this node's secret keys belong to the database, and remembers them.
    ///
    /// Shape: `fingerprints` of all keys of the node, the signing one first. True if it shares at least one with the
    /// last start, or this is the first start; false if it shares none, and then nothing is written.
    ///
    /// # Errors
    /// `Forbidden` for everybody but the system.
    pub async fn adopt_keys(&self, actor: &Actor, fingerprints: &[String]) -> Result<bool, Error> {
        let grant = actor.grant_platform::<ManageUsers>()?;
        let mut tx = self.platform.write(actor).await?;
        let known = tx.claim_key_fingerprints(&grant, fingerprints).await?;
        if !known.iter().any(|key| fingerprints.contains(key)) {
            return Ok(false);
        }
        if known != fingerprints {
            tx.put_key_fingerprints(&grant, fingerprints).await?;
        }
        self.platform.commit(tx, Audit::none("which keys a node brought is in its own log")).await?;
        Ok(true)
    }
}
