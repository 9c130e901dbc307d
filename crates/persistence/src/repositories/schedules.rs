//! Schedules: of many workers that look at the same moment one holds the row.

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Value};
use sitewatch_domain::{
    access::{ActingGrant, PlatformGrant, RunJobs},
    ids::{Id, OrgId, UserId},
    jobs::{Lane, Priority},
    ports::StoreError,
    schedules::{DueSchedule, Move, Schedule, ScheduleRepository, ScheduledJob},
    time::Instant,
};
use uuid::Uuid;

use super::jobs::now;
use crate::{
    error::store_error,
    session::{Session, expected},
};

/// What may become due at all.
const TURNS: &str = "is_enabled AND (organization_id IS NULL OR organization_id IN (SELECT id FROM organizations WHERE is_active))";

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> ScheduleRepository for Session<C> {
    async fn database_time(&self) -> Result<Instant, StoreError> {
        let rows = self.query_sql(&format!("SELECT {} AS now", now(self.backend())), []).await?;
        let micros = expected(rows.first(), "the time")?.try_get("", "now").map_err(store_error)?;
        Ok(Instant::from_micros(micros))
    }

    async fn put_schedule(
        &mut self,
        grant: &(dyn ActingGrant + Sync),
        schedule: &Schedule,
        next_at: Option<Instant>,
    ) -> Result<bool, StoreError> {
        let sql = format!(
            "INSERT INTO schedules (name, organization_id, cron, zone, kind, payload, lane, priority, max_attempts, next_at, \
                 created_by, is_enabled, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, true, {now}) \
             ON CONFLICT (name) DO UPDATE SET cron = excluded.cron, zone = excluded.zone, kind = excluded.kind, \
                 payload = excluded.payload, lane = excluded.lane, priority = excluded.priority, \
                 max_attempts = excluded.max_attempts, \
                 next_at = CASE WHEN schedules.cron = excluded.cron AND schedules.zone = excluded.zone \
                     THEN COALESCE(schedules.next_at, excluded.next_at) ELSE excluded.next_at END \
             WHERE schedules.organization_id IS NOT DISTINCT FROM excluded.organization_id",
            now = now(self.backend())
        );
        let job = &schedule.job;
        let values: [Value; 11] = [
            schedule.name.clone().into(),
            grant.org().map(OrgId::uuid).into(),
            schedule.cron.to_string().into(),
            schedule.zone.to_string().into(),
            job.kind.clone().into(),
            job.payload.clone().into(),
            job.lane.name().into(),
            job.priority.rank().into(),
            i32::from(job.max_attempts).into(),
            next_at.map(Instant::as_micros).into(),
            grant.author().user.map(UserId::uuid).into(),
        ];
        Ok(self.execute_sql(&sql, values).await?.rows_affected() > 0)
    }

    async fn delete_schedule(
        &mut self,
        grant: &(dyn ActingGrant + Sync),
        name: &str,
    ) -> Result<bool, StoreError> {
        let sql = "DELETE FROM schedules WHERE name = $1 AND organization_id IS NOT DISTINCT FROM $2";
        let values: [Value; 2] = [name.into(), grant.org().map(OrgId::uuid).into()];
        Ok(self.execute_sql(sql, values).await?.rows_affected() > 0)
    }

    async fn next_schedule_due(
        &self,
        _grant: &PlatformGrant<RunJobs>,
    ) -> Result<Option<Duration>, StoreError> {
        let sql =
            format!("SELECT min(next_at) - {} AS pause FROM schedules WHERE {TURNS}", now(self.backend()));
        let rows = self.query_sql(&sql, []).await?;
        let pause: Option<i64> =
            expected(rows.first(), "a pause")?.try_get("", "pause").map_err(store_error)?;
        Ok(pause.map(|pause| Duration::from_micros(u64::try_from(pause).unwrap_or(0))))
    }

    async fn take_due_schedules(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        now: Instant,
        limit: u32,
    ) -> Result<Vec<DueSchedule>, StoreError> {
        let skip = match self.backend() {
            DbBackend::Postgres => "FOR UPDATE SKIP LOCKED",
            _ => "",
        };
        let sql = format!(
            "SELECT name, organization_id, created_by, cron, zone, kind, payload, lane, priority, max_attempts, next_at \
             FROM schedules WHERE next_at <= $1 AND {TURNS} ORDER BY next_at, name LIMIT $2 {skip}"
        );
        let values: [Value; 2] = [now.as_micros().into(), i64::from(limit).into()];
        let rows = self.query_sql(&sql, values).await?;
        rows.iter().map(|row| due_of(row).map_err(store_error)).collect()
    }

    async fn move_schedules(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        moves: &[Move],
    ) -> Result<(), StoreError> {
        let sql =
            "UPDATE schedules SET next_at = $2, last_slot_at = COALESCE($3, last_slot_at) WHERE name = $1";
        for Move { name, next_at, slot } in moves {
            let values: [Value; 3] = [
                name.as_str().into(),
                next_at.map(Instant::as_micros).into(),
                slot.map(Instant::as_micros).into(),
            ];
            self.execute_sql(sql, values).await?;
        }
        Ok(())
    }
}

fn due_of(row: &QueryResult) -> Result<DueSchedule, DbErr> {
    let organization: Option<Uuid> = row.try_get("", "organization_id")?;
    let created_by: Option<Uuid> = row.try_get("", "created_by")?;
    Ok(DueSchedule {
        name: row.try_get("", "name")?,
        organization_id: organization.map(Id::from_uuid),
        created_by: created_by.map(Id::from_uuid),
        due_at: Instant::from_micros(row.try_get("", "next_at")?),
        schedule: schedule_of(row)?,
    })
}

/// `None` for what another version wrote: one row must not keep all others from their turn.
fn schedule_of(row: &QueryResult) -> Result<Option<Schedule>, DbErr> {
    let text = |column: &str| row.try_get::<String>("", column);
    let number = |column: &str| row.try_get::<i32>("", column);
    let known = (
        text("cron")?.parse().ok(),
        text("zone")?.parse().ok(),
        Lane::from_name(&text("lane")?),
        Priority::from_rank(number("priority")?),
        u16::try_from(number("max_attempts")?).ok(),
        row.try_get("", "payload").ok(),
    );
    let (Some(cron), Some(zone), Some(lane), Some(priority), Some(max_attempts), Some(payload)) = known
    else {
        return Ok(None);
    };
    let job = ScheduledJob { kind: text("kind")?, payload, lane, priority, max_attempts };
    Ok(Some(Schedule { name: text("name")?, cron, zone, job }))
}
