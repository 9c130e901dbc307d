//! Module types: bodies, views, handlers.

use actix_web::web;
use serde::{Deserialize, Serialize};
use sitewatch_domain::{
    FieldErrors, Platform,
    ids::{ModuleTypeId, OrgId},
    module_types::{ModuleType, ModuleTypeChanges, ModuleTypeFilter, ModuleTypeSort, NewModuleType},
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
        Address::at("/api/v1/module-types").get(list).post(create),
        Address::at("/api/v1/module-types/{module_type_id}")
            .get(get)
            .put(update)
            .patch(patch)
            .delete(archive),
        Address::at("/api/v1/module-types/{module_type_id}/restore").post(restore),
    ]
}

/// A module type as it is made.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"name": "MM82", "manufacturer": "Senvion", "expected_interval_s": 600, "metrics": []}))]
pub(crate) struct CreateModuleTypeBody {
    /// The owning organization; without one, a superuser makes a built-in type.
    #[schema(value_type = Option<uuid::Uuid>)]
    organization_id: Field<OrgId>,
    /// The name.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 200)]
    name: Field<String>,
    /// Who makes it.
    #[schema(value_type = Option<String>, max_length = 200)]
    manufacturer: Field<String>,
    /// The maker's model name.
    #[schema(value_type = Option<String>, max_length = 200)]
    model: Field<String>,
    /// How often its modules report, in seconds.
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 31_536_000)]
    expected_interval_s: Field<i32>,
    /// After how many seconds of silence its modules are offline.
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 31_536_000)]
    offline_after_s: Field<i32>,
    /// The keys of its metrics.
    #[schema(value_type = Option<Vec<String>>, max_items = 200)]
    metrics: Field<Vec<String>>,
}

impl Body for CreateModuleTypeBody {
    type Input = NewModuleType;

    fn into_input(self, faults: &mut FieldErrors) -> NewModuleType {
        NewModuleType {
            name: self.name.required("name", faults),
            manufacturer: self.manufacturer.optional("manufacturer", faults),
            model: self.model.optional("model", faults),
            expected_interval_s: self.expected_interval_s.optional("expected_interval_s", faults),
            offline_after_s: self.offline_after_s.optional("offline_after_s", faults),
            metrics: self.metrics.optional("metrics", faults).unwrap_or_default(),
        }
    }
}

/// Changes of a module type. Absent fields stay; null empties.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"offline_after_s": 1800}))]
pub(crate) struct UpdateModuleTypeBody {
    /// The name.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: Field<String>,
    /// Who makes it.
    #[schema(value_type = Option<String>, max_length = 200)]
    manufacturer: Field<String>,
    /// The maker's model name.
    #[schema(value_type = Option<String>, max_length = 200)]
    model: Field<String>,
    /// How often its modules report, in seconds.
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 31_536_000)]
    expected_interval_s: Field<i32>,
    /// After how many seconds of silence its modules are offline.
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 31_536_000)]
    offline_after_s: Field<i32>,
    /// The keys of its metrics.
    #[schema(value_type = Vec<String>, max_items = 200)]
    metrics: Field<Vec<String>>,
}

impl Body for UpdateModuleTypeBody {
    type Input = ModuleTypeChanges;

    const READ_ONLY: &'static [&'static str] = &["organization_id"];

    fn into_input(self, faults: &mut FieldErrors) -> ModuleTypeChanges {
        ModuleTypeChanges {
            name: self.name.change("name", faults),
            manufacturer: self.manufacturer.clearable("manufacturer", faults),
            model: self.model.clearable("model", faults),
            expected_interval_s: self.expected_interval_s.clearable("expected_interval_s", faults),
            offline_after_s: self.offline_after_s.clearable("offline_after_s", faults),
            metrics: self.metrics.change("metrics", faults),
        }
    }
}

/// A make and model of modules.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ModuleType)]
pub(crate) struct ModuleTypeView {
    /// The type's id.
    #[schema(value_type = uuid::Uuid)]
    id: ModuleTypeId,
    /// The owning organization; null for built-in types.
    #[schema(value_type = Option<uuid::Uuid>)]
    organization_id: Option<OrgId>,
    /// The name.
    name: String,
    /// Who makes it.
    manufacturer: Option<String>,
    /// The maker's model name.
    model: Option<String>,
    /// How often its modules report, in seconds.
    expected_interval_s: Option<i32>,
    /// After how many seconds of silence its modules are offline.
    offline_after_s: Option<i32>,
    /// The keys of its metrics.
    metrics: Vec<String>,
    #[serde(flatten)]
    stamp: StampView,
    #[serde(skip)]
    revision: Revision,
}

impl From<ModuleType> for ModuleTypeView {
    fn from(found: ModuleType) -> Self {
        Self {
            id: found.id,
            organization_id: found.organization_id,
            name: found.name,
            manufacturer: found.manufacturer,
            model: found.model,
            expected_interval_s: found.expected_interval_s,
            offline_after_s: found.offline_after_s,
            metrics: found.metrics.into_iter().map(|metric| metric.key).collect(),
            stamp: StampView::from(&found.stamp),
            revision: found.stamp.revision,
        }
    }
}

impl Addressed for ModuleTypeView {
    fn path(&self) -> String {
        format!("/api/v1/module-types/{}", self.id)
    }

