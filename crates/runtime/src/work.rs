//! Working jobs off: the worker that runs within the server, or alone.

use std::future::Future;

use sitewatch_domain::{
    Platform,
    access::{Actor, RequestContext},
};
use sitewatch_jobs::{Bells, Tools, Worker, WorkerSettings, registry};

/// Works until `stop` is done.
pub(crate) async fn work(platform: Platform, bells: Bells, stop: impl Future<Output = ()>) {
    let worker = Worker {
        tools: Tools { platform },
        registry: registry(),
        bells,
        actor: actor(),
        settings: WorkerSettings::default(),
    };
    worker.run(stop).await;
}

/// The authority of workers.
#[expect(clippy::disallowed_methods, reason = "claiming and settling jobs is the system's own work")]
pub(crate) fn actor() -> Actor {
    Actor::system(RequestContext::default())
}
