//! The OpenAPI 3.1 document, put together from the attributes of the handlers, and the same in 3.0.

mod closed;
mod failures;
mod older;
mod queries;

use std::{collections::HashMap, sync::LazyLock};

use sitewatch_domain::limits::RequestClass;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self, ContentBuilder, Deprecated, ObjectBuilder, PathItem, Ref, RefOr, ResponseBuilder, Schema, Type,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        security::{
            ApiKey, ApiKeyValue, Flow, HttpAuthScheme, HttpBuilder, OAuth2, Password, Scopes,
            SecurityRequirement, SecurityScheme,
        },
    },
};

use crate::{
    deprecations::DEPRECATIONS,
    docs,
    error::{ErrorBody, FieldFault},
    health,
    middleware::idempotency,
    server, v1,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sitewatch",
        description = "A self-hosted, multi-tenant monitoring platform. Sign in at `POST /api/v1/auth/login`, send the \
                       access token as `Authorization: Bearer …`. Programs and devices send an API key or a device credential instead, \
                       in the same header or as `X-API-Key`. Every failure has one body, whose `type` has a page below `/problems`; with \
                       `Accept: application/problem+json` it has the form of RFC 9457. `X-API-Version` says in every answer which version of the API \
                       gave it, and in a request which one is meant by a path without a version.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
        contact()
    ),
    paths(
        health::health, health::live, health::ready,
        docs::openapi_document, docs::older_document, docs::key_set,
        v1::auth::login, v1::auth::token, v1::auth::refresh, v1::auth::logout, v1::auth::me, v1::auth::update_me, v1::auth::own_user,
        v1::rights::own,
        v1::api_keys::list, v1::api_keys::create, v1::api_keys::get, v1::api_keys::update, v1::api_keys::patch, v1::api_keys::revoke,
        v1::api_keys::list_of_organization, v1::api_keys::create_of_organization, v1::api_keys::get_of_organization,
        v1::api_keys::update_of_organization, v1::api_keys::patch_of_organization, v1::api_keys::revoke_of_organization,
        v1::passwords::change, v1::passwords::forgot, v1::passwords::reset,
        v1::sessions::list, v1::sessions::end, v1::sessions::logout_all, v1::sessions::list_of_user, v1::sessions::end_of_user,
        v1::sessions::end_all_of_user,
        v1::setup::complete,
        v1::users::list, v1::users::create, v1::users::get, v1::users::update, v1::users::patch, v1::users::archive,
        v1::users::restore, v1::users::organizations, v1::users::assignments,
        v1::organizations::list, v1::organizations::create, v1::organizations::get, v1::organizations::update, v1::organizations::patch, v1::organizations::archive,
        v1::organizations::restore,
        v1::members::list, v1::members::create, v1::members::update, v1::members::patch, v1::members::archive,
        v1::assignments::list, v1::assignments::create, v1::assignments::get, v1::assignments::update,
        v1::assignments::patch, v1::assignments::archive,
        v1::invitations::list, v1::invitations::create, v1::invitations::get, v1::invitations::revoke, v1::invitations::resend, v1::invitations::accept,
        v1::bulk::create_sites, v1::bulk::create_modules,
        v1::sites::list, v1::sites::create, v1::sites::get, v1::sites::update, v1::sites::patch, v1::sites::archive,
        v1::sites::restore, v1::sites::summary, v1::sites::list_of_organization, v1::sites::create_in_organization,
        v1::module_types::list, v1::module_types::create, v1::module_types::get, v1::module_types::update, v1::module_types::patch, v1::module_types::archive,
        v1::module_types::restore,
        v1::metrics::list, v1::metrics::create, v1::metrics::get, v1::metrics::update, v1::metrics::patch, v1::metrics::archive,
        v1::metrics::restore,
        v1::modules::list, v1::modules::create, v1::modules::get, v1::modules::update, v1::modules::patch, v1::modules::archive,
        v1::modules::restore, v1::modules::relocate, v1::modules::heartbeat, v1::modules::latest,
        v1::modules::list_of_site, v1::modules::create_at_site, v1::modules::list_of_organization,
        v1::device_credentials::list_of_module, v1::device_credentials::create_of_module, v1::device_credentials::get_of_module,
        v1::device_credentials::rotate_of_module, v1::device_credentials::revoke_of_module,
        v1::device_credentials::list_of_site, v1::device_credentials::create_of_site, v1::device_credentials::get_of_site,
        v1::device_credentials::rotate_of_site, v1::device_credentials::revoke_of_site,
        v1::readings::list, v1::readings::rejects, v1::readings::ingest_for, v1::readings::ingest, v1::readings::delete, v1::telemetry::query,
        v1::rollups::list, v1::rollups::list_of_site,
        v1::reports::list, v1::reports::create, v1::reports::get, v1::reports::update, v1::reports::patch, v1::reports::archive,
        v1::reports::restore,
        v1::report_runs::run, v1::report_runs::list, v1::report_runs::get, v1::report_runs::download,
        v1::jobs::list, v1::jobs::get, v1::jobs::retry, v1::jobs::cancel,
        v1::audit::list, v1::audit::list_of_organization, v1::meta::version, v1::meta::permissions, v1::meta::deprecations,
    ),
    components(schemas(ErrorBody<'static>, FieldFault)),
    tags(
        (name = "auth", description = "Signing in and out, the signed-in user, the first set-up"),
        (name = "api-keys", description = "What programs show instead of signing in"),
        (name = "device-credentials", description = "What modules show when they send readings"),
        (name = "users", description = "People, in all organizations"),
        (name = "organizations", description = "Tenants, their members and what is assigned to whom"),
        (name = "sites", description = "Places with modules, and their live figures"),
        (name = "modules", description = "Devices that report: where they are, when they were last heard of"),
        (name = "module-types", description = "Makes and models: what they measure and how often they report"),
        (name = "metrics", description = "What can be measured: units, kinds and limits"),
        (name = "readings", description = "Measured values: taking them in and asking for them"),
        (name = "reports", description = "What happened in a day, a week or a month, as a file"),
        (name = "jobs", description = "Work that is done later: how far it is, running it again, taking it back"),
        (name = "audit", description = "Who did what to which resource"),
        (name = "meta", description = "About the API itself"),
        (name = "health", description = "Signs of life, for supervisors and load balancers"),
    ),
    modifiers(&Conventions),
)]
struct Document;

