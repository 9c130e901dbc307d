//! Runs of reports: asking for them, looking at them, fetching their files.

use actix_web::{
    HttpResponse,
    http::header::{self, HeaderValue},
    web,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use sitewatch_domain::{
    FieldErrors, Platform,
    ids::{JobId, OrgId, ReportId, ReportRunId, UserId},
    limits::RequestClass,
    reports::{ReportFormat, ReportRun, RunRequest, RunSort, RunState},
    stamp::Revision,
    time::Instant,
};
use utoipa::ToSchema;

use super::{jobs::JobView, views::PageParameters};
use crate::{
    body::{Body, Field},
    caller::Caller,
    envelope::{Accepted, Addressed, Envelope, List, One},
    error::ApiError,
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/api/v1/reports/{report_id}/run").post(run).limited_as(RequestClass::Export),
        Address::at("/api/v1/reports/{report_id}/runs").get(list),
        Address::at("/api/v1/reports/{report_id}/runs/{run_id}").get(get),
        Address::at("/api/v1/reports/{report_id}/runs/{run_id}/download")
            .get(download)
            .limited_as(RequestClass::Export),
    ]
}

/// What stays as it is in a parameter's value (RFC 8187, `attr-char`).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// What a run is to be about. The body may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"period": "2014-03"}))]
pub(crate) struct RunReportBody {
    /// A month (`2014-03`), a week (`2014-W13`) or a day (`2014-03-30`); the last complete one of the report's kind if not
    /// given.
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{4}-([0-9]{2}(-[0-9]{2})?|W[0-9]{2})$", example = "2014-03")]
    period: Field<String>,
}

impl Body for RunReportBody {
    type Input = RunRequest;

    fn into_input(self, faults: &mut FieldErrors) -> RunRequest {
        RunRequest { period: self.period.optional("period", faults) }
    }
}

/// A run of a report.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportRun)]
pub(crate) struct RunView {
    /// The run's id.
    #[schema(value_type = uuid::Uuid)]
    id: ReportRunId,
    /// The report.
    #[schema(value_type = uuid::Uuid)]
    report_id: ReportId,
    /// The owning organization.
    #[schema(value_type = uuid::Uuid)]
    organization_id: OrgId,
    /// The label of its period.
    #[schema(example = "2014-03")]
    period: String,
    /// The period's first moment.
    #[schema(value_type = String, format = DateTime)]
    from: Instant,
    /// The first moment after it.
    #[schema(value_type = String, format = DateTime)]
    to: Instant,
    /// The time zone whose calendar the period belongs to.
    #[schema(example = "Europe/Paris")]
    timezone: String,
    /// The form of the file.
    #[schema(value_type = String, example = "pdf")]
    format: ReportFormat,
    /// `queued`, `running`, `succeeded` or `failed`.
    #[schema(value_type = String, example = "succeeded")]
    state: RunState,
    /// The file; null while there is none.
    file: Option<RunFileView>,
    /// Why there is none.
    error: Option<String>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
    /// The user who asked for it; the report's owner, where the schedule did.
    #[schema(value_type = Option<uuid::Uuid>)]
    created_by: Option<UserId>,
    /// When it came to an end.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Instant>,
    /// The job that makes it.
    #[schema(value_type = uuid::Uuid)]
    job_id: JobId,
}

/// The file of a run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportFile)]
pub(crate) struct RunFileView {
    /// The name to save it under.
    name: String,
    /// How many bytes.
    size: u64,
    /// Their SHA-256, in hexadecimal.
    sha256: String,
    /// Where to fetch it, with a token like everything else.
    href: String,
}

/// The bytes of a file.
#[derive(ToSchema)]
#[schema(as = FileBytes, value_type = String, format = Binary)]
#[expect(dead_code, reason = "documents the body of a download")]
pub(crate) struct FileBytes(Vec<u8>);

impl From<ReportRun> for RunView {
    fn from(run: ReportRun) -> Self {
        let href = format!("{}/download", path_of(run.report_id, run.id));
        let file =
            run.file.map(|file| RunFileView { name: file.name, size: file.size, sha256: file.sha256, href });
        Self {
            id: run.id,
            report_id: run.report_id,
            organization_id: run.organization_id,
            period: run.period,
            from: run.from,
            to: run.to,
            timezone: run.timezone,
            format: run.format,
            state: run.state,
            file,
            error: run.error,
            created_at: run.created_at,
            created_by: run.created_by,
            finished_at: run.finished_at,
            job_id: run.job_id,
        }
    }
}

