//! The one line of the access log that each request has, and its figures: told when its answer is out, or nobody waits for it any more.

use std::{
    borrow::Cow,
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use actix_web::{
    HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::ServiceRequest,
    http::Method,
    web::{self, Bytes},
};
use opentelemetry::trace::TraceContextExt as _;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Whoever asked has gone before there was an answer. No status of HTTP's, but what many servers write for it.
const GONE: u16 = 499;

/// From when on a request is slow; none if it never is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SlowFrom(pub(crate) Option<Duration>);

/// A request that is under way. Its line is written when the value is dropped.
pub(crate) struct RequestLine {
    span: Span,
    trace: Span,
    method: &'static str,
    client: Option<IpAddr>,
    started: Instant,
    slow: Option<Duration>,
    route: Cow<'static, str>,
    status: u16,
    bytes: u64,
    active: metrics::Gauge,
}

impl RequestLine {
    /// A request that has just arrived.
    pub(crate) fn of(request: &ServiceRequest, client: Option<IpAddr>, [span, trace]: [Span; 2]) -> Self {
        let method = method_name(request.method());
        let active = metrics::gauge!("http_server_active_requests", "http_request_method" => method);
        active.increment(1);
        let slow = request.app_data::<web::Data<SlowFrom>>().and_then(|slow| slow.0);
        Self {
            span,
            trace,
            method,
            client,
            started: Instant::now(),
            slow,
            route: Cow::Borrowed("unknown"),
            status: GONE,
            bytes: 0,
            active,
        }
    }

    /// The answer, which takes the line along if nobody knows yet how long it is.
    pub(crate) fn held_by(
        mut self,
        route: Cow<'static, str>,
        response: HttpResponse<BoxBody>,
    ) -> HttpResponse<BoxBody> {
        self.route = route;
        self.status = response.status().as_u16();
        match response.body().size() {
            BodySize::None => response,
            BodySize::Sized(bytes) => {
                // Of what a HEAD asks about, only the length is sent.
                self.bytes = if self.method == "HEAD" { 0 } else { bytes };
                response
            }
            BodySize::Stream => response.map_body(|_, body| BoxBody::new(Counted { body, line: self })),
        }
    }
}

/// The method, if it is one; what clients make up would be a figure of its own each.
pub(super) fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

fn status_text(status: u16) -> Cow<'static, str> {
    match status {
        200 => "200".into(),
        201 => "201".into(),
        304 => "304".into(),
        401 => "401".into(),
        404 => "404".into(),
        429 => "429".into(),
        other => other.to_string().into(),
    }
}

impl Drop for RequestLine {
    fn drop(&mut self) {
        self.active.decrement(1);
        let took = self.started.elapsed();
        metrics::histogram!(
            "http_server_request_duration_seconds",
            "http_request_method" => self.method,
            "http_route" => self.route.clone(),
            "http_response_status_code" => status_text(self.status)
        )
        .record(took.as_secs_f64());
        self.tell_trace();
        let _in_request = self.span.enter();
        let client = self.client.map(|address| address.to_string());
        // To the microsecond.
        let duration_ms = (took.as_secs_f64() * 1e6).round() / 1e3;
        tracing::info!(
            target: "sitewatch::access",
            method = self.method,
            status = self.status,
            bytes = self.bytes,
            duration_ms,
            client_address = client.as_deref(),
            "request"
        );
        if self.slow.is_some_and(|slow| took >= slow) {
            tracing::warn!(target: "sitewatch::slow", method = self.method, status = self.status, duration_ms, "a slow request");
        }
    }
}

impl RequestLine {
    fn tell_trace(&self) {
        if self.trace.is_disabled() {
            return;
        }
        // A field for the name counts only before a span begins.
        self.trace.context().span().update_name(format!("{} {}", self.method, self.route));
        self.trace.record("http.route", self.route.as_ref());
        self.trace.record("http.response.status_code", self.status);
        // What a client does wrong, or breaks off, is no error of a server (OpenTelemetry, HTTP spans).
        if self.status >= 500 {
            self.trace.record("otel.status_code", "ERROR");
        }
    }
}

/// A body that is counted while it is sent.
struct Counted {
    body: BoxBody,
    line: RequestLine,
}

impl MessageBody for Counted {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let counted = self.get_mut();
        let chunk = Pin::new(&mut counted.body).poll_next(context);
        if let Poll::Ready(Some(Ok(chunk))) = &chunk {
            let bytes = u64::try_from(chunk.len()).unwrap_or_default();
            counted.line.bytes = counted.line.bytes.saturating_add(bytes);
        }
        chunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_client_makes_up_a_figure() {
        assert_eq!(method_name(&Method::PATCH), "PATCH");
        let made_up = Method::from_bytes(b"LOOK").expect("a token");
        assert_eq!(method_name(&made_up), "_OTHER");
        let texts: Vec<_> = [200, 201, 304, 401, 404, 429, 499].into_iter().map(status_text).collect();
        assert_eq!(texts, ["200", "201", "304", "401", "404", "429", "499"]);
    }
}
