//! Modules: handlers. Their bodies and views are in `module_bodies.rs`.

use actix_web::web;
use serde::{Deserialize, Serialize};
use sitewatch_domain::{
    FieldErrors, Platform,
    ids::{ModuleId, OrgId, SiteId},
    limits::RequestClass,
    modules::{Heartbeat, ModuleFilter, ModuleIncludes, ModuleMove, ModuleSort},
    page::Listing,
    readings::LatestReading,
    time::Instant,
};
use utoipa::{IntoParams, ToSchema};

use super::bounds::{CreatedAt, LastSeenAt};
pub(crate) use super::module_bodies::{CreateModuleBody, ModuleView, UpdateModuleBody};
use super::views::{IfMatch, InactiveParameter, ListParameters};
use crate::{
    body::{Body, Field},
    caller::Caller,
    envelope::{All, Created, Envelope, List, One},
    error::ApiError,
    query::Query,
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/api/v1/modules").get(list).post(create),
        Address::at("/api/v1/modules/{module_id}").get(get).put(update).patch(patch).delete(archive),
        Address::at("/api/v1/modules/{module_id}/restore").post(restore),
        Address::at("/api/v1/modules/{module_id}/move").post(relocate),
        Address::at("/api/v1/modules/{module_id}/heartbeat").post(heartbeat).limited_as(RequestClass::Ingest),
        Address::at("/api/v1/modules/{module_id}/latest").get(latest),
        Address::at("/api/v1/sites/{site_id}/modules").get(list_of_site).post(create_at_site),
        Address::at("/api/v1/organizations/{organization_id}/modules").get(list_of_organization),
    ]
}

/// Where a module is moved.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"site_id": "01890000-0000-7000-8000-000000000000"}))]
pub(crate) struct MoveModuleBody {
    /// A site of the module's organization.
    #[schema(value_type = uuid::Uuid, required = true)]
    site_id: Field<SiteId>,
}

impl Body for MoveModuleBody {
    type Input = ModuleMove;

    fn into_input(self, faults: &mut FieldErrors) -> ModuleMove {
        ModuleMove { site_id: self.site_id.required("site_id", faults) }
    }
}

/// A heartbeat says nothing but that the module is alive.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({}))]
pub(crate) struct HeartbeatBody {}

impl Body for HeartbeatBody {
    type Input = Heartbeat;

    fn into_input(self, _faults: &mut FieldErrors) -> Heartbeat {
        Heartbeat::default()
    }
}

/// The latest value of a metric.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LatestReading)]
pub(crate) struct LatestReadingView {
    /// The key of the metric.
    metric: String,
    /// When it was measured.
    #[schema(value_type = String, format = DateTime)]
    at: Instant,
    /// The value.
    value: f64,
    /// The unit.
    unit: String,
}

impl From<LatestReading> for LatestReadingView {
    fn from(latest: LatestReading) -> Self {
        let LatestReading { reading, unit } = latest;
        Self { metric: reading.metric, at: reading.at, value: reading.value, unit }
    }
}

/// Filters of modules.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters that `filter_of` reads")]
pub(crate) struct ModuleParameters {
    /// Of this make and model.
    module_type_id: Option<uuid::Uuid>,
    /// Behind this gateway.
    parent_module_id: Option<uuid::Uuid>,
    /// Exactly this name.
    name: Option<String>,
    /// Exactly this serial number.
    serial_number: Option<String>,
    /// Exactly this external id.
    external_id: Option<String>,
    /// With this tag.
    tag: Option<String>,
    /// What to embed: `module_type`.
    include: Option<String>,
}

pub(crate) const SORT_KEYS: &[(&str, ModuleSort)] = &[
    ("created_at", ModuleSort::CreatedAt),
    ("updated_at", ModuleSort::UpdatedAt),
    ("name", ModuleSort::Name),
    ("serial_number", ModuleSort::SerialNumber),
    ("last_seen_at", ModuleSort::LastSeenAt),
];

/// What `include` may name.
pub(crate) const INCLUDES: &[&str] = &["module_type"];

fn includes_of(query: &mut Query) -> ModuleIncludes {
    ModuleIncludes { module_type: query.includes(INCLUDES).iter().any(|name| name == "module_type") }
}

fn listing_of(mut query: Query) -> Result<(Listing<ModuleFilter, ModuleSort>, ModuleIncludes), ApiError> {
    let filter = ModuleFilter {
        module_type: query.id("module_type_id"),
        parent_module: query.id("parent_module_id"),
        name: query.text("name"),
        serial_number: query.text("serial_number"),
        external_id: query.text("external_id"),
        tag: query.text("tag"),
        last_seen_at: query.between(LastSeenAt::NAMES),
        created_at: query.between(CreatedAt::NAMES),
        ..ModuleFilter::default()
    };
    let includes = includes_of(&mut query);
    let listing = query.listing(filter, SORT_KEYS);
    query.finish().map(|()| (listing, includes))
}

