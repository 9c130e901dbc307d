//! Reports: bodies, views, handlers. Their runs are in `report_runs`.

use actix_web::web;
use serde::{Deserialize, Serialize};
use sitewatch_domain::{
    FieldErrors, Platform,
    ids::{ModuleId, OrgId, ReportId, SiteId, UserId},
    reports::{NewReport, PeriodKind, Report, ReportChanges, ReportFilter, ReportFormat, ReportSort},
    stamp::Revision,
};
use utoipa::{IntoParams, ToSchema};

use super::{
    bounds::{CreatedAt, UpdatedAt},
    views::{IfMatch, InactiveParameter, ListParameters, StampView},
};
use crate::{
    body::{Body, Field},
    caller::Caller,
    envelope::{Addressed, Created, Envelope, List, One},
    error::ApiError,
    query::Query,
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/api/v1/reports").get(list).post(create),
        Address::at("/api/v1/reports/{report_id}").get(get).put(update).patch(patch).delete(archive),
        Address::at("/api/v1/reports/{report_id}/restore").post(restore),
    ]
}

/// A report as it is made.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"organization_id": "0198a4c2-0000-7000-8000-000000000001", "name": "Monthly production",
    "period": "month", "format": "pdf", "schedule": "30 6 1 * *"}))]
pub(crate) struct CreateReportBody {
    /// The owning organization.
    #[schema(value_type = uuid::Uuid, required = true)]
    organization_id: Field<OrgId>,
    /// What it is called.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 200)]
    name: Field<String>,
    /// The site that it is about; the whole organization without a site and a module.
    #[schema(value_type = Option<uuid::Uuid>)]
    site_id: Field<SiteId>,
    /// The module that it is about.
    #[schema(value_type = Option<uuid::Uuid>)]
    module_id: Field<ModuleId>,
    /// How long a stretch of time each run is about: `day`, `week` or `month`.
    #[schema(value_type = String, required = true, example = "month")]
    period: Field<String>,
    /// The form of its files: `csv`, `xlsx`, `html` or `pdf`.
    #[schema(value_type = String, required = true, example = "pdf")]
    format: Field<String>,
    /// Whether CSV begins with the mark that makes Excel read it as UTF-8.
    #[schema(value_type = Option<bool>)]
    csv_bom: Field<bool>,
    /// When it runs by itself: a cron expression of five fields that names one minute, on the clock of the site's or the
    /// organization's time zone.
    #[schema(value_type = Option<String>, example = "30 6 1 * *")]
    schedule: Field<String>,
    /// The members who are told of each run by mail; at most 50.
    #[schema(value_type = Option<Vec<uuid::Uuid>>)]
    recipients: Field<Vec<UserId>>,
}

impl Body for CreateReportBody {
    type Input = NewReport;

    fn into_input(self, faults: &mut FieldErrors) -> NewReport {
        NewReport {
            name: self.name.required("name", faults),
            site_id: self.site_id.optional("site_id", faults),
            module_id: self.module_id.optional("module_id", faults),
            period: self.period.required("period", faults),
            format: self.format.required("format", faults),
            csv_bom: self.csv_bom.optional("csv_bom", faults).unwrap_or_default(),
            schedule: self.schedule.optional("schedule", faults),
            recipients: self.recipients.optional("recipients", faults).unwrap_or_default(),
        }
    }
}

/// Changes of a report. Absent fields stay; null empties.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"format": "xlsx", "schedule": null}))]
pub(crate) struct UpdateReportBody {
    /// What it is called.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: Field<String>,
    /// The site that it is about.
    #[schema(value_type = Option<uuid::Uuid>)]
    site_id: Field<SiteId>,
    /// The module that it is about.
    #[schema(value_type = Option<uuid::Uuid>)]
    module_id: Field<ModuleId>,
    /// How long a stretch of time each run is about: `day`, `week` or `month`.
    #[schema(value_type = String)]
    period: Field<String>,
    /// The form of its files: `csv`, `xlsx`, `html` or `pdf`.
    #[schema(value_type = String)]
    format: Field<String>,
    /// Whether CSV begins with the mark for Excel.
    #[schema(value_type = bool)]
    csv_bom: Field<bool>,
    /// When it runs by itself.
    #[schema(value_type = Option<String>)]
    schedule: Field<String>,
    /// The members who are told of each run.
    #[schema(value_type = Vec<uuid::Uuid>)]
    recipients: Field<Vec<UserId>>,
}