/// What every operation shares: the security schemes, the error answers, what the ids in paths mean; and what the
/// derives write that is not so.
struct Conventions;

/// Operations that everybody may call; all others need a token.
const PUBLIC: &[&str] = &[
    "getHealth",
    "getHealthLive",
    "getHealthReady",
    "getOpenApi",
    "getOpenApi30",
    "getKeySet",
    "login",
    "createToken",
    "refresh",
    "forgotPassword",
    "resetPassword",
    "completeSetup",
    "acceptInvitation",
    "getVersion",
    "listDeprecations",
];

/// What the ids in paths mean.
const PATH_IDS: &[(&str, &str)] = &[
    ("api_key_id", "The API key's id"),
    ("assignment_id", "The assignment's id"),
    ("credential_id", "The credential's id"),
    ("job_id", "The job's id"),
    ("metric_id", "The metric's id"),
    ("module_id", "The module's id"),
    ("module_type_id", "The module type's id"),
    ("organization_id", "The organization's id"),
    ("report_id", "The report's id"),
    ("run_id", "The run's id"),
    ("session_id", "The session's id"),
    ("site_id", "The site's id"),
    ("user_id", "The user's id"),
];

impl Modify for Conventions {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let password = Flow::Password(Password::new("/api/v1/auth/token", Scopes::new()));
        components.add_security_scheme("password", SecurityScheme::OAuth2(OAuth2::new([password])));
        let header = ApiKey::Header(ApiKeyValue::new("X-API-Key"));
        components.add_security_scheme("key", SecurityScheme::ApiKey(header));
        let schemes = || {
            ["bearer", "password", "key"]
                .map(|name| SecurityRequirement::new(name, Vec::<String>::new()))
                .to_vec()
        };
        let failure = ResponseBuilder::new()
            .description("Any failure; `type` says which")
            .content(
                "application/json",
                ContentBuilder::new().schema(Some(Ref::from_schema_name("Error"))).build(),
            )
            .build();
        failures::describe(components);
        closed::close(components);
        let classes = classes();
        for (path, item) in &mut document.paths.paths {
            if let Some(operation) = item.post.as_mut().filter(|operation| takes_key(path, operation)) {
                operation.parameters.get_or_insert_default().push(idempotency_key().into());
            }
            for (method, operation) in operations_of(item) {
                let name = operation.operation_id.as_deref().unwrap_or_default();
                let is_deprecated = DEPRECATIONS.iter().any(|deprecation| deprecation.operation == name);
                operation.security = Some(if PUBLIC.contains(&name) { Vec::new() } else { schemes() });
                operation
                    .responses
                    .responses
                    .entry("default".into())
                    .or_insert_with(|| failure.clone().into());
                failures::name_all(path, method == "GET", operation);
                if is_deprecated {
                    operation.deprecated = Some(Deprecated::True);
                }
                describe_path_ids(operation);
                closed::close_operation(operation);
                queries::close(operation);
                if let Some(class) = classes.get(&(method.to_owned(), path.clone())) {
                    let extensions = operation.extensions.get_or_insert_default();
                    extensions.insert("x-rate-limit-class".to_owned(), (*class).into());
                }
            }
        }
        for schema in components.schemas.values_mut() {
            if let RefOr::T(Schema::Object(object)) = schema {
                object.properties.values_mut().for_each(forget_null_default);
            }
        }
    }
}

