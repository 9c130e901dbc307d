//! Jobs: views, handlers.

use actix_web::web;
use serde::Serialize;
use sitewatch_domain::{
    Platform,
    ids::{JobId, OrgId, UserId},
    jobs::{JobFilter, JobRecord, JobSort, JobState, Lane},
    stamp::Revision,
    time::Instant,
};
use utoipa::{IntoParams, ToSchema};

use super::{bounds::CreatedAt, views::PageParameters};
use crate::{
    caller::Caller,
    envelope::{Addressed, Envelope, List, One},
    error::ApiError,
    query::Query,
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/api/v1/jobs").get(list),
        Address::at("/api/v1/jobs/{job_id}").get(get),
        Address::at("/api/v1/jobs/{job_id}/retry").post(retry),
        Address::at("/api/v1/jobs/{job_id}/cancel").post(cancel),
    ]
}

/// Work that is done later.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub(crate) struct JobView {
    /// The job's id.
    #[schema(value_type = uuid::Uuid)]
    id: JobId,
    /// The organization that it is done for; null for the installation's own.
    #[schema(value_type = Option<uuid::Uuid>)]
    organization_id: Option<OrgId>,
    /// What is done, with the version of its instructions.
    #[schema(example = "reports.build.v1")]
    kind: String,
    /// Where it waits: `default`, `telemetry`, `mail`, `reports` or `housekeeping`.
    #[schema(example = "reports")]
    lane: String,
    /// `ready`, `running`, `succeeded`, `dead` (given up) or `cancelled`.
    #[schema(value_type = String, example = "succeeded")]
    state: JobState,
    /// How often it was begun.
    attempts: u32,
    /// How often it is tried before it is given up.
    max_attempts: u32,
    /// When it may begin, or next try.
    #[schema(value_type = String, format = DateTime)]
    run_at: Instant,
    /// How far it is; null if it does not tell.
    progress: Option<ProgressView>,
    /// What came of it.
    #[schema(value_type = Option<Object>)]
    result: Option<serde_json::Value>,
    /// Why the last try failed.
    error: Option<String>,
    /// The request that caused it.
    request_id: Option<String>,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
    /// The user who caused it.
    #[schema(value_type = Option<uuid::Uuid>)]
    created_by: Option<UserId>,
    /// When the last try began.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Instant>,
    /// When it came to an end.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Instant>,
}

/// How far a job is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobProgress)]
pub(crate) struct ProgressView {
    /// Steps done.
    done: i64,
    /// Of how many.
    total: i64,
}

impl From<JobRecord> for JobView {
    fn from(job: JobRecord) -> Self {
        Self {
            id: job.id,
            organization_id: job.organization_id,
            kind: job.kind,
            lane: job.lane,
            state: job.state,
            attempts: job.attempts,
            max_attempts: job.max_attempts,
            run_at: job.run_at,
            progress: job.progress.map(|(done, total)| ProgressView { done, total }),
            result: job.result,
            error: job.error,
            request_id: job.request_id,
            created_at: job.created_at,
            created_by: job.created_by,
            started_at: job.started_at,
            finished_at: job.finished_at,
        }
    }
}

impl Addressed for JobView {
    fn path(&self) -> String {
        format!("/api/v1/jobs/{}", self.id)
    }

    fn revision(&self) -> Option<Revision> {
        None
    }
}

/// Filters of jobs.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters that `filter_of` reads")]
pub(crate) struct JobParameters {
    /// Of this organization.
    #[param(value_type = Option<uuid::Uuid>)]
    organization_id: Option<OrgId>,
    /// In this state.
    state: Option<String>,
    /// Of this kind.
    kind: Option<String>,
    /// In this lane.
    lane: Option<String>,
}

pub(crate) const SORT_KEYS: &[(&str, JobSort)] =
    &[("created_at", JobSort::CreatedAt), ("run_at", JobSort::RunAt), ("finished_at", JobSort::FinishedAt)];

fn filter_of(query: &mut Query) -> JobFilter {
    let one_of = |names: Vec<&str>| format!("must be one of: {}", names.join(", "));
    let states = one_of(JobState::ALL.iter().map(|state| state.name()).collect());
    let lanes = one_of(Lane::ALL.iter().map(|lane| lane.name()).collect());
    JobFilter {
        organization: query.id("organization_id"),
        state: query.chosen("state", &states, JobState::from_name),
        kind: query.text("kind"),
        lane: query.chosen("lane", &lanes, Lane::from_name),
        created_at: query.between(CreatedAt::NAMES),
    }
}

/// The jobs that you caused, and those of organizations that you administer; all for a superuser.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "jobs", operation_id = "listJobs",
    params(PageParameters, CreatedAt, JobParameters),
    responses((status = 200, description = "One page of jobs", body = Envelope<Vec<JobView>>)))]
pub(crate) async fn list(platform: web::Data<Platform>, caller: Caller) -> Result<List<JobView>, ApiError> {
    let mut query = caller.query();
    let filter = filter_of(&mut query);
    let listing = query.unsearched_listing(filter, SORT_KEYS);
    query.finish()?;
    Ok(List(platform.jobs().list(&caller, &listing).await?.map(JobView::from)))
}

/// A job.
#[utoipa::path(get, path = "/api/v1/jobs/{job_id}", tag = "jobs", operation_id = "getJob",
    params(("job_id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The job", body = Envelope<JobView>)))]
pub(crate) async fn get(platform: web::Data<Platform>, caller: Caller) -> Result<One<JobView>, ApiError> {
    let id = caller.id("job_id", "job")?;
    caller.no_query()?;
    Ok(One(platform.jobs().find(&caller, id).await?.into()))
}

/// Runs a dead or cancelled job again, with all its tries before it.
#[utoipa::path(post, path = "/api/v1/jobs/{job_id}/retry", tag = "jobs", operation_id = "retryJob",
    params(("job_id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The job, ready again", body = Envelope<JobView>)))]
pub(crate) async fn retry(platform: web::Data<Platform>, caller: Caller) -> Result<One<JobView>, ApiError> {
    let id = caller.id("job_id", "job")?;
    caller.no_query()?;
    Ok(One(platform.jobs().retry(&caller, id).await?.into()))
}

/// Takes a job back that has not come to an end; whoever works on it writes nothing any more.
#[utoipa::path(post, path = "/api/v1/jobs/{job_id}/cancel", tag = "jobs", operation_id = "cancelJob",
    params(("job_id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The cancelled job", body = Envelope<JobView>)))]
pub(crate) async fn cancel(platform: web::Data<Platform>, caller: Caller) -> Result<One<JobView>, ApiError> {
    let id = caller.id("job_id", "job")?;
    caller.no_query()?;
    Ok(One(platform.jobs().cancel(&caller, id).await?.into()))
}
