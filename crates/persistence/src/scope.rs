//! Where every query starts: the rows of a table that a grant reaches, archived ones left out unless it reaches those too.
//!
//! The only place that calls `Entity::find`; clippy refuses it elsewhere, so a query without a tenant filter cannot be
//! written by accident.
#![expect(clippy::disallowed_methods, reason = "the one place where queries start")]

use std::collections::BTreeSet;

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait as _, JoinType, QueryFilter, QueryOrder as _, QuerySelect,
    QueryTrait, RelationTrait as _, Select, UpdateMany,
    sea_query::{Alias, Expr, LockType, Query, SelectStatement, SimpleExpr},
};
use sitewatch_domain::{
    access::{Archived, Grant, ManageCredentials, OrgGrant, Permission, Reach, Spot, Within},
    api_keys::{KeyOwner, KeysGrant},
    ids::{Id, OrgId, UserId},
    reports::Scope,
    stamp::Revision,
};
use uuid::Uuid;

use crate::entities::{
    api_key, assignment, audit_event, device_credential, invitation, job, membership, metric, module,
    module_type, organization, rejected_reading, report, report_run, series, session, site, user,
};

fn uuids<'a, T: 'a>(ids: impl IntoIterator<Item = &'a Id<T>>) -> Vec<Uuid> {
    ids.into_iter().map(|id| id.uuid()).collect()
}

/// Active rows within reach, or archived rows within the grant's archive.
fn lifecycle<P: Permission, C: ColumnTrait>(
    grant: &Grant<P>,
    is_active: C,
    within: impl FnOnce(&Within) -> Condition,
    of_orgs: impl FnOnce(&BTreeSet<OrgId>) -> Condition,
) -> Condition {
    let reached = match grant.reach() {
        Reach::Everywhere => Condition::all(),
        Reach::Within(reach) => within(reach),
    };
    let active = reached.add(is_active.eq(true));
    match grant.archived() {
        Archived::Hidden => active,
        Archived::Everywhere => Condition::any().add(active).add(is_active.eq(false)),
        Archived::Within(orgs) => Condition::any().add(active).add(of_orgs(orgs).add(is_active.eq(false))),
    }
}

fn one_of<C: ColumnTrait>(column: C, ids: Vec<Uuid>) -> SimpleExpr {
    column.is_in(ids)
}

fn all_of(expression: SimpleExpr) -> Condition {
    Condition::all().add(Condition::any().add(expression))
}

/// Sites.
pub(crate) fn sites<P: Permission>(grant: &Grant<P>) -> Select<site::Entity> {
    site::Entity::find().filter(sites_condition(grant))
}

fn sites_condition<P: Permission>(grant: &Grant<P>) -> Condition {
    use site::Column;
    lifecycle(
        grant,
        Column::IsActive,
        |reach| {
            let any = Condition::any()
                .add(one_of(Column::OrganizationId, uuids(&reach.orgs)))
                .add_option((!reach.sites.is_empty()).then(|| one_of(Column::Id, uuids(&reach.sites))));
            Condition::all().add(any)
        },
        |orgs| all_of(one_of(Column::OrganizationId, uuids(orgs))),
    )
}

/// Modules.
pub(crate) fn modules<P: Permission>(grant: &Grant<P>) -> Select<module::Entity> {
    module::Entity::find().filter(modules_condition(grant))
}

/// The condition alone, for statements that join modules with something else.
pub(crate) fn modules_condition<P: Permission>(grant: &Grant<P>) -> Condition {
    use module::Column;
    lifecycle(
        grant,
        Column::IsActive,
        |reach| {
            let any = Condition::any()
                .add(one_of(Column::OrganizationId, uuids(&reach.orgs)))
                .add_option((!reach.sites.is_empty()).then(|| one_of(Column::SiteId, uuids(&reach.sites))))
                .add_option((!reach.modules.is_empty()).then(|| one_of(Column::Id, uuids(&reach.modules))));
            Condition::all().add(any)
        },
        |orgs| all_of(one_of(Column::OrganizationId, uuids(orgs))),
    )
}

/// The series of modules.
pub(crate) fn series<P: Permission>(grant: &Grant<P>) -> Select<series::Entity> {
    let modules = series::Relation::Module.def();
    series::Entity::find().join(JoinType::InnerJoin, modules).filter(modules_condition(grant))
}

