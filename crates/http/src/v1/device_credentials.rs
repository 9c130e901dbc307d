//! Credentials of devices, below their module or site: bodies, views, handlers.

use actix_web::web;
use serde::{Deserialize, Serialize};
use sitewatch_domain::{
    FieldErrors, Platform,
    access::Spot,
    device_credentials::{DeviceCredential, IssuedDeviceCredential, NewDeviceCredential},
    ids::{DeviceCredentialId, ModuleId, OrgId, SiteId},
    stamp::Revision,
    time::Instant,
};
use utoipa::ToSchema;

use super::views::{IfMatch, StampView};
use crate::{
    body::{Body, Field},
    caller::Caller,
    envelope::{Addressed, All, Created, Envelope, One},
    error::ApiError,
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/api/v1/modules/{module_id}/credentials").get(list_of_module).post(create_of_module),
        Address::at("/api/v1/modules/{module_id}/credentials/{credential_id}")
            .get(get_of_module)
            .delete(revoke_of_module),
        Address::at("/api/v1/modules/{module_id}/credentials/{credential_id}/rotate").post(rotate_of_module),
        Address::at("/api/v1/sites/{site_id}/credentials").get(list_of_site).post(create_of_site),
        Address::at("/api/v1/sites/{site_id}/credentials/{credential_id}")
            .get(get_of_site)
            .delete(revoke_of_site),
        Address::at("/api/v1/sites/{site_id}/credentials/{credential_id}/rotate").post(rotate_of_site),
    ]
}

/// A credential as it is made; the body may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"expires_at": "2035-01-01T00:00:00Z"}))]
pub(crate) struct CreateDeviceCredentialBody {
    /// Good until then; for ever if not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Field<Instant>,
}

impl Body for CreateDeviceCredentialBody {
    type Input = NewDeviceCredential;

    fn into_input(self, faults: &mut FieldErrors) -> NewDeviceCredential {
        NewDeviceCredential { expires_at: self.expires_at.optional("expires_at", faults) }
    }
}

/// A device credential, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeviceCredential)]
pub(crate) struct DeviceCredentialView {
    /// The credential's id.
    #[schema(value_type = uuid::Uuid)]
    id: DeviceCredentialId,
    /// The organization.
    #[schema(value_type = uuid::Uuid)]
    organization_id: OrgId,
    /// The site, if it stands for all modules that are there.
    #[schema(value_type = Option<uuid::Uuid>)]
    site_id: Option<SiteId>,
    /// The module, if it stands for one.
    #[schema(value_type = Option<uuid::Uuid>)]
    module_id: Option<ModuleId>,
    /// What it begins with after `mdk_`; no secret.
    prefix: String,
    /// Good until then; null for ever.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Instant>,
    /// When it was last used, to the minute; null if never.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Instant>,
    /// From which address.
    last_used_ip: Option<String>,
    #[serde(flatten)]
    stamp: StampView,
    #[serde(skip)]
    revision: Revision,
}

impl From<DeviceCredential> for DeviceCredentialView {
    fn from(credential: DeviceCredential) -> Self {
        Self {
            id: credential.id,
            organization_id: credential.organization_id,
            site_id: credential.site_id,
            module_id: credential.module_id,
            prefix: credential.prefix.as_str().to_owned(),
            expires_at: credential.expires_at,
            last_used_at: credential.last_used_at,
            last_used_ip: credential.last_used_ip,
            stamp: StampView::from(&credential.stamp),
            revision: credential.stamp.revision,
        }
    }
}

impl Addressed for DeviceCredentialView {
    fn path(&self) -> String {
        match (self.site_id, self.module_id) {
            (Some(site), _) => format!("/api/v1/sites/{site}/credentials/{}", self.id),
            (None, Some(module)) => format!("/api/v1/modules/{module}/credentials/{}", self.id),
            (None, None) => String::new(),
        }
    }

    fn revision(&self) -> Option<Revision> {
        Some(self.revision)
    }
}

/// A new credential with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
#[schema(as = NewDeviceCredential)]
pub(crate) struct NewDeviceCredentialView {
    #[serde(flatten)]
    credential: DeviceCredentialView,
    /// The whole credential, for the device. It cannot be shown again.
    secret: String,
}

