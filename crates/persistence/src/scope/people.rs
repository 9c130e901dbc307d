//! Organizations and people: who belongs where, what they sign in and act with, what they did.

use std::collections::BTreeSet;

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait as _, QueryFilter, QuerySelect, QueryTrait, Select,
    sea_query::{Expr, SimpleExpr},
};
use sitewatch_domain::{
    access::{Grant, Permission, Reach},
    api_keys::{KeyOwner, KeysGrant},
    ids::{OrgId, UserId},
};
use uuid::Uuid;

use super::{all_of, is_own, lifecycle, one_of, orgs_condition, uuids};
use crate::entities::{
    api_key, assignment, audit_event, invitation, membership, organization, session, user,
};

/// Organizations.
pub(crate) fn organizations<P: Permission>(grant: &Grant<P>) -> Select<organization::Entity> {
    use organization::Column;
    let of = |orgs: &BTreeSet<OrgId>| all_of(one_of(Column::Id, uuids(orgs)));
    let condition = lifecycle(grant, Column::IsActive, |reach| of(&reach.orgs), of);
    organization::Entity::find().filter(condition)
}

/// Users: the caller himself, and active members of organizations within reach. Archived ones have left none, so the
/// archive of an organization holds no users.
pub(crate) fn users<P: Permission>(grant: &Grant<P>) -> Select<user::Entity> {
    use user::Column;
    let condition = lifecycle(
        grant,
        Column::IsActive,
        |reach| {
            let members = members_of(&reach.orgs);
            let any =
                Condition::any().add_option(reach.user.map(|user| Column::Id.eq(user.uuid()))).add(members);
            Condition::all().add(any)
        },
        |_| Condition::all().add(Expr::val(1).eq(0)),
    );
    user::Entity::find().filter(condition)
}

fn members_of(orgs: &BTreeSet<OrgId>) -> SimpleExpr {
    let members = membership::Entity::find()
        .select_only()
        .column(membership::Column::UserId)
        .filter(membership::Column::OrganizationId.is_in(uuids(orgs)))
        .filter(membership::Column::IsActive.eq(true));
    user::Column::Id.in_subquery(members.into_query())
}

/// Users that are members of this one organization, as a further condition.
pub(crate) fn is_member_of(org: OrgId) -> SimpleExpr {
    members_of(&BTreeSet::from([org]))
}

/// Active memberships of one organization, which the grant must reach.
pub(crate) fn memberships<P: Permission>(grant: &Grant<P>, org: OrgId) -> Select<membership::Entity> {
    use membership::Column;
    membership::Entity::find()
        .filter(Column::OrganizationId.eq(org.uuid()))
        .filter(orgs_condition(grant, Column::OrganizationId))
        .filter(Column::IsActive.eq(true))
}

/// Active memberships of one user: all of them for himself and superusers, else those of organizations within reach.
pub(crate) fn memberships_of_user<P: Permission>(grant: &Grant<P>, user: Uuid) -> Select<membership::Entity> {
    use membership::Column;
    let rows = membership::Entity::find().filter(Column::UserId.eq(user)).filter(Column::IsActive.eq(true));
    if is_own(grant, user) { rows } else { rows.filter(orgs_condition(grant, Column::OrganizationId)) }
}

/// Active assignments of one organization, which the grant must reach.
pub(crate) fn assignments<P: Permission>(grant: &Grant<P>, org: OrgId) -> Select<assignment::Entity> {
    use assignment::Column;
    assignment::Entity::find()
        .filter(Column::OrganizationId.eq(org.uuid()))
        .filter(orgs_condition(grant, Column::OrganizationId))
        .filter(Column::IsActive.eq(true))
}

/// Active assignments of one user, as for his memberships.
pub(crate) fn assignments_of_user<P: Permission>(grant: &Grant<P>, user: Uuid) -> Select<assignment::Entity> {
    use assignment::Column;
    let rows = assignment::Entity::find().filter(Column::UserId.eq(user)).filter(Column::IsActive.eq(true));
    if is_own(grant, user) { rows } else { rows.filter(orgs_condition(grant, Column::OrganizationId)) }
}

/// Active assignments of one user in an organization, for the rules about them.
pub(crate) fn assignments_to(org: OrgId, user: UserId) -> Select<assignment::Entity> {
    use assignment::Column;
    assignment::Entity::find()
        .filter(Column::OrganizationId.eq(org.uuid()))
        .filter(Column::UserId.eq(user.uuid()))
        .filter(Column::IsActive.eq(true))
}

/// Invitations into one organization, which the grant must reach, without those that were taken back.
pub(crate) fn invitations<P: Permission>(grant: &Grant<P>, org: OrgId) -> Select<invitation::Entity> {
    use invitation::Column;
    invitation::Entity::find()
        .filter(Column::OrganizationId.eq(org.uuid()))
        .filter(orgs_condition(grant, Column::OrganizationId))
        .filter(Column::IsActive.eq(true))
}

/// Invitations of this address into one organization that are neither accepted nor taken back, for the rule that there is one.
pub(crate) fn invitations_of_address(org: OrgId, email: &str) -> Select<invitation::Entity> {
    use invitation::Column;
    invitation::Entity::find()
        .filter(Column::OrganizationId.eq(org.uuid()))
        .filter(Column::Email.eq(email))
        .filter(Column::AcceptedAt.is_null())
        .filter(Column::IsActive.eq(true))
}

/// The invitation of this token, for whoever brings it.
pub(crate) fn invitation_of_token(digest: &[u8]) -> Select<invitation::Entity> {
    invitation::Entity::find().filter(invitation::Column::TokenDigest.eq(digest.to_vec()))
}

/// The keys of an owner that have not been revoked.
pub(crate) fn api_keys(grant: &KeysGrant) -> Select<api_key::Entity> {
    use api_key::Column;
    let keys = api_key::Entity::find().filter(Column::IsActive.eq(true));
    match grant.owner() {
        KeyOwner::User(user) => keys.filter(Column::UserId.eq(user.uuid())),
        KeyOwner::Organization(org) => keys.filter(Column::OrganizationId.eq(org.uuid())),
    }
}

/// Sessions: one's own; everybody's where the grant reaches everywhere.
pub(crate) fn sessions<P: Permission>(grant: &Grant<P>) -> Select<session::Entity> {
    let condition = match grant.reach() {
        Reach::Everywhere => Condition::all(),
        Reach::Within(reach) => {
            let own: Vec<Uuid> = reach.user.iter().map(|user| user.uuid()).collect();
            all_of(one_of(session::Column::UserId, own))
        }
    };
    session::Entity::find().filter(condition)
}

/// Audit entries; the installation's own are within the reach of superusers only.
pub(crate) fn audit_events<P: Permission>(grant: &Grant<P>) -> Select<audit_event::Entity> {
    audit_event::Entity::find().filter(orgs_condition(grant, audit_event::Column::OrganizationId))
}
