//! Sites: bodies, views, handlers.

use actix_web::web;
use serde::{Deserialize, Serialize};
use sitewatch_domain::{
    FieldErrors, Platform,
    ids::{OrgId, SiteId},
    page::{Listing, Page},
    sites::{NewSite, Site, SiteChanges, SiteDetail, SiteFilter, SiteIncludes, SiteSort, SiteSummary},
    stamp::Revision,
    time::Instant,
};
use utoipa::{IntoParams, ToSchema};

use super::{
    bounds::{CreatedAt, UpdatedAt},
    modules::ModuleView,
    organizations::OrganizationView,
    views::{IfMatch, InactiveParameter, ListParameters, StampView},
};
use crate::{
    body::{Body, Field},
    caller::Caller,
    envelope::{Addressed, Created, Envelope, List, One, Plain},
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

/// A site as it is made.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"name": "La Haute Borne", "timezone": "Europe/Paris", "latitude": 48.45, "longitude": 5.59}))]
pub(crate) struct CreateSiteBody {
    /// The owning organization; needed where the path does not name it.
    #[schema(value_type = Option<uuid::Uuid>)]
    organization_id: Field<OrgId>,
    /// The name, unique among the organization's active sites.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 200)]
    name: Field<String>,
    /// A short code of your choice.
    #[schema(value_type = Option<String>, max_length = 64)]
    code: Field<String>,
    /// A description.
    #[schema(value_type = Option<String>, max_length = 4000)]
    description: Field<String>,
    /// The IANA time zone; the organization's if not given.
    #[schema(value_type = Option<String>, example = "Europe/Paris")]
    timezone: Field<String>,
    /// Degrees north.
    #[schema(value_type = Option<f64>, minimum = -90, maximum = 90)]
    latitude: Field<f64>,
    /// Degrees east.
    #[schema(value_type = Option<f64>, minimum = -180, maximum = 180)]
    longitude: Field<f64>,
    /// The postal address.
    #[schema(value_type = Option<String>, max_length = 500)]
    address: Field<String>,
    /// Labels.
    #[schema(value_type = Option<Vec<String>>)]
    tags: Field<Vec<String>>,
    /// The site's name in another system.
    #[schema(value_type = Option<String>, max_length = 200)]
    external_id: Field<String>,
}

impl Body for CreateSiteBody {
    type Input = NewSite;

    fn into_input(self, faults: &mut FieldErrors) -> NewSite {
        NewSite {
            name: self.name.required("name", faults),
            code: self.code.optional("code", faults),
            description: self.description.optional("description", faults),
            timezone: self.timezone.optional("timezone", faults),
            latitude: self.latitude.optional("latitude", faults),
            longitude: self.longitude.optional("longitude", faults),
            address: self.address.optional("address", faults),
            tags: self.tags.optional("tags", faults).unwrap_or_default(),
            external_id: self.external_id.optional("external_id", faults),
        }
    }
}

/// Changes of a site. Absent fields stay; null empties.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"description": "Four turbines", "address": null}))]
pub(crate) struct UpdateSiteBody {
    /// The name.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: Field<String>,
    /// A short code.
    #[schema(value_type = Option<String>, max_length = 64)]
    code: Field<String>,
    /// A description.
    #[schema(value_type = Option<String>, max_length = 4000)]
    description: Field<String>,
    /// The IANA time zone.
    #[schema(value_type = String)]
    timezone: Field<String>,
    /// Degrees north.
    #[schema(value_type = Option<f64>, minimum = -90, maximum = 90)]
    latitude: Field<f64>,
    /// Degrees east.
    #[schema(value_type = Option<f64>, minimum = -180, maximum = 180)]
    longitude: Field<f64>,
    /// The postal address.
    #[schema(value_type = Option<String>, max_length = 500)]
    address: Field<String>,
    /// Labels.
    #[schema(value_type = Vec<String>)]
    tags: Field<Vec<String>>,
    /// The site's name in another system.
    #[schema(value_type = Option<String>, max_length = 200)]
    external_id: Field<String>,
}

impl Body for UpdateSiteBody {
    type Input = SiteChanges;

    const READ_ONLY: &'static [&'static str] = &["organization_id", "organization", "modules", "summary"];

    fn into_input(self, faults: &mut FieldErrors) -> SiteChanges {
        SiteChanges {
            name: self.name.change("name", faults),
            code: self.code.clearable("code", faults),
            description: self.description.clearable("description", faults),
            timezone: self.timezone.change("timezone", faults),
            latitude: self.latitude.clearable("latitude", faults),
            longitude: self.longitude.clearable("longitude", faults),
            address: self.address.clearable("address", faults),
            tags: self.tags.change("tags", faults),
            external_id: self.external_id.clearable("external_id", faults),
        }
    }
}

/// A site.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Site)]
pub(crate) struct SiteView {
    /// The site's id.
    #[schema(value_type = uuid::Uuid)]
    id: SiteId,
    /// The owning organization.
    #[schema(value_type = uuid::Uuid)]
    organization_id: OrgId,
    /// The name.
    name: String,
    /// A short code.
    code: Option<String>,
    /// A description.
    description: Option<String>,
    /// The IANA time zone in which its days begin.
    timezone: String,
    /// Degrees north.
    latitude: Option<f64>,
    /// Degrees east.
    longitude: Option<f64>,
    /// The postal address.
    address: Option<String>,
    /// Labels.
    tags: Vec<String>,
    /// The site's name in another system.
    external_id: Option<String>,
    #[serde(flatten)]
    stamp: StampView,
    /// The organization, with `include=organization`.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<OrganizationView>,
    /// The active modules that you can see, with `include=modules`.
    #[serde(skip_serializing_if = "Option::is_none")]
    modules: Option<Vec<ModuleView>>,
    /// The live figures, with `include=summary`.
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<SiteSummaryView>,
    #[serde(skip)]
    revision: Revision,
}

