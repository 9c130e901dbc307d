//! The types of errors: what each means, and what whoever meets it can do, in the words of its page.

use serde::Serialize;
use utoipa::ToSchema;

/// What went wrong, for programs. A closed list, which only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorType {
    /// The request cannot be understood.
    BadRequest,
    /// There is no good token.
    Unauthenticated,
    /// The token was good and its time is over.
    TokenExpired,
    /// The caller lacks a permission.
    Forbidden,
    /// The request came over plain HTTP, which this installation does not serve.
    HttpsRequired,
    /// There is no such thing within the caller's reach.
    NotFound,
    /// There is no such version of the API.
    UnknownApiVersion,
    /// `X-API-Version` names a version that there is not, or another one than the path.
    UnsupportedApiVersion,
    /// The address does not allow the method.
    MethodNotAllowed,
    /// A rule between objects would be broken.
    Conflict,
    /// Another request is at the same thing; try again.
    InFlight,
    /// The idempotency key was used for another request.
    IdempotencyMismatch,
    /// A one-time thing is used up.
    Gone,
    /// The object was changed since the client read it.
    PreconditionFailed,
    /// The request did not come to its end in time.
    RequestTimeout,
    /// The body, or the head, is too long.
    TooLarge,
    /// The address is too long.
    UriTooLong,
    /// The body is of a type that is not read.
    UnsupportedMediaType,
    /// The input has faults, which `field_errors` lists.
    ValidationError,
    /// Too much was asked in too short a time.
    RateLimited,
    /// A part that is needed is away or busy.
    Unavailable,
    /// The server failed.
    Internal,
}

/// What a type of error means.
pub(crate) struct Meaning {
    /// In a few words.
    pub(crate) title: &'static str,
    /// The statuses that it comes with.
    pub(crate) statuses: &'static str,
    /// When it is answered.
    pub(crate) when: &'static str,
    /// What can be done about it.
    pub(crate) remedy: &'static str,
}

impl ErrorType {
    /// All of them, in the order of their statuses.
    pub(crate) const ALL: [Self; 22] = [
        Self::BadRequest,
        Self::UnsupportedApiVersion,
        Self::Unauthenticated,
        Self::TokenExpired,
        Self::Forbidden,
        Self::HttpsRequired,
        Self::NotFound,
        Self::UnknownApiVersion,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::Conflict,
        Self::InFlight,
        Self::IdempotencyMismatch,
        Self::Gone,
        Self::PreconditionFailed,
        Self::TooLarge,
        Self::UriTooLong,
        Self::UnsupportedMediaType,
        Self::ValidationError,
        Self::RateLimited,
        Self::Internal,
        Self::Unavailable,
    ];

