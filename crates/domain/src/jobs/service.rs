use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::{
    Claim, ClaimedJob, Job, JobCount, JobFence, JobFilter, JobRecord, JobSort, JobState, Lane, Lost, NewJob,
    Probe, ProbeReport, Settlement, When,
};
use crate::{
    access::{Actor, Author, ManageJobs, PlatformGrant, ReadJobs, RequestContext, RunJobs},
    audit::{Action, Audit},
    error::{Error, Rule},
    ids::JobId,
    page::{Inactive, Listing, Page},
    platform::Platform,
    ports::Tx,
    time::Instant,
};

/// Use cases of jobs: looking at them, running them again, taking them back; and what a worker asks of the ledger.
pub struct Jobs<'a> {
    platform: &'a Platform,
}

/// One try of a job, as its handler sees it.
#[derive(Debug, Clone)]
pub struct Run {
    claimed: ClaimedJob,
}

impl Run {
    /// A try of a claimed job.
    pub const fn of(claimed: ClaimedJob) -> Self {
        Self { claimed }
    }

    /// The job.
    pub const fn job(&self) -> &ClaimedJob {
        &self.claimed
    }

    /// The platform itself, in the name of this job: whatever it commits is kept only while the lease holds.
    pub fn actor(&self) -> Actor {
        self.fenced(false, None)
    }

    /// The same, whose commit also settles the job, with what it tells of its result: effect and settlement are one. For the last
    /// write of a handler.
    pub fn closing_actor(&self, result: Option<Value>) -> Actor {
        self.fenced(true, result)
    }

    #[expect(clippy::disallowed_methods, reason = "a job is the system's own work")]
    fn fenced(&self, settles: bool, result: Option<Value>) -> Actor {
        let request =
            RequestContext { request_id: self.claimed.request_id.clone(), ..RequestContext::default() };
        Actor::system(request).with_fence(self.fence(settles, result))
    }

    const fn fence(&self, settles: bool, result: Option<Value>) -> JobFence {
        JobFence { job: self.claimed.id, token: self.claimed.token, settles, result }
    }

    /// As [`Run::actor`], for somebody whose rights the job is limited to.
    pub fn on_behalf(&self, actor: Actor) -> Actor {
        actor.with_fence(self.fence(false, None))
    }
}

