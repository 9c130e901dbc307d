//! Credentials that programs show instead of a person's token, and the limits that come with them.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use serde::Serialize;
use uuid::Uuid;

use super::{Actor, LogEnds, Permission, PermissionKind, Role, Spot, Standing};
use crate::{
    error::Error,
    ids::{ApiKeyId, DeviceCredentialId, OrgId, UserId},
};

/// Names a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Credential {
    /// An API key.
    ApiKey(ApiKeyId),
    /// A device credential.
    Device(DeviceCredentialId),
}

impl Credential {
    /// Its id.
    pub const fn uuid(self) -> Uuid {
        match self {
            Self::ApiKey(id) => id.uuid(),
            Self::Device(id) => id.uuid(),
        }
    }

    /// The kind of resource that it is, in the words of the API.
    pub const fn resource(self) -> &'static str {
        match self {
            Self::ApiKey(_) => "api_key",
            Self::Device(_) => "device_credential",
        }
    }
}

/// Whom a credential stands for, as the database knows it at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bearer {
    /// An active user, within the scopes of a key of his.
    User {
        /// His rights.
        standing: Standing,
        /// The wire names of permissions that the key may use.
        scopes: Vec<String>,
    },
    /// An active organization, within the scopes of a key of its own.
    Organization {
        /// The organization; the key acts as its admin.
        org: OrgId,
        /// The wire names of permissions that the key may use.
        scopes: Vec<String>,
        /// How far its log has come.
        log_ends: LogEnds,
    },
    /// A device: an active module, or all that report from an active site.
    Device {
        /// Its organization.
        org: OrgId,
        /// The site or module.
        spot: Spot,
    },
}

/// Which permissions an actor may use, whatever rights he has.
#[derive(Debug, Clone)]
pub(super) enum Allowed {
    /// A person who signed in, and the system: any.
    All,
    /// A credential: these.
    Only(Arc<BTreeSet<PermissionKind>>),
}

impl Allowed {
    pub(super) fn of(bearer: &Bearer) -> Self {
        let is_allowed = |kind: &PermissionKind| match bearer {
            Bearer::User { scopes, .. } | Bearer::Organization { scopes, .. } => {
                kind.is_scope() && scopes.iter().any(|scope| scope == kind.wire_name())
            }
            Bearer::Device { .. } => kind.holders().contains(&Role::Device),
        };
        Self::Only(Arc::new(PermissionKind::ALL.iter().copied().filter(is_allowed).collect()))
    }

    pub(super) fn contains(&self, kind: PermissionKind) -> bool {
        match self {
            Self::All => true,
            Self::Only(kinds) => kinds.contains(&kind),
        }
    }
}

impl Actor {
    /// The actor for a use case that is about `P`: a key that has this scope may look for what the use case needs on the way,
    /// as far as its owner sees it, without the scopes for looking. What it may change stays as it is.
    ///
    /// A device has the rights of devices and no others.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the scope, whatever is looked for; [`Error::Unauthenticated`] for nobody.
    pub fn looking_for<P: Permission>(&self) -> Result<Cow<'_, Self>, Error> {
        self.require::<P>()?;
        let Allowed::Only(kinds) = &self.allowed else { return Ok(Cow::Borrowed(self)) };
        if self.is_device() {
            return Ok(Cow::Borrowed(self));
        }
        let reading = PermissionKind::ALL.iter().filter(|kind| kind.is_reading());
        let kinds = kinds.iter().chain(reading).chain(P::KIND.brings_along()).copied().collect();
        let mut looking = self.clone();
        looking.allowed = Allowed::Only(Arc::new(kinds));
        Ok(Cow::Owned(looking))
    }

    /// The API key or device credential that was shown, if no person signed in.
    pub fn credential(&self) -> Option<Credential> {
        self.author().credential
    }

    /// Whether a device acts.
    pub fn is_device(&self) -> bool {
        matches!(self.credential(), Some(Credential::Device(_)))
    }

    /// The user who signed in himself.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for keys, devices and the system; [`Error::Unauthenticated`] for nobody.
    pub fn person(&self) -> Result<UserId, Error> {
        let oneself = self.as_oneself()?;
        let person = oneself.user().filter(|_| self.credential().is_none());
        person.ok_or(Error::Forbidden(PermissionKind::EditProfile))
    }

    /// Under which name his requests are counted: that of the user, or of the key or device that was shown, with the organization that it
    /// belongs to. None for nobody and for the system.
    pub(crate) fn counted_as(&self) -> Option<String> {
        let owner = match (self.user(), self.home()) {
            (Some(user), _) => Some(format!("user:{user}")),
            (None, Some(org)) => Some(format!("organization:{org}")),
            (None, None) => None,
        }?;
        Some(match self.credential() {
            Some(credential) => format!("{owner}:{}:{}", credential.resource(), credential.uuid()),
            None => owner,
        })
    }

    /// The organization of a device or of an organization's key.
    pub(crate) fn home(&self) -> Option<OrgId> {
        match (self.standing(), self.memberships()) {
            (None, [(org, _)]) => Some(*org),
            (None, _) => self.places().next().map(|(org, _, _)| org),
            (Some(_), _) => None,
        }
    }
}
