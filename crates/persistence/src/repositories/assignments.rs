//! Assignments.

use async_trait::async_trait;
use sea_orm::{
    ActiveValue, ColumnTrait, ConnectionTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait as _, Set,
};
use sitewatch_domain::{
    Rule,
    access::{Access, Grant, ManageAssignments, OrgGrant, ReadAssignments, ReadProfiles},
    assignments::{Assignment, AssignmentFilter, AssignmentRepository, AssignmentSort},
    ids::{AssignmentId, Id, ModuleId, OrgId, SiteId, UserId},
    page::{Listing, Page},
    ports::StoreError,
    stamp::Revision,
};
use uuid::Uuid;

use crate::{
    entities::{
        assignment::{ActiveModel, Column, Entity, Model},
        module, site,
    },
    error::{corrupt, store_error},
    paging::{SortColumn, page},
    scope,
    session::Session,
    stamp,
};

/// The most assignments of a user that are listed.
const MOST_ASSIGNMENTS: u64 = 1_000;

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> AssignmentRepository for Session<C> {
    async fn find_assignment(
        &self,
        grant: &Grant<ReadAssignments>,
        org: OrgId,
        id: AssignmentId,
    ) -> Result<Option<Assignment>, StoreError> {
        let row = scope::assignments(grant, org).filter(Column::Id.eq(id.uuid())).one(&self.connection).await;
        row.map_err(store_error)?.map(assignment_of).transpose()
    }

    async fn list_assignments(
        &self,
        grant: &Grant<ReadAssignments>,
        org: OrgId,
        listing: &Listing<AssignmentFilter, AssignmentSort>,
    ) -> Result<Page<Assignment>, StoreError> {
        let filter = &listing.filter;
        let rows = scope::assignments(grant, org)
            .apply_if(filter.user, |rows, user: UserId| rows.filter(Column::UserId.eq(user.uuid())))
            .apply_if(filter.site, |rows, site: SiteId| rows.filter(Column::SiteId.eq(site.uuid())))
            .apply_if(filter.module, |rows, module: ModuleId| rows.filter(Column::ModuleId.eq(module.uuid())))
            .apply_if(filter.access, |rows, access: Access| rows.filter(Column::Access.eq(access.name())));
        let key = |key| match key {
            AssignmentSort::CreatedAt => SortColumn::Always(Column::CreatedAt),
        };
        let sort = super::sort_or(&listing.sort, key, Column::CreatedAt);
        let page: Page<Model> =
            page(&self.connection, rows, sort, Column::Id, (listing.page, listing.total)).await?;
        super::try_map(page, assignment_of)
    }

    async fn list_user_assignments(
        &self,
        grant: &Grant<ReadProfiles>,
        user: UserId,
    ) -> Result<Vec<Assignment>, StoreError> {
        let rows = scope::assignments_of_user(grant, user.uuid())
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id)
            .limit(MOST_ASSIGNMENTS);
        let rows = rows.all(&self.connection).await.map_err(store_error)?;
        rows.into_iter().map(assignment_of).collect()
    }

    async fn insert_assignment(
        &mut self,
        grant: &OrgGrant<ManageAssignments>,
        assignment: &Assignment,
    ) -> Result<(), StoreError> {
        self.require_membership(grant.org(), assignment.user_id).await?;
        let site: Vec<Uuid> = assignment.site_id.iter().map(|site| site.uuid()).collect();
        self.require_active::<site::Entity>(site::Column::Id, &site, Rule::ReferenceArchived).await?;
        let module: Vec<Uuid> = assignment.module_id.iter().map(|module| module.uuid()).collect();
        self.require_active::<module::Entity>(module::Column::Id, &module, Rule::ReferenceArchived).await?;
        let row = ActiveModel {
            id: Set(assignment.id.uuid()),
            organization_id: Set(grant.org().uuid()),
            user_id: Set(assignment.user_id.uuid()),
            site_id: Set(assignment.site_id.map(SiteId::uuid)),
            module_id: Set(assignment.module_id.map(ModuleId::uuid)),
            access: Set(assignment.access.name().to_owned()),
            ..Default::default()
        };
        self.insert(row.stamped(stamp::made(grant.author(), &assignment.stamp))).await
    }

    async fn update_assignment(
        &mut self,
        grant: &OrgGrant<ManageAssignments>,
        assignment: &Assignment,
        seen: Revision,
    ) -> Result<bool, StoreError> {
        let rows = scope::seen::<Entity>(
            (assignment.id.uuid(), Column::Id),
            Some((grant.org(), Column::OrganizationId)),
            (seen, Column::Revision),
        );
        let row = ActiveModel {
            id: ActiveValue::NotSet,
            access: Set(assignment.access.name().to_owned()),
            ..Default::default()
        };
        let row = row.stamped(stamp::changed(grant.author(), &assignment.stamp));
        Ok(self.update(rows.set(row)).await? == 1)
    }
}

impl<C: ConnectionTrait> Session<C> {
    /// Refuses what would outlive the user's membership, which does not end before the transaction does.
    async fn require_membership(&self, org: OrgId, user: UserId) -> Result<(), StoreError> {
        let membership = scope::held_membership(org, user.uuid());
        match self.connection.query_one(&membership).await.map_err(store_error)? {
            Some(_) => Ok(()),
            None => Err(StoreError::Conflict(Rule::ReferenceArchived)),
        }
    }
}

fn assignment_of(row: Model) -> Result<Assignment, StoreError> {
    let stamp = row.stamp();
    Ok(Assignment {
        id: Id::from_uuid(row.id),
        organization_id: Id::from_uuid(row.organization_id),
        user_id: Id::from_uuid(row.user_id),
        site_id: row.site_id.map(Id::from_uuid),
        module_id: row.module_id.map(Id::from_uuid),
        access: Access::from_name(&row.access).ok_or_else(|| corrupt("assignments", "access", row.id))?,
        stamp,
    })
}
