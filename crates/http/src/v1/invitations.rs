//! Invitations: bodies, views, handlers.

use actix_web::web;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sitewatch_domain::{
    FieldErrors, Platform,
    ids::{InvitationId, ModuleId, OrgId, SiteId, UserId},
    invitations::{Acceptance, Accepted, Invitation, InvitationSort, InvitedTo, NewInvitation, NewInvitedTo},
    limits::RequestClass,
    stamp::Revision,
    text::Secret,
    time::Instant,
};
use utoipa::ToSchema;

use super::{
    users::UserView,
    views::{IfMatch, PageParameters, StampView},
};
use crate::{
    body::{Body, Field, FieldType},
    caller::{Caller, Visitor},
    envelope::{Addressed, Created, Envelope, List, One, Plain},
    error::{ApiError, ErrorBody},
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/api/v1/organizations/{organization_id}/invitations").get(list).post(create),
        Address::at("/api/v1/organizations/{organization_id}/invitations/{invitation_id}")
            .get(get)
            .delete(revoke),
        Address::at("/api/v1/organizations/{organization_id}/invitations/{invitation_id}/resend")
            .post(resend),
        Address::at("/api/v1/auth/invitations/accept").post(accept).limited_as(RequestClass::Auth),
    ]
}

/// Who is invited.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"email": "grace@example.org", "role": "member"}))]
pub(crate) struct CreateInvitationBody {
    /// The address; an account of it is made when the invitation is accepted, if there is none.
    #[schema(value_type = String, required = true, format = "email", max_length = 254, example = "ada@example.org")]
    email: Field<String>,
    /// `admin` or `member`.
    #[schema(value_type = String, required = true, example = "member")]
    role: Field<String>,
    /// What is assigned to him when he accepts.
    #[schema(value_type = Vec<InvitedToBody>, max_items = 100)]
    assignments: Field<Vec<NewInvitedTo>>,
}

/// A site or a module to be assigned.
#[derive(ToSchema)]
#[schema(as = InvitedToBody)]
#[expect(dead_code, reason = "documents what the list of assignments holds")]
pub(crate) struct InvitedToBody {
    /// A site of the organization; either this or `module_id`.
    site_id: Option<uuid::Uuid>,
    /// A module of the organization.
    module_id: Option<uuid::Uuid>,
    /// `operator` or `viewer`.
    #[schema(example = "viewer")]
    access: String,
}

impl FieldType for Vec<NewInvitedTo> {
    const EXPECTED: &'static str =
        "must be a list of objects of site_id or module_id, which are uuids, and access, a string";

    fn from_json(value: Value) -> Option<Self> {
        let Value::Array(items) = value else { return None };
        items.into_iter().map(invited_to).collect()
    }

    fn placeholder() -> Self {
        Self::new()
    }
}

fn invited_to(item: Value) -> Option<NewInvitedTo> {
    let Value::Object(fields) = item else { return None };
    let mut to = NewInvitedTo::default();
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("site_id" | "module_id", Value::Null) => {}
            ("site_id", value) => to.site_id = Some(FieldType::from_json(value)?),
            ("module_id", value) => to.module_id = Some(FieldType::from_json(value)?),
            ("access", Value::String(access)) => to.access = access,
            _ => return None,
        }
    }
    Some(to)
}

impl Body for CreateInvitationBody {
    type Input = NewInvitation;

    fn into_input(self, faults: &mut FieldErrors) -> NewInvitation {
        NewInvitation {
            email: self.email.required("email", faults),
            role: self.role.required("role", faults),
            assignments: self.assignments.optional("assignments", faults).unwrap_or_default(),
        }
    }
}

/// What an invitation is accepted with.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"token": "what stands behind #token= in the link", "full_name": "Grace Hopper", "password": "velvet orbit cactus"}))]
pub(crate) struct AcceptInvitationBody {
    /// The token of the mail.
    #[schema(value_type = String, required = true)]
    token: Field<Secret<String>>,
    /// The name to show; for whoever has no account yet.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    full_name: Field<String>,
    /// The password; for whoever has no account yet, and for nobody else.
    #[schema(value_type = Option<String>, format = Password, min_length = 12, max_length = 1024)]
    password: Field<Secret<String>>,
}

