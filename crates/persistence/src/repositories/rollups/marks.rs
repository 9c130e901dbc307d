//! Marks: written by batches, taken by jobs.

use std::{collections::BTreeSet, time::Duration};

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Value};
use sitewatch_domain::{
    ids::{Id, OrgId},
    ports::StoreError,
    readings::SeriesId,
    rollups::{Grain, HeldSeries, Mark, RollupScope},
    time::{Instant, TimeRange},
};
use uuid::Uuid;

use super::numbers;
use crate::{
    error::store_error,
    repositories::{among, jobs::now, placeholders},
    session::Session,
};

/// Marks of one statement on SQLite, which takes 32,766 parameters.
const SQLITE_ROWS: usize = 5_000;

/// A mark as it is written.
#[derive(Clone, Copy)]
pub(in crate::repositories) struct NewMark {
    pub(in crate::repositories) organization: Uuid,
    pub(in crate::repositories) series: i64,
    pub(in crate::repositories) from: i64,
    pub(in crate::repositories) to: i64,
}

impl NewMark {
    pub(super) const fn of(org: OrgId, mark: Mark) -> Self {
        let TimeRange { from, to } = mark.range;
        Self { organization: org.uuid(), series: mark.series.0, from: from.as_micros(), to: to.as_micros() }
    }
}

/// The condition on `series s` that a scope is, with its values from the parameter `first` on.
pub(super) fn scope_condition(scope: RollupScope, first: usize) -> (String, Vec<Value>) {
    let mut values: Vec<Value> = Vec::new();
    let mut condition = "true".to_owned();
    let named =
        [("organization_id", scope.organization.map(Id::uuid)), ("module_id", scope.module.map(Id::uuid))];
    for (column, id) in named {
        if let Some(id) = id {
            condition = format!("{condition} AND s.{column} = ${}", first + values.len());
            values.push(id.into());
        }
    }
    (condition, values)
}

impl<C: ConnectionTrait> Session<C> {
    /// Writes marks, in one statement on PostgreSQL.
    pub(in crate::repositories) async fn insert_marks(&self, marks: &[NewMark]) -> Result<(), StoreError> {
        if marks.is_empty() {
            return Ok(());
        }
        let now = now(self.backend());
        let into = "INSERT INTO rollup_marks (organization_id, series, from_at, to_at, marked_at)";
        if self.backend() == DbBackend::Postgres {
            let sql = format!(
                "{into} SELECT m.*, {now} FROM UNNEST($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[]) AS m"
            );
            let values: [Value; 4] = [
                marks.iter().map(|mark| mark.organization).collect::<Vec<_>>().into(),
                marks.iter().map(|mark| mark.series).collect::<Vec<_>>().into(),
                marks.iter().map(|mark| mark.from).collect::<Vec<_>>().into(),
                marks.iter().map(|mark| mark.to).collect::<Vec<_>>().into(),
            ];
            return self.execute_sql(&sql, values).await.map(drop);
        }
        for chunk in marks.chunks(SQLITE_ROWS) {
            let row = |row: usize| format!("({}, {now})", placeholders(row * 4 + 1, 4));
            let rows: Vec<String> = (0..chunk.len()).map(row).collect();
            let values = chunk.iter().flat_map(|mark| {
                [Value::from(mark.organization), mark.series.into(), mark.from.into(), mark.to.into()]
            });
            self.execute_sql(&format!("{into} VALUES {}", rows.join(", ")), values).await?;
        }
        Ok(())
    }

