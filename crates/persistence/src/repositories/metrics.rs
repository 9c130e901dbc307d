//! Metrics.

use async_trait::async_trait;
use sea_orm::{ActiveValue, ColumnTrait, Condition, ConnectionTrait, QueryFilter, QueryTrait as _, Set};
use sitewatch_domain::{
    access::{Grant, ManageCatalogue, OwnerGrant, ReadCatalogue},
    ids::{Id, MetricId, OrgId},
    metrics::{Metric, MetricFilter, MetricKind, MetricRepository, MetricSort},
    page::{Listing, Page},
    ports::StoreError,
    stamp::Revision,
};

use crate::{
    entities::metric::{ActiveModel, Column, Entity, Model},
    error::{corrupt, store_error},
    paging::{SortColumn, between, page, searched},
    scope,
    session::Session,
    stamp,
};

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> MetricRepository for Session<C> {
    async fn find_metric(
        &self,
        grant: &Grant<ReadCatalogue>,
        id: MetricId,
    ) -> Result<Option<Metric>, StoreError> {
        let row = scope::metrics(grant).filter(Column::Id.eq(id.uuid())).one(&self.connection).await;
        row.map_err(store_error)?.map(metric_of).transpose()
    }

    async fn list_metrics(
        &self,
        grant: &Grant<ReadCatalogue>,
        listing: &Listing<MetricFilter, MetricSort>,
    ) -> Result<Page<Metric>, StoreError> {
        let filter = &listing.filter;
        let rows = scope::metrics(grant)
            .filter(between(Column::CreatedAt, filter.created_at))
            .apply_if(filter.organization, |rows, org: OrgId| {
                rows.filter(Column::OrganizationId.eq(org.uuid()))
            })
            .apply_if(filter.key.as_ref(), |rows, key| rows.filter(Column::Key.eq(key)))
            .apply_if(filter.kind, |rows, kind: MetricKind| rows.filter(Column::Kind.eq(kind.name())));
        let rows = searched(rows, listing.search.as_deref(), &[Column::Key, Column::Name]);
        let key = |key| match key {
            MetricSort::CreatedAt => SortColumn::Always(Column::CreatedAt),
            MetricSort::UpdatedAt => SortColumn::Nullable(Column::UpdatedAt),
            MetricSort::Key => SortColumn::Always(Column::Key),
            MetricSort::Name => SortColumn::Always(Column::Name),
        };
        let sort = super::sort_or(&listing.sort, key, Column::CreatedAt);
        let page: Page<Model> =
            page(&self.connection, rows, sort, Column::Id, (listing.page, listing.total)).await?;
        super::try_map(page, metric_of)
    }

    async fn find_metrics_by_key(
        &self,
        grant: &Grant<ReadCatalogue>,
        owner: Option<OrgId>,
        keys: &[String],
    ) -> Result<Vec<Metric>, StoreError> {
        let usable = Condition::any()
            .add(Column::OrganizationId.is_null())
            .add_option(owner.map(|org| Column::OrganizationId.eq(org.uuid())));
        let rows = scope::metrics(grant)
            .filter(Column::IsActive.eq(true))
            .filter(Column::Key.is_in(keys))
            .filter(usable);
        let rows = rows.all(&self.connection).await.map_err(store_error)?;
        rows.into_iter().map(metric_of).collect()
    }

    async fn insert_metric(
        &mut self,
        grant: &OwnerGrant<ManageCatalogue>,
        metric: &Metric,
    ) -> Result<(), StoreError> {
        if let Some(org) = grant.org() {
            self.require_active_organization(org).await?;
        }
        let row = ActiveModel {
            id: Set(metric.id.uuid()),
            organization_id: Set(grant.org().map(OrgId::uuid)),
            key: Set(metric.key.clone()),
            kind: Set(metric.kind.name().to_owned()),
            ..columns(metric)
        };
        self.insert(row.stamped(stamp::made(grant.author(), &metric.stamp))).await
    }

    async fn update_metric(
        &mut self,
        grant: &OwnerGrant<ManageCatalogue>,
        metric: &Metric,
        seen: Revision,
    ) -> Result<bool, StoreError> {
        let rows = scope::seen::<Entity>((metric.id.uuid(), Column::Id), None, (seen, Column::Revision));
        let rows = scope::owned(rows, grant.org(), Column::OrganizationId);
        let row = columns(metric).stamped(stamp::changed(grant.author(), &metric.stamp));
        Ok(self.update(rows.set(row)).await? == 1)
    }

    async fn is_metric_in_use(
        &mut self,
        _grant: &OwnerGrant<ManageCatalogue>,
        id: MetricId,
    ) -> Result<bool, StoreError> {
        let held = scope::held::<Entity>(Column::Id, id.uuid());
        self.connection.query_one(&held).await.map_err(store_error)?;
        let sql = "SELECT 1 AS found FROM module_type_metrics m JOIN module_types t ON t.id = m.module_type_id \
                   WHERE m.metric_id = $1 AND t.is_active LIMIT 1";
        Ok(!self.query_sql(sql, [id.uuid().into()]).await?.is_empty())
    }
}

fn columns(metric: &Metric) -> ActiveModel {
    ActiveModel {
        id: ActiveValue::NotSet,
        name: Set(metric.name.clone()),
        unit: Set(metric.unit.clone()),
        min: Set(metric.min),
        max: Set(metric.max),
        max_rate: Set(metric.max_rate),
        ..Default::default()
    }
}

fn metric_of(row: Model) -> Result<Metric, StoreError> {
    let stamp = row.stamp();
    Ok(Metric {
        id: Id::from_uuid(row.id),
        organization_id: row.organization_id.map(Id::from_uuid),
        kind: MetricKind::from_name(&row.kind).ok_or_else(|| corrupt("metrics", "kind", row.id))?,
        key: row.key,
        name: row.name,
        unit: row.unit,
        min: row.min,
        max: row.max,
        max_rate: row.max_rate,
        stamp,
    })
}
