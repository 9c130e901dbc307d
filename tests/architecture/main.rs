//! The architecture, checked: who may depend on whom, where each library lives, what every source file keeps to, and
//! that the guards of the domain cannot be walked round.
//!
//! A failure names the rule that was broken and what to do about it.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test reports a failure"
)]

mod addresses;
mod documents;
mod graph;
mod guards;
mod promises;
mod sources;
mod workspace;
