//! Users: bodies, views, handlers.

use actix_web::web;
use serde::{Deserialize, Serialize};
use sitewatch_domain::{
    FieldErrors, Platform,
    access::Actor,
    ids::{OrgId, UserId},
    memberships::UserOrganization,
    stamp::Revision,
    text::Secret,
    time::Instant,
    users::{NewUser, User, UserChanges, UserFilter, UserSort},
};
use utoipa::{IntoParams, ToSchema};

use super::{
    assignments::AssignmentView,
    bounds::CreatedAt,
    organizations::OrganizationView,
    views::{IfMatch, InactiveParameter, ListParameters, StampView},
};
use crate::{
    body::{Body, Field},
    caller::Caller,
    envelope::{Addressed, All, Created, Envelope, List, One},
    error::ApiError,
    query::Query,
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/api/v1/users").get(list).post(create),
        Address::at("/api/v1/users/{user_id}").get(get).put(update).patch(patch).delete(archive),
        Address::at("/api/v1/users/{user_id}/restore").post(restore),
        Address::at("/api/v1/users/{user_id}/organizations").get(organizations),
        Address::at("/api/v1/users/{user_id}/assignments").get(assignments),
    ]
}

/// A user as he is made.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"email": "ada@example.org", "full_name": "Ada Lovelace", "password": "plum tandem gravel"}))]
pub(crate) struct CreateUserBody {
    /// The e-mail address, unique without case.
    #[schema(value_type = String, required = true, format = "email", max_length = 254)]
    email: Field<String>,
    /// The name to show.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 200)]
    full_name: Field<String>,
    /// The password: long enough (12 characters unless the installation asks for more) and not easy to guess; a user without one
    /// cannot sign in yet.
    #[schema(value_type = Option<String>, format = Password, max_length = 1024)]
    password: Field<Secret<String>>,
    /// A language tag; `en` if not given.
    #[schema(value_type = Option<String>, example = "en")]
    locale: Field<String>,
    /// The IANA time zone; `UTC` if not given.
    #[schema(value_type = Option<String>, example = "Europe/Paris")]
    timezone: Field<String>,
    /// Whether the user may do everything.
    #[schema(value_type = Option<bool>)]
    is_superuser: Field<bool>,
}

impl Body for CreateUserBody {
    type Input = NewUser;

    fn into_input(self, faults: &mut FieldErrors) -> NewUser {
        NewUser {
            email: self.email.required("email", faults),
            full_name: self.full_name.required("full_name", faults),
            password: self.password.optional("password", faults),
            locale: self.locale.optional("locale", faults),
            timezone: self.timezone.optional("timezone", faults),
            is_superuser: self.is_superuser.optional("is_superuser", faults).unwrap_or(false),
        }
    }
}

/// Changes of a user. Absent fields stay.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"full_name": "Ada King"}))]
pub(crate) struct UpdateUserBody {
    /// The e-mail address; superusers only.
    #[schema(value_type = String, format = "email", max_length = 254)]
    email: Field<String>,
    /// The name to show.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    full_name: Field<String>,
    /// A language tag.
    #[schema(value_type = String)]
    locale: Field<String>,
    /// The IANA time zone.
    #[schema(value_type = String)]
    timezone: Field<String>,
    /// Whether the user may do everything; superusers only.
    #[schema(value_type = bool)]
    is_superuser: Field<bool>,
}

impl Body for UpdateUserBody {
    type Input = UserChanges;

    const READ_ONLY: &'static [&'static str] = &["last_login_at", "memberships", "assignments"];

    fn into_input(self, faults: &mut FieldErrors) -> UserChanges {
        UserChanges {
            email: self.email.change("email", faults),
            full_name: self.full_name.change("full_name", faults),
            locale: self.locale.change("locale", faults),
            timezone: self.timezone.change("timezone", faults),
            is_superuser: self.is_superuser.change("is_superuser", faults),
        }
    }
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserView {
    /// The user's id.
    #[schema(value_type = uuid::Uuid)]
    id: UserId,
    /// The e-mail address.
    email: String,
    /// The name to show.
    full_name: String,
    /// Whether the user may do everything.
    is_superuser: bool,
    /// The language.
    locale: String,
    /// The IANA time zone.
    timezone: String,
    /// The last sign-in.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_login_at: Option<Instant>,
    #[serde(flatten)]
    stamp: StampView,
    #[serde(skip)]
    revision: Revision,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email.to_string(),
            full_name: user.full_name,
            is_superuser: user.is_superuser,
            locale: user.locale,
            timezone: user.timezone,
            last_login_at: user.last_login_at,
            stamp: StampView::from(&user.stamp),
            revision: user.stamp.revision,
        }
    }
}

