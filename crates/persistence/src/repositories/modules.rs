//! Modules.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sea_orm::{
    ActiveValue, ColumnTrait, ConnectionTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder,
    QueryResult, QuerySelect, QueryTrait as _, RelationTrait as _, Select, Set, UpdateMany, Value,
};
use sitewatch_domain::{
    Rule,
    access::{AnnotateModules, Grant, ManageModules, OrgGrant, ReadModules, SendReadings},
    audit::Along,
    ids::{Id, ModuleId, ModuleTypeId, OrgId, SiteId},
    modules::{Module, ModuleFilter, ModuleNames, ModuleRepository, ModuleSort, Rhythm},
    page::{Listing, Page},
    ports::StoreError,
    stamp::Revision,
    time::Instant,
};
use uuid::Uuid;

use crate::{
    entities::{
        module::{ActiveModel, Column, Entity, Model, Relation},
        module_type, site,
    },
    error::{corrupt, store_error},
    paging::{SortColumn, between, page, searched, tagged},
    scope,
    session::Session,
    stamp,
};

/// A module with the rhythm of its type.
pub(super) struct Row {
    pub(super) module: Model,
    pub(super) type_expected_interval_s: Option<i32>,
    pub(super) type_offline_after_s: Option<i32>,
}

impl FromQueryResult for Row {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, sea_orm::DbErr> {
        Ok(Self {
            module: Model::from_query_result(row, prefix)?,
            type_expected_interval_s: row.try_get(prefix, "type_expected_interval_s")?,
            type_offline_after_s: row.try_get(prefix, "type_offline_after_s")?,
        })
    }
}

