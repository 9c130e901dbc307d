//! API keys of users and organizations: bodies, views, handlers.

use actix_web::web;
use serde::{Deserialize, Serialize};
use sitewatch_domain::{
    FieldErrors, Platform,
    api_keys::{ApiKey, ApiKeyChanges, ApiKeySort, IssuedApiKey, KeyOwner, KeysOf, NewApiKey},
    ids::{ApiKeyId, OrgId, UserId},
    stamp::Revision,
    time::Instant,
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
        Address::at("/api/v1/auth/me/api-keys").get(list).post(create),
        Address::at("/api/v1/auth/me/api-keys/{api_key_id}").get(get).put(update).patch(patch).delete(revoke),
        Address::at("/api/v1/organizations/{organization_id}/api-keys")
            .get(list_of_organization)
            .post(create_of_organization),
        Address::at("/api/v1/organizations/{organization_id}/api-keys/{api_key_id}")
            .get(get_of_organization)
            .put(update_of_organization)
            .patch(patch_of_organization)
            .delete(revoke_of_organization),
    ]
}

/// A key as it is made.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"name": "nightly export", "scopes": ["sites:read", "readings:read"], "expires_at": "2035-01-01T00:00:00Z"}))]
pub(crate) struct CreateApiKeyBody {
    /// What you call it.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 200)]
    name: Field<String>,
    /// The permissions that it may use, by their wire names; none that its owner does not hold himself.
    #[schema(value_type = Vec<String>, required = true, min_items = 1, max_items = 64)]
    scopes: Field<Vec<String>>,
    /// Good until then; for ever if not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Field<Instant>,
}

impl Body for CreateApiKeyBody {
    type Input = NewApiKey;

    fn into_input(self, faults: &mut FieldErrors) -> NewApiKey {
        NewApiKey {
            name: self.name.required("name", faults),
            scopes: self.scopes.required("scopes", faults),
            expires_at: self.expires_at.optional("expires_at", faults),
        }
    }
}

/// Changes of a key. Its scopes stay: make another key for others.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"name": "hourly export"}))]
pub(crate) struct UpdateApiKeyBody {
    /// What you call it.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: Field<String>,
    /// Good until then; null for ever.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Field<Instant>,
}

impl Body for UpdateApiKeyBody {
    type Input = ApiKeyChanges;

    const READ_ONLY: &'static [&'static str] =
        &["user_id", "organization_id", "prefix", "scopes", "last_used_at", "last_used_ip"];

    fn into_input(self, faults: &mut FieldErrors) -> ApiKeyChanges {
        ApiKeyChanges {
            name: self.name.change("name", faults),
            expires_at: self.expires_at.clearable("expires_at", faults),
        }
    }
}

/// An API key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(crate) struct ApiKeyView {
    /// The key's id.
    #[schema(value_type = uuid::Uuid)]
    id: ApiKeyId,
    /// The user whose key it is; null for an organization's.
    #[schema(value_type = Option<uuid::Uuid>)]
    user_id: Option<UserId>,
    /// The organization whose key it is; null for a user's.
    #[schema(value_type = Option<uuid::Uuid>)]
    organization_id: Option<OrgId>,
    /// What its owner calls it.
    name: String,
    /// What the key begins with after `swk_`; no secret.
    prefix: String,
    /// The permissions that it may use, as far as its owner holds them.
    scopes: Vec<String>,
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

impl From<ApiKey> for ApiKeyView {
    fn from(key: ApiKey) -> Self {
        let (user_id, organization_id) = match key.owner {
            KeyOwner::User(user) => (Some(user), None),
            KeyOwner::Organization(org) => (None, Some(org)),
        };
        Self {
            id: key.id,
            user_id,
            organization_id,
            name: key.name,
            prefix: key.prefix.as_str().to_owned(),
            scopes: key.scopes,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            last_used_ip: key.last_used_ip,
            stamp: StampView::from(&key.stamp),
            revision: key.stamp.revision,
        }
    }
}

impl Addressed for ApiKeyView {
    fn path(&self) -> String {
        match self.organization_id {
            Some(org) => format!("/api/v1/organizations/{org}/api-keys/{}", self.id),
            None => format!("/api/v1/auth/me/api-keys/{}", self.id),
        }
    }

    fn revision(&self) -> Option<Revision> {
        Some(self.revision)
    }
}

/// A new key with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
#[schema(as = NewApiKey)]
pub(crate) struct NewApiKeyView {
    #[serde(flatten)]
    key: ApiKeyView,
    /// The whole key. Keep it: it cannot be shown again.
    secret: String,
}