    fn revision(&self) -> Option<Revision> {
        Some(self.revision)
    }
}

/// Filters of module types.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters that `filter_of` reads")]
pub(crate) struct ModuleTypeParameters {
    /// Of this organization, without built-in ones.
    #[param(value_type = Option<uuid::Uuid>)]
    organization_id: Option<OrgId>,
    /// Exactly this name.
    name: Option<String>,
    /// Of this maker.
    manufacturer: Option<String>,
}

pub(crate) const SORT_KEYS: &[(&str, ModuleTypeSort)] = &[
    ("created_at", ModuleTypeSort::CreatedAt),
    ("updated_at", ModuleTypeSort::UpdatedAt),
    ("name", ModuleTypeSort::Name),
    ("manufacturer", ModuleTypeSort::Manufacturer),
];

fn filter_of(query: &mut Query) -> ModuleTypeFilter {
    ModuleTypeFilter {
        organization: query.id("organization_id"),
        name: query.text("name"),
        manufacturer: query.text("manufacturer"),
        created_at: query.between(CreatedAt::NAMES),
    }
}

/// The built-in module types and those of your organizations.
#[utoipa::path(get, path = "/api/v1/module-types", tag = "module-types", operation_id = "listModuleTypes",
    params(ListParameters, CreatedAt, ModuleTypeParameters),
    responses((status = 200, description = "One page", body = Envelope<Vec<ModuleTypeView>>)))]
pub(crate) async fn list(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<List<ModuleTypeView>, ApiError> {
    let mut query = caller.query();
    let filter = filter_of(&mut query);
    let listing = query.listing(filter, SORT_KEYS);
    query.finish()?;
    Ok(List(platform.module_types().list(&caller, &listing).await?.map(ModuleTypeView::from)))
}

/// Makes a module type of an organization; without one, a superuser makes a built-in one.
#[utoipa::path(post, path = "/api/v1/module-types", tag = "module-types", operation_id = "createModuleType",
    request_body = CreateModuleTypeBody,
    responses((status = 201, description = "The new module type", body = Envelope<ModuleTypeView>)))]
pub(crate) async fn create(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Created<ModuleTypeView>, ApiError> {
    caller.no_query()?;
    let mut body = caller.body().await?.parse::<CreateModuleTypeBody>()?;
    let owner = body.optional_owner(|body| std::mem::take(&mut body.organization_id))?;
    Ok(Created(platform.module_types().create(&caller, owner, body).await?.into()))
}

/// A module type.
#[utoipa::path(get, path = "/api/v1/module-types/{module_type_id}", tag = "module-types", operation_id = "getModuleType",
    params(("module_type_id" = uuid::Uuid, Path), InactiveParameter),
    responses((status = 200, description = "The module type", body = Envelope<ModuleTypeView>)))]
pub(crate) async fn get(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ModuleTypeView>, ApiError> {
    let id = caller.id("module_type_id", "module type")?;
    let inactive = caller.inactive()?;
    Ok(One(platform.module_types().find(&caller, id, inactive).await?.into()))
}

/// Changes a module type; fields that are not given stay.
#[utoipa::path(put, path = "/api/v1/module-types/{module_type_id}", tag = "module-types", operation_id = "updateModuleType",
    params(("module_type_id" = uuid::Uuid, Path), IfMatch), request_body = UpdateModuleTypeBody,
    responses((status = 200, description = "The changed module type", body = Envelope<ModuleTypeView>)))]
pub(crate) async fn update(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ModuleTypeView>, ApiError> {
    let id = caller.id("module_type_id", "module type")?;
    caller.no_query()?;
    let body = caller.body().await?.json::<UpdateModuleTypeBody>();
    Ok(One(platform.module_types().update(&caller, id, body, caller.if_match()).await?.into()))
}

/// Changes a module type (RFC 7396); does the same as `PUT`.
#[utoipa::path(patch, path = "/api/v1/module-types/{module_type_id}", tag = "module-types", operation_id = "patchModuleType",
    params(("module_type_id" = uuid::Uuid, Path), IfMatch),
    request_body(content = UpdateModuleTypeBody, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The changed module type", body = Envelope<ModuleTypeView>)))]
pub(crate) async fn patch(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ModuleTypeView>, ApiError> {
    update(platform, caller).await
}

/// Archives a module type that nothing active uses.
#[utoipa::path(delete, path = "/api/v1/module-types/{module_type_id}", tag = "module-types", operation_id = "archiveModuleType",
    params(("module_type_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The archived module type", body = Envelope<ModuleTypeView>)))]
pub(crate) async fn archive(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ModuleTypeView>, ApiError> {
    let id = caller.id("module_type_id", "module type")?;
    caller.no_query()?;
    Ok(One(platform.module_types().archive(&caller, id, caller.if_match()).await?.into()))
}

/// Brings an archived module type back.
#[utoipa::path(post, path = "/api/v1/module-types/{module_type_id}/restore", tag = "module-types", operation_id = "restoreModuleType",
    params(("module_type_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The restored module type", body = Envelope<ModuleTypeView>)))]
pub(crate) async fn restore(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ModuleTypeView>, ApiError> {
    let id = caller.id("module_type_id", "module type")?;
    caller.no_query()?;
    Ok(One(platform.module_types().restore(&caller, id, caller.if_match()).await?.into()))
}
