use async_trait::async_trait;

use crate::{
    access::{PlatformGrant, RunJobs},
    ports::StoreError,
    time::{Bucket, Instant},
};

/// Takes away what is past its time, in batches, and makes what will be needed.
#[async_trait]
pub trait HousekeepingRepository {
    /// Forgets sessions that ended, idle or for good, before a moment. How many, at most `limit`.
    async fn delete_ended_sessions(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        before: Instant,
        limit: u32,
    ) -> Result<u64, StoreError>;

    /// Forgets counters of attempts that say nothing any more at a moment. How many, at most `limit`.
    async fn delete_past_attempts(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        before: Instant,
        limit: u32,
    ) -> Result<u64, StoreError>;

    /// Forgets idempotency keys that expired before a moment. How many, at most `limit`.
    async fn delete_idempotency_keys(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        before: Instant,
        limit: u32,
    ) -> Result<u64, StoreError>;

    /// Forgets effects of probes from before a moment. How many, at most `limit`.
    async fn delete_probe_effects(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        before: Instant,
        limit: u32,
    ) -> Result<u64, StoreError>;

    /// Forgets readings that were rejected before a moment. How many, at most `limit`.
    async fn delete_rejects(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        before: Instant,
        limit: u32,
    ) -> Result<u64, StoreError>;

    /// Forgets mails that were written before a moment. How many, at most `limit`.
    async fn delete_deliveries(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        before: Instant,
        limit: u32,
    ) -> Result<u64, StoreError>;

    /// Makes sure that readings of these calendar months, in UTC, can be stored without making room first.
    async fn make_reading_months(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        months: &[Bucket],
    ) -> Result<(), StoreError>;
}
