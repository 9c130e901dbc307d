//! Assignments: bodies, views, handlers.

use actix_web::web;
use serde::{Deserialize, Serialize};
use sitewatch_domain::{
    FieldErrors, Platform,
    access::Access,
    assignments::{Assignment, AssignmentChanges, AssignmentFilter, AssignmentSort, NewAssignment},
    ids::{AssignmentId, ModuleId, OrgId, SiteId, UserId},
    stamp::Revision,
};
use utoipa::{IntoParams, ToSchema};

use super::views::{IfMatch, PageParameters, StampView};
use crate::{
    body::{Body, Field},
    caller::Caller,
    envelope::{Addressed, Created, Envelope, List, One},
    error::ApiError,
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/api/v1/organizations/{organization_id}/assignments").get(list).post(create),
        Address::at("/api/v1/organizations/{organization_id}/assignments/{assignment_id}")
            .get(get)
            .put(update)
            .patch(patch)
            .delete(archive),
    ]
}

/// An assignment as it is made.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"user_id": "01890000-0000-7000-8000-000000000000", "site_id": "01890000-0000-7000-8000-000000000000", "access": "viewer"}))]
pub(crate) struct CreateAssignmentBody {
    /// A member of the organization.
    #[schema(value_type = uuid::Uuid, required = true)]
    user_id: Field<UserId>,
    /// A site of the organization, which covers its modules; either this or `module_id`.
    #[schema(value_type = Option<uuid::Uuid>)]
    site_id: Field<SiteId>,
    /// A module of the organization.
    #[schema(value_type = Option<uuid::Uuid>)]
    module_id: Field<ModuleId>,
    /// `operator` or `viewer`.
    #[schema(value_type = String, required = true, example = "viewer")]
    access: Field<String>,
}

impl Body for CreateAssignmentBody {
    type Input = NewAssignment;

    fn into_input(self, faults: &mut FieldErrors) -> NewAssignment {
        NewAssignment {
            user_id: self.user_id.required("user_id", faults),
            site_id: self.site_id.optional("site_id", faults),
            module_id: self.module_id.optional("module_id", faults),
            access: self.access.required("access", faults),
        }
    }
}

/// Changes of an assignment.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"access": "operator"}))]
pub(crate) struct UpdateAssignmentBody {
    /// `operator` or `viewer`.
    #[schema(value_type = String, example = "operator")]
    access: Field<String>,
}

impl Body for UpdateAssignmentBody {
    type Input = AssignmentChanges;

    const READ_ONLY: &'static [&'static str] = &["organization_id", "user_id", "site_id", "module_id"];

    fn into_input(self, faults: &mut FieldErrors) -> AssignmentChanges {
        AssignmentChanges { access: self.access.change("access", faults) }
    }
}

/// What is assigned to a member.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Assignment)]
pub(crate) struct AssignmentView {
    /// The assignment's id.
    #[schema(value_type = uuid::Uuid)]
    id: AssignmentId,
    /// The organization.
    #[schema(value_type = uuid::Uuid)]
    organization_id: OrgId,
    /// The member.
    #[schema(value_type = uuid::Uuid)]
    user_id: UserId,
    /// The site, if a site is assigned.
    #[schema(value_type = Option<uuid::Uuid>)]
    site_id: Option<SiteId>,
    /// The module, if a module is assigned.
    #[schema(value_type = Option<uuid::Uuid>)]
    module_id: Option<ModuleId>,
    /// `operator` or `viewer`.
    #[schema(example = "viewer")]
    access: &'static str,
    #[serde(flatten)]
    stamp: StampView,
    #[serde(skip)]
    revision: Revision,
}

impl From<Assignment> for AssignmentView {
    fn from(assignment: Assignment) -> Self {
        Self {
            id: assignment.id,
            organization_id: assignment.organization_id,
            user_id: assignment.user_id,
            site_id: assignment.site_id,
            module_id: assignment.module_id,
            access: assignment.access.name(),
            stamp: StampView::from(&assignment.stamp),
            revision: assignment.stamp.revision,
        }
    }
}

impl Addressed for AssignmentView {
    fn path(&self) -> String {
        format!("/api/v1/organizations/{}/assignments/{}", self.organization_id, self.id)
    }

    fn revision(&self) -> Option<Revision> {
        Some(self.revision)
    }
}

/// Filters of assignments.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters that `list` reads")]
pub(crate) struct AssignmentParameters {
    /// Of this member.
    #[param(value_type = Option<uuid::Uuid>)]
    user_id: Option<UserId>,
    /// To this site.
    #[param(value_type = Option<uuid::Uuid>)]
    site_id: Option<SiteId>,
    /// To this module.
    #[param(value_type = Option<uuid::Uuid>)]
    module_id: Option<ModuleId>,
    /// `operator` or `viewer`.
    access: Option<String>,
}

