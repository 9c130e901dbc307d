//! Deleting readings, a part at a time.

use sea_orm::{ConnectionTrait, QueryResult, Value};
use sitewatch_domain::{
    ids::{Id, MetricId, ModuleId, OrgId},
    ports::StoreError,
    time::TimeRange,
};

use crate::{
    error::store_error,
    repositories::{among, rollups::NewMark},
    session::{Session, expected},
};

impl<C: ConnectionTrait> Session<C> {
    pub(super) async fn counted_readings(
        &self,
        org: OrgId,
        module: ModuleId,
        metric: Option<MetricId>,
        range: TimeRange,
    ) -> Result<u64, StoreError> {
        let series = self.series_to_delete(org, module, metric).await?;
        if series.is_empty() {
            return Ok(0);
        }
        let (among, values) = among(self.backend(), 3, &series);
        let sql = format!(
            "SELECT count(*) AS readings FROM readings WHERE at >= $1 AND at < $2 AND series {among}"
        );
        let bounds = [range.from.as_micros(), range.to.as_micros()].map(Value::from);
        let rows = self.query_sql(&sql, bounds.into_iter().chain(values)).await?;
        let count: i64 = expected(rows.first(), "a count")?.try_get("", "readings").map_err(store_error)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    pub(super) async fn deleted_readings(
        &self,
        org: OrgId,
        module: ModuleId,
        metric: Option<MetricId>,
        range: TimeRange,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let most = u64::from(limit);
        let (mut deleted, mut marks) = (0, Vec::new());
        for series in self.series_to_delete(org, module, metric).await? {
            if deleted >= most {
                break;
            }
            let (rows, stop) = self.deleted_part(series, range, most - deleted).await?;
            if rows > 0 {
                deleted += rows;
                let from = range.from.as_micros();
                marks.push(NewMark { organization: org.uuid(), series, from, to: stop });
            }
        }
        self.insert_marks(&marks).await?;
        Ok(deleted)
    }

    /// Deletes the first readings of a series within the range. How many, and until when.
    async fn deleted_part(&self, series: i64, range: TimeRange, size: u64) -> Result<(u64, i64), StoreError> {
        const DELETE: &str = "DELETE FROM readings WHERE series = $1 AND at >= $2 AND at < $3";
        let (from, to) = (range.from.as_micros(), range.to.as_micros());
        loop {
            let stop = self.end_of_part(series, from, to, size).await?;
            let bounds = [series, from, stop.unwrap_or(to)].map(Value::from);
            let rows = self.execute_sql(DELETE, bounds).await?.rows_affected();
            // Another one may have deleted this part meanwhile: then the next one is due.
            if rows > 0 || stop.is_none() {
                return Ok((rows, stop.unwrap_or(to)));
            }
        }
    }

    /// The moment of the first reading that a part of this size leaves; none if it leaves none.
    async fn end_of_part(
        &self,
        series: i64,
        from: i64,
        to: i64,
        size: u64,
    ) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT at FROM readings WHERE series = $1 AND at >= $2 AND at < $3 ORDER BY at LIMIT 1 OFFSET $4";
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        let rows = self.query_sql(sql, [series, from, to, size].map(Value::from)).await?;
        rows.first().map(|row| row.try_get_by_index(0).map_err(store_error)).transpose()
    }

    async fn series_to_delete(
        &self,
        org: OrgId,
        module: ModuleId,
        metric: Option<MetricId>,
    ) -> Result<Vec<i64>, StoreError> {
        let of_metric = if metric.is_some() { "AND metric_id = $3" } else { "" };
        let sql = format!(
            "SELECT id FROM series WHERE organization_id = $1 AND module_id = $2 {of_metric} ORDER BY id"
        );
        let ids = [org.uuid(), module.uuid()].into_iter().chain(metric.map(Id::uuid)).map(Value::from);
        let rows = self.query_sql(&sql, ids).await?;
        rows.iter().map(|row: &QueryResult| row.try_get_by_index(0).map_err(store_error)).collect()
    }
}
