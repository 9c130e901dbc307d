//! Faults of ours: each is told once, with its sources, and counted by what makes it the same as another one.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    sync::{Mutex, PoisonError},
};

use actix_web::http::StatusCode;
use sha2::{Digest, Sha256};

use crate::error::ApiError;

/// Figures tell so many fingerprints apart; the log tells all.
const COUNTED: usize = 100;
static KNOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Tells of an answer with a status from 500 on.
pub(crate) fn tell(error: &ApiError, route: &str) {
    // A line for each of a crowd would tell nothing more.
    if !error.status().is_server_error() || error.is_of_a_crowd() {
        return;
    }
    let cause = error.cause().unwrap_or("none");
    let kind = error.kind();
    let fingerprint = fingerprint(&format!("{kind:?} {route}"), cause);
    metrics::counter!(
        "http_server_errors_total",
        "error_type" => kind.word(), "fingerprint" => counted(&fingerprint, COUNTED)
    )
    .increment(1);
    if error.status() == StatusCode::SERVICE_UNAVAILABLE {
        tracing::warn!(
            error.kind = kind.word(),
            error.cause = cause,
            error.fingerprint = fingerprint,
            "the request was not served"
        );
    } else {
        tracing::error!(
            error.kind = kind.word(),
            error.cause = cause,
            error.fingerprint = fingerprint,
            "the request failed"
        );
    }
}

/// The name under which a fingerprint is counted.
fn counted(fingerprint: &str, most: usize) -> String {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() < most {
        known.insert(fingerprint.to_owned());
    }
    if known.contains(fingerprint) { fingerprint.to_owned() } else { "other".to_owned() }
}

/// Equal for faults of one kind at one place, whatever ids, numbers and names their causes hold.
fn fingerprint(place: &str, cause: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(place);
    // What stands in quotation marks is a value, and so is every word with a digit.
    for unquoted in cause.split(['"', '\'', '`']).step_by(2) {
        let words = unquoted.split(|c: char| !(c.is_alphanumeric() || "-_".contains(c)));
        for word in words.filter(|word| !word.is_empty() && !word.contains(|c: char| c.is_ascii_digit())) {
            hash.update(" ");
            hash.update(word);
        }
    }
    hash.finalize().iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_fault_has_the_same_fingerprint() {
        let of = |cause| fingerprint("internal /api/v1/sites", cause);
        let first = of("row 7 of \"sites\" is corrupt: 018f3c1a-aaaa-7bbb-8ccc-0123456789ab");
        assert_eq!(first, of("row 12 of \"modules\" is corrupt: 018f3c1a-dddd-7bbb-8ccc-0123456789ab"));
        assert_ne!(first, of("row 7 of \"sites\" is missing: 018f3c1a-aaaa-7bbb-8ccc-0123456789ab"));
        assert_ne!(first, fingerprint("internal /api/v1/users", "row 7 of \"sites\" is corrupt: 018f"));
        assert!(first.len() == 16 && first.bytes().all(|byte| byte.is_ascii_hexdigit()), "{first}");
    }

    #[test]
    fn no_more_than_some_are_counted_apart() {
        let names: Vec<String> = ["one", "two", "one", "three"].map(|name| counted(name, 2)).into();
        assert_eq!(names, ["one", "two", "one", "other"]);
    }
}
