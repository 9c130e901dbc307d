//! Members of organizations: bodies, views, handlers.

use actix_web::web;
use serde::{Deserialize, Serialize};
use sitewatch_domain::{
    FieldErrors, Platform,
    ids::{OrgId, UserId},
    memberships::{Member, MemberFilter, MemberRole, MemberSort, MembershipChanges, NewMembership},
    stamp::Revision,
};
use utoipa::ToSchema;

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
        Address::at("/api/v1/organizations/{organization_id}/users").get(list).post(create),
        Address::at("/api/v1/organizations/{organization_id}/users/{user_id}")
            .put(update)
            .patch(patch)
            .delete(archive),
    ]
}

/// A member as he is added.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"user_id": "01890000-0000-7000-8000-000000000000", "role": "member"}))]
pub(crate) struct CreateMemberBody {
    /// A user whom you can see.
    #[schema(value_type = uuid::Uuid, required = true)]
    user_id: Field<UserId>,
    /// `admin` or `member`.
    #[schema(value_type = String, required = true, example = "member")]
    role: Field<String>,
}

impl Body for CreateMemberBody {
    type Input = NewMembership;

    fn into_input(self, faults: &mut FieldErrors) -> NewMembership {
        NewMembership {
            user_id: self.user_id.required("user_id", faults),
            role: self.role.required("role", faults),
        }
    }
}

/// Changes of a membership.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"role": "admin"}))]
pub(crate) struct UpdateMemberBody {
    /// `admin` or `member`.
    #[schema(value_type = String, example = "admin")]
    role: Field<String>,
}

impl Body for UpdateMemberBody {
    type Input = MembershipChanges;

    const READ_ONLY: &'static [&'static str] = &["user", "user_id"];

    fn into_input(self, faults: &mut FieldErrors) -> MembershipChanges {
        MembershipChanges { role: self.role.change("role", faults) }
    }
}

/// A member of an organization.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub(crate) struct MemberView {
    /// The user.
    user: MemberUserView,
    /// `admin` or `member`.
    #[schema(example = "member")]
    role: &'static str,
    #[serde(flatten)]
    stamp: StampView,
    #[serde(skip)]
    organization_id: OrgId,
    #[serde(skip)]
    revision: Revision,
}

/// The user behind a membership.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MemberUser)]
pub(crate) struct MemberUserView {
    /// The user's id.
    #[schema(value_type = uuid::Uuid)]
    id: UserId,
    /// His address; null unless you administer the organization.
    email: Option<String>,
    /// His name.
    full_name: String,
}

impl From<Member> for MemberView {
    fn from(member: Member) -> Self {
        Self {
            user: MemberUserView {
                id: member.user_id,
                email: member.email.map(|email| email.to_string()),
                full_name: member.full_name,
            },
            role: member.membership.role.name(),
            stamp: StampView::from(&member.membership.stamp),
            organization_id: member.membership.organization_id,
            revision: member.membership.stamp.revision,
        }
    }
}

impl Addressed for MemberView {
    fn path(&self) -> String {
        format!("/api/v1/organizations/{}/users/{}", self.organization_id, self.user.id)
    }

    fn revision(&self) -> Option<Revision> {
        Some(self.revision)
    }
}

pub(crate) const SORT_KEYS: &[(&str, MemberSort)] =
    &[("created_at", MemberSort::CreatedAt), ("full_name", MemberSort::FullName), ("role", MemberSort::Role)];

/// The members of an organization. Their addresses are for its admins.
#[utoipa::path(get, path = "/api/v1/organizations/{organization_id}/users", tag = "organizations",
    operation_id = "listMembers",
    params(("organization_id" = uuid::Uuid, Path), PageParameters,
        ("q" = Option<String>, Query, description = "A text to search for", min_length = 1, max_length = 100),
        ("role" = Option<String>, Query, description = "Those with this role: `admin` or `member`")),
    responses((status = 200, description = "One page of members", body = Envelope<Vec<MemberView>>)))]
pub(crate) async fn list(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<List<MemberView>, ApiError> {
    let org = caller.id("organization_id", "organization")?;
    let mut query = caller.query();
    let role = query.chosen("role", "must be one of: admin, member", MemberRole::from_name);
    let listing = query.active_listing(MemberFilter { role }, SORT_KEYS);
    query.finish()?;
    Ok(List(platform.memberships().list(&caller, org, &listing).await?.map(MemberView::from)))
}

/// Adds a member.
#[utoipa::path(post, path = "/api/v1/organizations/{organization_id}/users", tag = "organizations",
    operation_id = "createMember", params(("organization_id" = uuid::Uuid, Path)), request_body = CreateMemberBody,
    responses((status = 201, description = "The new member", body = Envelope<MemberView>)))]
pub(crate) async fn create(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Created<MemberView>, ApiError> {
    let org = caller.id("organization_id", "organization")?;
    caller.no_query()?;
    let body = caller.body().await?.json::<CreateMemberBody>();
    Ok(Created(platform.memberships().create(&caller, org, body).await?.into()))
}

/// Changes a member's role.
#[utoipa::path(put, path = "/api/v1/organizations/{organization_id}/users/{user_id}", tag = "organizations",
    operation_id = "updateMember",
    params(("organization_id" = uuid::Uuid, Path), ("user_id" = uuid::Uuid, Path), IfMatch),
    request_body = UpdateMemberBody,
    responses((status = 200, description = "The changed member", body = Envelope<MemberView>)))]
pub(crate) async fn update(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<MemberView>, ApiError> {
    let org = caller.id("organization_id", "organization")?;
    let user = caller.id("user_id", "member")?;
    caller.no_query()?;
    let body = caller.body().await?.json::<UpdateMemberBody>();
    Ok(One(platform.memberships().update(&caller, org, user, body, caller.if_match()).await?.into()))
}

/// Changes a member's role (RFC 7396); does the same as `PUT`.
#[utoipa::path(patch, path = "/api/v1/organizations/{organization_id}/users/{user_id}", tag = "organizations",
    operation_id = "patchMember",
    params(("organization_id" = uuid::Uuid, Path), ("user_id" = uuid::Uuid, Path), IfMatch),
    request_body(content = UpdateMemberBody, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The changed member", body = Envelope<MemberView>)))]
pub(crate) async fn patch(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<MemberView>, ApiError> {
    update(platform, caller).await
}

/// Ends a membership; everybody may leave.
#[utoipa::path(delete, path = "/api/v1/organizations/{organization_id}/users/{user_id}", tag = "organizations",
    operation_id = "archiveMember",
    params(("organization_id" = uuid::Uuid, Path), ("user_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The former member", body = Envelope<MemberView>)))]
pub(crate) async fn archive(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<MemberView>, ApiError> {
    let org = caller.id("organization_id", "organization")?;
    let user = caller.id("user_id", "member")?;
    caller.no_query()?;
    Ok(One(platform.memberships().archive(&caller, org, user, caller.if_match()).await?.into()))
}