impl From<Site> for SiteView {
    fn from(site: Site) -> Self {
        Self {
            id: site.id,
            organization_id: site.organization_id,
            name: site.name,
            code: site.code,
            description: site.description,
            timezone: site.timezone,
            latitude: site.latitude,
            longitude: site.longitude,
            address: site.address,
            tags: site.tags,
            external_id: site.external_id,
            stamp: StampView::from(&site.stamp),
            organization: None,
            modules: None,
            summary: None,
            revision: site.stamp.revision,
        }
    }
}

impl SiteView {
    fn of(detail: SiteDetail, now: Instant) -> Self {
        let view = |module| ModuleView::of(module, now);
        Self {
            organization: detail.organization.map(OrganizationView::from),
            modules: detail.modules.map(|modules| modules.into_iter().map(view).collect()),
            summary: detail.summary.map(SiteSummaryView::from),
            ..Self::from(detail.site)
        }
    }
}

impl Addressed for SiteView {
    fn path(&self) -> String {
        format!("/api/v1/sites/{}", self.id)
    }

    fn revision(&self) -> Option<Revision> {
        Some(self.revision)
    }
}

/// The live figures of a site.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SiteSummary)]
pub(crate) struct SiteSummaryView {
    /// The site.
    #[schema(value_type = uuid::Uuid)]
    site_id: SiteId,
    /// The state of its worst switched-on module: `new`, `online`, `late`, `offline`; `disabled` if all are switched off.
    #[schema(example = "online")]
    state: &'static str,
    /// When any of its modules last reported.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_report_at: Option<Instant>,
    /// How many modules are in which state.
    modules: StateCountsView,
}

/// How many modules are in which state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StateCounts)]
pub(crate) struct StateCountsView {
    /// All of them.
    total: u32,
    /// Never heard of.
    new: u32,
    /// Reporting as they should.
    online: u32,
    /// Overdue.
    late: u32,
    /// Silent for too long.
    offline: u32,
    /// Switched off.
    disabled: u32,
}

impl From<SiteSummary> for SiteSummaryView {
    fn from(summary: SiteSummary) -> Self {
        let counts = summary.modules;
        Self {
            site_id: summary.site_id,
            state: counts.worst().name(),
            last_report_at: summary.last_report_at,
            modules: StateCountsView {
                total: counts.total(),
                new: counts.new,
                online: counts.online,
                late: counts.late,
                offline: counts.offline,
                disabled: counts.disabled,
            },
        }
    }
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

const SORT_KEYS: &[(&str, SiteSort)] = &[
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

fn includes_of(query: &mut Query) -> SiteIncludes {
    let names = query.includes(&["organization", "modules", "summary"]);
    let wants = |name: &str| names.iter().any(|given| given == name);
    SiteIncludes { organization: wants("organization"), modules: wants("modules"), summary: wants("summary") }
}

/// The sites that you can see.
#[utoipa::path(get, path = "/api/v1/sites", tag = "sites", operation_id = "listSites",
    params(ListParameters, CreatedAt, UpdatedAt, SiteParameters,
        ("organization_id" = Option<uuid::Uuid>, Query, description = "Of this organization")),
    responses((status = 200, description = "One page of sites", body = Envelope<Vec<SiteView>>)))]
pub(crate) async fn list(platform: web::Data<Platform>, caller: Caller) -> Result<List<SiteView>, ApiError> {
    let mut query = caller.query();
    let organization = query.id("organization_id");
    page(&platform, &caller, query, organization).await
}

/// The sites of an organization that you can see.
#[utoipa::path(get, path = "/api/v1/organizations/{organization_id}/sites", tag = "sites",
    operation_id = "listOrganizationSites",
    params(("organization_id" = uuid::Uuid, Path), ListParameters, CreatedAt, UpdatedAt, SiteParameters),
    responses((status = 200, description = "One page of sites", body = Envelope<Vec<SiteView>>)))]
pub(crate) async fn list_of_organization(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<List<SiteView>, ApiError> {
    let organization = caller.id("organization_id", "organization")?;
    page(&platform, &caller, caller.query(), Some(organization)).await
}

async fn page(
    platform: &Platform,
    caller: &Caller,
    mut query: Query,
    organization: Option<OrgId>,
) -> Result<List<SiteView>, ApiError> {
    let includes = includes_of(&mut query);
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
    responses((status = 200, description = "The site", body = Envelope<SiteView>)))]
pub(crate) async fn get(platform: web::Data<Platform>, caller: Caller) -> Result<One<SiteView>, ApiError> {
    let id: SiteId = caller.id("site_id", "site")?;
    let mut query = caller.query();
    let (includes, inactive) = (includes_of(&mut query), query.inactive());
    query.finish()?;
    let detail = platform.sites().find(&caller, id, includes, inactive).await?;
    Ok(One(SiteView::of(detail, platform.now())))
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
