//! One lane's loop: claim what is due, run it, hand over what came of it.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use serde_json::Value;
use sitewatch_domain::{
    Platform,
    access::Actor,
    jobs::{ClaimedJob, Lane, Outcome, Run, Settlement, backoff},
};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::{
    bell::Bells,
    handlers::Tools,
    held::Held,
    registry::{JobFailure, Registry},
    worker::LaneSettings,
};

/// How long a job that was told to stop may take to do so, before it counts as one that never will.
const GRACE: Duration = Duration::from_secs(2);
/// The pause after the ledger did not answer.
const UNAVAILABLE: Duration = Duration::from_secs(1);

/// What all lanes of a worker share.
pub(crate) struct Shared {
    pub(crate) tools: Arc<Tools>,
    pub(crate) registry: Registry,
    pub(crate) actor: Actor,
    pub(crate) bells: Bells,
    pub(crate) held: Arc<Held>,
    pub(crate) outcomes: mpsc::Sender<Settlement>,
    pub(crate) lease: Duration,
    pub(crate) poll: Duration,
}

impl Shared {
    fn platform(&self) -> &Platform {
        &self.tools.platform
    }
}

/// Works until it is told to stop; what was claimed and has not begun is given back.
pub(crate) async fn work(
    shared: Arc<Shared>,
    lane: Lane,
    settings: LaneSettings,
    mut stopping: watch::Receiver<bool>,
) {
    let kinds = shared.registry.kinds_of(lane);
    if kinds.is_empty() {
        return;
    }
    let slots = Arc::new(Semaphore::new(settings.concurrency));
    while !*stopping.borrow() {
        let claimed = tokio::select! {
            claimed = next(&shared, lane, &kinds, settings.prefetch) => claimed,
            _ = stopping.changed() => break,
        };
        let mut waiting =
            claimed.into_iter().map(|job| (shared.held.hold(&job), job)).collect::<Vec<_>>().into_iter();
        for (lost, job) in waiting.by_ref() {
            let slot = tokio::select! {
                slot = Arc::clone(&slots).acquire_owned() => slot,
                _ = stopping.changed() => { release(&shared, job).await; break }
            };
            let Ok(slot) = slot else { return };
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                let settlement = attempt(&shared, job, lost).await;
                drop(slot);
                // The settler lives as long as any lane.
                let _gone = shared.outcomes.send(settlement).await;
            });
        }
        for (_, job) in waiting {
            release(&shared, job).await;
        }
    }
}

