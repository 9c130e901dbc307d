//! The ledger of jobs: looking at it, writing into it. Working it off is in `work`.

mod work;

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, QueryFilter, QueryTrait as _, Value};
use sitewatch_domain::{
    access::{Grant, ManageJobs, OwnerGrant, PlatformGrant, ReadJobs, RunJobs},
    ids::{Id, JobId, OrgId, UserId},
    jobs::{
        Claim, ClaimedJob, JobCount, JobFilter, JobRecord, JobRepository, JobSort, JobState, Lane, Lost,
        NewJob, Once, Probe, ProbeReport, Settlement, Ticket, When,
    },
    page::{Listing, Page},
    ports::StoreError,
    time::Instant,
};
use uuid::Uuid;

use crate::{
    entities::job::{Column, Model},
    error::{corrupt, store_error},
    paging::{SortColumn, between, page},
    scope,
    session::Session,
};

/// The database's own clock in microseconds: leases and turns must not depend on the clocks of many nodes.
pub(crate) const fn now(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
        _ => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> JobRepository for Session<C> {
    async fn find_job(&self, grant: &Grant<ReadJobs>, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        let row = scope::jobs(grant).filter(Column::Id.eq(id.uuid())).one(&self.connection).await;
        row.map_err(store_error)?.map(record_of).transpose()
    }

    async fn list_jobs(
        &self,
        grant: &Grant<ReadJobs>,
        listing: &Listing<JobFilter, JobSort>,
    ) -> Result<Page<JobRecord>, StoreError> {
        let filter = &listing.filter;
        let rows = scope::jobs(grant)
            .filter(between(Column::CreatedAt, filter.created_at))
            .apply_if(filter.organization, |rows, org: OrgId| {
                rows.filter(Column::OrganizationId.eq(org.uuid()))
            })
            .apply_if(filter.state, |rows, state: JobState| rows.filter(Column::State.eq(state.name())))
            .apply_if(filter.lane, |rows, lane: Lane| rows.filter(Column::Lane.eq(lane.name())))
            .apply_if(filter.kind.as_ref(), |rows, kind| rows.filter(Column::Kind.eq(kind)));
        let key = |key| match key {
            JobSort::CreatedAt => SortColumn::Always(Column::CreatedAt),
            JobSort::RunAt => SortColumn::Always(Column::RunAt),
            JobSort::FinishedAt => SortColumn::Nullable(Column::FinishedAt),
        };
        let sort = super::sort_or(&listing.sort, key, Column::CreatedAt);
        let page: Page<Model> =
            page(&self.connection, rows, sort, Column::Id, (listing.page, listing.total)).await?;
        super::try_map(page, record_of)
    }

    async fn insert_jobs(&mut self, jobs: &[NewJob]) -> Result<u64, StoreError> {
        // What the installation is to do, such as to send a letter, belongs to no organization.
        if jobs.iter().any(|job| job.organization_id.is_none()) {
            self.leave_the_wall().await?;
        }
        let mut written = 0;
        for chunk in jobs.chunks(ROWS) {
            written += self.write_jobs(chunk).await?;
        }
        Ok(written)
    }

    async fn retry_job(
        &mut self,
        grant: &OwnerGrant<ManageJobs>,
        id: JobId,
    ) -> Result<Option<JobRecord>, StoreError> {
        let now = now(self.backend());
        let change = format!(
            "state = 'ready', attempts = 0, lapses = 0, run_at = {now}, finished_at = NULL, progress_done = NULL, \
             progress_total = NULL"
        );
        let job = self.change_job(grant.org(), id, &change, &["dead", "cancelled"]).await?;
        // Of a lane that only a newer version knows, its own workers look by themselves.
        if let Some(lane) = job.as_ref().and_then(|job| Lane::from_name(&job.lane)) {
            self.tickets.push(Ticket { job: id, lane });
        }
        Ok(job)
    }

    async fn cancel_job(
        &mut self,
        grant: &OwnerGrant<ManageJobs>,
        id: JobId,
    ) -> Result<Option<JobRecord>, StoreError> {
        let now = now(self.backend());
        let change = format!(
            "state = 'cancelled', lease_token = lease_token + 1, lease_until = NULL, finished_at = {now}, \
             dedupe_key = CASE WHEN dedupe_until_started THEN NULL ELSE dedupe_key END"
        );
        self.change_job(grant.org(), id, &change, &["ready", "running"]).await
    }

    async fn claim_jobs(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        claim: &Claim<'_>,
    ) -> Result<Vec<ClaimedJob>, StoreError> {
        self.claim(claim).await
    }

    async fn begin_jobs(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        leases: &[(JobId, i64)],
    ) -> Result<Vec<JobId>, StoreError> {
        self.change_leased(leases, "begun = true", None).await
    }

    async fn settle_jobs(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        settlements: &[Settlement],
    ) -> Result<Vec<JobId>, StoreError> {
        self.settle(settlements).await
    }

    async fn renew_jobs(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        leases: &[(JobId, i64)],
        lease: Duration,
    ) -> Result<Vec<JobId>, StoreError> {
        let longer = format!("lease_until = {} + $1", now(self.backend()));
        self.change_leased(leases, &longer, Some(micros(lease).into())).await
    }

    async fn recover_jobs(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        lost: Lost<'_>,
        limit: u32,
    ) -> Result<(u64, u64), StoreError> {
        self.recover(lost, limit).await
    }

    async fn job_workers(&self, _grant: &PlatformGrant<RunJobs>) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT worker FROM jobs WHERE state = 'running' AND worker IS NOT NULL";
        let name = |row: &sea_orm::QueryResult| row.try_get_by_index(0).map_err(store_error);
        self.query_sql(sql, []).await?.iter().map(name).collect()
    }

    async fn report_job_progress(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        (job, token): (JobId, i64),
        done: i64,
        total: i64,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE jobs SET progress_done = $1, progress_total = $2 \
                   WHERE id = $3 AND lease_token = $4 AND state = 'running'";
        let values: [Value; 4] = [done.into(), total.into(), job.uuid().into(), token.into()];
        Ok(self.execute_sql(sql, values).await?.rows_affected() > 0)
    }

    async fn next_job_due(
        &self,
        _grant: &PlatformGrant<RunJobs>,
        lane: Lane,
        kinds: &[&str],
    ) -> Result<Option<Duration>, StoreError> {
        self.next_due(lane, kinds).await
    }

    async fn count_jobs(
        &self,
        _grant: &PlatformGrant<RunJobs>,
        states: &[JobState],
    ) -> Result<Vec<JobCount>, StoreError> {
        // Each state on its own and by its name, so that those with an index of their own are read from it.
        let of_state = |state: &JobState| {
            let name = state.name();
            format!(
                "SELECT lane, '{name}' AS state, count(*) AS jobs FROM jobs WHERE state = '{name}' GROUP BY lane"
            )
        };
        let sql = states.iter().map(of_state).collect::<Vec<_>>().join(" UNION ALL ");
        if sql.is_empty() {
            return Ok(Vec::new());
        }
        let count = |row: &sea_orm::QueryResult| {
            let (lane, state): (String, String) = (
                row.try_get("", "lane").map_err(store_error)?,
                row.try_get("", "state").map_err(store_error)?,
            );
            let jobs: i64 = row.try_get("", "jobs").map_err(store_error)?;
            // A lane that only a newer version knows is counted by its workers.
            let Some(lane) = Lane::from_name(&lane) else { return Ok(None) };
            Ok(Some(JobCount {
                lane,
                state: JobState::from_name(&state).ok_or_else(|| corrupt("jobs", "state", &state))?,
                count: u64::try_from(jobs).unwrap_or(0),
            }))
        };
        self.query_sql(&sql, []).await?.iter().filter_map(|row| count(row).transpose()).collect()
    }

    async fn insert_probe_effect(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        probe: &Probe,
        latency: Duration,
    ) -> Result<(), StoreError> {
        let now = now(self.backend());
        let sql =
            format!("INSERT INTO job_probes (probe, number, latency_us, at) VALUES ($1, $2, $3, {now})");
        let number = i64::try_from(probe.number).unwrap_or(i64::MAX);
        let values: [Value; 3] = [probe.probe.into(), number.into(), micros(latency).into()];
        self.execute_sql(&sql, values).await.map(drop)
    }

    async fn read_probe_report(
        &self,
        _grant: &PlatformGrant<RunJobs>,
        probe: Uuid,
    ) -> Result<ProbeReport, StoreError> {
        self.probe_report(probe).await
    }

    async fn delete_finished_jobs(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        before: Instant,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let sql = "DELETE FROM jobs WHERE id IN \
                   (SELECT id FROM jobs WHERE finished_at < $1 ORDER BY finished_at LIMIT $2)";
        let values: [Value; 2] = [before.as_micros().into(), i64::from(limit).into()];
        Ok(self.execute_sql(sql, values).await?.rows_affected())
    }
}

