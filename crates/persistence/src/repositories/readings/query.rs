//! Many readings at once: raw series, and figures of calendar buckets computed by the database.

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Value};
use sitewatch_domain::{
    ports::StoreError,
    readings::{BucketRow, Piece, SeriesId},
    time::{Bucket, Instant, TimeRange},
};

use crate::{error::store_error, repositories::placeholders, session::Session};

/// The boundaries are an array that PostgreSQL searches by halves. The first and the last value are asked for one by one:
/// each then looks into its own month alone, where a join may read every month of every tenant.
const BUCKETS_ON_POSTGRESQL: &str = "\
    SELECT g.series, g.bucket, g.count, g.sum, g.min, g.max, \
           (SELECT value FROM readings f WHERE f.series = g.series AND f.at = g.first_at AND f.at >= $3 AND f.at < $4) AS first, \
           (SELECT value FROM readings l WHERE l.series = g.series AND l.at = g.last_at AND l.at >= $3 AND l.at < $4) AS last \
    FROM ( \
        SELECT series, width_bucket(at, $2::bigint[])::bigint - 1 AS bucket, count(*) AS count, sum(value) AS sum, \
               min(value) AS min, max(value) AS max, min(at) AS first_at, max(at) AS last_at \
        FROM readings WHERE series = ANY($1::bigint[]) AND at >= $3 AND at < $4 GROUP BY 1, 2) g";

/// Piece by piece, so that each reads its own months of its own series alone.
const PIECES_ON_POSTGRESQL: &str = "\
    SELECT g.series, g.bucket, g.count, g.sum, g.min, g.max, \
           (SELECT value FROM readings f WHERE f.series = g.series AND f.at = g.first_at AND f.at >= $5 AND f.at < $6) AS first, \
           (SELECT value FROM readings l WHERE l.series = g.series AND l.at = g.last_at AND l.at >= $5 AND l.at < $6) AS last \
    FROM (SELECT t.series, b.bucket, b.count, b.sum, b.min, b.max, b.first_at, b.last_at \
          FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[]) AS t (series, start, stop) CROSS JOIN LATERAL \
              (SELECT width_bucket(r.at, $4::bigint[])::bigint - 1 AS bucket, count(*) AS count, sum(r.value) AS sum, \
                      min(r.value) AS min, max(r.value) AS max, min(r.at) AS first_at, max(r.at) AS last_at \
               FROM readings r WHERE r.series = t.series AND r.at >= t.start AND r.at < t.stop AND r.at >= $5 AND r.at < $6 \
               GROUP BY 1) b) g";

/// Buckets of one length that follow each other are numbered by a division; a year of days is three such runs.
const RUN_ON_SQLITE: &str = "\
    SELECT g.series, g.bucket, g.count, g.sum, g.min, g.max, f.value AS first, l.value AS last FROM ( \
        SELECT series, (at - $3) / $4 AS bucket, count(*) AS count, sum(value) AS sum, \
               min(value) AS min, max(value) AS max, min(at) AS first_at, max(at) AS last_at \
        FROM readings WHERE series = $5 AND at >= $1 AND at < $2 GROUP BY bucket) g \
    JOIN readings f ON f.series = g.series AND f.at = g.first_at \
    JOIN readings l ON l.series = g.series AND l.at = g.last_at";

/// Buckets of many lengths, as months are, are a table that readings are looked up for, one after another.
const LISTED_ON_SQLITE: (&str, &str) = (
    "WITH b (bucket, start, stop) AS (VALUES ",
    ") SELECT g.series, g.bucket, g.count, g.sum, g.min, g.max, f.value AS first, l.value AS last FROM ( \
        SELECT r.series, b.bucket, count(*) AS count, sum(r.value) AS sum, \
               min(r.value) AS min, max(r.value) AS max, min(r.at) AS first_at, max(r.at) AS last_at \
        FROM b CROSS JOIN readings r WHERE r.series = $1 AND r.at >= b.start AND r.at < b.stop GROUP BY b.bucket) g \
    JOIN readings f ON f.series = g.series AND f.at = g.first_at \
    JOIN readings l ON l.series = g.series AND l.at = g.last_at",
);
/// More runs than these are listed: each would be a statement of its own.
const MOST_RUNS: usize = 16;
/// Buckets of one such list; each takes three parameters of 32,766.
const LISTED: usize = 5_000;