impl Body for UpdateReportBody {
    type Input = ReportChanges;

    const READ_ONLY: &'static [&'static str] = &["organization_id"];

    fn into_input(self, faults: &mut FieldErrors) -> ReportChanges {
        ReportChanges {
            name: self.name.change("name", faults),
            site_id: self.site_id.clearable("site_id", faults),
            module_id: self.module_id.clearable("module_id", faults),
            period: self.period.change("period", faults),
            format: self.format.change("format", faults),
            csv_bom: self.csv_bom.change("csv_bom", faults),
            schedule: self.schedule.clearable("schedule", faults),
            recipients: self.recipients.change("recipients", faults),
        }
    }
}

/// A report. It tells what the user who made it may see when it runs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Report)]
pub(crate) struct ReportView {
    /// The report's id.
    #[schema(value_type = uuid::Uuid)]
    id: ReportId,
    /// The owning organization.
    #[schema(value_type = uuid::Uuid)]
    organization_id: OrgId,
    /// What it is called.
    name: String,
    /// The site that it is about; null for others.
    #[schema(value_type = Option<uuid::Uuid>)]
    site_id: Option<SiteId>,
    /// The module that it is about; null for others.
    #[schema(value_type = Option<uuid::Uuid>)]
    module_id: Option<ModuleId>,
    /// How long a stretch of time each run is about.
    #[schema(value_type = String, example = "month")]
    period: PeriodKind,
    /// The form of its files.
    #[schema(value_type = String, example = "pdf")]
    format: ReportFormat,
    /// Whether CSV begins with the mark for Excel.
    csv_bom: bool,
    /// When it runs by itself; null if it does not.
    schedule: Option<String>,
    /// The members who are told of each run.
    #[schema(value_type = Vec<uuid::Uuid>)]
    recipients: Vec<UserId>,
    #[serde(flatten)]
    stamp: StampView,
    #[serde(skip)]
    revision: Revision,
}

impl From<Report> for ReportView {
    fn from(report: Report) -> Self {
        Self {
            id: report.id,
            organization_id: report.organization_id,
            name: report.name,
            site_id: report.scope.site(),
            module_id: report.scope.module(),
            period: report.period,
            format: report.format,
            csv_bom: report.csv_bom,
            schedule: report.schedule,
            recipients: report.recipients,
            stamp: StampView::from(&report.stamp),
            revision: report.stamp.revision,
        }
    }
}

impl Addressed for ReportView {
    fn path(&self) -> String {
        format!("/api/v1/reports/{}", self.id)
    }

    fn revision(&self) -> Option<Revision> {
        Some(self.revision)
    }
}

/// Filters of reports.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters that `filter_of` reads")]
pub(crate) struct ReportParameters {
    /// Of this organization.
    #[param(value_type = Option<uuid::Uuid>)]
    organization_id: Option<OrgId>,
    /// Exactly this name.
    name: Option<String>,
    /// Of this kind of period: `day`, `week` or `month`.
    period: Option<String>,
}

pub(crate) const SORT_KEYS: &[(&str, ReportSort)] = &[
    ("created_at", ReportSort::CreatedAt),
    ("updated_at", ReportSort::UpdatedAt),
    ("name", ReportSort::Name),
];

fn filter_of(query: &mut Query) -> ReportFilter {
    ReportFilter {
        organization: query.id("organization_id"),
        name: query.text("name"),
        period: query.chosen("period", "must be one of: day, week, month", PeriodKind::from_name),
        created_at: query.between(CreatedAt::NAMES),
        updated_at: query.between(UpdatedAt::NAMES),
    }
}

