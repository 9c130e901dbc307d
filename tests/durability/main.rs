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

mod again;
mod audit;
mod commands;
mod consistency;
mod frozen;
mod full;
mod gone;
mod kill;
mod load;
mod outage;
mod roles;
mod slow;
mod start;
mod told;
mod two_nodes;
mod unjudged;
mod wall;

use std::process::ExitCode;

use sitewatch_tests::{
    cases,
    harness::{Suite, is_long_run},
};

use again::what_is_sent_again_after_a_kill_has_one_effect;
use audit::{a_changed_log_is_named_by_the_command, a_log_that_was_cut_is_told_by_the_checkpoints};
use commands::{
    a_command_adopts_an_empty_database, a_command_with_another_secret_is_refused,
    a_command_without_a_schema_says_what_to_do, a_schema_in_use_is_not_taken_back,
    a_second_server_on_the_database_is_refused, a_waiting_node_is_prepared_before_it_is_ready,
    a_waiting_node_with_another_secret_ends,
};
use consistency::what_is_read_is_what_was_committed;
use frozen::{a_frozen_database_is_told_in_time, sessions_that_never_answer_are_replaced};
use full::what_is_acknowledged_after_a_full_disk_is_kept;
use gone::{
    a_look_from_outside_takes_nothing_away, a_removed_folder_takes_no_writes, a_replaced_file_takes_no_writes,
};
use kill::{a_stop_under_load_loses_nothing, acknowledged_readings_survive_a_kill};
use outage::an_outage_under_load_is_told_and_over_soon;
use roles::{
    a_role_with_few_rights_serves, a_role_without_rights_is_told, an_older_schema_keeps_its_roles,
    months_are_made_by_those_who_store,
};
use slow::{
    a_process_with_few_files_serves_on, connections_that_are_kept_leave_room,
    unfinished_requests_come_to_an_end, who_does_not_read_is_cut_off,
};
use start::{
    a_changed_secret_is_refused, a_newer_schema_is_refused, a_second_server_on_the_folder_is_refused,
    a_second_signal_ends_at_once, a_taken_port_and_a_bad_folder_are_told,
    migrations_can_be_left_to_a_command,
};
use told::{
    a_damaged_file_is_told_as_damaged, a_demonstration_for_another_server_is_told,
    a_look_at_the_migrations_makes_nothing, a_lost_secret_is_not_replaced,
    a_refused_connection_is_told_with_its_address, a_secret_that_others_can_read_is_warned_of,
    requests_without_a_schema_are_put_off,
};
use two_nodes::{a_revocation_is_seen_by_the_next_call_elsewhere, failed_sign_ins_count_on_every_node};
use unjudged::a_sign_in_that_is_broken_off_is_no_wrong_guess;
use wall::{
    a_start_without_the_wall_is_refused, a_waiting_node_without_the_wall_ends,
    every_table_is_behind_the_wall_or_named, many_at_once_are_served_behind_the_wall,
    migrating_switches_the_wall, nothing_of_others_is_behind_the_wall,
    the_wall_is_closed_until_something_is_said, what_is_built_in_stays_as_it_is,
    what_one_sees_of_oneself_is_not_ones_own,
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
    suite.time_limit(std::time::Duration::from_mins(if is_long_run() { 180 } else { 20 }));
    cases!(suite, "kill": acknowledged_readings_survive_a_kill, a_stop_under_load_loses_nothing);
    cases!(suite, "again": what_is_sent_again_after_a_kill_has_one_effect);
    cases!(suite, "start": a_second_signal_ends_at_once, a_taken_port_and_a_bad_folder_are_told,
        a_changed_secret_is_refused, a_newer_schema_is_refused, migrations_can_be_left_to_a_command);
    cases!(suite, "commands": a_command_with_another_secret_is_refused, a_command_adopts_an_empty_database,
        a_command_without_a_schema_says_what_to_do, a_waiting_node_is_prepared_before_it_is_ready,
        a_waiting_node_with_another_secret_ends);
    cases!(suite, "audit": a_changed_log_is_named_by_the_command, a_log_that_was_cut_is_told_by_the_checkpoints);
    cases!(suite, "told": requests_without_a_schema_are_put_off, a_lost_secret_is_not_replaced);
    // PostgreSQL has no part in these.
    suite.case_on(
        "sqlite",
        "told::a_secret_that_others_can_read_is_warned_of",
        a_secret_that_others_can_read_is_warned_of,
    );
    let outage = "outage::an_outage_under_load_is_told_and_over_soon";
    suite.case_on("postgres", outage, an_outage_under_load_is_told_and_over_soon);
    let committed = "consistency::what_is_read_is_what_was_committed";
    suite.case_on("postgres", committed, |_| what_is_read_is_what_was_committed());
    suite.case_on("sqlite", "told::a_damaged_file_is_told_as_damaged", a_damaged_file_is_told_as_damaged);
    suite.case_on(
        "sqlite",
        "told::a_look_at_the_migrations_makes_nothing",
        a_look_at_the_migrations_makes_nothing,
    );
    suite.case_on(
        "sqlite",
        "told::a_refused_connection_is_told_with_its_address",
        a_refused_connection_is_told_with_its_address,
    );
    suite.case_on(
        "sqlite",
        "told::a_demonstration_for_another_server_is_told",
        a_demonstration_for_another_server_is_told,
    );
    // PostgreSQL takes any number of servers.
    suite.case_on(
        "sqlite",
        "start::a_second_server_on_the_folder_is_refused",
        a_second_server_on_the_folder_is_refused,
    );
    suite.case_on(
        "sqlite",
        "commands::a_second_server_on_the_database_is_refused",
        a_second_server_on_the_database_is_refused,
    );
    suite.case_on("sqlite", "commands::a_schema_in_use_is_not_taken_back", a_schema_in_use_is_not_taken_back);
    suite.case_on(
        "sqlite",
        "full::what_is_acknowledged_after_a_full_disk_is_kept",
        what_is_acknowledged_after_a_full_disk_is_kept,
    );
    suite.case_on("sqlite", "gone::a_removed_folder_takes_no_writes", a_removed_folder_takes_no_writes);
    suite.case_on(
        "sqlite",
        "gone::a_look_from_outside_takes_nothing_away",
        a_look_from_outside_takes_nothing_away,
    );
    suite.case_on("sqlite", "gone::a_replaced_file_takes_no_writes", a_replaced_file_takes_no_writes);
    // No database has a part in these.
    suite.case_on("sqlite", "slow::unfinished_requests_come_to_an_end", unfinished_requests_come_to_an_end);
    suite.case_on("sqlite", "slow::who_does_not_read_is_cut_off", who_does_not_read_is_cut_off);
    suite.case_on("sqlite", "slow::a_process_with_few_files_serves_on", a_process_with_few_files_serves_on);
    suite.case_on(
        "sqlite",
        "slow::connections_that_are_kept_leave_room",
        connections_that_are_kept_leave_room,
    );
    suite.case_on(
        "postgres",
        "roles::months_are_made_by_those_who_store",
        months_are_made_by_those_who_store,
    );
    suite.case_on("postgres", "roles::an_older_schema_keeps_its_roles", an_older_schema_keeps_its_roles);
    suite.case_on("postgres", "roles::a_role_with_few_rights_serves", a_role_with_few_rights_serves);
    suite.case_on("postgres", "roles::a_role_without_rights_is_told", a_role_without_rights_is_told);
    suite.case_on(
        "postgres",
        "wall::every_table_is_behind_the_wall_or_named",
        every_table_is_behind_the_wall_or_named,
    );
    suite.case_on(
        "postgres",
        "wall::nothing_of_others_is_behind_the_wall",
        nothing_of_others_is_behind_the_wall,
    );
    suite.case_on(
        "postgres",
        "wall::what_one_sees_of_oneself_is_not_ones_own",
        what_one_sees_of_oneself_is_not_ones_own,
    );
    suite.case_on("postgres", "wall::what_is_built_in_stays_as_it_is", what_is_built_in_stays_as_it_is);
    suite.case_on(
        "postgres",
        "wall::the_wall_is_closed_until_something_is_said",
        the_wall_is_closed_until_something_is_said,
    );
    suite.case_on(
        "postgres",
        "wall::a_start_without_the_wall_is_refused",
        a_start_without_the_wall_is_refused,
    );
    suite.case_on(
        "postgres",
        "wall::a_waiting_node_without_the_wall_ends",
        a_waiting_node_without_the_wall_ends,
    );
    suite.case_on("postgres", "wall::migrating_switches_the_wall", migrating_switches_the_wall);
    suite.case_on(
        "postgres",
        "wall::many_at_once_are_served_behind_the_wall",
        many_at_once_are_served_behind_the_wall,
    );
    suite.case_on("postgres", "frozen::a_frozen_database_is_told_in_time", a_frozen_database_is_told_in_time);
    suite.case_on(
        "postgres",
        "frozen::sessions_that_never_answer_are_replaced",
        sessions_that_never_answer_are_replaced,
    );
    suite.case_on(
        "postgres",
        "two_nodes::a_revocation_is_seen_by_the_next_call_elsewhere",
        a_revocation_is_seen_by_the_next_call_elsewhere,
    );
    suite.case_on(
        "postgres",
        "two_nodes::failed_sign_ins_count_on_every_node",
        failed_sign_ins_count_on_every_node,
    );
    suite.case_on(
        "postgres",
        "unjudged::a_sign_in_that_is_broken_off_is_no_wrong_guess",
        a_sign_in_that_is_broken_off_is_no_wrong_guess,
    );
    suite.run()
}
