//! Single readings of one module: a stretch of its history, and its latest values.

use sea_orm::{ColumnTrait as _, ConnectionTrait, QueryFilter as _, QueryResult, Value};
use sitewatch_domain::{
    access::{Grant, Permission, ReadModules, ReadReadings},
    ids::{Id, MetricId, ModuleId},
    ports::StoreError,
    readings::{LatestReading, Reading, ReadingKey, SeriesId},
    time::{Instant, TimeRange},
};
use uuid::Uuid;

use crate::{entities::module, error::store_error, scope, session::Session};

/// A series of a module.
struct ModuleSeries {
    id: i64,
    metric_id: Uuid,
    key: String,
    unit: String,
}

impl<C: ConnectionTrait> Session<C> {
    pub(super) async fn history(
        &self,
        grant: &Grant<ReadReadings>,
        module: ModuleId,
        metric: Option<MetricId>,
        range: TimeRange,
        after: Option<ReadingKey>,
        limit: u32,
    ) -> Result<Vec<Reading>, StoreError> {
        let mut series = self.series_of_module(grant, module).await?;
        series.retain(|series| metric.is_none_or(|metric| metric.uuid() == series.metric_id));
        let mut values = Vec::new();
        let parts = series.iter().map(|series| {
            // Of readings of one moment those of smaller metrics came before.
            let first = after.map_or(i64::MIN, |key| {
                if series.metric_id > key.metric { key.at } else { key.at.saturating_add(1) }
            });
            let from = first.max(range.from.as_micros());
            let number = values.len();
            let bounds = [series.id, from, range.to.as_micros(), i64::from(limit)];
            values.extend(bounds.map(Value::from));
            format!(
                "SELECT * FROM (SELECT series, at, value FROM readings WHERE series = ${} AND at >= ${} AND at < ${} \
                 ORDER BY at LIMIT ${}) s{number}",
                number + 1,
                number + 2,
                number + 3,
                number + 4
            )
        });
        let sql = parts.collect::<Vec<_>>().join(" UNION ALL ");
        let mut readings = self.readings_of(&sql, values, &series).await?;
        readings.sort_unstable_by_key(|reading| (reading.at, reading.metric_id));
        readings.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(readings)
    }

    pub(super) async fn latest(
        &self,
        grant: &Grant<ReadModules>,
        module: ModuleId,
    ) -> Result<Vec<LatestReading>, StoreError> {
        let series = self.series_of_module(grant, module).await?;
        let part = |number: usize| {
            format!(
                "SELECT * FROM (SELECT series, at, value FROM readings WHERE series = ${} ORDER BY at DESC LIMIT 1) s{number}",
                number + 1
            )
        };
        let sql = (0..series.len()).map(part).collect::<Vec<_>>().join(" UNION ALL ");
        let values = series.iter().map(|series| Value::from(series.id)).collect();
        let readings = self.readings_of(&sql, values, &series).await?;
        let unit = |reading: &Reading| {
            let found = series.iter().find(|series| series.metric_id == reading.metric_id.uuid());
            found.map(|series| series.unit.clone()).unwrap_or_default()
        };
        let mut latest: Vec<LatestReading> =
            readings.into_iter().map(|reading| LatestReading { unit: unit(&reading), reading }).collect();
        latest.sort_unstable_by(|a, b| a.reading.metric.cmp(&b.reading.metric));
        Ok(latest)
    }

    pub(super) async fn last_before(
        &self,
        series: &[SeriesId],
        before: Instant,
    ) -> Result<Vec<(SeriesId, Instant, f64)>, StoreError> {
        if series.is_empty() {
            return Ok(Vec::new());
        }
        let part = |number: usize| {
            format!(
                "SELECT * FROM (SELECT series, at, value FROM readings WHERE series = ${} AND at < $1 \
                 ORDER BY at DESC LIMIT 1) s{number}",
                number + 2
            )
        };
        let sql = (0..series.len()).map(part).collect::<Vec<_>>().join(" UNION ALL ");
        let ids = series.iter().map(|series| Value::from(series.0));
        let values = std::iter::once(Value::from(before.as_micros())).chain(ids);
        let reading = |row: &QueryResult| {
            let series = SeriesId(row.try_get_by_index(0)?);
            let at = Instant::from_micros(row.try_get_by_index(1)?);
            Ok((series, at, row.try_get_by_index(2)?))
        };
        self.query_sql(&sql, values).await?.iter().map(|row| reading(row).map_err(store_error)).collect()
    }

    /// The series of the module, if the grant reaches it.
    async fn series_of_module<P: Permission>(
        &self,
        grant: &Grant<P>,
        module: ModuleId,
    ) -> Result<Vec<ModuleSeries>, StoreError> {
        let visible = scope::modules(grant).filter(module::Column::Id.eq(module.uuid()));
        if visible.one(&self.connection).await.map_err(store_error)?.is_none() {
            return Ok(Vec::new());
        }
        let sql = "SELECT s.id, s.metric_id, m.key, m.unit FROM series s JOIN metrics m ON m.id = s.metric_id \
                   WHERE s.module_id = $1";
        let rows = self.query_sql(sql, [module.uuid().into()]).await?;
        let series = |row: &sea_orm::QueryResult| {
            Ok(ModuleSeries {
                id: row.try_get("", "id")?,
                metric_id: row.try_get("", "metric_id")?,
                key: row.try_get("", "key")?,
                unit: row.try_get("", "unit")?,
            })
        };
        rows.iter().map(|row| series(row).map_err(store_error)).collect()
    }

    async fn readings_of(
        &self,
        sql: &str,
        values: Vec<Value>,
        series: &[ModuleSeries],
    ) -> Result<Vec<Reading>, StoreError> {
        if series.is_empty() {
            return Ok(Vec::new());
        }
        let mut readings = Vec::new();
        for row in self.query_sql(sql, values).await? {
            let id: i64 = row.try_get_by_index(0).map_err(store_error)?;
            let at: i64 = row.try_get_by_index(1).map_err(store_error)?;
            let value: f64 = row.try_get_by_index(2).map_err(store_error)?;
            let Some(of) = series.iter().find(|series| series.id == id) else { continue };
            let metric_id = Id::from_uuid(of.metric_id);
            readings.push(Reading { metric_id, metric: of.key.clone(), at: Instant::from_micros(at), value });
        }
        Ok(readings)
    }
}