/// Rejected readings of modules.
pub(crate) fn rejected_readings<P: Permission>(grant: &Grant<P>) -> Select<rejected_reading::Entity> {
    let modules = rejected_reading::Relation::Module.def();
    rejected_reading::Entity::find().join(JoinType::InnerJoin, modules).filter(modules_condition(grant))
}

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

/// The invitation of this token, for whoever brings it.
pub(crate) fn invitation_of_token(digest: &[u8]) -> Select<invitation::Entity> {
    invitation::Entity::find().filter(invitation::Column::TokenDigest.eq(digest.to_vec()))
}

fn is_own<P: Permission>(grant: &Grant<P>, user: Uuid) -> bool {
    matches!(grant.reach(), Reach::Within(reach) if reach.user.is_some_and(|own| own.uuid() == user))
}

fn orgs_condition<P: Permission, C: ColumnTrait>(grant: &Grant<P>, column: C) -> Condition {
    match grant.reach() {
        Reach::Everywhere => Condition::all(),
        Reach::Within(reach) => all_of(one_of(column, uuids(&reach.orgs))),
    }
}

/// Metrics: built-in ones, and those of organizations within reach.
pub(crate) fn metrics<P: Permission>(grant: &Grant<P>) -> Select<metric::Entity> {
    use metric::Column;
    let condition = lifecycle(
        grant,
        Column::IsActive,
        |reach| {
            let own = one_of(Column::OrganizationId, uuids(&reach.orgs));
            let any = Condition::any().add(own).add(Column::OrganizationId.is_null());
            let used = types_at(reach).map(|types| Column::Id.in_subquery(metrics_of(types)));
            Condition::all().add(any.add_option(used))
        },
        |orgs| all_of(one_of(Column::OrganizationId, uuids(orgs))),
    );
    metric::Entity::find().filter(condition)
}

/// Module types: built-in ones, and those of organizations within reach.
pub(crate) fn module_types<P: Permission>(grant: &Grant<P>) -> Select<module_type::Entity> {
    use module_type::Column;
    let condition = lifecycle(
        grant,
        Column::IsActive,
        |reach| {
            let own = one_of(Column::OrganizationId, uuids(&reach.orgs));
            let any = Condition::any().add(own).add(Column::OrganizationId.is_null());
            let used = types_at(reach).map(|types| Column::Id.in_subquery(types));
            Condition::all().add(any.add_option(used))
        },
        |orgs| all_of(one_of(Column::OrganizationId, uuids(orgs))),
    );
    module_type::Entity::find().filter(condition)
}

/// The types of the modules at the single places of a reach, which only a device has in the catalogue.
fn types_at(reach: &Within) -> Option<SelectStatement> {
    let places = Condition::any()
        .add_option((!reach.sites.is_empty()).then(|| module::Column::SiteId.is_in(uuids(&reach.sites))))
        .add_option((!reach.modules.is_empty()).then(|| module::Column::Id.is_in(uuids(&reach.modules))));
    let modules = || {
        module::Entity::find()
            .select_only()
            .column(module::Column::ModuleTypeId)
            .filter(module::Column::IsActive.eq(true))
            .filter(places)
            .into_query()
    };
    (!reach.sites.is_empty() || !reach.modules.is_empty()).then(modules)
}

/// The metrics of these types.
fn metrics_of(types: SelectStatement) -> SelectStatement {
    let link = Alias::new("module_type_metrics");
    Query::select()
        .column(Alias::new("metric_id"))
        .from(link)
        .and_where(Expr::col(Alias::new("module_type_id")).in_subquery(types))
        .take()
}

/// Jobs: one's own, and those of organizations within reach; the installation's own are for superusers.
pub(crate) fn jobs<P: Permission>(grant: &Grant<P>) -> Select<job::Entity> {
    use job::Column;
    let condition = match grant.reach() {
        Reach::Everywhere => Condition::all(),
        Reach::Within(reach) => Condition::any()
            .add(one_of(Column::OrganizationId, uuids(&reach.orgs)))
            .add_option(reach.user.map(|user| Column::CreatedBy.eq(user.uuid()))),
    };
    job::Entity::find().filter(condition)
}

