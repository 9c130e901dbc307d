//! Schedules: jobs that are written at times of a calendar.
//!
//! Every worker looks for schedules that are due, as often as it likes: the row is held while its job is written, and the job's key
//! names the slot, so that each slot has one job. Slots that nobody was there for are made up for by one job, that of the latest.

mod repository;
mod service;

use serde_json::Value;

pub use repository::{DueSchedule, Move, ScheduleRepository};
pub use service::Schedules;
pub(crate) use service::put;

use crate::{
    error::Error,
    ids::{OrgId, UserId},
    jobs::{Job, Lane, Once, Priority},
    time::{Cron, Instant, Zone},
};

/// A job, and when it is to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Names it among all: `housekeeping.sessions`, `report:<id>`.
    pub name: String,
    /// The times.
    pub cron: Cron,
    /// Whose clock shows them.
    pub zone: Zone,
    /// The job that is written for each slot.
    pub job: ScheduledJob,
}

impl Schedule {
    /// A schedule of this job.
    ///
    /// # Errors
    /// `Internal` if the job cannot be written as JSON, a defect of ours.
    pub fn of<J: Job>(name: impl Into<String>, cron: Cron, zone: Zone, job: &J) -> Result<Self, Error> {
        Ok(Self { name: name.into(), cron, zone, job: ScheduledJob::of(job)? })
    }
}

/// A job as it is kept with its schedule, complete: whoever writes it for a slot need not know the kind.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduledJob {
    /// The kind.
    pub kind: String,
    /// The payload.
    pub payload: Value,
    /// The lane.
    pub lane: Lane,
    /// What goes first.
    pub priority: Priority,
    /// How often it is tried.
    pub max_attempts: u16,
}

impl ScheduledJob {
    /// This job.
    ///
    /// # Errors
    /// `Internal` if it cannot be written as JSON, a defect of ours.
    pub fn of<J: Job>(job: &J) -> Result<Self, Error> {
        Ok(Self {
            kind: J::KIND.to_owned(),
            payload: serde_json::to_value(job).map_err(|error| Error::Internal(error.into()))?,
            lane: J::LANE,
            priority: J::PRIORITY,
            max_attempts: J::MAX_ATTEMPTS,
        })
    }
}

/// The key of a slot's job.
fn slot_key(name: &str, slot: Instant) -> Once {
    Once::Forever(format!("schedule:{name}:{slot}"))
}
