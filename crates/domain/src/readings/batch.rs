//! A batch of readings as a device sent it, and what became of each row.

use std::{fmt, time::Duration};

use validator::{Validate, ValidationErrors};

use super::MAX_BATCH_ROWS;
use crate::{ids::OrgId, time::Instant};

/// One row as it was sent. Each field is decoded on its own, so that a bad one rejects its row alone: the error is the
/// reason, in the words of the API.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadingRow {
    /// The module: id, serial number or external id. Not used where the path names the module.
    pub module: Option<Result<String, &'static str>>,
    /// The key of the metric.
    pub metric: Result<String, &'static str>,
    /// When it was measured.
    pub at: Result<Instant, &'static str>,
    /// The value.
    pub value: Result<f64, &'static str>,
    /// The whole row could not be read (it is no object, or holds a field that rows do not have): field and reason.
    pub shape: Option<(RowField, &'static str)>,
}

/// A batch as it was sent.
#[derive(Debug, Clone, Default)]
pub struct ReadingBatch {
    /// Where modules are looked for; wherever the caller may send to, if not given.
    pub organization_id: Option<OrgId>,
    /// The rows.
    pub readings: Vec<ReadingRow>,
}

impl Validate for ReadingBatch {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let message = match self.readings.len() {
            0 => "must not be empty",
            1..=MAX_BATCH_ROWS => return Ok(()),
            _ => "must be at most 10000 rows",
        };
        let mut errors = ValidationErrors::new();
        errors.add("readings", validator::ValidationError::new("length").with_message(message.into()));
        Err(errors)
    }
}

/// The field of a row that a rejection is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RowField {
    /// The module.
    Module,
    /// The metric.
    Metric,
    /// The moment.
    At,
    /// The value.
    Value,
    /// The row as a whole.
    Row,
    /// One that rows do not have, by the name that the client gave it, cut to 64 characters.
    Unknown(String),
}

impl RowField {
    /// The name on the wire.
    pub const fn name(&self) -> &str {
        match self {
            Self::Module => "module",
            Self::Metric => "metric",
            Self::At => "at",
            Self::Value => "value",
            Self::Row => "row",
            Self::Unknown(name) => name.as_str(),
        }
    }
}

impl fmt::Display for RowField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A row that was not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// The row's index in the batch, from 0.
    pub index: usize,
    /// The field at fault.
    pub field: RowField,
    /// Why: a word that programs can act on, like `unknown_metric`.
    pub reason: &'static str,
}

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchVerdict {
    /// New readings.
    pub accepted: u64,
    /// Rows that were stored before, with the same value.
    pub duplicate: u64,
    /// Rows that were stored before with another value, which stays.
    pub conflict: u64,
    /// Rows that were not stored, by index.
    pub rejects: Vec<RejectedRow>,
    /// How old the newest row was when it was stored; none if nothing was new.
    pub lag: Option<Duration>,
}
