//! Readings in and out, and questions about telemetry.

use actix_web::web;
use serde::Serialize;
use sitewatch_domain::{
    Platform,
    ids::{ModuleId, RejectId, UserId},
    limits::RequestClass,
    readings::{BatchVerdict, DeletionRequest, HistoryRequest, Reading, RejectedReading, RejectedRow},
    time::Instant,
};
use utoipa::{IntoParams, ToSchema};

use super::{ingest_rows::BatchBody, jobs::JobView, views::SliceParameters};
use crate::{
    caller::Caller,
    envelope::{Accepted, Envelope, Plain, Stretch},
    error::ApiError,
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/api/v1/modules/{module_id}/readings")
            .get(list)
            .post(ingest_for)
            .limited_as(RequestClass::Ingest)
            .delete(delete),
        Address::at("/api/v1/modules/{module_id}/rejects").get(rejects),
        Address::at("/api/v1/ingest/readings").post(ingest).limited_as(RequestClass::Ingest),
    ]
}

/// A reading.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reading)]
pub(crate) struct ReadingView {
    /// The key of the metric.
    metric: String,
    /// When it was measured.
    #[schema(value_type = String, format = DateTime)]
    at: Instant,
    /// The value, in the metric's unit.
    value: f64,
}

impl From<Reading> for ReadingView {
    fn from(reading: Reading) -> Self {
        Self { metric: reading.metric, at: reading.at, value: reading.value }
    }
}

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchVerdict)]
pub(crate) struct BatchVerdictView {
    /// New readings.
    accepted: u64,
    /// Rows that were stored before, with the same value.
    duplicate: u64,
    /// Rows that were stored before with another value, which stays.
    conflict: u64,
    /// Rows that were not stored.
    rejected: usize,
    /// Why, for each of them.
    rejects: Vec<RejectView>,
}

/// A row that was not stored.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RejectedRow)]
pub(crate) struct RejectView {
    /// Its index in the batch, from 0.
    index: usize,
    /// The field at fault: `module`, `metric`, `at`, `value`, one that rows do not have, or `row` for the row as a whole.
    #[schema(example = "metric")]
    field: String,
    /// Why, as a word that programs can act on.
    #[schema(example = "unknown_metric")]
    reason: &'static str,
}

impl From<RejectedRow> for RejectView {
    fn from(row: RejectedRow) -> Self {
        Self { index: row.index, field: row.field.name().to_owned(), reason: row.reason }
    }
}

impl From<BatchVerdict> for BatchVerdictView {
    fn from(verdict: BatchVerdict) -> Self {
        count(&verdict);
        Self {
            accepted: verdict.accepted,
            duplicate: verdict.duplicate,
            conflict: verdict.conflict,
            rejected: verdict.rejects.len(),
            rejects: verdict.rejects.into_iter().map(Into::into).collect(),
        }
    }
}

fn count(verdict: &BatchVerdict) {
    let rejected = u64::try_from(verdict.rejects.len()).unwrap_or(u64::MAX);
    for (outcome, rows) in [
        ("accepted", verdict.accepted),
        ("duplicate", verdict.duplicate),
        ("conflict", verdict.conflict),
        ("rejected", rejected),
    ] {
        metrics::counter!("ingest_samples_total", "protocol" => "json", "outcome" => outcome).increment(rows);
    }
    if let Some(lag) = verdict.lag {
        metrics::histogram!("ingest_lag_seconds", "protocol" => "json").record(lag);
    }
}

/// A batch of readings of one module.
#[derive(ToSchema)]
#[schema(as = ReadingsBody, example = json!({"readings": [{"metric": "power", "at": "2026-03-29T12:00:00+02:00", "value": 137.28}]}))]
#[expect(dead_code, reason = "documents the body that `ingest_rows` decodes")]
pub(crate) struct ReadingsBody {
    /// 1 to 10,000 rows.
    #[schema(min_items = 1, max_items = 10000)]
    readings: Vec<ReadingRowBody>,
}

/// A row of a batch of one module.
#[derive(ToSchema)]
#[schema(as = ReadingRow)]
#[expect(dead_code, reason = "documents the rows that `ingest_rows` decodes")]
pub(crate) struct ReadingRowBody {
    /// The key of a metric of the module's type.
    #[schema(example = "power")]
    metric: String,
    /// When it was measured, from 2000 to five minutes ahead.
    #[schema(format = DateTime, example = "2026-03-29T12:00:00+02:00")]
    at: String,
    /// The value.
    #[schema(example = 137.28)]
    value: f64,
}

/// A batch of readings of many modules.
#[derive(ToSchema)]
#[schema(as = IngestBody, example = json!({"readings": [{"module": "R80711", "metric": "power", "at": "2026-03-29T12:10:00+02:00", "value": 141.5}]}))]
#[expect(dead_code, reason = "documents the body that `ingest_rows` decodes")]
pub(crate) struct IngestBody {
    /// Where modules are looked for; wherever you may send to, if not given.
    organization_id: Option<uuid::Uuid>,
    /// 1 to 10,000 rows.
    #[schema(min_items = 1, max_items = 10000)]
    readings: Vec<IngestRowBody>,
}

/// A row of a batch of many modules.
#[derive(ToSchema)]
#[schema(as = IngestRow)]
#[expect(dead_code, reason = "documents the rows that `ingest_rows` decodes")]
pub(crate) struct IngestRowBody {
    /// The module: its id, serial number or external id.
    #[schema(example = "R80711")]
    module: String,
    /// The key of a metric of the module's type.
    #[schema(example = "power")]
    metric: String,
    /// When it was measured, from 2000 to five minutes ahead.
    #[schema(format = DateTime, example = "2026-03-29T12:00:00+02:00")]
    at: String,
    /// The value.
    #[schema(example = 137.28)]
    value: f64,
}

