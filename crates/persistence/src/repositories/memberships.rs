//! Memberships.

use async_trait::async_trait;
use sea_orm::{
    ActiveValue, ColumnTrait, Condition, ConnectionTrait, FromQueryResult, IntoSimpleExpr as _, JoinType,
    QueryFilter, QueryOrder as _, QuerySelect, QueryTrait as _, RelationTrait as _, Select, Set,
};
use sitewatch_domain::{
    Rule,
    access::{
        Author, Grant, LeaveOrganization, ManageApiKeys, ManageMembers, OrgGrant, ReadMembers, ReadProfiles,
    },
    assignments::Assignment,
    audit::Along,
    ids::{Id, OrgId, UserId},
    memberships::{
        Member, MemberFilter, MemberRole, MemberSort, Membership, MembershipRepository, SearchedFields,
        UserOrganization,
    },
    page::{Listing, Page},
    ports::StoreError,
    stamp::Revision,
};
use uuid::Uuid;

use crate::{
    entities::{
        assignment,
        membership::{ActiveModel, Column, Entity, Model, Relation},
        organization, user,
    },
    error::{corrupt, store_error},
    paging::{SortColumn, occurs, page},
    scope,
    session::Session,
    stamp,
};

/// The most organizations of a user that are listed.
const MOST_ORGANIZATIONS: u64 = 1_000;

/// A membership with what is shown of its user.
struct MemberRow {
    membership: Model,
    full_name: String,
    email: String,
}

impl FromQueryResult for MemberRow {
    fn from_query_result(row: &sea_orm::QueryResult, prefix: &str) -> Result<Self, sea_orm::DbErr> {
        Ok(Self {
            membership: Model::from_query_result(row, prefix)?,
            full_name: row.try_get(prefix, "member_name")?,
            email: row.try_get(prefix, "member_email")?,
        })
    }
}

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> MembershipRepository for Session<C> {
    async fn list_members(
        &self,
        grant: &Grant<ReadMembers>,
        org: OrgId,
        listing: &Listing<MemberFilter, MemberSort>,
        searched: SearchedFields,
    ) -> Result<Page<Member>, StoreError> {
        let fields: &[user::Column] = match searched {
            SearchedFields::Name => &[user::Column::FullName],
            SearchedFields::NameAndAddress => &[user::Column::FullName, user::Column::Email],
        };
        let rows = with_user(scope::memberships(grant, org))
            .apply_if(listing.filter.role, |rows, role| rows.filter(Column::Role.eq(role.name())))
            .apply_if(listing.search.as_deref(), |rows, text| rows.filter(occurs(text, fields)));
        let key = |key| match key {
            MemberSort::Role => SortColumn::Always(Column::Role),
            MemberSort::CreatedAt => SortColumn::Always(Column::CreatedAt),
            MemberSort::FullName => SortColumn::Joined(user::Column::FullName.into_simple_expr()),
        };
        let sort = super::sort_or(&listing.sort, key, Column::CreatedAt);
        let page: Page<MemberRow> =
            page(&self.connection, rows, sort, Column::Id, (listing.page, listing.total)).await?;
        super::try_map(page, member_of)
    }

    async fn find_member(
        &self,
        grant: &Grant<ReadMembers>,
        org: OrgId,
        user: UserId,
    ) -> Result<Option<Member>, StoreError> {
        let rows = with_user(scope::memberships(grant, org)).filter(Column::UserId.eq(user.uuid()));
        let row: Option<MemberRow> = rows.into_model().one(&self.connection).await.map_err(store_error)?;
        row.map(member_of).transpose()
    }

    async fn list_user_organizations(
        &self,
        grant: &Grant<ReadProfiles>,
        user: UserId,
    ) -> Result<Vec<UserOrganization>, StoreError> {
        let rows = scope::memberships_of_user(grant, user.uuid())
            .join(JoinType::InnerJoin, Relation::Organization.def())
            .filter(organization::Column::IsActive.eq(true))
            .select_also(organization::Entity);
        let rows = crate::paging::by_name(rows, organization::Column::Name).limit(MOST_ORGANIZATIONS);
        let rows = rows.all(&self.connection).await.map_err(store_error)?;
        let entry = |(membership, organization): (Model, Option<organization::Model>)| {
            let role = role_of(&membership.role, membership.id)?;
            let organization = crate::session::expected(organization, "organization of a membership")?;
            Ok(UserOrganization { organization: super::organizations::organization_of(organization), role })
        };
        rows.into_iter().map(entry).collect()
    }

    async fn insert_membership(
        &mut self,
        grant: &OrgGrant<ManageMembers>,
        membership: &Membership,
    ) -> Result<(), StoreError> {
        self.require_active_organization(grant.org()).await?;
        let user = [membership.user_id.uuid()];
        self.require_active::<user::Entity>(user::Column::Id, &user, Rule::ReferenceArchived).await?;
        let row = ActiveModel {
            id: Set(membership.id),
            organization_id: Set(grant.org().uuid()),
            user_id: Set(membership.user_id.uuid()),
            role: Set(membership.role.name().to_owned()),
            ..Default::default()
        };
        self.insert(row.stamped(stamp::made(grant.author(), &membership.stamp))).await
    }

    async fn update_membership(
        &mut self,
        grant: &OrgGrant<ManageMembers>,
        membership: &Membership,
        seen: Revision,
    ) -> Result<bool, StoreError> {
        self.write_membership(grant.org(), grant.author(), membership, seen).await
    }

    async fn archive_membership(
        &mut self,
        grant: &OrgGrant<ManageMembers>,
        membership: &Membership,
        seen: Revision,
    ) -> Result<Option<Vec<Along>>, StoreError> {
        self.end_membership(grant.org(), grant.author(), membership, seen).await
    }

    async fn leave_organization(
        &mut self,
        grant: &OrgGrant<LeaveOrganization>,
        membership: &Membership,
        seen: Revision,
    ) -> Result<Option<Vec<Along>>, StoreError> {
        self.end_membership(grant.org(), grant.author(), membership, seen).await
    }

    async fn count_other_admins(
        &mut self,
        grant: &OrgGrant<LeaveOrganization>,
        except: UserId,
    ) -> Result<u64, StoreError> {
        // All rows are locked, the excepted one too, so that two transactions that each except the other's wait in line.
        let rows =
            scope::admins(grant.org()).order_by_asc(Column::Id).lock_exclusive().all(&self.connection).await;
        let others =
            rows.map_err(store_error)?.into_iter().filter(|row| row.user_id != except.uuid()).count();
        Ok(u64::try_from(others).unwrap_or(u64::MAX))
    }

    async fn list_admins(
        &self,
        grant: &OrgGrant<ManageApiKeys>,
        most: u32,
    ) -> Result<Vec<UserId>, StoreError> {
        let rows = scope::admins(grant.org())
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id)
            .limit(u64::from(most))
            .all(&self.connection);
        Ok(rows.await.map_err(store_error)?.into_iter().map(|row| Id::from_uuid(row.user_id)).collect())
    }
}

