use super::{ApiKey, ApiKeyChanges, ApiKeySort, KeysGrant, NewApiKey};
use crate::{
    access::{ActingGrant as _, Actor, ManageApiKeys, PermissionKind, ReadOrganizations, Role},
    audit::{Action, Audit},
    error::Error,
    ids::{ApiKeyId, OrgId, UserId},
    input::{Input, checked},
    keys::{IssuedKey, KeyKind},
    mail::{self, Notice, SecurityEvent},
    page::{Inactive, Listing, Page},
    platform::Platform,
    ports::Tx,
    stamp::{Precondition, Stamp},
    text::Secret,
    time::Instant,
};

/// How many admins of an organization are told of a key of its, besides whoever makes it.
const MOST_ADMINS_TOLD: u32 = 20;

/// Whose keys a use case is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeysOf {
    /// The actor's own.
    Oneself,
    /// An organization's.
    Organization(OrgId),
}

/// A new key with its secret, which is told this once.
#[derive(Debug)]
pub struct IssuedApiKey {
    /// The key.
    pub key: ApiKey,
    /// Its whole text.
    pub secret: Secret<String>,
}

/// Use cases of API keys. A key manages no keys.
pub struct ApiKeys<'a> {
    platform: &'a Platform,
}

impl<'a> ApiKeys<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// Makes a key, and tells whoever makes it by mail, and the admins of the organization whose key it is. Everybody for himself; an
    /// organization's admins and superusers for it.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for a superuser naming no active organization; `Invalid`, also for scopes that the owner does not
    /// hold himself.
    pub async fn create(
        &self,
        actor: &Actor,
        of: KeysOf,
        input: impl Input<NewApiKey>,
    ) -> Result<IssuedApiKey, Error> {
        let grant = self.grant(actor, of).await?;
        let mut draft = input.read()?;
        draft.faults.merge(draft.value.faults_of_scopes(|scope| is_held(actor, of, scope)));
        let now = self.platform.now();
        if is_over(draft.value.expires_at, now) {
            draft.faults.add("expires_at", PAST);
        }
        let new = draft.checked()?;
        let issued = IssuedKey::new(KeyKind::Api, self.platform.random(), self.platform.random())
            .ok_or_else(|| Error::Internal("a key could not be written".into()))?;
        let mut scopes = new.scopes;
        scopes.sort_unstable();
        scopes.dedup();
        let key = ApiKey {
            id: self.platform.mint(),
            owner: grant.owner(),
            name: new.name,
            prefix: issued.prefix,
            scopes,
            expires_at: new.expires_at,
            last_used_at: None,
            last_used_ip: None,
            stamp: Stamp::new(grant.author(), now),
        };
        let mut tx = self.platform.write(actor).await?;
        tx.insert_api_key(&grant, &key, &issued.digest).await?;
        self.tell(actor, tx.as_mut(), &grant, &key).await?;
        self.platform.commit(tx, Audit::created(&grant, &key)).await?;
        Ok(IssuedApiKey { key, secret: issued.secret })
    }

    /// Tells whoever makes the key, and the admins of its organization: it concerns all who answer for what it does.
    async fn tell(
        &self,
        actor: &Actor,
        tx: &mut dyn Tx,
        grant: &KeysGrant,
        key: &ApiKey,
    ) -> Result<(), Error> {
        let mut told: Vec<UserId> = actor.user().into_iter().collect();
        let (mut event, mut about) = (SecurityEvent::ApiKeyCreated, key.name.clone());
        if let KeysGrant::Organization(grant) = grant {
            let reading = actor.grant_within::<ReadOrganizations>(grant.org())?;
            let organization = tx.find_organization(&reading, grant.org()).await?;
            let organization = organization.ok_or(Error::NotFound { what: "organization" })?;
            event = SecurityEvent::OrganizationKeyCreated;
            about = format!("{about} ({})", organization.name);
            let admins = tx.list_admins(grant, MOST_ADMINS_TOLD).await?;
            told.extend(admins.into_iter().filter(|admin| Some(*admin) != actor.user()));
        }
        for user in told {
            let notice = Notice {
                user,
                event,
                of: format!("{}:{user}", key.id),
                about: Some(about.clone()),
                keys_left: 0,
                user_agent: actor.user_agent(),
            };
            mail::notify(self.platform, tx, grant.author(), notice).await?;
        }
        Ok(())
    }

    /// A key that has not been revoked.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`.
    pub async fn find(&self, actor: &Actor, of: KeysOf, id: ApiKeyId) -> Result<ApiKey, Error> {
        let grant = self.grant(actor, of).await?;
        self.found(actor, &grant, id).await
    }

    /// One page of the keys that have not been revoked.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for a superuser naming no active organization.
    pub async fn list(
        &self,
        actor: &Actor,
        of: KeysOf,
        listing: &Listing<(), ApiKeySort>,
    ) -> Result<Page<ApiKey>, Error> {
        let grant = self.grant(actor, of).await?;
        Ok(self.platform.read(actor).await?.list_api_keys(&grant, listing).await?)
    }

    /// Changes the name or the end of a key.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Invalid`; `Stale`.
    pub async fn update(
        &self,
        actor: &Actor,
        of: KeysOf,
        id: ApiKeyId,
        input: impl Input<ApiKeyChanges>,
        seen: Precondition,
    ) -> Result<ApiKey, Error> {
        let grant = self.grant(actor, of).await?;
        let before = self.found(actor, &grant, id).await?;
        let changes = checked(input)?;
        let now = self.platform.now();
        if is_over(changes.expires_at.flatten(), now) {
            return Err(Error::invalid("expires_at", PAST));
        }
        let after = ApiKey {
            name: changes.name.unwrap_or_else(|| before.name.clone()),
            expires_at: changes.expires_at.unwrap_or(before.expires_at),
            stamp: before.stamp.touched(grant.author(), now),
            ..before.clone()
        };
        self.write(actor, &grant, Action::Updated, (before, after), &seen).await
    }

    /// Revokes a key, which is good for nothing from then on and does not return.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Stale`.
    pub async fn revoke(
        &self,
        actor: &Actor,
        of: KeysOf,
        id: ApiKeyId,
        seen: Precondition,
    ) -> Result<ApiKey, Error> {
        let grant = self.grant(actor, of).await?;
        let before = self.found(actor, &grant, id).await?;
        let author = grant.author();
        let after = ApiKey { stamp: before.stamp.archived(author, self.platform.now()), ..before.clone() };
        self.write(actor, &grant, Action::Archived, (before, after), &seen).await
    }

    async fn write(
        &self,
        actor: &Actor,
        grant: &KeysGrant,
        action: Action,
        (before, after): (ApiKey, ApiKey),
        seen: &Precondition,
    ) -> Result<ApiKey, Error> {
        seen.check(&before.stamp)?;
        let mut tx = self.platform.write(actor).await?;
        if !tx.update_api_key(grant, &after, before.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        self.platform.commit(tx, Audit::done(grant, action, &before, &after)).await?;
        Ok(after)
    }

    async fn grant(&self, actor: &Actor, of: KeysOf) -> Result<KeysGrant, Error> {
        match of {
            KeysOf::Oneself => actor.grant_own().map(KeysGrant::Own),
            KeysOf::Organization(org) => {
                let grant = actor.grant_in::<ManageApiKeys>(org)?;
                self.platform.organizations().find(actor, org, Inactive::Hidden).await?;
                Ok(KeysGrant::Organization(grant))
            }
        }
    }

    async fn found(&self, actor: &Actor, grant: &KeysGrant, id: ApiKeyId) -> Result<ApiKey, Error> {
        let found = self.platform.read(actor).await?.find_api_key(grant, id).await?;
        found.ok_or(Error::NotFound { what: "API key" })
    }
}

const PAST: &str = "must be in the future";

fn is_over(end: Option<Instant>, now: Instant) -> bool {
    end.is_some_and(|end| end <= now)
}

/// Whether the owner of a new key holds what a scope names: an organization's key holds what its admins do.
fn is_held(actor: &Actor, of: KeysOf, scope: &str) -> bool {
    match of {
        KeysOf::Oneself => actor.holds_somewhere(scope),
        KeysOf::Organization(_) => PermissionKind::ALL
            .iter()
            .any(|kind| kind.wire_name() == scope && kind.holders().contains(&Role::Admin)),
    }
}
