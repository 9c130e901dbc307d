//! Sites.

use async_trait::async_trait;
use sea_orm::{ActiveValue, ColumnTrait, ConnectionTrait, QueryFilter, QueryTrait as _, Set};
use sitewatch_domain::{
    access::{Grant, ManageSites, OrgGrant, ReadSites},
    audit::Along,
    ids::{Id, ModuleId, OrgId, SiteId},
    modules::Rhythm,
    page::{Listing, Page},
    ports::StoreError,
    sites::{ModulePulse, Site, SiteFilter, SiteNames, SiteRepository, SiteSort},
    stamp::Revision,
    time::Instant,
};

use crate::{
    entities::{
        module,
        site::{ActiveModel, Column, Entity, Model},
    },
    error::{corrupt, store_error},
    paging::{SortColumn, between, page, searched, tagged},
    scope,
    session::Session,
    stamp,
};

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> SiteRepository for Session<C> {
    async fn find_site(&self, grant: &Grant<ReadSites>, id: SiteId) -> Result<Option<Site>, StoreError> {
        let row = scope::sites(grant).filter(Column::Id.eq(id.uuid())).one(&self.connection).await;
        row.map_err(store_error)?.map(site_of).transpose()
    }

    async fn find_sites(&self, grant: &Grant<ReadSites>, ids: &[SiteId]) -> Result<Vec<Site>, StoreError> {
        let ids = ids.iter().map(|id| id.uuid());
        let rows = scope::sites(grant).filter(Column::Id.is_in(ids)).all(&self.connection).await;
        rows.map_err(store_error)?.into_iter().map(site_of).collect()
    }

    async fn find_taken_sites(
        &self,
        grant: &OrgGrant<ManageSites>,
        wanted: &SiteNames,
    ) -> Result<SiteNames, StoreError> {
        Ok(SiteNames {
            names: self.taken(("sites", "name"), grant.org(), &wanted.names).await?,
            external_ids: self.taken(("sites", "external_id"), grant.org(), &wanted.external_ids).await?,
        })
    }

    async fn list_sites(
        &self,
        grant: &Grant<ReadSites>,
        listing: &Listing<SiteFilter, SiteSort>,
    ) -> Result<Page<Site>, StoreError> {
        let filter = &listing.filter;
        let mut rows = scope::sites(grant)
            .filter(between(Column::CreatedAt, filter.created_at))
            .filter(between(Column::UpdatedAt, filter.updated_at));
        let exact = [
            (Column::Name, &filter.name),
            (Column::Code, &filter.code),
            (Column::ExternalId, &filter.external_id),
            (Column::Timezone, &filter.timezone),
        ];
        for (column, value) in exact {
            rows = rows.apply_if(value.as_ref(), |rows, value| rows.filter(column.eq(value)));
        }
        rows = rows
            .apply_if(filter.organization, |rows, org: OrgId| {
                rows.filter(Column::OrganizationId.eq(org.uuid()))
            })
            .apply_if(filter.tag.as_ref(), |rows, tag| rows.filter(tagged(Column::Tags, tag)));
        rows = searched(rows, listing.search.as_deref(), &[Column::Name, Column::Code, Column::Address]);
        let key = |key| match key {
            SiteSort::CreatedAt => SortColumn::Always(Column::CreatedAt),
            SiteSort::UpdatedAt => SortColumn::Nullable(Column::UpdatedAt),
            SiteSort::Name => SortColumn::Always(Column::Name),
            SiteSort::Code => SortColumn::Nullable(Column::Code),
        };
        let sort = super::sort_or(&listing.sort, key, Column::CreatedAt);
        let page: Page<Model> =
            page(&self.connection, rows, sort, Column::Id, (listing.page, listing.total)).await?;
        super::try_map(page, site_of)
    }

    async fn list_pulses(
        &self,
        _grant: &Grant<ReadSites>,
        sites: &[SiteId],
    ) -> Result<Vec<ModulePulse>, StoreError> {
        let select = super::modules::with_type_rhythm(scope::active_modules_at(sites));
        let rows: Vec<super::modules::Row> =
            select.into_model().all(&self.connection).await.map_err(store_error)?;
        Ok(rows.iter().map(pulse_of).collect())
    }

    async fn insert_site(&mut self, grant: &OrgGrant<ManageSites>, site: &Site) -> Result<(), StoreError> {
        self.insert_sites(grant, &[site]).await
    }

    async fn insert_sites(
        &mut self,
        grant: &OrgGrant<ManageSites>,
        sites: &[&Site],
    ) -> Result<(), StoreError> {
        self.require_active_organization(grant.org()).await?;
        let row = |site: &&Site| {
            let row = ActiveModel {
                id: Set(site.id.uuid()),
                organization_id: Set(grant.org().uuid()),
                hidden_by: Set(None),
                ..columns(site)
            };
            row.stamped(stamp::made(grant.author(), &site.stamp))
        };
        self.insert_all(sites.iter().map(row)).await
    }

    async fn update_site(
        &mut self,
        grant: &OrgGrant<ManageSites>,
        site: &Site,
        seen: Revision,
    ) -> Result<bool, StoreError> {
        let row = columns(site).stamped(stamp::changed(grant.author(), &site.stamp));
        Ok(self.update(seen_site(grant.org(), site.id, seen).set(row)).await? == 1)
    }

    async fn archive_site(
        &mut self,
        grant: &OrgGrant<ManageSites>,
        site: &Site,
        seen: Revision,
    ) -> Result<Option<Vec<Along>>, StoreError> {
        if !self.update_site(grant, site, seen).await? {
            return Ok(None);
        }
        let modules = scope::many::<module::Entity>()
            .filter(module::Column::OrganizationId.eq(grant.org().uuid()))
            .filter(module::Column::SiteId.eq(site.id.uuid()))
            .filter(module::Column::IsActive.eq(true));
        let hidden = module::ActiveModel { hidden_by: Set(Some(site.id.uuid())), ..Default::default() };
        let hidden = modules.set(hidden.stamped(super::cascade(grant.author(), &site.stamp)));
        self.modules_along(hidden).await.map(Some)
    }

    async fn restore_site(
        &mut self,
        grant: &OrgGrant<ManageSites>,
        site: &Site,
        seen: Revision,
    ) -> Result<Option<Vec<Along>>, StoreError> {
        self.require_active_organization(grant.org()).await?;
        let row = ActiveModel { hidden_by: Set(None), ..columns(site) };
        let row = row.stamped(stamp::changed(grant.author(), &site.stamp));
        if self.update(seen_site(grant.org(), site.id, seen).set(row)).await? != 1 {
            return Ok(None);
        }
        let modules = scope::many::<module::Entity>()
            .filter(module::Column::OrganizationId.eq(grant.org().uuid()))
            .filter(module::Column::HiddenBy.eq(site.id.uuid()));
        let shown = module::ActiveModel { hidden_by: Set(None), ..Default::default() };
        let shown = modules.set(shown.stamped(super::cascade(grant.author(), &site.stamp)));
        self.modules_along(shown).await.map(Some)
    }
}