/// Your own reports, and those of organizations that you administer; all for a superuser.
#[utoipa::path(get, path = "/api/v1/reports", tag = "reports", operation_id = "listReports",
    params(ListParameters, CreatedAt, UpdatedAt, ReportParameters),
    responses((status = 200, description = "One page of reports", body = Envelope<Vec<ReportView>>)))]
pub(crate) async fn list(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<List<ReportView>, ApiError> {
    let mut query = caller.query();
    let filter = filter_of(&mut query);
    let listing = query.listing(filter, SORT_KEYS);
    query.finish()?;
    Ok(List(platform.reports().list(&caller, &listing).await?.map(ReportView::from)))
}

/// Makes a report, which is then your own.
#[utoipa::path(post, path = "/api/v1/reports", tag = "reports", operation_id = "createReport",
    request_body = CreateReportBody,
    responses((status = 201, description = "The new report", body = Envelope<ReportView>)))]
pub(crate) async fn create(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Created<ReportView>, ApiError> {
    caller.no_query()?;
    let mut body = caller.body().await?.parse::<CreateReportBody>()?;
    let organization = body.owner(|body| std::mem::take(&mut body.organization_id))?;
    Ok(Created(platform.reports().create(&caller, organization, body).await?.into()))
}

/// A report.
#[utoipa::path(get, path = "/api/v1/reports/{report_id}", tag = "reports", operation_id = "getReport",
    params(("report_id" = uuid::Uuid, Path), InactiveParameter),
    responses((status = 200, description = "The report", body = Envelope<ReportView>)))]
pub(crate) async fn get(platform: web::Data<Platform>, caller: Caller) -> Result<One<ReportView>, ApiError> {
    let id = caller.id("report_id", "report")?;
    let inactive = caller.inactive()?;
    Ok(One(platform.reports().find(&caller, id, inactive).await?.into()))
}

/// Changes a report; fields that are not given stay.
#[utoipa::path(put, path = "/api/v1/reports/{report_id}", tag = "reports", operation_id = "updateReport",
    params(("report_id" = uuid::Uuid, Path), IfMatch), request_body = UpdateReportBody,
    responses((status = 200, description = "The changed report", body = Envelope<ReportView>)))]
pub(crate) async fn update(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ReportView>, ApiError> {
    let id = caller.id("report_id", "report")?;
    caller.no_query()?;
    let body = caller.body().await?.json::<UpdateReportBody>();
    Ok(One(platform.reports().update(&caller, id, body, caller.if_match()).await?.into()))
}

/// Changes a report (RFC 7396); does the same as `PUT`.
#[utoipa::path(patch, path = "/api/v1/reports/{report_id}", tag = "reports", operation_id = "patchReport",
    params(("report_id" = uuid::Uuid, Path), IfMatch),
    request_body(content = UpdateReportBody, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The changed report", body = Envelope<ReportView>)))]
pub(crate) async fn patch(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ReportView>, ApiError> {
    update(platform, caller).await
}

/// Archives a report, which ends its schedule.
#[utoipa::path(delete, path = "/api/v1/reports/{report_id}", tag = "reports", operation_id = "archiveReport",
    params(("report_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The archived report", body = Envelope<ReportView>)))]
pub(crate) async fn archive(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ReportView>, ApiError> {
    let id = caller.id("report_id", "report")?;
    caller.no_query()?;
    Ok(One(platform.reports().archive(&caller, id, caller.if_match()).await?.into()))
}

/// Restores a report, which begins its schedule anew; for admins.
#[utoipa::path(post, path = "/api/v1/reports/{report_id}/restore", tag = "reports", operation_id = "restoreReport",
    params(("report_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The restored report", body = Envelope<ReportView>)))]
pub(crate) async fn restore(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<ReportView>, ApiError> {
    let id = caller.id("report_id", "report")?;
    caller.no_query()?;
    Ok(One(platform.reports().restore(&caller, id, caller.if_match()).await?.into()))
}