impl Addressed for UserView {
    fn path(&self) -> String {
        format!("/api/v1/users/{}", self.id)
    }

    fn revision(&self) -> Option<Revision> {
        Some(self.revision)
    }
}

/// An organization of a user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserOrganization)]
pub(crate) struct UserOrganizationView {
    #[serde(flatten)]
    organization: OrganizationView,
    /// The user's role in it.
    #[schema(example = "admin")]
    role: &'static str,
}

impl From<UserOrganization> for UserOrganizationView {
    fn from(found: UserOrganization) -> Self {
        Self { role: found.role.name(), organization: found.organization.into() }
    }
}

/// A membership of the signed-in user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Membership)]
pub(crate) struct MembershipView {
    /// The organization.
    organization: OrganizationNameView,
    /// The user's role in it: `admin` or `member`.
    #[schema(example = "admin")]
    role: &'static str,
}

/// How an organization is called.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrganizationName)]
pub(crate) struct OrganizationNameView {
    /// The organization's id.
    #[schema(value_type = uuid::Uuid)]
    id: OrgId,
    /// The name.
    name: String,
    /// A short name for addresses.
    slug: String,
}

impl From<UserOrganization> for MembershipView {
    fn from(UserOrganization { organization, role }: UserOrganization) -> Self {
        let organization =
            OrganizationNameView { id: organization.id, name: organization.name, slug: organization.slug };
        Self { organization, role: role.name() }
    }
}

/// The signed-in user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Me)]
pub(crate) struct MeView {
    #[serde(flatten)]
    user: UserView,
    /// The organizations of the user, with the role in each.
    memberships: Vec<MembershipView>,
    /// What is assigned to the user.
    assignments: Vec<AssignmentView>,
}

impl Addressed for MeView {
    fn path(&self) -> String {
        "/api/v1/auth/me".to_owned()
    }

    fn revision(&self) -> Option<Revision> {
        Some(self.user.revision)
    }
}

/// The signed-in user with memberships and assignments.
pub(crate) async fn me_view(platform: &Platform, actor: &Actor, user: User) -> Result<MeView, ApiError> {
    let memberships = platform.users().organizations(actor, user.id).await?;
    let assignments = platform.users().assignments(actor, user.id).await?;
    Ok(MeView {
        user: user.into(),
        memberships: memberships.into_iter().map(Into::into).collect(),
        assignments: assignments.into_iter().map(Into::into).collect(),
    })
}

/// Filters of users.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters that `filter_of` reads")]
pub(crate) struct UserParameters {
    /// Exactly this address, without case.
    email: Option<String>,
    /// Members of this organization.
    #[param(value_type = Option<uuid::Uuid>)]
    organization_id: Option<OrgId>,
    /// Superusers, or everybody else.
    is_superuser: Option<bool>,
}

pub(crate) const SORT_KEYS: &[(&str, UserSort)] = &[
    ("created_at", UserSort::CreatedAt),
    ("updated_at", UserSort::UpdatedAt),
    ("full_name", UserSort::FullName),
    ("email", UserSort::Email),
    ("last_login_at", UserSort::LastLoginAt),
];

fn filter_of(query: &mut Query) -> UserFilter {
    UserFilter {
        email: query.text("email"),
        organization: query.id("organization_id"),
        is_superuser: query.switch("is_superuser"),
        created_at: query.between(CreatedAt::NAMES),
    }
}

/// The users of organizations that you administer; all users for a superuser.
#[utoipa::path(get, path = "/api/v1/users", tag = "users", operation_id = "listUsers",
    params(ListParameters, CreatedAt, UserParameters),
    responses((status = 200, description = "One page of users", body = Envelope<Vec<UserView>>)))]
pub(crate) async fn list(platform: web::Data<Platform>, caller: Caller) -> Result<List<UserView>, ApiError> {
    let mut query = caller.query();
    let filter = filter_of(&mut query);
    let listing = query.listing(filter, SORT_KEYS);
    query.finish()?;
    Ok(List(platform.users().list(&caller, &listing).await?.map(UserView::from)))
}

