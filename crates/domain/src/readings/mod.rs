//! Readings: values measured by modules, in and out.

mod batch;
mod deletion;
mod ingest;
mod query;
mod rejects;
mod repository;
mod service;

pub use batch::{BatchVerdict, ReadingBatch, ReadingRow, RejectedRow, RowField};
pub use deletion::{DeleteReadings, DeletionRequest};
pub use query::{Aggregate, BucketValues, QueryAnswer, RawValues, SeriesAnswer, TelemetryQuery, Values};
pub use rejects::{REJECTS_KEPT, RejectedEntry, RejectedReading, RejectedRows};
pub use repository::{
    BucketRow, IngestTarget, Inserted, MetricBounds, Piece, QueryTarget, ReadingKey, ReadingRepository,
    ResolvedBatch, ResolvedReading, SeriesId, TargetMetric,
};
pub use service::{HistoryRequest, Readings};

use crate::{ids::MetricId, time::Instant};

/// The most rows of one batch.
pub const MAX_BATCH_ROWS: usize = 10_000;

/// A stored value, with its metric's key.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The metric.
    pub metric_id: MetricId,
    /// The metric's key.
    pub metric: String,
    /// When it was measured.
    pub at: Instant,
    /// The value, in the metric's unit; always finite.
    pub value: f64,
}

/// The latest value of a metric of a module.
#[derive(Debug, Clone, PartialEq)]
pub struct LatestReading {
    /// The reading.
    pub reading: Reading,
    /// The metric's unit.
    pub unit: String,
}
