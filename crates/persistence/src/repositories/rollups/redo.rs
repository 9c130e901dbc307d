//! Computing buckets anew from the readings.

use sea_orm::{ConnectionTrait, DbBackend, Value};
use sitewatch_domain::{
    ports::StoreError,
    rollups::{Grain, Stretch},
};

use crate::{repositories::readings::runs_of, session::Session};

const DELETE_ON_POSTGRESQL: &str = "\
    DELETE FROM rollups k USING UNNEST($1::bigint[], $2::bigint[], $3::bigint[]) AS t (series, start, stop) \
    WHERE k.series = t.series AND k.interval = $4 AND k.bucket_start >= t.start AND k.bucket_start < t.stop";

/// Stretch by stretch, so that each reads its own months of its own series alone; the starts of all buckets are an array that is searched
/// by halves.
const INSERT_ON_POSTGRESQL: &str = "\
    INSERT INTO rollups (series, interval, bucket_start, count, sum, min, max, first, last, first_at, last_at) \
    SELECT g.series, $4, ($5::bigint[])[g.bucket], g.count, g.sum, g.min, g.max, \
           (SELECT f.value FROM readings f WHERE f.series = g.series AND f.at = g.first_at AND f.at >= $6 AND f.at < $7), \
           (SELECT l.value FROM readings l WHERE l.series = g.series AND l.at = g.last_at AND l.at >= $6 AND l.at < $7), \
           g.first_at, g.last_at \
    FROM (SELECT t.series, b.bucket, b.count, b.sum, b.min, b.max, b.first_at, b.last_at \
          FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[]) AS t (series, start, stop) CROSS JOIN LATERAL \
              (SELECT width_bucket(r.at, $5::bigint[]) AS bucket, count(*) AS count, sum(r.value) AS sum, \
                      min(r.value) AS min, max(r.value) AS max, min(r.at) AS first_at, max(r.at) AS last_at \
               FROM readings r WHERE r.series = t.series AND r.at >= t.start AND r.at < t.stop AND r.at >= $6 AND r.at < $7 \
               GROUP BY 1) b) g";

const DELETE_ON_SQLITE: &str =
    "DELETE FROM rollups WHERE series = $1 AND interval = $2 AND bucket_start >= $3 AND bucket_start < $4";

/// Buckets of one length that follow each other are found by a division.
const INSERT_ON_SQLITE: &str = "\
    INSERT INTO rollups (series, interval, bucket_start, count, sum, min, max, first, last, first_at, last_at) \
    SELECT $1, $2, g.bucket, g.count, g.sum, g.min, g.max, f.value, l.value, g.first_at, g.last_at FROM ( \
        SELECT (at - $3) / $5 * $5 + $3 AS bucket, count(*) AS count, sum(value) AS sum, min(value) AS min, \
               max(value) AS max, min(at) AS first_at, max(at) AS last_at \
        FROM readings WHERE series = $1 AND at >= $3 AND at < $4 GROUP BY bucket) g \
    JOIN readings f ON f.series = $1 AND f.at = g.first_at \
    JOIN readings l ON l.series = $1 AND l.at = g.last_at";

impl<C: ConnectionTrait> Session<C> {
    pub(super) async fn redo(&self, grain: Grain, stretches: &[Stretch]) -> Result<(), StoreError> {
        match self.backend() {
            DbBackend::Postgres => self.redo_together(grain, stretches).await,
            _ => self.redo_in_runs(grain, stretches).await,
        }
    }

    async fn redo_together(&self, grain: Grain, stretches: &[Stretch]) -> Result<(), StoreError> {
        let (mut series, mut starts, mut stops) = (Vec::new(), Vec::new(), Vec::new());
        for stretch in stretches {
            if let Some(range) = stretch.range() {
                series.push(stretch.series.0);
                starts.push(range.from.as_micros());
                stops.push(range.to.as_micros());
            }
        }
        let bounds = (starts.iter().min().copied(), stops.iter().max().copied());
        let (Some(first), Some(end)) = bounds else { return Ok(()) };
        let all = stretches.iter().flat_map(|stretch| &stretch.buckets);
        let mut buckets: Vec<i64> = all.map(|bucket| bucket.start.as_micros()).collect();
        buckets.sort_unstable();
        buckets.dedup();
        let tasks: [Value; 4] = [series.into(), starts.into(), stops.into(), grain.minutes().into()];
        self.execute_sql(DELETE_ON_POSTGRESQL, tasks.clone()).await?;
        let rest: [Value; 3] = [buckets.into(), first.into(), end.into()];
        self.execute_sql(INSERT_ON_POSTGRESQL, tasks.into_iter().chain(rest)).await.map(drop)
    }

    async fn redo_in_runs(&self, grain: Grain, stretches: &[Stretch]) -> Result<(), StoreError> {
        for stretch in stretches {
            for run in runs_of(&stretch.buckets) {
                let run_of: [Value; 4] =
                    [stretch.series.0.into(), grain.minutes().into(), run.start.into(), run.end.into()];
                self.execute_sql(DELETE_ON_SQLITE, run_of.clone()).await?;
                self.execute_sql(INSERT_ON_SQLITE, run_of.into_iter().chain([run.length.into()])).await?;
            }
        }
        Ok(())
    }
}
