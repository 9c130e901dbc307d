//! Working the ledger off: claims, settlements, leases. In batches, each row with its own token.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Value};
use sitewatch_domain::{
    Rule,
    ids::{Id, JobId},
    jobs::{Claim, ClaimedJob, JobFence, Lane, Lost, Outcome, Settlement},
    ports::StoreError,
    time::Instant,
};
use uuid::Uuid;

use super::{micros, now};
use crate::{
    error::{corrupt, store_error},
    repositories::placeholders,
    session::Session,
};

/// From so many lost workers on a job runs alone.
const ALONE: u32 = 2;
/// So many are too many: the first two perhaps by the doing of others, three while it ran alone.
const MOST_LAPSES: u32 = 5;
const LAPSED: &str = "its worker died or hung";
const KILLS: &str = "its worker died or hung whenever it was run alone";
/// That a job runs, said so that PostgreSQL does not look for it in the index of leases: under load that is mostly of rows that
/// are gone, and each job is one step away by its id.
const RUNNING: &str = "state || '' = 'running'";

/// A settlement as columns.
struct Row<'a> {
    job: Uuid,
    token: i64,
    state: &'static str,
    refund: i32,
    pause: i64,
    error: &'a str,
    result: String,
}

impl<'a> Row<'a> {
    fn of(settlement: &'a Settlement) -> Self {
        let Settlement { job, token, outcome } = settlement;
        let row = Self {
            job: job.uuid(),
            token: *token,
            state: "ready",
            refund: 0,
            pause: 0,
            error: "",
            result: String::new(),
        };
        match outcome {
            Outcome::Succeeded { result } => {
                let result = result.as_ref().map(ToString::to_string).unwrap_or_default();
                Self { state: "succeeded", result, ..row }
            }
            Outcome::Retry { error, after } => Self { error, pause: micros(*after), ..row },
            Outcome::Dead { error } => Self { state: "dead", error, ..row },
            Outcome::Released => Self { refund: 1, ..row },
        }
    }
}