fn seen_site(org: OrgId, id: SiteId, seen: Revision) -> sea_orm::UpdateMany<Entity> {
    scope::seen((id.uuid(), Column::Id), Some((org, Column::OrganizationId)), (seen, Column::Revision))
}

/// The columns that a change writes.
fn columns(site: &Site) -> ActiveModel {
    ActiveModel {
        id: ActiveValue::NotSet,
        organization_id: ActiveValue::NotSet,
        name: Set(site.name.clone()),
        code: Set(site.code.clone()),
        description: Set(site.description.clone()),
        timezone: Set(site.timezone.clone()),
        latitude: Set(site.latitude),
        longitude: Set(site.longitude),
        address: Set(site.address.clone()),
        tags: Set(super::tags_text(&site.tags)),
        external_id: Set(site.external_id.clone()),
        hidden_by: ActiveValue::NotSet,
        ..Default::default()
    }
}

fn site_of(row: Model) -> Result<Site, StoreError> {
    let stamp = row.stamp();
    let tags = super::tags_of(&row.tags).ok_or_else(|| corrupt("sites", "tags", row.id))?;
    Ok(Site {
        id: Id::from_uuid(row.id),
        organization_id: Id::from_uuid(row.organization_id),
        name: row.name,
        code: row.code,
        description: row.description,
        timezone: row.timezone,
        latitude: row.latitude,
        longitude: row.longitude,
        address: row.address,
        tags,
        external_id: row.external_id,
        stamp,
    })
}

fn pulse_of(row: &super::modules::Row) -> ModulePulse {
    let module = &row.module;
    let own = (module.expected_interval_s, module.offline_after_s);
    ModulePulse {
        site_id: Id::from_uuid(module.site_id),
        module_id: ModuleId::from_uuid(module.id),
        is_enabled: module.is_enabled,
        last_seen_at: module.last_seen_at.map(Instant::from_micros),
        rhythm: Rhythm::resolve(own, (row.type_expected_interval_s, row.type_offline_after_s)),
    }
}
