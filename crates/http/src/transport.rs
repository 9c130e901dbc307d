//! How requests may arrive: over what, from which web pages, and how long they may be.

use std::time::Duration;

use actix_web::{
    HttpResponse, ResponseError,
    dev::ServiceRequest,
    http::{
        Method,
        header::{self, HeaderMap, HeaderValue},
        uri::PathAndQuery,
    },
    web,
};
use url::{Host, Url};

use crate::{client_address::TrustedProxies, cors::Cors, error::ApiError, pages};

/// A browser that has seen it asks this host over HTTPS alone for a year. Other names below the host's are not ours to decide about.
const STRICT_TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Paths below these are signs of life: a supervisor asks for them from beside the server.
const SIGNS_OF_LIFE: [&str; 3] = ["/health", "/health/live", "/health/ready"];

/// How long requests may be, and how many there may be at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// Bytes of an ordinary body; bodies with credentials and batches of readings have limits of their own.
    pub body: usize,
    /// Bytes of an address, its query included.
    pub uri: usize,
    /// Bytes of an address and all headers.
    pub head: usize,
    /// How long a short body may take to arrive; a long one has a second more for each 4 KiB.
    pub body_time: Duration,
    /// Requests that are worked on at the same time; others wait a moment and are turned away with 503.
    pub at_once: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            body: 256 * 1024,
            uri: 8 * 1024,
            head: 64 * 1024,
            body_time: Duration::from_secs(30),
            at_once: 128,
        }
    }
}

/// What is decided about a request before its route is looked for.
#[derive(Debug, Clone, Default)]
pub struct Transport {
    limits: RequestLimits,
    cors: Cors,
    /// Where pages are read over HTTPS, without a path; plain requests are served if there is none.
    https: Option<String>,
}

impl Transport {
    /// Everything is served that is not longer than this.
    pub fn within(limits: RequestLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// The same for the scripts of web pages of these origins, each exactly `scheme://host[:port]`.
    pub fn open_to(self, origins: Vec<String>) -> Self {
        Self { cors: Cors::of(origins), ..self }
    }

    /// The same over HTTPS alone: other requests for pages are sent to the installation's public address, all others refused.
    pub fn over_https_alone(self, public_url: &Url) -> Self {
        let https = if public_url.scheme() == "https" {
            public_url.origin().ascii_serialization()
        } else {
            // Its port is that of plain HTTP.
            format!(
                "https://{}",
                public_url.host().map(|host: Host<&str>| host.to_string()).unwrap_or_default()
            )
        };
        Self { https: Some(https), ..self }
    }

    /// How long requests may be.
    pub(crate) const fn limits(&self) -> RequestLimits {
        self.limits
    }

    /// The answer to a request that is not served at all, and to a browser's question before its request.
    pub(crate) fn turned_away(&self, request: &ServiceRequest) -> Option<HttpResponse> {
        if let Some(https) = &self.https
            && !SIGNS_OF_LIFE.contains(&request.path())
            && !is_over_https(request)
        {
            return Some(towards_https(https, request));
        }
        self.cors.preflight(request).or_else(|| self.too_long(request).map(|error| error.error_response()))
    }

    /// What every answer of a request tells the browser of its page.
    pub(crate) fn mark(&self, request: &HeaderMap, is_over_https: bool, answer: &mut HeaderMap) {
        // Over plain HTTP anybody on the way could have written it, so browsers do not heed it there (RFC 6797, 7.2).
        if self.https.is_some() && is_over_https {
            answer.insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT);
        }
        self.cors.mark(request, answer);
    }

    fn too_long(&self, request: &ServiceRequest) -> Option<ApiError> {
        let uri = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
        if uri > self.limits.uri {
            return Some(ApiError::uri_too_long(self.limits.uri));
        }
        let headers = request.headers().iter();
        let bytes: usize = headers.map(|(name, value)| name.as_str().len().saturating_add(value.len())).sum();
        (bytes.saturating_add(uri) > self.limits.head).then(|| ApiError::head_too_large(self.limits.head))
    }
}

/// Whether the client asked over HTTPS, as a trusted proxy says: the server itself speaks plain HTTP.
pub(crate) fn is_over_https(request: &ServiceRequest) -> bool {
    let proxies = request.app_data::<web::Data<TrustedProxies>>();
    proxies.is_some_and(|proxies| proxies.say_https(request.peer_addr(), request.headers()))
}

/// People are led on; programs are told, since what they have sent has been read on the way already.
fn towards_https(https: &str, request: &ServiceRequest) -> HttpResponse {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads || !pages::is_page(request.path()) {
        return ApiError::https_required().error_response();
    }
    let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, format!("{https}{target}"))).finish()
}