    /// The word for programs.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::UnsupportedApiVersion => "unsupported_api_version",
            Self::Unauthenticated => "unauthenticated",
            Self::TokenExpired => "token_expired",
            Self::Forbidden => "forbidden",
            Self::HttpsRequired => "https_required",
            Self::NotFound => "not_found",
            Self::UnknownApiVersion => "unknown_api_version",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::Conflict => "conflict",
            Self::InFlight => "in_flight",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::Gone => "gone",
            Self::PreconditionFailed => "precondition_failed",
            Self::TooLarge => "too_large",
            Self::UriTooLong => "uri_too_long",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::ValidationError => "validation_error",
            Self::RateLimited => "rate_limited",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
        }
    }

    /// The address of its page, without a host.
    pub(crate) fn page(self) -> String {
        format!("/problems/{}", self.word())
    }

    /// What it means.
    pub(crate) const fn meaning(self) -> Meaning {
        let (title, statuses, when, remedy) = match self {
            Self::BadRequest => (
                "The request cannot be understood",
                "400",
                "The body is not JSON, holds a key twice, is nested too deep or breaks off; or two headers say different things.",
                "Send what the operation's description says; detail names the line and the column where the body stops being JSON.",
            ),
            Self::UnsupportedApiVersion => (
                "The header names no version that fits",
                "400",
                "X-API-Version names a version of the API that this server does not speak, or another one than the path.",
                "Leave the header out where the path names a version; detail lists the versions that there are.",
            ),
            Self::Unauthenticated => (
                "Nobody is known to ask",
                "401",
                "There is no token, key or credential in the request, or it is not good: unknown, revoked, of a session that has ended. Also for a wrong password.",
                "Sign in at POST /api/v1/auth/login, or send a key as Authorization: Bearer or X-API-Key.",
            ),
            Self::TokenExpired => (
                "The token's time is over",
                "401",
                "The access token was good and has expired.",
                "Fetch the next pair of tokens at POST /api/v1/auth/refresh, and send the request again.",
            ),
            Self::Forbidden => (
                "A permission is missing",
                "403",
                "Whoever asks may see the thing and may not do that with it; or the organization is not his.",
                "GET /api/v1/auth/me/permissions tells what may be done where; detail names the permission that was missing.",
            ),
            Self::HttpsRequired => (
                "Only HTTPS is served",
                "403",
                "The request came over plain HTTP, and the installation refuses that.",
                "Use the https address. Whoever could read the network has read what was sent: change a password or a key that was in it. \
                 Operators: the proxy in front must be named in SITEWATCH_TRUSTED_PROXIES and send X-Forwarded-Proto.",
            ),
            Self::NotFound => (
                "There is no such thing",
                "404",
                "Nothing is at this address, or nothing that whoever asks can see: what is not his, not assigned to him or archived is answered like what never was.",
                "Look at the address and the id. Admins find what is archived with include_inactive=true.",
            ),
            Self::UnknownApiVersion => (
                "There is no such version of the API",
                "404",
                "The path names a version of the API that this server does not speak, like /api/v2.",
                "Use one that detail lists.",
            ),
            Self::MethodNotAllowed => (
                "The address does not know the method",
                "405",
                "There is something at this address, and it does not take this method.",
                "The header Allow lists the methods that it takes.",
            ),
            Self::RequestTimeout => (
                "The request did not arrive in time",
                "408",
                "The body stopped for too long, or came too slowly. The connection is closed.",
                "Send it again. On a slow line, send less at a time.",
            ),
            Self::Conflict => (
                "A rule between objects would be broken",
                "409",
                "A name is taken, something is in use, the last admin would go, or two changes met.",
                "detail says which rule. Where two changes met, read the object again and repeat the change.",
            ),
            Self::InFlight => (
                "Another request is at it",
                "409",
                "Another request does the same thing at this moment.",
                "Wait for as many seconds as Retry-After says, and ask again.",
            ),
            Self::IdempotencyMismatch => (
                "The key belongs to another request",
                "422",
                "The Idempotency-Key came before with another path, query or body; nothing was done.",
                "Take a new key for each request, and the same one only for sending the same request again.",
            ),
            Self::Gone => (
                "It is used up",
                "410",
                "A one-time token was used or is over, or a file has been removed.",
                "Ask for another token; run the report again.",
            ),
            Self::PreconditionFailed => (
                "It was changed meanwhile",
                "412",
                "If-Match names another state of the object than the one that it has now.",
                "Read the object, look at what has changed, and send the change with the new ETag.",
            ),
            Self::TooLarge => (
                "It is too long",
                "413, 431",
                "The body is longer than the operation takes, or all headers together are longer than the server takes.",
                "Send less at a time; detail names the limit. Operators: SITEWATCH_MAX_BODY_KIB, SITEWATCH_MAX_HEAD_KIB.",
            ),
            Self::UriTooLong => (
                "The address is too long",
                "414",
                "The path with its query is longer than the server takes.",
                "Ask for less at a time; detail names the limit. Operators: SITEWATCH_MAX_URI_BYTES.",
            ),
            Self::UnsupportedMediaType => (
                "The body has a form that is not read",
                "415",
                "Content-Type or Content-Encoding names a form that the operation does not read.",
                "Send JSON as application/json, without compression.",
            ),
            Self::ValidationError => (
                "The input is not valid",
                "422",
                "Fields or parameters are missing, unknown, of a wrong type, or out of bounds.",
                "field_errors names each of them and what would be right; all faults are told at once.",
            ),
            Self::RateLimited => (
                "Too much at a time",
                "429",
                "More was asked in a short time than the limit allows.",
                "Wait for as many seconds as Retry-After says.",
            ),
            Self::Internal => (
                "The server failed",
                "500",
                "A fault of the server. What was to be changed was not changed, or not all that follows from it was told.",
                "Tell the operator the request_id: the server's log knows the cause under it.",
            ),
            Self::Unavailable => (
                "The service is busy or a part is away",
                "503",
                "The database does not answer, too much is under way, or the server is about to stop.",
                "Send the request again after as many seconds as Retry-After says.",
            ),
        };
        Meaning { title, statuses, when, remedy }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::openapi::text;

    #[test]
    fn every_type_of_the_document_has_its_meaning_and_its_own_word() {
        let document: serde_json::Value = serde_json::from_str(text()).expect("JSON");
        let documented = document["components"]["schemas"]["ErrorType"]["enum"].as_array().expect("a list");
        let documented: BTreeSet<&str> = documented.iter().filter_map(|word| word.as_str()).collect();
        let known: BTreeSet<&str> = ErrorType::ALL.iter().map(|kind| kind.word()).collect();
        assert_eq!(known, documented);
        for kind in ErrorType::ALL {
            assert_eq!(serde_json::to_value(kind).expect("a word"), kind.word());
        }
    }
}
