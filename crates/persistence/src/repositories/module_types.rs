//! Module types and their metrics.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use sea_orm::{ActiveValue, ColumnTrait, ConnectionTrait, QueryFilter, QueryTrait as _, Set, Value};
use sitewatch_domain::{
    Rule,
    access::{Grant, ManageCatalogue, OwnerGrant, ReadCatalogue},
    ids::{Id, ModuleTypeId, OrgId},
    module_types::{ModuleType, ModuleTypeFilter, ModuleTypeRepository, ModuleTypeSort, TypeMetric},
    page::{Listing, Page},
    ports::StoreError,
    stamp::Revision,
};
use uuid::Uuid;

use crate::{
    entities::{
        metric,
        module_type::{ActiveModel, Column, Entity, Model},
    },
    error::store_error,
    paging::{SortColumn, between, page, searched},
    scope,
    session::Session,
    stamp,
};

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> ModuleTypeRepository for Session<C> {
    async fn find_module_type(
        &self,
        grant: &Grant<ReadCatalogue>,
        id: ModuleTypeId,
    ) -> Result<Option<ModuleType>, StoreError> {
        let row = scope::module_types(grant).filter(Column::Id.eq(id.uuid())).one(&self.connection).await;
        let rows = row.map_err(store_error)?.into_iter().collect();
        Ok(self.with_metrics(rows).await?.pop())
    }

    async fn find_module_types(
        &self,
        grant: &Grant<ReadCatalogue>,
        ids: &[ModuleTypeId],
    ) -> Result<Vec<ModuleType>, StoreError> {
        let ids = ids.iter().map(|id| id.uuid());
        let rows = scope::module_types(grant).filter(Column::Id.is_in(ids)).all(&self.connection).await;
        self.with_metrics(rows.map_err(store_error)?).await
    }

    async fn list_module_types(
        &self,
        grant: &Grant<ReadCatalogue>,
        listing: &Listing<ModuleTypeFilter, ModuleTypeSort>,
    ) -> Result<Page<ModuleType>, StoreError> {
        let filter = &listing.filter;
        let rows = scope::module_types(grant)
            .filter(between(Column::CreatedAt, filter.created_at))
            .apply_if(filter.organization, |rows, org: OrgId| {
                rows.filter(Column::OrganizationId.eq(org.uuid()))
            })
            .apply_if(filter.name.as_ref(), |rows, name| rows.filter(Column::Name.eq(name)))
            .apply_if(filter.manufacturer.as_ref(), |rows, maker| {
                rows.filter(Column::Manufacturer.eq(maker))
            });
        let columns = [Column::Name, Column::Manufacturer, Column::Model];
        let rows = searched(rows, listing.search.as_deref(), &columns);
        let key = |key| match key {
            ModuleTypeSort::CreatedAt => SortColumn::Always(Column::CreatedAt),
            ModuleTypeSort::UpdatedAt => SortColumn::Nullable(Column::UpdatedAt),
            ModuleTypeSort::Name => SortColumn::Always(Column::Name),
            ModuleTypeSort::Manufacturer => SortColumn::Nullable(Column::Manufacturer),
        };
        let sort = super::sort_or(&listing.sort, key, Column::CreatedAt);
        let page: Page<Model> =
            page(&self.connection, rows, sort, Column::Id, (listing.page, listing.total)).await?;
        let items = self.with_metrics(page.items).await?;
        Ok(Page { items, total: page.total, request: page.request })
    }

    async fn insert_module_type(
        &mut self,
        grant: &OwnerGrant<ManageCatalogue>,
        module_type: &ModuleType,
    ) -> Result<(), StoreError> {
        if let Some(org) = grant.org() {
            self.require_active_organization(org).await?;
        }
        let row = ActiveModel {
            id: Set(module_type.id.uuid()),
            organization_id: Set(grant.org().map(OrgId::uuid)),
            ..columns(module_type)
        };
        self.insert(row.stamped(stamp::made(grant.author(), &module_type.stamp))).await?;
        self.put_metrics(module_type).await
    }

    async fn update_module_type(
        &mut self,
        grant: &OwnerGrant<ManageCatalogue>,
        module_type: &ModuleType,
        seen: Revision,
    ) -> Result<bool, StoreError> {
        let rows = scope::seen::<Entity>((module_type.id.uuid(), Column::Id), None, (seen, Column::Revision));
        let rows = scope::owned(rows, grant.org(), Column::OrganizationId);
        let row = columns(module_type).stamped(stamp::changed(grant.author(), &module_type.stamp));
        if self.update(rows.set(row)).await? != 1 {
            return Ok(false);
        }
        let sql = "DELETE FROM module_type_metrics WHERE module_type_id = $1";
        self.execute_sql(sql, [module_type.id.uuid().into()]).await?;
        self.put_metrics(module_type).await?;
        Ok(true)
    }

    async fn is_module_type_in_use(
        &mut self,
        _grant: &OwnerGrant<ManageCatalogue>,
        id: ModuleTypeId,
    ) -> Result<bool, StoreError> {
        let held = scope::held::<Entity>(Column::Id, id.uuid());
        self.connection.query_one(&held).await.map_err(store_error)?;
        // What was hidden with its site or organization returns with it, and then needs its type.
        let sql = "SELECT 1 AS found FROM modules WHERE module_type_id = $1 \
                   AND (is_active OR hidden_by IS NOT NULL) LIMIT 1";
        Ok(!self.query_sql(sql, [id.uuid().into()]).await?.is_empty())
    }
}

