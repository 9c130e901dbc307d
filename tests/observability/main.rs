//! What an operator sees of the real programs: their figures, their log, and what neither of them shows.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test reports a failure"
)]

mod canaries;
mod collector;
mod figures;
mod installation;
mod lines;
mod planted;
mod promtool;
mod traces;

use std::process::ExitCode;

use sitewatch_tests::{cases, harness::Suite};

/// What an installation stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file and nothing else; the server works its jobs off.
    Sqlite,
    /// PostgreSQL, Redis, and a worker of its own.
    Postgres,
}

use canaries::no_secret_is_shown;
use figures::{a_taken_port_is_told, the_documented_figures_are_there};
use lines::{
    a_line_of_text_says_each_thing_once, each_line_says_what_it_belongs_to, failures_are_told_once,
    slow_ones_are_told, what_jobs_say_bears_their_request,
};
use traces::{
    a_collector_that_is_away_holds_nobody_up, a_stopping_server_sends_its_last_spans,
    requests_statements_and_jobs_are_traced,
};

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.variant("sqlite", Kind::Sqlite);
    suite.variant("postgres", Kind::Postgres);
    suite.time_limit(std::time::Duration::from_mins(6));
    cases!(suite, "figures": the_documented_figures_are_there, a_taken_port_is_told);
    cases!(suite, "lines": a_line_of_text_says_each_thing_once, each_line_says_what_it_belongs_to, failures_are_told_once, slow_ones_are_told,
        what_jobs_say_bears_their_request);
    cases!(suite, "canaries": no_secret_is_shown);
    cases!(suite, "traces": requests_statements_and_jobs_are_traced, a_stopping_server_sends_its_last_spans,
        a_collector_that_is_away_holds_nobody_up);
    suite.run()
}
