//! One lane's loop: claim what is due, run it, hand over what came of it.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use serde_json::Value;
use sitewatch_domain::{
    Platform,
    access::Actor,
    jobs::{Claim, ClaimedJob, Lane, Outcome, Settlement, Suspicion, backoff},
};
use tokio::sync::{RwLock, Semaphore, mpsc, watch};
use tracing::Instrument as _;

use crate::{
    bell::Bells,
    handlers::Tools,
    health::RedisHealth,
    held::Held,
    registry::{JobFailure, Registry},
    threads::LostThreads,
    worker::LaneSettings,
};

/// How long a job that was told to stop may take to do so, before it counts as one that never will.
const GRACE: Duration = Duration::from_secs(2);
/// Time is counted in these.
const SLICE: Duration = Duration::from_millis(100);
/// The pause after the ledger did not answer.
const UNAVAILABLE: Duration = Duration::from_secs(1);
/// How often the ledger is looked at while the bell is known not to ring.
const BELL_IS_DOWN: Duration = Duration::from_millis(250);
/// How long a job that is to run alone waits for the other lanes to fall silent. None of theirs may hold up the house for long.
const SILENCE: Duration = Duration::from_secs(10);

/// What all lanes of a worker share.
pub(crate) struct Shared {
    pub(crate) tools: Arc<Tools>,
    pub(crate) registry: Registry,
    pub(crate) actor: Actor,
    pub(crate) bells: Bells,
    pub(crate) health: RedisHealth,
    pub(crate) held: Arc<Held>,
    /// The name that the ledger knows this worker by.
    pub(crate) name: String,
    /// Held by every running job; exclusively by one that has to be alone in the process.
    pub(crate) house: Arc<RwLock<()>>,
    pub(crate) lost_threads: LostThreads,
    pub(crate) outcomes: mpsc::Sender<Settlement>,
    pub(crate) lease: Duration,
    pub(crate) poll: Duration,
}

impl Shared {
    fn platform(&self) -> &Platform {
        &self.tools.platform
    }

    fn pause(&self) -> Duration {
        if self.health.is_down() { self.poll.min(BELL_IS_DOWN) } else { self.poll }
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
        let Some(claimed) = next(&shared, lane, &kinds, settings, &mut stopping).await else { break };
        if claimed.iter().any(|job| job.suspicion() != Suspicion::None) {
            run_suspects(&shared, claimed, &slots, settings.concurrency, &mut stopping).await;
            continue;
        }
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
                let guest = shared.house.read().await;
                let settlement = attempt(&shared, job, lost).await;
                drop((guest, slot));
                // The settler lives as long as any lane.
                let _gone = shared.outcomes.send(settlement).await;
            });
        }
        for (_, job) in waiting {
            release(&shared, job).await;
        }
    }
}

/// Runs jobs that a worker was lost with, with nothing else in the lane; one that has to be alone in the process, with nothing
/// else in the process. If the worker is lost again, one of these is to blame.
async fn run_suspects(
    shared: &Arc<Shared>,
    suspects: Vec<ClaimedJob>,
    slots: &Arc<Semaphore>,
    concurrency: usize,
    stopping: &mut watch::Receiver<bool>,
) {
    let suspects: Vec<_> = suspects.into_iter().map(|job| (shared.held.hold(&job), job)).collect();
    let all_slots = u32::try_from(concurrency).unwrap_or(u32::MAX);
    let lane = tokio::select! {
        slots = Arc::clone(slots).acquire_many_owned(all_slots) => slots,
        _ = stopping.changed() => {
            for (_, job) in suspects {
                release(shared, job).await;
            }
            return;
        }
    };
    let house = Arc::clone(&shared.house);
    let is_alone = suspects.iter().any(|(_, job)| job.suspicion() == Suspicion::Alone);
    // Beside a job that takes longer it has to run all the same.
    let house = if is_alone { tokio::time::timeout(SILENCE, house.write_owned()).await.ok() } else { None };
    let leases: Vec<_> = suspects.iter().map(|(_, job)| (job.id, job.token)).collect();
    let begun = shared.platform().jobs().begin(&shared.actor, &leases).await.unwrap_or_else(|error| {
        tracing::warn!(error = %error, "jobs under suspicion cannot be begun yet");
        Vec::new()
    });
    let mut running = Vec::new();
    for (lost, job) in suspects {
        if !begun.contains(&job.id) {
            release(shared, job).await;
            continue;
        }
        let worker = Arc::clone(shared);
        running.push(tokio::spawn(async move {
            let settlement = attempt(&worker, job, lost).await;
            let _gone = worker.outcomes.send(settlement).await;
        }));
    }
    let ended = tokio::spawn(async move {
        for job in running {
            let _panicked = job.await;
        }
        drop((house, lane));
    });
    tokio::select! {
        _ = ended => {}
        // They go on, as all that run do then.
        _ = stopping.changed() => {}
    }
}

