//! About the API itself.

use serde::Serialize;
use sitewatch_domain::{
    access::{PermissionKind, Role},
    time::Instant,
};
use utoipa::ToSchema;

use crate::{
    caller::{Caller, Visitor},
    deprecations::DEPRECATIONS,
    envelope::{All, Envelope, Plain},
    error::ApiError,
    routes::Address,
    versions::VERSIONS,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/api/v1/meta/version").get(version),
        Address::at("/api/v1/meta/permissions").get(permissions),
        Address::at("/api/v1/meta/deprecations").get(deprecations),
    ]
}

/// Which program answers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Version)]
pub(crate) struct VersionView {
    /// The program.
    #[schema(example = "sitewatch")]
    name: &'static str,
    /// Its version.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// The versions of the API that it speaks.
    api_versions: [&'static str; VERSIONS.len()],
}

/// A permission and who holds it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Permission)]
pub(crate) struct PermissionView {
    /// The permission's own name.
    #[schema(example = "ManageSites")]
    name: &'static str,
    /// The name that API keys know it by.
    #[schema(example = "sites:write")]
    scope: &'static str,
    /// The roles that hold it; a superuser holds all.
    roles: Vec<&'static str>,
}

/// An operation that clients should leave.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Deprecation)]
pub(crate) struct DeprecationView {
    /// The method.
    #[schema(example = "GET")]
    method: &'static str,
    /// The path, as the OpenAPI document has it.
    #[schema(example = "/api/v1/users/me")]
    route: &'static str,
    /// Since when it is deprecated.
    #[schema(value_type = String, format = DateTime, example = "2026-11-01T00:00:00.000Z")]
    since: Instant,
    /// Until when it is served at least.
    #[schema(value_type = String, format = DateTime, example = "2027-11-01T00:00:00.000Z")]
    sunset: Instant,
    /// The path to use instead, with the same method.
    #[schema(example = "/api/v1/auth/me")]
    replacement: &'static str,
}

/// Which program answers.
#[utoipa::path(get, path = "/api/v1/meta/version", tag = "meta", operation_id = "getVersion",
    responses((status = 200, description = "The version", body = Envelope<VersionView>)))]
pub(crate) async fn version(visitor: Visitor) -> Result<Plain<VersionView>, ApiError> {
    visitor.no_query()?;
    Ok(Plain(VersionView { name: "sitewatch", version: env!("CARGO_PKG_VERSION"), api_versions: VERSIONS }))
}

/// The permission table.
#[utoipa::path(get, path = "/api/v1/meta/permissions", tag = "meta", operation_id = "listPermissions",
    responses((status = 200, description = "All permissions", body = Envelope<Vec<PermissionView>>)))]
pub(crate) async fn permissions(caller: Caller) -> Result<All<PermissionView>, ApiError> {
    caller.require_no_device()?;
    caller.no_query()?;
    let view = |kind: &PermissionKind| PermissionView {
        name: kind.name(),
        scope: kind.wire_name(),
        roles: kind.holders().iter().copied().map(Role::name).collect(),
    };
    Ok(All(PermissionKind::ALL.iter().map(view).collect()))
}

/// What is on its way out, until when, and what to use instead.
#[utoipa::path(get, path = "/api/v1/meta/deprecations", tag = "meta", operation_id = "listDeprecations",
    responses((status = 200, description = "All deprecations", body = Envelope<Vec<DeprecationView>>)))]
pub(crate) async fn deprecations(visitor: Visitor) -> Result<All<DeprecationView>, ApiError> {
    visitor.no_query()?;
    let views = DEPRECATIONS.iter().map(|deprecation| DeprecationView {
        method: deprecation.method,
        route: deprecation.path,
        since: deprecation.since(),
        sunset: deprecation.sunset(),
        replacement: deprecation.successor,
    });
    Ok(All(views.collect()))
}