impl<'a> Jobs<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// A job that the actor may see: his own, those of organizations that he administers, all for a superuser.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn find(&self, actor: &Actor, id: JobId) -> Result<JobRecord, Error> {
        let grant = actor.grant::<ReadJobs>()?;
        let reader = self.platform.read(actor).await?;
        reader.find_job(&grant, id).await?.ok_or(Error::NotFound { what: "job" })
    }

    /// One page of the jobs that the actor may see.
    ///
    /// # Errors
    /// `Forbidden` without standing in the organization that the filter names; `NotFound` for a superuser naming no active
    /// one.
    pub async fn list(
        &self,
        actor: &Actor,
        listing: &Listing<JobFilter, JobSort>,
    ) -> Result<Page<JobRecord>, Error> {
        let grant = match listing.filter.organization {
            None => actor.grant::<ReadJobs>()?,
            Some(org) => {
                let grant = actor.grant_within::<ReadJobs>(org)?;
                let actor = actor.looking_for::<ReadJobs>()?;
                self.platform.organizations().find(&actor, org, Inactive::Hidden).await?;
                grant
            }
        };
        let reader = self.platform.read(actor).await?;
        Ok(reader.list_jobs(&grant, listing).await?)
    }

    /// Runs a dead or cancelled job again, with all its tries before it. Admins and superusers.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Conflict(JobNotOver)` if it is in another state.
    pub async fn retry(&self, actor: &Actor, id: JobId) -> Result<JobRecord, Error> {
        let actor = &actor.looking_for::<ManageJobs>()?;
        let before = self.find(actor, id).await?;
        let grant = actor.grant_of_owner::<ManageJobs>(before.organization_id)?;
        let mut tx = self.platform.write(actor).await?;
        let after = tx.retry_job(&grant, id).await?.ok_or(Error::Conflict(Rule::JobNotOver))?;
        self.platform.commit(tx, Audit::done(&grant, Action::Retried, &before, &after)).await?;
        Ok(after)
    }

    /// Takes a job back that has not come to an end. Admins and superusers.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Conflict(JobOver)`.
    pub async fn cancel(&self, actor: &Actor, id: JobId) -> Result<JobRecord, Error> {
        let actor = &actor.looking_for::<ManageJobs>()?;
        let before = self.find(actor, id).await?;
        let grant = actor.grant_of_owner::<ManageJobs>(before.organization_id)?;
        let mut tx = self.platform.write(actor).await?;
        let after = tx.cancel_job(&grant, id).await?.ok_or(Error::Conflict(Rule::JobOver))?;
        self.platform.commit(tx, Audit::done(&grant, Action::Cancelled, &before, &after)).await?;
        Ok(after)
    }

    /// Writes a job that nothing but an operator or a schedule causes. False if one stands for it already.
    ///
    /// # Errors
    /// `Forbidden` for everybody but the system and superusers.
    pub async fn enqueue<J: Job>(&self, actor: &Actor, job: &J, when: When) -> Result<bool, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut tx = self.platform.write(actor).await?;
        let written = enqueue(self.platform, tx.as_mut(), grant.author(), job, when).await?;
        self.platform.commit(tx, Audit::none("a job is its own record")).await?;
        Ok(written)
    }

    /// Writes a row of probes, as planned.
    ///
    /// # Errors
    /// `Forbidden` for everybody but the system and superusers.
    pub async fn enqueue_probes(&self, actor: &Actor, probes: &[Probe]) -> Result<(), Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        let planned = probes.iter().map(|probe| planned(self.platform, grant.author(), probe, When::Now));
        let planned = planned.collect::<Result<Vec<_>, _>>()?;
        let mut tx = self.platform.write(actor).await?;
        tx.insert_jobs(&planned).await?;
        self.platform.commit(tx, RUNNING).await
    }

    /// Notes the effect of a probe and settles its job, in one transaction.
    ///
    /// # Errors
    /// `Conflict(LeaseLost)`; `Unavailable`.
    pub async fn count_probe(&self, run: &Run, probe: &Probe) -> Result<(), Error> {
        let actor = run.closing_actor(None);
        let grant = actor.grant_platform::<RunJobs>()?;
        let latency = run.claimed.started_at.since(run.claimed.run_at);
        let mut tx = self.platform.write(&actor).await?;
        tx.insert_probe_effect(&grant, probe, latency).await?;
        self.platform.commit(tx, RUNNING).await
    }

    /// What a row of probes has come to.
    ///
    /// # Errors
    /// `Forbidden` for everybody but the system and superusers.
    pub async fn probe_report(&self, actor: &Actor, probe: Uuid) -> Result<ProbeReport, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        Ok(self.platform.read(actor).await?.read_probe_report(&grant, probe).await?)
    }

    /// Claims due jobs of a lane, as the ledger tells it.
    ///
    /// # Errors
    /// `Forbidden`; `Unavailable`.
    pub async fn claim(&self, actor: &Actor, claim: &Claim<'_>) -> Result<Vec<ClaimedJob>, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut tx = self.platform.write(actor).await?;
        let claimed = tx.claim_jobs(&grant, claim).await?;
        // Also without any: those that cannot be read were given up.
        self.platform.commit(tx, RUNNING).await?;
        Ok(claimed)
    }

    /// Notes that jobs under suspicion are begun. Those whose lease still holds.
    ///
    /// # Errors
    /// `Forbidden`; `Unavailable`.
    pub async fn begin(&self, actor: &Actor, leases: &[(JobId, i64)]) -> Result<Vec<JobId>, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut tx = self.platform.write(actor).await?;
        let held = tx.begin_jobs(&grant, leases).await?;
        self.platform.commit(tx, RUNNING).await?;
        Ok(held)
    }

    /// Settles jobs. Those whose lease still held.
    ///
    /// # Errors
    /// `Forbidden`; `Unavailable`: nothing was settled.
    pub async fn settle(&self, actor: &Actor, settlements: &[Settlement]) -> Result<Vec<JobId>, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut tx = self.platform.write(actor).await?;
        let settled = tx.settle_jobs(&grant, settlements).await?;
        self.platform.commit(tx, RUNNING).await?;
        Ok(settled)
    }

    /// Extends leases. Those that still held.
    ///
    /// # Errors
    /// `Forbidden`; `Unavailable`.
    pub async fn renew(
        &self,
        actor: &Actor,
        leases: &[(JobId, i64)],
        lease: Duration,
    ) -> Result<Vec<JobId>, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut tx = self.platform.write(actor).await?;
        let renewed = tx.renew_jobs(&grant, leases, lease).await?;
        self.platform.commit(tx, RUNNING).await?;
        Ok(renewed)
    }

    /// Takes jobs back that nobody works on any more. How many are ready again, and how many were given up.
    ///
    /// # Errors
    /// `Forbidden`; `Unavailable`.
    pub async fn recover(&self, actor: &Actor, lost: Lost<'_>, limit: u32) -> Result<(u64, u64), Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut tx = self.platform.write(actor).await?;
        let recovered = tx.recover_jobs(&grant, lost, limit).await?;
        if recovered != (0, 0) {
            self.platform.commit(tx, RUNNING).await?;
        }
        Ok(recovered)
    }

    /// The names of the workers that hold jobs.
    ///
    /// # Errors
    /// `Forbidden`; `Unavailable`.
    pub async fn workers(&self, actor: &Actor) -> Result<Vec<String>, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        Ok(self.platform.read(actor).await?.job_workers(&grant).await?)
    }

    /// Notes how far a job is. False if its lease is lost.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn report_progress(&self, run: &Run, done: i64, total: i64) -> Result<bool, Error> {
        let actor = run.actor();
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut tx = self.platform.write(&actor).await?;
        let held = tx.report_job_progress(&grant, (run.claimed.id, run.claimed.token), done, total).await?;
        if held {
            self.platform.commit(tx, RUNNING).await?;
        }
        Ok(held)
    }

    /// How long until the next job of the lane is due; `None` if none waits.
    ///
    /// # Errors
    /// `Forbidden`; `Unavailable`.
    pub async fn next_due(
        &self,
        actor: &Actor,
        lane: Lane,
        kinds: &[&str],
    ) -> Result<Option<Duration>, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        Ok(self.platform.read(actor).await?.next_job_due(&grant, lane, kinds).await?)
    }

    /// How many jobs there are in these states, by lane. What is over takes time to count, and grows.
    ///
    /// # Errors
    /// `Forbidden`; `Unavailable`.
    pub async fn count(&self, actor: &Actor, states: &[JobState]) -> Result<Vec<JobCount>, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        Ok(self.platform.read(actor).await?.count_jobs(&grant, states).await?)
    }

    /// Forgets jobs that came to an end before a moment. How many, at most `limit`.
    ///
    /// # Errors
    /// `Forbidden`; `Unavailable`.
    pub async fn forget_finished(&self, actor: &Actor, before: Instant, limit: u32) -> Result<u64, Error> {
        let grant: PlatformGrant<RunJobs> = actor.grant_platform()?;
        let mut tx = self.platform.write(actor).await?;
        let forgotten = tx.delete_finished_jobs(&grant, before, limit).await?;
        self.platform.commit(tx, RUNNING).await?;
        Ok(forgotten)
    }
}

const RUNNING: Audit = Audit::none("the ledger is the record of its own running");

/// Writes a job into the transaction of the change that causes it. False if one stands for it already.
pub(crate) async fn enqueue<J: Job>(
    platform: &Platform,
    tx: &mut dyn Tx,
    author: &Author,
    job: &J,
    when: When,
) -> Result<bool, Error> {
    let new = planned(platform, author, job, when)?;
    Ok(tx.insert_jobs(std::slice::from_ref(&new)).await? > 0)
}

/// A job as it is to be written.
pub(crate) fn planned<J: Job>(
    platform: &Platform,
    author: &Author,
    job: &J,
    when: When,
) -> Result<NewJob, Error> {
    let payload: Value = serde_json::to_value(job).map_err(|error| Error::Internal(error.into()))?;
    Ok(NewJob {
        id: platform.mint(),
        organization_id: job.organization(),
        kind: J::KIND.into(),
        payload,
        once: job.once(),
        lane: J::LANE,
        priority: J::PRIORITY,
        when,
        max_attempts: J::MAX_ATTEMPTS,
        author: author.clone(),
    })
}
