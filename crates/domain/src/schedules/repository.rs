use std::time::Duration;

use async_trait::async_trait;

use super::{OrgId, Schedule, UserId};
use crate::{
    access::{ActingGrant, PlatformGrant, RunJobs},
    ports::StoreError,
    time::Instant,
};

/// A schedule whose time has come, held until the transaction ends.
#[derive(Debug, Clone)]
pub struct DueSchedule {
    /// Its name.
    pub name: String,
    /// The tenant of its jobs.
    pub organization_id: Option<OrgId>,
    /// The user who made it.
    pub created_by: Option<UserId>,
    /// The first slot that has no job yet.
    pub due_at: Instant,
    /// The schedule itself; `None` if this version of the program cannot read it.
    pub schedule: Option<Schedule>,
}

/// Where a schedule goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Its name.
    pub name: String,
    /// Its next slot; `None` if there is none.
    pub next_at: Option<Instant>,
    /// The slot that has its job now; `None` leaves the last one.
    pub slot: Option<Instant>,
}

/// Stores schedules.
#[async_trait]
pub trait ScheduleRepository {
    /// The database's own clock: slots must not depend on the clocks of many nodes.
    async fn database_time(&self) -> Result<Instant, StoreError>;

    /// Writes a schedule of the grant's organization, or of the installation, anew or in place of the one of that name. One whose times
    /// are the same keeps its next slot, so that nothing missed is forgotten; one that was switched off stays so. False if the name is
    /// that of somebody else's.
    async fn put_schedule(
        &mut self,
        grant: &(dyn ActingGrant + Sync),
        schedule: &Schedule,
        next_at: Option<Instant>,
    ) -> Result<bool, StoreError>;

    /// Removes a schedule of the grant's organization, or of the installation. False if there is none of that name.
    async fn delete_schedule(
        &mut self,
        grant: &(dyn ActingGrant + Sync),
        name: &str,
    ) -> Result<bool, StoreError>;

    /// How long until the next schedule is due, by the database's clock; zero if one is. `None` if none will be. Those that are switched
    /// off and those of archived organizations do not count.
    async fn next_schedule_due(&self, grant: &PlatformGrant<RunJobs>)
    -> Result<Option<Duration>, StoreError>;

    /// Schedules that are due at this moment, those that nobody else holds; held until the transaction ends.
    ///
    /// Shape: at most `limit`, those that wait longest first.
    async fn take_due_schedules(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        now: Instant,
        limit: u32,
    ) -> Result<Vec<DueSchedule>, StoreError>;

    /// Moves schedules on that this transaction holds.
    async fn move_schedules(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        moves: &[Move],
    ) -> Result<(), StoreError>;
}