impl From<IssuedApiKey> for NewApiKeyView {
    fn from(issued: IssuedApiKey) -> Self {
        Self { key: issued.key.into(), secret: issued.secret.expose().clone() }
    }
}

impl Addressed for NewApiKeyView {
    fn path(&self) -> String {
        self.key.path()
    }

    fn revision(&self) -> Option<Revision> {
        self.key.revision()
    }
}

pub(crate) const SORT_KEYS: &[(&str, ApiKeySort)] = &[
    ("created_at", ApiKeySort::CreatedAt),
    ("name", ApiKeySort::Name),
    ("last_used_at", ApiKeySort::LastUsedAt),
];

/// Your own API keys that have not been revoked.
#[utoipa::path(get, path = "/api/v1/auth/me/api-keys", tag = "api-keys", operation_id = "listApiKeys", params(PageParameters),
    responses((status = 200, description = "One page of keys", body = Envelope<Vec<ApiKeyView>>)))]
pub(crate) async fn list(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<List<ApiKeyView>, ApiError> {
    list_keys(&platform, &caller, KeysOf::Oneself).await
}

/// Makes an API key of your own. Its secret is in this answer and in no other.
#[utoipa::path(post, path = "/api/v1/auth/me/api-keys", tag = "api-keys", operation_id = "createApiKey",
    request_body = CreateApiKeyBody,
    responses((status = 201, description = "The new key with its secret", body = Envelope<NewApiKeyView>)))]
pub(crate) async fn create(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Created<NewApiKeyView>, ApiError> {
    create_key(&platform, &caller, KeysOf::Oneself).await
}

/// An API key of your own.
#[utoipa::path(get, path = "/api/v1/auth/me/api-keys/{api_key_id}", tag = "api-keys", operation_id = "getApiKey",
    params(("api_key_id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The key", body = Envelope<ApiKeyView>)))]
pub(crate) async fn get(platform: web::Data<Platform>, caller: Caller) -> Result<One<ApiKeyView>, ApiError> {
    get_key(&platform, &caller, KeysOf::Oneself).await
}

/// Changes the name or the end of an API key of your own.
#[utoipa::path(put, path = "/api/v1/auth/me/api-keys/{api_key_id}", tag = "api-keys", operation_id = "updateApiKey",
    params(("api_key_id" = uuid::Uuid, Path), IfMatch), request_body = UpdateApiKeyBody,
    responses((status = 200, description = "The changed key", body = Envelope<ApiKeyView>)))]
pub(crate) async fn update(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ApiKeyView>, ApiError> {
    update_key(&platform, &caller, KeysOf::Oneself).await
}

/// Changes the name or the end of an API key of your own (RFC 7396); does the same as `PUT`.
#[utoipa::path(patch, path = "/api/v1/auth/me/api-keys/{api_key_id}", tag = "api-keys", operation_id = "patchApiKey",
    params(("api_key_id" = uuid::Uuid, Path), IfMatch),
    request_body(content = UpdateApiKeyBody, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The changed key", body = Envelope<ApiKeyView>)))]
pub(crate) async fn patch(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ApiKeyView>, ApiError> {
    update(platform, caller).await
}

/// Revokes an API key of your own: it is good for nothing from now on and does not return.
#[utoipa::path(delete, path = "/api/v1/auth/me/api-keys/{api_key_id}", tag = "api-keys", operation_id = "revokeApiKey",
    params(("api_key_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The revoked key", body = Envelope<ApiKeyView>)))]
pub(crate) async fn revoke(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ApiKeyView>, ApiError> {
    revoke_key(&platform, &caller, KeysOf::Oneself).await
}

/// The API keys of an organization that have not been revoked.
#[utoipa::path(get, path = "/api/v1/organizations/{organization_id}/api-keys", tag = "api-keys",
    operation_id = "listOrganizationApiKeys", params(("organization_id" = uuid::Uuid, Path), PageParameters),
    responses((status = 200, description = "One page of keys", body = Envelope<Vec<ApiKeyView>>)))]
pub(crate) async fn list_of_organization(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<List<ApiKeyView>, ApiError> {
    list_keys(&platform, &caller, of_organization(&caller)?).await
}

/// Makes an API key of an organization, which acts as its admin. Its secret is in this answer and in no other.
#[utoipa::path(post, path = "/api/v1/organizations/{organization_id}/api-keys", tag = "api-keys",
    operation_id = "createOrganizationApiKey", params(("organization_id" = uuid::Uuid, Path)),
    request_body = CreateApiKeyBody,
    responses((status = 201, description = "The new key with its secret", body = Envelope<NewApiKeyView>)))]
