//! The months of the readings' table on PostgreSQL, made when a reading first needs one.

use moka::sync::Cache;
use sea_orm::{ConnectionTrait, DbBackend};
use sitewatch_domain::{
    ports::StoreError,
    readings::ResolvedReading,
    time::{Bucket, Instant, Interval, TimeRange, Zone},
};

use crate::{error::store_error, session::Session};

/// Months that are known to exist, by their first moment.
pub(super) type PartitionCache = Cache<i64, ()>;

pub(super) fn cache() -> PartitionCache {
    // Two thousand years of months.
    Cache::new(24_000)
}

impl<C: ConnectionTrait> Session<C> {
    /// Makes sure that there is a partition for every reading.
    ///
    /// A month that this transaction makes is not remembered, since the transaction may still be rolled back; the next batch
    /// finds it and remembers it.
    pub(super) async fn ensure_partitions(&self, readings: &[ResolvedReading]) -> Result<(), StoreError> {
        if self.backend() != DbBackend::Postgres {
            return Ok(());
        }
        let mut months: Vec<Bucket> = Vec::new();
        for reading in readings {
            let at = reading.at();
            if !months.iter().any(|month| month.start <= at && at < month.end) {
                months.extend(month_of(at));
            }
        }
        self.make_months(months).await
    }

    /// Makes sure that there is a partition for each of these months.
    pub(crate) async fn make_months(&self, mut months: Vec<Bucket>) -> Result<(), StoreError> {
        if self.backend() != DbBackend::Postgres {
            return Ok(());
        }
        // All makers in one order.
        months.sort_unstable_by_key(|month| month.start);
        let known = &self.shared.remembered.partitions;
        for month in months {
            if known.contains_key(&month.start.as_micros()) {
                continue;
            }
            let name = partition_name(month.start);
            let sql = "SELECT sitewatch_ensure_readings_partition($1, $2, $3) AS existed";
            let values = [name.into(), month.start.as_micros().into(), month.end.as_micros().into()];
            let rows = self.query_sql(sql, values).await?;
            let existed = rows
                .first()
                .map(|row| row.try_get::<bool>("", "existed").map_err(store_error))
                .transpose()?;
            if existed == Some(true) {
                known.insert(month.start.as_micros(), ());
            }
        }
        Ok(())
    }
}

fn month_of(at: Instant) -> Option<Bucket> {
    let moment = TimeRange { from: at, to: Instant::from_micros(at.as_micros().saturating_add(1)) };
    Interval::Month.buckets(moment, &Zone::UTC, 1)?.first().copied()
}

/// `readings_y2014m03`, from the date that the moment begins with.
fn partition_name(month: Instant) -> String {
    let text = month.to_string();
    let (year, rest) = text.split_once('-').unwrap_or(("0000", "00"));
    let month: String = rest.chars().take(2).collect();
    format!("readings_y{year}m{month}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_a_name_and_two_ends() {
        let month = month_of("2014-03-30T01:00:00Z".parse().expect("a time")).expect("a month");
        assert_eq!(month.start.to_string(), "2014-03-01T00:00:00.000Z");
        assert_eq!(month.end.to_string(), "2014-04-01T00:00:00.000Z");
        assert_eq!(partition_name(month.start), "readings_y2014m03");
    }
}
