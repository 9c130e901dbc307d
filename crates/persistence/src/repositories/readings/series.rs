//! Series: the short number that stands for a module's metric in the table of readings.

use std::collections::{BTreeMap, BTreeSet};

use moka::sync::Cache;
use sea_orm::{ConnectionTrait, Value};
use sitewatch_domain::{
    ids::{MetricId, ModuleId, OrgId},
    ports::StoreError,
    readings::ResolvedReading,
};
use uuid::Uuid;

use crate::{error::store_error, repositories::placeholders, session::Session};

pub(super) type SeriesCache = Cache<(Uuid, Uuid), i64>;

/// Some hundred bytes each.
const MOST_REMEMBERED: u64 = 500_000;
/// Modules or series named in one statement; far below the parameters that either database takes.
const CHUNK: usize = 5_000;

pub(super) fn cache() -> SeriesCache {
    Cache::new(MOST_REMEMBERED)
}

/// A metric of a module.
pub(super) type SeriesKey = (ModuleId, MetricId);

impl<C: ConnectionTrait> Session<C> {
    /// The series of all readings; missing ones are made.
    pub(super) async fn series_of(
        &self,
        readings: &[ResolvedReading],
    ) -> Result<BTreeMap<SeriesKey, i64>, StoreError> {
        let cache = &self.shared.remembered.series;
        let mut known = BTreeMap::new();
        // Sorted, so that transactions that make the same series wait in one order and never for each other.
        let mut unknown: BTreeMap<SeriesKey, OrgId> = BTreeMap::new();
        for reading in readings {
            let key = (reading.module_id(), reading.metric_id());
            if known.contains_key(&key) || unknown.contains_key(&key) {
                continue;
            }
            match cache.get(&(key.0.uuid(), key.1.uuid())) {
                Some(series) => drop(known.insert(key, series)),
                None => drop(unknown.insert(key, reading.organization_id())),
            }
        }
        if unknown.is_empty() {
            return Ok(known);
        }
        for (key, series) in self.stored_series(unknown.keys()).await? {
            // Seen before this transaction made any, so it is committed.
            cache.insert((key.0.uuid(), key.1.uuid()), series);
            if unknown.remove(&key).is_some() {
                known.insert(key, series);
            }
        }
        if !unknown.is_empty() {
            self.make_series(&unknown).await?;
            let made = self.stored_series(unknown.keys()).await?;
            known.extend(made.into_iter().filter(|(key, _)| unknown.contains_key(key)));
        }
        Ok(known)
    }

    async fn stored_series(
        &self,
        keys: impl Iterator<Item = &SeriesKey>,
    ) -> Result<Vec<(SeriesKey, i64)>, StoreError> {
        let modules: Vec<Uuid> =
            keys.map(|(module, _)| module.uuid()).collect::<BTreeSet<_>>().into_iter().collect();
        let mut found = Vec::new();
        for chunk in modules.chunks(CHUNK) {
            let places = placeholders(1, chunk.len());
            let sql = format!("SELECT module_id, metric_id, id FROM series WHERE module_id IN ({places})");
            for row in self.query_sql(&sql, chunk.iter().map(|id| Value::from(*id))).await? {
                let module: Uuid = row.try_get("", "module_id").map_err(store_error)?;
                let metric: Uuid = row.try_get("", "metric_id").map_err(store_error)?;
                let id: i64 = row.try_get("", "id").map_err(store_error)?;
                found.push(((ModuleId::from_uuid(module), MetricId::from_uuid(metric)), id));
            }
        }
        Ok(found)
    }

    async fn make_series(&self, missing: &BTreeMap<SeriesKey, OrgId>) -> Result<(), StoreError> {
        let missing: Vec<_> = missing.iter().collect();
        for chunk in missing.chunks(CHUNK) {
            let rows = (0..chunk.len())
                .map(|row| format!("({})", placeholders(row * 3 + 1, 3)))
                .collect::<Vec<_>>()
                .join(", ");
            let sql = format!(
                "INSERT INTO series (organization_id, module_id, metric_id) VALUES {rows} ON CONFLICT DO NOTHING"
            );
            let values = chunk.iter().flat_map(|((module, metric), org)| {
                [Value::from(org.uuid()), Value::from(module.uuid()), Value::from(metric.uuid())]
            });
            self.execute_sql(&sql, values).await?;
        }
        Ok(())
    }
}
