//! Organizations.

use async_trait::async_trait;
use sea_orm::{ActiveValue, ColumnTrait, ConnectionTrait, QueryFilter, QueryTrait as _, Set, UpdateMany};
use sitewatch_domain::{
    Rule,
    access::{
        AdministerOrganizations, Author, Grant, ManageOrganizations, OrgGrant, PlatformGrant,
        ReadOrganizations,
    },
    audit::Along,
    ids::{Id, OrgId},
    organizations::{Organization, OrganizationFilter, OrganizationRepository, OrganizationSort},
    page::{Listing, Page},
    ports::StoreError,
    sites::Site,
    stamp::Revision,
};

use crate::{
    entities::{
        module,
        organization::{ActiveModel, Column, Entity, Model},
        site,
    },
    error::store_error,
    paging::{SortColumn, between, page, searched},
    scope,
    session::Session,
    stamp,
};

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> OrganizationRepository for Session<C> {
    async fn find_organization(
        &self,
        grant: &Grant<ReadOrganizations>,
        id: OrgId,
    ) -> Result<Option<Organization>, StoreError> {
        let row = scope::organizations(grant).filter(Column::Id.eq(id.uuid())).one(&self.connection).await;
        Ok(row.map_err(store_error)?.map(organization_of))
    }

    async fn find_organizations(
        &self,
        grant: &Grant<ReadOrganizations>,
        ids: &[OrgId],
    ) -> Result<Vec<Organization>, StoreError> {
        let ids = ids.iter().map(|id| id.uuid());
        let rows = scope::organizations(grant).filter(Column::Id.is_in(ids)).all(&self.connection).await;
        Ok(rows.map_err(store_error)?.into_iter().map(organization_of).collect())
    }

    async fn list_organizations(
        &self,
        grant: &Grant<ReadOrganizations>,
        listing: &Listing<OrganizationFilter, OrganizationSort>,
    ) -> Result<Page<Organization>, StoreError> {
        let filter = &listing.filter;
        let rows = scope::organizations(grant)
            .filter(between(Column::CreatedAt, filter.created_at))
            .apply_if(filter.name.as_ref(), |rows, name| rows.filter(Column::Name.eq(name)))
            .apply_if(filter.slug.as_ref(), |rows, slug| rows.filter(Column::Slug.eq(slug)));
        let rows = searched(rows, listing.search.as_deref(), &[Column::Name, Column::Slug]);
        let key = |key| match key {
            OrganizationSort::CreatedAt => SortColumn::Always(Column::CreatedAt),
            OrganizationSort::UpdatedAt => SortColumn::Nullable(Column::UpdatedAt),
            OrganizationSort::Name => SortColumn::Always(Column::Name),
            OrganizationSort::Slug => SortColumn::Always(Column::Slug),
        };
        let sort = super::sort_or(&listing.sort, key, Column::CreatedAt);
        let page: Page<Model> =
            page(&self.connection, rows, sort, Column::Id, (listing.page, listing.total)).await?;
        Ok(page.map(organization_of))
    }

    async fn insert_organization(
        &mut self,
        grant: &PlatformGrant<AdministerOrganizations>,
        organization: &Organization,
    ) -> Result<(), StoreError> {
        let row = ActiveModel { id: Set(organization.id.uuid()), ..columns(organization) };
        self.insert(row.stamped(stamp::made(grant.author(), &organization.stamp))).await
    }

    async fn update_organization(
        &mut self,
        grant: &OrgGrant<ManageOrganizations>,
        organization: &Organization,
        seen: Revision,
    ) -> Result<bool, StoreError> {
        // Filtered by the grant's organization as well: the id of the entity is no proof.
        let rows = scope::seen(
            (organization.id.uuid(), Column::Id),
            Some((grant.org(), Column::Id)),
            (seen, Column::Revision),
        );
        let row = columns(organization).stamped(stamp::changed(grant.author(), &organization.stamp));
        Ok(self.update(rows.set(row)).await? == 1)
    }

    async fn archive_organization(
        &mut self,
        grant: &PlatformGrant<AdministerOrganizations>,
        organization: &Organization,
        seen: Revision,
    ) -> Result<Option<Vec<Along>>, StoreError> {
        if !self.write_state(grant.author(), organization, seen).await? {
            return Ok(None);
        }
        let id = organization.id.uuid();
        let cascade = || super::cascade(grant.author(), &organization.stamp);
        let sites = scope::many::<site::Entity>()
            .filter(site::Column::OrganizationId.eq(id))
            .filter(site::Column::IsActive.eq(true))
            .set(site::ActiveModel { hidden_by: Set(Some(id)), ..Default::default() }.stamped(cascade()));
        let mut along = self.sites_along(sites).await?;
        let modules = scope::many::<module::Entity>()
            .filter(module::Column::OrganizationId.eq(id))
            .filter(module::Column::IsActive.eq(true))
            .set(module::ActiveModel { hidden_by: Set(Some(id)), ..Default::default() }.stamped(cascade()));
        along.extend(self.modules_along(modules).await?);
        Ok(Some(along))
    }

    async fn restore_organization(
        &mut self,
        grant: &PlatformGrant<AdministerOrganizations>,
        organization: &Organization,
        seen: Revision,
    ) -> Result<Option<Vec<Along>>, StoreError> {
        if !self.write_state(grant.author(), organization, seen).await? {
            return Ok(None);
        }
        let id = organization.id.uuid();
        let cascade = || super::cascade(grant.author(), &organization.stamp);
        let sites = scope::many::<site::Entity>()
            .filter(site::Column::OrganizationId.eq(id))
            .filter(site::Column::HiddenBy.eq(id))
            .set(site::ActiveModel { hidden_by: Set(None), ..Default::default() }.stamped(cascade()));
        let mut along = self.sites_along(sites).await?;
        let modules = scope::many::<module::Entity>()
            .filter(module::Column::OrganizationId.eq(id))
            .filter(module::Column::HiddenBy.eq(id))
            .set(module::ActiveModel { hidden_by: Set(None), ..Default::default() }.stamped(cascade()));
        along.extend(self.modules_along(modules).await?);
        Ok(Some(along))
    }
}

