//! Figures about this process, collected once and told in Prometheus' text form.

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Bounds of histograms of seconds: from a no-op to the longest job.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 600.0];

/// Begins to collect. What was counted before is not.
///
/// # Errors
/// If this process collects already.
pub(crate) fn collect() -> Result<PrometheusHandle, BuildError> {
    let builder = PrometheusBuilder::new();
    let builder = builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?;
    let handle = builder.install_recorder()?;
    describe();
    Ok(handle)
}

fn describe() {
    metrics::describe_gauge!("jobs", "Jobs in the ledger, by lane and state");
    metrics::describe_counter!(
        "http_deprecated_requests_total",
        "Requests for what is deprecated, by method, route and kind of caller"
    );
    metrics::describe_gauge!("redis_up", "1 if the Redis of the queue answers, else 0");
    metrics::describe_counter!("job_runs_total", "Tries of jobs, by kind and verdict");
    metrics::describe_gauge!("rate_limit_redis_up", "1 if the Redis of the rate limits answers, else 0");
    metrics::describe_counter!("rate_limit_fallbacks_total", "Requests that were counted without Redis");
    metrics::describe_histogram!("job_run_seconds", "How long tries took, by kind");
    metrics::describe_histogram!("job_wait_seconds", "From being due to being claimed, by lane");
    metrics::describe_counter!("job_threads_lost_total", "Threads lost to jobs that never give way");
    metrics::describe_counter!("job_rings_dropped_total", "Rings that did not reach Redis");
    metrics::describe_counter!("job_bell_restarts_total", "Listeners at Redis that were started again");
}
