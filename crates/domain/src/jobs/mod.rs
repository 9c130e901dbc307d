//! Jobs: work that is done later, written in the transaction of the change that causes it.
//!
//! The ledger in the database is the only truth. A job is claimed under a lease with a fencing token, worked on, and settled;
//! whatever a worker that lost its lease still wants to write is refused. The queue only rings a bell.

mod backoff;
mod ledger;
mod probe;
mod repository;
mod service;

use std::{borrow::Cow, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use backoff::backoff;
pub use ledger::{Claim, ClaimedJob, JobCount, JobFence, Lost, Outcome, Settlement, Suspicion, Ticket};
pub use probe::{Act, Probe, ProbeReport};
pub use repository::JobRepository;
pub use service::{Jobs, Run};
pub(crate) use service::{enqueue, planned};

use crate::{
    access::{Author, Located},
    audit::Audited,
    ids::{JobId, OrgId, UserId},
    page::Between,
    time::Instant,
};

/// A kind of work, as it is written into the ledger. Its serde form is the payload.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name of the kind and of its payload's version, never used again for another: `reports.build.v1`.
    const KIND: &'static str;
    /// Where it waits: jobs of one lane never wait for those of another.
    const LANE: Lane = Lane::Default;
    /// How often it is tried before it is given up.
    const MAX_ATTEMPTS: u16 = 8;
    /// How long one try may take.
    const TIMEOUT: Duration = Duration::from_mins(1);
    /// What goes first within a lane.
    const PRIORITY: Priority = Priority::Normal;

    /// Which other jobs it stands for.
    fn once(&self) -> Once {
        Once::No
    }

    /// The tenant that it is done for.
    fn organization(&self) -> Option<OrgId> {
        None
    }
}

/// Whether a job is left out because one like it is in the ledger already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Once {
    /// It never is.
    No,
    /// While one with this key waits and has not begun.
    UntilStarted(String),
    /// Once one with this key was ever written, as long as the ledger keeps it.
    Forever(String),
}

macro_rules! named {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_meta])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name on the wire and in the database.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// The one of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.name() == name)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    };
}

named! {
    /// Where jobs wait. Each lane has workers of its own, so that a slow mail server holds up no figures.
    Lane {
        /// What fits nowhere else.
        Default = "default",
        /// Figures of readings.
        Telemetry = "telemetry",
        /// Mail.
        Mail = "mail",
        /// Reports.
        Reports = "reports",
        /// Expiry and other keeping of the house.
        Housekeeping = "housekeeping",
    }
}

named! {
    /// Where a job is in its life.
    JobState {
        /// It waits for its time, or for a worker.
        Ready = "ready",
        /// A worker holds its lease.
        Running = "running",
        /// It is done.
        Succeeded = "succeeded",
        /// It was given up; it can be run again.
        Dead = "dead",
        /// Somebody took it back before it was done.
        Cancelled = "cancelled",
    }
}

/// What goes first within a lane; the smaller first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Somebody is waiting for it.
    High,
    /// The rule.
    Normal,
    /// Whenever nothing else is due.
    Low,
}

impl Priority {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::High, Self::Normal, Self::Low];

    /// The one of that number.
    pub fn from_rank(rank: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.rank() == rank)
    }

    /// The number in the database.
    pub const fn rank(self) -> i32 {
        match self {
            Self::High => 0,
            Self::Normal => 10,
            Self::Low => 20,
        }
    }
}

/// When a job may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At once.
    Now,
    /// After a while, by the database's clock.
    After(Duration),
    /// At a moment.
    At(Instant),
}

/// A job as it is written into the ledger.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// The tenant.
    pub organization_id: Option<OrgId>,
    /// The kind.
    pub kind: Cow<'static, str>,
    /// The payload.
    pub payload: Value,
    /// Which other jobs it stands for.
    pub once: Once,
    /// The lane.
    pub lane: Lane,
    /// What goes first.
    pub priority: Priority,
    /// When it may begin.
    pub when: When,
    /// How often it is tried.
    pub max_attempts: u16,
    /// Who caused it.
    pub author: Author,
}

/// A job as the ledger has it. Payloads are not shown: they are for the worker.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobRecord {
    /// Its id.
    pub id: JobId,
    /// The tenant; `None` for the installation's own.
    pub organization_id: Option<OrgId>,
    /// The kind.
    pub kind: String,
    /// The lane's name; it may be one that only a newer version knows.
    pub lane: String,
    /// Where it is in its life.
    pub state: JobState,
    /// How often it was begun.
    pub attempts: u32,
    /// How often it is tried before it is given up.
    pub max_attempts: u32,
    /// When it may begin, or began to be able to.
    pub run_at: Instant,
    /// How far it is: steps done, of how many.
    pub progress: Option<(i64, i64)>,
    /// What came of it.
    pub result: Option<Value>,
    /// Why the last try failed. Never holds secrets.
    pub error: Option<String>,
    /// The request that caused it.
    pub request_id: Option<String>,
    /// When it was written.
    pub created_at: Instant,
    /// The user who caused it.
    pub created_by: Option<UserId>,
    /// When the last try began.
    pub started_at: Option<Instant>,
    /// When it came to an end.
    pub finished_at: Option<Instant>,
}

impl Audited for JobRecord {
    const RESOURCE: &'static str = "job";

    fn resource_id(&self) -> uuid::Uuid {
        self.id.uuid()
    }
}

impl Located for JobRecord {
    fn org(&self) -> Option<OrgId> {
        self.organization_id
    }
}

/// Conditions on jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Of this organization.
    pub organization: Option<OrgId>,
    /// In this state.
    pub state: Option<JobState>,
    /// Of this kind.
    pub kind: Option<String>,
    /// In this lane.
    pub lane: Option<Lane>,
    /// Written at these times.
    pub created_at: Between,
}

/// What jobs can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobSort {
    /// When they were written.
    CreatedAt,
    /// When they may begin.
    RunAt,
    /// When they came to an end.
    FinishedAt,
}
