//! What a worker takes from the ledger and gives back to it.

use std::time::Duration;

use serde_json::Value;

use super::{JobState, Lane};
use crate::{
    ids::{JobId, OrgId, UserId},
    time::Instant,
};

/// What the bell carries: never more than names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The job.
    pub job: JobId,
    /// The lane that it waits in.
    pub lane: Lane,
}

/// What a worker asks of the ledger.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The lane.
    pub lane: Lane,
    /// The kinds that it can do; others are left for workers that know them.
    pub kinds: &'a [&'a str],
    /// How many it takes at the most.
    pub limit: u32,
    /// How many of those that a worker was lost with: no more than it begins at once.
    pub together: u32,
    /// How long the leases hold.
    pub lease: Duration,
    /// The name of the worker, unlike that of any other and of any earlier start of it.
    pub worker: &'a str,
}

/// Running jobs that nobody works on any more.
#[derive(Debug, Clone, Copy)]
pub struct Lost<'a> {
    /// Workers that are known to be dead, by their names.
    pub of_dead: &'a [String],
    /// Whether those are meant as well whose leases have run out.
    pub lapsed: bool,
}

/// A job that a worker holds the lease of.
#[derive(Debug, Clone)]
pub struct ClaimedJob {
    /// The job.
    pub id: JobId,
    /// The tenant.
    pub organization_id: Option<OrgId>,
    /// The kind.
    pub kind: String,
    /// The payload.
    pub payload: Value,
    /// The lane.
    pub lane: Lane,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// How many there are.
    pub max_attempts: u32,
    /// How many workers were lost with it since it last came to an end; the first two perhaps by the doing of others that they
    /// had as well ([`Suspicion`]).
    pub lapses: u32,
    /// Proves the lease: the ledger takes nothing from a worker that shows an older one.
    pub token: i64,
    /// When it could begin.
    pub run_at: Instant,
    /// When it did, by the database's clock.
    pub started_at: Instant,
    /// The request that caused it.
    pub request_id: Option<String>,
    /// The user who caused it.
    pub created_by: Option<UserId>,
}

/// How a job is run, by how many workers were lost with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// None was: with any number of others.
    None,
    /// One, which had claimed many: with few others, all of which were lost with it.
    InCompany,
    /// Again, and one of a few: alone in its lane. Further losses are its own.
    AloneInLane,
    /// And again: alone in the process.
    Alone,
}

impl ClaimedJob {
    /// How it has to be run.
    pub const fn suspicion(&self) -> Suspicion {
        match self.lapses {
            0 => Suspicion::None,
            1 => Suspicion::InCompany,
            2 => Suspicion::AloneInLane,
            _ => Suspicion::Alone,
        }
    }
}

/// What a transaction of a job shows at its commit: if the lease is lost by then, nothing of it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFence {
    /// The job.
    pub job: JobId,
    /// The token of the lease.
    pub token: i64,
    /// Whether the commit also settles the job as succeeded, so that effect and settlement are one.
    pub settles: bool,
    /// What the job tells of it, if it does.
    pub result: Option<Value>,
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is done.
    Succeeded {
        /// What the job tells of it.
        result: Option<Value>,
    },
    /// It failed and is tried again after a pause.
    Retry {
        /// Why.
        error: String,
        /// How long to wait.
        after: Duration,
    },
    /// It failed for good.
    Dead {
        /// Why.
        error: String,
    },
    /// The worker stopped before it was done; the try does not count.
    Released,
}

/// What came of a try, with the proof that it may be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// The job.
    pub job: JobId,
    /// The token of the lease.
    pub token: i64,
    /// What came of it.
    pub outcome: Outcome,
}

/// How many jobs of a lane are in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobCount {
    /// The lane.
    pub lane: Lane,
    /// The state.
    pub state: JobState,
    /// How many.
    pub count: u64,
}