impl<C: ConnectionTrait> Session<C> {
    /// The types with the metrics of all of them, in one further statement.
    async fn with_metrics(&self, rows: Vec<Model>) -> Result<Vec<ModuleType>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let places = super::placeholders(1, rows.len());
        let sql = format!(
            "SELECT l.module_type_id, m.id, m.key FROM module_type_metrics l JOIN metrics m ON m.id = l.metric_id \
             WHERE l.module_type_id IN ({places}) ORDER BY l.module_type_id, l.position"
        );
        let mut metrics: HashMap<Uuid, Vec<TypeMetric>> = HashMap::new();
        for row in self.query_sql(&sql, rows.iter().map(|row| Value::from(row.id))).await? {
            let module_type: Uuid = row.try_get("", "module_type_id").map_err(store_error)?;
            let id: Uuid = row.try_get("", "id").map_err(store_error)?;
            let key: String = row.try_get("", "key").map_err(store_error)?;
            metrics.entry(module_type).or_default().push(TypeMetric { id: Id::from_uuid(id), key });
        }
        let entity = |row: Model| {
            let metrics = metrics.remove(&row.id).unwrap_or_default();
            module_type_of(row, metrics)
        };
        Ok(rows.into_iter().map(entity).collect())
    }

    async fn put_metrics(&self, module_type: &ModuleType) -> Result<(), StoreError> {
        if module_type.metrics.is_empty() {
            return Ok(());
        }
        if module_type.stamp.is_active {
            let metrics: BTreeSet<Uuid> = module_type.metrics.iter().map(|metric| metric.id.uuid()).collect();
            let metrics: Vec<Uuid> = metrics.into_iter().collect();
            let id = metric::Column::Id;
            self.require_active::<metric::Entity>(id, &metrics, Rule::ReferenceArchived).await?;
        }
        let rows = (0..module_type.metrics.len())
            .map(|row| format!("($1, ${}, {row})", row + 2))
            .collect::<Vec<_>>()
            .join(", ");
        let sql =
            format!("INSERT INTO module_type_metrics (module_type_id, metric_id, position) VALUES {rows}");
        let metrics = module_type.metrics.iter().map(|metric| Value::from(metric.id.uuid()));
        self.execute_sql(&sql, std::iter::once(Value::from(module_type.id.uuid())).chain(metrics))
            .await
            .map(drop)
    }
}

fn columns(module_type: &ModuleType) -> ActiveModel {
    ActiveModel {
        id: ActiveValue::NotSet,
        name: Set(module_type.name.clone()),
        manufacturer: Set(module_type.manufacturer.clone()),
        model: Set(module_type.model.clone()),
        expected_interval_s: Set(module_type.expected_interval_s),
        offline_after_s: Set(module_type.offline_after_s),
        ..Default::default()
    }
}

fn module_type_of(row: Model, metrics: Vec<TypeMetric>) -> ModuleType {
    let stamp = row.stamp();
    ModuleType {
        id: Id::from_uuid(row.id),
        organization_id: row.organization_id.map(Id::from_uuid),
        name: row.name,
        manufacturer: row.manufacturer,
        model: row.model,
        expected_interval_s: row.expected_interval_s,
        offline_after_s: row.offline_after_s,
        metrics,
        stamp,
    }
}
