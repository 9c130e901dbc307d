//! Storing readings: one statement a batch, the first value of a series and moment wins.

use sea_orm::{ConnectionTrait, DbBackend, Value};
use sitewatch_domain::{
    ids::{ModuleId, OrgId},
    ports::StoreError,
    readings::{Inserted, ResolvedReading},
    time::Instant,
};

use crate::{
    error::store_error,
    repositories::{placeholders, rollups::NewMark},
    session::Session,
};

/// Rows of one statement on SQLite, which takes 32,766 parameters.
const SQLITE_ROWS: usize = 5_000;
/// A module that was noted a moment ago is not noted again: its row would be written by every batch.
const SEEN_AGAIN_AFTER_MICROS: i64 = 1_000_000;
const DAY_MICROS: i64 = 86_400_000_000;

/// A reading as it is stored.
#[derive(Clone, Copy)]
struct Row {
    organization: OrgId,
    series: i64,
    at: i64,
    value: f64,
}

/// What sorted rows change: a mark for each series and its neighbouring days, from the first row to the last.
fn marks_of(rows: &[Row]) -> Vec<NewMark> {
    let mut marks: Vec<NewMark> = Vec::new();
    for row in rows {
        let day_of = |at: i64| at.div_euclid(DAY_MICROS);
        match marks.last_mut() {
            // The end is the moment after the last row.
            Some(mark) if mark.series == row.series && day_of(row.at) <= day_of(mark.to - 1) + 1 => {
                mark.to = row.at.saturating_add(1);
            }
            _ => marks.push(NewMark {
                organization: row.organization.uuid(),
                series: row.series,
                from: row.at,
                to: row.at.saturating_add(1),
            }),
        }
    }
    marks
}

impl<C: ConnectionTrait> Session<C> {
    pub(super) async fn store_readings(&self, readings: &[ResolvedReading]) -> Result<Inserted, StoreError> {
        if readings.is_empty() {
            return Ok(Inserted::default());
        }
        let series = self.series_of(readings).await?;
        self.ensure_partitions(readings).await?;
        let mut rows = Vec::with_capacity(readings.len());
        for reading in readings {
            let key = (reading.module_id(), reading.metric_id());
            let series = crate::session::expected(series.get(&key).copied(), "series")?;
            let organization = reading.organization_id();
            rows.push(Row { organization, series, at: reading.at().as_micros(), value: reading.value() });
        }
        // In the order of the key: neighbours go into the same page, and transactions that overlap wait in one order.
        rows.sort_unstable_by_key(|row| (row.series, row.at));
        let inserted = match self.backend() {
            DbBackend::Postgres => self.insert_arrays(&rows).await?,
            _ => self.insert_values(&rows).await?,
        };
        if inserted.accepted > 0 {
            self.insert_marks(&marks_of(&rows)).await?;
        }
        Ok(inserted)
    }

    /// Arrays, since their statement has the same text for every size of batch.
    async fn insert_arrays(&self, rows: &[Row]) -> Result<Inserted, StoreError> {
        let arrays = || -> [Value; 3] {
            [
                rows.iter().map(|row| row.series).collect::<Vec<_>>().into(),
                rows.iter().map(|row| row.at).collect::<Vec<_>>().into(),
                rows.iter().map(|row| row.value).collect::<Vec<_>>().into(),
            ]
        };
        let insert = "INSERT INTO readings (series, at, value) \
                      SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::float8[]) ON CONFLICT DO NOTHING";
        let accepted = self.execute_sql(insert, arrays()).await?.rows_affected();
        let sent = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        if accepted == sent {
            return Ok(Inserted { accepted, ..Inserted::default() });
        }
        // One by one: each looks into its own month alone, where a join may read every month of every tenant.
        let differing = "SELECT count(*) AS differing \
                         FROM UNNEST($1::bigint[], $2::bigint[], $3::float8[]) AS sent (series, at, value) \
                         WHERE (SELECT r.value FROM readings r WHERE r.series = sent.series AND r.at = sent.at \
                                AND r.at BETWEEN $4 AND $5) <> sent.value";
        let moments = || rows.iter().map(|row| row.at);
        let bounds = [moments().min().unwrap_or(0), moments().max().unwrap_or(0)].map(Value::from);
        let conflict = self.counted(differing, arrays().into_iter().chain(bounds)).await?;
        Ok(Inserted { accepted, conflict, duplicate: sent.saturating_sub(accepted + conflict) })
    }