impl<C: ConnectionTrait> Session<C> {
    /// Claims what comes first: a single job that has to be run alone, a few that have to be run in small company, or a batch
    /// without any such.
    pub(super) async fn claim(&self, claim: &Claim<'_>) -> Result<Vec<ClaimedJob>, StoreError> {
        let Claim { lane, kinds, limit, together, .. } = *claim;
        if kinds.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT lapses FROM jobs WHERE state = 'ready' AND lane = $1 AND run_at <= {} AND kind IN ({}) \
             ORDER BY priority, run_at, id LIMIT 1",
            now(self.backend()),
            placeholders(2, kinds.len())
        );
        let values =
            std::iter::once(Value::from(lane.name())).chain(kinds.iter().map(|kind| Value::from(*kind)));
        let first = self.query_sql(&sql, values).await?;
        let lapses: i32 = match first.first() {
            Some(row) => row.try_get_by_index(0).map_err(store_error)?,
            None => return Ok(Vec::new()),
        };
        let suspects = match lapses {
            0 => Vec::new(),
            1 => self.claim_those(&Claim { limit: together.min(limit), ..*claim }, "lapses = 1").await?,
            _ => self.claim_those(&Claim { limit: 1, ..*claim }, "lapses > 1").await?,
        };
        // Others may have been faster.
        if suspects.is_empty() { self.claim_those(claim, "lapses = 0").await } else { Ok(suspects) }
    }

    async fn claim_those(&self, claim: &Claim<'_>, condition: &str) -> Result<Vec<ClaimedJob>, StoreError> {
        let Claim { lane, kinds, limit, lease, worker, .. } = *claim;
        let now = now(self.backend());
        let skip = match self.backend() {
            DbBackend::Postgres => "FOR UPDATE SKIP LOCKED",
            _ => "",
        };
        let sql = format!(
            "UPDATE jobs SET state = 'running', attempts = attempts + 1, lease_token = lease_token + 1, \
                 lease_until = {now} + $3, started_at = {now}, worker = $4, begun = false, \
                 dedupe_key = CASE WHEN dedupe_until_started THEN NULL ELSE dedupe_key END \
             WHERE id IN (SELECT id FROM jobs WHERE state = 'ready' AND lane = $1 AND run_at <= {now} \
                 AND {condition} AND kind IN ({kinds_places}) ORDER BY priority, run_at, id LIMIT $2 {skip}) \
             RETURNING id, organization_id, kind, payload, priority, attempts, max_attempts, lapses, lease_token, \
                 run_at, started_at, request_id, created_by",
            kinds_places = placeholders(5, kinds.len())
        );
        let fixed: [Value; 4] =
            [lane.name().into(), i64::from(limit).into(), micros(lease).into(), worker.into()];
        let values = fixed.into_iter().chain(kinds.iter().map(|kind| Value::from(*kind)));
        let rows = self.query_sql(&sql, values).await?;
        let (mut claimed, mut broken) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in &rows {
            match claimed_of(row, lane) {
                Ok(job) => claimed.push(job),
                // One that somebody has written into by hand holds up no other.
                Err(error) => broken.push(given_up(row, &error)?),
            }
        }
        self.settle(&broken).await?;
        claimed.sort_by_key(|(priority, job): &(i32, ClaimedJob)| (*priority, job.run_at, job.id));
        Ok(claimed.into_iter().map(|(_, job)| job).collect())
    }

    pub(super) async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<JobId>, StoreError> {
        let rows: Vec<Row<'_>> = settlements.iter().map(Row::of).collect();
        match self.backend() {
            _ if rows.is_empty() => Ok(Vec::new()),
            DbBackend::Postgres => self.settle_together(&rows).await,
            _ => self.settle_one_by_one(&rows).await,
        }
    }

    async fn settle_together(&self, rows: &[Row<'_>]) -> Result<Vec<JobId>, StoreError> {
        let sql = format!(
            "UPDATE jobs j SET {} FROM UNNEST($1::uuid[], $2::bigint[], $3::text[], $4::int[], $5::bigint[], $6::text[], \
             $7::text[]) AS s (id, token, state, refund, pause, error, result) \
             WHERE j.id = s.id AND j.lease_token = s.token AND j.{RUNNING} RETURNING j.id",
            settled(
                "j.",
                "s.state",
                "s.refund",
                "s.pause",
                "s.error",
                "NULLIF(s.result, '')::jsonb",
                now(self.backend())
            )
        );
        let values: [Value; 7] = [
            rows.iter().map(|row| row.job).collect::<Vec<_>>().into(),
            rows.iter().map(|row| row.token).collect::<Vec<_>>().into(),
            rows.iter().map(|row| row.state.to_owned()).collect::<Vec<_>>().into(),
            rows.iter().map(|row| row.refund).collect::<Vec<_>>().into(),
            rows.iter().map(|row| row.pause).collect::<Vec<_>>().into(),
            rows.iter().map(|row| row.error.to_owned()).collect::<Vec<_>>().into(),
            rows.iter().map(|row| row.result.clone()).collect::<Vec<_>>().into(),
        ];
        self.query_sql(&sql, values).await?.iter().map(id_of).collect()
    }

    async fn settle_one_by_one(&self, rows: &[Row<'_>]) -> Result<Vec<JobId>, StoreError> {
        let sql = format!(
            "UPDATE jobs SET {} WHERE id = $1 AND lease_token = $2 AND state = 'running'",
            settled("", "$3", "$4", "$5", "$6", "NULLIF($7, '')", now(self.backend()))
        );
        let mut ids = Vec::with_capacity(rows.len());
        for row in rows {
            let values: [Value; 7] = [
                row.job.into(),
                row.token.into(),
                row.state.into(),
                row.refund.into(),
                row.pause.into(),
                row.error.into(),
                row.result.clone().into(),
            ];
            if self.execute_sql(&sql, values).await?.rows_affected() > 0 {
                ids.push(Id::from_uuid(row.job));
            }
        }
        Ok(ids)
    }

    /// Changes the jobs whose leases still hold; which those are. The change may name one value, as `$1`.
    pub(super) async fn change_leased(
        &self,
        leases: &[(JobId, i64)],
        change: &str,
        value: Option<Value>,
    ) -> Result<Vec<JobId>, StoreError> {
        let first = if value.is_some() { 2 } else { 1 };
        if self.backend() == DbBackend::Postgres {
            let (ids, tokens) = (format!("${first}::uuid[]"), format!("${}::bigint[]", first + 1));
            let sql = format!(
                "UPDATE jobs SET {change} WHERE id = ANY({ids}) AND {RUNNING} \
                 AND (id, lease_token) IN (SELECT * FROM UNNEST({ids}, {tokens})) RETURNING id"
            );
            let arrays: [Value; 2] = [
                leases.iter().map(|(job, _)| job.uuid()).collect::<Vec<_>>().into(),
                leases.iter().map(|(_, token)| *token).collect::<Vec<_>>().into(),
            ];
            return self.query_sql(&sql, value.into_iter().chain(arrays)).await?.iter().map(id_of).collect();
        }
        let mut changed = Vec::new();
        // Two parameters a lease, of the 32,766 that SQLite takes.
        for chunk in leases.chunks(5_000) {
            let place = |row: usize| format!("({})", placeholders(row * 2 + first, 2));
            let places: Vec<String> = (0..chunk.len()).map(place).collect();
            let sql = format!(
                "UPDATE jobs SET {change} WHERE state = 'running' AND (id, lease_token) IN (VALUES {}) RETURNING id",
                places.join(", ")
            );
            let pairs = chunk.iter().flat_map(|(job, token)| [Value::from(job.uuid()), Value::from(*token)]);
            let rows = self.query_sql(&sql, value.clone().into_iter().chain(pairs)).await?;
            changed.extend(rows.iter().map(id_of).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(changed)
    }

    pub(super) async fn recover(&self, lost: Lost<'_>, limit: u32) -> Result<(u64, u64), StoreError> {
        let now = now(self.backend());
        let skip = match self.backend() {
            DbBackend::Postgres => "FOR UPDATE SKIP LOCKED",
            _ => "",
        };
        let alone = format!("begun AND lapses >= {ALONE}");
        let spent = format!("{alone} AND (attempts >= max_attempts OR lapses + 1 >= {MOST_LAPSES})");
        let lapsed = if lost.lapsed { format!("lease_until < {now}") } else { "false".to_owned() };
        let of_dead = match lost.of_dead.len() {
            0 => String::new(),
            names => format!("OR worker IN ({})", placeholders(4, names)),
        };
        // Whatever was lost for the first time is under suspicion; what is already, is more so only if it was begun.
        let sql = format!(
            "UPDATE jobs SET lapses = CASE WHEN begun OR lapses = 0 THEN lapses + 1 ELSE lapses END, \
                 attempts = CASE WHEN {alone} THEN attempts ELSE attempts - 1 END, \
                 lease_until = NULL, worker = NULL, error = CASE WHEN {spent} THEN $3 ELSE $2 END, run_at = {now}, \
                 state = CASE WHEN {spent} THEN 'dead' ELSE 'ready' END, \
                 finished_at = CASE WHEN {spent} THEN {now} ELSE NULL END \
             WHERE id IN (SELECT id FROM jobs WHERE state = 'running' AND ({lapsed} {of_dead}) \
                 ORDER BY lease_until LIMIT $1 {skip}) RETURNING state"
        );
        let fixed: [Value; 3] = [i64::from(limit).into(), LAPSED.into(), KILLS.into()];
        let values = fixed.into_iter().chain(lost.of_dead.iter().map(|name| Value::from(name.as_str())));
        let (mut ready, mut dead) = (0, 0);
        for row in self.query_sql(&sql, values).await? {
            let state: String = row.try_get_by_index(0).map_err(store_error)?;
            match state.as_str() {
                "ready" => ready += 1,
                "dead" => dead += 1,
                other => return Err(corrupt("jobs", "state", other)),
            }
        }
        Ok((ready, dead))
    }

    pub(super) async fn next_due(&self, lane: Lane, kinds: &[&str]) -> Result<Option<Duration>, StoreError> {
        let sql = format!(
            "SELECT min(run_at) - {} AS pause FROM jobs WHERE state = 'ready' AND lane = $1 AND kind IN ({})",
            now(self.backend()),
            placeholders(2, kinds.len())
        );
        let values =
            std::iter::once(Value::from(lane.name())).chain(kinds.iter().map(|kind| Value::from(*kind)));
        let rows = self.query_sql(&sql, values).await?;
        let pause: Option<i64> = match rows.first() {
            Some(row) => row.try_get("", "pause").map_err(store_error)?,
            None => None,
        };
        Ok(pause.map(|pause| Duration::from_micros(u64::try_from(pause).unwrap_or(0))))
    }

    /// Refuses what a worker without his lease wants to commit; settles the job, if its commit is to.
    pub(crate) async fn check_fence(&self, fence: &JobFence) -> Result<(), StoreError> {
        let now = now(self.backend());
        let mut values: Vec<Value> = vec![fence.job.uuid().into(), fence.token.into()];
        let change = if fence.settles {
            values.push(fence.result.clone().into());
            format!(
                "state = 'succeeded', lease_until = NULL, worker = NULL, lapses = 0, error = NULL, result = $3, \
                 finished_at = {now}"
            )
        } else {
            // Writes the row, so that nobody can take the lease between this and the commit.
            "lease_until = lease_until".to_owned()
        };
        let sql =
            format!("UPDATE jobs SET {change} WHERE id = $1 AND lease_token = $2 AND state = 'running'");
        match self.execute_sql(&sql, values).await?.rows_affected() {
            0 => Err(StoreError::Conflict(Rule::LeaseLost)),
            _ => Ok(()),
        }
    }
}

/// The columns that a settlement writes, in the words of one statement for many rows or of one for a single row.
fn settled(
    own: &str,
    state: &str,
    refund: &str,
    pause: &str,
    error: &str,
    result: &str,
    now: &str,
) -> String {
    format!(
        "state = {state}, attempts = {own}attempts - {refund}, lease_until = NULL, worker = NULL, \
         lapses = CASE WHEN {refund} = 0 THEN 0 ELSE {own}lapses END, \
         run_at = CASE WHEN {state} = 'ready' THEN {now} + {pause} ELSE {own}run_at END, \
         error = CASE WHEN {state} = 'succeeded' THEN NULL ELSE COALESCE(NULLIF({error}, ''), {own}error) END, \
         result = {result}, finished_at = CASE WHEN {state} = 'ready' THEN NULL ELSE {now} END"
    )
}

/// The end of a job whose row was claimed and says nothing that a worker understands.
fn given_up(row: &QueryResult, error: &sea_orm::DbErr) -> Result<Settlement, StoreError> {
    let job: Uuid = row.try_get("", "id").map_err(store_error)?;
    let token = row.try_get("", "lease_token").map_err(store_error)?;
    tracing::error!(job.id = %job, error = %error, "the row of a job cannot be read");
    let outcome = Outcome::Dead { error: "its row in the ledger cannot be read".to_owned() };
    Ok(Settlement { job: Id::from_uuid(job), token, outcome })
}

fn id_of(row: &QueryResult) -> Result<JobId, StoreError> {
    row.try_get_by_index(0).map(Id::from_uuid).map_err(store_error)
}

fn claimed_of(row: &QueryResult, lane: Lane) -> Result<(i32, ClaimedJob), sea_orm::DbErr> {
    let organization: Option<Uuid> = row.try_get("", "organization_id")?;
    let created_by: Option<Uuid> = row.try_get("", "created_by")?;
    let (attempts, max_attempts): (i32, i32) =
        (row.try_get("", "attempts")?, row.try_get("", "max_attempts")?);
    let lapses: i32 = row.try_get("", "lapses")?;
    let job = ClaimedJob {
        id: Id::from_uuid(row.try_get("", "id")?),
        organization_id: organization.map(Id::from_uuid),
        kind: row.try_get("", "kind")?,
        payload: row.try_get("", "payload")?,
        lane,
        attempt: u32::try_from(attempts).unwrap_or(u32::MAX),
        max_attempts: u32::try_from(max_attempts).unwrap_or(0),
        lapses: u32::try_from(lapses).unwrap_or(0),
        token: row.try_get("", "lease_token")?,
        run_at: Instant::from_micros(row.try_get("", "run_at")?),
        started_at: Instant::from_micros(row.try_get("", "started_at")?),
        request_id: row.try_get("", "request_id")?,
        created_by: created_by.map(Id::from_uuid),
    };
    Ok((row.try_get("", "priority")?, job))
}
