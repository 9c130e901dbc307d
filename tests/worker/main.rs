//! Jobs get done, once each, whatever happens to workers, Redis and the database: the real binaries, killed and frozen.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a panic is how a test reports a failure"
)]

mod bell;
mod command;
mod crew;
mod faults;
mod housekeeping;
mod kinds;
mod ledger;
mod mail;
mod passwords;
mod payloads;
mod plant;
mod poison;
mod reports;
mod rollups;
mod secrets;

use std::{process::ExitCode, time::Duration};

use sitewatch_tests::{cases, harness::Suite};

use bell::{
    a_bell_of_nonsense_is_cleaned, a_commit_wakes_a_worker_in_another_process, a_redis_that_comes_later_rings,
};
use command::{jobs_are_listed_and_set_going_again, odd_settings_are_refused};
use faults::{
    a_killed_workers_jobs_run_again_at_once, a_stop_gives_everything_back,
    a_worker_that_sleeps_blames_no_job, a_worker_that_wakes_too_late_changes_nothing,
    every_job_has_one_effect,
};
use housekeeping::{only_what_is_past_its_time_is_forgotten, the_coming_months_are_made_ahead};
use kinds::every_kind_run_twice_has_one_effect;
use mail::{
    a_kill_before_it_is_noted_sends_it_once_more, a_long_absence_of_the_database_sends_nothing_twice,
    a_server_that_hangs_blocks_no_other_lane, addresses_that_take_no_mail_are_listed_and_let_off,
    an_absent_database_sends_nothing_twice, hostile_names_arrive_harmless,
    the_test_command_tells_what_happened, three_recipients_get_one_mail_each,
    what_is_put_off_is_tried_again_under_the_same_message_id, what_is_refused_is_not_tried_again,
    without_a_server_mails_are_files,
};
use passwords::{
    a_forgotten_password_is_replaced_once, a_new_password_begins_the_count_of_wrong_ones_anew,
    a_token_is_good_for_its_time_its_address_and_its_user, nobody_is_sent_more_than_a_few_an_hour,
    who_is_made_without_a_password_is_sent_the_way_to_one,
};
use payloads::every_form_that_was_ever_written_is_read;
use poison::{
    a_row_that_cannot_be_read_holds_up_no_other, poison_kills_only_itself,
    threads_that_are_lost_end_the_worker, what_never_gives_way_holds_up_no_other,
};
use reports::files_go_with_their_runs_and_strays_go_alone;
use secrets::{
    a_token_is_sealed_while_it_waits_and_forgotten_when_it_went, a_token_that_is_given_up_is_forgotten,
    a_way_to_a_new_password_goes_to_the_users_own_address_in_time,
};

