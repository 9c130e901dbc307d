use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    Claim, ClaimedJob, JobCount, JobFilter, JobRecord, JobSort, JobState, Lane, Lost, NewJob, Probe,
    ProbeReport, Settlement,
};
use crate::{
    access::{Grant, ManageJobs, OwnerGrant, PlatformGrant, ReadJobs, RunJobs},
    ids::JobId,
    page::{Listing, Page},
    ports::StoreError,
    time::Instant,
};

/// The ledger of jobs. Moments that decide about leases and turns are the database's own.
#[async_trait]
pub trait JobRepository {
    /// The job, if it lies within the grant: one's own, those of organizations that one administers.
    async fn find_job(&self, grant: &Grant<ReadJobs>, id: JobId) -> Result<Option<JobRecord>, StoreError>;

    /// One page of the jobs within the grant.
    async fn list_jobs(
        &self,
        grant: &Grant<ReadJobs>,
        listing: &Listing<JobFilter, JobSort>,
    ) -> Result<Page<JobRecord>, StoreError>;

    /// Writes jobs. How many there are now that were not; the others are stood for already ([`super::Once`]).
    async fn insert_jobs(&mut self, jobs: &[NewJob]) -> Result<u64, StoreError>;

    /// Makes a dead or cancelled job ready again, with all its tries before it. The job as it is then; `None` if it is in
    /// another state.
    async fn retry_job(
        &mut self,
        grant: &OwnerGrant<ManageJobs>,
        id: JobId,
    ) -> Result<Option<JobRecord>, StoreError>;

    /// Takes a job back that is ready or running; whoever works on it loses his lease. The job as it is then; `None` if it
    /// has come to an end.
    async fn cancel_job(
        &mut self,
        grant: &OwnerGrant<ManageJobs>,
        id: JobId,
    ) -> Result<Option<JobRecord>, StoreError>;

    /// Takes jobs of a lane that are due, the most urgent first, and counts a try for each.
    ///
    /// Shape: at most `limit`; all of one [`super::Suspicion`], a single one if it has to be run alone.
    async fn claim_jobs(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        claim: &Claim<'_>,
    ) -> Result<Vec<ClaimedJob>, StoreError>;

    /// Notes that jobs under suspicion are begun, so that they are to blame if the worker is lost. Those whose lease still holds.
    async fn begin_jobs(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        leases: &[(JobId, i64)],
    ) -> Result<Vec<JobId>, StoreError>;

    /// Settles jobs, each if its token is still that of its lease. The jobs that were settled; all others were lost to
    /// somebody else.
    async fn settle_jobs(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        settlements: &[Settlement],
    ) -> Result<Vec<JobId>, StoreError>;

    /// Extends leases. Those that could be; all others are lost.
    async fn renew_jobs(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        leases: &[(JobId, i64)],
        lease: Duration,
    ) -> Result<Vec<JobId>, StoreError>;

    /// Makes jobs ready again that nobody works on any more; or dead, if they ran alone and either
    /// that was the last try or it has happened three times. How many there were of either. Whatever did not run alone gets its
    /// try back.
    ///
    /// Shape: at most `limit` at a time.
    async fn recover_jobs(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        lost: Lost<'_>,
        limit: u32,
    ) -> Result<(u64, u64), StoreError>;

    /// The names of the workers that hold jobs.
    async fn job_workers(&self, grant: &PlatformGrant<RunJobs>) -> Result<Vec<String>, StoreError>;

    /// Notes how far a job is. False if the lease is lost.
    async fn report_job_progress(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        lease: (JobId, i64),
        done: i64,
        total: i64,
    ) -> Result<bool, StoreError>;

    /// How long until the next job of the lane is due, by the database's clock; zero if one is. `None` if none waits.
    async fn next_job_due(
        &self,
        grant: &PlatformGrant<RunJobs>,
        lane: Lane,
        kinds: &[&str],
    ) -> Result<Option<Duration>, StoreError>;

    /// How many jobs there are in these states, by lane. What is over takes time to count, and grows.
    async fn count_jobs(
        &self,
        grant: &PlatformGrant<RunJobs>,
        states: &[JobState],
    ) -> Result<Vec<JobCount>, StoreError>;

    /// Notes the effect of a probe, as often as it is told.
    async fn insert_probe_effect(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        probe: &Probe,
        latency: Duration,
    ) -> Result<(), StoreError>;

    /// What a row of probes has come to.
    async fn read_probe_report(
        &self,
        grant: &PlatformGrant<RunJobs>,
        probe: Uuid,
    ) -> Result<ProbeReport, StoreError>;

    /// Forgets jobs that came to an end before a moment. How many, at most `limit`.
    async fn delete_finished_jobs(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        before: Instant,
        limit: u32,
    ) -> Result<u64, StoreError>;
}
