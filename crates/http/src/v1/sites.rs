//! Sites: handlers. Their bodies and views are in `site_bodies.rs`.

use actix_web::{HttpResponse, web};
use sitewatch_domain::{
    Platform,
    cache::CacheClass,
    ids::{OrgId, SiteId},
    page::{Listing, Page},
    sites::{SiteDetail, SiteFilter, SiteIncludes, SiteSort},
};
use utoipa::IntoParams;

use super::{
    bounds::{CreatedAt, UpdatedAt},
    site_bodies::{CreateSiteBody, SiteSummaryView, SiteView, UpdateSiteBody},
    views::{IfMatch, InactiveParameter, ListParameters},
};
use crate::{
    caller::Caller,
    envelope::{Created, Envelope, List, One, Plain},
    error::ApiError,
    query::Query,
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/api/v1/sites").get(list).post(create),
        Address::at("/api/v1/sites/{site_id}").get(get).put(update).patch(patch).delete(archive),
        Address::at("/api/v1/sites/{site_id}/restore").post(restore),
        Address::at("/api/v1/sites/{site_id}/summary").get(summary),
        Address::at("/api/v1/organizations/{organization_id}/sites")
            .get(list_of_organization)
            .post(create_in_organization),
    ]
}

/// Filters of sites.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters that `filter_of` reads")]
pub(crate) struct SiteParameters {
    /// Exactly this name.
    name: Option<String>,
    /// Exactly this code.
    code: Option<String>,
    /// Exactly this external id.
    external_id: Option<String>,
    /// In this time zone.
    timezone: Option<String>,
    /// With this tag.
    tag: Option<String>,
    /// What to embed: some of `organization`, `modules`, `summary`, separated by commas.
    include: Option<String>,
}

pub(crate) const SORT_KEYS: &[(&str, SiteSort)] = &[
    ("created_at", SiteSort::CreatedAt),
    ("updated_at", SiteSort::UpdatedAt),
    ("name", SiteSort::Name),
    ("code", SiteSort::Code),
];

fn filter_of(query: &mut Query) -> SiteFilter {
    SiteFilter {
        organization: None,
        name: query.text("name"),
        code: query.text("code"),
        external_id: query.text("external_id"),
        timezone: query.text("timezone"),
        tag: query.text("tag"),
        created_at: query.between(CreatedAt::NAMES),
        updated_at: query.between(UpdatedAt::NAMES),
    }
}

/// What `include` may name.
pub(crate) const INCLUDES: &[&str] = &["organization", "modules", "summary"];

fn includes_of(query: &mut Query) -> SiteIncludes {
    let names = query.includes(INCLUDES);
    let wants = |name: &str| names.iter().any(|given| given == name);
    SiteIncludes { organization: wants("organization"), modules: wants("modules"), summary: wants("summary") }
}

/// Whether all that is shown changes with entries of the audit log: modules and figures change with readings.
const fn is_lasting(includes: SiteIncludes) -> bool {
    !includes.modules && !includes.summary
}

/// The sites that you can see.
#[utoipa::path(get, path = "/api/v1/sites", tag = "sites", operation_id = "listSites",
    params(ListParameters, CreatedAt, UpdatedAt, SiteParameters,
        ("organization_id" = Option<uuid::Uuid>, Query, description = "Of this organization")),
    responses((status = 200, description = "One page of sites", body = Envelope<Vec<SiteView>>,
        headers(("X-Cache" = String, description = "`HIT`: made before, of the same state; `MISS`: made now, and kept; `BYPASS`: made now, and not kept")))))]
pub(crate) async fn list(platform: web::Data<Platform>, caller: Caller) -> Result<HttpResponse, ApiError> {
    let mut query = caller.query();
    let includes = includes_of(&mut query);
    let making = async {
        let organization = query.id("organization_id");
        page(&platform, &caller, query, organization, includes).await
    };
    caller.remembered(CacheClass::Lists, is_lasting(includes), making).await
}

/// The sites of an organization that you can see.
#[utoipa::path(get, path = "/api/v1/organizations/{organization_id}/sites", tag = "sites",
    operation_id = "listOrganizationSites",
    params(("organization_id" = uuid::Uuid, Path), ListParameters, CreatedAt, UpdatedAt, SiteParameters),
    responses((status = 200, description = "One page of sites", body = Envelope<Vec<SiteView>>,
        headers(("X-Cache" = String, description = "`HIT`: made before, of the same state; `MISS`: made now, and kept; `BYPASS`: made now, and not kept")))))]
pub(crate) async fn list_of_organization(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<HttpResponse, ApiError> {
    let mut query = caller.query();
    let includes = includes_of(&mut query);
    let making = async {
        let organization = caller.id("organization_id", "organization")?;
        page(&platform, &caller, query, Some(organization), includes).await
    };
    caller.remembered(CacheClass::Lists, is_lasting(includes), making).await
}

async fn page(
    platform: &Platform,
    caller: &Caller,
    mut query: Query,
    organization: Option<OrgId>,
    includes: SiteIncludes,
) -> Result<List<SiteView>, ApiError> {
    let filter = SiteFilter { organization, ..filter_of(&mut query) };
    let listing: Listing<SiteFilter, SiteSort> = query.listing(filter, SORT_KEYS);
    query.finish()?;
    let page: Page<SiteDetail> = platform.sites().list(caller, &listing, includes).await?;
    let now = platform.now();
    Ok(List(page.map(|detail| SiteView::of(detail, now))))
}

/// Makes a site.
#[utoipa::path(post, path = "/api/v1/sites", tag = "sites", operation_id = "createSite",
    request_body = CreateSiteBody,
    responses((status = 201, description = "The new site", body = Envelope<SiteView>)))]
