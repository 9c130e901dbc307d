//! The classes of routes, counting requests against the limits of their classes, and telling clients what is left to them
//! (draft-ietf-httpapi-ratelimit-headers).

use actix_web::{
    HttpMessage, HttpRequest,
    http::{
        Method,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
};
use sitewatch_domain::{
    Platform,
    access::Actor,
    limits::{Counted, Policy, RequestClass},
};

use crate::{caller::context_of, error::ApiError};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The class of each method of an address; none for those that are not limited.
#[derive(Debug, Clone)]
pub(crate) struct Classes(pub(crate) Vec<(Method, Option<RequestClass>)>);

/// Counts a request of somebody who has proven who he is.
///
/// # Errors
/// 429.
pub(crate) async fn count_caller(
    request: &HttpRequest,
    platform: &Platform,
    actor: &Actor,
) -> Result<(), ApiError> {
    match class_of(request)? {
        Some(class) => note(request, platform.limits().of_caller(actor, class).await),
        None => Ok(()),
    }
}

/// Counts a request of somebody who has not.
///
/// # Errors
/// 429.
pub(crate) async fn count_visitor(request: &HttpRequest, platform: &Platform) -> Result<(), ApiError> {
    match class_of(request)? {
        Some(class) => note(request, platform.limits().of_visitor(&context_of(request), class).await),
        None => Ok(()),
    }
}

pub(crate) fn class_of(request: &HttpRequest) -> Result<Option<RequestClass>, ApiError> {
    let classes = request.app_data::<Classes>().map(|classes| classes.0.as_slice()).unwrap_or_default();
    let found = classes.iter().find(|(method, _)| method == request.method());
    found.map(|(_, class)| *class).ok_or_else(|| ApiError::internal("the route has no class of limits"))
}

/// Leaves what was counted with the request, for the headers of its answer.
fn note(request: &HttpRequest, counted: Counted) -> Result<(), ApiError> {
    let admitted = counted.admitted();
    if admitted.is_err() {
        metrics::counter!("ratelimit_rejected_total", "policy" => exhausted(&counted)).increment(1);
    }
    request.extensions_mut().insert(counted);
    Ok(admitted?)
}

/// The limit that is used up: that of the caller, if it is both.
fn exhausted(counted: &Counted) -> &'static str {
    let used_up = counted.policies.iter().find(|policy| policy.level.left == 0);
    used_up.map_or("unknown", |policy| policy.name)
}

/// Writes into the head of an answer what is left to whoever asked.
pub(crate) fn tell(request: &HttpRequest, headers: &mut HeaderMap) {
    let extensions = request.extensions();
    let Some(counted) = extensions.get::<Counted>().filter(|counted| !counted.policies.is_empty()) else {
        return;
    };
    let list = |item: fn(&Policy) -> String| counted.policies.iter().map(item).collect::<Vec<_>>().join(", ");
    for (name, text) in [(LIMIT_POLICY, list(policy_item)), (LIMIT, list(level_item))] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
}

/// So many in so many seconds.
fn policy_item(policy: &Policy) -> String {
    format!("\"{}\";q={};w=60", policy.name, policy.quota.per_minute)
}

/// So many at once now, and in how many seconds nothing is counted any more.
fn level_item(policy: &Policy) -> String {
    let full_in = policy.level.full_in;
    let seconds = full_in.as_secs() + u64::from(full_in.subsec_nanos() > 0);
    format!("\"{}\";r={};t={seconds}", policy.name, policy.level.left)
}
