//! The one error body, and the one place where an error becomes a status.

use std::{fmt, time::Duration};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        ConnectionType, StatusCode,
        header::{self, HeaderValue},
    },
};
use serde::Serialize;
use sitewatch_domain::{Error, FieldErrors, Rule, access::PermissionKind, error::TokenFault};
use utoipa::ToSchema;

pub use crate::error_types::ErrorType;

/// Every failure of the API as it leaves the server. Built from a domain error, or from a refusal of HTTP's own.
///
/// Its `Debug` form never contains what a client sent.
#[derive(Clone)]
pub struct ApiError(Box<Failure>);

/// What an [`ApiError`] holds; boxed, since results are moved about far more often than they fail.
#[derive(Clone)]
struct Failure {
    status: StatusCode,
    kind: ErrorType,
    detail: String,
    field_errors: Vec<FieldFault>,
    retry_after: Option<Duration>,
    challenge: Option<&'static str>,
    /// The right that was missing.
    denied: Option<PermissionKind>,
    /// Whether the same request may succeed if it is sent again.
    is_passing: bool,
    /// Whether it is one of very many, and counted where it was decided.
    is_of_a_crowd: bool,
    /// The source chain of a fault of ours, for the log.
    cause: Option<String>,
}

/// One fault of an input.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldFault {
    /// The path of the field, like `name` or `readings[3].value`.
    #[schema(example = "name")]
    pub field: String,
    /// What is wrong and what would be right.
    #[schema(example = "must not be empty")]
    pub message: String,
}

/// The body of every answer that is not a success. Whoever accepts `application/problem+json` is given the same as RFC 9457 has it,
/// with the address of the page about the type as `type`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody<'a> {
    /// What went wrong, for people.
    #[schema(example = "site not found")]
    pub detail: &'a str,
    /// The HTTP status.
    #[schema(example = 404)]
    pub status_code: u16,
    /// What went wrong, for programs; one of a closed list.
    #[serde(rename = "type")]
    #[schema(example = "not_found")]
    pub kind: ErrorType,
    /// The faults of the input, if that is what went wrong.
    pub field_errors: &'a [FieldFault],
    /// Names the request in the server's log.
    pub request_id: &'a str,
}

/// The same as RFC 9457 has it, beside which the members of the other form stay.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    page: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    status_code: u16,
    field_errors: &'a [FieldFault],
    request_id: &'a str,
}

impl ApiError {
    fn new(status: StatusCode, kind: ErrorType, detail: impl Into<String>) -> Self {
        Self(Box::new(Failure {
            status,
            kind,
            detail: detail.into(),
            field_errors: Vec::new(),
            retry_after: None,
            challenge: None,
            denied: None,
            is_passing: false,
            is_of_a_crowd: false,
            cause: None,
        }))
    }