impl From<IssuedDeviceCredential> for NewDeviceCredentialView {
    fn from(issued: IssuedDeviceCredential) -> Self {
        Self { credential: issued.credential.into(), secret: issued.secret.expose().clone() }
    }
}

impl Addressed for NewDeviceCredentialView {
    fn path(&self) -> String {
        self.credential.path()
    }

    fn revision(&self) -> Option<Revision> {
        self.credential.revision()
    }
}

/// The credentials of a module that have not been revoked, the newest first.
#[utoipa::path(get, path = "/api/v1/modules/{module_id}/credentials", tag = "device-credentials",
    operation_id = "listModuleCredentials", params(("module_id" = uuid::Uuid, Path)),
    responses((status = 200, description = "All of them", body = Envelope<Vec<DeviceCredentialView>>)))]
pub(crate) async fn list_of_module(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<All<DeviceCredentialView>, ApiError> {
    list(&platform, &caller, module(&caller)?).await
}

/// Makes a credential for a module. Its secret is in this answer and in no other.
#[utoipa::path(post, path = "/api/v1/modules/{module_id}/credentials", tag = "device-credentials",
    operation_id = "createModuleCredential", params(("module_id" = uuid::Uuid, Path)),
    request_body(content = Option<CreateDeviceCredentialBody>),
    responses((status = 201, description = "The new credential with its secret", body = Envelope<NewDeviceCredentialView>)))]
pub(crate) async fn create_of_module(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Created<NewDeviceCredentialView>, ApiError> {
    create(&platform, &caller, module(&caller)?).await
}

/// A credential of a module.
#[utoipa::path(get, path = "/api/v1/modules/{module_id}/credentials/{credential_id}", tag = "device-credentials",
    operation_id = "getModuleCredential",
    params(("module_id" = uuid::Uuid, Path), ("credential_id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The credential", body = Envelope<DeviceCredentialView>)))]
pub(crate) async fn get_of_module(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<DeviceCredentialView>, ApiError> {
    get(&platform, &caller, module(&caller)?).await
}

/// Makes a credential that is to take the place of this one, which stays good until you revoke it.
#[utoipa::path(post, path = "/api/v1/modules/{module_id}/credentials/{credential_id}/rotate", tag = "device-credentials",
    operation_id = "rotateModuleCredential",
    params(("module_id" = uuid::Uuid, Path), ("credential_id" = uuid::Uuid, Path)),
    request_body(content = Option<CreateDeviceCredentialBody>),
    responses((status = 201, description = "The new credential with its secret", body = Envelope<NewDeviceCredentialView>)))]
pub(crate) async fn rotate_of_module(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Created<NewDeviceCredentialView>, ApiError> {
    rotate(&platform, &caller, module(&caller)?).await
}

/// Revokes a credential of a module: it is good for nothing from now on and does not return.
#[utoipa::path(delete, path = "/api/v1/modules/{module_id}/credentials/{credential_id}", tag = "device-credentials",
    operation_id = "revokeModuleCredential",
    params(("module_id" = uuid::Uuid, Path), ("credential_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The revoked credential", body = Envelope<DeviceCredentialView>)))]
pub(crate) async fn revoke_of_module(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<DeviceCredentialView>, ApiError> {
    revoke(&platform, &caller, module(&caller)?).await
}

/// The credentials of a site that have not been revoked, the newest first.
#[utoipa::path(get, path = "/api/v1/sites/{site_id}/credentials", tag = "device-credentials",
    operation_id = "listSiteCredentials", params(("site_id" = uuid::Uuid, Path)),
    responses((status = 200, description = "All of them", body = Envelope<Vec<DeviceCredentialView>>)))]
pub(crate) async fn list_of_site(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<All<DeviceCredentialView>, ApiError> {
    list(&platform, &caller, site(&caller)?).await
}

/// Makes a credential for all modules of a site. Its secret is in this answer and in no other.
#[utoipa::path(post, path = "/api/v1/sites/{site_id}/credentials", tag = "device-credentials",
    operation_id = "createSiteCredential", params(("site_id" = uuid::Uuid, Path)),
    request_body(content = Option<CreateDeviceCredentialBody>),
    responses((status = 201, description = "The new credential with its secret", body = Envelope<NewDeviceCredentialView>)))]
