//! Deleting readings of a stretch of time: asked for by an admin, done by a job.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Readings;
use crate::{
    access::{Actor, DeleteReadings as MayDelete, ReadReadings},
    audit::{Audit, Audited},
    error::{Error, FieldErrors},
    ids::{JobId, MetricId, ModuleId, OrgId},
    jobs::{Job, JobRecord, Lane, When, planned},
    rollups::enqueue_redo,
    time::{Instant, TimeRange},
};

/// Readings of one transaction.
const AT_ONCE: u32 = 10_000;

/// Which readings of a module are to be deleted.
#[derive(Debug, Clone, Default)]
pub struct DeletionRequest {
    /// Only those of this metric, by key.
    pub metric: Option<String>,
    /// From this moment on; must be given.
    pub from: Option<Instant>,
    /// Before this moment; must be given.
    pub to: Option<Instant>,
}

/// Deletes readings of a module, a part at a time, and has the figures redone that they were in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeleteReadings {
    /// The organization.
    pub organization_id: OrgId,
    /// The module.
    pub module_id: ModuleId,
    /// Only of this metric.
    pub metric_id: Option<MetricId>,
    /// From this moment on, in microseconds.
    pub from: i64,
    /// Before this moment, in microseconds.
    pub to: i64,
}

impl DeleteReadings {
    const fn range(&self) -> TimeRange {
        TimeRange { from: Instant::from_micros(self.from), to: Instant::from_micros(self.to) }
    }
}

impl Job for DeleteReadings {
    const KIND: &'static str = "readings.delete.v1";
    const LANE: Lane = Lane::Telemetry;
    const TIMEOUT: Duration = Duration::from_mins(30);

    fn organization(&self) -> Option<OrgId> {
        Some(self.organization_id)
    }
}

/// What the audit log keeps of a deletion.
#[derive(Serialize)]
struct Deletion<'a> {
    module_id: ModuleId,
    metric: Option<&'a str>,
    from: Instant,
    to: Instant,
    job_id: JobId,
}

impl Audited for Deletion<'_> {
    const RESOURCE: &'static str = "readings";

    fn resource_id(&self) -> Uuid {
        self.module_id.uuid()
    }
}

impl Readings<'_> {
    /// Has readings of a module deleted. The organization's admins and superusers.
    ///
    /// # Errors
    /// `NotFound` if the actor cannot see the module; `Forbidden`; `Invalid` for an unknown metric, or a range that is empty or
    /// lacks an end.
    pub async fn delete(
        &self,
        actor: &Actor,
        module: ModuleId,
        request: &DeletionRequest,
    ) -> Result<JobRecord, Error> {
        let actor = &actor.looking_for::<MayDelete>()?;
        let visible = actor.grant::<ReadReadings>()?;
        let target = self.platform.read(actor).await?.find_query_targets(&visible, &[module]).await?.pop();
        let target = target.ok_or(Error::NotFound { what: "module" })?;
        let grant = actor.grant_at::<MayDelete>(&target)?;
        let metric_id = match &request.metric {
            None => None,
            Some(key) => {
                let found = target.metric(key).map(|(metric, _, _)| metric);
                Some(found.ok_or_else(|| Error::invalid("metric", "is not a metric of the module's type"))?)
            }
        };
        let TimeRange { from, to } = range_of(request)?;
        let job = DeleteReadings {
            organization_id: grant.org(),
            module_id: module,
            metric_id,
            from: from.as_micros(),
            to: to.as_micros(),
        };
        let job = planned(self.platform, grant.author(), &job, When::Now)?;
        let deletion =
            Deletion { module_id: module, metric: request.metric.as_deref(), from, to, job_id: job.id };
        let mut tx = self.platform.write(actor).await?;
        tx.insert_jobs(std::slice::from_ref(&job)).await?;
        self.platform.commit(tx, Audit::deleted(&grant, &deletion)).await?;
        self.platform.jobs().find(actor, job.id).await
    }

    /// How many readings a deletion still has before it.
    ///
    /// # Errors
    /// `Forbidden`; `Unavailable`.
    pub async fn count_to_delete(&self, actor: &Actor, job: &DeleteReadings) -> Result<u64, Error> {
        let grant = actor.grant_in::<MayDelete>(job.organization_id)?;
        let reader = self.platform.read(actor).await?;
        Ok(reader.count_readings(&grant, job.module_id, job.metric_id, job.range()).await?)
    }

    /// Deletes a part, in one transaction with the marks for the figures that it was in. How many readings; none when all are gone.
    ///
    /// # Errors
    /// `Forbidden`; `Conflict(LeaseLost)`; `Unavailable`.
    pub async fn delete_some(&self, actor: &Actor, job: &DeleteReadings) -> Result<u64, Error> {
        let grant = actor.grant_in::<MayDelete>(job.organization_id)?;
        let mut tx = self.platform.write(actor).await?;
        let deleted = tx.delete_readings(&grant, job.module_id, job.metric_id, job.range(), AT_ONCE).await?;
        if deleted > 0 {
            enqueue_redo(self.platform, tx.as_mut(), actor.author(), vec![job.organization_id]).await?;
        }
        self.platform.commit(tx, Audit::none("whoever asked for the deletion is in the log")).await?;
        Ok(deleted)
    }
}

fn range_of(request: &DeletionRequest) -> Result<TimeRange, Error> {
    let mut faults = FieldErrors::new();
    for (field, is_given) in [("from", request.from.is_some()), ("to", request.to.is_some())] {
        if !is_given {
            faults.add(field, "must be given");
        }
    }
    faults.into_result()?;
    let range = TimeRange { from: request.from.unwrap_or_default(), to: request.to.unwrap_or_default() };
    if range.from < range.to { Ok(range) } else { Err(Error::invalid("to", "must be later than from")) }
}
