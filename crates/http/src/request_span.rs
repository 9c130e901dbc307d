//! What the log knows of a request while it is served: every line of it bears its id, and from then on its route, its caller and
//! the organization that it is about.

use std::borrow::Cow;

use actix_web::HttpRequest;
use sitewatch_domain::{
    access::{Actor, Horizon},
    ids::OrgId,
};
use tracing::{Span, field::Empty};

/// The template of an address. The path itself stays out of the log: it holds ids and, mistyped, secrets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Template(pub(crate) &'static str);

/// The span of a request. At the level of errors, so that each line has it, whatever of the log is switched off.
pub(crate) fn request_span(request_id: &str) -> Span {
    tracing::error_span!(
        target: "sitewatch::request",
        "request",
        request_id,
        route = Empty,
        user = Empty,
        credential = Empty,
        organization = Empty
    )
}

/// The template that a request was routed by; `unknown` if there was none.
pub(crate) fn route_of(request: &HttpRequest) -> Cow<'static, str> {
    match request.app_data::<Template>() {
        Some(Template(path)) => Cow::Borrowed(path),
        None => request.match_pattern().map_or(Cow::Borrowed("unknown"), Cow::Owned),
    }
}

/// Notes where the request was routed to.
pub(crate) fn note_route(request: &HttpRequest) {
    Span::current().record("route", route_of(request).as_ref());
}

/// Notes who asks, and for which organization.
pub(crate) fn note_caller(request: &HttpRequest, actor: &Actor) {
    let span = Span::current();
    if let Some(user) = actor.user() {
        span.record("user", tracing::field::display(user));
    }
    if let Some(credential) = actor.credential() {
        span.record("credential", tracing::field::display(credential.uuid()));
    }
    if let Some(organization) = organization_of(request, actor) {
        span.record("organization", tracing::field::display(organization));
    }
}

/// The organization of the path, or the only one that the caller has to do with.
fn organization_of(request: &HttpRequest, actor: &Actor) -> Option<OrgId> {
    let named = request.match_info().get("organization_id").and_then(|id| id.parse().ok());
    named.or_else(|| match actor.horizon() {
        Horizon::Within { orgs, .. } if orgs.len() == 1 => orgs.first().copied(),
        Horizon::Within { .. } | Horizon::Everything => None,
    })
}