/// Claims what is due; waits for the bell or the time of the next job if nothing is.
async fn next(shared: &Shared, lane: Lane, kinds: &[&str], limit: u32) -> Vec<ClaimedJob> {
    loop {
        let jobs = shared.platform().jobs();
        let due = match jobs.next_due(&shared.actor, lane, kinds).await {
            Ok(Some(due)) if due.is_zero() => {
                match jobs.claim(&shared.actor, lane, kinds, limit, shared.lease).await {
                    Ok(claimed) if !claimed.is_empty() => return claimed,
                    // Others were faster.
                    Ok(_) => Ok(None),
                    Err(error) => Err(error),
                }
            }
            other => other,
        };
        let pause = match due {
            Ok(due) => due.unwrap_or(shared.poll).clamp(Duration::from_millis(1), shared.poll),
            Err(error) => {
                tracing::warn!(error = %error, lane = lane.name(), "the ledger of jobs does not answer");
                UNAVAILABLE
            }
        };
        tokio::select! {
            () = shared.bells.heard(lane) => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn release(shared: &Shared, job: ClaimedJob) {
    let settlement = Settlement { job: job.id, token: job.token, outcome: Outcome::Released };
    let _gone = shared.outcomes.send(settlement).await;
}

/// One try, whatever it does: fails, panics, never ends.
async fn attempt(shared: &Arc<Shared>, job: ClaimedJob, lost: watch::Receiver<bool>) -> Settlement {
    let (id, token, kind) = (job.id, job.token, job.kind.clone());
    let (attempts, max_attempts) = (job.attempt, job.max_attempts);
    let timeout = shared.registry.find(&kind).map_or(Duration::ZERO, |entry| entry.timeout);
    let (worker, request) = (Arc::clone(shared), job.request_id.clone());
    // On a thread of its own, so that a handler that never gives way stops no other.
    let handle = tokio::runtime::Handle::current();
    let tried = tokio::task::spawn_blocking(move || handle.block_on(guarded(&worker, job, lost, timeout)));
    let outcome = match tokio::time::timeout(timeout + GRACE, tried).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => {
            tracing::error!(job.id = %id, error = %error, "the thread of a job ended early");
            Tried::Failed(JobFailure::Retry("the try ended early".to_owned()))
        }
        Err(_elapsed) => {
            let error = format!("it does not give way: still running {} s after its time", GRACE.as_secs());
            tracing::error!(job.id = %id, job.kind = kind, "a job does not stop; its thread is lost");
            Tried::Failed(JobFailure::GiveUp(error))
        }
    };
    let outcome = match outcome {
        Tried::Done(result) => Outcome::Succeeded { result },
        Tried::Stopped => Outcome::Released,
        Tried::Failed(JobFailure::Retry(error)) if attempts < max_attempts => {
            Outcome::Retry { error, after: backoff(attempts, chance(token, id)) }
        }
        Tried::Failed(JobFailure::Retry(error) | JobFailure::GiveUp(error)) => Outcome::Dead { error },
    };
    log(&outcome, id, &kind, attempts, request.as_deref());
    Settlement { job: id, token, outcome }
}

/// What came of calling a handler.
enum Tried {
    Done(Option<Value>),
    Failed(JobFailure),
    /// The lease is lost or the worker ends.
    Stopped,
}

async fn guarded(
    shared: &Shared,
    job: ClaimedJob,
    mut lost: watch::Receiver<bool>,
    timeout: Duration,
) -> Tried {
    let Some(entry) = shared.registry.find(&job.kind) else {
        return Tried::Failed(JobFailure::Retry("this worker does not know the kind".to_owned()));
    };
    let payload = job.payload.clone();
    let call = (entry.call)(payload, Arc::clone(&shared.tools), Run::of(job));
    let caught = AssertUnwindSafe(call).catch_unwind();
    tokio::select! {
        ended = tokio::time::timeout(timeout, caught) => match ended {
            Ok(Ok(Ok(result))) => Tried::Done(result),
            Ok(Ok(Err(failure))) => Tried::Failed(failure),
            // What a panic says is logged where panics are.
            Ok(Err(_panic)) => Tried::Failed(JobFailure::Retry("it panicked".to_owned())),
            Err(_elapsed) => {
                Tried::Failed(JobFailure::Retry(format!("it took longer than {} s", timeout.as_secs())))
            }
        },
        _ = lost.wait_for(|lost| *lost) => Tried::Stopped,
    }
}

/// A byte that differs from job to job and from try to try.
fn chance(token: i64, job: sitewatch_domain::ids::JobId) -> u8 {
    let [.., last] = *job.uuid().as_bytes();
    last ^ token.to_le_bytes().first().copied().unwrap_or(0).wrapping_mul(151)
}

fn log(
    outcome: &Outcome,
    job: sitewatch_domain::ids::JobId,
    kind: &str,
    attempt: u32,
    request_id: Option<&str>,
) {
    match outcome {
        Outcome::Succeeded { .. } | Outcome::Released => {
            tracing::debug!(job.id = %job, job.kind = kind, attempt, request_id, "a job is done");
        }
        Outcome::Retry { error, after } => {
            let pause_s = after.as_secs();
            tracing::warn!(job.id = %job, job.kind = kind, attempt, request_id, error, pause_s, "a job failed and is tried again");
        }
        Outcome::Dead { error } => {
            tracing::error!(job.id = %job, job.kind = kind, attempt, request_id, error, "a job is given up");
        }
    }
}
