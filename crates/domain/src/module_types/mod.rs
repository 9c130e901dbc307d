//! Module types: makes and models, with the metrics that their modules send.

mod repository;
mod service;

use serde::Serialize;
use uuid::Uuid;
use validator::{Validate, ValidationError};

pub use repository::ModuleTypeRepository;
pub use service::ModuleTypes;

use crate::{
    access::Located,
    audit::Audited,
    ids::{MetricId, ModuleTypeId, OrgId},
    metrics::key_rule,
    page::Between,
    stamp::Stamp,
    text,
};

/// A make and model of modules.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModuleType {
    /// The type's id.
    pub id: ModuleTypeId,
    /// The owning organization; `None` for built-in types, which everybody may use.
    pub organization_id: Option<OrgId>,
    /// The name, unique among the owner's active types.
    pub name: String,
    /// Who makes it.
    pub manufacturer: Option<String>,
    /// The maker's model name.
    pub model: Option<String>,
    /// How often its modules report, in seconds, unless a module says otherwise.
    pub expected_interval_s: Option<i32>,
    /// After how many seconds of silence its modules are offline, unless a module says otherwise.
    pub offline_after_s: Option<i32>,
    /// The metrics that its modules send, in the owner's order.
    pub metrics: Vec<TypeMetric>,
    /// Audit columns.
    pub stamp: Stamp,
}

/// A metric of a module type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TypeMetric {
    /// The metric.
    pub id: MetricId,
    /// Its key.
    pub key: String,
}

impl Audited for ModuleType {
    const RESOURCE: &'static str = "module_type";

    fn resource_id(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Located for ModuleType {
    fn org(&self) -> Option<OrgId> {
        self.organization_id
    }
}

/// What a new module type is made from.
#[derive(Debug, Clone, Default, Validate)]
pub struct NewModuleType {
    /// The name.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub name: String,
    /// Who makes it.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub manufacturer: Option<String>,
    /// The maker's model name.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub model: Option<String>,
    /// How often its modules report, in seconds.
    #[validate(range(min = 1, max = 31_536_000, message = "must be between 1 second and a year"))]
    pub expected_interval_s: Option<i32>,
    /// After how many seconds of silence its modules are offline.
    #[validate(range(min = 1, max = 31_536_000, message = "must be between 1 second and a year"))]
    pub offline_after_s: Option<i32>,
    /// The keys of its metrics, each once; at most 200.
    #[validate(custom(function = metric_keys_rule))]
    pub metrics: Vec<String>,
}

/// Changes of a module type. `None` stays, `Some(None)` empties.
#[derive(Debug, Clone, Default, Validate)]
pub struct ModuleTypeChanges {
    /// The name.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub name: Option<String>,
    /// Who makes it.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub manufacturer: Option<Option<String>>,
    /// The maker's model name.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub model: Option<Option<String>>,
    /// How often its modules report, in seconds.
    #[validate(range(min = 1, max = 31_536_000, message = "must be between 1 second and a year"))]
    pub expected_interval_s: Option<Option<i32>>,
    /// After how many seconds of silence its modules are offline.
    #[validate(range(min = 1, max = 31_536_000, message = "must be between 1 second and a year"))]
    pub offline_after_s: Option<Option<i32>>,
    /// The keys of its metrics.
    #[validate(custom(function = metric_keys_rule))]
    pub metrics: Option<Vec<String>>,
}

fn metric_keys_rule(keys: &[String]) -> Result<(), ValidationError> {
    let mut seen = std::collections::BTreeSet::new();
    if keys.len() <= 200 && keys.iter().all(|key| key_rule(key).is_ok() && seen.insert(key)) {
        return Ok(());
    }
    Err(ValidationError::new("metrics").with_message("must be at most 200 metric keys, each once".into()))
}

/// Conditions on module types.
#[derive(Debug, Clone, Default)]
pub struct ModuleTypeFilter {
    /// Of this organization (built-in ones are left out).
    pub organization: Option<OrgId>,
    /// Exactly this name.
    pub name: Option<String>,
    /// Of this maker.
    pub manufacturer: Option<String>,
    /// Made at these times.
    pub created_at: Between,
}

/// What module types can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleTypeSort {
    /// When it was made.
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
    /// The name.
    Name,
    /// The maker.
    Manufacturer,
}
