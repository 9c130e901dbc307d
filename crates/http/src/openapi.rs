//! The OpenAPI 3.1 document, put together from the attributes of the handlers.

use std::sync::LazyLock;

use utoipa::{
    Modify, OpenApi,
    openapi::{
        self,
        security::{Flow, HttpAuthScheme, HttpBuilder, OAuth2, Password, Scopes, SecurityScheme},
    },
};

use crate::{docs, error::ErrorBody, error::FieldFault, health, v1};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sitewatch",
        description = "A self-hosted, multi-tenant monitoring platform. Sign in at `POST /api/v1/auth/login`, send the \
                       access token as `Authorization: Bearer …`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
        contact()
    ),
    paths(
        health::health, health::live, health::ready,
        docs::openapi_document, docs::key_set,
        v1::auth::login, v1::auth::token, v1::auth::refresh, v1::auth::logout, v1::auth::me, v1::auth::update_me,
        v1::setup::complete,
        v1::sites::list, v1::sites::create, v1::sites::get, v1::sites::update, v1::sites::patch, v1::sites::archive,
        v1::sites::restore, v1::sites::summary, v1::sites::list_of_organization, v1::sites::create_in_organization,
    ),
    components(schemas(ErrorBody<'static>, FieldFault)),
    modifiers(&Conventions),
)]
struct Document;

/// What every operation shares: the security schemes and the error answers.
struct Conventions;

impl Modify for Conventions {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let password = Flow::Password(Password::new("/api/v1/auth/token", Scopes::new()));
        components.add_security_scheme("password", SecurityScheme::OAuth2(OAuth2::new([password])));
    }
}

static DOCUMENT: LazyLock<openapi::OpenApi> = LazyLock::new(Document::openapi);
static TEXT: LazyLock<String> = LazyLock::new(|| serde_json::to_string_pretty(&*DOCUMENT).unwrap_or_default());

/// The document.
pub fn document() -> &'static openapi::OpenApi {
    &DOCUMENT
}

/// The document as JSON text.
pub(crate) fn text() -> &'static str {
    &TEXT
}
