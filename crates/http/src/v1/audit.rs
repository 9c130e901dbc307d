//! The audit log: views, handlers.

use actix_web::web;
use serde::Serialize;
use sitewatch_domain::{
    Platform,
    audit::{Action, AuditEvent, AuditFilter},
    ids::{AuditEventId, OrgId, UserId},
    time::Instant,
};
use utoipa::{IntoParams, ToSchema};

use super::{bounds::At, views::SliceParameters};
use crate::{
    caller::Caller,
    envelope::{Envelope, Stretch},
    error::ApiError,
    query::Query,
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/api/v1/audit").get(list),
        Address::at("/api/v1/organizations/{organization_id}/audit").get(list_of_organization),
    ]
}

/// An entry of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEvent)]
pub(crate) struct AuditEventView {
    /// The entry's id.
    #[schema(value_type = uuid::Uuid)]
    id: AuditEventId,
    /// When it was done.
    #[schema(value_type = String, format = DateTime)]
    at: Instant,
    /// The organization in whose log it stands; null for the installation's own.
    #[schema(value_type = Option<uuid::Uuid>)]
    organization_id: Option<OrgId>,
    /// Who did it.
    actor: AuditActorView,
    /// What was done: `created`, `updated`, `archived`, `restored`, `moved`, `deleted`, `retried`, `cancelled`, `signed_in`,
    /// `signed_out`, `token_reused`, `sign_in_failed`, `password_changed`, `password_reset`, `denied`.
    #[schema(example = "updated")]
    action: &'static str,
    /// To which kind of resource.
    #[schema(example = "site")]
    resource: String,
    /// To which one; all zeros for a failed sign-in to no account.
    resource_id: uuid::Uuid,
    /// The resource before.
    #[schema(value_type = Option<Object>)]
    before: Option<serde_json::Value>,
    /// The resource after; what was archived or restored along with its parent says with which one instead.
    #[schema(value_type = Option<Object>)]
    after: Option<serde_json::Value>,
    /// The request that it was done for.
    request_id: Option<String>,
    /// The address that the request came from.
    client: Option<String>,
}

/// Who did something.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditActor)]
pub(crate) struct AuditActorView {
    /// `user`, `api_key`, `device`, `system` or `anonymous`.
    #[schema(example = "user")]
    kind: &'static str,
    /// The user, or the owner of the API key.
    #[schema(value_type = Option<uuid::Uuid>)]
    id: Option<UserId>,
    /// The API key or device credential that it was done with.
    credential_id: Option<uuid::Uuid>,
    /// Whether he acted with a superuser's rights.
    is_superuser: bool,
}

impl From<AuditEvent> for AuditEventView {
    fn from(event: AuditEvent) -> Self {
        Self {
            id: event.id,
            at: event.at,
            organization_id: event.organization_id,
            actor: AuditActorView {
                kind: event.actor_kind.name(),
                id: event.actor_id,
                credential_id: event.credential_id,
                is_superuser: event.is_superuser,
            },
            action: event.action.name(),
            resource: event.resource,
            resource_id: event.resource_id,
            before: event.before,
            after: event.after,
            request_id: event.request_id,
            client: event.client,
        }
    }
}

/// Filters of the log.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters that `filter_of` reads")]
pub(crate) struct AuditParameters {
    /// By this user.
    #[param(value_type = Option<uuid::Uuid>)]
    actor_id: Option<UserId>,
    /// This action.
    action: Option<String>,
    /// On this kind of resource.
    resource: Option<String>,
    /// On this resource.
    resource_id: Option<uuid::Uuid>,
}

fn filter_of(query: &mut Query, organization: Option<OrgId>) -> AuditFilter {
    let names: Vec<&str> = Action::ALL.iter().copied().map(Action::name).collect();
    let expected = format!("must be one of: {}", names.join(", "));
    AuditFilter {
        organization,
        actor: query.id("actor_id"),
        action: query.chosen("action", &expected, Action::from_name),
        resource: query.text("resource"),
        resource_id: query.parsed("resource_id", "must be a uuid"),
        at: query.between(At::NAMES),
    }
}

/// The audit log of the organizations that you administer, the newest first; everything for a superuser.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", operation_id = "listAuditEvents",
    params(SliceParameters, At, AuditParameters,
        ("organization_id" = Option<uuid::Uuid>, Query, description = "Of this organization")),
    responses((status = 200, description = "A slice of the log", body = Envelope<Vec<AuditEventView>>)))]
pub(crate) async fn list(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Stretch<AuditEventView>, ApiError> {
    let mut query = caller.query();
    let organization = query.id("organization_id");
    slice(&platform, &caller, query, organization).await
}

/// The audit log of an organization, the newest first.
#[utoipa::path(get, path = "/api/v1/organizations/{organization_id}/audit", tag = "audit",
    operation_id = "listOrganizationAuditEvents",
    params(("organization_id" = uuid::Uuid, Path), SliceParameters, At, AuditParameters),
    responses((status = 200, description = "A slice of the log", body = Envelope<Vec<AuditEventView>>)))]
pub(crate) async fn list_of_organization(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Stretch<AuditEventView>, ApiError> {
    let organization = caller.id("organization_id", "organization")?;
    slice(&platform, &caller, caller.query(), Some(organization)).await
}

async fn slice(
    platform: &Platform,
    caller: &Caller,
    mut query: Query,
    organization: Option<OrgId>,
) -> Result<Stretch<AuditEventView>, ApiError> {
    let filter = filter_of(&mut query, organization);
    let slice = query.slice();
    query.finish()?;
    Ok(Stretch(platform.audit().list(caller, &filter, &slice).await?.map(AuditEventView::from)))
}
