//! `run` and `drain`: working jobs off.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use metrics_exporter_prometheus::PrometheusHandle;
use sitewatch_domain::{
    Platform,
    error::BoxError,
    jobs::{JobState, Lane},
};
use sitewatch_http::{ManagementReadiness, ManagementSource, serve_management};
use sitewatch_jobs::{Ended, RedisBell, RedisHealth};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Mutex,
    task::JoinSet,
    time::Instant,
};

use crate::{
    assemble::Runtime, commands::CommandError, config::Jobs, exit::StartError, metrics::collect, open_files,
    work,
};

/// How often figures are put in order, so that they do not pile up while nobody asks.
const UPKEEP: Duration = Duration::from_secs(5);
/// Counting the jobs that are over takes the ledger a while once there are millions.
const OVER_IS_COUNTED_EVERY: Duration = Duration::from_secs(30);
/// The states whose jobs the ledger finds in indexes of their own.
const UNFINISHED: &[JobState] = &[JobState::Ready, JobState::Running];

pub(super) async fn until_told(runtime: Runtime, jobs: Jobs) -> Result<(), CommandError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let _management = match jobs.management_bind {
        Some(address) => Some(manage(address, &runtime)?),
        None => None,
    };
    open_files::raise_limit();
    tracing::info!(redis = runtime.redis.is_some(), "working");
    let ended = work::work(&runtime, jobs, async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: finishing what runs");
    })
    .await;
    told(ended)
}

/// Works until neither anything is due nor anything runs.
pub(super) async fn drain(runtime: Runtime, jobs: Jobs) -> Result<(), CommandError> {
    let watched = runtime.platform.clone();
    let ended = work::work(&runtime, jobs, async move {
        while !is_drained(&watched).await {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
    told(ended)
}

fn told(ended: Ended) -> Result<(), CommandError> {
    match ended {
        Ended::Told => {
            tracing::info!("stopped");
            Ok(())
        }
        Ended::Exhausted => Err(StartError::ThreadsLost.into()),
    }
}

async fn is_drained(platform: &Platform) -> bool {
    let actor = work::actor();
    let running = platform.jobs().count(&actor, &[JobState::Running]).await;
    if !running.is_ok_and(|counts| counts.is_empty()) {
        return false;
    }
    let registry = sitewatch_jobs::registry();
    for lane in Lane::ALL {
        let kinds: Vec<&str> = registry.kinds_of(*lane);
        if kinds.is_empty() {
            continue;
        }
        match platform.jobs().next_due(&actor, *lane, &kinds).await {
            Ok(Some(due)) if due.is_zero() => return false,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    true
}

/// Opens the port for health and figures, until the handle is dropped.
fn manage(address: SocketAddr, runtime: &Runtime) -> Result<JoinSet<()>, CommandError> {
    let listener = TcpListener::bind(address).map_err(|error| StartError::management(address, error))?;
    listener.set_nonblocking(true).map_err(|error| StartError::management(address, error))?;
    let internal = |error: BoxError| CommandError::from(StartError::Internal(error));
    let figures = collect().map_err(|error| internal(error.into()))?;
    let redis = runtime.redis.as_ref().map(RedisBell::health);
    let source = Source {
        platform: runtime.platform.clone(),
        redis,
        figures: figures.clone(),
        counted: Mutex::default(),
    };
    let (server, _stop) =
        serve_management(listener, Arc::new(source)).map_err(|error| internal(error.into()))?;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(error = %error, "the port for health and metrics is closed");
        }
    });
    tasks.spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            figures.run_upkeep();
        }
    });
    Ok(tasks)
}

/// What the port tells.
struct Source {
    platform: Platform,
    redis: Option<RedisHealth>,
    figures: PrometheusHandle,
    /// When jobs that are over were last counted.
    counted: Mutex<Option<Instant>>,
}

#[async_trait]
impl ManagementSource for Source {
    async fn readiness(&self) -> ManagementReadiness {
        let is_up =
            self.platform.readiness().await.is_ok_and(|readiness| readiness.pending_migrations.is_empty());
        ManagementReadiness {
            database: if is_up { "up" } else { "down" },
            redis: self.redis.as_ref().map_or("off", RedisHealth::word),
        }
    }

    async fn metrics(&self) -> String {
        if let Some(redis) = &self.redis {
            metrics::gauge!("redis_up").set(if redis.word() == "up" { 1.0 } else { 0.0 });
        }
        // Without an answer of the ledger the last known numbers stay.
        let mut counted = self.counted.lock().await;
        let is_recent = counted.is_some_and(|at| at.elapsed() < OVER_IS_COUNTED_EVERY);
        let states = if is_recent { UNFINISHED } else { JobState::ALL };
        if let Ok(counts) = self.platform.jobs().count(&work::actor(), states).await {
            if !is_recent {
                *counted = Some(Instant::now());
            }
            for lane in Lane::ALL {
                for state in states {
                    let found = counts.iter().find(|count| count.lane == *lane && count.state == *state);
                    let jobs = found.map_or(0, |count| count.count);
                    // Exact up to 2^53, and a gauge is no more.
                    let jobs = u32::try_from(jobs).map_or(f64::from(u32::MAX), f64::from);
                    metrics::gauge!("jobs", "lane" => lane.name(), "state" => state.name()).set(jobs);
                }
            }
        }
        self.figures.render()
    }
}