pub(crate) async fn create_of_site(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Created<NewDeviceCredentialView>, ApiError> {
    create(&platform, &caller, site(&caller)?).await
}

/// A credential of a site.
#[utoipa::path(get, path = "/api/v1/sites/{site_id}/credentials/{credential_id}", tag = "device-credentials",
    operation_id = "getSiteCredential",
    params(("site_id" = uuid::Uuid, Path), ("credential_id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The credential", body = Envelope<DeviceCredentialView>)))]
pub(crate) async fn get_of_site(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<DeviceCredentialView>, ApiError> {
    get(&platform, &caller, site(&caller)?).await
}

/// Makes a credential that is to take the place of this one, which stays good until you revoke it.
#[utoipa::path(post, path = "/api/v1/sites/{site_id}/credentials/{credential_id}/rotate", tag = "device-credentials",
    operation_id = "rotateSiteCredential",
    params(("site_id" = uuid::Uuid, Path), ("credential_id" = uuid::Uuid, Path)),
    request_body(content = Option<CreateDeviceCredentialBody>),
    responses((status = 201, description = "The new credential with its secret", body = Envelope<NewDeviceCredentialView>)))]
pub(crate) async fn rotate_of_site(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Created<NewDeviceCredentialView>, ApiError> {
    rotate(&platform, &caller, site(&caller)?).await
}

/// Revokes a credential of a site: it is good for nothing from now on and does not return.
#[utoipa::path(delete, path = "/api/v1/sites/{site_id}/credentials/{credential_id}", tag = "device-credentials",
    operation_id = "revokeSiteCredential",
    params(("site_id" = uuid::Uuid, Path), ("credential_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The revoked credential", body = Envelope<DeviceCredentialView>)))]
pub(crate) async fn revoke_of_site(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<DeviceCredentialView>, ApiError> {
    revoke(&platform, &caller, site(&caller)?).await
}

fn module(caller: &Caller) -> Result<Spot, ApiError> {
    caller.id("module_id", "module").map(Spot::Module)
}

fn site(caller: &Caller) -> Result<Spot, ApiError> {
    caller.id("site_id", "site").map(Spot::Site)
}

async fn list(
    platform: &Platform,
    caller: &Caller,
    spot: Spot,
) -> Result<All<DeviceCredentialView>, ApiError> {
    caller.no_query()?;
    let found = platform.device_credentials().list(caller, spot).await?;
    Ok(All(found.into_iter().map(Into::into).collect()))
}

async fn create(
    platform: &Platform,
    caller: &Caller,
    spot: Spot,
) -> Result<Created<NewDeviceCredentialView>, ApiError> {
    caller.no_query()?;
    let body = caller.body().await?.optional::<CreateDeviceCredentialBody>();
    Ok(Created(platform.device_credentials().create(caller, spot, body).await?.into()))
}

async fn get(
    platform: &Platform,
    caller: &Caller,
    spot: Spot,
) -> Result<One<DeviceCredentialView>, ApiError> {
    let id = caller.id("credential_id", "credential")?;
    caller.no_query()?;
    Ok(One(platform.device_credentials().find(caller, spot, id).await?.into()))
}

async fn rotate(
    platform: &Platform,
    caller: &Caller,
    spot: Spot,
) -> Result<Created<NewDeviceCredentialView>, ApiError> {
    let id = caller.id("credential_id", "credential")?;
    caller.no_query()?;
    let body = caller.body().await?.optional::<CreateDeviceCredentialBody>();
    Ok(Created(platform.device_credentials().rotate(caller, spot, id, body).await?.into()))
}

async fn revoke(
    platform: &Platform,
    caller: &Caller,
    spot: Spot,
) -> Result<One<DeviceCredentialView>, ApiError> {
    let id = caller.id("credential_id", "credential")?;
    caller.no_query()?;
    Ok(One(platform.device_credentials().revoke(caller, spot, id, caller.if_match()).await?.into()))
}
