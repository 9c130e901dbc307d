//! Metrics: what can be measured, with unit and bounds.

mod repository;
mod service;

use serde::Serialize;
use uuid::Uuid;
use validator::{Validate, ValidationError};

pub use repository::MetricRepository;
pub use service::Metrics;
pub(crate) use service::grant_to_list;

use crate::{
    access::Located,
    audit::Audited,
    ids::{MetricId, OrgId},
    page::Between,
    stamp::Stamp,
    text,
};

/// How the values of a metric follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    /// Goes up and down: a temperature, a power.
    Gauge,
    /// Only grows, until it is reset: an energy meter.
    Counter,
}

impl MetricKind {
    /// The name on the wire and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Gauge, Self::Counter].into_iter().find(|kind| kind.name() == name)
    }
}

/// Something that can be measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metric {
    /// The metric's id.
    pub id: MetricId,
    /// The owning organization; `None` for built-in metrics, which everybody may use.
    pub organization_id: Option<OrgId>,
    /// The key that readings name it by, unique among the owner's active metrics.
    pub key: String,
    /// The name to show.
    pub name: String,
    /// The unit, in UCUM notation (`kW`, `m/s`, `Cel`, `deg`); empty for plain numbers.
    pub unit: String,
    /// Gauge or counter.
    pub kind: MetricKind,
    /// Readings below are rejected.
    pub min: Option<f64>,
    /// Readings above are rejected.
    pub max: Option<f64>,
    /// The fastest plausible change, in units a second.
    pub max_rate: Option<f64>,
    /// Audit columns.
    pub stamp: Stamp,
}

impl Audited for Metric {
    const RESOURCE: &'static str = "metric";

    fn resource_id(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Located for Metric {
    fn org(&self) -> Option<OrgId> {
        self.organization_id
    }
}

/// What a new metric is made from.
#[derive(Debug, Clone, Validate)]
#[validate(schema(function = bounds_rule, skip_on_field_errors = false))]
pub struct NewMetric {
    /// The key: 1 to 100 letters, digits, `_`, `.`, `-` or `:`.
    #[validate(custom(function = key_rule))]
    pub key: String,
    /// The name to show.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub name: String,
    /// The unit.
    #[validate(length(max = 32, message = "must be at most 32 characters"), custom(function = text::one_line))]
    pub unit: String,
    /// The name of a [`MetricKind`]; `gauge` if not given.
    #[validate(custom(function = kind_rule))]
    pub kind: Option<String>,
    /// Readings below are rejected.
    pub min: Option<f64>,
    /// Readings above are rejected.
    pub max: Option<f64>,
    /// The fastest plausible change.
    #[validate(range(exclusive_min = 0.0, message = "must be greater than 0"))]
    pub max_rate: Option<f64>,
}

/// Changes of a metric. `None` stays, `Some(None)` empties. Key and kind stay for ever: stored readings rely on them.
#[derive(Debug, Clone, Default, Validate)]
pub struct MetricChanges {
    /// The name to show.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub name: Option<String>,
    /// The unit.
    #[validate(length(max = 32, message = "must be at most 32 characters"), custom(function = text::one_line))]
    pub unit: Option<String>,
    /// Readings below are rejected.
    pub min: Option<Option<f64>>,
    /// Readings above are rejected.
    pub max: Option<Option<f64>>,
    /// The fastest plausible change.
    #[validate(range(exclusive_min = 0.0, message = "must be greater than 0"))]
    pub max_rate: Option<Option<f64>>,
}

/// The rule of a metric's key.
///
/// # Errors
/// A message for the field.
pub fn key_rule(key: &str) -> Result<(), ValidationError> {
    let legal = (1..=100).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b':'));
    if legal {
        return Ok(());
    }
    let message = "must be 1 to 100 letters, digits, underscores, dots, hyphens or colons";
    Err(ValidationError::new("key").with_message(message.into()))
}

fn kind_rule(kind: &str) -> Result<(), ValidationError> {
    MetricKind::from_name(kind)
        .map(|_| ())
        .ok_or_else(|| ValidationError::new("kind").with_message("must be one of: gauge, counter".into()))
}

fn bounds_rule(new: &NewMetric) -> Result<(), ValidationError> {
    if in_order(new.min, new.max) { Ok(()) } else { Err(out_of_order()) }
}

pub(crate) fn in_order(min: Option<f64>, max: Option<f64>) -> bool {
    !matches!((min, max), (Some(min), Some(max)) if min > max)
}

fn out_of_order() -> ValidationError {
    ValidationError::new("min").with_message("must not be greater than max".into())
}

/// Conditions on metrics.
#[derive(Debug, Clone, Default)]
pub struct MetricFilter {
    /// Of this organization (built-in ones are left out).
    pub organization: Option<OrgId>,
    /// Exactly this key.
    pub key: Option<String>,
    /// Of this kind.
    pub kind: Option<MetricKind>,
    /// Made at these times.
    pub created_at: Between,
}

/// What metrics can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricSort {
    /// When it was made.
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
    /// The key.
    Key,
    /// The name.
    Name,
}
