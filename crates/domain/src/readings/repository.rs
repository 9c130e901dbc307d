use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{LatestReading, Reading, RejectedReading, RejectedRows};
use crate::{
    access::{DeleteReadings, Grant, Located, OrgGrant, ReadModules, ReadReadings, SendReadings, Spot},
    ids::{MetricId, ModuleId, OrgId, RejectId, SiteId, UserId},
    modules::Rhythm,
    ports::StoreError,
    time::{Bucket, Instant, TimeRange},
};

/// Names a series, one metric of one module, in the readings table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesId(pub i64);

/// Bounds outside of which readings of a metric are rejected.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MetricBounds {
    /// Readings below are rejected.
    pub min: Option<f64>,
    /// Readings above are rejected.
    pub max: Option<f64>,
}

/// A metric that a module may send.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetMetric {
    /// The metric.
    pub id: MetricId,
    /// The key that readings name it by.
    pub key: String,
    /// What it accepts.
    pub bounds: MetricBounds,
}

/// A module that readings can be sent to, as far as judging them needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct IngestTarget {
    /// The module.
    pub module_id: ModuleId,
    /// Its organization.
    pub organization_id: OrgId,
    /// Its site.
    pub site_id: SiteId,
    /// Its serial number.
    pub serial_number: Option<String>,
    /// Its external id.
    pub external_id: Option<String>,
    /// When it was last heard of.
    pub last_seen_at: Option<Instant>,
    /// How often it should report.
    pub rhythm: Rhythm,
    /// The active metrics of its type.
    pub metrics: Vec<TargetMetric>,
}

impl Located for IngestTarget {
    fn org(&self) -> Option<OrgId> {
        Some(self.organization_id)
    }

    fn spots(&self) -> Vec<Spot> {
        vec![Spot::Site(self.site_id), Spot::Module(self.module_id)]
    }
}

/// A reading whose module and metric were found within a grant to send. Only resolving makes one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResolvedReading {
    pub(super) organization_id: OrgId,
    pub(super) module_id: ModuleId,
    pub(super) metric_id: MetricId,
    pub(super) at: Instant,
    pub(super) value: f64,
}

impl ResolvedReading {
    /// The organization of the module.
    pub const fn organization_id(&self) -> OrgId {
        self.organization_id
    }

    /// The module.
    pub const fn module_id(&self) -> ModuleId {
        self.module_id
    }

    /// The metric.
    pub const fn metric_id(&self) -> MetricId {
        self.metric_id
    }

    /// When it was measured.
    pub const fn at(&self) -> Instant {
        self.at
    }

    /// The value; finite.
    pub const fn value(&self) -> f64 {
        self.value
    }
}

/// Readings to be stored together.
#[derive(Debug, Default)]
pub struct ResolvedBatch {
    pub(super) readings: Vec<ResolvedReading>,
    pub(super) seen: Vec<ModuleId>,
}

impl ResolvedBatch {
    /// The readings, in the order of the batch; each (module, metric, at) once.
    pub fn readings(&self) -> &[ResolvedReading] {
        &self.readings
    }

    /// The modules that are reporting right now and whose last report is to be moved to the moment of receipt.
    pub fn seen(&self) -> &[ModuleId] {
        &self.seen
    }
}

/// What became of the readings of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Inserted {
    /// New.
    pub accepted: u64,
    /// Stored before, with the same value.
    pub duplicate: u64,
    /// Stored before, with another value, which stays.
    pub conflict: u64,
}

/// Where a slice of readings ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadingKey {
    /// The last reading's moment, in microseconds.
    pub at: i64,
    /// The last reading's metric.
    pub metric: Uuid,
}

/// A module that telemetry is asked of.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryTarget {
    /// The module.
    pub module_id: ModuleId,
    /// Its organization.
    pub organization_id: OrgId,
    /// Its site.
    pub site_id: SiteId,
    /// The IANA time zone of its site.
    pub timezone: String,
    /// The metrics of its type and those that it has readings of, with the series where there is one.
    pub metrics: Vec<(TargetMetric, String, Option<SeriesId>)>,
}

impl QueryTarget {
    /// The metric of this key with its unit, and the series where there is one.
    pub(crate) fn metric(&self, key: &str) -> Option<(MetricId, &str, Option<SeriesId>)> {
        let found = self.metrics.iter().find(|(metric, _, _)| metric.key == key);
        found.map(|(metric, unit, series)| (metric.id, unit.as_str(), *series))
    }
}

impl Located for QueryTarget {
    fn org(&self) -> Option<OrgId> {
        Some(self.organization_id)
    }

    fn spots(&self) -> Vec<Spot> {
        vec![Spot::Site(self.site_id), Spot::Module(self.module_id)]
    }
}

/// A stretch of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// The series.
    pub series: SeriesId,
    /// The stretch.
    pub range: TimeRange,
}