impl<C: ConnectionTrait> Session<C> {
    async fn write_jobs(&mut self, jobs: &[NewJob]) -> Result<u64, StoreError> {
        let now = now(self.backend());
        let row = |row: usize| {
            let place = |column: usize| format!("${}", row * COLUMNS + column);
            let columns: Vec<String> = (1..=COLUMNS - 2).map(place).collect();
            // A moment of its own, or so long after now.
            let run_at = format!(
                "COALESCE(CAST({} AS bigint), {now} + CAST({} AS bigint))",
                place(COLUMNS - 1),
                place(COLUMNS)
            );
            format!("({}, 'ready', {run_at}, {now})", columns.join(", "))
        };
        let rows = (0..jobs.len()).map(row).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "INSERT INTO jobs (id, organization_id, kind, payload, dedupe_key, dedupe_until_started, lane, priority, \
             max_attempts, request_id, created_by, state, run_at, created_at) VALUES {rows} \
             ON CONFLICT (dedupe_key) WHERE dedupe_key IS NOT NULL DO NOTHING RETURNING id"
        );
        let written = self.query_sql(&sql, jobs.iter().flat_map(columns_of)).await?;
        for row in &written {
            let id: Uuid = row.try_get_by_index(0).map_err(store_error)?;
            let rings = jobs.iter().find(|job| job.id.uuid() == id && !matches!(job.when, When::At(_)));
            self.tickets.extend(rings.map(|job| Ticket { job: job.id, lane: job.lane }));
        }
        Ok(u64::try_from(written.len()).unwrap_or(u64::MAX))
    }

    async fn probe_report(&self, probe: Uuid) -> Result<ProbeReport, StoreError> {
        let sql = "SELECT count(*) AS effects, count(DISTINCT number) AS numbers, COALESCE(max(at) - min(at), 0) AS span \
                   FROM job_probes WHERE probe = $1";
        let rows = self.query_sql(sql, [probe.into()]).await?;
        let row = crate::session::expected(rows.first(), "a count")?;
        let number = |row: &sea_orm::QueryResult, name: &str| {
            let number: i64 = row.try_get("", name).map_err(store_error)?;
            Ok::<_, StoreError>(u64::try_from(number).unwrap_or(0))
        };
        let (effects, distinct) = (number(row, "effects")?, number(row, "numbers")?);
        let span = Duration::from_micros(number(row, "span")?);
        let quantile = async |part: u64| {
            let sql =
                "SELECT latency_us FROM job_probes WHERE probe = $1 ORDER BY latency_us LIMIT 1 OFFSET $2";
            let offset = i64::try_from(effects.saturating_sub(1) * part / 100).unwrap_or(0);
            let rows = self.query_sql(sql, [probe.into(), offset.into()]).await?;
            let micros = rows.first().map(|row| number(row, "latency_us")).transpose()?;
            Ok::<_, StoreError>(Duration::from_micros(micros.unwrap_or(0)))
        };
        Ok(ProbeReport { distinct, effects, median: quantile(50).await?, p99: quantile(99).await?, span })
    }

    /// Changes a job of this owner that is in one of these states.
    async fn change_job(
        &self,
        owner: Option<OrgId>,
        id: JobId,
        change: &str,
        states: &[&str],
    ) -> Result<Option<JobRecord>, StoreError> {
        let states = states.iter().map(|state| format!("'{state}'")).collect::<Vec<_>>().join(", ");
        let of_owner = if owner.is_some() { "organization_id = $2" } else { "organization_id IS NULL" };
        let sql = format!("UPDATE jobs SET {change} WHERE id = $1 AND state IN ({states}) AND {of_owner}");
        let values = std::iter::once(Value::from(id.uuid())).chain(owner.map(|org| Value::from(org.uuid())));
        if self.execute_sql(&sql, values).await?.rows_affected() == 0 {
            return Ok(None);
        }
        let row = scope::job(id.uuid()).one(&self.connection).await.map_err(store_error)?;
        row.map(record_of).transpose()
    }
}

