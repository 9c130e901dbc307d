//! What the test suites share: a PostgreSQL of their own, the running server, free ports and the harness.
//!
//! - [`harness`]: one binary per suite, with cases that run on every backend ([`harness::Suite`]).
//! - [`postgres`]: a real PostgreSQL started by the tests, one copy of a migrated template per test.
//! - [`processes`]: the built binaries as children that never outlive their test.
//! - [`redis`]: a real Redis, started by the tests.
//! - [`ports`]: addresses to listen on.
//! - [`random`]: numbers that a seed gives again.
//! - [`smtp`]: a mail server that takes everything, or whatever else the test wants.
//!
//! Everything in here panics with one sentence when it cannot do its work: in a test that is the report.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::missing_panics_doc,
    reason = "a panic is how a test reports a failure"
)]

pub mod client;
pub mod frozen;
pub mod harness;
pub mod ports;
pub mod postgres;
pub mod processes;
pub mod random;
pub mod redis;
pub mod redis_groups;
pub mod smtp;
mod statements;
mod watchdog;
pub mod world;
