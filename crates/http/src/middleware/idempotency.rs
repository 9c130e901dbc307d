//! Requests with an `Idempotency-Key`: sent again, they have no second effect and the same answer.
//!
//! The key is claimed when the caller is known (`caller.rs`), and its request ends here, when the answer is.

use std::sync::Arc;

use actix_web::{
    Error, HttpMessage, HttpRequest, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody, to_bytes},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use serde_json::Value;
use sitewatch_domain::{
    Platform,
    idempotency::{Answer, KeyedRequest, Outcome, Settled},
};

use crate::{
    caller::context_of,
    error::{ApiError, ErrorType},
    places::Place,
    query::Query,
};

/// The header that holds the key.
pub(crate) const KEY: &str = "Idempotency-Key";
/// The most characters of a key.
pub(crate) const KEY_LENGTH: usize = 255;
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The headers that belong to an answer; all others are every answer's.
const KEPT: [HeaderName; 3] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG];

/// What is asked with a body and changes nothing.
const QUESTIONS: &[&str] = &["/api/v1/telemetry/query"];

/// Whether a POST to this route takes a key.
pub(crate) fn takes_key(route: &str) -> bool {
    !QUESTIONS.contains(&route)
}

/// The route and the key of a request that takes one and has one.
///
/// # Errors
/// 400 for a key that is none.
pub(crate) fn key_of(request: &HttpRequest) -> Result<Option<(String, &str)>, ApiError> {
    if request.method() != Method::POST {
        return Ok(None);
    }
    let mut keys = request.headers().get_all(KEY);
    let Some(key) = keys.next() else { return Ok(None) };
    let Some(route) = request.match_pattern().filter(|route| takes_key(route)) else { return Ok(None) };
    let is_printable = |key: &&str| key.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let key = key.to_str().ok().filter(|key| (1..=KEY_LENGTH).contains(&key.len())).filter(is_printable);
    match (key, keys.next()) {
        (Some(_), None) if is_rehearsal(&route, request) => Ok(None),
        (Some(key), None) => Ok(Some((route, key))),
        _ => Err(ApiError::bad_request("Idempotency-Key must be 1 to 255 printable characters, given once")),
    }
}

/// Whether the request has rows judged and nothing made: it may be sent again as often as one likes, and its long answer is not kept.
fn is_rehearsal(route: &str, request: &HttpRequest) -> bool {
    route.ends_with("/bulk") && Query::parse(request.query_string()).switch("dry_run") == Some(true)
}

/// Ends a request whose key was claimed.
pub(crate) async fn idempotency<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let answered = next.call(request).await?.map_into_boxed_body();
    let keyed = answered.request().extensions_mut().remove::<Arc<KeyedRequest>>();
    let Some(keyed) = keyed else { return Ok(answered) };
    let _place = answered.request().extensions_mut().remove::<Option<Place>>();
    let (request, response) = answered.into_parts();
    let response = match settled(&request, &keyed, response).await {
        Ok(response) => response,
        Err(error) => error.error_response(),
    };
    Ok(ServiceResponse::new(request, response))
}

async fn settled(
    request: &HttpRequest,
    keyed: &Arc<KeyedRequest>,
    response: HttpResponse<BoxBody>,
) -> Result<HttpResponse<BoxBody>, ApiError> {
    let platform = request
        .app_data::<web::Data<Platform>>()
        .ok_or_else(|| ApiError::internal("the platform is not wired into the server"))?;
    let (head, body) = response.into_parts();
    let body = to_bytes(body).await.map_err(|error| ApiError::internal(error.to_string()))?;
    let response = head.set_body(BoxBody::new(body.clone()));
    match platform.idempotency().settle(keyed, outcome_of(&response, &body)).await? {
        Settled::AsItIs => Ok(response),
        Settled::Again(answer) => again(request, answer),
        Settled::Mismatch => Err(ApiError::idempotency_mismatch()),
    }
}

fn outcome_of(response: &HttpResponse<BoxBody>, body: &[u8]) -> Outcome {
    let status = response.status().as_u16();
    if let Some(error) = response.extensions().get::<ApiError>() {
        return match error.kind() {
            ErrorType::Conflict | ErrorType::Gone | ErrorType::PreconditionFailed if !error.is_passing() => {
                // Its request's id is another one each time.
                Outcome::Refused(Answer { status, headers: Vec::new(), body: error.body("") })
            }
            ErrorType::ValidationError => Outcome::Open,
            _ => Outcome::Failed,
        };
    }
    if !response.status().is_success() {
        return Outcome::Failed;
    }
    let kept = KEPT.iter().filter_map(|name| {
        let value = response.headers().get(name)?.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    Outcome::Done(Answer { status, headers: kept.collect(), body: body.to_vec() })
}

/// An answer once more.
fn again(request: &HttpRequest, answer: Answer) -> Result<HttpResponse<BoxBody>, ApiError> {
    let unreadable = || ApiError::internal("an answer that was kept cannot be read");
    let status = StatusCode::from_u16(answer.status).map_err(|_| unreadable())?;
    let mut body = answer.body;
    let mut response = HttpResponse::build(status);
    response.insert_header((REPLAYED, HeaderValue::from_static("true")));
    if status.is_success() {
        for header in answer.headers {
            response.insert_header(header);
        }
    } else {
        let mut error: Value = serde_json::from_slice(&body).map_err(|_| unreadable())?;
        let id = context_of(request).request_id;
        *error.get_mut("request_id").ok_or_else(unreadable)? = Value::from(id.unwrap_or_default());
        body = serde_json::to_vec(&error).map_err(|_| unreadable())?;
        response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/json")));
    }
    Ok(response.body(body))
}