/// The derive writes the default of every field of a body; theirs is to be absent, which JSON Schema cannot say.
fn forget_null_default(property: &mut RefOr<Schema>) {
    let RefOr::T(schema) = property else { return };
    let default = match schema {
        Schema::Array(array) => &mut array.default,
        Schema::Object(object) => &mut object.default,
        Schema::OneOf(one_of) => &mut one_of.default,
        Schema::AllOf(all_of) => &mut all_of.default,
        Schema::AnyOf(any_of) => &mut any_of.default,
        _ => return,
    };
    default.take_if(|value| value.is_null());
}

fn takes_key(path: &str, operation: &Operation) -> bool {
    let name = operation.operation_id.as_deref().unwrap_or_default();
    !PUBLIC.contains(&name) && idempotency::takes_key(path)
}

fn idempotency_key() -> Parameter {
    let key = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(idempotency::KEY_LENGTH))
        .pattern(Some(r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$"));
    ParameterBuilder::new()
        .name(idempotency::KEY)
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "A text of your choice, one for each request: sent again with the same one within 24 hours, the request has no \
             second effect and the same answer, marked with `Idempotent-Replayed: true`",
        ))
        .schema(Some(key))
        .build()
}

fn describe_path_ids(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.parameter_in == ParameterIn::Path
        {
            let meaning = PATH_IDS.iter().find(|(name, _)| *name == parameter.name);
            parameter.description = meaning.map(|(_, meaning)| (*meaning).to_owned());
        }
    }
}

/// The class of limits of each operation, by method and path.
fn classes() -> HashMap<(String, String), &'static str> {
    let mut classes = HashMap::new();
    for address in server::addresses() {
        for (method, class) in address.methods() {
            let name = class.map_or("none", RequestClass::name);
            classes.insert((method.to_string(), address.path().to_owned()), name);
        }
    }
    classes
}

fn operations_of(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let all = [("GET", get), ("PUT", put), ("POST", post), ("DELETE", delete), ("PATCH", patch)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

static DOCUMENT: LazyLock<openapi::OpenApi> = LazyLock::new(Document::openapi);
static TEXT: LazyLock<String> =
    LazyLock::new(|| serde_json::to_string_pretty(&*DOCUMENT).unwrap_or_default());

static OLDER_TEXT: LazyLock<String> = LazyLock::new(|| {
    let older = serde_json::to_value(&*DOCUMENT).map(|document| older::downgraded(&document));
    older.and_then(|older| serde_json::to_string_pretty(&older)).unwrap_or_default()
});

/// The document.
pub fn document() -> &'static openapi::OpenApi {
    &DOCUMENT
}

/// The document as JSON text.
pub fn text() -> &'static str {
    &TEXT
}

/// The document in OpenAPI 3.0, as JSON text.
pub fn older_text() -> &'static str {
    &OLDER_TEXT
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn the_document_that_is_kept_is_the_one_that_is_served() {
        let kept = include_str!("../../../docs/openapi.json");
        assert!(kept.trim_end() == text(), "docs/openapi.json is not what the code says: run `make openapi`");
    }

    #[test]
    fn no_default_is_null() {
        assert!(!text().contains("\"default\": null"));
    }
}
