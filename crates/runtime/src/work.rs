//! Working jobs off: the worker that runs within the server, or alone.

use std::{future::Future, time::Duration};

use sitewatch_domain::{
    Platform,
    access::{Actor, RequestContext},
};
use sitewatch_jobs::{Ended, RedisBell, Tools, Worker, WorkerSettings, registry};

use crate::{assemble::Runtime, config::Jobs};

/// How often it is looked whether the schema is up to date by now.
const SCHEMA: Duration = Duration::from_secs(1);

/// Works until `stop` is done, or too many threads are lost.
pub(crate) async fn work(runtime: &Runtime, jobs: Jobs, stop: impl Future<Output = ()>) -> Ended {
    let mut stop = std::pin::pin!(stop);
    tokio::select! {
        () = has_its_tables(&runtime.platform) => {}
        () = &mut stop => return Ended::Told,
    }
    tracing::info!(to = runtime.post.destination(), "mail is sent");
    // Dropped with the worker, and with it whatever still listens.
    let _listeners = runtime.redis.as_ref().map(RedisBell::listen);
    let worker = Worker {
        tools: Tools { platform: runtime.platform.clone(), post: runtime.post.clone() },
        registry: registry(),
        bells: runtime.bells.clone(),
        redis: runtime.redis.as_ref().map(RedisBell::health).unwrap_or_default(),
        actor: actor(),
        settings: WorkerSettings { lease: jobs.lease, poll: jobs.poll, ..WorkerSettings::default() },
    };
    worker.run(stop).await
}

/// Waits until somebody has brought the schema up to date.
pub(crate) async fn has_its_tables(platform: &Platform) {
    while !platform.readiness().await.is_ok_and(|readiness| readiness.pending_migrations.is_empty()) {
        tokio::time::sleep(SCHEMA).await;
    }
}

/// The authority of workers.
#[expect(clippy::disallowed_methods, reason = "claiming and settling jobs is the system's own work")]
pub(crate) fn actor() -> Actor {
    Actor::system(RequestContext::default())
}
