//! What comes over the wire, byte by byte: requests that no client library would send.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "a panic is how a test reports a failure"
)]

mod mutations;
mod requests;
mod server;
mod smuggling;
mod storm;

use std::{process::ExitCode, time::Duration};

use sitewatch_tests::{cases, harness::Suite};

use smuggling::{conflicting_lengths_hide_no_request, what_is_no_request_is_refused};
use storm::mutated_requests_are_answered;

/// What every case needs: nothing that lasts.
struct Sqlite;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.variant("sqlite", Sqlite);
    cases!(suite, "smuggling": conflicting_lengths_hide_no_request, what_is_no_request_is_refused);
    suite.time_limit(Duration::from_hours(2));
    cases!(suite, "storm": mutated_requests_are_answered);
    suite.run()
}