/// The figures of one series in one bucket that holds readings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BucketRow {
    /// The series.
    pub series: SeriesId,
    /// The index of the bucket in the list that was asked.
    pub bucket: usize,
    /// How many readings.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// The earliest.
    pub first: f64,
    /// The latest.
    pub last: f64,
}

/// Stores readings.
#[async_trait]
pub trait ReadingRepository {
    /// The active modules within the grant that any of these names means: ids, serial numbers or external ids.
    ///
    /// Shape: each module once; a name may be matched by several modules.
    async fn find_ingest_targets(
        &self,
        grant: &Grant<SendReadings>,
        names: &[&str],
    ) -> Result<Vec<IngestTarget>, StoreError>;

    /// The active module of this id within what the grant may see.
    async fn find_ingest_target(
        &self,
        grant: &Grant<ReadModules>,
        id: ModuleId,
    ) -> Result<Option<IngestTarget>, StoreError>;

    /// Whether all modules of the batch are still active and within the grant.
    async fn are_within(
        &mut self,
        grant: &Grant<SendReadings>,
        batch: &ResolvedBatch,
    ) -> Result<bool, StoreError>;

    /// Stores the readings: the first value of a (module, metric, at) wins. Marks what they change of the rollups, if any is new.
    /// Moves the last report of the seen modules to `now`.
    async fn insert_readings(&mut self, batch: &ResolvedBatch, now: Instant) -> Result<Inserted, StoreError>;

    /// Keeps rejected rows, and of each of their modules the newest [`REJECTS_KEPT`](super::REJECTS_KEPT) alone.
    async fn insert_rejects(
        &mut self,
        rejects: &RejectedRows,
        sent_by: Option<UserId>,
        now: Instant,
    ) -> Result<(), StoreError>;

    /// Rejected rows of one module, the newest first.
    ///
    /// Shape: at most `limit`, all older than `after`.
    async fn list_rejects(
        &self,
        grant: &Grant<ReadReadings>,
        module: ModuleId,
        after: Option<RejectId>,
        limit: u32,
    ) -> Result<Vec<RejectedReading>, StoreError>;

    /// Readings of one module within a range, by time, then by metric.
    ///
    /// Shape: at most `limit`, all after `after`; only of `metric`, if given.
    async fn list_readings(
        &self,
        grant: &Grant<ReadReadings>,
        module: ModuleId,
        metric: Option<MetricId>,
        range: TimeRange,
        after: Option<ReadingKey>,
        limit: u32,
    ) -> Result<Vec<Reading>, StoreError>;

    /// The latest reading of each metric of one module, by key.
    async fn list_latest(
        &self,
        grant: &Grant<ReadModules>,
        module: ModuleId,
    ) -> Result<Vec<LatestReading>, StoreError>;

    /// The active modules of these ids within the grant, in no particular order.
    async fn find_query_targets(
        &self,
        grant: &Grant<ReadReadings>,
        modules: &[ModuleId],
    ) -> Result<Vec<QueryTarget>, StoreError>;

    /// The readings of series that were found with this grant, by series, then by time.
    ///
    /// Shape: at most `limit`.
    async fn read_series(
        &self,
        grant: &Grant<ReadReadings>,
        series: &[SeriesId],
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<(SeriesId, Instant, f64)>, StoreError>;

    /// The last reading of each of these series, which were found with this grant, before a moment, in no particular order.
    async fn read_last_before(
        &self,
        grant: &Grant<ReadReadings>,
        series: &[SeriesId],
        before: Instant,
    ) -> Result<Vec<(SeriesId, Instant, f64)>, StoreError>;

    /// The figures of series that were found with this grant, within a range, for each bucket that holds readings.
    ///
    /// Shape: in no particular order; buckets are in order and touch each other. Readings outside of `range` do not
    /// count, even where a bucket reaches beyond it.
    async fn read_buckets(
        &self,
        grant: &Grant<ReadReadings>,
        series: &[SeriesId],
        range: TimeRange,
        buckets: &[Bucket],
    ) -> Result<Vec<BucketRow>, StoreError>;

    /// The same within pieces of such series, which do not overlap.
    async fn read_pieces(
        &self,
        grant: &Grant<ReadReadings>,
        pieces: &[Piece],
        buckets: &[Bucket],
    ) -> Result<Vec<BucketRow>, StoreError>;

    /// How many readings a module of the organization has within a range, of one metric or of all.
    async fn count_readings(
        &self,
        grant: &OrgGrant<DeleteReadings>,
        module: ModuleId,
        metric: Option<MetricId>,
        range: TimeRange,
    ) -> Result<u64, StoreError>;

    /// Deletes readings of a module of the organization within a range, and marks what that changes of the rollups. How many.
    ///
    /// Shape: at most `limit`; zero when none are left.
    async fn delete_readings(
        &mut self,
        grant: &OrgGrant<DeleteReadings>,
        module: ModuleId,
        metric: Option<MetricId>,
        range: TimeRange,
        limit: u32,
    ) -> Result<u64, StoreError>;
}