impl Body for AcceptInvitationBody {
    type Input = Acceptance;

    fn into_input(self, faults: &mut FieldErrors) -> Acceptance {
        Acceptance {
            token: self.token.required("token", faults),
            full_name: self.full_name.optional("full_name", faults),
            password: self.password.optional("password", faults),
        }
    }
}

/// A site or a module that is assigned with an invitation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InvitedTo)]
pub(crate) struct InvitedToView {
    /// The site.
    #[schema(value_type = Option<uuid::Uuid>)]
    site_id: Option<SiteId>,
    /// The module.
    #[schema(value_type = Option<uuid::Uuid>)]
    module_id: Option<ModuleId>,
    /// `operator` or `viewer`.
    #[schema(example = "viewer")]
    access: &'static str,
}

impl From<InvitedTo> for InvitedToView {
    fn from(to: InvitedTo) -> Self {
        Self { site_id: to.site_id, module_id: to.module_id, access: to.access.name() }
    }
}

/// An invitation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Invitation)]
pub(crate) struct InvitationView {
    /// The invitation's id.
    #[schema(value_type = uuid::Uuid)]
    id: InvitationId,
    /// The organization.
    #[schema(value_type = uuid::Uuid)]
    organization_id: OrgId,
    /// The address; for admins alone, else null.
    email: Option<String>,
    /// `admin` or `member`.
    #[schema(example = "member")]
    role: &'static str,
    /// What is assigned along with it.
    assignments: Vec<InvitedToView>,
    /// `open`, `accepted`, `expired` or `revoked`.
    #[schema(example = "open")]
    state: &'static str,
    /// From then on it is good for nothing.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Instant,
    /// When it was accepted.
    #[schema(value_type = Option<String>, format = DateTime)]
    accepted_at: Option<Instant>,
    /// By which user.
    #[schema(value_type = Option<uuid::Uuid>)]
    accepted_by: Option<UserId>,
    #[serde(flatten)]
    stamp: StampView,
    #[serde(skip)]
    revision: Revision,
}

impl InvitationView {
    fn of(invitation: Invitation, now: Instant, with_address: bool) -> Self {
        Self {
            id: invitation.id,
            organization_id: invitation.organization_id,
            state: invitation.state(now).name(),
            email: with_address.then(|| invitation.email.to_string()),
            role: invitation.role.name(),
            assignments: invitation.assignments.into_iter().map(Into::into).collect(),
            expires_at: invitation.expires_at,
            accepted_at: invitation.accepted_at,
            accepted_by: invitation.accepted_by,
            stamp: StampView::from(&invitation.stamp),
            revision: invitation.stamp.revision,
        }
    }
}

impl Addressed for InvitationView {
    fn path(&self) -> String {
        format!("/api/v1/organizations/{}/invitations/{}", self.organization_id, self.id)
    }

    fn revision(&self) -> Option<Revision> {
        Some(self.revision)
    }
}

/// What came of an acceptance.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Accepted)]
pub(crate) struct AcceptedView {
    /// The organization that he belongs to now.
    #[schema(value_type = uuid::Uuid)]
    organization_id: OrgId,
    /// The user.
    user: UserView,
    /// Whether the account was made for it.
    is_new: bool,
}

impl From<Accepted> for AcceptedView {
    fn from(accepted: Accepted) -> Self {
        Self {
            organization_id: accepted.organization_id,
            user: accepted.user.into(),
            is_new: accepted.is_new,
        }
    }
}

pub(crate) const SORT_KEYS: &[(&str, InvitationSort)] =
    &[("created_at", InvitationSort::CreatedAt), ("expires_at", InvitationSort::ExpiresAt)];

/// The invitations of an organization that were not taken back. Addresses are shown to its admins alone.
#[utoipa::path(get, path = "/api/v1/organizations/{organization_id}/invitations", tag = "organizations",
    operation_id = "listInvitations", params(("organization_id" = uuid::Uuid, Path), PageParameters),
    responses((status = 200, description = "One page of invitations", body = Envelope<Vec<InvitationView>>)))]