/// The job of this id, which was changed a moment ago in the same transaction.
pub(crate) fn job(id: Uuid) -> Select<job::Entity> {
    job::Entity::find_by_id(id)
}

/// Reports: those of organizations within reach, and those that somebody made in an organization that he is still in.
pub(crate) fn reports<P: Permission>(grant: &Grant<P>) -> Select<report::Entity> {
    use report::Column;
    let condition = lifecycle(
        grant,
        Column::IsActive,
        |reach| {
            let own = reach.user.map(|user| {
                let memberships = membership::Entity::find()
                    .select_only()
                    .column(membership::Column::OrganizationId)
                    .filter(membership::Column::UserId.eq(user.uuid()))
                    .filter(membership::Column::IsActive.eq(true));
                Condition::all()
                    .add(Column::CreatedBy.eq(user.uuid()))
                    .add(Column::OrganizationId.in_subquery(memberships.into_query()))
            });
            let orgs = one_of(Column::OrganizationId, uuids(&reach.orgs));
            Condition::all().add(Condition::any().add(orgs).add_option(own))
        },
        |orgs| all_of(one_of(Column::OrganizationId, uuids(orgs))),
    );
    let of_active = organization::Entity::find()
        .select_only()
        .column(organization::Column::Id)
        .filter(organization::Column::IsActive.eq(true));
    report::Entity::find()
        .filter(condition)
        .filter(Column::OrganizationId.in_subquery(of_active.into_query()))
}

/// The active reports of an organization that run by themselves in the calendar of this place.
pub(crate) fn scheduled_reports(org: OrgId, place: Scope) -> Select<report::Entity> {
    use report::Column;
    let reports = report::Entity::find()
        .filter(Column::OrganizationId.eq(org.uuid()))
        .filter(Column::IsActive.eq(true))
        .filter(Column::Schedule.is_not_null());
    match place {
        Scope::Organization => reports.filter(Column::SiteId.is_null()).filter(Column::ModuleId.is_null()),
        Scope::Module(id) => reports.filter(Column::ModuleId.eq(id.uuid())),
        Scope::Site(id) => {
            let modules = module::Entity::find()
                .select_only()
                .column(module::Column::Id)
                .filter(module::Column::SiteId.eq(id.uuid()))
                .into_query();
            let of_site = Column::SiteId.eq(id.uuid()).or(Column::ModuleId.in_subquery(modules));
            reports.filter(of_site)
        }
    }
}

/// The report of this id, for whoever makes a run of it.
pub(crate) fn report(id: Uuid) -> Select<report::Entity> {
    report::Entity::find_by_id(id)
}

/// The runs of a report that was found within reach.
pub(crate) fn report_runs(report: Uuid) -> Select<report_run::Entity> {
    report_run::Entity::find().filter(report_run::Column::ReportId.eq(report))
}

/// The run of this id, for whoever makes it.
pub(crate) fn report_run(id: Uuid) -> Select<report_run::Entity> {
    report_run::Entity::find_by_id(id)
}

/// Audit entries; the installation's own are within the reach of superusers only.
pub(crate) fn audit_events<P: Permission>(grant: &Grant<P>) -> Select<audit_event::Entity> {
    audit_event::Entity::find().filter(orgs_condition(grant, audit_event::Column::OrganizationId))
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

/// The credentials of a site or module that have not been revoked.
pub(crate) fn device_credentials(
    grant: &OrgGrant<ManageCredentials>,
    spot: Spot,
) -> Select<device_credential::Entity> {
    use device_credential::Column;
    let credentials = device_credential::Entity::find()
        .filter(Column::OrganizationId.eq(grant.org().uuid()))
        .filter(Column::IsActive.eq(true));
    match spot {
        Spot::Site(id) => credentials.filter(Column::SiteId.eq(id.uuid())),
        Spot::Module(id) => credentials.filter(Column::ModuleId.eq(id.uuid())),
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

/// The active modules at these sites, which were found within reach.
pub(crate) fn active_modules_at(sites: &[sitewatch_domain::ids::SiteId]) -> Select<module::Entity> {
    module::Entity::find()
        .filter(module::Column::SiteId.is_in(uuids(sites)))
        .filter(module::Column::IsActive.eq(true))
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
