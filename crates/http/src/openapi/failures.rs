//! The failures that operations share, so that every operation names all that it answers.

use serde_json::json;
use utoipa::openapi::{
    Components, ContentBuilder, Ref, RefOr, Response, ResponseBuilder,
    path::{Operation, ParameterIn},
};

use crate::error::ErrorType;

/// A failure under the name that operations refer to it by.
struct Failure {
    status: &'static str,
    name: &'static str,
    kind: ErrorType,
    /// What the example says, for people.
    detail: &'static str,
}

const fn failure(status: &'static str, name: &'static str, kind: ErrorType, detail: &'static str) -> Failure {
    Failure { status, name, kind, detail }
}

const BAD_REQUEST: Failure =
    failure("400", "BadRequest", ErrorType::BadRequest, "the body is not valid JSON (line 1, column 2)");
const UNAUTHENTICATED: Failure =
    failure("401", "Unauthenticated", ErrorType::Unauthenticated, "a bearer token is needed");
const FORBIDDEN: Failure =
    failure("403", "Forbidden", ErrorType::Forbidden, "this needs the permission sites:write");
const NOT_FOUND: Failure = failure("404", "NotFound", ErrorType::NotFound, "site not found");
const REQUEST_TIMEOUT: Failure =
    failure("408", "RequestTimeout", ErrorType::RequestTimeout, "the request did not arrive in time");
const CONFLICT: Failure =
    failure("409", "Conflict", ErrorType::Conflict, "another active site of the organization has this name");
const PRECONDITION_FAILED: Failure = failure(
    "412",
    "PreconditionFailed",
    ErrorType::PreconditionFailed,
    "the object was changed since you read it; read it again",
);
const TOO_LARGE: Failure =
    failure("413", "TooLarge", ErrorType::TooLarge, "the body must be at most 262144 bytes long");
const UNSUPPORTED_MEDIA_TYPE: Failure = failure(
    "415",
    "UnsupportedMediaType",
    ErrorType::UnsupportedMediaType,
    "the body must be of the type application/json",
);
const VALIDATION_ERROR: Failure =
    failure("422", "ValidationError", ErrorType::ValidationError, "the input is not valid");
const RATE_LIMITED: Failure =
    failure("429", "RateLimited", ErrorType::RateLimited, "too many requests; try again later");
const INTERNAL: Failure = failure(
    "500",
    "Internal",
    ErrorType::Internal,
    "the server failed; its log knows more under the request id",
);
const UNAVAILABLE: Failure = failure(
    "503",
    "Unavailable",
    ErrorType::Unavailable,
    "the service is busy or not available; try again later",
);

const ALL: [&Failure; 13] = [
    &BAD_REQUEST,
    &UNAUTHENTICATED,
    &FORBIDDEN,
    &NOT_FOUND,
    &REQUEST_TIMEOUT,
    &CONFLICT,
    &PRECONDITION_FAILED,
    &TOO_LARGE,
    &UNSUPPORTED_MEDIA_TYPE,
    &VALIDATION_ERROR,
    &RATE_LIMITED,
    &INTERNAL,
    &UNAVAILABLE,
];

/// Adds what operations refer to.
pub(super) fn describe(components: &mut Components) {
    for failure in ALL {
        components.responses.insert(failure.name.to_owned(), RefOr::T(failure.described()));
    }
}

/// Names what an operation answers beside what it says of itself.
pub(super) fn name_all(path: &str, reads: bool, operation: &mut Operation) {
    let failures = failures_of(path, reads, operation);
    for failure in failures {
        let answers = &mut operation.responses.responses;
        answers
            .entry(failure.status.to_owned())
            .or_insert_with(|| RefOr::Ref(Ref::from_response_name(failure.name)));
    }
}

fn failures_of(path: &str, reads: bool, operation: &Operation) -> Vec<&'static Failure> {
    // What has no version is no part of the API proper: it takes nothing, and asks nobody who he is.
    if !path.starts_with("/api/") {
        return Vec::new();
    }
    let mut failures = vec![&BAD_REQUEST, &VALIDATION_ERROR, &RATE_LIMITED, &INTERNAL, &UNAVAILABLE];
    if operation.security.as_ref().is_some_and(|schemes| !schemes.is_empty()) {
        failures.extend([&UNAUTHENTICATED, &FORBIDDEN]);
        if !reads {
            // What a body names may be out of sight too.
            failures.extend([&NOT_FOUND, &CONFLICT]);
        }
    }
    if path.contains('{') {
        failures.push(&NOT_FOUND);
    }
    if operation.request_body.is_some() {
        failures.extend([&REQUEST_TIMEOUT, &TOO_LARGE, &UNSUPPORTED_MEDIA_TYPE]);
    }
    let has_precondition = operation.parameters.iter().flatten().any(|parameter| {
        matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Header && parameter.name == "If-Match")
    });
    if has_precondition {
        failures.push(&PRECONDITION_FAILED);
    }
    failures
}

impl Failure {
    fn described(&self) -> Response {
        let faults = match self.kind {
            ErrorType::ValidationError => json!([{ "field": "name", "message": "must not be empty" }]),
            _ => json!([]),
        };
        let example = json!({
            "detail": self.detail,
            "status_code": self.status.parse::<u16>().unwrap_or_default(),
            "type": self.kind.word(),
            "field_errors": faults,
            "request_id": "019ad000-0000-7000-8000-000000000000",
        });
        let content =
            ContentBuilder::new().schema(Some(Ref::from_schema_name("Error"))).example(Some(example)).build();
        let description = format!("{} ({})", self.kind.meaning().title, self.kind.page());
        ResponseBuilder::new().description(description).content("application/json", content).build()
    }
}
