//! Versions of the API: which there are, and which one a request means.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::error::ApiError;

/// Says which version is meant, and in answers which one it was.
pub(crate) const API_VERSION: HeaderName = HeaderName::from_static("x-api-version");

/// The versions that are served, the oldest first.
pub(crate) const VERSIONS: [&str; 1] = ["1"];

/// What an address without a version means where no header says it. It stays that for as long as the version is served: whoever
/// says nothing must not wake up with another API.
const UNSAID: &str = "1";

/// The address in the version that is meant, of one that names none; `None` where the address is right as it is.
///
/// # Errors
/// 404 for a path of a version that is not known, 400 for a header that names none or another one than the path.
pub(crate) fn versioned(target: &str, headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(rest) = target.strip_prefix("/api/") else { return Ok(None) };
    let segment = rest.split(['/', '?']).next().unwrap_or_default();
    let in_path = segment.strip_prefix('v').filter(|number| is_number(number));
    if in_path.is_some_and(|number| !VERSIONS.contains(&number)) {
        return Err(ApiError::unknown_api_version(&VERSIONS));
    }
    let asked = asked(headers)?;
    match in_path {
        Some(number) if asked.is_some_and(|asked| asked != number) => {
            Err(ApiError::unsupported_api_version(&VERSIONS))
        }
        Some(_) => Ok(None),
        None => Ok(Some(format!("/api/v{}/{rest}", asked.unwrap_or(UNSAID)))),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn asked(headers: &HeaderMap) -> Result<Option<&'static str>, ApiError> {
    let mut values = headers.get_all(API_VERSION);
    let Some(value) = values.next() else { return Ok(None) };
    match (known(value), values.next()) {
        (Some(version), None) => Ok(Some(version)),
        _ => Err(ApiError::unsupported_api_version(&VERSIONS)),
    }
}

fn known(value: &HeaderValue) -> Option<&'static str> {
    let asked = value.as_bytes().trim_ascii();
    VERSIONS.into_iter().find(|version| version.as_bytes() == asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(target: &str, header: Option<&str>) -> Result<Option<String>, u16> {
        let mut headers = HeaderMap::new();
        if let Some(value) = header {
            headers.insert(API_VERSION, HeaderValue::from_str(value).expect("a value"));
        }
        versioned(target, &headers).map_err(|error| error.status().as_u16())
    }

    #[test]
    fn a_version_is_named_by_the_path_or_by_the_header() {
        for target in ["/health", "/api", "/apis/v1", "/api/v1", "/api/v1/users?a=v9", "/docs/v9"] {
            assert_eq!(meant(target, None), Ok(None), "{target}");
        }
        for (target, expected) in [
            ("/api/users", "/api/v1/users"),
            ("/api/users?page=2&q=/v9/", "/api/v1/users?page=2&q=/v9/"),
            ("/api/", "/api/v1/"),
            ("/api/v", "/api/v1/v"),
            ("/api/vehicles/1", "/api/v1/vehicles/1"),
            ("/api/v1x/users", "/api/v1/v1x/users"),
        ] {
            for header in [None, Some("1"), Some(" 1 ")] {
                assert_eq!(meant(target, header), Ok(Some(expected.to_owned())), "{target}");
            }
        }
        assert_eq!(meant("/api/v1/users", Some("1")), Ok(None));
        assert_eq!(meant("/health", Some("9")), Ok(None), "what has no version has no wrong one");
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for target in
            ["/api/v2/users", "/api/v0", "/api/v01/users", "/api/v2?x", "/api/v999999999999999999/a"]
        {
            assert_eq!(meant(target, None), Err(404), "{target}");
            assert_eq!(meant(target, Some("9")), Err(404), "{target}: the route comes first");
        }
        for header in ["9", "", "v1", "1,1", "1.0", "01"] {
            assert_eq!(meant("/api/users", Some(header)), Err(400), "{header:?}");
            assert_eq!(meant("/api/v1/users", Some(header)), Err(400), "{header:?}");
        }
        let mut twice = HeaderMap::new();
        twice.append(API_VERSION, HeaderValue::from_static("1"));
        twice.append(API_VERSION, HeaderValue::from_static("1"));
        assert!(versioned("/api/users", &twice).is_err());
    }
}
