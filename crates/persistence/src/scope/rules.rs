//! Rows that no grant reaches: what is asked before anybody has proven who he is, what rules count, and rows that are changed or held
//! after they were found.

use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait as _, JoinType, QueryFilter, QueryOrder as _, QuerySelect,
    QueryTrait, RelationTrait as _, Select, UpdateMany,
    sea_query::{Expr, LockType, SelectStatement},
};
use sitewatch_domain::{
    ids::{OrgId, UserId},
    stamp::Revision,
};
use uuid::Uuid;

use crate::entities::{membership, organization, session, user};

/// The session of this id. Reached before anybody has proven who he is; only signing in and out asks.
pub(crate) fn session(id: Uuid) -> Select<session::Entity> {
    session::Entity::find_by_id(id)
}

/// The active account of this address, for the same purpose.
pub(crate) fn login(email: &str) -> Select<user::Entity> {
    user::Entity::find().filter(user::Column::Email.eq(email)).filter(user::Column::IsActive.eq(true))
}

/// The account of this id, for the same purpose.
pub(crate) fn account(id: Uuid) -> Select<user::Entity> {
    user::Entity::find_by_id(id)
}

/// Every superuser account, for the rules that count them.
pub(crate) fn superusers() -> Select<user::Entity> {
    user::Entity::find().filter(user::Column::IsSuperuser.eq(true))
}

/// Active admins of an organization whose accounts are active, for the rule that counts them.
pub(crate) fn admins(org: OrgId) -> Select<membership::Entity> {
    active_admins().filter(membership::Column::OrganizationId.eq(org.uuid()))
}

/// Such admins of each active organization of which this user is an admin, himself included.
pub(crate) fn admins_beside(user: UserId) -> Select<membership::Entity> {
    let administered = active_admins()
        .filter(membership::Column::UserId.eq(user.uuid()))
        .select_only()
        .column(membership::Column::OrganizationId)
        .into_query();
    let active = organization::Entity::find()
        .select_only()
        .column(organization::Column::Id)
        .filter(organization::Column::IsActive.eq(true))
        .filter(organization::Column::Id.in_subquery(administered))
        .into_query();
    active_admins().filter(membership::Column::OrganizationId.in_subquery(active))
}

/// Joined, so that whoever locks them locks the accounts as well: who waits for one that is being archived finds it gone.
fn active_admins() -> Select<membership::Entity> {
    membership::Entity::find()
        .join(JoinType::InnerJoin, membership::Relation::User.def())
        .filter(user::Column::IsActive.eq(true))
        .filter(membership::Column::IsActive.eq(true))
        .filter(membership::Column::Role.eq("admin"))
}

/// The row of this id in this organization, as long as it is at the revision that the caller saw.
pub(crate) fn seen<E: EntityTrait>(
    (id, id_column): (Uuid, E::Column),
    organization: Option<(OrgId, E::Column)>,
    (seen, revision_column): (Revision, E::Column),
) -> UpdateMany<E> {
    let rows = E::update_many().filter(id_column.eq(id)).filter(revision_column.eq(seen.0));
    match organization {
        Some((org, column)) => rows.filter(column.eq(org.uuid())),
        None => rows,
    }
}

/// Rows of a table to be changed together; the caller adds the condition.
pub(crate) fn many<E: EntityTrait>() -> UpdateMany<E> {
    E::update_many()
}

/// The ids of those of these rows that are active, held as they are until the transaction ends: whoever archives one of
/// them waits. No tenant's data is read. Ordered, so that two transactions hold the same rows in the same order.
pub(crate) fn held_active<E: EntityTrait>(
    id_column: E::Column,
    ids: impl IntoIterator<Item = Uuid>,
) -> SelectStatement {
    let is_active = Expr::col((E::default(), sea_orm::sea_query::Alias::new("is_active")));
    let mut rows = E::find()
        .select_only()
        .column_as(id_column, "id")
        .filter(id_column.is_in(ids))
        .filter(is_active.eq(true))
        .order_by_asc(id_column)
        .into_query();
    rows.lock(LockType::Share).take()
}

/// The row of this id, held until the transaction ends: whoever wants to hang something on it waits, and then finds it
/// changed.
pub(crate) fn held<E: EntityTrait>(id_column: E::Column, id: Uuid) -> SelectStatement {
    let mut row = E::find().select_only().column_as(id_column, "id").filter(id_column.eq(id)).into_query();
    row.lock(LockType::NoKeyUpdate).take()
}

/// The active membership of a user in an organization, held likewise: whoever ends it waits.
pub(crate) fn held_membership(org: OrgId, user: Uuid) -> SelectStatement {
    let mut row = membership::Entity::find()
        .select_only()
        .column_as(membership::Column::Id, "id")
        .filter(membership::Column::OrganizationId.eq(org.uuid()))
        .filter(membership::Column::UserId.eq(user))
        .filter(membership::Column::IsActive.eq(true))
        .into_query();
    row.lock(LockType::Share).take()
}

/// Of rows to be changed those of this owner; without one, what is built in.
pub(crate) fn owned<E: EntityTrait>(
    rows: UpdateMany<E>,
    owner: Option<OrgId>,
    column: E::Column,
) -> UpdateMany<E> {
    match owner {
        Some(org) => rows.filter(column.eq(org.uuid())),
        None => rows.filter(column.is_null()),
    }
}