/// Joins the rhythm of the type.
pub(super) fn with_type_rhythm(modules: Select<Entity>) -> Select<Entity> {
    modules
        .join(JoinType::InnerJoin, Relation::ModuleType.def())
        .column_as(module_type::Column::ExpectedIntervalS, "type_expected_interval_s")
        .column_as(module_type::Column::OfflineAfterS, "type_offline_after_s")
}

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> ModuleRepository for Session<C> {
    async fn find_module(
        &self,
        grant: &Grant<ReadModules>,
        id: ModuleId,
    ) -> Result<Option<Module>, StoreError> {
        let rows = with_type_rhythm(scope::modules(grant).filter(Column::Id.eq(id.uuid())));
        let row: Option<Row> = rows.into_model().one(&self.connection).await.map_err(store_error)?;
        row.map(module_of).transpose()
    }

    async fn find_modules(
        &self,
        grant: &Grant<ReadModules>,
        ids: &[ModuleId],
    ) -> Result<Vec<Module>, StoreError> {
        let ids = ids.iter().map(|id| id.uuid());
        let rows = with_type_rhythm(scope::modules(grant).filter(Column::Id.is_in(ids)));
        let rows: Vec<Row> = rows.into_model().all(&self.connection).await.map_err(store_error)?;
        rows.into_iter().map(module_of).collect()
    }

    async fn find_taken_modules(
        &self,
        grant: &OrgGrant<ManageModules>,
        wanted: &ModuleNames,
    ) -> Result<ModuleNames, StoreError> {
        let org = grant.org();
        Ok(ModuleNames {
            names: self.taken_names(org, &wanted.names).await?,
            serial_numbers: self.taken(("modules", "serial_number"), org, &wanted.serial_numbers).await?,
            external_ids: self.taken(("modules", "external_id"), org, &wanted.external_ids).await?,
        })
    }

    async fn list_modules(
        &self,
        grant: &Grant<ReadModules>,
        listing: &Listing<ModuleFilter, ModuleSort>,
    ) -> Result<Page<Module>, StoreError> {
        let rows = filtered(with_type_rhythm(scope::modules(grant)), &listing.filter);
        let columns = [Column::Name, Column::SerialNumber, Column::ExternalId];
        let rows = searched(rows, listing.search.as_deref(), &columns);
        let key = |key| match key {
            ModuleSort::CreatedAt => SortColumn::Always(Column::CreatedAt),
            ModuleSort::UpdatedAt => SortColumn::Nullable(Column::UpdatedAt),
            ModuleSort::Name => SortColumn::Always(Column::Name),
            ModuleSort::SerialNumber => SortColumn::Nullable(Column::SerialNumber),
            ModuleSort::LastSeenAt => SortColumn::Nullable(Column::LastSeenAt),
        };
        let sort = super::sort_or(&listing.sort, key, Column::CreatedAt);
        let page: Page<Row> =
            page(&self.connection, rows, sort, Column::Id, (listing.page, listing.total)).await?;
        super::try_map(page, module_of)
    }

    async fn list_modules_of_sites(
        &self,
        grant: &Grant<ReadModules>,
        filter: &ModuleFilter,
        limit: u32,
    ) -> Result<Vec<Module>, StoreError> {
        let rows = filtered(with_type_rhythm(scope::modules(grant)), filter)
            .filter(Column::IsActive.eq(true))
            .order_by_asc(Column::SiteId)
            .order_by_asc(Column::Name)
            .limit(u64::from(limit));
        let rows: Vec<Row> = rows.into_model().all(&self.connection).await.map_err(store_error)?;
        rows.into_iter().map(module_of).collect()
    }

    async fn insert_module(
        &mut self,
        grant: &OrgGrant<ManageModules>,
        module: &Module,
    ) -> Result<(), StoreError> {
        self.insert_modules(grant, &[module]).await
    }

    async fn insert_modules(
        &mut self,
        grant: &OrgGrant<ManageModules>,
        modules: &[&Module],
    ) -> Result<(), StoreError> {
        self.require_active_references(modules).await?;
        let row = |module: &&Module| {
            let row = ActiveModel {
                id: Set(module.id.uuid()),
                organization_id: Set(grant.org().uuid()),
                last_seen_at: Set(module.last_seen_at.map(Instant::as_micros)),
                ..columns(module)
            };
            row.stamped(stamp::made(grant.author(), &module.stamp))
        };
        self.insert_all(modules.iter().map(row)).await
    }

    async fn update_module(
        &mut self,
        grant: &OrgGrant<ManageModules>,
        module: &Module,
        seen: Revision,
    ) -> Result<bool, StoreError> {
        if module.stamp.is_active {
            self.require_active_references(&[module]).await?;
        }
        let row = columns(module).stamped(stamp::changed(grant.author(), &module.stamp));
        Ok(self.update(seen_module(grant.org(), module.id, seen).set(row)).await? == 1)
    }

    async fn annotate_module(
        &mut self,
        grant: &OrgGrant<AnnotateModules>,
        module: &Module,
        seen: Revision,
    ) -> Result<bool, StoreError> {
        let row = ActiveModel {
            description: Set(module.description.clone()),
            tags: Set(super::tags_text(&module.tags)),
            ..Default::default()
        };
        let row = row.stamped(stamp::changed(grant.author(), &module.stamp));
        Ok(self.update(seen_module(grant.org(), module.id, seen).set(row)).await? == 1)
    }

    async fn reports_through(
        &mut self,
        grant: &OrgGrant<ManageModules>,
        module: &Module,
        gateway: ModuleId,
    ) -> Result<bool, StoreError> {
        let held = scope::held::<site::Entity>(site::Column::Id, module.site_id.uuid());
        self.connection.query_one(&held).await.map_err(store_error)?;
        let sql = "WITH RECURSIVE gateways(id) AS (\
                       SELECT parent_module_id FROM modules WHERE id = $1 AND organization_id = $3 \
                       UNION \
                       SELECT m.parent_module_id FROM modules m JOIN gateways g ON m.id = g.id WHERE m.organization_id = $3) \
                   SELECT 1 AS found FROM gateways WHERE id = $2";
        let values = [module.id.uuid().into(), gateway.uuid().into(), grant.org().uuid().into()];
        Ok(!self.query_sql(sql, values).await?.is_empty())
    }

    async fn is_gateway_in_use(
        &mut self,
        grant: &OrgGrant<ManageModules>,
        id: ModuleId,
    ) -> Result<bool, StoreError> {
        let held = scope::held::<Entity>(Column::Id, id.uuid());
        self.connection.query_one(&held).await.map_err(store_error)?;
        let sql = "SELECT 1 AS found FROM modules WHERE parent_module_id = $1 AND organization_id = $2 \
                   AND (is_active OR hidden_by IS NOT NULL) LIMIT 1";
        Ok(!self.query_sql(sql, [id.uuid().into(), grant.org().uuid().into()]).await?.is_empty())
    }

    async fn record_heartbeat(
        &mut self,
        grant: &OrgGrant<SendReadings>,
        module: ModuleId,
        at: Instant,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE modules SET last_seen_at = $1 WHERE id = $2 AND organization_id = $3 AND is_active \
                   AND (last_seen_at IS NULL OR last_seen_at < $1)";
        let values = [at.as_micros().into(), module.uuid().into(), grant.org().uuid().into()];
        self.execute_sql(sql, values).await.map(drop)
    }
}

impl<C: ConnectionTrait> Session<C> {
    async fn require_active_references(&self, modules: &[&Module]) -> Result<(), StoreError> {
        let distinct = |ids: &mut dyn Iterator<Item = Uuid>| {
            let ids: BTreeSet<Uuid> = ids.collect();
            ids.into_iter().collect::<Vec<_>>()
        };
        let sites = distinct(&mut modules.iter().map(|module| module.site_id.uuid()));
        self.require_active::<site::Entity>(site::Column::Id, &sites, Rule::ParentArchived).await?;
        let types = distinct(&mut modules.iter().map(|module| module.module_type_id.uuid()));
        let id = module_type::Column::Id;
        self.require_active::<module_type::Entity>(id, &types, Rule::ReferenceArchived).await?;
        let gateways = modules.iter().filter_map(|module| module.parent_module_id);
        let gateways = distinct(&mut gateways.map(ModuleId::uuid));
        self.require_active::<Entity>(Column::Id, &gateways, Rule::ReferenceArchived).await
    }