/// Filters of a module's history.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters that `list` reads")]
pub(crate) struct HistoryParameters {
    /// Only this metric.
    metric: Option<String>,
    /// From this moment on.
    #[param(format = DateTime)]
    from: Option<String>,
    /// Before this moment.
    #[param(format = DateTime)]
    to: Option<String>,
}

/// The readings of a module, by time, then by metric.
#[utoipa::path(get, path = "/api/v1/modules/{module_id}/readings", tag = "readings", operation_id = "listReadings",
    params(("module_id" = uuid::Uuid, Path), HistoryParameters, SliceParameters),
    responses((status = 200, description = "A slice of them", body = Envelope<Vec<ReadingView>>)))]
pub(crate) async fn list(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Stretch<ReadingView>, ApiError> {
    let module: ModuleId = caller.id("module_id", "module")?;
    let mut query = caller.query();
    let request = HistoryRequest {
        metric: query.text("metric"),
        from: query.instant("from"),
        to: query.instant("to"),
        slice: query.slice(),
    };
    query.finish()?;
    Ok(Stretch(platform.readings().history(&caller, module, &request).await?.map(ReadingView::from)))
}

/// A row that was not stored.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RejectedReading)]
pub(crate) struct RejectedReadingView {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    id: RejectId,
    /// When it was received.
    #[schema(value_type = String, format = DateTime)]
    at: Instant,
    /// Which user sent it; null for devices.
    #[schema(value_type = Option<uuid::Uuid>)]
    sent_by: Option<UserId>,
    /// The field at fault, as in the answer to the batch.
    #[schema(example = "value")]
    field: String,
    /// Why, as a word that programs can act on.
    #[schema(example = "above_maximum")]
    reason: String,
    /// What could be read of it: `metric`, `at`, `value`.
    #[schema(value_type = Object)]
    row: serde_json::Value,
}

impl From<RejectedReading> for RejectedReadingView {
    fn from(rejected: RejectedReading) -> Self {
        let RejectedReading { id, organization_id: _, module_id: _, at, sent_by, field, reason, row } =
            rejected;
        Self { id, at, sent_by, field, reason, row }
    }
}

/// The readings of a module that were not stored, the newest first: the last thousand of the last 30 days.
#[utoipa::path(get, path = "/api/v1/modules/{module_id}/rejects", tag = "readings", operation_id = "listRejects",
    params(("module_id" = uuid::Uuid, Path), SliceParameters),
    responses((status = 200, description = "A slice of them", body = Envelope<Vec<RejectedReadingView>>)))]
pub(crate) async fn rejects(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Stretch<RejectedReadingView>, ApiError> {
    let module: ModuleId = caller.id("module_id", "module")?;
    let mut query = caller.query();
    let slice = query.slice();
    query.finish()?;
    Ok(Stretch(platform.readings().rejects(&caller, module, &slice).await?.map(Into::into)))
}

/// Stores a batch of readings of a module. Good rows are kept, each bad one is named; sending it again changes nothing.
#[utoipa::path(post, path = "/api/v1/modules/{module_id}/readings", tag = "readings", operation_id = "createReadings",
    params(("module_id" = uuid::Uuid, Path)), request_body = ReadingsBody,
    responses((status = 200, description = "What became of the rows", body = Envelope<BatchVerdictView>)))]
pub(crate) async fn ingest_for(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Plain<BatchVerdictView>, ApiError> {
    let module = caller.id("module_id", "module")?;
    caller.no_query()?;
    let batch = BatchBody::new(caller.batch().await?);
    Ok(Plain(platform.readings().ingest_for(&caller, module, batch).await?.into()))
}

/// Which readings are to be deleted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters that `delete` reads")]
pub(crate) struct DeletionParameters {
    /// Only of this metric.
    metric: Option<String>,
    /// From this moment on.
    #[param(format = DateTime)]
    from: String,
    /// Before this moment.
    #[param(format = DateTime)]
    to: String,
}

/// Has the readings of a stretch of time deleted, for good. A job does it, and redoes the figures that they were in.
#[utoipa::path(delete, path = "/api/v1/modules/{module_id}/readings", tag = "readings", operation_id = "deleteReadings",
    params(("module_id" = uuid::Uuid, Path), DeletionParameters),
    responses((status = 202, description = "The job that deletes them", body = Envelope<JobView>)))]
pub(crate) async fn delete(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Accepted<JobView>, ApiError> {
    let module = caller.id("module_id", "module")?;
    let mut query = caller.query();
    let request = DeletionRequest {
        metric: query.text("metric"),
        from: query.instant("from"),
        to: query.instant("to"),
    };
    query.finish()?;
    Ok(Accepted(platform.readings().delete(&caller, module, &request).await?.into()))
}

/// Stores a batch of readings of many modules. Good rows are kept, each bad one is named; sending it again changes nothing.
#[utoipa::path(post, path = "/api/v1/ingest/readings", tag = "readings", operation_id = "ingestReadings",
    request_body = IngestBody,
    responses((status = 200, description = "What became of the rows", body = Envelope<BatchVerdictView>)))]
pub(crate) async fn ingest(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Plain<BatchVerdictView>, ApiError> {
    caller.no_query()?;
    let batch = BatchBody::new(caller.batch().await?);
    Ok(Plain(platform.readings().ingest(&caller, batch).await?.into()))
}
