//! What every answer tells browsers, so that nothing of ours is run, framed or guessed at by pages of others.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

const HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// Of what is no page: should a browser show it, then as it is and nothing more.
const NO_PAGE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Adds them. Pages bring a policy of their own, and answers that may be kept say so themselves.
pub(crate) fn shield(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, NO_PAGE),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ] {
        if !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    }
}