    /// No such route.
    pub fn unknown_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorType::NotFound, "there is nothing at this address")
    }

    /// No such version of the API.
    pub fn unknown_api_version(known: &[&str]) -> Self {
        let detail = format!("there is no such version of the API; known: {}", known.join(", "));
        Self::new(StatusCode::NOT_FOUND, ErrorType::UnknownApiVersion, detail)
    }

    /// The header names no version, or another one than the path.
    pub fn unsupported_api_version(known: &[&str]) -> Self {
        let detail = format!(
            "X-API-Version must name, once, the version of the path or another that there is; known: {}",
            known.join(", ")
        );
        Self::new(StatusCode::BAD_REQUEST, ErrorType::UnsupportedApiVersion, detail)
    }

    /// The request came over plain HTTP.
    pub fn https_required() -> Self {
        let detail = "this installation is asked over HTTPS; what was sent now could be read on its way";
        Self::new(StatusCode::FORBIDDEN, ErrorType::HttpsRequired, detail)
    }

    /// The address is longer than the server takes.
    pub fn uri_too_long(limit: usize) -> Self {
        let detail = format!("the address must be at most {limit} bytes long");
        Self::new(StatusCode::URI_TOO_LONG, ErrorType::UriTooLong, detail)
    }

    /// The headers are longer than the server takes.
    pub fn head_too_large(limit: usize) -> Self {
        let detail = format!("the address and all headers must be at most {limit} bytes long together");
        Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, ErrorType::TooLarge, detail)
    }

    /// A path id that no object can have.
    pub fn not_found(what: &'static str) -> Self {
        Error::NotFound { what }.into()
    }

    /// The route exists and does not know this method.
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            ErrorType::MethodNotAllowed,
            "this address does not allow the method",
        )
    }

    /// The body is not of a type that the route takes.
    pub fn unsupported_media_type(detail: &'static str) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorType::UnsupportedMediaType, detail)
    }

    /// The body does not come to its end in time.
    pub fn request_timeout() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            ErrorType::RequestTimeout,
            "the request did not arrive in time",
        )
    }

    /// The body is longer than the route takes.
    pub fn too_large(limit: usize) -> Self {
        let detail = format!("the body must be at most {limit} bytes long");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorType::TooLarge, detail)
    }

    /// The request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorType::BadRequest, detail)
    }

    /// The idempotency key of the request was used for another one.
    pub fn idempotency_mismatch() -> Self {
        let detail = "the Idempotency-Key was used for another request; give each request one of its own";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, ErrorType::IdempotencyMismatch, detail)
    }

    /// The server is stopping or not ready.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorType::Unavailable, detail);
        error.0.retry_after = Some(Duration::from_secs(1));
        error
    }

    /// More requests came than are worked on at the same time.
    pub(crate) fn crowded() -> Self {
        let mut error = Self::unavailable("the server has too much to do at the moment");
        error.0.is_of_a_crowd = true;
        error
    }

    /// A fault of ours; the cause goes to the log only.
    pub fn internal(cause: impl Into<String>) -> Self {
        let detail = "the server failed; its log knows more under the request id";
        let mut error = Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorType::Internal, detail);
        error.0.cause = Some(cause.into());
        error
    }

    /// Something that the framework refused before our own code saw it.
    pub fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::unknown_route(),
            StatusCode::METHOD_NOT_ALLOWED => Self::method_not_allowed(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Self::unsupported_media_type("the media type is not supported")
            }
            StatusCode::REQUEST_TIMEOUT => Self::request_timeout(),
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(status, ErrorType::TooLarge, "the body is too long"),
            status if status.is_client_error() => {
                Self::new(status, ErrorType::BadRequest, "the request cannot be understood")
            }
            _ => Self::internal(format!("the framework answered {status}")),
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The word for programs.
    pub fn kind(&self) -> ErrorType {
        self.0.kind
    }

    /// What the log may know and the client may not.
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The right that was missing, if that is why it failed.
    pub fn denied(&self) -> Option<PermissionKind> {
        self.0.denied
    }

    /// Whether the refusal is about this very moment.
    pub fn is_passing(&self) -> bool {
        self.0.is_passing
    }

    /// Whether it is one of very many, so that each tells nothing new.
    pub(crate) fn is_of_a_crowd(&self) -> bool {
        self.0.is_of_a_crowd
    }

    /// The body as JSON.
    pub fn body(&self, request_id: &str) -> Vec<u8> {
        let body = ErrorBody {
            detail: &self.0.detail,
            status_code: self.0.status.as_u16(),
            kind: self.0.kind,
            field_errors: &self.0.field_errors,
            request_id,
        };
        // Serializing plain strings and numbers cannot fail.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// The body as RFC 9457 has it.
    pub fn problem(&self, request_id: &str) -> Vec<u8> {
        let status = self.0.status.as_u16();
        let body = Problem {
            page: self.0.kind.page(),
            title: self.0.kind.meaning().title,
            status,
            detail: &self.0.detail,
            status_code: status,
            field_errors: &self.0.field_errors,
            request_id,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unauthenticated(fault) => unauthenticated(fault),
            Error::Forbidden(permission) => {
                let detail = format!("this needs the permission {permission}");
                let mut error = Self::new(StatusCode::FORBIDDEN, ErrorType::Forbidden, detail);
                error.0.denied = Some(permission);
                error
            }
            Error::NotFound { what } => {
                Self::new(StatusCode::NOT_FOUND, ErrorType::NotFound, format!("{what} not found"))
            }
            Error::Gone { what } => {
                Self::new(StatusCode::GONE, ErrorType::Gone, format!("{what} is no longer available"))
            }
            Error::Stale => Self::new(
                StatusCode::PRECONDITION_FAILED,
                ErrorType::PreconditionFailed,
                "the object was changed since you read it; read it again",
            ),
            Error::Conflict(rule @ (Rule::RefreshInFlight | Rule::IdempotencyInFlight)) => {
                let mut error = Self::new(StatusCode::CONFLICT, ErrorType::InFlight, rule.message());
                error.0.retry_after = Some(Duration::from_secs(1));
                error
            }
            Error::Conflict(rule) => {
                let mut error = Self::new(StatusCode::CONFLICT, ErrorType::Conflict, rule.message());
                error.0.is_passing = rule.is_passing();
                error
            }
            Error::Malformed(detail) => Self::bad_request(detail),
            Error::UnsupportedForm(detail) => Self::unsupported_media_type(detail),
            Error::Invalid(faults) => faults.into(),
            Error::Limited { retry_after } => {
                let mut error = Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    ErrorType::RateLimited,
                    "too many requests; try again later",
                );
                error.0.retry_after = Some(retry_after);
                error
            }
            Error::Unavailable { retry_after, source } => {
                let mut error = Self::unavailable("the service is busy or not available; try again later");
                error.0.retry_after = Some(retry_after);
                error.0.cause = source.map(|source| chain(source.as_ref()));
                error
            }
            Error::Internal(source) => Self::internal(chain(source.as_ref())),
        }
    }
}

