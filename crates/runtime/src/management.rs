//! The port for whoever runs the installation: health and figures of this process.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use metrics_exporter_prometheus::PrometheusHandle;
use sitewatch_domain::{
    Platform,
    jobs::{JobState, Lane},
};
use sitewatch_http::{ManagementReadiness, ManagementSource, serve_management};
use sitewatch_jobs::{RedisBell, RedisHealth};
use sitewatch_persistence::SeaStore;
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{assemble::Runtime, exit::StartError, metrics::collect, work};

/// How often figures are put in order, so that they do not pile up while nobody asks.
const UPKEEP: Duration = Duration::from_secs(5);
/// Counting the jobs that are over takes the ledger a while once there are millions.
const OVER_IS_COUNTED_EVERY: Duration = Duration::from_secs(30);
/// How long the count of jobs may hold up the other figures.
const COUNTING: Duration = Duration::from_secs(1);
/// The states whose jobs the ledger finds in indexes of their own.
const UNFINISHED: &[JobState] = &[JobState::Ready, JobState::Running];

/// A program that has such a port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    /// Its name in the figures.
    pub(crate) name: &'static str,
    /// The setting that chooses the port, and its variable.
    pub(crate) setting: [&'static str; 2],
}

pub(crate) const API: Program =
    Program { name: "api", setting: ["server.management_bind", "SITEWATCH_MANAGEMENT_BIND"] };
pub(crate) const WORKER: Program =
    Program { name: "worker", setting: ["jobs.management_bind", "SITEWATCH_WORKER_MANAGEMENT_BIND"] };

/// The port, bound and collecting, but not answering yet.
pub(crate) struct Management {
    listener: TcpListener,
    address: SocketAddr,
    figures: PrometheusHandle,
}

impl Management {
    /// Takes the port and begins to collect figures; before anything is done that counts. Without an address nothing is collected.
    ///
    /// # Errors
    /// If the port cannot be listened on.
    pub(crate) fn bind(program: Program, address: Option<SocketAddr>) -> Result<Option<Self>, StartError> {
        let Some(address) = address else { return Ok(None) };
        let refused = |error| StartError::management(program.setting, address, error);
        let listener = TcpListener::bind(address).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let figures = collect(program.name).map_err(|error| StartError::Internal(error.into()))?;
        Ok(Some(Self { listener, address, figures }))
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the handle is dropped.
    ///
    /// # Errors
    /// If the port cannot be used.
    pub(crate) fn open(self, runtime: &Runtime) -> Result<JoinSet<()>, StartError> {
        let Self { listener, figures, .. } = self;
        let source = Source {
            platform: runtime.platform.clone(),
            store: runtime.store(),
            redis: runtime.redis.as_ref().map(RedisBell::health),
            figures: figures.clone(),
            counted: Mutex::default(),
        };
        let (server, _stop) = serve_management(listener, Arc::new(source))
            .map_err(|error| StartError::Internal(error.into()))?;
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
}

/// What the port tells.
struct Source {
    platform: Platform,
    store: Arc<SeaStore>,
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
        self.tell_of_parts();
        self.count_jobs().await;
        self.figures.render()
    }
}

impl Source {
    fn tell_of_parts(&self) {
        if let Some(redis) = &self.redis {
            metrics::gauge!("redis_up").set(truth(redis.word() == "up"));
        }
        // One part so far; a part that is not named does its work.
        let degraded = self.platform.degraded();
        metrics::gauge!("degraded", "part" => "redis").set(truth(degraded.contains(&"redis")));
        for pool in self.store.pools() {
            let connections = |state: &'static str| {
                metrics::gauge!(
                    "db_client_connections",
                    "db_client_connection_pool_name" => pool.name, "db_client_connection_state" => state
                )
            };
            connections("used").set(number(pool.used));
            connections("idle").set(number(pool.idle));
            let most =
                metrics::gauge!("db_client_connections_max", "db_client_connection_pool_name" => pool.name);
            most.set(number(pool.most));
            metrics::gauge!("db_client_connections_pending", "db_client_connection_pool_name" => pool.name)
                .set(number(pool.waiting));
        }
    }

    /// Without an answer of the ledger the last known numbers stay; whoever asks while another one counts is told those too.
    async fn count_jobs(&self) {
        let Ok(mut counted) = self.counted.try_lock() else { return };
        let is_recent = counted.is_some_and(|at| at.elapsed() < OVER_IS_COUNTED_EVERY);
        let states = if is_recent { UNFINISHED } else { JobState::ALL };
        let counting = timeout(COUNTING, self.platform.jobs().count(&work::actor(), states)).await;
        let Ok(Ok(counts)) = counting else { return };
        if !is_recent {
            *counted = Some(Instant::now());
        }
        for lane in Lane::ALL {
            for state in states {
                let found = counts.iter().find(|count| count.lane == *lane && count.state == *state);
                let jobs = found.map_or(0, |count| count.count);
                metrics::gauge!("jobs", "lane" => lane.name(), "state" => state.name()).set(number(jobs));
            }
        }
    }
}

fn truth(is_so: bool) -> f64 {
    if is_so { 1.0 } else { 0.0 }
}

/// A count as a gauge has it. None of ours comes near the bound.
fn number(count: impl TryInto<u32>) -> f64 {
    count.try_into().map_or(f64::from(u32::MAX), f64::from)
}