/// Makes a user.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", operation_id = "createUser", request_body = CreateUserBody,
    responses((status = 201, description = "The new user", body = Envelope<UserView>)))]
pub(crate) async fn create(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Created<UserView>, ApiError> {
    caller.no_query()?;
    let body = caller.body().await?.json::<CreateUserBody>();
    Ok(Created(platform.users().create(&caller, body).await?.into()))
}

/// A user.
#[utoipa::path(get, path = "/api/v1/users/{user_id}", tag = "users", operation_id = "getUser",
    params(("user_id" = uuid::Uuid, Path), InactiveParameter),
    responses((status = 200, description = "The user", body = Envelope<UserView>)))]
pub(crate) async fn get(platform: web::Data<Platform>, caller: Caller) -> Result<One<UserView>, ApiError> {
    let id = caller.id("user_id", "user")?;
    let inactive = caller.inactive()?;
    Ok(One(platform.users().find(&caller, id, inactive).await?.into()))
}

/// Changes a user; fields that are not given stay.
#[utoipa::path(put, path = "/api/v1/users/{user_id}", tag = "users", operation_id = "updateUser",
    params(("user_id" = uuid::Uuid, Path), IfMatch), request_body = UpdateUserBody,
    responses((status = 200, description = "The changed user", body = Envelope<UserView>)))]
pub(crate) async fn update(platform: web::Data<Platform>, caller: Caller) -> Result<One<UserView>, ApiError> {
    let id = caller.id("user_id", "user")?;
    caller.no_query()?;
    let body = caller.body().await?.json::<UpdateUserBody>();
    Ok(One(platform.users().update(&caller, id, body, caller.if_match()).await?.into()))
}

/// Changes a user (RFC 7396); does the same as `PUT`.
#[utoipa::path(patch, path = "/api/v1/users/{user_id}", tag = "users", operation_id = "patchUser",
    params(("user_id" = uuid::Uuid, Path), IfMatch),
    request_body(content = UpdateUserBody, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The changed user", body = Envelope<UserView>)))]
pub(crate) async fn patch(platform: web::Data<Platform>, caller: Caller) -> Result<One<UserView>, ApiError> {
    update(platform, caller).await
}

/// Archives a user, which ends his sessions at once.
#[utoipa::path(delete, path = "/api/v1/users/{user_id}", tag = "users", operation_id = "archiveUser",
    params(("user_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The archived user", body = Envelope<UserView>)))]
pub(crate) async fn archive(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<UserView>, ApiError> {
    let id = caller.id("user_id", "user")?;
    caller.no_query()?;
    Ok(One(platform.users().archive(&caller, id, caller.if_match()).await?.into()))
}

/// Brings an archived user back.
#[utoipa::path(post, path = "/api/v1/users/{user_id}/restore", tag = "users", operation_id = "restoreUser",
    params(("user_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The restored user", body = Envelope<UserView>)))]
pub(crate) async fn restore(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<UserView>, ApiError> {
    let id = caller.id("user_id", "user")?;
    caller.no_query()?;
    Ok(One(platform.users().restore(&caller, id, caller.if_match()).await?.into()))
}

/// The organizations of a user, as far as you may know of them.
#[utoipa::path(get, path = "/api/v1/users/{user_id}/organizations", tag = "users", operation_id = "listUserOrganizations",
    params(("user_id" = uuid::Uuid, Path)),
    responses((status = 200, description = "All of them", body = Envelope<Vec<UserOrganizationView>>)))]
pub(crate) async fn organizations(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<All<UserOrganizationView>, ApiError> {
    let id = caller.id("user_id", "user")?;
    caller.no_query()?;
    let found = platform.users().organizations(&caller, id).await?;
    Ok(All(found.into_iter().map(Into::into).collect()))
}

/// The assignments of a user, as far as you may know of them.
#[utoipa::path(get, path = "/api/v1/users/{user_id}/assignments", tag = "users", operation_id = "listUserAssignments",
    params(("user_id" = uuid::Uuid, Path)),
    responses((status = 200, description = "All of them", body = Envelope<Vec<AssignmentView>>)))]
pub(crate) async fn assignments(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<All<AssignmentView>, ApiError> {
    let id = caller.id("user_id", "user")?;
    caller.no_query()?;
    let found = platform.users().assignments(&caller, id).await?;
    Ok(All(found.into_iter().map(Into::into).collect()))
}