    /// Marks series as far as they can reach; their organizations, each once.
    pub(super) async fn mark_wholly(
        &self,
        condition: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<OrgId>, StoreError> {
        let sql = format!(
            "INSERT INTO rollup_marks (organization_id, series, from_at, to_at, marked_at) \
             SELECT s.organization_id, s.id, 0, {end}, {now} FROM series s WHERE {condition} RETURNING organization_id",
            end = i64::MAX,
            now = now(self.backend())
        );
        let rows = self.query_sql(&sql, values).await?;
        let org = |row: &QueryResult| row.try_get_by_index(0).map(Id::from_uuid).map_err(store_error);
        let orgs: BTreeSet<OrgId> = rows.iter().map(org).collect::<Result<_, _>>()?;
        Ok(orgs.into_iter().collect())
    }

    pub(super) async fn marked_organizations(&self, age: Duration) -> Result<Vec<OrgId>, StoreError> {
        let sql = format!(
            "SELECT DISTINCT organization_id FROM rollup_marks WHERE marked_at < {} - $1",
            now(self.backend())
        );
        let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        let rows = self.query_sql(&sql, [age.into()]).await?;
        rows.iter().map(|row| row.try_get_by_index(0).map(Id::from_uuid).map_err(store_error)).collect()
    }

    /// Takes marks that nobody else is taking. Where all of them are being taken, it waits: should the other one give up, they are there
    /// again, and nobody else may be coming for them.
    pub(super) async fn taken_marks(&self, org: OrgId, limit: u32) -> Result<Vec<Mark>, StoreError> {
        const WAIT: &str =
            "SELECT id FROM rollup_marks WHERE organization_id = $1 ORDER BY id LIMIT 1 FOR UPDATE";
        loop {
            let taken = self.taken_of_free_marks(org, limit).await?;
            // On SQLite there is one writer.
            if !taken.is_empty() || self.backend() != DbBackend::Postgres || !self.is_marked(org).await? {
                return Ok(taken);
            }
            self.query_sql(WAIT, [org.uuid().into()]).await?;
        }
    }

    async fn taken_of_free_marks(&self, org: OrgId, limit: u32) -> Result<Vec<Mark>, StoreError> {
        let skip = match self.backend() {
            DbBackend::Postgres => "FOR UPDATE SKIP LOCKED",
            _ => "",
        };
        let sql = format!(
            "DELETE FROM rollup_marks WHERE id IN \
             (SELECT id FROM rollup_marks WHERE organization_id = $1 ORDER BY id LIMIT $2 {skip}) \
             RETURNING series, from_at, to_at"
        );
        let rows = self.query_sql(&sql, [org.uuid().into(), i64::from(limit).into()]).await?;
        rows.iter().map(|row| mark_of(row, 0).map_err(store_error)).collect()
    }

    async fn is_marked(&self, org: OrgId) -> Result<bool, StoreError> {
        let sql = "SELECT id FROM rollup_marks WHERE organization_id = $1 LIMIT 1";
        Ok(!self.query_sql(sql, [org.uuid().into()]).await?.is_empty())
    }

    pub(super) async fn held(&self, series: &[SeriesId]) -> Result<Vec<HeldSeries>, StoreError> {
        let (among, values) = among(self.backend(), 1, &numbers(series));
        if self.backend() == DbBackend::Postgres {
            // In order, so that two workers that want the same series wait in one order.
            let hold = format!("SELECT id FROM series WHERE id {among} ORDER BY id FOR NO KEY UPDATE");
            self.query_sql(&hold, values.clone()).await?;
        }
        // A statement of its own, so that it sees what was committed while it waited.
        let sql = format!(
            "SELECT s.id, p.timezone, s.rolled_zone FROM series s JOIN modules d ON d.id = s.module_id \
             JOIN sites p ON p.id = d.site_id WHERE s.id {among}"
        );
        let held = |row: &QueryResult| {
            Ok(HeldSeries {
                series: SeriesId(row.try_get_by_index(0)?),
                zone: row.try_get_by_index(1)?,
                rolled_zone: row.try_get_by_index(2)?,
            })
        };
        self.query_sql(&sql, values).await?.iter().map(|row| held(row).map_err(store_error)).collect()
    }

    pub(super) async fn extents(&self, series: &[SeriesId]) -> Result<Vec<Mark>, StoreError> {
        let (among, values) = among(self.backend(), 1, &numbers(series));
        let kept = |grain: &Grain| {
            let of = |end| {
                format!(
                    "(SELECT {end}(k.bucket_start) FROM rollups k WHERE k.series = s.id AND k.interval = {})",
                    grain.minutes()
                )
            };
            format!("{}, {}", of("min"), of("max"))
        };
        let sql = format!(
            "SELECT s.id, (SELECT min(r.at) FROM readings r WHERE r.series = s.id), \
                 (SELECT max(r.at) FROM readings r WHERE r.series = s.id), {} FROM series s WHERE s.id {among}",
            Grain::ALL.iter().map(kept).collect::<Vec<_>>().join(", ")
        );
        let mut extents = Vec::new();
        for row in self.query_sql(&sql, values).await? {
            let moments: Vec<Option<i64>> = (1..3 + 2 * Grain::ALL.len())
                .map(|index| row.try_get_by_index(index).map_err(store_error))
                .collect::<Result<_, _>>()?;
            let found = || moments.iter().flatten().copied();
            if let (Some(from), Some(to)) = (found().min(), found().max()) {
                let range = TimeRange {
                    from: Instant::from_micros(from),
                    to: Instant::from_micros(to.saturating_add(1)),
                };
                extents.push(Mark { series: SeriesId(row.try_get_by_index(0).map_err(store_error)?), range });
            }
        }
        Ok(extents)
    }
}

/// Series and stretch from the column of this index on.
fn mark_of(row: &QueryResult, first: usize) -> Result<Mark, sea_orm::DbErr> {
    Ok(Mark {
        series: SeriesId(row.try_get_by_index(first)?),
        range: TimeRange {
            from: Instant::from_micros(row.try_get_by_index(first + 1)?),
            to: Instant::from_micros(row.try_get_by_index(first + 2)?),
        },
    })
}
