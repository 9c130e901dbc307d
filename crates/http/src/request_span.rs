//! What the log knows of a request while it is served: every line of it bears its id, and from then on its route, its caller and
//! the organization that it is about.

use std::borrow::Cow;

use actix_web::{
    HttpMessage, HttpRequest,
    dev::ServiceRequest,
    http::header::{HeaderMap, HeaderName},
};
use opentelemetry::{global, propagation::Extractor};
use sitewatch_domain::{
    access::{Actor, Horizon},
    ids::OrgId,
};
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

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

/// The span of a request that is left with it, since others may be within it.
struct Noted {
    span: Span,
    has_route: bool,
}

/// Leaves the span with the request.
pub(crate) fn keep(request: &ServiceRequest, span: &Span) {
    request.extensions_mut().insert(Noted { span: span.clone(), has_route: false });
}

fn span_of(request: &HttpRequest) -> Span {
    request.extensions().get::<Noted>().map_or_else(Span::none, |noted| noted.span.clone())
}

/// The span of a request in the traces that are sent, if any are; it goes on with the trace of whoever asks (W3C Trace Context).
pub(crate) fn trace_span(request: &ServiceRequest, method: &'static str, request_id: &str) -> Span {
    let span = tracing::trace_span!(
        target: "sitewatch::trace",
        parent: None,
        "request",
        otel.name = method,
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = Empty,
        http.response.status_code = Empty,
        request_id
    );
    if !span.is_disabled() {
        let context = global::get_text_map_propagator(|known| known.extract(&Head(request.headers())));
        // It has not begun, so it takes it.
        let _taken = span.set_parent(context);
    }
    span
}

/// The headers of a request, as propagators read them.
struct Head<'a>(&'a HeaderMap);

impl Extractor for Head<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

/// The template that a request was routed by; `unknown` if there was none.
pub(crate) fn route_of(request: &HttpRequest) -> Cow<'static, str> {
    match request.app_data::<Template>() {
        Some(Template(path)) => Cow::Borrowed(path),
        None => request.match_pattern().map_or(Cow::Borrowed("unknown"), Cow::Owned),
    }
}

/// Notes where the request was routed to; once, for lines of text have what is noted twice twice.
pub(crate) fn note_route(request: &HttpRequest) {
    if let Some(noted) = request.extensions_mut().get_mut::<Noted>().filter(|noted| !noted.has_route) {
        noted.span.record("route", route_of(request).as_ref());
        noted.has_route = true;
    }
}

/// Notes who asks, and for which organization.
pub(crate) fn note_caller(request: &HttpRequest, actor: &Actor) {
    let span = span_of(request);
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
