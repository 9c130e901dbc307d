use std::time::Duration;

use async_trait::async_trait;

use super::{Figures, Grain, Mark, Rollup, RollupKey, RollupScope};
use crate::{
    access::{Grant, ManageModules, ManageSites, OrgGrant, PlatformGrant, ReadReadings, RunJobs},
    ids::{ModuleId, OrgId, SiteId},
    ports::StoreError,
    readings::{BucketRow, SeriesId},
    time::{Bucket, Instant, TimeRange, Zone},
};

/// A series that is held, with the calendars of its days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldSeries {
    /// The series.
    pub series: SeriesId,
    /// The time zone of its module's site.
    pub zone: String,
    /// The time zone that its hours and days are kept in; `None` while nothing is kept.
    pub rolled_zone: Option<String>,
}

/// Buckets of a series that follow each other without a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The series.
    pub series: SeriesId,
    /// The buckets, at least one.
    pub buckets: Vec<Bucket>,
}

impl Stretch {
    /// From the start of the first bucket to the end of the last.
    pub fn range(&self) -> Option<TimeRange> {
        let (first, last) = (self.buckets.first()?, self.buckets.last()?);
        Some(TimeRange { from: first.start, to: last.end })
    }
}

/// What is kept for a question.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeptAnswer {
    /// The figures of buckets that hold readings; where stale, to be left alone.
    pub rows: Vec<BucketRow>,
    /// What is not as it should be, or was not a moment ago.
    pub stale: Vec<Mark>,
}

/// Whose rollups are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollupOf {
    /// All modules of a site.
    Site(SiteId),
    /// One module.
    Module(ModuleId),
}

/// Which rollups are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollupFilter<'a> {
    /// Whose.
    pub of: RollupOf,
    /// Only of metrics with this key.
    pub metric: Option<&'a str>,
    /// The length of the buckets.
    pub grain: Grain,
    /// What they start within.
    pub range: TimeRange,
}

/// A series by the names that people know it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesName {
    /// The series.
    pub series: SeriesId,
    /// The module.
    pub module_id: ModuleId,
    /// The metric's key.
    pub metric: String,
}

/// A bucket in which what is kept is not exactly what the readings come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The start of the bucket.
    pub at: Instant,
    /// What is kept.
    pub stored: Option<Figures>,
    /// What the readings come to.
    pub computed: Option<Figures>,
}

/// Keeps rollups. Marks are written with what makes them necessary.
#[async_trait]
pub trait RollupRepository {
    /// What is kept of series that were found with this grant, laid over buckets whose ends are ends of the grain's buckets, and
    /// what of it is stale, as of one moment. Hours and days only of series that keep them in this zone; all others are stale.
    ///
    /// Shape: in no particular order; buckets are in order and touch each other.
    async fn read_kept(
        &self,
        grant: &Grant<ReadReadings>,
        series: &[SeriesId],
        grain: Grain,
        zone: &Zone,
        buckets: &[Bucket],
    ) -> Result<KeptAnswer, StoreError>;

    /// Rollups of active modules within the grant, series by series, then by time.
    ///
    /// Shape: at most `limit`, all after `after`.
    async fn list_rollups(
        &self,
        grant: &Grant<ReadReadings>,
        filter: &RollupFilter<'_>,
        after: Option<RollupKey>,
        limit: u32,
    ) -> Result<Vec<Rollup>, StoreError>;

    /// Marks all series of a site's modules, as far as they reach: the site's calendar is another one now.
    async fn mark_site(&mut self, grant: &OrgGrant<ManageSites>, site: SiteId) -> Result<(), StoreError>;

    /// Marks all series of a module, as far as they reach: it has moved into another calendar.
    async fn mark_module(
        &mut self,
        grant: &OrgGrant<ManageModules>,
        module: ModuleId,
    ) -> Result<(), StoreError>;

    /// Marks all series of the scope, as far as they reach. The organizations that they belong to, each once.
    async fn mark_all(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        scope: RollupScope,
    ) -> Result<Vec<OrgId>, StoreError>;

    /// The organizations with marks that are older than this, by the database's clock.
    async fn list_marked(
        &self,
        grant: &PlatformGrant<RunJobs>,
        age: Duration,
    ) -> Result<Vec<OrgId>, StoreError>;

    /// Takes marks of an organization away that nobody else is taking, the oldest first; waits if others are taking all of them.
    ///
    /// Shape: at most `limit`; none if there are none.
    async fn take_marks(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        org: OrgId,
        limit: u32,
    ) -> Result<Vec<Mark>, StoreError>;

    /// Leaves marks for another transaction.
    async fn leave_marks(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        org: OrgId,
        marks: &[Mark],
    ) -> Result<(), StoreError>;

    /// Holds series until the transaction ends: nobody else redoes them meanwhile. Those that there are.
    async fn hold_series(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        series: &[SeriesId],
    ) -> Result<Vec<HeldSeries>, StoreError>;

    /// Notes the zone that the hours and days of these series are kept in from now on.
    async fn set_rolled_zone(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        series: &[SeriesId],
        zone: &Zone,
    ) -> Result<(), StoreError>;

    /// From the earliest to the latest of what there is of series, readings and starts of kept buckets; series without any are
    /// left out.
    async fn read_extents(
        &self,
        grant: &PlatformGrant<RunJobs>,
        series: &[SeriesId],
    ) -> Result<Vec<Mark>, StoreError>;

    /// Computes buckets of series that are held anew from the readings. What was kept from the start of a stretch to its end goes.
    async fn redo_rollups(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        grain: Grain,
        stretches: &[Stretch],
    ) -> Result<(), StoreError>;

    /// Series of the scope, by number, with the zone that their hours and days are kept in; those that nothing is kept of are
    /// left out.
    ///
    /// Shape: at most `limit`, all after `after`.
    async fn list_rolled(
        &self,
        grant: &PlatformGrant<RunJobs>,
        scope: RollupScope,
        after: SeriesId,
        limit: u32,
    ) -> Result<Vec<(SeriesName, String)>, StoreError>;

    /// Compares what is kept of a stretch with what the readings come to, as of one moment; buckets near a mark are left out, and all
    /// if the series keeps its hours and days in another zone by now.
    async fn compare_rollups(
        &self,
        grant: &PlatformGrant<RunJobs>,
        grain: Grain,
        zone: &Zone,
        stretch: &Stretch,
    ) -> Result<Vec<Compared>, StoreError>;
}
