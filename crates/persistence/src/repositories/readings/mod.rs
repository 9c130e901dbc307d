//! Readings: finding where they belong, storing them, reading them back.

mod delete;
mod history;
mod insert;
mod partitions;
mod query;
mod rejects;
mod series;
mod targets;

pub(super) use query::{bucket_row, runs_of};

use async_trait::async_trait;
use sea_orm::ConnectionTrait;
use sitewatch_domain::{
    access::{DeleteReadings, Grant, OrgGrant, ReadModules, ReadReadings, SendReadings},
    ids::{MetricId, ModuleId, RejectId, UserId},
    ports::StoreError,
    readings::{
        BucketRow, IngestTarget, Inserted, LatestReading, Piece, QueryTarget, Reading, ReadingKey,
        ReadingRepository, RejectedReading, RejectedRows, ResolvedBatch, SeriesId,
    },
    time::{Bucket, Instant, TimeRange},
};

use crate::session::Session;

/// What a store remembers of its telemetry tables, so that a batch does not ask for it again. Only what was seen
/// committed is remembered: a transaction that rolls back leaves nothing behind.
pub(crate) struct Remembered {
    series: series::SeriesCache,
    partitions: partitions::PartitionCache,
}

impl Default for Remembered {
    fn default() -> Self {
        Self { series: series::cache(), partitions: partitions::cache() }
    }
}

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> ReadingRepository for Session<C> {
    async fn find_ingest_targets(
        &self,
        grant: &Grant<SendReadings>,
        names: &[&str],
    ) -> Result<Vec<IngestTarget>, StoreError> {
        self.ingest_targets(grant, names).await
    }

    async fn find_ingest_target(
        &self,
        grant: &Grant<ReadModules>,
        id: ModuleId,
    ) -> Result<Option<IngestTarget>, StoreError> {
        self.ingest_target(grant, id).await
    }

    async fn are_within(
        &mut self,
        grant: &Grant<SendReadings>,
        batch: &ResolvedBatch,
    ) -> Result<bool, StoreError> {
        self.targets_are_within(grant, batch).await
    }

    async fn insert_readings(&mut self, batch: &ResolvedBatch, now: Instant) -> Result<Inserted, StoreError> {
        let inserted = self.store_readings(batch.readings()).await?;
        self.mark_seen(batch.seen(), now).await?;
        Ok(inserted)
    }

    async fn insert_rejects(
        &mut self,
        rejects: &RejectedRows,
        sent_by: Option<UserId>,
        now: Instant,
    ) -> Result<(), StoreError> {
        self.keep_rejects(rejects.entries(), sent_by, now).await
    }

    async fn list_rejects(
        &self,
        grant: &Grant<ReadReadings>,
        module: ModuleId,
        after: Option<RejectId>,
        limit: u32,
    ) -> Result<Vec<RejectedReading>, StoreError> {
        self.rejects(grant, module, after, limit).await
    }

    async fn list_readings(
        &self,
        grant: &Grant<ReadReadings>,
        module: ModuleId,
        metric: Option<MetricId>,
        range: TimeRange,
        after: Option<ReadingKey>,
        limit: u32,
    ) -> Result<Vec<Reading>, StoreError> {
        self.history(grant, module, metric, range, after, limit).await
    }

    async fn list_latest(
        &self,
        grant: &Grant<ReadModules>,
        module: ModuleId,
    ) -> Result<Vec<LatestReading>, StoreError> {
        self.latest(grant, module).await
    }

    async fn find_query_targets(
        &self,
        grant: &Grant<ReadReadings>,
        modules: &[ModuleId],
    ) -> Result<Vec<QueryTarget>, StoreError> {
        self.query_targets(grant, modules).await
    }

    async fn read_series(
        &self,
        _grant: &Grant<ReadReadings>,
        series: &[SeriesId],
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<(SeriesId, Instant, f64)>, StoreError> {
        self.raw(series, range, limit).await
    }

    async fn read_last_before(
        &self,
        _grant: &Grant<ReadReadings>,
        series: &[SeriesId],
        before: Instant,
    ) -> Result<Vec<(SeriesId, Instant, f64)>, StoreError> {
        self.last_before(series, before).await
    }

    async fn read_buckets(
        &self,
        _grant: &Grant<ReadReadings>,
        series: &[SeriesId],
        range: TimeRange,
        buckets: &[Bucket],
    ) -> Result<Vec<BucketRow>, StoreError> {
        self.buckets(series, range, buckets).await
    }

    async fn read_pieces(
        &self,
        _grant: &Grant<ReadReadings>,
        pieces: &[Piece],
        buckets: &[Bucket],
    ) -> Result<Vec<BucketRow>, StoreError> {
        self.pieces(pieces, buckets).await
    }

    async fn count_readings(
        &self,
        grant: &OrgGrant<DeleteReadings>,
        module: ModuleId,
        metric: Option<MetricId>,
        range: TimeRange,
    ) -> Result<u64, StoreError> {
        self.counted_readings(grant.org(), module, metric, range).await
    }

    async fn delete_readings(
        &mut self,
        grant: &OrgGrant<DeleteReadings>,
        module: ModuleId,
        metric: Option<MetricId>,
        range: TimeRange,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.deleted_readings(grant.org(), module, metric, range, limit).await
    }
}
