use std::time::Duration;

use super::{DELIVERIES_KEPT_FOR, JOBS_KEPT_FOR, MONTHS_AHEAD, REJECTS_KEPT_FOR, SESSIONS_KEPT_FOR};
use crate::{
    access::{Actor, PlatformGrant, RunJobs},
    audit::Audit,
    error::Error,
    jobs::Run,
    platform::Platform,
    ports::{StoreError, Tx},
    time::{Bucket, Instant, Interval, TimeRange, Zone},
};

/// Rows of one transaction, so that nobody waits long for what it locks.
const BATCH: u32 = 1_000;
/// Transactions of one task; what is left then is for the next time.
const BATCHES: u32 = 500;
/// Longer than two months, and shorter than the three that are made with the current one.
const AHEAD: Duration = Duration::from_hours(65 * 24);

const PAST_ITS_TIME: Audit = Audit::none("what is past its time is no change of anybody's");

/// Use cases of housekeeping, each a task of its own.
pub struct Housekeeping<'a> {
    platform: &'a Platform,
}

/// What is forgotten in batches.
#[derive(Clone, Copy)]
enum Past {
    Sessions,
    Attempts,
    IdempotencyKeys,
    Jobs,
    ProbeEffects,
    Rejects,
    Deliveries,
}

impl<'a> Housekeeping<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// Forgets sessions that ended longer ago than [`SESSIONS_KEPT_FOR`], and attempts to sign in that say nothing any more. How many
    /// sessions.
    ///
    /// # Errors
    /// `Conflict(LeaseLost)`; `Unavailable`.
    pub async fn forget_sessions(&self, run: &Run) -> Result<u64, Error> {
        self.forget(run, Past::Attempts, Duration::ZERO).await?;
        self.forget(run, Past::Sessions, SESSIONS_KEPT_FOR).await
    }

    /// Forgets idempotency keys that have expired. How many.
    ///
    /// # Errors
    /// `Conflict(LeaseLost)`; `Unavailable`.
    pub async fn forget_idempotency_keys(&self, run: &Run) -> Result<u64, Error> {
        self.forget(run, Past::IdempotencyKeys, Duration::ZERO).await
    }

    /// Forgets jobs that came to an end longer ago than [`JOBS_KEPT_FOR`], and effects of probes that are as old. How many
    /// jobs.
    ///
    /// # Errors
    /// `Conflict(LeaseLost)`; `Unavailable`.
    pub async fn forget_jobs(&self, run: &Run) -> Result<u64, Error> {
        self.forget(run, Past::ProbeEffects, JOBS_KEPT_FOR).await?;
        self.forget(run, Past::Jobs, JOBS_KEPT_FOR).await
    }

    /// Forgets readings that were rejected longer ago than [`REJECTS_KEPT_FOR`]. How many.
    ///
    /// # Errors
    /// `Conflict(LeaseLost)`; `Unavailable`.
    pub async fn forget_rejects(&self, run: &Run) -> Result<u64, Error> {
        self.forget(run, Past::Rejects, REJECTS_KEPT_FOR).await
    }

    /// Forgets mails that were written longer ago than [`DELIVERIES_KEPT_FOR`]; which addresses take none stays known. How many.
    ///
    /// # Errors
    /// `Conflict(LeaseLost)`; `Unavailable`.
    pub async fn forget_deliveries(&self, run: &Run) -> Result<u64, Error> {
        self.forget(run, Past::Deliveries, DELIVERIES_KEPT_FOR).await
    }

    /// Makes the tables of the current month of readings and of [`MONTHS_AHEAD`] after it.
    ///
    /// # Errors
    /// `Conflict(LeaseLost)`; `Unavailable`.
    pub async fn make_reading_months(&self, run: &Run) -> Result<(), Error> {
        let actor = run.actor();
        let grant = actor.grant_platform::<RunJobs>()?;
        let months = coming_months(self.now(&actor).await?);
        let mut tx = self.platform.write(&actor).await?;
        tx.make_reading_months(&grant, &months).await?;
        self.platform.commit(tx, Audit::none("room for readings is no resource")).await
    }

    /// By the database's clock: a worker whose own is wrong forgets nothing that is still good.
    async fn now(&self, actor: &Actor) -> Result<Instant, Error> {
        Ok(self.platform.read(actor).await?.database_time().await?)
    }

    async fn forget(&self, run: &Run, past: Past, kept_for: Duration) -> Result<u64, Error> {
        let actor = run.actor();
        let before = self.now(&actor).await?.minus(kept_for);
        let mut forgotten = 0;
        for _ in 0..BATCHES {
            let batch = self.forget_batch(&actor, past, before).await?;
            forgotten += batch;
            if batch < u64::from(BATCH) {
                break;
            }
        }
        Ok(forgotten)
    }

    async fn forget_batch(&self, actor: &Actor, past: Past, before: Instant) -> Result<u64, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut tx = self.platform.write(actor).await?;
        let forgotten = delete(tx.as_mut(), &grant, past, before).await?;
        if forgotten > 0 {
            self.platform.commit(tx, PAST_ITS_TIME).await?;
        }
        Ok(forgotten)
    }
}

async fn delete(
    tx: &mut dyn Tx,
    grant: &PlatformGrant<RunJobs>,
    past: Past,
    before: Instant,
) -> Result<u64, StoreError> {
    match past {
        Past::Sessions => tx.delete_ended_sessions(grant, before, BATCH).await,
        Past::Attempts => tx.delete_past_attempts(grant, before, BATCH).await,
        Past::IdempotencyKeys => tx.delete_idempotency_keys(grant, before, BATCH).await,
        Past::Jobs => tx.delete_finished_jobs(grant, before, BATCH).await,
        Past::ProbeEffects => tx.delete_probe_effects(grant, before, BATCH).await,
        Past::Rejects => tx.delete_rejects(grant, before, BATCH).await,
        Past::Deliveries => tx.delete_deliveries(grant, before, BATCH).await,
    }
}

/// The month of this moment and those after it, in UTC.
fn coming_months(now: Instant) -> Vec<Bucket> {
    let range = TimeRange { from: now, to: now.plus(AHEAD) };
    let months = Interval::Month.buckets(range, &Zone::UTC, MONTHS_AHEAD + 2).unwrap_or_default();
    months.into_iter().take(MONTHS_AHEAD + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_month_and_two_more_are_made_on_every_day_of_the_year() {
        let mut day: Instant = "2027-01-01T00:00:00Z".parse().expect("a moment");
        for _ in 0..(4 * 366) {
            let months = coming_months(day);
            assert_eq!(months.len(), MONTHS_AHEAD + 1, "{day}");
            assert!(months[0].start <= day && day < months[0].end, "{day}");
            day = day.plus(Duration::from_hours(24));
        }
    }
}