    async fn insert_values(&self, rows: &[Row]) -> Result<Inserted, StoreError> {
        let mut total = Inserted::default();
        for chunk in rows.chunks(SQLITE_ROWS) {
            let places = (0..chunk.len())
                .map(|row| format!("({})", placeholders(row * 3 + 1, 3)))
                .collect::<Vec<_>>()
                .join(", ");
            let values = || {
                chunk
                    .iter()
                    .flat_map(|row| [Value::from(row.series), Value::from(row.at), Value::from(row.value)])
            };
            let insert =
                format!("INSERT INTO readings (series, at, value) VALUES {places} ON CONFLICT DO NOTHING");
            let accepted = self.execute_sql(&insert, values()).await?.rows_affected();
            total.accepted += accepted;
            let sent = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            if accepted < sent {
                let differing = format!(
                    "WITH sent (series, at, value) AS (VALUES {places}) \
                     SELECT count(*) AS differing FROM sent \
                     JOIN readings r ON r.series = sent.series AND r.at = sent.at WHERE r.value <> sent.value"
                );
                let conflict = self.counted(&differing, values()).await?;
                total.conflict += conflict;
                total.duplicate += sent.saturating_sub(accepted + conflict);
            }
        }
        Ok(total)
    }

    async fn counted(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<u64, StoreError> {
        let rows = self.query_sql(sql, values).await?;
        let row = crate::session::expected(rows.first(), "a count")?;
        let count: i64 = row.try_get("", "differing").map_err(store_error)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Moves the last report of the modules to this moment.
    pub(super) async fn mark_seen(&self, modules: &[ModuleId], now: Instant) -> Result<(), StoreError> {
        // In order, so that batches for the same modules wait in one order and never for each other.
        let mut modules: Vec<ModuleId> = modules.to_vec();
        modules.sort_unstable();
        for chunk in modules.chunks(SQLITE_ROWS) {
            let places = placeholders(3, chunk.len());
            let due = "(last_seen_at IS NULL OR last_seen_at < $2)";
            let sql = match self.backend() {
                DbBackend::Postgres => format!(
                    "UPDATE modules SET last_seen_at = $1 WHERE id IN \
                     (SELECT id FROM modules WHERE id IN ({places}) AND {due} ORDER BY id FOR UPDATE)"
                ),
                _ => format!("UPDATE modules SET last_seen_at = $1 WHERE id IN ({places}) AND {due}"),
            };
            let again = now.as_micros().saturating_sub(SEEN_AGAIN_AFTER_MICROS);
            let values = [Value::from(now.as_micros()), Value::from(again)];
            self.execute_sql(&sql, values.into_iter().chain(chunk.iter().map(|id| Value::from(id.uuid()))))
                .await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sitewatch_domain::ids::Id;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn neighbouring_days_of_a_series_are_one_mark() {
        let row = |series, at| Row { organization: Id::from_uuid(Uuid::nil()), series, at, value: 1.0 };
        let rows = [row(1, 5), row(1, DAY_MICROS), row(1, 3 * DAY_MICROS), row(2, 3 * DAY_MICROS + 1)];
        let marks: Vec<(i64, i64, i64)> =
            marks_of(&rows).iter().map(|mark| (mark.series, mark.from, mark.to)).collect();
        let (third, after) = (3 * DAY_MICROS, 3 * DAY_MICROS + 1);
        assert_eq!(marks, [(1, 5, DAY_MICROS + 1), (1, third, after), (2, after, after + 1)]);
    }
}
