//! Sites, modules and what hangs on them.

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait as _, JoinType, QueryFilter, QuerySelect, QueryTrait,
    RelationTrait as _, Select,
    sea_query::{Alias, Expr, Query, SelectStatement},
};
use sitewatch_domain::access::{Grant, ManageCredentials, OrgGrant, Permission, Spot, Within};

use super::{all_of, lifecycle, one_of, uuids};
use crate::entities::{device_credential, metric, module, module_type, rejected_reading, series, site};

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
fn modules_condition<P: Permission>(grant: &Grant<P>) -> Condition {
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

/// The active modules at these sites, which were found within reach.
pub(crate) fn active_modules_at(sites: &[sitewatch_domain::ids::SiteId]) -> Select<module::Entity> {
    module::Entity::find()
        .filter(module::Column::SiteId.is_in(uuids(sites)))
        .filter(module::Column::IsActive.eq(true))
}
