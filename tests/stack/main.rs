//! A whole installation behind a load balancer, restarted one process after another while it is used.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test reports a failure"
)]

mod load;
mod plant;

use std::{process::ExitCode, sync::Arc, time::Duration};

use sitewatch_tests::harness::{Suite, is_long_run};

use load::Load;
use plant::Plant;

/// What the suite runs on.
struct Stack;

/// How often every process is restarted.
fn rounds() -> usize {
    if is_long_run() { 10 } else { 2 }
}

async fn rolling_restarts_fail_no_request_and_lose_no_job(_stack: Arc<Stack>) {
    let mut plant = Plant::start().await;
    let root = plant.sign_in().await;
    let load = Load::over(&root).await;
    let jobs = plant.probe(u64::try_from(rounds()).expect("few") * 1_000);
    for _ in 0..rounds() {
        plant.roll(Duration::from_mins(4)).await;
    }
    let done = load.stop().await;
    assert_eq!(done.failures, Vec::<String>::new());
    assert!(done.requests > 500, "only {} requests", done.requests);
    assert_eq!(plant.stored(&root, &done.module).await, done.readings, "every reading that was acknowledged");
    let report = plant::finished(jobs, Duration::from_mins(1)).await;
    assert_eq!(report["distinct"], report["effects"], "no job is done twice");
    assert_eq!(report["distinct"], (rounds() * 1_000).to_string(), "no job is lost");
}

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.variant("postgres", Stack);
    suite.time_limit(Duration::from_mins(20));
    suite.case_on(
        "postgres",
        "rolling_restarts_fail_no_request_and_lose_no_job",
        rolling_restarts_fail_no_request_and_lose_no_job,
    );
    suite.run()
}
