//! Modules: bodies and views.

use serde::{Deserialize, Serialize};
use sitewatch_domain::{
    FieldErrors,
    ids::{ModuleId, ModuleTypeId, OrgId, SiteId},
    modules::{Module, ModuleChanges, ModuleDetail, NewModule},
    stamp::Revision,
    time::Instant,
};
use utoipa::ToSchema;

use super::{module_types::ModuleTypeView, views::StampView};
use crate::{
    body::{Body, Field},
    envelope::Addressed,
};

/// A module as it is made.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"name": "R80711", "serial_number": "R80711", "module_type_id": "01890000-0000-7000-8000-000000000000"}))]
pub(crate) struct CreateModuleBody {
    /// The site; needed where the path does not name it.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub(super) site_id: Field<SiteId>,
    /// Its make and model.
    #[schema(value_type = uuid::Uuid, required = true)]
    module_type_id: Field<ModuleTypeId>,
    /// The name, unique among the site's active modules.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 200)]
    name: Field<String>,
    /// A description.
    #[schema(value_type = Option<String>, max_length = 4000)]
    description: Field<String>,
    /// The maker's serial number, unique among the organization's active modules.
    #[schema(value_type = Option<String>, max_length = 100)]
    serial_number: Field<String>,
    /// The module's name in another system.
    #[schema(value_type = Option<String>, max_length = 200)]
    external_id: Field<String>,
    /// The firmware version.
    #[schema(value_type = Option<String>, max_length = 100)]
    firmware: Field<String>,
    /// How often it reports, in seconds; the type's if not given.
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 31_536_000)]
    expected_interval_s: Field<i32>,
    /// After how many seconds of silence it is offline; the type's if not given.
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 31_536_000)]
    offline_after_s: Field<i32>,
    /// Labels.
    #[schema(value_type = Option<Vec<String>>)]
    tags: Field<Vec<String>>,
    /// The gateway through which it reports, a module of the same site.
    #[schema(value_type = Option<uuid::Uuid>)]
    parent_module_id: Field<ModuleId>,
    /// False to make it switched off.
    #[schema(value_type = Option<bool>)]
    is_enabled: Field<bool>,
}

impl Body for CreateModuleBody {
    type Input = NewModule;

    fn into_input(self, faults: &mut FieldErrors) -> NewModule {
        NewModule {
            module_type_id: self.module_type_id.required("module_type_id", faults),
            name: self.name.required("name", faults),
            description: self.description.optional("description", faults),
            serial_number: self.serial_number.optional("serial_number", faults),
            external_id: self.external_id.optional("external_id", faults),
            firmware: self.firmware.optional("firmware", faults),
            expected_interval_s: self.expected_interval_s.optional("expected_interval_s", faults),
            offline_after_s: self.offline_after_s.optional("offline_after_s", faults),
            tags: self.tags.optional("tags", faults).unwrap_or_default(),
            parent_module_id: self.parent_module_id.optional("parent_module_id", faults),
            is_enabled: self.is_enabled.optional("is_enabled", faults).unwrap_or(true),
        }
    }
}

/// Changes of a module. Absent fields stay; null empties. The site changes by moving.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"description": "Gearbox replaced", "tags": ["north"]}))]
pub(crate) struct UpdateModuleBody {
    /// Its make and model.
    #[schema(value_type = uuid::Uuid)]
    module_type_id: Field<ModuleTypeId>,
    /// The name.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: Field<String>,
    /// A description.
    #[schema(value_type = Option<String>, max_length = 4000)]
    description: Field<String>,
    /// The maker's serial number.
    #[schema(value_type = Option<String>, max_length = 100)]
    serial_number: Field<String>,
    /// The module's name in another system.
    #[schema(value_type = Option<String>, max_length = 200)]
    external_id: Field<String>,
    /// The firmware version.
    #[schema(value_type = Option<String>, max_length = 100)]
    firmware: Field<String>,
    /// How often it reports, in seconds.
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 31_536_000)]
    expected_interval_s: Field<i32>,
    /// After how many seconds of silence it is offline.
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 31_536_000)]
    offline_after_s: Field<i32>,
    /// Labels.
    #[schema(value_type = Vec<String>)]
    tags: Field<Vec<String>>,
    /// The gateway through which it reports.
    #[schema(value_type = Option<uuid::Uuid>)]
    parent_module_id: Field<ModuleId>,
    /// Whether it is switched on.
    #[schema(value_type = bool)]
    is_enabled: Field<bool>,
}