impl<C: ConnectionTrait> Session<C> {
    async fn write_membership(
        &self,
        org: OrgId,
        author: &Author,
        membership: &Membership,
        seen: Revision,
    ) -> Result<bool, StoreError> {
        let rows = scope::seen::<Entity>(
            (membership.id, Column::Id),
            Some((org, Column::OrganizationId)),
            (seen, Column::Revision),
        );
        let row = ActiveModel {
            id: ActiveValue::NotSet,
            role: Set(membership.role.name().to_owned()),
            ..Default::default()
        };
        Ok(self.update(rows.set(row.stamped(stamp::changed(author, &membership.stamp)))).await? == 1)
    }

    async fn end_membership(
        &self,
        org: OrgId,
        author: &Author,
        membership: &Membership,
        seen: Revision,
    ) -> Result<Option<Vec<Along>>, StoreError> {
        if !self.write_membership(org, author, membership, seen).await? {
            return Ok(None);
        }
        let assignments = scope::many::<assignment::Entity>().filter(
            Condition::all()
                .add(assignment::Column::OrganizationId.eq(org.uuid()))
                .add(assignment::Column::UserId.eq(membership.user_id.uuid()))
                .add(assignment::Column::IsActive.eq(true)),
        );
        let ended = assignment::ActiveModel::default().stamped(super::cascade(author, &membership.stamp));
        let ended = super::counted_on(assignments.set(ended), assignment::Column::Revision);
        let rows = self.update_and_read(ended).await?;
        Ok(Some(rows.into_iter().map(|row| Along::of::<Assignment>(row.id)).collect()))
    }
}

fn with_user(rows: Select<Entity>) -> Select<Entity> {
    rows.join(JoinType::InnerJoin, Relation::User.def())
        .filter(user::Column::IsActive.eq(true))
        .column_as(user::Column::FullName, "member_name")
        .column_as(user::Column::Email, "member_email")
}

fn role_of(name: &str, row: Uuid) -> Result<MemberRole, StoreError> {
    MemberRole::from_name(name).ok_or_else(|| corrupt("memberships", "role", row))
}

fn member_of(row: MemberRow) -> Result<Member, StoreError> {
    let MemberRow { membership, full_name, email } = row;
    let stamp = membership.stamp();
    Ok(Member {
        user_id: Id::from_uuid(membership.user_id),
        full_name,
        email: Some(email.parse().map_err(|_| corrupt("users", "email", membership.user_id))?),
        membership: Membership {
            id: membership.id,
            organization_id: Id::from_uuid(membership.organization_id),
            user_id: Id::from_uuid(membership.user_id),
            role: role_of(&membership.role, membership.id)?,
            stamp,
        },
    })
}