use plant::Kind;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.variant("sqlite", Kind::Sqlite);
    suite.variant("postgres", Kind::Postgres);
    // With the name of the other in it: whoever skips PostgreSQL skips this as well.
    suite.variant("redis-postgres", Kind::PostgresAndRedis);
    suite.time_limit(Duration::from_hours(1));
    cases!(suite, "faults": every_job_has_one_effect, a_killed_workers_jobs_run_again_at_once, a_stop_gives_everything_back);
    cases!(suite, "poison": poison_kills_only_itself, what_never_gives_way_holds_up_no_other);
    suite.time_limit(Duration::from_mins(3));
    for backend in ["sqlite", "postgres"] {
        mail_cases(&mut suite, backend);
        suite.case_on(
            backend,
            "housekeeping::only_what_is_past_its_time_is_forgotten",
            only_what_is_past_its_time_is_forgotten,
        );
        suite.case_on(
            backend,
            "reports::files_go_with_their_runs_and_strays_go_alone",
            files_go_with_their_runs_and_strays_go_alone,
        );
        suite.case_on(
            backend,
            "kinds::every_kind_run_twice_has_one_effect",
            every_kind_run_twice_has_one_effect,
        );
    }
    suite.case_on(
        "postgres",
        "faults::a_worker_that_wakes_too_late_changes_nothing",
        a_worker_that_wakes_too_late_changes_nothing,
    );
    suite.case_on(
        "postgres",
        "faults::a_worker_that_sleeps_blames_no_job",
        a_worker_that_sleeps_blames_no_job,
    );
    suite.case_on(
        "postgres",
        "poison::threads_that_are_lost_end_the_worker",
        threads_that_are_lost_end_the_worker,
    );
    suite.case_on(
        "postgres",
        "command::jobs_are_listed_and_set_going_again",
        jobs_are_listed_and_set_going_again,
    );
    suite.case_on(
        "postgres",
        "mail::a_kill_before_it_is_noted_sends_it_once_more",
        a_kill_before_it_is_noted_sends_it_once_more,
    );
    suite.case_on(
        "postgres",
        "mail::an_absent_database_sends_nothing_twice",
        an_absent_database_sends_nothing_twice,
    );
    suite.case_on(
        "postgres",
        "mail::a_long_absence_of_the_database_sends_nothing_twice",
        a_long_absence_of_the_database_sends_nothing_twice,
    );
    suite.case_on(
        "postgres",
        "housekeeping::the_coming_months_are_made_ahead",
        the_coming_months_are_made_ahead,
    );
    suite.case_on(
        "sqlite",
        "mail::the_test_command_tells_what_happened",
        the_test_command_tells_what_happened,
    );
    suite.case_on(
        "sqlite",
        "payloads::every_form_that_was_ever_written_is_read",
        every_form_that_was_ever_written_is_read,
    );
    suite.case_on(
        "sqlite",
        "poison::a_row_that_cannot_be_read_holds_up_no_other",
        a_row_that_cannot_be_read_holds_up_no_other,
    );
    suite.case_on(
        "sqlite",
        "mail::addresses_that_take_no_mail_are_listed_and_let_off",
        addresses_that_take_no_mail_are_listed_and_let_off,
    );
    suite.case_on("sqlite", "command::odd_settings_are_refused", odd_settings_are_refused);
    suite.case_on(
        "redis-postgres",
        "bell::a_commit_wakes_a_worker_in_another_process",
        a_commit_wakes_a_worker_in_another_process,
    );
    suite.case_on("redis-postgres", "bell::a_redis_that_comes_later_rings", a_redis_that_comes_later_rings);
    suite.case_on("redis-postgres", "bell::a_bell_of_nonsense_is_cleaned", a_bell_of_nonsense_is_cleaned);
    suite.run()
}

/// On one database; Redis has no part in them.
fn mail_cases(suite: &mut Suite<Kind>, backend: &str) {
    suite.case_on(backend, "mail::three_recipients_get_one_mail_each", three_recipients_get_one_mail_each);
    suite.case_on(
        backend,
        "mail::what_is_put_off_is_tried_again_under_the_same_message_id",
        what_is_put_off_is_tried_again_under_the_same_message_id,
    );
    suite.case_on(backend, "mail::what_is_refused_is_not_tried_again", what_is_refused_is_not_tried_again);
    suite.case_on(
        backend,
        "mail::a_server_that_hangs_blocks_no_other_lane",
        a_server_that_hangs_blocks_no_other_lane,
    );
    suite.case_on(backend, "mail::hostile_names_arrive_harmless", hostile_names_arrive_harmless);
    suite.case_on(backend, "mail::without_a_server_mails_are_files", without_a_server_mails_are_files);
    suite.case_on(
        backend,
        "passwords::a_forgotten_password_is_replaced_once",
        a_forgotten_password_is_replaced_once,
    );
    suite.case_on(
        backend,
        "passwords::a_token_is_good_for_its_time_its_address_and_its_user",
        a_token_is_good_for_its_time_its_address_and_its_user,
    );
    suite.case_on(
        backend,
        "passwords::who_is_made_without_a_password_is_sent_the_way_to_one",
        who_is_made_without_a_password_is_sent_the_way_to_one,
    );
    suite.case_on(
        backend,
        "passwords::a_new_password_begins_the_count_of_wrong_ones_anew",
        a_new_password_begins_the_count_of_wrong_ones_anew,
    );
    suite.case_on(
        backend,
        "passwords::nobody_is_sent_more_than_a_few_an_hour",
        nobody_is_sent_more_than_a_few_an_hour,
    );
    suite.case_on(
        backend,
        "secrets::a_token_is_sealed_while_it_waits_and_forgotten_when_it_went",
        a_token_is_sealed_while_it_waits_and_forgotten_when_it_went,
    );
    suite.case_on(
        backend,
        "secrets::a_token_that_is_given_up_is_forgotten",
        a_token_that_is_given_up_is_forgotten,
    );
    suite.case_on(
        backend,
        "secrets::a_way_to_a_new_password_goes_to_the_users_own_address_in_time",
        a_way_to_a_new_password_goes_to_the_users_own_address_in_time,
    );
}
