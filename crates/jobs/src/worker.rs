//! A worker: the loops of all lanes, the keeping of leases, the recovery of those of dead workers.

use std::{future::Future, sync::Arc, time::Duration};

use sitewatch_domain::{
    Error,
    access::Actor,
    jobs::{Lane, Lost, Outcome, Settlement},
};
use tokio::{
    sync::{RwLock, mpsc, watch},
    task::JoinSet,
};

use crate::{
    bell::Bells,
    handlers::Tools,
    health::RedisHealth,
    held::Held,
    lane::{self, Shared},
    name,
    registry::Registry,
    schedules::{self, BUILT_IN, BuiltIn},
    settle::settle,
    threads::LostThreads,
};

/// How many jobs of dead workers are taken back at a time.
const RECOVERED_AT_ONCE: u32 = 500;
/// How often it is looked whether a worker of this machine is dead.
const LIVES: Duration = Duration::from_millis(500);
/// How long a worker that ends waits for the ledger to take what it has to tell.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);
/// Settlements that wait for the ledger; beyond, lanes wait.
const OUTCOMES: usize = 2_000;

/// How much of a lane a worker takes.
#[derive(Debug, Clone, Copy)]
pub struct LaneSettings {
    /// Jobs that run at the same time.
    pub concurrency: usize,
    /// Jobs that are claimed together. More than run at once pays for short jobs, and keeps them from other workers.
    pub prefetch: u32,
}

/// How a worker works.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// How long a lease holds unless it is renewed, which happens three times as often.
    pub lease: Duration,
    /// How often the ledger is looked at when no bell rings.
    pub poll: Duration,
    /// How long running jobs may take once the worker stops; what is not done then is given back.
    pub grace: Duration,
    /// The lanes.
    pub lanes: Vec<(Lane, LaneSettings)>,
    /// The schedules that it writes at its start.
    pub schedules: &'static [BuiltIn],
}

impl Default for WorkerSettings {
    fn default() -> Self {
        let lane = |lane, concurrency, prefetch| (lane, LaneSettings { concurrency, prefetch });
        Self {
            lease: Duration::from_secs(15),
            poll: Duration::from_secs(1),
            grace: Duration::from_secs(20),
            lanes: vec![
                lane(Lane::Default, 16, 200),
                lane(Lane::Telemetry, 4, 8),
                lane(Lane::Mail, 4, 4),
                lane(Lane::Reports, 2, 2),
                lane(Lane::Housekeeping, 1, 4),
            ],
            schedules: BUILT_IN,
        }
    }
}

/// Works the ledger off.
pub struct Worker {
    /// What handlers work with.
    pub tools: Tools,
    /// What it can do.
    pub registry: Registry,
    /// Who wakes it.
    pub bells: Bells,
    /// How Redis does, which wakes it from elsewhere, if there is one.
    pub redis: RedisHealth,
    /// The authority that it claims and settles with.
    pub actor: Actor,
    /// How it works.
    pub settings: WorkerSettings,
}

/// Why a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to.
    Told,
    /// Jobs that never give way took too many of its threads; a fresh process has them again.
    Exhausted,
}

impl Worker {
    /// Works until `stop` is done, or too many of its threads are lost; then claims nothing any more, lets running jobs end
    /// within the grace time, and gives the others back, their tries not counted.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Ended {
        let Self { tools, registry, bells, redis, actor, settings } = self;
        let held = Arc::new(Held::default());
        let (outcomes, settling) = mpsc::channel(OUTCOMES);
        let settler =
            tokio::spawn(settle(tools.platform.clone(), actor.clone(), Arc::clone(&held), settling));
        let shared = Arc::new(Shared {
            tools: Arc::new(tools),
            registry,
            actor,
            bells,
            health: redis,
            held,
            name: name::fresh(),
            house: Arc::new(RwLock::new(())),
            lost_threads: LostThreads::default(),
            outcomes,
            lease: settings.lease,
            poll: settings.poll,
        });
        let (stopping, told) = watch::channel(false);
        let mut lanes = JoinSet::new();
        for (lane, of_lane) in settings.lanes {
            lanes.spawn(lane::work(Arc::clone(&shared), lane, of_lane, told.clone()));
        }
        let mut keepers = JoinSet::new();
        keepers.spawn(keep_leases(Arc::clone(&shared)));
        keepers.spawn(recover(Arc::clone(&shared)));
        keepers.spawn(schedules::keep(Arc::clone(&shared), settings.schedules));
        let ended = tokio::select! {
            () = stop => Ended::Told,
            () = shared.lost_threads.exhausted() => {
                tracing::error!("too many threads are lost to jobs that do not stop; the worker ends");
                Ended::Exhausted
            }
        };
        let _nobody_works = stopping.send(true);
        lanes.join_all().await;
        finish(&shared, settings.grace).await;
        keepers.shutdown().await;
        // Not by waiting for the last sender: a thread that is lost keeps one for ever.
        empty(&shared.held, SETTLED_WITHIN).await;
        settler.abort();
        ended
    }
}

