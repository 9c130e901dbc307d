//! The OpenAPI document, its reader at `/docs`, and the public keys of access tokens.

use actix_web::{
    HttpResponse,
    http::header::{self, HeaderValue},
    web,
};
use sitewatch_domain::Platform;
use utoipa_swagger_ui::Config;

use crate::{error::ApiError, openapi, routes::Address};

/// What its pages may do: they show pictures of their own sheet, and fill in forms. Swagger UI sets one sheet from its
/// script, which the digest names.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// The pages of Swagger UI, vendored: nothing is loaded from another host.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    // The validator badge would send the document's address to a host of somebody else's.
    let settings = Config::from("/openapi.json")
        .validator_url("none")
        .display_request_duration(true)
        .persist_authorization(false)
        .try_it_out_enabled(false);
    config.app_data(web::Data::new(settings));
    // Whoever opens the bare address in a browser finds something to read.
    config.service(Address::at("/").get(to_reader).unlimited().into_resource());
    config.service(Address::at("/docs").get(to_reader).unlimited().into_resource());
    config.service(Address::at("/docs/{file:.*}").get(reader).unlimited().into_resource());
}

async fn to_reader() -> HttpResponse {
    HttpResponse::TemporaryRedirect().insert_header((header::LOCATION, "/docs/")).finish()
}

/// A file of the reader. Its own service of the library's would answer GET alone, and 404 to every other method.
async fn reader(
    file: web::Path<String>,
    settings: web::Data<Config<'static>>,
) -> Result<HttpResponse, ApiError> {
    let name = if file.is_empty() { "index.html" } else { file.as_str() };
    let found = utoipa_swagger_ui::serve(name, settings.into_inner());
    match found.map_err(|error| ApiError::internal(error.to_string()))? {
        Some(file) => Ok(HttpResponse::Ok()
            .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
            .content_type(file.content_type)
            .body(file.bytes.into_owned())),
        None => Err(ApiError::unknown_route()),
    }
}

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/openapi.json").get(openapi_document).unlimited(),
        Address::at("/openapi-3.0.json").get(older_document).unlimited(),
        Address::at("/.well-known/jwks.json").get(key_set).unlimited(),
    ]
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "meta", operation_id = "getOpenApi",
    responses((status = 200, description = "The OpenAPI 3.1 document", body = serde_json::Value)))]
pub(crate) async fn openapi_document() -> HttpResponse {
    json(openapi::text().to_owned())
}

/// The same for tools that read OpenAPI 3.0 alone.
#[utoipa::path(get, path = "/openapi-3.0.json", tag = "meta", operation_id = "getOpenApi30",
    responses((status = 200, description = "The OpenAPI 3.0 document", body = serde_json::Value)))]
pub(crate) async fn older_document() -> HttpResponse {
    json(openapi::older_text().to_owned())
}

/// The public keys that access tokens are signed with (RFC 7517).
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "meta", operation_id = "getKeySet",
    responses((status = 200, description = "A JSON Web Key Set", body = serde_json::Value)))]
pub(crate) async fn key_set(platform: web::Data<Platform>) -> HttpResponse {
    json(platform.jwks())
}

fn json(body: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")))
        .body(body)
}
