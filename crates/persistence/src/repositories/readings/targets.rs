//! Modules that readings are sent to or asked of, with their metrics.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, JoinType, PaginatorTrait as _, QueryFilter, QueryResult,
    QuerySelect, RelationTrait as _, Select, Value,
};
use sitewatch_domain::{
    access::{Grant, Permission, ReadModules, ReadReadings, SendReadings},
    ids::{Id, ModuleId},
    modules::Rhythm,
    ports::StoreError,
    readings::{IngestTarget, MetricBounds, QueryTarget, ResolvedBatch, SeriesId, TargetMetric},
    time::Instant,
};
use uuid::Uuid;

use crate::{
    entities::{module, site},
    error::store_error,
    repositories::{
        modules::{Row, with_type_rhythm},
        placeholders,
    },
    scope,
    session::Session,
};

/// Names in one statement; each is asked for in three columns.
const NAMES: usize = 5_000;

impl<C: ConnectionTrait> Session<C> {
    pub(super) async fn ingest_target(
        &self,
        grant: &Grant<ReadModules>,
        id: ModuleId,
    ) -> Result<Option<IngestTarget>, StoreError> {
        let rows = scope::modules(grant).filter(module::Column::Id.eq(id.uuid()));
        Ok(self.targets_of(rows).await?.pop())
    }

    pub(super) async fn ingest_targets(
        &self,
        grant: &Grant<SendReadings>,
        names: &[&str],
    ) -> Result<Vec<IngestTarget>, StoreError> {
        let mut targets: BTreeMap<ModuleId, IngestTarget> = BTreeMap::new();
        for chunk in names.chunks(NAMES) {
            let ids: Vec<Uuid> =
                chunk.iter().filter_map(|name| name.parse::<ModuleId>().ok()).map(Id::uuid).collect();
            let named = Condition::any()
                .add_option((!ids.is_empty()).then(|| module::Column::Id.is_in(ids)))
                .add(module::Column::SerialNumber.is_in(chunk.iter().copied()))
                .add(module::Column::ExternalId.is_in(chunk.iter().copied()));
            let found = self.targets_of(scope::modules(grant).filter(named)).await?;
            targets.extend(found.into_iter().map(|target| (target.module_id, target)));
        }
        Ok(targets.into_values().collect())
    }

