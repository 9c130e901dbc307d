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
mod kinds;
mod ledger;
mod plant;
mod poison;

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
use kinds::every_kind_run_twice_has_one_effect;
use poison::{poison_kills_only_itself, threads_that_are_lost_end_the_worker};

use plant::Kind;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.variant("sqlite", Kind::Sqlite);
    suite.variant("postgres", Kind::Postgres);
    // With the name of the other in it: whoever skips PostgreSQL skips this as well.
    suite.variant("redis-postgres", Kind::PostgresAndRedis);
    suite.time_limit(Duration::from_hours(1));
    cases!(suite, "faults": every_job_has_one_effect, a_killed_workers_jobs_run_again_at_once, a_stop_gives_everything_back);
    cases!(suite, "poison": poison_kills_only_itself);
    suite.time_limit(Duration::from_mins(3));
    for backend in ["sqlite", "postgres"] {
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