/// The modules that you can see.
#[utoipa::path(get, path = "/api/v1/modules", tag = "modules", operation_id = "listModules",
    params(ListParameters, CreatedAt, LastSeenAt, ModuleParameters,
        ("organization_id" = Option<uuid::Uuid>, Query, description = "Of this organization"),
        ("site_id" = Option<uuid::Uuid>, Query, description = "At this site")),
    responses((status = 200, description = "One page of modules", body = Envelope<Vec<ModuleView>>)))]
pub(crate) async fn list(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<List<ModuleView>, ApiError> {
    let mut query = caller.query();
    let (organization, site) = (query.id("organization_id"), query.id("site_id"));
    let (mut listing, includes) = listing_of(query)?;
    listing.filter.organization = organization;
    listing.filter.site = site;
    page(&platform, &caller, &listing, includes).await
}

/// The modules of an organization that you can see.
#[utoipa::path(get, path = "/api/v1/organizations/{organization_id}/modules", tag = "modules",
    operation_id = "listOrganizationModules",
    params(("organization_id" = uuid::Uuid, Path), ListParameters, CreatedAt, LastSeenAt, ModuleParameters),
    responses((status = 200, description = "One page of modules", body = Envelope<Vec<ModuleView>>)))]
pub(crate) async fn list_of_organization(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<List<ModuleView>, ApiError> {
    let organization: OrgId = caller.id("organization_id", "organization")?;
    let (mut listing, includes) = listing_of(caller.query())?;
    listing.filter.organization = Some(organization);
    page(&platform, &caller, &listing, includes).await
}

async fn page(
    platform: &Platform,
    caller: &Caller,
    listing: &Listing<ModuleFilter, ModuleSort>,
    includes: ModuleIncludes,
) -> Result<List<ModuleView>, ApiError> {
    let page = platform.modules().list(caller, listing, includes).await?;
    let now = platform.now();
    Ok(List(page.map(|detail| ModuleView::of_detail(detail, now))))
}

/// The modules of a site that you can see.
#[utoipa::path(get, path = "/api/v1/sites/{site_id}/modules", tag = "modules", operation_id = "listSiteModules",
    params(("site_id" = uuid::Uuid, Path), ListParameters, CreatedAt, LastSeenAt, ModuleParameters),
    responses((status = 200, description = "One page of modules", body = Envelope<Vec<ModuleView>>)))]
pub(crate) async fn list_of_site(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<List<ModuleView>, ApiError> {
    let site = caller.id("site_id", "site")?;
    let (listing, includes) = listing_of(caller.query())?;
    let page = platform.modules().list_at(&caller, site, listing, includes).await?;
    let now = platform.now();
    Ok(List(page.map(|detail| ModuleView::of_detail(detail, now))))
}

/// Makes a module at the site that the body names.
#[utoipa::path(post, path = "/api/v1/modules", tag = "modules", operation_id = "createModule",
    request_body = CreateModuleBody,
    responses((status = 201, description = "The new module", body = Envelope<ModuleView>)))]
pub(crate) async fn create(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Created<ModuleView>, ApiError> {
    caller.no_query()?;
    let mut body = caller.body().await?.parse::<CreateModuleBody>()?;
    let site = body.parent("site_id", |body| std::mem::take(&mut body.site_id))?;
    let module = platform.modules().create(&caller, site, body).await?;
    Ok(Created(ModuleView::of(module, platform.now())))
}

/// Makes a module at a site.
#[utoipa::path(post, path = "/api/v1/sites/{site_id}/modules", tag = "modules", operation_id = "createSiteModule",
    params(("site_id" = uuid::Uuid, Path)), request_body = CreateModuleBody,
    responses((status = 201, description = "The new module", body = Envelope<ModuleView>)))]
pub(crate) async fn create_at_site(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Created<ModuleView>, ApiError> {
    let site = caller.id("site_id", "site")?;
    caller.no_query()?;
    let body = caller
        .body()
        .await?
        .json::<CreateModuleBody>()
        .agreeing(|body, faults| body.site_id.agrees_with("site_id", &site, faults));
    let module = platform.modules().create(&caller, site, body).await?;
    Ok(Created(ModuleView::of(module, platform.now())))
}

/// A module.
#[utoipa::path(get, path = "/api/v1/modules/{module_id}", tag = "modules", operation_id = "getModule",
    params(("module_id" = uuid::Uuid, Path), InactiveParameter,
        ("include" = Option<String>, Query, description = "`module_type`")),
    responses((status = 200, description = "The module", body = Envelope<ModuleView>)))]