/// Claims what is due; waits for the bell or the time of the next job if nothing is. `None` if it is told to stop meanwhile, which ends
/// the waiting alone: a claim that is broken off may have been made, and nobody would work on it until its lease ends.
async fn next(
    shared: &Shared,
    lane: Lane,
    kinds: &[&str],
    settings: LaneSettings,
    stopping: &mut watch::Receiver<bool>,
) -> Option<Vec<ClaimedJob>> {
    let limit = settings.prefetch;
    let together = u32::try_from(settings.concurrency).unwrap_or(u32::MAX);
    loop {
        let jobs = shared.platform().jobs();
        let due = match jobs.next_due(&shared.actor, lane, kinds).await {
            Ok(Some(due)) if due.is_zero() => {
                let claim = Claim { lane, kinds, limit, together, lease: shared.lease, worker: &shared.name };
                match jobs.claim(&shared.actor, &claim).await {
                    Ok(claimed) if !claimed.is_empty() => return Some(claimed),
                    // Others were faster.
                    Ok(_) => Ok(None),
                    Err(error) => Err(error),
                }
            }
            other => other,
        };
        let pause = match due {
            Ok(due) => due.unwrap_or(shared.poll).clamp(Duration::from_millis(1), shared.pause()),
            Err(error) => {
                tracing::warn!(error = %error, lane = lane.name(), "the ledger of jobs does not answer");
                UNAVAILABLE
            }
        };
        tokio::select! {
            () = shared.bells.heard(lane) => {}
            () = tokio::time::sleep(pause) => {}
            _ = stopping.changed() => return None,
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
    metrics::histogram!("job_wait_seconds", "lane" => job.lane.name())
        .record(job.started_at.since(job.run_at).as_secs_f64());
    let began = tokio::time::Instant::now();
    // On a thread of its own, so that a handler that never gives way stops no other.
    let handle = tokio::runtime::Handle::current();
    let trace = tracing::trace_span!(
        target: "sitewatch::trace", parent: None, "job", otel.name = kind, otel.kind = "consumer",
        otel.status_code = tracing::field::Empty, job.id = %id, job.kind = kind, request_id = request
    );
    let span = tracing::error_span!(
        target: "sitewatch::job", "job", job.id = %id, job.kind = kind, request_id = request
    );
    let traced = trace.clone();
    let tried = tokio::task::spawn_blocking(move || {
        handle.block_on(guarded(&worker, job, lost, timeout).instrument(traced).instrument(span))
    });
    let ended = tokio::select! {
        ended = tried => Some(ended),
        () = awake(timeout + GRACE) => None,
    };
    let outcome = match ended {
        Some(Ok(outcome)) => outcome,
        Some(Err(error)) => {
            tracing::error!(job.id = %id, error = %error, "the thread of a job ended early");
            Tried::Failed(JobFailure::Retry("the try ended early".to_owned()))
        }
        None => {
            let error = format!("it does not give way: still running {} s after its time", GRACE.as_secs());
            tracing::error!(job.id = %id, job.kind = kind, "a job does not stop; its thread is lost");
            shared.lost_threads.lose();
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
    if matches!(outcome, Outcome::Retry { .. } | Outcome::Dead { .. }) {
        trace.record("otel.status_code", "ERROR");
    }
    count(&outcome, &kind, began.elapsed());
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
    let call = shared.registry.call(Arc::clone(&shared.tools), job);
    let caught = AssertUnwindSafe(call).catch_unwind();
    tokio::select! {
        ended = caught => match ended {
            Ok(Ok(result)) => Tried::Done(result),
            Ok(Err(failure)) => Tried::Failed(failure),
            // What a panic says is logged where panics are.
            Err(_panic) => Tried::Failed(JobFailure::Retry("it panicked".to_owned())),
        },
        () = awake(timeout) => {
            Tried::Failed(JobFailure::Retry(format!("it took longer than {} s", timeout.as_secs())))
        }
        _ = lost.wait_for(|lost| *lost) => Tried::Stopped,
    }
}

/// Waits, and counts only the time in which this process could run: what it slept through, frozen, no job is to blame for.
async fn awake(time: Duration) {
    let mut waited = Duration::ZERO;
    while waited < time {
        tokio::time::sleep(SLICE).await;
        waited += SLICE;
    }
}

/// A byte that differs from job to job and from try to try.
fn chance(token: i64, job: sitewatch_domain::ids::JobId) -> u8 {
    let [.., last] = *job.uuid().as_bytes();
    last ^ token.to_le_bytes().first().copied().unwrap_or(0).wrapping_mul(151)
}

fn count(outcome: &Outcome, kind: &str, took: Duration) {
    let verdict = match outcome {
        Outcome::Succeeded { .. } => "succeeded",
        Outcome::Retry { .. } => "retry",
        Outcome::Dead { .. } => "dead",
        Outcome::Released => "released",
    };
    metrics::counter!("job_runs_total", "kind" => kind.to_owned(), "verdict" => verdict).increment(1);
    metrics::histogram!("job_run_seconds", "kind" => kind.to_owned()).record(took.as_secs_f64());
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