impl<C: ConnectionTrait> Session<C> {
    /// Refuses what would hang on an archived organization, which stays as it is until the transaction ends.
    pub(super) async fn require_active_organization(&self, org: OrgId) -> Result<(), StoreError> {
        self.require_active::<Entity>(Column::Id, &[org.uuid()], Rule::ParentArchived).await
    }

    async fn sites_along(&self, sites: UpdateMany<site::Entity>) -> Result<Vec<Along>, StoreError> {
        let rows = self.update_and_read(super::counted_on(sites, site::Column::Revision)).await?;
        Ok(rows.into_iter().map(|row| Along::of::<Site>(row.id)).collect())
    }

    async fn write_state(
        &self,
        author: &Author,
        organization: &Organization,
        seen: Revision,
    ) -> Result<bool, StoreError> {
        let rows =
            scope::seen::<Entity>((organization.id.uuid(), Column::Id), None, (seen, Column::Revision));
        let row = ActiveModel::default().stamped(stamp::changed(author, &organization.stamp));
        Ok(self.update(rows.set(row)).await? == 1)
    }
}

fn columns(organization: &Organization) -> ActiveModel {
    ActiveModel {
        id: ActiveValue::NotSet,
        name: Set(organization.name.clone()),
        slug: Set(organization.slug.clone()),
        timezone: Set(organization.timezone.clone()),
        ..Default::default()
    }
}

pub(super) fn organization_of(row: Model) -> Organization {
    let stamp = row.stamp();
    Organization { id: Id::from_uuid(row.id), name: row.name, slug: row.slug, timezone: row.timezone, stamp }
}
