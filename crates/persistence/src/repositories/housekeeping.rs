//! What is past its time goes, in batches; what will be needed is made.

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, Value};
use sitewatch_domain::{
    access::{PlatformGrant, RunJobs},
    housekeeping::HousekeepingRepository,
    ports::StoreError,
    time::{Bucket, Instant},
};

use crate::session::Session;

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> HousekeepingRepository for Session<C> {
    async fn delete_ended_sessions(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        before: Instant,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let sql = "DELETE FROM sessions WHERE id IN \
                   (SELECT id FROM sessions WHERE idle_until < $1 OR absolute_until < $1 LIMIT $2)";
        self.delete(sql, before, limit).await
    }

    async fn delete_past_attempts(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        before: Instant,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let sql = "DELETE FROM attempts WHERE (account, place) IN \
                   (SELECT account, place FROM attempts WHERE forget_at <= $1 LIMIT $2)";
        self.delete(sql, before, limit).await
    }

    async fn delete_idempotency_keys(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        before: Instant,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let sql = "DELETE FROM idempotency_keys WHERE (principal, route, key_digest) IN \
                   (SELECT principal, route, key_digest FROM idempotency_keys WHERE expires_at < $1 LIMIT $2)";
        self.delete(sql, before, limit).await
    }

    async fn delete_probe_effects(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        before: Instant,
        limit: u32,
    ) -> Result<u64, StoreError> {
        // Effects have no key of their own: that is what makes a second one visible.
        let row = match self.backend() {
            DbBackend::Postgres => "ctid",
            _ => "rowid",
        };
        let sql = format!(
            "DELETE FROM job_probes WHERE {row} IN (SELECT {row} FROM job_probes WHERE at < $1 LIMIT $2)"
        );
        self.delete(&sql, before, limit).await
    }

    async fn delete_rejects(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        before: Instant,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let sql = "DELETE FROM rejected_readings WHERE id IN (SELECT id FROM rejected_readings WHERE at < $1 LIMIT $2)";
        self.delete(sql, before, limit).await
    }

    async fn delete_deliveries(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        before: Instant,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let sql =
            "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE created_at < $1 LIMIT $2)";
        self.delete(sql, before, limit).await
    }

    async fn make_reading_months(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        months: &[Bucket],
    ) -> Result<(), StoreError> {
        self.make_months(months.to_vec()).await
    }
}

impl<C: ConnectionTrait> Session<C> {
    async fn delete(&self, sql: &str, before: Instant, limit: u32) -> Result<u64, StoreError> {
        let values: [Value; 2] = [before.as_micros().into(), i64::from(limit).into()];
        Ok(self.execute_sql(sql, values).await?.rows_affected())
    }
}