/// Waits for what runs, and gives back what does not end.
async fn finish(shared: &Shared, grace: Duration) {
    empty(&shared.held, grace).await;
    let left = shared.held.all();
    if left.is_empty() {
        return;
    }
    tracing::info!(jobs = left.len(), "jobs are given back unfinished");
    shared.held.lose(left);
    // Those that hear it settle themselves; what does not give way is settled here, and its own settlement comes too late.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let deaf = shared.held.all();
    for (job, token) in deaf {
        let _gone = shared.outcomes.send(Settlement { job, token, outcome: Outcome::Released }).await;
    }
}

/// Waits until every lease is given back, or for so long. What is left then is taken back by others when it runs out.
async fn empty(held: &Held, patience: Duration) {
    let give_up = tokio::time::Instant::now() + patience;
    while held.count() > 0 && tokio::time::Instant::now() < give_up {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Renews all leases three times as often as they run out, and as soon as the ledger is there again; a job whose lease is lost is told.
async fn keep_leases(shared: Arc<Shared>) {
    let mut pause = shared.lease / 3;
    loop {
        tokio::time::sleep(pause).await;
        pause = shared.lease / 3;
        let leases = shared.held.all();
        if leases.is_empty() {
            continue;
        }
        match shared.tools.platform.jobs().renew(&shared.actor, &leases, shared.lease).await {
            Ok(renewed) => {
                let renewed: std::collections::HashSet<_> = renewed.into_iter().collect();
                shared.held.lose(leases.into_iter().filter(|(job, _)| !renewed.contains(job)));
            }
            Err(error) => {
                tracing::warn!(error = %error, "leases of jobs cannot be renewed");
                pause = pause.min(LIVES);
            }
        }
    }
}

/// Takes back what others held: at once of workers that died on this machine, of all others when their leases run out.
///
/// While the ledger is away nobody can renew a lease. Once it is there again, as it may be at a start, the living come first: a job of theirs that is
/// taken from them is done a second time.
async fn recover(shared: Arc<Shared>) {
    let respite = shared.lease / 2;
    let mut next_look = tokio::time::Instant::now() + respite;
    loop {
        let looked = match dead_workers(&shared).await {
            Ok(dead) => {
                // Leases run out slowly, and looking for those writes.
                let lapsed = tokio::time::Instant::now() >= next_look;
                if lapsed {
                    next_look = tokio::time::Instant::now() + shared.lease / 3;
                }
                let lost = Lost { of_dead: &dead, lapsed };
                if lapsed || !dead.is_empty() { take_back(&shared, lost).await } else { Ok(()) }
            }
            Err(error) => Err(error),
        };
        if let Err(error) = looked {
            // The lanes complain loudly enough.
            tracing::debug!(error = %error, "jobs of dead workers cannot be looked for");
            next_look = tokio::time::Instant::now() + respite;
        }
        tokio::time::sleep(LIVES).await;
    }
}

/// The names of workers that hold jobs and whose processes are gone.
async fn dead_workers(shared: &Shared) -> Result<Vec<String>, Error> {
    let names = shared.tools.platform.jobs().workers(&shared.actor).await?;
    Ok(names.into_iter().filter(|name| name::is_dead(name)).collect())
}

async fn take_back(shared: &Shared, lost: Lost<'_>) -> Result<(), Error> {
    loop {
        match shared.tools.platform.jobs().recover(&shared.actor, lost, RECOVERED_AT_ONCE).await? {
            (0, 0) => return Ok(()),
            (ready, given_up) => {
                tracing::warn!(ready, dead = given_up, "jobs of a worker that died or hung were taken back");
                for lane in Lane::ALL {
                    shared.bells.wake(*lane);
                }
                if ready + given_up < u64::from(RECOVERED_AT_ONCE) {
                    return Ok(());
                }
            }
        }
    }
}