impl Body for UpdateModuleBody {
    type Input = ModuleChanges;

    const READ_ONLY: &'static [&'static str] = &[
        "organization_id",
        "site_id",
        "state",
        "last_seen_at",
        "module_type",
        "effective_expected_interval_s",
        "effective_offline_after_s",
    ];

    fn into_input(self, faults: &mut FieldErrors) -> ModuleChanges {
        ModuleChanges {
            module_type_id: self.module_type_id.change("module_type_id", faults),
            name: self.name.change("name", faults),
            description: self.description.clearable("description", faults),
            serial_number: self.serial_number.clearable("serial_number", faults),
            external_id: self.external_id.clearable("external_id", faults),
            firmware: self.firmware.clearable("firmware", faults),
            expected_interval_s: self.expected_interval_s.clearable("expected_interval_s", faults),
            offline_after_s: self.offline_after_s.clearable("offline_after_s", faults),
            tags: self.tags.change("tags", faults),
            parent_module_id: self.parent_module_id.clearable("parent_module_id", faults),
            is_enabled: self.is_enabled.change("is_enabled", faults),
        }
    }
}

/// A module.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Module)]
pub(crate) struct ModuleView {
    /// The module's id.
    #[schema(value_type = uuid::Uuid)]
    id: ModuleId,
    /// The owning organization.
    #[schema(value_type = uuid::Uuid)]
    organization_id: OrgId,
    /// The site that it stands at.
    #[schema(value_type = uuid::Uuid)]
    site_id: SiteId,
    /// Its make and model.
    #[schema(value_type = uuid::Uuid)]
    module_type_id: ModuleTypeId,
    /// The name.
    name: String,
    /// A description.
    description: Option<String>,
    /// The maker's serial number.
    serial_number: Option<String>,
    /// The module's name in another system.
    external_id: Option<String>,
    /// The firmware version.
    firmware: Option<String>,
    /// How often it reports, in seconds, by its own setting.
    expected_interval_s: Option<i32>,
    /// After how many seconds of silence it is offline, by its own setting.
    offline_after_s: Option<i32>,
    /// What holds for it, in seconds.
    effective_expected_interval_s: i32,
    /// What holds for it, in seconds.
    effective_offline_after_s: i32,
    /// Labels.
    tags: Vec<String>,
    /// The gateway through which it reports.
    #[schema(value_type = Option<uuid::Uuid>)]
    parent_module_id: Option<ModuleId>,
    /// False if it is switched off.
    is_enabled: bool,
    /// `new`, `online`, `late`, `offline` or `disabled`.
    #[schema(example = "online")]
    state: &'static str,
    /// When the server last heard of it.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_seen_at: Option<Instant>,
    #[serde(flatten)]
    stamp: StampView,
    /// The module type, with `include=module_type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    module_type: Option<ModuleTypeView>,
    #[serde(skip)]
    revision: Revision,
}

impl ModuleView {
    /// The module as it is at this moment.
    pub(crate) fn of(module: Module, now: Instant) -> Self {
        Self {
            id: module.id,
            organization_id: module.organization_id,
            site_id: module.site_id,
            module_type_id: module.module_type_id,
            state: module.state(now).name(),
            name: module.name,
            description: module.description,
            serial_number: module.serial_number,
            external_id: module.external_id,
            firmware: module.firmware,
            expected_interval_s: module.expected_interval_s,
            offline_after_s: module.offline_after_s,
            effective_expected_interval_s: module.rhythm.expected_interval_s,
            effective_offline_after_s: module.rhythm.offline_after_s,
            tags: module.tags,
            parent_module_id: module.parent_module_id,
            is_enabled: module.is_enabled,
            last_seen_at: module.last_seen_at,
            stamp: StampView::from(&module.stamp),
            module_type: None,
            revision: module.stamp.revision,
        }
    }

    /// The same with what was read along.
    pub(crate) fn of_detail(detail: ModuleDetail, now: Instant) -> Self {
        Self { module_type: detail.module_type.map(Into::into), ..Self::of(detail.module, now) }
    }
}

impl Addressed for ModuleView {
    fn path(&self) -> String {
        format!("/api/v1/modules/{}", self.id)
    }

    fn revision(&self) -> Option<Revision> {
        Some(self.revision)
    }
}
