//! Housekeeping: what is past its time goes, what will be needed is made ahead. Each task is a job of its own, without a payload,
//! that changes nothing when it is run again.

mod repository;
mod service;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use repository::HousekeepingRepository;
pub use service::Housekeeping;

use crate::jobs::{Job, Lane, Once, Priority};

/// How long sessions are kept after their end, for whoever looks into what happened.
pub const SESSIONS_KEPT_FOR: Duration = Duration::from_hours(30 * 24);
/// How long jobs are kept after their end, and the effects of probes.
pub const JOBS_KEPT_FOR: Duration = Duration::from_hours(7 * 24);
/// How long rejected readings are kept, the newest of each module as well.
pub const REJECTS_KEPT_FOR: Duration = Duration::from_hours(30 * 24);
/// How long it is kept what came of mails, from when they were written: longer than their jobs, so that no mail is written twice.
pub const DELIVERIES_KEPT_FOR: Duration = Duration::from_hours(30 * 24);
/// How many months of readings there are ahead of the current one.
pub const MONTHS_AHEAD: usize = 2;

macro_rules! tasks {
    ($($(#[$meta:meta])* $name:ident = $kind:literal;)*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        pub struct $name {}

        impl Job for $name {
            const KIND: &'static str = $kind;
            const LANE: Lane = Lane::Housekeeping;
            const TIMEOUT: Duration = Duration::from_mins(10);
            const PRIORITY: Priority = Priority::Low;

            /// One that waits does the work of all that come after it.
            fn once(&self) -> Once {
                Once::UntilStarted(Self::KIND.to_owned())
            }
        }
    )*};
}

tasks! {
    /// Forgets sessions that ended long ago, and counters of attempts to sign in that say nothing any more.
    ForgetSessions = "housekeeping.sessions.v1";
    /// Forgets idempotency keys that have expired.
    ForgetIdempotencyKeys = "housekeeping.idempotency_keys.v1";
    /// Forgets jobs that came to an end long ago, and what probes left behind.
    ForgetJobs = "housekeeping.jobs.v1";
    /// Forgets readings that were rejected long ago.
    ForgetRejects = "housekeeping.rejects.v1";
    /// Forgets mails that were written long ago.
    ForgetDeliveries = "housekeeping.deliveries.v1";
    /// Forgets runs of reports that are older than their files are kept, and files without a run.
    ForgetReports = "housekeeping.reports.v1";
    /// Makes the tables of the coming months of readings; there are some on PostgreSQL alone.
    MakeReadingMonths = "housekeeping.reading_months.v1";
}
