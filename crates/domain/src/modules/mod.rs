//! Modules: the devices at a site that send readings.

mod many;
mod references;
mod repository;
mod service;
mod state;

use serde::Serialize;
use uuid::Uuid;
use validator::Validate;

pub use repository::{ModuleNames, ModuleRepository};
pub use service::{ModuleDetail, ModuleIncludes, Modules};
pub use state::{ModuleState, Rhythm, StateCounts};

use crate::{
    access::{Located, Spot},
    audit::Audited,
    ids::{ModuleId, ModuleTypeId, OrgId, SiteId},
    page::Between,
    stamp::Stamp,
    text,
    time::Instant,
};

/// A device at a site: an inverter, a turbine, a sensor, a gateway.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Module {
    /// The module's id.
    pub id: ModuleId,
    /// The owning organization.
    pub organization_id: OrgId,
    /// The site that it stands at.
    pub site_id: SiteId,
    /// Its make and model.
    pub module_type_id: ModuleTypeId,
    /// The name, unique among the site's active modules.
    pub name: String,
    /// A description, several lines.
    pub description: Option<String>,
    /// The maker's serial number, unique among the organization's active modules.
    pub serial_number: Option<String>,
    /// The module's name in another system, unique among the organization's active modules.
    pub external_id: Option<String>,
    /// The firmware version.
    pub firmware: Option<String>,
    /// How often it reports, in seconds; the type's if `None`.
    pub expected_interval_s: Option<i32>,
    /// After how many seconds of silence it is offline; the type's if `None`.
    pub offline_after_s: Option<i32>,
    /// What holds for it after looking at the type and the defaults.
    #[serde(skip)]
    pub rhythm: Rhythm,
    /// Labels of the owner's choice.
    pub tags: Vec<String>,
    /// The gateway through which it reports, a module of the same site.
    pub parent_module_id: Option<ModuleId>,
    /// False if it is switched off by setting.
    pub is_enabled: bool,
    /// When the server last heard of it.
    pub last_seen_at: Option<Instant>,
    /// Audit columns.
    pub stamp: Stamp,
}

impl Module {
    /// What it is doing at this moment.
    pub fn state(&self, now: Instant) -> ModuleState {
        ModuleState::of(self.is_enabled, self.last_seen_at, self.rhythm, now)
    }
}

impl Audited for Module {
    const RESOURCE: &'static str = "module";

    fn resource_id(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Located for Module {
    fn org(&self) -> Option<OrgId> {
        Some(self.organization_id)
    }

    fn spots(&self) -> Vec<Spot> {
        vec![Spot::Site(self.site_id), Spot::Module(self.id)]
    }
}

/// What a new module is made from.
#[derive(Debug, Clone, Validate)]
pub struct NewModule {
    /// Its make and model: built in or of the same organization.
    pub module_type_id: ModuleTypeId,
    /// The name.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub name: String,
    /// A description.
    #[validate(length(max = 4000, message = "must be at most 4000 characters"), custom(function = text::many_lines))]
    pub description: Option<String>,
    /// The maker's serial number.
    #[validate(length(max = 100, message = "must be at most 100 characters"), custom(function = text::name))]
    pub serial_number: Option<String>,
    /// The name in another system.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub external_id: Option<String>,
    /// The firmware version.
    #[validate(length(max = 100, message = "must be at most 100 characters"), custom(function = text::name))]
    pub firmware: Option<String>,
    /// How often it reports, in seconds.
    #[validate(range(min = 1, max = 31_536_000, message = "must be between 1 second and a year"))]
    pub expected_interval_s: Option<i32>,
    /// After how many seconds of silence it is offline.
    #[validate(range(min = 1, max = 31_536_000, message = "must be between 1 second and a year"))]
    pub offline_after_s: Option<i32>,
    /// Labels.
    #[validate(custom(function = text::tags_rule))]
    pub tags: Vec<String>,
    /// The gateway.
    pub parent_module_id: Option<ModuleId>,
    /// False to make it switched off.
    pub is_enabled: bool,
}

/// Changes of a module. `None` stays, `Some(None)` empties. The site changes by moving.
#[derive(Debug, Clone, Default, Validate)]
pub struct ModuleChanges {
    /// Its make and model.
    pub module_type_id: Option<ModuleTypeId>,
    /// The name.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub name: Option<String>,
    /// A description.
    #[validate(length(max = 4000, message = "must be at most 4000 characters"), custom(function = text::many_lines))]
    pub description: Option<Option<String>>,
    /// The maker's serial number.
    #[validate(length(max = 100, message = "must be at most 100 characters"), custom(function = text::name))]
    pub serial_number: Option<Option<String>>,
    /// The name in another system.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub external_id: Option<Option<String>>,
    /// The firmware version.
    #[validate(length(max = 100, message = "must be at most 100 characters"), custom(function = text::name))]
    pub firmware: Option<Option<String>>,
    /// How often it reports, in seconds.
    #[validate(range(min = 1, max = 31_536_000, message = "must be between 1 second and a year"))]
    pub expected_interval_s: Option<Option<i32>>,
    /// After how many seconds of silence it is offline.
    #[validate(range(min = 1, max = 31_536_000, message = "must be between 1 second and a year"))]
    pub offline_after_s: Option<Option<i32>>,
    /// Labels.
    #[validate(custom(function = text::tags_rule))]
    pub tags: Option<Vec<String>>,
    /// The gateway.
    pub parent_module_id: Option<Option<ModuleId>>,
    /// Whether it is switched on.
    pub is_enabled: Option<bool>,
}

/// Where a module is to be moved.
#[derive(Debug, Clone, Copy, Validate)]
pub struct ModuleMove {
    /// A site of the same organization.
    pub site_id: SiteId,
}

/// What a module says when it only says that it is alive.
#[derive(Debug, Clone, Copy, Default, Validate)]
pub struct Heartbeat {}

/// Conditions on modules.
#[derive(Debug, Clone, Default)]
pub struct ModuleFilter {
    /// Of this organization.
    pub organization: Option<OrgId>,
    /// At this site.
    pub site: Option<SiteId>,
    /// At one of these sites, for including modules with a list of sites; empty means no condition.
    pub sites: Vec<SiteId>,
    /// Of this make and model.
    pub module_type: Option<ModuleTypeId>,
    /// Behind this gateway.
    pub parent_module: Option<ModuleId>,
    /// Exactly this name.
    pub name: Option<String>,
    /// Exactly this serial number.
    pub serial_number: Option<String>,
    /// Exactly this external id.
    pub external_id: Option<String>,
    /// With this tag.
    pub tag: Option<String>,
    /// Last heard of at these times.
    pub last_seen_at: Between,
    /// Made at these times.
    pub created_at: Between,
}

/// What modules can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleSort {
    /// When it was made.
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
    /// The name.
    Name,
    /// The serial number.
    SerialNumber,
    /// When it was last heard of.
    LastSeenAt,
}