    /// The names among these that active modules have, at whichever site.
    async fn taken_names(
        &self,
        org: OrgId,
        wanted: &BTreeSet<(SiteId, String)>,
    ) -> Result<BTreeSet<(SiteId, String)>, StoreError> {
        let names: BTreeSet<&String> = wanted.iter().map(|(_, name)| name).collect();
        if names.is_empty() {
            return Ok(BTreeSet::new());
        }
        let places = super::placeholders(2, names.len());
        let sql = format!(
            "SELECT site_id, name FROM modules WHERE organization_id = $1 AND is_active AND name IN ({places})"
        );
        let values: Vec<Value> = [org.uuid().into()]
            .into_iter()
            .chain(names.into_iter().map(|name| name.clone().into()))
            .collect();
        let named = |row: &QueryResult| {
            let site: Uuid = row.try_get("", "site_id").map_err(store_error)?;
            Ok((Id::from_uuid(site), row.try_get("", "name").map_err(store_error)?))
        };
        self.query_sql(&sql, values).await?.iter().map(named).collect()
    }

    /// Archives or restores modules along with their parent; which ones.
    pub(super) async fn modules_along(&self, modules: UpdateMany<Entity>) -> Result<Vec<Along>, StoreError> {
        let rows = self.update_and_read(super::counted_on(modules, Column::Revision)).await?;
        Ok(rows.into_iter().map(|row| Along::of::<Module>(row.id)).collect())
    }
}

fn filtered(rows: Select<Entity>, filter: &ModuleFilter) -> Select<Entity> {
    let rows = rows
        .filter(between(Column::CreatedAt, filter.created_at))
        .filter(between(Column::LastSeenAt, filter.last_seen_at))
        .apply_if(filter.organization, |rows, org: OrgId| rows.filter(Column::OrganizationId.eq(org.uuid())))
        .apply_if(filter.site, |rows, site: SiteId| rows.filter(Column::SiteId.eq(site.uuid())))
        .apply_if(filter.module_type, |rows, of: ModuleTypeId| {
            rows.filter(Column::ModuleTypeId.eq(of.uuid()))
        })
        .apply_if(filter.parent_module, |rows, parent: ModuleId| {
            rows.filter(Column::ParentModuleId.eq(parent.uuid()))
        })
        .apply_if(filter.name.as_ref(), |rows, name| rows.filter(Column::Name.eq(name)))
        .apply_if(filter.serial_number.as_ref(), |rows, serial| rows.filter(Column::SerialNumber.eq(serial)))
        .apply_if(filter.external_id.as_ref(), |rows, id| rows.filter(Column::ExternalId.eq(id)))
        .apply_if(filter.tag.as_ref(), |rows, tag| rows.filter(tagged(Column::Tags, tag)));
    if filter.sites.is_empty() {
        return rows;
    }
    rows.filter(Column::SiteId.is_in(filter.sites.iter().map(|site| site.uuid())))
}

fn seen_module(org: OrgId, id: ModuleId, seen: Revision) -> UpdateMany<Entity> {
    scope::seen((id.uuid(), Column::Id), Some((org, Column::OrganizationId)), (seen, Column::Revision))
}

/// The columns that a change writes. What hid the module is forgotten: whatever is done to it by itself is its own doing.
fn columns(module: &Module) -> ActiveModel {
    ActiveModel {
        id: ActiveValue::NotSet,
        organization_id: ActiveValue::NotSet,
        site_id: Set(module.site_id.uuid()),
        module_type_id: Set(module.module_type_id.uuid()),
        name: Set(module.name.clone()),
        description: Set(module.description.clone()),
        serial_number: Set(module.serial_number.clone()),
        external_id: Set(module.external_id.clone()),
        firmware: Set(module.firmware.clone()),
        expected_interval_s: Set(module.expected_interval_s),
        offline_after_s: Set(module.offline_after_s),
        tags: Set(super::tags_text(&module.tags)),
        parent_module_id: Set(module.parent_module_id.map(ModuleId::uuid)),
        is_enabled: Set(module.is_enabled),
        hidden_by: Set(None),
        ..Default::default()
    }
}

fn module_of(row: Row) -> Result<Module, StoreError> {
    let Row { module, type_expected_interval_s, type_offline_after_s } = row;
    let stamp = module.stamp();
    let own = (module.expected_interval_s, module.offline_after_s);
    Ok(Module {
        id: Id::from_uuid(module.id),
        organization_id: Id::from_uuid(module.organization_id),
        site_id: Id::from_uuid(module.site_id),
        module_type_id: Id::from_uuid(module.module_type_id),
        tags: super::tags_of(&module.tags).ok_or_else(|| corrupt("modules", "tags", module.id))?,
        name: module.name,
        description: module.description,
        serial_number: module.serial_number,
        external_id: module.external_id,
        firmware: module.firmware,
        expected_interval_s: module.expected_interval_s,
        offline_after_s: module.offline_after_s,
        rhythm: Rhythm::resolve(own, (type_expected_interval_s, type_offline_after_s)),
        parent_module_id: module.parent_module_id.map(Id::from_uuid),
        is_enabled: module.is_enabled,
        last_seen_at: module.last_seen_at.map(Instant::from_micros),
        stamp,
    })
}
