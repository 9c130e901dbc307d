//! What was acknowledged survives: the real server is killed during a stream of batches, again and again.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a panic is how a test reports a failure"
)]

mod kill;
mod load;
mod roles;
mod start;

use std::process::ExitCode;

use sitewatch_tests::{cases, harness::Suite};

use kill::{a_stop_under_load_loses_nothing, acknowledged_readings_survive_a_kill};
use roles::a_role_with_few_rights_serves;
use start::{
    a_changed_secret_is_refused, a_newer_schema_is_refused, a_second_server_on_the_folder_is_refused,
    a_second_signal_ends_at_once, a_taken_port_and_a_bad_folder_are_told,
    migrations_can_be_left_to_a_command,
};

/// The databases.
pub enum Kind {
    /// A file.
    Sqlite,
    /// A server of the test's own, which waits for the disk.
    Postgres,
}

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.variant("sqlite", Kind::Sqlite);
    suite.variant("postgres", Kind::Postgres);
    suite.time_limit(std::time::Duration::from_mins(20));
    cases!(suite, "kill": acknowledged_readings_survive_a_kill, a_stop_under_load_loses_nothing);
    cases!(suite, "start": a_second_signal_ends_at_once, a_taken_port_and_a_bad_folder_are_told,
        a_changed_secret_is_refused, a_newer_schema_is_refused, migrations_can_be_left_to_a_command);
    // PostgreSQL takes any number of servers.
    suite.case_on(
        "sqlite",
        "start::a_second_server_on_the_folder_is_refused",
        a_second_server_on_the_folder_is_refused,
    );
    suite.case_on("postgres", "roles::a_role_with_few_rights_serves", a_role_with_few_rights_serves);
    suite.run()
}
