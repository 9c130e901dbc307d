//! Jobs and reports.

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait as _, QueryFilter, QuerySelect, QueryTrait, Select,
    sea_query::SelectStatement,
};
use sitewatch_domain::{
    access::{Grant, Permission, Reach},
    ids::{OrgId, UserId},
    reports::Scope,
};
use uuid::Uuid;

use super::{all_of, lifecycle, one_of, uuids};
use crate::entities::{job, membership, module, organization, report, report_run};

/// Jobs: one's own, but for those of organizations that one has left, and those of organizations within reach; the installation's own are
/// for superusers.
pub(crate) fn jobs<P: Permission>(grant: &Grant<P>) -> Select<job::Entity> {
    use job::Column;
    let condition = match grant.reach() {
        Reach::Everywhere => Condition::all(),
        Reach::Within(reach) => Condition::any()
            .add(one_of(Column::OrganizationId, uuids(&reach.orgs)))
            .add_option(reach.user.map(|user| {
                let here = Column::OrganizationId.in_subquery(organizations_of(user));
                let of_nobody_or_here = Condition::any().add(Column::OrganizationId.is_null()).add(here);
                Condition::all().add(Column::CreatedBy.eq(user.uuid())).add(of_nobody_or_here)
            })),
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
                Condition::all()
                    .add(Column::CreatedBy.eq(user.uuid()))
                    .add(Column::OrganizationId.in_subquery(organizations_of(user)))
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

/// The organizations that a user is in.
fn organizations_of(user: UserId) -> SelectStatement {
    let memberships = membership::Entity::find()
        .select_only()
        .column(membership::Column::OrganizationId)
        .filter(membership::Column::UserId.eq(user.uuid()))
        .filter(membership::Column::IsActive.eq(true));
    memberships.into_query()
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
