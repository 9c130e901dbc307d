//! The schedules that come with the program, and the loop that writes the jobs of all schedules in time.

use std::{sync::Arc, time::Duration};

use sitewatch_domain::{
    Error,
    housekeeping::{
        ForgetDeliveries, ForgetIdempotencyKeys, ForgetJobs, ForgetRejects, ForgetReports, ForgetSessions,
        MakeReadingMonths,
    },
    rollups::SweepRollups,
    schedules::{Schedule, ScheduledJob},
};

use crate::lane::Shared;

/// How often schedules are looked at: those that were written by others are seen this late.
const LOOK: Duration = Duration::from_secs(1);

/// A schedule that comes with the program.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn {
    /// Its name, never used again for another.
    pub name: &'static str,
    /// Its times.
    pub cron: &'static str,
    /// Whose clock shows them.
    pub zone: &'static str,
    /// The job that is written for each slot.
    pub job: fn() -> Result<ScheduledJob, Error>,
}

/// All of them, one a line.
pub const BUILT_IN: &[BuiltIn] = &[
    nightly("housekeeping.sessions", "11 3 * * *", || ScheduledJob::of(&ForgetSessions {})),
    nightly("housekeeping.idempotency_keys", "21 3 * * *", || ScheduledJob::of(&ForgetIdempotencyKeys {})),
    nightly("housekeeping.jobs", "31 3 * * *", || ScheduledJob::of(&ForgetJobs {})),
    nightly("housekeeping.reading_months", "41 3 * * *", || ScheduledJob::of(&MakeReadingMonths {})),
    BuiltIn {
        name: "rollups.sweep",
        cron: "* * * * *",
        zone: "UTC",
        job: || ScheduledJob::of(&SweepRollups {}),
    },
    nightly("housekeeping.deliveries", "11 4 * * *", || ScheduledJob::of(&ForgetDeliveries {})),
    nightly("housekeeping.rejects", "1 4 * * *", || ScheduledJob::of(&ForgetRejects {})),
    nightly("housekeeping.reports", "51 3 * * *", || ScheduledJob::of(&ForgetReports {})),
];

const fn nightly(
    name: &'static str,
    cron: &'static str,
    job: fn() -> Result<ScheduledJob, Error>,
) -> BuiltIn {
    BuiltIn { name, cron, zone: "UTC", job }
}

impl BuiltIn {
    fn schedule(&self) -> Result<Schedule, Error> {
        let illegal =
            |error: &dyn std::error::Error| Error::Internal(format!("{}: {error}", self.name).into());
        Ok(Schedule {
            name: self.name.to_owned(),
            cron: self.cron.parse().map_err(|error| illegal(&error))?,
            zone: self.zone.parse().map_err(|error| illegal(&error))?,
            job: (self.job)()?,
        })
    }
}

/// Writes the program's own schedules, then the jobs of all that are due, again and again.
pub(crate) async fn keep(shared: Arc<Shared>, built_in: &'static [BuiltIn]) {
    while let Err(error) = declare(&shared, built_in).await {
        tracing::warn!(error = %error, "the schedules of the program cannot be written yet");
        tokio::time::sleep(LOOK).await;
    }
    loop {
        let pause = match look(&shared).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::warn!(error = %error, "schedules cannot be looked at");
                LOOK
            }
        };
        tokio::time::sleep(pause).await;
    }
}

async fn declare(shared: &Shared, built_in: &[BuiltIn]) -> Result<(), Error> {
    let schedules = built_in.iter().map(BuiltIn::schedule).collect::<Result<Vec<_>, _>>()?;
    shared.tools.platform.schedules().declare(&shared.actor, &schedules).await
}

/// Writes what is due; how long to wait before the next look.
async fn look(shared: &Shared) -> Result<Duration, Error> {
    let schedules = shared.tools.platform.schedules();
    match schedules.next_due(&shared.actor).await? {
        // What is due and held by another worker is his.
        Some(due) if due.is_zero() => schedules.tick(&shared.actor).await.map(|_| LOOK),
        due => Ok(due.unwrap_or(LOOK).clamp(Duration::from_millis(1), LOOK)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::registry;

    #[test]
    fn the_programs_own_schedules_can_be_read_and_done() {
        let registry = registry();
        let mut names = BTreeSet::new();
        for built_in in BUILT_IN {
            let schedule = built_in.schedule().expect(built_in.name);
            assert!(registry.find(&schedule.job.kind).is_some(), "nobody does {}", schedule.job.kind);
            assert!(names.insert(built_in.name), "two schedules are named {}", built_in.name);
        }
    }

    #[test]
    fn one_that_cannot_be_read_names_itself() {
        let job: fn() -> _ = || Err(Error::Stale);
        let odd = BuiltIn { name: "odd", cron: "often", zone: "UTC", job };
        let error = odd.schedule().expect_err("no cron expression");
        let source = std::error::Error::source(&error).expect("a source").to_string();
        assert!(source.starts_with("odd: "), "{source}");
    }
}
