//! Invitations.

use async_trait::async_trait;
use sea_orm::{
    ActiveValue, ColumnTrait, ConnectionTrait, ExprTrait as _, PaginatorTrait as _, QueryFilter, Set,
    sea_query::Expr,
};
use sitewatch_domain::{
    access::{
        Credential, Grant, ManageAssignments, ManageMembers, ManageUsers, OrgGrant, PlatformGrant,
        ReadMembers,
    },
    ids::{Id, InvitationId, ModuleId, OrgId, SiteId, UserId},
    invitations::{Invitation, InvitationRepository, InvitationSort},
    memberships::MemberRole,
    page::{Listing, Page},
    ports::StoreError,
    stamp::Revision,
    time::Instant,
};

use crate::{
    entities::{
        assignment,
        invitation::{ActiveModel, Column, Entity, Model},
    },
    error::{corrupt, store_error},
    paging::{SortColumn, page},
    scope,
    session::Session,
    stamp,
};

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> InvitationRepository for Session<C> {
    async fn find_invitation(
        &self,
        grant: &Grant<ReadMembers>,
        org: OrgId,
        id: InvitationId,
    ) -> Result<Option<Invitation>, StoreError> {
        let row = scope::invitations(grant, org).filter(Column::Id.eq(id.uuid())).one(&self.connection).await;
        row.map_err(store_error)?.map(invitation_of).transpose()
    }

    async fn list_invitations(
        &self,
        grant: &Grant<ReadMembers>,
        org: OrgId,
        listing: &Listing<(), InvitationSort>,
    ) -> Result<Page<Invitation>, StoreError> {
        let key = |key| match key {
            InvitationSort::CreatedAt => SortColumn::Always(Column::CreatedAt),
            InvitationSort::ExpiresAt => SortColumn::Always(Column::ExpiresAt),
        };
        let sort = super::sort_or(&listing.sort, key, Column::CreatedAt);
        let rows = scope::invitations(grant, org);
        let page: Page<Model> =
            page(&self.connection, rows, sort, Column::Id, (listing.page, listing.total)).await?;
        super::try_map(page, invitation_of)
    }

    async fn find_expired_invitation(
        &self,
        grant: &OrgGrant<ManageMembers>,
        email: &str,
        now: Instant,
    ) -> Result<Option<Invitation>, StoreError> {
        let over = scope::invitations_of_address(grant.org(), email)
            .filter(Column::ExpiresAt.lte(now.as_micros()))
            .one(&self.connection);
        over.await.map_err(store_error)?.map(invitation_of).transpose()
    }

    async fn is_member_address(
        &self,
        grant: &OrgGrant<ManageMembers>,
        email: &str,
    ) -> Result<bool, StoreError> {
        let found =
            scope::login(email).filter(scope::is_member_of(grant.org())).count(&self.connection).await;
        Ok(found.map_err(store_error)? > 0)
    }

    async fn insert_invitation(
        &mut self,
        grant: &OrgGrant<ManageMembers>,
        invitation: &Invitation,
    ) -> Result<(), StoreError> {
        let assignments = serde_json::to_string(&invitation.assignments);
        let row = ActiveModel {
            id: Set(invitation.id.uuid()),
            organization_id: Set(grant.org().uuid()),
            email: Set(invitation.email.to_string()),
            role: Set(invitation.role.name().to_owned()),
            assignments: Set(assignments.map_err(|error| StoreError::Backend(error.into()))?),
            token_digest: Set(invitation.token_digest.clone()),
            sent_with_key: Set(grant.author().credential.map(Credential::uuid)),
            expires_at: Set(invitation.expires_at.as_micros()),
            accepted_at: Set(None),
            accepted_by: Set(None),
            ..Default::default()
        };
        self.insert(row.stamped(stamp::made(grant.author(), &invitation.stamp))).await
    }

    async fn update_invitation(
        &mut self,
        grant: &OrgGrant<ManageMembers>,
        invitation: &Invitation,
        seen: Revision,
    ) -> Result<bool, StoreError> {
        let rows = scope::seen::<Entity>(
            (invitation.id.uuid(), Column::Id),
            Some((grant.org(), Column::OrganizationId)),
            (seen, Column::Revision),
        );
        let row = ActiveModel {
            id: ActiveValue::NotSet,
            token_digest: Set(invitation.token_digest.clone()),
            sent_with_key: Set(grant.author().credential.map(Credential::uuid)),
            expires_at: Set(invitation.expires_at.as_micros()),
            ..Default::default()
        };
        let row = row.stamped(stamp::changed(grant.author(), &invitation.stamp));
        Ok(self.update(rows.filter(Column::AcceptedAt.is_null()).set(row)).await? == 1)
    }

    async fn find_invitation_by_token(&self, digest: &[u8]) -> Result<Option<Invitation>, StoreError> {
        let row = scope::invitation_of_token(digest).one(&self.connection).await;
        row.map_err(store_error)?.map(invitation_of).transpose()
    }

    async fn is_sender_good(&self, id: InvitationId) -> Result<bool, StoreError> {
        let sql = "SELECT 1 AS found FROM invitations i LEFT JOIN api_keys k ON k.id = i.sent_with_key \
                   WHERE i.id = $1 AND (i.sent_with_key IS NULL OR (k.is_active AND (k.expires_at IS NULL OR k.expires_at > $2)))";
        let now = self.shared.clock.now().as_micros();
        Ok(!self.query_sql(sql, [id.uuid().into(), now.into()]).await?.is_empty())
    }

    async fn accept_invitation(
        &mut self,
        _grant: &PlatformGrant<ManageUsers>,
        id: InvitationId,
        token_digest: &[u8],
        by: UserId,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let rows = scope::many::<Entity>()
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::TokenDigest.eq(token_digest))
            .filter(Column::IsActive.eq(true))
            .filter(Column::AcceptedAt.is_null())
            .filter(Column::ExpiresAt.gt(now.as_micros()))
            .col_expr(Column::AcceptedAt, Expr::value(now.as_micros()))
            .col_expr(Column::AcceptedBy, Expr::value(by.uuid()))
            .col_expr(Column::Revision, Expr::col(Column::Revision).add(1));
        Ok(self.update(rows).await? == 1)
    }

    async fn is_assigned(
        &self,
        grant: &OrgGrant<ManageAssignments>,
        user: UserId,
        site: Option<SiteId>,
        module: Option<ModuleId>,
    ) -> Result<bool, StoreError> {
        let spot = match (site, module) {
            (Some(site), _) => assignment::Column::SiteId.eq(site.uuid()),
            (None, Some(module)) => assignment::Column::ModuleId.eq(module.uuid()),
            (None, None) => return Ok(false),
        };
        let found = scope::assignments_to(grant.org(), user).filter(spot).count(&self.connection).await;
        Ok(found.map_err(store_error)? > 0)
    }
}

fn invitation_of(row: Model) -> Result<Invitation, StoreError> {
    let stamp = row.stamp();
    Ok(Invitation {
        id: Id::from_uuid(row.id),
        organization_id: Id::from_uuid(row.organization_id),
        email: row.email.parse().map_err(|_| corrupt("invitations", "email", row.id))?,
        role: MemberRole::from_name(&row.role).ok_or_else(|| corrupt("invitations", "role", row.id))?,
        assignments: serde_json::from_str(&row.assignments)
            .map_err(|_| corrupt("invitations", "assignments", row.id))?,
        token_digest: row.token_digest,
        expires_at: Instant::from_micros(row.expires_at),
        accepted_at: row.accepted_at.map(Instant::from_micros),
        accepted_by: row.accepted_by.map(Id::from_uuid),
        stamp,
    })
}
