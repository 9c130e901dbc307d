//! Device credentials: what modules, or the gateways of a site, show when they send readings.
//!
//! A credential of a module stands for that module, one of a site for all modules that are there. Two may be active at once, so
//! that a device can be given a new one before the old one ends.

mod repository;
mod service;

use serde::Serialize;
use uuid::Uuid;
use validator::Validate;

pub use repository::DeviceCredentialRepository;
pub use service::{DeviceCredentials, IssuedDeviceCredential};

use crate::{
    access::Spot,
    audit::Audited,
    ids::{DeviceCredentialId, ModuleId, OrgId, SiteId},
    keys::KeyPrefix,
    stamp::Stamp,
    time::Instant,
};

/// How many credentials of a device can be active at once.
pub const MOST_ACTIVE: u64 = 2;

/// A device credential, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceCredential {
    /// The credential's id.
    pub id: DeviceCredentialId,
    /// The organization that its device belongs to.
    pub organization_id: OrgId,
    /// The site, if it is for all of its modules.
    pub site_id: Option<SiteId>,
    /// The module, if it is for one. Exactly one of the two is given.
    pub module_id: Option<ModuleId>,
    /// The part that is no secret, by which it is found.
    #[serde(serialize_with = "spelled")]
    pub prefix: KeyPrefix,
    /// Good until then; for ever if `None`.
    pub expires_at: Option<Instant>,
    /// When it was last used, to the minute.
    #[serde(skip)]
    pub last_used_at: Option<Instant>,
    /// From which address.
    #[serde(skip)]
    pub last_used_ip: Option<String>,
    /// Audit columns; a revoked credential is archived.
    pub stamp: Stamp,
}

fn spelled<S: serde::Serializer>(prefix: &KeyPrefix, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(prefix.as_str())
}

impl DeviceCredential {
    /// The site and the module of a spot.
    pub const fn columns_of(spot: Spot) -> (Option<SiteId>, Option<ModuleId>) {
        match spot {
            Spot::Site(site) => (Some(site), None),
            Spot::Module(module) => (None, Some(module)),
        }
    }
}

impl Audited for DeviceCredential {
    const RESOURCE: &'static str = "device_credential";

    fn resource_id(&self) -> Uuid {
        self.id.uuid()
    }
}

/// What a new credential is made from.
#[derive(Debug, Clone, Copy, Default, Validate)]
pub struct NewDeviceCredential {
    /// Good until then; for ever if `None`.
    pub expires_at: Option<Instant>,
}
