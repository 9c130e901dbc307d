//! Holding what is kept against the readings, as of one moment.

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Value};
use sitewatch_domain::{
    ids::Id,
    ports::StoreError,
    readings::SeriesId,
    rollups::{Compared, Grain, RollupScope, SeriesName, Stretch},
    time::{Instant, Zone},
};

use super::{figures_of, marks::scope_condition};
use crate::{error::store_error, repositories::readings::runs_of, session::Session};

/// The buckets that differ in anything, but for those near a mark and those of another zone by now. `$2` is what the bucket of a reading is found by.
fn sql(bucket: &str) -> String {
    let figures = ["count", "sum", "min", "max", "first", "last", "first_at", "last_at"];
    let of = |side: &str| figures.map(|figure| format!("{side}.{figure}")).join(", ");
    let differs = figures.map(|figure| format!("c.{figure} IS DISTINCT FROM s.{figure}")).join(" OR ");
    format!(
        "WITH grouped AS ( \
             SELECT {bucket} AS bucket_start, count(*) AS count, sum(r.value) AS sum, min(r.value) AS min, \
                    max(r.value) AS max, min(r.at) AS first_at, max(r.at) AS last_at \
             FROM readings r WHERE r.series = $1 AND r.at >= $3 AND r.at < $4 GROUP BY 1), \
         computed AS ( \
             SELECT g.bucket_start, g.count, g.sum, g.min, g.max, \
                    (SELECT f.value FROM readings f WHERE f.series = $1 AND f.at = g.first_at AND f.at >= $3 AND f.at < $4) AS first, \
                    (SELECT l.value FROM readings l WHERE l.series = $1 AND l.at = g.last_at AND l.at >= $3 AND l.at < $4) AS last, \
                    g.first_at, g.last_at FROM grouped g), \
         stored AS ( \
             SELECT * FROM rollups k WHERE k.series = $1 AND k.interval = $5 AND k.bucket_start >= $3 AND k.bucket_start < $4) \
         SELECT COALESCE(c.bucket_start, s.bucket_start) AS bucket_start, {stored}, {computed} \
         FROM computed c FULL JOIN stored s ON s.bucket_start = c.bucket_start \
         WHERE ({differs}) AND EXISTS (SELECT 1 FROM series z WHERE z.id = $1 AND z.rolled_zone = $7) AND NOT EXISTS ( \
             SELECT 1 FROM rollup_marks m WHERE m.series = $1 AND m.to_at > COALESCE(c.bucket_start, s.bucket_start) \
                 AND m.from_at < COALESCE(c.bucket_start, s.bucket_start) + $6) \
         ORDER BY 1",
        stored = of("s"),
        computed = of("c")
    )
}

impl<C: ConnectionTrait> Session<C> {
    pub(super) async fn rolled(
        &self,
        scope: RollupScope,
        after: SeriesId,
        limit: u32,
    ) -> Result<Vec<(SeriesName, String)>, StoreError> {
        let (condition, values) = scope_condition(scope, 3);
        let sql = format!(
            "SELECT s.id, s.module_id, m.key, s.rolled_zone FROM series s JOIN metrics m ON m.id = s.metric_id \
             WHERE s.id > $1 AND s.rolled_zone IS NOT NULL AND {condition} ORDER BY s.id LIMIT $2"
        );
        let fixed: [Value; 2] = [after.0.into(), i64::from(limit).into()];
        let rolled = |row: &QueryResult| {
            let name = SeriesName {
                series: SeriesId(row.try_get_by_index(0)?),
                module_id: Id::from_uuid(row.try_get_by_index(1)?),
                metric: row.try_get_by_index(2)?,
            };
            Ok((name, row.try_get_by_index(3)?))
        };
        let rows = self.query_sql(&sql, fixed.into_iter().chain(values)).await?;
        rows.iter().map(|row| rolled(row).map_err(store_error)).collect()
    }

    pub(super) async fn compared(
        &self,
        grain: Grain,
        zone: &Zone,
        stretch: &Stretch,
    ) -> Result<Vec<Compared>, StoreError> {
        let rest = |from: i64, to: i64| -> [Value; 5] {
            [from.into(), to.into(), grain.minutes().into(), grain.longest().into(), zone.name().into()]
        };
        let mut rows = Vec::new();
        if self.backend() == DbBackend::Postgres {
            let Some(range) = stretch.range() else { return Ok(Vec::new()) };
            let starts: Vec<i64> = stretch.buckets.iter().map(|bucket| bucket.start.as_micros()).collect();
            let first: [Value; 2] = [stretch.series.0.into(), starts.into()];
            let values = first.into_iter().chain(rest(range.from.as_micros(), range.to.as_micros()));
            rows = self.query_sql(&sql("($2::bigint[])[width_bucket(r.at, $2::bigint[])]"), values).await?;
        } else {
            let sql = sql("(r.at - $3) / $2 * $2 + $3");
            for run in runs_of(&stretch.buckets) {
                let first: [Value; 2] = [stretch.series.0.into(), run.length.into()];
                rows.extend(self.query_sql(&sql, first.into_iter().chain(rest(run.start, run.end))).await?);
            }
        }
        rows.iter().map(|row| compared_of(row).map_err(store_error)).collect()
    }
}

fn compared_of(row: &QueryResult) -> Result<Compared, sea_orm::DbErr> {
    Ok(Compared {
        at: Instant::from_micros(row.try_get_by_index(0)?),
        stored: figures_of(row, 1)?,
        computed: figures_of(row, 9)?,
    })
}
