//! Where every query starts: the rows of a table that a grant reaches, archived ones left out unless it reaches those too.
//!
//! The only place that calls `Entity::find`; clippy refuses it elsewhere, so a query without a tenant filter cannot be
//! written by accident.
#![expect(clippy::disallowed_methods, reason = "the one place where queries start")]

mod people;
mod places;
mod rules;
mod work;

use std::collections::BTreeSet;

use sea_orm::{ColumnTrait, Condition, sea_query::SimpleExpr};
use sitewatch_domain::{
    access::{Archived, Grant, Permission, Reach, Within},
    ids::{Id, OrgId},
};
use uuid::Uuid;

pub(crate) use people::{
    api_keys, assignments, assignments_of_user, assignments_to, audit_events, invitation_of_token,
    invitations, invitations_of_address, is_member_of, memberships, memberships_of_user, organizations,
    sessions, users,
};
pub(crate) use places::{
    active_modules_at, device_credentials, metrics, module_types, modules, rejected_readings, series, sites,
};
pub(crate) use rules::{
    account, admins, admins_beside, held, held_active, held_membership, login, many, owned, seen, session,
    superusers,
};
pub(crate) use work::{job, jobs, report, report_run, report_runs, reports, scheduled_reports};

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

fn is_own<P: Permission>(grant: &Grant<P>, user: Uuid) -> bool {
    matches!(grant.reach(), Reach::Within(reach) if reach.user.is_some_and(|own| own.uuid() == user))
}

fn orgs_condition<P: Permission, C: ColumnTrait>(grant: &Grant<P>, column: C) -> Condition {
    match grant.reach() {
        Reach::Everywhere => Condition::all(),
        Reach::Within(reach) => all_of(one_of(column, uuids(&reach.orgs))),
    }
}