pub(crate) async fn create(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Created<SiteView>, ApiError> {
    caller.no_query()?;
    let mut body = caller.body().await?.parse::<CreateSiteBody>()?;
    let organization = body.owner(|body| std::mem::take(&mut body.organization_id))?;
    let site = platform.sites().create(&caller, organization, body).await?;
    Ok(Created(site.into()))
}

/// Makes a site of an organization.
#[utoipa::path(post, path = "/api/v1/organizations/{organization_id}/sites", tag = "sites",
    operation_id = "createOrganizationSite", params(("organization_id" = uuid::Uuid, Path)),
    request_body = CreateSiteBody,
    responses((status = 201, description = "The new site", body = Envelope<SiteView>)))]
pub(crate) async fn create_in_organization(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Created<SiteView>, ApiError> {
    let organization = caller.id("organization_id", "organization")?;
    caller.no_query()?;
    let body = caller.body().await?.json::<CreateSiteBody>().agreeing(|body, faults| {
        body.organization_id.agrees_with("organization_id", &organization, faults);
    });
    let site = platform.sites().create(&caller, organization, body).await?;
    Ok(Created(site.into()))
}

/// A site.
#[utoipa::path(get, path = "/api/v1/sites/{site_id}", tag = "sites", operation_id = "getSite",
    params(("site_id" = uuid::Uuid, Path), InactiveParameter,
        ("include" = Option<String>, Query, description = "Some of `organization`, `modules`, `summary`")),
    responses((status = 200, description = "The site", body = Envelope<SiteView>,
        headers(("X-Cache" = String, description = "`HIT`: made before, of the same state; `MISS`: made now, and kept; `BYPASS`: made now, and not kept")))))]
pub(crate) async fn get(platform: web::Data<Platform>, caller: Caller) -> Result<HttpResponse, ApiError> {
    let mut query = caller.query();
    let includes = includes_of(&mut query);
    let making = async {
        let id: SiteId = caller.id("site_id", "site")?;
        let inactive = query.inactive();
        query.finish()?;
        let detail = platform.sites().find(&caller, id, includes, inactive).await?;
        Ok(One(SiteView::of(detail, platform.now())))
    };
    caller.remembered(CacheClass::Objects, is_lasting(includes), making).await
}

/// Changes a site; fields that are not given stay.
#[utoipa::path(put, path = "/api/v1/sites/{site_id}", tag = "sites", operation_id = "updateSite",
    params(("site_id" = uuid::Uuid, Path), IfMatch), request_body = UpdateSiteBody,
    responses((status = 200, description = "The changed site", body = Envelope<SiteView>)))]
pub(crate) async fn update(platform: web::Data<Platform>, caller: Caller) -> Result<One<SiteView>, ApiError> {
    let id = caller.id("site_id", "site")?;
    caller.no_query()?;
    let body = caller.body().await?.json::<UpdateSiteBody>();
    let site = platform.sites().update(&caller, id, body, caller.if_match()).await?;
    Ok(One(site.into()))
}

/// Changes a site (RFC 7396); does the same as `PUT`.
#[utoipa::path(patch, path = "/api/v1/sites/{site_id}", tag = "sites", operation_id = "patchSite",
    params(("site_id" = uuid::Uuid, Path), IfMatch),
    request_body(content = UpdateSiteBody, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The changed site", body = Envelope<SiteView>)))]
pub(crate) async fn patch(platform: web::Data<Platform>, caller: Caller) -> Result<One<SiteView>, ApiError> {
    update(platform, caller).await
}

/// Archives a site with its modules.
#[utoipa::path(delete, path = "/api/v1/sites/{site_id}", tag = "sites", operation_id = "archiveSite",
    params(("site_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The archived site", body = Envelope<SiteView>)))]
pub(crate) async fn archive(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<SiteView>, ApiError> {
    let id = caller.id("site_id", "site")?;
    caller.no_query()?;
    let site = platform.sites().archive(&caller, id, caller.if_match()).await?;
    Ok(One(site.into()))
}

/// Restores a site with the modules that its archiving hid.
#[utoipa::path(post, path = "/api/v1/sites/{site_id}/restore", tag = "sites", operation_id = "restoreSite",
    params(("site_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The restored site", body = Envelope<SiteView>)))]
pub(crate) async fn restore(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<SiteView>, ApiError> {
    let id = caller.id("site_id", "site")?;
    caller.no_query()?;
    let site = platform.sites().restore(&caller, id, caller.if_match()).await?;
    Ok(One(site.into()))
}

/// The live figures of a site.
#[utoipa::path(get, path = "/api/v1/sites/{site_id}/summary", tag = "sites", operation_id = "getSiteSummary",
    params(("site_id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The figures", body = Envelope<SiteSummaryView>)))]
pub(crate) async fn summary(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Plain<SiteSummaryView>, ApiError> {
    let id = caller.id("site_id", "site")?;
    caller.no_query()?;
    Ok(Plain(platform.sites().summary(&caller, id).await?.into()))
}