pub(crate) const SORT_KEYS: &[(&str, AssignmentSort)] = &[("created_at", AssignmentSort::CreatedAt)];

/// The assignments of an organization.
#[utoipa::path(get, path = "/api/v1/organizations/{organization_id}/assignments", tag = "organizations",
    operation_id = "listAssignments",
    params(("organization_id" = uuid::Uuid, Path), PageParameters, AssignmentParameters),
    responses((status = 200, description = "One page of assignments", body = Envelope<Vec<AssignmentView>>)))]
pub(crate) async fn list(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<List<AssignmentView>, ApiError> {
    let org = caller.id("organization_id", "organization")?;
    let mut query = caller.query();
    let filter = AssignmentFilter {
        user: query.id("user_id"),
        site: query.id("site_id"),
        module: query.id("module_id"),
        access: query.chosen("access", "must be one of: operator, viewer", Access::from_name),
    };
    let listing = query.unsearched_listing(filter, SORT_KEYS);
    query.finish()?;
    Ok(List(platform.assignments().list(&caller, org, &listing).await?.map(AssignmentView::from)))
}

/// Assigns a member to a site or a module.
#[utoipa::path(post, path = "/api/v1/organizations/{organization_id}/assignments", tag = "organizations",
    operation_id = "createAssignment", params(("organization_id" = uuid::Uuid, Path)),
    request_body = CreateAssignmentBody,
    responses((status = 201, description = "The new assignment", body = Envelope<AssignmentView>)))]
pub(crate) async fn create(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Created<AssignmentView>, ApiError> {
    let org = caller.id("organization_id", "organization")?;
    caller.no_query()?;
    let body = caller.body().await?.json::<CreateAssignmentBody>();
    Ok(Created(platform.assignments().create(&caller, org, body).await?.into()))
}

/// An assignment.
#[utoipa::path(get, path = "/api/v1/organizations/{organization_id}/assignments/{assignment_id}",
    tag = "organizations", operation_id = "getAssignment",
    params(("organization_id" = uuid::Uuid, Path), ("assignment_id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The assignment", body = Envelope<AssignmentView>)))]
pub(crate) async fn get(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<AssignmentView>, ApiError> {
    let org = caller.id("organization_id", "organization")?;
    let id = caller.id("assignment_id", "assignment")?;
    caller.no_query()?;
    Ok(One(platform.assignments().find(&caller, org, id).await?.into()))
}

/// Changes what an assignment allows.
#[utoipa::path(put, path = "/api/v1/organizations/{organization_id}/assignments/{assignment_id}",
    tag = "organizations", operation_id = "updateAssignment",
    params(("organization_id" = uuid::Uuid, Path), ("assignment_id" = uuid::Uuid, Path), IfMatch),
    request_body = UpdateAssignmentBody,
    responses((status = 200, description = "The changed assignment", body = Envelope<AssignmentView>)))]
pub(crate) async fn update(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<AssignmentView>, ApiError> {
    let org = caller.id("organization_id", "organization")?;
    let id = caller.id("assignment_id", "assignment")?;
    caller.no_query()?;
    let body = caller.body().await?.json::<UpdateAssignmentBody>();
    Ok(One(platform.assignments().update(&caller, org, id, body, caller.if_match()).await?.into()))
}

/// Changes what an assignment allows (RFC 7396); does the same as `PUT`.
#[utoipa::path(patch, path = "/api/v1/organizations/{organization_id}/assignments/{assignment_id}",
    tag = "organizations", operation_id = "patchAssignment",
    params(("organization_id" = uuid::Uuid, Path), ("assignment_id" = uuid::Uuid, Path), IfMatch),
    request_body(content = UpdateAssignmentBody, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The changed assignment", body = Envelope<AssignmentView>)))]
pub(crate) async fn patch(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<AssignmentView>, ApiError> {
    update(platform, caller).await
}

/// Ends an assignment.
#[utoipa::path(delete, path = "/api/v1/organizations/{organization_id}/assignments/{assignment_id}",
    tag = "organizations", operation_id = "archiveAssignment",
    params(("organization_id" = uuid::Uuid, Path), ("assignment_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The ended assignment", body = Envelope<AssignmentView>)))]
pub(crate) async fn archive(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<AssignmentView>, ApiError> {
    let org = caller.id("organization_id", "organization")?;
    let id = caller.id("assignment_id", "assignment")?;
    caller.no_query()?;
    Ok(One(platform.assignments().archive(&caller, org, id, caller.if_match()).await?.into()))
}