pub(crate) async fn list(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<List<InvitationView>, ApiError> {
    let org = caller.id("organization_id", "organization")?;
    let mut query = caller.query();
    let listing = query.unsearched_listing((), SORT_KEYS);
    query.finish()?;
    let (page, with_address) = platform.invitations().list(&caller, org, &listing).await?;
    let now = platform.now();
    Ok(List(page.map(|invitation| InvitationView::of(invitation, now, with_address))))
}

/// Invites an address: it gets a mail with a link that is good once, for 72 hours.
#[utoipa::path(post, path = "/api/v1/organizations/{organization_id}/invitations", tag = "organizations",
    operation_id = "createInvitation", params(("organization_id" = uuid::Uuid, Path)),
    request_body = CreateInvitationBody,
    responses((status = 201, description = "The invitation", body = Envelope<InvitationView>)))]
pub(crate) async fn create(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Created<InvitationView>, ApiError> {
    let org = caller.id("organization_id", "organization")?;
    caller.no_query()?;
    let body = caller.body().await?.json::<CreateInvitationBody>();
    let invitation = platform.invitations().create(&caller, org, body).await?;
    Ok(Created(InvitationView::of(invitation, platform.now(), true)))
}

/// An invitation.
#[utoipa::path(get, path = "/api/v1/organizations/{organization_id}/invitations/{invitation_id}",
    tag = "organizations", operation_id = "getInvitation",
    params(("organization_id" = uuid::Uuid, Path), ("invitation_id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The invitation", body = Envelope<InvitationView>)))]
pub(crate) async fn get(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<InvitationView>, ApiError> {
    let org = caller.id("organization_id", "organization")?;
    let id = caller.id("invitation_id", "invitation")?;
    caller.no_query()?;
    let (invitation, with_address) = platform.invitations().find(&caller, org, id).await?;
    Ok(One(InvitationView::of(invitation, platform.now(), with_address)))
}

/// Takes an invitation back: its link is dead.
#[utoipa::path(delete, path = "/api/v1/organizations/{organization_id}/invitations/{invitation_id}",
    tag = "organizations", operation_id = "revokeInvitation",
    params(("organization_id" = uuid::Uuid, Path), ("invitation_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The invitation that was taken back", body = Envelope<InvitationView>),
        (status = 410, description = "It was accepted", body = ErrorBody)))]
pub(crate) async fn revoke(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<InvitationView>, ApiError> {
    let org = caller.id("organization_id", "organization")?;
    let id = caller.id("invitation_id", "invitation")?;
    caller.no_query()?;
    let invitation = platform.invitations().revoke(&caller, org, id, caller.if_match()).await?;
    Ok(One(InvitationView::of(invitation, platform.now(), true)))
}

/// Sends an invitation once more, with a new link for another 72 hours; the old one is dead.
#[utoipa::path(post, path = "/api/v1/organizations/{organization_id}/invitations/{invitation_id}/resend",
    tag = "organizations", operation_id = "resendInvitation",
    params(("organization_id" = uuid::Uuid, Path), ("invitation_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The invitation", body = Envelope<InvitationView>),
        (status = 410, description = "It was accepted", body = ErrorBody)))]
pub(crate) async fn resend(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<InvitationView>, ApiError> {
    let org = caller.id("organization_id", "organization")?;
    let id = caller.id("invitation_id", "invitation")?;
    caller.no_query()?;
    let invitation = platform.invitations().resend(&caller, org, id, caller.if_match()).await?;
    Ok(One(InvitationView::of(invitation, platform.now(), true)))
}

/// Accepts an invitation with the token of its mail. Whoever has no account yet gives a name and a password.
#[utoipa::path(post, path = "/api/v1/auth/invitations/accept", tag = "auth", operation_id = "acceptInvitation",
    request_body = AcceptInvitationBody,
    responses((status = 200, description = "Who belongs to what now", body = Envelope<AcceptedView>),
        (status = 410, description = "No open invitation has this token", body = ErrorBody)))]
pub(crate) async fn accept(
    platform: web::Data<Platform>,
    visitor: Visitor,
) -> Result<Plain<AcceptedView>, ApiError> {
    visitor.no_query()?;
    let body = visitor.credentials().await?.json::<AcceptInvitationBody>();
    Ok(Plain(platform.invitations().accept(visitor.context(), body).await?.into()))
}
