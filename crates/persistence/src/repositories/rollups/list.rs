//! Rollups as they are kept, series by series.

use sea_orm::{
    ColumnTrait as _, ConnectionTrait, JoinType, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _, RelationTrait as _, Value,
};
use sitewatch_domain::{
    access::{Grant, ReadReadings},
    ids::Id,
    ports::StoreError,
    readings::SeriesId,
    rollups::{Rollup, RollupFilter, RollupKey, RollupOf, SeriesName},
    time::Instant,
};
use uuid::Uuid;

use super::figures_of;
use crate::{
    entities::{metric, module, series},
    error::store_error,
    repositories::among,
    scope,
    session::{Session, expected},
};

/// Series of the first statement; each further one asks for four times as many, up to the most, since so far they held little.
const FIRST_SERIES: u64 = 16;
const MOST_SERIES: u64 = 4_096;

impl<C: ConnectionTrait> Session<C> {
    /// The series within the grant from this number on, by number.
    async fn names_of(
        &self,
        grant: &Grant<ReadReadings>,
        filter: &RollupFilter<'_>,
        from: i64,
        limit: u64,
    ) -> Result<Vec<SeriesName>, StoreError> {
        let rows = scope::series(grant)
            .join(JoinType::InnerJoin, series::Relation::Metric.def())
            .filter(match filter.of {
                RollupOf::Site(site) => module::Column::SiteId.eq(site.uuid()),
                RollupOf::Module(module) => series::Column::ModuleId.eq(module.uuid()),
            })
            // Whoever archives a module hides its readings.
            .filter(module::Column::IsActive.eq(true))
            .apply_if(filter.metric, |rows, key| rows.filter(metric::Column::Key.eq(key)))
            .filter(series::Column::Id.gte(from))
            .order_by_asc(series::Column::Id)
            .limit(limit)
            .select_only()
            .column(series::Column::Id)
            .column(series::Column::ModuleId)
            .column(metric::Column::Key);
        let rows: Vec<(i64, Uuid, String)> =
            rows.into_tuple().all(&self.connection).await.map_err(store_error)?;
        let name = |(series, module, metric)| SeriesName {
            series: SeriesId(series),
            module_id: Id::from_uuid(module),
            metric,
        };
        Ok(rows.into_iter().map(name).collect())
    }

    pub(super) async fn rollups_of(
        &self,
        grant: &Grant<ReadReadings>,
        filter: &RollupFilter<'_>,
        after: Option<RollupKey>,
        limit: u32,
    ) -> Result<Vec<Rollup>, StoreError> {
        let (mut rollups, mut at_once) = (Vec::new(), FIRST_SERIES);
        let mut from = after.map_or(i64::MIN, |after| after.series);
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        while rollups.len() < most {
            let names = self.names_of(grant, filter, from, at_once).await?;
            let Some(last) = names.last() else { break };
            from = last.series.0.saturating_add(1);
            rollups.extend(self.rollups_within(&names, filter, after, most - rollups.len()).await?);
            at_once = (at_once * 4).min(MOST_SERIES);
        }
        Ok(rollups)
    }

    async fn rollups_within(
        &self,
        names: &[SeriesName],
        filter: &RollupFilter<'_>,
        after: Option<RollupKey>,
        limit: usize,
    ) -> Result<Vec<Rollup>, StoreError> {
        let numbers: Vec<i64> = names.iter().map(|name| name.series.0).collect();
        let (among, series) = among(self.backend(), 7, &numbers);
        let sql = format!(
            "SELECT k.series, k.bucket_start, k.count, k.sum, k.min, k.max, k.first, k.last, k.first_at, k.last_at \
             FROM rollups k WHERE k.series {among} AND k.interval = $1 AND k.bucket_start >= $2 AND k.bucket_start < $3 \
                 AND (k.series > $4 OR (k.series = $4 AND k.bucket_start > $5)) \
             ORDER BY k.series, k.bucket_start LIMIT $6"
        );
        let after = after.unwrap_or(RollupKey { series: i64::MIN, at: i64::MIN });
        let fixed: [Value; 6] = [
            filter.grain.minutes().into(),
            filter.range.from.as_micros().into(),
            filter.range.to.as_micros().into(),
            after.series.into(),
            after.at.into(),
            i64::try_from(limit).unwrap_or(i64::MAX).into(),
        ];
        let mut rollups = Vec::new();
        for row in self.query_sql(&sql, fixed.into_iter().chain(series)).await? {
            let number: i64 = row.try_get_by_index(0).map_err(store_error)?;
            let at: i64 = row.try_get_by_index(1).map_err(store_error)?;
            let figures = figures_of(&row, 2).map_err(store_error)?;
            let place = names.binary_search_by_key(&number, |name| name.series.0).ok();
            let name = expected(place.and_then(|place| names.get(place)), "a series that was asked for")?;
            rollups.push(Rollup {
                series: name.series,
                module_id: name.module_id,
                metric: name.metric.clone(),
                at: Instant::from_micros(at),
                figures: expected(figures, "a count")?,
            });
        }
        Ok(rollups)
    }
}
