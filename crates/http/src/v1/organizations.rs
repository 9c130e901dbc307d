//! Organizations: bodies, views, handlers.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use sitewatch_domain::{
    FieldErrors, Platform,
    cache::CacheClass,
    ids::OrgId,
    organizations::{
        NewOrganization, Organization, OrganizationChanges, OrganizationFilter, OrganizationSort,
    },
    stamp::Revision,
};
use utoipa::{IntoParams, ToSchema};

use super::{
    bounds::CreatedAt,
    views::{IfMatch, InactiveParameter, ListParameters, StampView},
};
use crate::{
    body::{Body, Field},
    caller::Caller,
    envelope::{Addressed, Created, Envelope, List, One},
    error::ApiError,
    query::Query,
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/api/v1/organizations").get(list).post(create),
        Address::at("/api/v1/organizations/{organization_id}")
            .get(get)
            .put(update)
            .patch(patch)
            .delete(archive),
        Address::at("/api/v1/organizations/{organization_id}/restore").post(restore),
    ]
}

/// An organization as it is made.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"name": "Meuse Wind", "timezone": "Europe/Paris"}))]
pub(crate) struct CreateOrganizationBody {
    /// The name, unique among active organizations.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 200)]
    name: Field<String>,
    /// A short name for addresses; made from the name if not given.
    #[schema(value_type = Option<String>, max_length = 64, pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
    slug: Field<String>,
    /// The IANA time zone of its sites unless they say otherwise; `UTC` if not given.
    #[schema(value_type = Option<String>)]
    timezone: Field<String>,
}

impl Body for CreateOrganizationBody {
    type Input = NewOrganization;

    fn into_input(self, faults: &mut FieldErrors) -> NewOrganization {
        NewOrganization {
            name: self.name.required("name", faults),
            slug: self.slug.optional("slug", faults),
            timezone: self.timezone.optional("timezone", faults),
        }
    }
}

/// Changes of an organization. Absent fields stay.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"timezone": "Europe/Berlin"}))]
pub(crate) struct UpdateOrganizationBody {
    /// The name.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: Field<String>,
    /// A short name for addresses.
    #[schema(value_type = String, max_length = 64, pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
    slug: Field<String>,
    /// The IANA time zone.
    #[schema(value_type = String)]
    timezone: Field<String>,
}

impl Body for UpdateOrganizationBody {
    type Input = OrganizationChanges;

    fn into_input(self, faults: &mut FieldErrors) -> OrganizationChanges {
        OrganizationChanges {
            name: self.name.change("name", faults),
            slug: self.slug.change("slug", faults),
            timezone: self.timezone.change("timezone", faults),
        }
    }
}

/// An organization.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Organization)]
pub(crate) struct OrganizationView {
    /// The organization's id.
    #[schema(value_type = uuid::Uuid)]
    id: OrgId,
    /// The name.
    name: String,
    /// A short name for addresses.
    slug: String,
    /// The IANA time zone.
    timezone: String,
    #[serde(flatten)]
    stamp: StampView,
    #[serde(skip)]
    revision: Revision,
}

impl From<Organization> for OrganizationView {
    fn from(organization: Organization) -> Self {
        Self {
            id: organization.id,
            name: organization.name,
            slug: organization.slug,
            timezone: organization.timezone,
            stamp: StampView::from(&organization.stamp),
            revision: organization.stamp.revision,
        }
    }
}

impl Addressed for OrganizationView {
    fn path(&self) -> String {
        format!("/api/v1/organizations/{}", self.id)
    }

    fn revision(&self) -> Option<Revision> {
        Some(self.revision)
    }
}

/// Filters of organizations.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters that `filter_of` reads")]
pub(crate) struct OrganizationParameters {
    /// Exactly this name.
    name: Option<String>,
    /// Exactly this slug.
    slug: Option<String>,
}

pub(crate) const SORT_KEYS: &[(&str, OrganizationSort)] = &[
    ("created_at", OrganizationSort::CreatedAt),
    ("updated_at", OrganizationSort::UpdatedAt),
    ("name", OrganizationSort::Name),
    ("slug", OrganizationSort::Slug),
];

fn filter_of(query: &mut Query) -> OrganizationFilter {
    OrganizationFilter {
        name: query.text("name"),
        slug: query.text("slug"),
        created_at: query.between(CreatedAt::NAMES),
    }
}

