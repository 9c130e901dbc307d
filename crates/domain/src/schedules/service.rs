use std::time::Duration;

use serde_json::Value;

use super::{DueSchedule, Move, Schedule, ScheduledJob, slot_key};
use crate::{
    access::{ActingGrant, Actor, Author, RunJobs},
    audit::Audit,
    error::{Error, Rule},
    jobs::{NewJob, When},
    platform::Platform,
    ports::Tx,
    time::Instant,
};

/// Schedules of one transaction.
const AT_ONCE: u32 = 100;
/// When a schedule that this version cannot read is looked at again.
const UNREADABLE: Duration = Duration::from_hours(1);

const TURNING: Audit = Audit::none("the ledger of jobs tells what schedules wrote");

/// Use cases of schedules: what a worker asks of them.
pub struct Schedules<'a> {
    platform: &'a Platform,
}

impl<'a> Schedules<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// Writes the schedules that come with the program, in one transaction. As often as it is called: nothing missed is forgotten.
    ///
    /// # Errors
    /// `Forbidden` for everybody but the system and superusers; `Conflict` if a name is an organization's.
    pub async fn declare(&self, actor: &Actor, schedules: &[Schedule]) -> Result<(), Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        if schedules.is_empty() {
            return Ok(());
        }
        let mut tx = self.platform.write(actor).await?;
        for schedule in schedules {
            put(tx.as_mut(), &grant, schedule).await?;
        }
        self.platform.commit(tx, TURNING).await
    }

    /// How long until the next schedule is due; zero if one is, `None` if none will be.
    ///
    /// # Errors
    /// `Forbidden`; `Unavailable`.
    pub async fn next_due(&self, actor: &Actor) -> Result<Option<Duration>, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        Ok(self.platform.read(actor).await?.next_schedule_due(&grant).await?)
    }

    /// Writes the jobs of all schedules that are due, by the database's clock. How many jobs.
    ///
    /// # Errors
    /// `Forbidden`; `Unavailable`: what was written before stays, the rest is still due.
    pub async fn tick(&self, actor: &Actor) -> Result<u64, Error> {
        let now = self.platform.read(actor).await?.database_time().await?;
        self.tick_at(actor, now).await
    }

    /// The same at a given moment. A schedule that waits since several slots has one job, for the latest of them.
    ///
    /// # Errors
    /// As [`Schedules::tick`].
    pub async fn tick_at(&self, actor: &Actor, now: Instant) -> Result<u64, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut written = 0;
        loop {
            let mut tx = self.platform.write(actor).await?;
            let due = tx.take_due_schedules(&grant, now, AT_ONCE).await?;
            if due.is_empty() {
                // A row that another worker has just moved on is held here all the same, and a transaction that is dropped ends later.
                self.platform.commit(tx, TURNING).await?;
                return Ok(written);
            }
            let turns: Vec<(Option<NewJob>, Move)> =
                due.into_iter().map(|due| self.turn(grant.author(), due, now)).collect();
            let (jobs, moves): (Vec<Option<NewJob>>, Vec<Move>) = turns.into_iter().unzip();
            let jobs: Vec<NewJob> = jobs.into_iter().flatten().collect();
            written += tx.insert_jobs(&jobs).await?;
            tx.move_schedules(&grant, &moves).await?;
            self.platform.commit(tx, TURNING).await?;
        }
    }

    /// The job of a schedule that is due, and where the schedule goes on.
    fn turn(&self, author: &Author, due: DueSchedule, now: Instant) -> (Option<NewJob>, Move) {
        let DueSchedule { name, organization_id, created_by, due_at, schedule } = due;
        let Some(Schedule { cron, zone, job, .. }) = schedule else {
            tracing::error!(schedule = name, "a schedule cannot be read; it is looked at again in an hour");
            return (None, Move { name, next_at: Some(now.plus(UNREADABLE)), slot: None });
        };
        let slot = cron.last_until(&zone, now).map_or(due_at, |latest| latest.max(due_at));
        if slot > due_at {
            tracing::warn!(schedule = name, since = %due_at, slot = %slot, "slots were missed; the latest is made up for");
        }
        let ScheduledJob { kind, mut payload, lane, priority, max_attempts } = job;
        // When the job runs is another matter, and another one at each try.
        if let (Value::Object(fields), Ok(slot)) = (&mut payload, serde_json::to_value(slot)) {
            fields.insert(SLOT.to_owned(), slot);
        }
        let job = NewJob {
            id: self.platform.mint(),
            organization_id,
            kind: kind.into(),
            payload,
            once: slot_key(&name, slot),
            lane,
            priority,
            when: When::Now,
            max_attempts,
            author: Author { user: created_by, ..author.clone() },
        };
        (Some(job), Move { next_at: cron.next_after(&zone, now), slot: Some(slot), name })
    }
}

/// The member of a scheduled job's payload that tells which slot it is for.
const SLOT: &str = "slot";

/// Writes a schedule into the transaction of the change that causes it; its jobs are done for the grant's organization.
///
/// # Errors
/// `Conflict` if the name is that of somebody else's schedule.
pub(crate) async fn put(
    tx: &mut dyn Tx,
    grant: &(dyn ActingGrant + Sync),
    schedule: &Schedule,
) -> Result<(), Error> {
    let next_at = schedule.cron.next_after(&schedule.zone, tx.database_time().await?);
    let is_written = tx.put_schedule(grant, schedule, next_at).await?;
    if is_written { Ok(()) } else { Err(Error::Conflict(Rule::Unique)) }
}
