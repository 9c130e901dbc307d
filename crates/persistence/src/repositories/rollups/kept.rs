//! Kept figures laid over the buckets of a question, with what of them is stale. One statement tells both, so that they belong together.

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Value};
use sitewatch_domain::{
    ports::StoreError,
    readings::SeriesId,
    rollups::{Grain, KeptAnswer, Mark},
    time::{Bucket, Instant, TimeRange, Zone},
};

use super::numbers;
use crate::{
    error::store_error,
    repositories::{
        among,
        readings::{bucket_row, runs_of},
    },
    session::Session,
};

const ON_POSTGRESQL: &str = "\
    SELECT g.series, g.bucket, g.count, g.sum, g.min, g.max, \
           (SELECT f.first FROM rollups f WHERE f.series = g.series AND f.interval = $5 AND f.bucket_start = g.first_start) AS first, \
           (SELECT l.last FROM rollups l WHERE l.series = g.series AND l.interval = $5 AND l.bucket_start = g.last_start) AS last, \
           0::bigint AS from_at, 0::bigint AS to_at \
    FROM (SELECT k.series, width_bucket(k.bucket_start, $2::bigint[])::bigint - 1 AS bucket, sum(k.count)::bigint AS count, \
                 sum(k.sum) AS sum, min(k.min) AS min, max(k.max) AS max, \
                 min(k.bucket_start) AS first_start, max(k.bucket_start) AS last_start \
          FROM rollups k WHERE k.series = ANY($1::bigint[]) AND k.interval = $5 \
                AND k.bucket_start >= $3 AND k.bucket_start < $4 GROUP BY 1, 2) g \
    UNION ALL SELECT m.series, -1, 0, 0, 0, 0, 0, 0, m.from_at, m.to_at FROM rollup_marks m \
        WHERE m.series = ANY($1::bigint[]) AND m.from_at < $4 AND m.to_at > $3 \
    UNION ALL SELECT s.id, -1, 0, 0, 0, 0, 0, 0, $3, $4 FROM series s \
        WHERE s.id = ANY($1::bigint[]) AND (s.rolled_zone IS NULL OR ($6 <> '' AND s.rolled_zone <> $6))";

/// Buckets of one length that follow each other are numbered by a division; all series of a question in one statement.
fn run_on_sqlite(among: &str) -> String {
    format!(
        "SELECT g.series, g.bucket, g.count, g.sum, g.min, g.max, f.first AS first, l.last AS last, 0 AS from_at, 0 AS to_at FROM ( \
             SELECT series, (bucket_start - $2) / $1 AS bucket, sum(count) AS count, sum(sum) AS sum, min(min) AS min, \
                    max(max) AS max, min(bucket_start) AS first_start, max(bucket_start) AS last_start \
             FROM rollups WHERE series {among} AND interval = $4 AND bucket_start >= $2 AND bucket_start < $3 \
             GROUP BY series, bucket) g \
         JOIN rollups f ON f.series = g.series AND f.interval = $4 AND f.bucket_start = g.first_start \
         JOIN rollups l ON l.series = g.series AND l.interval = $4 AND l.bucket_start = g.last_start \
         UNION ALL SELECT series, -1, 0, 0, 0, 0, 0, 0, from_at, to_at FROM rollup_marks \
             WHERE series {among} AND from_at < $3 AND to_at > $2 \
         UNION ALL SELECT id, -1, 0, 0, 0, 0, 0, 0, $2, $3 FROM series \
             WHERE id {among} AND (rolled_zone IS NULL OR ($5 <> '' AND rolled_zone <> $5))"
    )
}

impl<C: ConnectionTrait> Session<C> {
    pub(super) async fn kept(
        &self,
        series: &[SeriesId],
        grain: Grain,
        zone: &Zone,
        buckets: &[Bucket],
    ) -> Result<KeptAnswer, StoreError> {
        let mut answer = KeptAnswer::default();
        let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else { return Ok(answer) };
        // Five minutes are the same in every zone.
        let zone = if grain == Grain::FiveMinutes { "" } else { zone.name() };
        if self.backend() == DbBackend::Postgres {
            let values: [Value; 6] = [
                numbers(series).into(),
                buckets.iter().map(|bucket| bucket.start.as_micros()).collect::<Vec<_>>().into(),
                first.start.as_micros().into(),
                last.end.as_micros().into(),
                grain.minutes().into(),
                zone.into(),
            ];
            return add(&mut answer, &self.query_sql(ON_POSTGRESQL, values).await?, 0).map(|()| answer);
        }
        let (among, numbers) = among(self.backend(), 6, &numbers(series));
        let sql = run_on_sqlite(&among);
        for run in runs_of(buckets) {
            let fixed: [Value; 5] =
                [run.length.into(), run.start.into(), run.end.into(), grain.minutes().into(), zone.into()];
            let rows = self.query_sql(&sql, fixed.into_iter().chain(numbers.clone())).await?;
            add(&mut answer, &rows, run.first)?;
        }
        Ok(answer)
    }
}

fn add(answer: &mut KeptAnswer, rows: &[QueryResult], first: usize) -> Result<(), StoreError> {
    for row in rows {
        let bucket: i64 = row.try_get_by_index(1).map_err(store_error)?;
        if bucket < 0 {
            answer.stale.push(stale_of(row).map_err(store_error)?);
        } else {
            answer.rows.push(bucket_row(row, first).map_err(store_error)?);
        }
    }
    Ok(())
}

fn stale_of(row: &QueryResult) -> Result<Mark, sea_orm::DbErr> {
    let range = TimeRange {
        from: Instant::from_micros(row.try_get_by_index(8)?),
        to: Instant::from_micros(row.try_get_by_index(9)?),
    };
    Ok(Mark { series: SeriesId(row.try_get_by_index(0)?), range })
}