/// Rows of one statement; each takes [`COLUMNS`] parameters of the 32,766 that SQLite takes.
const ROWS: usize = 1_000;
const COLUMNS: usize = 13;

fn columns_of(job: &NewJob) -> [Value; COLUMNS] {
    let (at, pause): (Option<i64>, i64) = match job.when {
        When::Now => (None, 0),
        When::After(pause) => (None, micros(pause)),
        When::At(at) => (Some(at.as_micros()), 0),
    };
    let (key, until_started) = match &job.once {
        Once::No => (None, false),
        Once::UntilStarted(key) => (Some(key.clone()), true),
        Once::Forever(key) => (Some(key.clone()), false),
    };
    [
        job.id.uuid().into(),
        job.organization_id.map(OrgId::uuid).into(),
        job.kind.as_ref().into(),
        job.payload.clone().into(),
        key.into(),
        until_started.into(),
        job.lane.name().into(),
        job.priority.rank().into(),
        i32::from(job.max_attempts).into(),
        job.author.request_id.clone().into(),
        job.author.user.map(UserId::uuid).into(),
        at.into(),
        pause.into(),
    ]
}

fn record_of(row: Model) -> Result<JobRecord, StoreError> {
    Ok(JobRecord {
        id: Id::from_uuid(row.id),
        organization_id: row.organization_id.map(Id::from_uuid),
        kind: row.kind,
        lane: row.lane,
        state: JobState::from_name(&row.state).ok_or_else(|| corrupt("jobs", "state", row.id))?,
        attempts: u32::try_from(row.attempts).unwrap_or(0),
        max_attempts: u32::try_from(row.max_attempts).unwrap_or(0),
        run_at: Instant::from_micros(row.run_at),
        progress: row.progress_done.zip(row.progress_total),
        result: row.result,
        error: row.error,
        request_id: row.request_id,
        created_at: Instant::from_micros(row.created_at),
        created_by: row.created_by.map(Id::from_uuid),
        started_at: row.started_at.map(Instant::from_micros),
        finished_at: row.finished_at.map(Instant::from_micros),
    })
}
