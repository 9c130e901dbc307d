//! `run` and `drain`: working jobs off.

use std::time::Duration;

use sitewatch_domain::{
    Platform,
    jobs::{JobState, Lane},
};
use sitewatch_jobs::Ended;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    assemble::Runtime, commands::CommandError, config::Jobs, exit::StartError, management::Management,
    open_files, work,
};

pub(super) async fn until_told(
    runtime: Runtime,
    jobs: Jobs,
    management: Option<Management>,
) -> Result<(), CommandError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let _management = management.map(|management| management.open(&runtime)).transpose()?;
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
