//! What is on its way out: the one list that headers, the OpenAPI document, figures and `GET /meta/deprecations` go by.

use std::time::{Duration, SystemTime};

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue, HttpDate};
use sitewatch_domain::{access::Actor, time::Instant};

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// An operation that clients should leave.
#[derive(Debug)]
pub(crate) struct Deprecation {
    /// The method.
    pub(crate) method: &'static str,
    /// The path, as the OpenAPI document has it.
    pub(crate) path: &'static str,
    /// Its operation there.
    pub(crate) operation: &'static str,
    /// Since when, in seconds of Unix time.
    since: i64,
    /// Until when it is served at least, in seconds of Unix time.
    sunset: i64,
    /// The path to use instead, with the same method.
    pub(crate) successor: &'static str,
}

/// `GET /users/me`, from 2026-11-01 to 2027-11-01: the user himself is at `/auth/me`.
pub(crate) static OWN_USER: Deprecation = Deprecation {
    method: "GET",
    path: "/api/v1/users/me",
    operation: "getOwnUser",
    since: 1_793_491_200,
    sunset: 1_825_027_200,
    successor: "/api/v1/auth/me",
};

/// All of them.
pub(crate) static DEPRECATIONS: [&Deprecation; 1] = [&OWN_USER];

impl Deprecation {
    /// Since when.
    pub(crate) fn since(&self) -> Instant {
        Instant::from_secs(self.since)
    }

    /// Until when it is served at least.
    pub(crate) fn sunset(&self) -> Instant {
        Instant::from_secs(self.sunset)
    }

    /// Says so in an answer: `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and what to use instead.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        let links = format!(
            "<{}>; rel=\"successor-version\", </api/v1/meta/deprecations>; rel=\"deprecation\"; type=\"application/json\"",
            self.successor
        );
        let since = format!("@{}", self.since);
        for (name, value) in [(DEPRECATION, since), (SUNSET, self.sunset_date()), (header::LINK, links)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.append(name, value);
            }
        }
    }

    fn sunset_date(&self) -> String {
        let seconds = u64::try_from(self.sunset).unwrap_or_default();
        HttpDate::from(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
    }

    /// Counts a request, by what kind of caller it was; who it was says the access log.
    pub(crate) fn count(&self, actor: Option<&Actor>) {
        let caller = match actor {
            None => "nobody",
            Some(actor) if actor.credential().is_some() => "key",
            Some(_) => "user",
        };
        metrics::counter!(
            "http_deprecated_requests_total",
            "method" => self.method, "route" => self.path, "caller" => caller
        )
        .increment(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::document;

    /// How long a client has for a change, in seconds.
    const YEAR: i64 = 365 * 24 * 3600;

    #[test]
    fn whoever_has_to_change_has_a_year_and_somewhere_to_go() {
        for deprecation in DEPRECATIONS {
            assert!(deprecation.sunset - deprecation.since >= YEAR, "{deprecation:?}");
            assert!(document().paths.paths.contains_key(deprecation.successor), "{deprecation:?}");
            assert!(document().paths.paths.contains_key(deprecation.path), "{deprecation:?}");
        }
    }

    #[test]
    fn the_dates_are_those_of_their_standards() {
        let mut headers = HeaderMap::new();
        OWN_USER.mark(&mut headers);
        let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        assert_eq!(header(DEPRECATION), Some("@1793491200"));
        assert_eq!(header(SUNSET), Some("Mon, 01 Nov 2027 00:00:00 GMT"));
        assert_eq!(OWN_USER.since().to_string(), "2026-11-01T00:00:00.000Z");
        assert_eq!(OWN_USER.sunset().to_string(), "2027-11-01T00:00:00.000Z");
    }
}