fn path_of(report: ReportId, run: ReportRunId) -> String {
    format!("/api/v1/reports/{report}/runs/{run}")
}

impl Addressed for RunView {
    fn path(&self) -> String {
        path_of(self.report_id, self.id)
    }

    fn revision(&self) -> Option<Revision> {
        None
    }
}

pub(crate) const SORT_KEYS: &[(&str, RunSort)] =
    &[("created_at", RunSort::CreatedAt), ("from", RunSort::From)];

/// Runs a report; the answer is the job that makes the file.
#[utoipa::path(post, path = "/api/v1/reports/{report_id}/run", tag = "reports", operation_id = "runReport",
    params(("report_id" = uuid::Uuid, Path)), request_body(content = Option<RunReportBody>),
    responses((status = 202, description = "The job; `Location` is its address", body = Envelope<JobView>)))]
pub(crate) async fn run(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Accepted<JobView>, ApiError> {
    let id = caller.id("report_id", "report")?;
    caller.no_query()?;
    let body = caller.body().await?.optional::<RunReportBody>();
    Ok(Accepted(platform.reports().run(&caller, id, body).await?.into()))
}

/// The runs of a report.
#[utoipa::path(get, path = "/api/v1/reports/{report_id}/runs", tag = "reports", operation_id = "listReportRuns",
    params(("report_id" = uuid::Uuid, Path), PageParameters),
    responses((status = 200, description = "One page of runs", body = Envelope<Vec<RunView>>)))]
pub(crate) async fn list(platform: web::Data<Platform>, caller: Caller) -> Result<List<RunView>, ApiError> {
    let report = caller.id("report_id", "report")?;
    let mut query = caller.query();
    let listing = query.unsearched_listing((), SORT_KEYS);
    query.finish()?;
    Ok(List(platform.reports().list_runs(&caller, report, &listing).await?.map(RunView::from)))
}

/// A run of a report.
#[utoipa::path(get, path = "/api/v1/reports/{report_id}/runs/{run_id}", tag = "reports",
    operation_id = "getReportRun",
    params(("report_id" = uuid::Uuid, Path), ("run_id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The run", body = Envelope<RunView>)))]
pub(crate) async fn get(platform: web::Data<Platform>, caller: Caller) -> Result<One<RunView>, ApiError> {
    let (report, run) = (caller.id("report_id", "report")?, caller.id("run_id", "report run")?);
    caller.no_query()?;
    Ok(One(platform.reports().find_run(&caller, report, run).await?.into()))
}

/// The file of a run. It is asked anew each time whether you may see everything in it.
#[utoipa::path(get, path = "/api/v1/reports/{report_id}/runs/{run_id}/download", tag = "reports",
    operation_id = "downloadReport",
    params(("report_id" = uuid::Uuid, Path), ("run_id" = uuid::Uuid, Path)),
    responses(
        (status = 200, description = "The file",
            content((FileBytes = "application/pdf"), (FileBytes = "text/csv"), (FileBytes = "text/html"),
                (FileBytes = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
        (status = 409, description = "There is no file, or not yet"),
        (status = 410, description = "The file has been removed"),
    ))]
pub(crate) async fn download(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<HttpResponse, ApiError> {
    let (report, run) = (caller.id("report_id", "report")?, caller.id("run_id", "report run")?);
    caller.no_query()?;
    let file = platform.reports().download(&caller, report, run).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, HeaderValue::from_static(file.format.media_type())))
        .insert_header((header::CONTENT_DISPOSITION, disposition(&file.name)?))
        // A page of ours runs nothing and loads nothing; nor may it, if a browser shows it after all.
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox"),
        ))
        .body(file.bytes))
}

/// To be saved under this name (RFC 6266): once in ASCII for old clients, once as it is.
fn disposition(name: &str) -> Result<HeaderValue, ApiError> {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%');
    let ascii: String = name.chars().map(|c| if is_plain(c) || c == ' ' { c } else { '_' }).collect();
    let exact = utf8_percent_encode(name, PLAIN);
    HeaderValue::from_str(&format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{exact}"))
        .map_err(|error| ApiError::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_parameter() {
        let header = disposition("Отчёт \"; x=\r\n%41.pdf").map_err(|_| ()).expect("a header");
        assert_eq!(
            header.to_str().expect("ASCII"),
            "attachment; filename=\"_____ _; x=___41.pdf\"; \
             filename*=UTF-8''%D0%9E%D1%82%D1%87%D1%91%D1%82%20%22%3B%20x%3D%0D%0A%2541.pdf"
        );
    }
}