pub(crate) async fn create_of_organization(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Created<NewApiKeyView>, ApiError> {
    create_key(&platform, &caller, of_organization(&caller)?).await
}

/// An API key of an organization.
#[utoipa::path(get, path = "/api/v1/organizations/{organization_id}/api-keys/{api_key_id}", tag = "api-keys",
    operation_id = "getOrganizationApiKey",
    params(("organization_id" = uuid::Uuid, Path), ("api_key_id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The key", body = Envelope<ApiKeyView>)))]
pub(crate) async fn get_of_organization(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ApiKeyView>, ApiError> {
    get_key(&platform, &caller, of_organization(&caller)?).await
}

/// Changes the name or the end of an API key of an organization.
#[utoipa::path(put, path = "/api/v1/organizations/{organization_id}/api-keys/{api_key_id}", tag = "api-keys",
    operation_id = "updateOrganizationApiKey",
    params(("organization_id" = uuid::Uuid, Path), ("api_key_id" = uuid::Uuid, Path), IfMatch),
    request_body = UpdateApiKeyBody,
    responses((status = 200, description = "The changed key", body = Envelope<ApiKeyView>)))]
pub(crate) async fn update_of_organization(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ApiKeyView>, ApiError> {
    update_key(&platform, &caller, of_organization(&caller)?).await
}

/// Changes the name or the end of an API key of an organization (RFC 7396); does the same as `PUT`.
#[utoipa::path(patch, path = "/api/v1/organizations/{organization_id}/api-keys/{api_key_id}", tag = "api-keys",
    operation_id = "patchOrganizationApiKey",
    params(("organization_id" = uuid::Uuid, Path), ("api_key_id" = uuid::Uuid, Path), IfMatch),
    request_body(content = UpdateApiKeyBody, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The changed key", body = Envelope<ApiKeyView>)))]
pub(crate) async fn patch_of_organization(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ApiKeyView>, ApiError> {
    update_of_organization(platform, caller).await
}

/// Revokes an API key of an organization: it is good for nothing from now on and does not return.
#[utoipa::path(delete, path = "/api/v1/organizations/{organization_id}/api-keys/{api_key_id}", tag = "api-keys",
    operation_id = "revokeOrganizationApiKey",
    params(("organization_id" = uuid::Uuid, Path), ("api_key_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The revoked key", body = Envelope<ApiKeyView>)))]
pub(crate) async fn revoke_of_organization(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ApiKeyView>, ApiError> {
    revoke_key(&platform, &caller, of_organization(&caller)?).await
}

fn of_organization(caller: &Caller) -> Result<KeysOf, ApiError> {
    caller.id("organization_id", "organization").map(KeysOf::Organization)
}

async fn list_keys(platform: &Platform, caller: &Caller, of: KeysOf) -> Result<List<ApiKeyView>, ApiError> {
    let mut query = caller.query();
    let listing = query.unsearched_listing((), SORT_KEYS);
    query.finish()?;
    Ok(List(platform.api_keys().list(caller, of, &listing).await?.map(ApiKeyView::from)))
}

async fn create_key(
    platform: &Platform,
    caller: &Caller,
    of: KeysOf,
) -> Result<Created<NewApiKeyView>, ApiError> {
    caller.no_query()?;
    let body = caller.body().await?.json::<CreateApiKeyBody>();
    Ok(Created(platform.api_keys().create(caller, of, body).await?.into()))
}

async fn get_key(platform: &Platform, caller: &Caller, of: KeysOf) -> Result<One<ApiKeyView>, ApiError> {
    let id = caller.id("api_key_id", "API key")?;
    caller.no_query()?;
    Ok(One(platform.api_keys().find(caller, of, id).await?.into()))
}

async fn update_key(platform: &Platform, caller: &Caller, of: KeysOf) -> Result<One<ApiKeyView>, ApiError> {
    let id = caller.id("api_key_id", "API key")?;
    caller.no_query()?;
    let body = caller.body().await?.json::<UpdateApiKeyBody>();
    Ok(One(platform.api_keys().update(caller, of, id, body, caller.if_match()).await?.into()))
}

async fn revoke_key(platform: &Platform, caller: &Caller, of: KeysOf) -> Result<One<ApiKeyView>, ApiError> {
    let id = caller.id("api_key_id", "API key")?;
    caller.no_query()?;
    Ok(One(platform.api_keys().revoke(caller, of, id, caller.if_match()).await?.into()))
}