/// The organizations that you belong to; all for a superuser.
#[utoipa::path(get, path = "/api/v1/organizations", tag = "organizations", operation_id = "listOrganizations",
    params(ListParameters, CreatedAt, OrganizationParameters),
    responses((status = 200, description = "One page of organizations", body = Envelope<Vec<OrganizationView>>,
        headers(("X-Cache" = String, description = "`HIT`: made before, of the same state; `MISS`: made now, and kept; `BYPASS`: made now, and not kept")))))]
pub(crate) async fn list(platform: web::Data<Platform>, caller: Caller) -> Result<HttpResponse, ApiError> {
    let making = async {
        let mut query = caller.query();
        let filter = filter_of(&mut query);
        let listing = query.listing(filter, SORT_KEYS);
        query.finish()?;
        Ok(List(platform.organizations().list(&caller, &listing).await?.map(OrganizationView::from)))
    };
    caller.remembered(CacheClass::Lists, true, making).await
}

/// Makes an organization.
#[utoipa::path(post, path = "/api/v1/organizations", tag = "organizations", operation_id = "createOrganization",
    request_body = CreateOrganizationBody,
    responses((status = 201, description = "The new organization", body = Envelope<OrganizationView>)))]
pub(crate) async fn create(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Created<OrganizationView>, ApiError> {
    caller.no_query()?;
    let body = caller.body().await?.json::<CreateOrganizationBody>();
    Ok(Created(platform.organizations().create(&caller, body).await?.into()))
}

/// An organization.
#[utoipa::path(get, path = "/api/v1/organizations/{organization_id}", tag = "organizations",
    operation_id = "getOrganization", params(("organization_id" = uuid::Uuid, Path), InactiveParameter),
    responses((status = 200, description = "The organization", body = Envelope<OrganizationView>,
        headers(("X-Cache" = String, description = "`HIT`: made before, of the same state; `MISS`: made now, and kept; `BYPASS`: made now, and not kept")))))]
pub(crate) async fn get(platform: web::Data<Platform>, caller: Caller) -> Result<HttpResponse, ApiError> {
    let making = async {
        let id = caller.id("organization_id", "organization")?;
        let inactive = caller.inactive()?;
        Ok(One(OrganizationView::from(platform.organizations().find(&caller, id, inactive).await?)))
    };
    caller.remembered(CacheClass::Objects, true, making).await
}

/// Changes an organization; fields that are not given stay.
#[utoipa::path(put, path = "/api/v1/organizations/{organization_id}", tag = "organizations",
    operation_id = "updateOrganization", params(("organization_id" = uuid::Uuid, Path), IfMatch),
    request_body = UpdateOrganizationBody,
    responses((status = 200, description = "The changed organization", body = Envelope<OrganizationView>)))]
pub(crate) async fn update(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<OrganizationView>, ApiError> {
    let id = caller.id("organization_id", "organization")?;
    caller.no_query()?;
    let body = caller.body().await?.json::<UpdateOrganizationBody>();
    Ok(One(platform.organizations().update(&caller, id, body, caller.if_match()).await?.into()))
}

/// Changes an organization (RFC 7396); does the same as `PUT`.
#[utoipa::path(patch, path = "/api/v1/organizations/{organization_id}", tag = "organizations",
    operation_id = "patchOrganization", params(("organization_id" = uuid::Uuid, Path), IfMatch),
    request_body(content = UpdateOrganizationBody, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The changed organization", body = Envelope<OrganizationView>)))]
pub(crate) async fn patch(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<OrganizationView>, ApiError> {
    update(platform, caller).await
}

/// Archives an organization with its sites and modules.
#[utoipa::path(delete, path = "/api/v1/organizations/{organization_id}", tag = "organizations",
    operation_id = "archiveOrganization", params(("organization_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The archived organization", body = Envelope<OrganizationView>)))]
pub(crate) async fn archive(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<OrganizationView>, ApiError> {
    let id = caller.id("organization_id", "organization")?;
    caller.no_query()?;
    Ok(One(platform.organizations().archive(&caller, id, caller.if_match()).await?.into()))
}

/// Restores an organization with what its archiving hid.
#[utoipa::path(post, path = "/api/v1/organizations/{organization_id}/restore", tag = "organizations",
    operation_id = "restoreOrganization", params(("organization_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The restored organization", body = Envelope<OrganizationView>)))]
pub(crate) async fn restore(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<OrganizationView>, ApiError> {
    let id = caller.id("organization_id", "organization")?;
    caller.no_query()?;
    Ok(One(platform.organizations().restore(&caller, id, caller.if_match()).await?.into()))
}