impl From<FieldErrors> for ApiError {
    fn from(faults: FieldErrors) -> Self {
        let mut error =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, ErrorType::ValidationError, "the input is not valid");
        error.0.field_errors = faults
            .iter()
            .map(|fault| FieldFault { field: fault.field.clone(), message: fault.message.clone() })
            .collect();
        error
    }
}

fn unauthenticated(fault: TokenFault) -> ApiError {
    let (kind, detail, challenge) = match fault {
        TokenFault::Missing => (ErrorType::Unauthenticated, "a bearer token is needed", "Bearer"),
        TokenFault::Invalid => {
            (ErrorType::Unauthenticated, "the token is not valid", "Bearer error=\"invalid_token\"")
        }
        TokenFault::Expired => (
            ErrorType::TokenExpired,
            "the token has expired",
            "Bearer error=\"invalid_token\", error_description=\"expired\"",
        ),
        TokenFault::Credentials => (ErrorType::Unauthenticated, "wrong e-mail address or password", "Bearer"),
    };
    let mut error = ApiError::new(StatusCode::UNAUTHORIZED, kind, detail);
    error.0.challenge = Some(challenge);
    error
}

/// An error and all its sources in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.0.status.as_u16(), self.0.kind)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    /// The head of the answer. The outermost middleware, which knows the request id, writes the body.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.0.status);
        if let Some(retry_after) = self.0.retry_after {
            // Rounded up: whoever comes back then is not too early.
            let part = u64::from(retry_after.subsec_nanos() > 0);
            let seconds = HeaderValue::from(retry_after.as_secs().saturating_add(part).max(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        if let Some(challenge) = self.0.challenge {
            let value = HeaderValue::from_static(challenge);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
        }
        if self.0.status == StatusCode::REQUEST_TIMEOUT {
            // What is still to come of the request would be taken for the next one.
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        response.extensions_mut().insert(self.clone());
        response
    }
}
