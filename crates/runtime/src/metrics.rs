//! Figures about this process, collected once and told in Prometheus' text form. What they are called follows the semantic
//! conventions of OpenTelemetry as far as those go, and Prometheus' rules for names (decision 0025).

use metrics::Unit;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Bounds of histograms of seconds: from a no-op to the longest job.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 600.0];
/// Those that OpenTelemetry advises for requests.
const OF_REQUESTS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Those that it advises for databases.
const OF_DATABASES: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
/// How late readings come: from a moment to a week.
const OF_LAG: [f64; 12] =
    [0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 10_800.0, 43_200.0, 86_400.0, 604_800.0];

const COUNTERS: &[(&str, &str)] = &[
    ("cache_requests_total", "Look-ups in a cache, by cache and result"),
    (
        "http_deprecated_requests_total",
        "Requests for what is deprecated, by method, route and kind of caller",
    ),
    (
        "http_server_errors_total",
        "Answers with a status from 500 on, by type and fingerprint, which the log has",
    ),
    ("http_requests_shed_total", "Requests that were turned away because too many were under way, by class"),
    ("ingest_samples_total", "Readings that were sent, by protocol and outcome"),
    ("job_bell_restarts_total", "Listeners at Redis that were started again"),
    ("job_rings_dropped_total", "Rings that did not reach Redis"),
    ("job_runs_total", "Tries of jobs, by kind and verdict"),
    ("job_threads_lost_total", "Threads lost to jobs that never give way"),
    ("mails_total", "Mails that are over, by state"),
    ("rate_limit_fallbacks_total", "Requests that were counted without Redis"),
    ("ratelimit_rejected_total", "Requests that were one too many, by policy"),
];

const GAUGES: &[(&str, &str)] = &[
    ("build_info", "1, with the program and its version as labels"),
    ("cache_redis_up", "1 if the Redis of the cache answers, else 0"),
    ("db_client_connections", "Open connections to the database, by pool and state"),
    ("db_client_connections_max", "The most connections of a pool"),
    ("db_client_connections_pending", "How many wait for a connection of a pool"),
    ("degraded", "1 while the program does without that part, else 0"),
    ("http_server_active_requests", "Requests under way, by method"),
    ("jobs", "Jobs in the ledger, by lane and state"),
    ("rate_limit_redis_up", "1 if the Redis of the rate limits answers, else 0"),
    ("redis_up", "1 if the Redis of the queue answers, else 0"),
];

const DURATIONS: &[(&str, &[f64], &str)] = &[
    (
        "db_client_operation_duration_seconds",
        &OF_DATABASES,
        "How long the database took, by system and operation, waiting for a connection included",
    ),
    (
        "http_server_request_duration_seconds",
        &OF_REQUESTS,
        "From the head of a request to that of its answer, by method, route and status",
    ),
    (
        "ingest_lag_seconds",
        &OF_LAG,
        "How old the newest reading of a batch was when it was stored, by protocol",
    ),
    ("job_run_seconds", &SECONDS, "How long tries took, by kind"),
    ("job_wait_seconds", &SECONDS, "From being due to being claimed, by lane"),
];

/// Begins to collect, for the program of this name. What was counted before is not.
///
/// # Errors
/// If this process collects already.
pub(crate) fn collect(program: &'static str) -> Result<PrometheusHandle, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for (name, bounds, _) in DURATIONS {
        builder = builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), bounds)?;
    }
    let handle = builder.install_recorder()?;
    for (name, meaning) in COUNTERS {
        metrics::describe_counter!(*name, *meaning);
    }
    for (name, meaning) in GAUGES {
        metrics::describe_gauge!(*name, *meaning);
    }
    for (name, _, meaning) in DURATIONS {
        metrics::describe_histogram!(*name, Unit::Seconds, *meaning);
    }
    // What has never happened is told as well, so that its first time is a rise.
    for name in ["job_rings_dropped_total", "job_threads_lost_total", "rate_limit_fallbacks_total"] {
        metrics::counter!(name).increment(0);
    }
    metrics::gauge!("build_info", "program" => program, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}