pub(crate) async fn get(platform: web::Data<Platform>, caller: Caller) -> Result<One<ModuleView>, ApiError> {
    let id: ModuleId = caller.id("module_id", "module")?;
    let mut query = caller.query();
    let (includes, inactive) = (includes_of(&mut query), query.inactive());
    query.finish()?;
    let detail = platform.modules().find(&caller, id, includes, inactive).await?;
    Ok(One(ModuleView::of_detail(detail, platform.now())))
}

/// Changes a module; fields that are not given stay. Operators may change description and tags.
#[utoipa::path(put, path = "/api/v1/modules/{module_id}", tag = "modules", operation_id = "updateModule",
    params(("module_id" = uuid::Uuid, Path), IfMatch), request_body = UpdateModuleBody,
    responses((status = 200, description = "The changed module", body = Envelope<ModuleView>)))]
pub(crate) async fn update(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ModuleView>, ApiError> {
    let id = caller.id("module_id", "module")?;
    caller.no_query()?;
    let body = caller.body().await?.json::<UpdateModuleBody>();
    let module = platform.modules().update(&caller, id, body, caller.if_match()).await?;
    Ok(One(ModuleView::of(module, platform.now())))
}

/// Changes a module (RFC 7396); does the same as `PUT`.
#[utoipa::path(patch, path = "/api/v1/modules/{module_id}", tag = "modules", operation_id = "patchModule",
    params(("module_id" = uuid::Uuid, Path), IfMatch),
    request_body(content = UpdateModuleBody, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The changed module", body = Envelope<ModuleView>)))]
pub(crate) async fn patch(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ModuleView>, ApiError> {
    update(platform, caller).await
}

/// Archives a module, which stops its ingest.
#[utoipa::path(delete, path = "/api/v1/modules/{module_id}", tag = "modules", operation_id = "archiveModule",
    params(("module_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The archived module", body = Envelope<ModuleView>)))]
pub(crate) async fn archive(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ModuleView>, ApiError> {
    let id = caller.id("module_id", "module")?;
    caller.no_query()?;
    let module = platform.modules().archive(&caller, id, caller.if_match()).await?;
    Ok(One(ModuleView::of(module, platform.now())))
}

/// Brings an archived module back.
#[utoipa::path(post, path = "/api/v1/modules/{module_id}/restore", tag = "modules", operation_id = "restoreModule",
    params(("module_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The restored module", body = Envelope<ModuleView>)))]
pub(crate) async fn restore(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ModuleView>, ApiError> {
    let id = caller.id("module_id", "module")?;
    caller.no_query()?;
    let module = platform.modules().restore(&caller, id, caller.if_match()).await?;
    Ok(One(ModuleView::of(module, platform.now())))
}

/// Moves a module to another site of its organization.
#[utoipa::path(post, path = "/api/v1/modules/{module_id}/move", tag = "modules", operation_id = "moveModule",
    params(("module_id" = uuid::Uuid, Path), IfMatch), request_body = MoveModuleBody,
    responses((status = 200, description = "The moved module", body = Envelope<ModuleView>)))]
pub(crate) async fn relocate(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ModuleView>, ApiError> {
    let id = caller.id("module_id", "module")?;
    caller.no_query()?;
    let body = caller.body().await?.json::<MoveModuleBody>();
    let module = platform.modules().relocate(&caller, id, body, caller.if_match()).await?;
    Ok(One(ModuleView::of(module, platform.now())))
}

/// Says that the module is alive.
#[utoipa::path(post, path = "/api/v1/modules/{module_id}/heartbeat", tag = "modules",
    operation_id = "sendHeartbeat", params(("module_id" = uuid::Uuid, Path)),
    request_body(content = Option<HeartbeatBody>),
    responses((status = 200, description = "The module", body = Envelope<ModuleView>)))]
pub(crate) async fn heartbeat(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ModuleView>, ApiError> {
    let id = caller.id("module_id", "module")?;
    caller.no_query()?;
    let module =
        platform.modules().heartbeat(&caller, id, caller.body().await?.optional::<HeartbeatBody>()).await?;
    Ok(One(ModuleView::of(module, platform.now())))
}

/// The latest value of each metric of a module.
#[utoipa::path(get, path = "/api/v1/modules/{module_id}/latest", tag = "modules", operation_id = "listLatest",
    params(("module_id" = uuid::Uuid, Path)),
    responses((status = 200, description = "By metric", body = Envelope<Vec<LatestReadingView>>)))]
pub(crate) async fn latest(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<All<LatestReadingView>, ApiError> {
    let id = caller.id("module_id", "module")?;
    caller.no_query()?;
    let found = platform.modules().latest(&caller, id).await?;
    Ok(All(found.into_iter().map(Into::into).collect()))
}
