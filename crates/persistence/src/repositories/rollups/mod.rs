//! Rollups: marks of what is to be redone, redoing it, reading what is kept, holding it against the readings.

mod kept;
mod list;
mod marks;
mod redo;
mod verify;

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, QueryResult};
use sitewatch_domain::{
    access::{Grant, ManageModules, ManageSites, OrgGrant, PlatformGrant, ReadReadings, RunJobs},
    ids::{ModuleId, OrgId, SiteId},
    ports::StoreError,
    readings::SeriesId,
    rollups::{
        Compared, Figures, Grain, HeldSeries, KeptAnswer, Mark, Rollup, RollupFilter, RollupKey,
        RollupRepository, RollupScope, SeriesName, Stretch,
    },
    time::{Bucket, Instant, Zone},
};

pub(super) use marks::NewMark;

use crate::session::Session;

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> RollupRepository for Session<C> {
    async fn read_kept(
        &self,
        _grant: &Grant<ReadReadings>,
        series: &[SeriesId],
        grain: Grain,
        zone: &Zone,
        buckets: &[Bucket],
    ) -> Result<KeptAnswer, StoreError> {
        self.kept(series, grain, zone, buckets).await
    }

    async fn list_rollups(
        &self,
        grant: &Grant<ReadReadings>,
        filter: &RollupFilter<'_>,
        after: Option<RollupKey>,
        limit: u32,
    ) -> Result<Vec<Rollup>, StoreError> {
        self.rollups_of(grant, filter, after, limit).await
    }

    async fn mark_site(&mut self, grant: &OrgGrant<ManageSites>, site: SiteId) -> Result<(), StoreError> {
        let condition =
            "s.organization_id = $1 AND s.module_id IN (SELECT id FROM modules WHERE site_id = $2)";
        self.mark_wholly(condition, [grant.org().uuid().into(), site.uuid().into()]).await.map(drop)
    }

    async fn mark_module(
        &mut self,
        grant: &OrgGrant<ManageModules>,
        module: ModuleId,
    ) -> Result<(), StoreError> {
        let condition = "s.organization_id = $1 AND s.module_id = $2";
        self.mark_wholly(condition, [grant.org().uuid().into(), module.uuid().into()]).await.map(drop)
    }

    async fn mark_all(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        scope: RollupScope,
    ) -> Result<Vec<OrgId>, StoreError> {
        let (condition, values) = marks::scope_condition(scope, 1);
        self.mark_wholly(&condition, values).await
    }

    async fn list_marked(
        &self,
        _grant: &PlatformGrant<RunJobs>,
        age: Duration,
    ) -> Result<Vec<OrgId>, StoreError> {
        self.marked_organizations(age).await
    }

    async fn take_marks(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        org: OrgId,
        limit: u32,
    ) -> Result<Vec<Mark>, StoreError> {
        self.taken_marks(org, limit).await
    }

    async fn leave_marks(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        org: OrgId,
        marks: &[Mark],
    ) -> Result<(), StoreError> {
        let marks: Vec<NewMark> = marks.iter().map(|mark| NewMark::of(org, *mark)).collect();
        self.insert_marks(&marks).await
    }

    async fn hold_series(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        series: &[SeriesId],
    ) -> Result<Vec<HeldSeries>, StoreError> {
        self.held(series).await
    }

    async fn set_rolled_zone(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        series: &[SeriesId],
        zone: &Zone,
    ) -> Result<(), StoreError> {
        let (among, values) = super::among(self.backend(), 2, &numbers(series));
        let sql = format!("UPDATE series SET rolled_zone = $1 WHERE id {among}");
        self.execute_sql(&sql, std::iter::once(zone.name().into()).chain(values)).await.map(drop)
    }

    async fn read_extents(
        &self,
        _grant: &PlatformGrant<RunJobs>,
        series: &[SeriesId],
    ) -> Result<Vec<Mark>, StoreError> {
        self.extents(series).await
    }

    async fn redo_rollups(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        grain: Grain,
        stretches: &[Stretch],
    ) -> Result<(), StoreError> {
        self.redo(grain, stretches).await
    }

    async fn list_rolled(
        &self,
        _grant: &PlatformGrant<RunJobs>,
        scope: RollupScope,
        after: SeriesId,
        limit: u32,
    ) -> Result<Vec<(SeriesName, String)>, StoreError> {
        self.rolled(scope, after, limit).await
    }

    async fn compare_rollups(
        &self,
        _grant: &PlatformGrant<RunJobs>,
        grain: Grain,
        zone: &Zone,
        stretch: &Stretch,
    ) -> Result<Vec<Compared>, StoreError> {
        self.compared(grain, zone, stretch).await
    }
}

fn numbers(series: &[SeriesId]) -> Vec<i64> {
    series.iter().map(|series| series.0).collect()
}

/// The eight figures from the column of this index on, in the order of the table; none if there is no count.
fn figures_of(row: &QueryResult, first: usize) -> Result<Option<Figures>, sea_orm::DbErr> {
    let Some(count): Option<i64> = row.try_get_by_index(first)? else { return Ok(None) };
    let moment = |index| row.try_get_by_index(first + index).map(Instant::from_micros);
    Ok(Some(Figures {
        count: u64::try_from(count).unwrap_or(0),
        sum: row.try_get_by_index(first + 1)?,
        min: row.try_get_by_index(first + 2)?,
        max: row.try_get_by_index(first + 3)?,
        first: row.try_get_by_index(first + 4)?,
        last: row.try_get_by_index(first + 5)?,
        first_at: moment(6)?,
        last_at: moment(7)?,
    }))
}