/// Neighbouring buckets of the same length.
pub(in crate::repositories) struct Run {
    pub(in crate::repositories) first: usize,
    pub(in crate::repositories) start: i64,
    pub(in crate::repositories) length: i64,
    pub(in crate::repositories) end: i64,
}

impl<C: ConnectionTrait> Session<C> {
    pub(super) async fn raw(
        &self,
        series: &[SeriesId],
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<(SeriesId, Instant, f64)>, StoreError> {
        let places = placeholders(4, series.len());
        let sql = format!(
            "SELECT series, at, value FROM readings WHERE at >= $1 AND at < $2 AND series IN ({places}) \
             ORDER BY series, at LIMIT $3"
        );
        let bounds = [range.from.as_micros(), range.to.as_micros(), i64::from(limit)];
        let values = bounds.into_iter().chain(series.iter().map(|series| series.0)).map(Value::from);
        let point = |row: &QueryResult| {
            let series = SeriesId(row.try_get_by_index(0)?);
            let at = Instant::from_micros(row.try_get_by_index(1)?);
            Ok((series, at, row.try_get_by_index(2)?))
        };
        self.query_sql(&sql, values).await?.iter().map(|row| point(row).map_err(store_error)).collect()
    }

    pub(super) async fn buckets(
        &self,
        series: &[SeriesId],
        range: TimeRange,
        buckets: &[Bucket],
    ) -> Result<Vec<BucketRow>, StoreError> {
        match self.backend() {
            DbBackend::Postgres => {
                let values: [Value; 4] = [
                    series.iter().map(|series| series.0).collect::<Vec<_>>().into(),
                    buckets.iter().map(|bucket| bucket.start.as_micros()).collect::<Vec<_>>().into(),
                    range.from.as_micros().into(),
                    range.to.as_micros().into(),
                ];
                let rows = self.query_sql(BUCKETS_ON_POSTGRESQL, values).await?;
                rows.iter().map(|row| bucket_row(row, 0).map_err(store_error)).collect()
            }
            _ => self.buckets_in_runs(series, range, buckets).await,
        }
    }

    pub(super) async fn pieces(
        &self,
        pieces: &[Piece],
        buckets: &[Bucket],
    ) -> Result<Vec<BucketRow>, StoreError> {
        if self.backend() != DbBackend::Postgres {
            return self.pieces_in_runs(pieces, buckets).await;
        }
        let starts: Vec<i64> = pieces.iter().map(|piece| piece.range.from.as_micros()).collect();
        let stops: Vec<i64> = pieces.iter().map(|piece| piece.range.to.as_micros()).collect();
        let (first, end) = (starts.iter().min().copied(), stops.iter().max().copied());
        let values: [Value; 6] = [
            pieces.iter().map(|piece| piece.series.0).collect::<Vec<_>>().into(),
            starts.into(),
            stops.into(),
            buckets.iter().map(|bucket| bucket.start.as_micros()).collect::<Vec<_>>().into(),
            first.unwrap_or(0).into(),
            end.unwrap_or(0).into(),
        ];
        let rows = self.query_sql(PIECES_ON_POSTGRESQL, values).await?;
        rows.iter().map(|row| bucket_row(row, 0).map_err(store_error)).collect()
    }

    async fn pieces_in_runs(
        &self,
        pieces: &[Piece],
        buckets: &[Bucket],
    ) -> Result<Vec<BucketRow>, StoreError> {
        let mut rows = Vec::new();
        for Piece { series, range } in pieces {
            let first = buckets.partition_point(|bucket| bucket.end <= range.from);
            let end = buckets.partition_point(|bucket| bucket.start < range.to);
            let within = buckets.get(first..end).unwrap_or_default();
            let found = self.buckets_in_runs(&[*series], *range, within).await?;
            rows.extend(found.into_iter().map(|row| BucketRow { bucket: row.bucket + first, ..row }));
        }
        Ok(rows)
    }

    async fn buckets_in_runs(
        &self,
        series: &[SeriesId],
        range: TimeRange,
        buckets: &[Bucket],
    ) -> Result<Vec<BucketRow>, StoreError> {
        let runs = runs_of(buckets);
        if runs.len() > MOST_RUNS {
            return self.buckets_in_lists(series, range, buckets).await;
        }
        let mut rows = Vec::new();
        for run in runs {
            let from = run.start.max(range.from.as_micros());
            let to = run.end.min(range.to.as_micros());
            for series in series {
                let values = [from, to, run.start, run.length, series.0].map(Value::from);
                for row in self.query_sql(RUN_ON_SQLITE, values).await? {
                    rows.push(bucket_row(&row, run.first).map_err(store_error)?);
                }
            }
        }
        Ok(rows)
    }

    async fn buckets_in_lists(
        &self,
        series: &[SeriesId],
        range: TimeRange,
        buckets: &[Bucket],
    ) -> Result<Vec<BucketRow>, StoreError> {
        let mut rows = Vec::new();
        let numbered: Vec<(i64, &Bucket)> = (0_i64..).zip(buckets).collect();
        for chunk in numbered.chunks(LISTED) {
            let places = (0..chunk.len()).map(|row| format!("({})", placeholders(row * 3 + 2, 3)));
            let places = places.collect::<Vec<_>>().join(", ");
            let sql = [LISTED_ON_SQLITE.0, &places, LISTED_ON_SQLITE.1].concat();
            for series in series {
                let bounds = chunk.iter().flat_map(|(number, bucket)| {
                    let start = bucket.start.max(range.from).as_micros();
                    [*number, start, bucket.end.min(range.to).as_micros()]
                });
                let values = std::iter::once(series.0).chain(bounds).map(Value::from);
                for row in self.query_sql(&sql, values).await? {
                    rows.push(bucket_row(&row, 0).map_err(store_error)?);
                }
            }
        }
        Ok(rows)
    }
}

pub(in crate::repositories) fn bucket_row(
    row: &QueryResult,
    first: usize,
) -> Result<BucketRow, sea_orm::DbErr> {
    let count: i64 = row.try_get_by_index(2)?;
    let bucket: i64 = row.try_get_by_index(1)?;
    Ok(BucketRow {
        series: SeriesId(row.try_get_by_index(0)?),
        bucket: first + usize::try_from(bucket).unwrap_or(usize::MAX - first),
        count: u64::try_from(count).unwrap_or(0),
        sum: row.try_get_by_index(3)?,
        min: row.try_get_by_index(4)?,
        max: row.try_get_by_index(5)?,
        first: row.try_get_by_index(6)?,
        last: row.try_get_by_index(7)?,
    })
}

pub(in crate::repositories) fn runs_of(buckets: &[Bucket]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (index, bucket) in buckets.iter().enumerate() {
        let (start, end) = (bucket.start.as_micros(), bucket.end.as_micros());
        let length = end.saturating_sub(start).max(1);
        match runs.last_mut() {
            Some(run) if run.length == length && run.end == start => run.end = end,
            _ => runs.push(Run { first: index, start, length, end }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use sitewatch_domain::time::Interval;

    use super::*;

    #[test]
    fn a_year_of_days_is_few_runs() {
        let range = TimeRange {
            from: "2014-01-01T00:00:00+01:00".parse().expect("a time"),
            to: "2015-01-01T00:00:00+01:00".parse().expect("a time"),
        };
        let zone = "Europe/Paris".parse().expect("a zone");
        let buckets = Interval::Day.buckets(range, &zone, 400).expect("a year");
        let runs = runs_of(&buckets);
        assert_eq!(buckets.len(), 365);
        let firsts: Vec<usize> = runs.iter().map(|run| run.first).collect();
        assert_eq!(firsts, [0, 88, 89, 298, 299], "the two odd days stand alone");
        assert!(runs.windows(2).all(|pair| matches!(pair, [a, b] if a.end == b.start)));
    }
}