    /// Whether all modules of a batch are active and within the grant. Nothing is held: a batch is many, and what matters is that
    /// an archived module or a lost place is seen here by the next one.
    pub(super) async fn targets_are_within(
        &self,
        grant: &Grant<SendReadings>,
        batch: &ResolvedBatch,
    ) -> Result<bool, StoreError> {
        let modules: BTreeSet<Uuid> =
            batch.readings().iter().map(|reading| reading.module_id().uuid()).collect();
        let modules: Vec<Uuid> = modules.into_iter().collect();
        for chunk in modules.chunks(NAMES) {
            let found = scope::modules(grant).filter(module::Column::Id.is_in(chunk.iter().copied()));
            let found = found.count(&self.connection).await.map_err(store_error)?;
            if usize::try_from(found) != Ok(chunk.len()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn targets_of(&self, rows: Select<module::Entity>) -> Result<Vec<IngestTarget>, StoreError> {
        let rows: Vec<Row> =
            with_type_rhythm(rows).into_model().all(&self.connection).await.map_err(store_error)?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let metrics =
            self.metrics_of_types(rows.iter().map(|row| row.module.module_type_id).collect()).await?;
        Ok(rows.into_iter().map(|row| target_of(row, &metrics)).collect())
    }

    /// The active metrics of each type.
    async fn metrics_of_types(
        &self,
        types: BTreeSet<Uuid>,
    ) -> Result<BTreeMap<Uuid, Vec<TargetMetric>>, StoreError> {
        let types: Vec<Uuid> = types.into_iter().collect();
        let mut metrics: BTreeMap<Uuid, Vec<TargetMetric>> = BTreeMap::new();
        for chunk in types.chunks(NAMES) {
            let sql = format!(
                "SELECT l.module_type_id, m.id, m.key, m.min, m.max FROM module_type_metrics l \
                 JOIN metrics m ON m.id = l.metric_id AND m.is_active WHERE l.module_type_id IN ({})",
                placeholders(1, chunk.len())
            );
            for row in self.query_sql(&sql, chunk.iter().map(|id| Value::from(*id))).await? {
                let module_type: Uuid = row.try_get("", "module_type_id").map_err(store_error)?;
                metrics.entry(module_type).or_default().push(metric_of(&row)?);
            }
        }
        Ok(metrics)
    }

    pub(super) async fn query_targets(
        &self,
        grant: &Grant<ReadReadings>,
        modules: &[ModuleId],
    ) -> Result<Vec<QueryTarget>, StoreError> {
        let rows = visible(grant, modules)
            .select_only()
            .column(module::Column::Id)
            .column(module::Column::OrganizationId)
            .column(module::Column::SiteId)
            .column_as(site::Column::Timezone, "zone")
            .join(JoinType::InnerJoin, module::Relation::Site.def());
        let rows: Vec<(Uuid, Uuid, Uuid, String)> =
            rows.into_tuple().all(&self.connection).await.map_err(store_error)?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Value> = rows.iter().map(|(id, ..)| Value::from(*id)).collect();
        let places = placeholders(1, ids.len());
        // Metrics of the type, and those that were once: their readings are still there.
        let sql = format!(
            "SELECT x.module_id, m.id, m.key, m.min, m.max, m.unit, s.id AS series FROM ( \
                SELECT d.id AS module_id, l.metric_id FROM modules d \
                JOIN module_type_metrics l ON l.module_type_id = d.module_type_id WHERE d.id IN ({places}) \
                UNION SELECT module_id, metric_id FROM series WHERE module_id IN ({places})) x \
             JOIN metrics m ON m.id = x.metric_id \
             LEFT JOIN series s ON s.module_id = x.module_id AND s.metric_id = x.metric_id \
             ORDER BY m.is_active DESC"
        );
        let mut metrics: BTreeMap<Uuid, Vec<(TargetMetric, String, Option<SeriesId>)>> = BTreeMap::new();
        for row in self.query_sql(&sql, ids).await? {
            let module: Uuid = row.try_get("", "module_id").map_err(store_error)?;
            let unit: String = row.try_get("", "unit").map_err(store_error)?;
            let series: Option<i64> = row.try_get("", "series").map_err(store_error)?;
            metrics.entry(module).or_default().push((metric_of(&row)?, unit, series.map(SeriesId)));
        }
        let target = |(id, org, site, timezone): (Uuid, Uuid, Uuid, String)| QueryTarget {
            module_id: Id::from_uuid(id),
            organization_id: Id::from_uuid(org),
            site_id: Id::from_uuid(site),
            timezone,
            metrics: metrics.remove(&id).unwrap_or_default(),
        };
        Ok(rows.into_iter().map(target).collect())
    }
}

/// Those of these modules that the grant reaches.
pub(super) fn visible<P: Permission>(grant: &Grant<P>, modules: &[ModuleId]) -> Select<module::Entity> {
    scope::modules(grant).filter(module::Column::Id.is_in(modules.iter().map(|id| id.uuid())))
}

fn metric_of(row: &QueryResult) -> Result<TargetMetric, StoreError> {
    let id: Uuid = row.try_get("", "id").map_err(store_error)?;
    let bounds = MetricBounds {
        min: row.try_get("", "min").map_err(store_error)?,
        max: row.try_get("", "max").map_err(store_error)?,
    };
    Ok(TargetMetric { id: Id::from_uuid(id), key: row.try_get("", "key").map_err(store_error)?, bounds })
}

fn target_of(row: Row, metrics: &BTreeMap<Uuid, Vec<TargetMetric>>) -> IngestTarget {
    let Row { module, type_expected_interval_s, type_offline_after_s } = row;
    let own = (module.expected_interval_s, module.offline_after_s);
    IngestTarget {
        module_id: Id::from_uuid(module.id),
        organization_id: Id::from_uuid(module.organization_id),
        site_id: Id::from_uuid(module.site_id),
        serial_number: module.serial_number,
        external_id: module.external_id,
        last_seen_at: module.last_seen_at.map(Instant::from_micros),
        rhythm: Rhythm::resolve(own, (type_expected_interval_s, type_offline_after_s)),
        metrics: metrics.get(&module.module_type_id).cloned().unwrap_or_default(),
    }
}
