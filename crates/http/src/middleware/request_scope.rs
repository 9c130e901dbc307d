//! The outermost middleware: request id, the one error body in either of its forms, common headers.

use std::net::IpAddr;

use actix_web::{
    Error, HttpMessage, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        ConnectionType,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use sitewatch_domain::{Platform, access::RequestContext, audit::Denial};
use tracing::{Instrument as _, Span};

use super::{
    request_line::{RequestLine, method_name},
    shield::shield,
    unread::Unread,
};
use crate::{
    caller::actor_of,
    client_address::TrustedProxies,
    crowd::Present,
    deprecations::Deprecation,
    error::ApiError,
    failures,
    health::Draining,
    limits,
    request_span::{keep, note_route, request_span, route_of, trace_span},
    transport::{Transport, is_over_https},
    versions::API_VERSION,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const USER_AGENT_LENGTH: usize = 256;

/// Runs a request: see the module.
pub(crate) async fn request_scope<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let request_id = request_id(&request);
    let span = request_span(&request_id);
    let trace = trace_span(&request, method_name(request.method()), &request_id);
    keep(&request, &span);
    let spans = [span.clone(), trace.clone()];
    served(request, next, request_id, spans).instrument(trace).instrument(span).await
}

async fn served<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
    request_id: String,
    spans: [Span; 2],
) -> Result<ServiceResponse<BoxBody>, Error> {
    let client = client(&request);
    let line = RequestLine::of(&request, client, spans);
    let context =
        RequestContext { request_id: Some(request_id.clone()), client, user_agent: user_agent(&request) };
    request.extensions_mut().insert(context);
    let is_over_https = is_over_https(&request);
    let unread = Unread::of(&mut request);
    let (http_request, response) = next.call(request).await?.into_parts();
    // Of what met no handler.
    note_route(&http_request);
    note_denial(&http_request, &response).await;
    let route = route_of(&http_request);
    let mut response = finished(response.map_into_boxed_body(), http_request.headers(), &route, &request_id);
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, value);
    }
    limits::tell(&http_request, headers);
    headers.insert(API_VERSION, HeaderValue::from_static("1"));
    shield(headers);
    if let Some(transport) = http_request.app_data::<web::Data<Transport>>() {
        transport.mark(http_request.headers(), is_over_https, headers);
    }
    if let Some(deprecation) = http_request.app_data::<&'static Deprecation>() {
        deprecation.mark(headers);
        deprecation.count(actor_of(&http_request).as_ref());
    }
    let is_draining =
        http_request.app_data::<web::Data<Draining>>().is_some_and(|draining| draining.has_begun());
    let is_crowded = http_request.conn_data::<Present>().is_some_and(Present::is_crowded);
    // Whoever keeps the connection would send his next request into a server that is gone; or holds one that others wait for.
    if is_draining || is_crowded {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    let response = line.held_by(route, unread.held_by(response));
    Ok(ServiceResponse::new(http_request, response))
}

/// Gives an error its body: ours, or for what the framework refused by itself the body of its status.
fn finished(
    mut response: HttpResponse<BoxBody>,
    asked: &HeaderMap,
    route: &str,
    request_id: &str,
) -> HttpResponse<BoxBody> {
    let ours = response.extensions_mut().remove::<ApiError>();
    let framework = || {
        let status = response.status();
        let is_json =
            response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
        let is_error = status.is_client_error() || status.is_server_error();
        (is_error && !is_json).then(|| ApiError::of_status(status))
    };
    let Some(error) = ours.or_else(framework) else { return response };
    failures::tell(&error, route);
    let (kind, body) = if wants_problem(asked) {
        (PROBLEM, error.problem(request_id))
    } else {
        (HeaderValue::from_static("application/json"), error.body(request_id))
    };
    let mut response = response.set_body(BoxBody::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Whether the client names the form of RFC 9457 among those that it takes.
fn wants_problem(asked: &HeaderMap) -> bool {
    let accepted = asked.get_all(header::ACCEPT).flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    accepted
        .filter_map(|form| form.split(|byte| *byte == b';').next())
        .any(|form| form.trim_ascii().eq_ignore_ascii_case(PROBLEM.as_bytes()))
}

/// What a caller has no right to stands in the audit log. A use case ends with its refusal, and many of them are refused
/// alike: here all of them pass.
async fn note_denial<B>(request: &HttpRequest, response: &HttpResponse<B>) {
    let denied = response.extensions().get::<ApiError>().and_then(ApiError::denied);
    let platform = request.app_data::<web::Data<Platform>>();
    let (Some(permission), Some(actor), Some(platform)) = (denied, actor_of(request), platform) else {
        return;
    };
    let asked = format!("{} {}", request.method(), route_of(request));
    let organization = request.match_info().get("organization_id").and_then(|id| id.parse().ok());
    platform.audit().note_denial(&actor, &Denial { permission, organization, asked }).await;
}

/// The client's own id if it is short and printable, else a new one.
fn request_id(request: &ServiceRequest) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let legal = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    match given.filter(legal) {
        Some(id) => id.to_owned(),
        None => request
            .app_data::<web::Data<Platform>>()
            .map_or_else(String::new, |platform| platform.request_id()),
    }
}

/// The one address of a client that anything goes by: limits, the audit log, sessions, the access log.
fn client(request: &ServiceRequest) -> Option<IpAddr> {
    let proxies = request.app_data::<web::Data<TrustedProxies>>()?;
    proxies.client(request.peer_addr(), request.headers())
}

fn user_agent(request: &ServiceRequest) -> Option<String> {
    let value = request.headers().get(header::USER_AGENT)?.to_str().ok()?;
    Some(value.chars().take(USER_AGENT_LENGTH).collect())
}
