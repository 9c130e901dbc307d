use super::{DeviceCredential, MOST_ACTIVE, NewDeviceCredential};
use crate::{
    access::{Actor, ManageCredentials, OrgGrant, Spot},
    audit::{Action, Audit},
    error::{Error, Rule},
    ids::DeviceCredentialId,
    input::Input,
    keys::{IssuedKey, KeyKind},
    modules::ModuleIncludes,
    page::Inactive,
    platform::Platform,
    sites::SiteIncludes,
    stamp::{Precondition, Stamp},
    text::Secret,
};

/// A new credential with its secret, which is told this once.
#[derive(Debug)]
pub struct IssuedDeviceCredential {
    /// The credential.
    pub credential: DeviceCredential,
    /// Its whole text.
    pub secret: Secret<String>,
}

/// Use cases of device credentials: for the admins of the organization, and superusers.
pub struct DeviceCredentials<'a> {
    platform: &'a Platform,
}

impl<'a> DeviceCredentials<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// The credentials of a site or module that have not been revoked, the newest first.
    ///
    /// # Errors
    /// `NotFound` for a site or module that the actor cannot see; `Forbidden`.
    pub async fn list(&self, actor: &Actor, spot: Spot) -> Result<Vec<DeviceCredential>, Error> {
        let grant = self.grant(actor, spot).await?;
        Ok(self.platform.read(actor).await?.list_device_credentials(&grant, spot).await?)
    }

    /// A credential that has not been revoked.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`.
    pub async fn find(
        &self,
        actor: &Actor,
        spot: Spot,
        id: DeviceCredentialId,
    ) -> Result<DeviceCredential, Error> {
        let grant = self.grant(actor, spot).await?;
        self.found(actor, &grant, spot, id).await
    }

    /// Makes a credential.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Invalid`; `Conflict(TwoCredentials)`.
    pub async fn create(
        &self,
        actor: &Actor,
        spot: Spot,
        input: impl Input<NewDeviceCredential>,
    ) -> Result<IssuedDeviceCredential, Error> {
        let grant = self.grant(actor, spot).await?;
        self.issue(actor, &grant, spot, input).await
    }

    /// Makes a credential that is to take the place of another one. The old one stays good until it is revoked or its time is over,
    /// so that the device can be given the new one.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Invalid`; `Conflict(TwoCredentials)`.
    pub async fn rotate(
        &self,
        actor: &Actor,
        spot: Spot,
        id: DeviceCredentialId,
        input: impl Input<NewDeviceCredential>,
    ) -> Result<IssuedDeviceCredential, Error> {
        let grant = self.grant(actor, spot).await?;
        self.found(actor, &grant, spot, id).await?;
        self.issue(actor, &grant, spot, input).await
    }

    /// Revokes a credential, which is good for nothing from then on and does not return.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Stale`.
    pub async fn revoke(
        &self,
        actor: &Actor,
        spot: Spot,
        id: DeviceCredentialId,
        seen: Precondition,
    ) -> Result<DeviceCredential, Error> {
        let grant = self.grant(actor, spot).await?;
        let before = self.found(actor, &grant, spot, id).await?;
        seen.check(&before.stamp)?;
        let stamp = before.stamp.archived(grant.author(), self.platform.now());
        let after = DeviceCredential { stamp, ..before.clone() };
        let mut tx = self.platform.write(actor).await?;
        if !tx.update_device_credential(&grant, &after, before.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        self.platform.commit(tx, Audit::done(&grant, Action::Archived, &before, &after)).await?;
        Ok(after)
    }

    async fn issue(
        &self,
        actor: &Actor,
        grant: &OrgGrant<ManageCredentials>,
        spot: Spot,
        input: impl Input<NewDeviceCredential>,
    ) -> Result<IssuedDeviceCredential, Error> {
        let mut draft = input.read()?;
        let now = self.platform.now();
        if draft.value.expires_at.is_some_and(|end| end <= now) {
            draft.faults.add("expires_at", "must be in the future");
        }
        let new = draft.checked()?;
        let issued = IssuedKey::new(KeyKind::Device, self.platform.random(), self.platform.random())
            .ok_or_else(|| Error::Internal("a key could not be written".into()))?;
        let (site_id, module_id) = DeviceCredential::columns_of(spot);
        let credential = DeviceCredential {
            id: self.platform.mint(),
            organization_id: grant.org(),
            site_id,
            module_id,
            prefix: issued.prefix,
            expires_at: new.expires_at,
            last_used_at: None,
            last_used_ip: None,
            stamp: Stamp::new(grant.author(), now),
        };
        let mut tx = self.platform.write(actor).await?;
        if tx.count_device_credentials(grant, spot, now).await? >= MOST_ACTIVE {
            return Err(Error::Conflict(Rule::TwoCredentials));
        }
        tx.insert_device_credential(grant, &credential, &issued.digest).await?;
        self.platform.commit(tx, Audit::created(grant, &credential)).await?;
        Ok(IssuedDeviceCredential { credential, secret: issued.secret })
    }

    async fn grant(&self, actor: &Actor, spot: Spot) -> Result<OrgGrant<ManageCredentials>, Error> {
        let actor = actor.looking_for::<ManageCredentials>()?;
        match spot {
            Spot::Site(id) => {
                let sites = self.platform.sites();
                let found = sites.find(&actor, id, SiteIncludes::default(), Inactive::Hidden).await?;
                actor.grant_at(&found.site)
            }
            Spot::Module(id) => {
                let modules = self.platform.modules();
                let found = modules.find(&actor, id, ModuleIncludes::default(), Inactive::Hidden).await?;
                actor.grant_at(&found.module)
            }
        }
    }

    async fn found(
        &self,
        actor: &Actor,
        grant: &OrgGrant<ManageCredentials>,
        spot: Spot,
        id: DeviceCredentialId,
    ) -> Result<DeviceCredential, Error> {
        let found = self.platform.read(actor).await?.find_device_credential(grant, spot, id).await?;
        found.ok_or(Error::NotFound { what: "credential" })
    }
}
