//! Reports and their runs; what their worker asks is in `work`, what becomes of files in `files`.

mod files;
mod work;

use async_trait::async_trait;
use sea_orm::{
    ActiveValue, ColumnTrait, ConnectionTrait, FromQueryResult, JoinType, PaginatorTrait as _, QueryFilter,
    QuerySelect, QueryTrait as _, RelationTrait as _, Select, Set,
};
use sitewatch_domain::{
    access::{Grant, OrgGrant, PlatformGrant, ReadReadings, ReadReports, RunJobs, Standing, WriteReports},
    ids::{Id, MetricId, ModuleId, OrgId, ReportId, ReportRunId, UserId},
    page::{Listing, Page},
    ports::StoreError,
    reports::{
        MetricLabel, PeriodKind, Recipient, Report, ReportFilter, ReportFormat, ReportRepository, ReportRun,
        ReportSort, RunFile, RunSort, RunState, Scope, WaitingRuns,
    },
    stamp::Revision,
    time::Instant,
};
use uuid::Uuid;

use crate::{
    entities::{
        job, module,
        report::{ActiveModel, Column, Entity, Model},
        report_run,
    },
    error::{corrupt, store_error},
    paging::{SortColumn, between, page, searched},
    scope,
    session::Session,
    stamp,
};

/// Ids in one statement.
const IDS: usize = 5_000;

/// A run with the state of its job.
struct RunRow {
    run: report_run::Model,
    job_state: Option<String>,
    job_error: Option<String>,
}

impl FromQueryResult for RunRow {
    fn from_query_result(row: &sea_orm::QueryResult, prefix: &str) -> Result<Self, sea_orm::DbErr> {
        Ok(Self {
            run: report_run::Model::from_query_result(row, prefix)?,
            job_state: row.try_get(prefix, "job_state")?,
            job_error: row.try_get(prefix, "job_error")?,
        })
    }
}

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> ReportRepository for Session<C> {
    async fn find_report(
        &self,
        grant: &Grant<ReadReports>,
        id: ReportId,
    ) -> Result<Option<Report>, StoreError> {
        let row = scope::reports(grant).filter(Column::Id.eq(id.uuid())).one(&self.connection).await;
        row.map_err(store_error)?.map(report_of).transpose()
    }

    async fn list_reports(
        &self,
        grant: &Grant<ReadReports>,
        listing: &Listing<ReportFilter, ReportSort>,
    ) -> Result<Page<Report>, StoreError> {
        let filter = &listing.filter;
        let rows = scope::reports(grant)
            .filter(between(Column::CreatedAt, filter.created_at))
            .filter(between(Column::UpdatedAt, filter.updated_at))
            .apply_if(filter.organization, |rows, org: OrgId| {
                rows.filter(Column::OrganizationId.eq(org.uuid()))
            })
            .apply_if(filter.name.as_ref(), |rows, name| rows.filter(Column::Name.eq(name)))
            .apply_if(filter.period, |rows, kind: PeriodKind| rows.filter(Column::Period.eq(kind.name())));
        let rows = searched(rows, listing.search.as_deref(), &[Column::Name]);
        let key = |key| match key {
            ReportSort::CreatedAt => SortColumn::Always(Column::CreatedAt),
            ReportSort::UpdatedAt => SortColumn::Nullable(Column::UpdatedAt),
            ReportSort::Name => SortColumn::Always(Column::Name),
        };
        let sort = super::sort_or(&listing.sort, key, Column::CreatedAt);
        let page: Page<Model> =
            page(&self.connection, rows, sort, Column::Id, (listing.page, listing.total)).await?;
        super::try_map(page, report_of)
    }

    async fn insert_report(
        &mut self,
        grant: &OrgGrant<WriteReports>,
        report: &Report,
    ) -> Result<(), StoreError> {
        self.require_active_organization(grant.org()).await?;
        let row = ActiveModel {
            id: Set(report.id.uuid()),
            organization_id: Set(grant.org().uuid()),
            ..columns(report)
        };
        self.insert(row.stamped(stamp::made(grant.author(), &report.stamp))).await
    }

    async fn update_report(
        &mut self,
        grant: &OrgGrant<WriteReports>,
        report: &Report,
        seen: Revision,
    ) -> Result<bool, StoreError> {
        if report.stamp.is_active {
            self.require_active_organization(grant.org()).await?;
        }
        let rows = scope::seen::<Entity>(
            (report.id.uuid(), Column::Id),
            Some((grant.org(), Column::OrganizationId)),
            (seen, Column::Revision),
        );
        let row = columns(report).stamped(stamp::changed(grant.author(), &report.stamp));
        Ok(self.update(rows.set(row)).await? == 1)
    }

    async fn list_scheduled_reports(
        &self,
        grant: &OrgGrant<WriteReports>,
        place: Scope,
    ) -> Result<Vec<Report>, StoreError> {
        let rows = scope::scheduled_reports(grant.org(), place).all(&self.connection).await;
        rows.map_err(store_error)?.into_iter().map(report_of).collect()
    }

    async fn report_zone(
        &self,
        grant: &OrgGrant<WriteReports>,
        scope: Scope,
    ) -> Result<Option<String>, StoreError> {
        let org = grant.org().uuid();
        let (sql, id) = match scope {
            Scope::Organization => ("SELECT timezone FROM organizations WHERE id = $1 AND id = $2", org),
            Scope::Site(id) => {
                ("SELECT timezone FROM sites WHERE organization_id = $1 AND id = $2", id.uuid())
            }
            Scope::Module(id) => (
                "SELECT s.timezone FROM modules m JOIN sites s ON s.id = m.site_id \
                 WHERE m.organization_id = $1 AND m.id = $2",
                id.uuid(),
            ),
        };
        let rows = self.query_sql(sql, [org.into(), id.into()]).await?;
        rows.first().map(|row| row.try_get("", "timezone").map_err(store_error)).transpose()
    }

    async fn insert_report_run(
        &mut self,
        grant: &OrgGrant<WriteReports>,
        run: &ReportRun,
    ) -> Result<(), StoreError> {
        let row = report_run::ActiveModel {
            id: Set(run.id.uuid()),
            report_id: Set(run.report_id.uuid()),
            organization_id: Set(grant.org().uuid()),
            period: Set(run.period.clone()),
            from_at: Set(run.from.as_micros()),
            to_at: Set(run.to.as_micros()),
            zone: Set(run.timezone.clone()),
            format: Set(run.format.name().to_owned()),
            created_at: Set(run.created_at.as_micros()),
            created_by: Set(run.created_by.map(UserId::uuid)),
            job_id: Set(run.job_id.uuid()),
            ..Default::default()
        };
        self.insert(row).await
    }

    async fn waiting_runs(
        &mut self,
        grant: &OrgGrant<WriteReports>,
        run: &ReportRun,
    ) -> Result<WaitingRuns, StoreError> {
        self.waiting(grant.org(), run).await
    }

    async fn find_report_run(
        &self,
        _grant: &Grant<ReadReports>,
        report: ReportId,
        id: ReportRunId,
    ) -> Result<Option<ReportRun>, StoreError> {
        let rows = scope::report_runs(report.uuid()).filter(report_run::Column::Id.eq(id.uuid()));
        self.run(rows).await
    }

    async fn list_report_runs(
        &self,
        _grant: &Grant<ReadReports>,
        report: ReportId,
        listing: &Listing<(), RunSort>,
    ) -> Result<Page<ReportRun>, StoreError> {
        let key = |key| match key {
            RunSort::CreatedAt => SortColumn::Always(report_run::Column::CreatedAt),
            RunSort::From => SortColumn::Always(report_run::Column::FromAt),
        };
        let sort = super::sort_or(&listing.sort, key, report_run::Column::CreatedAt);
        let rows = with_job(scope::report_runs(report.uuid()));
        let page: Page<RunRow> =
            page(&self.connection, rows, sort, report_run::Column::Id, (listing.page, listing.total)).await?;
        super::try_map(page, run_of)
    }

    async fn modules_of_report_run(
        &self,
        _grant: &Grant<ReadReports>,
        id: ReportRunId,
    ) -> Result<Vec<ModuleId>, StoreError> {
        let row = scope::report_run(id.uuid()).one(&self.connection).await.map_err(store_error)?;
        let Some(text) = row.and_then(|row| row.modules) else { return Ok(Vec::new()) };
        ids_of(&text).ok_or_else(|| corrupt("report_runs", "modules", id))
    }

    async fn count_visible_modules(
        &self,
        grant: &Grant<ReadReadings>,
        modules: &[ModuleId],
    ) -> Result<usize, StoreError> {
        let mut count = 0;
        for some in modules.chunks(IDS) {
            let ids = some.iter().map(|id| id.uuid());
            let rows = scope::modules(grant).filter(module::Column::Id.is_in(ids));
            count += rows.count(&self.connection).await.map_err(store_error)?;
        }
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    async fn find_metric_labels(
        &self,
        _grant: &Grant<ReadReadings>,
        ids: &[MetricId],
    ) -> Result<Vec<MetricLabel>, StoreError> {
        self.metric_labels(ids).await
    }

    async fn find_report_of_run(
        &self,
        _grant: &PlatformGrant<RunJobs>,
        id: ReportRunId,
    ) -> Result<Option<(ReportRun, Report)>, StoreError> {
        let Some(run) = self.run(scope::report_run(id.uuid())).await? else { return Ok(None) };
        let row = scope::report(run.report_id.uuid()).one(&self.connection).await.map_err(store_error)?;
        let report = crate::session::expected(row, "report of a run")?;
        Ok(Some((run, report_of(report)?)))
    }

    async fn find_report_to_start(
        &self,
        _grant: &PlatformGrant<RunJobs>,
        id: ReportId,
    ) -> Result<Option<Report>, StoreError> {
        let row = scope::report(id.uuid()).one(&self.connection).await.map_err(store_error)?;
        row.filter(|row| row.is_active).map(report_of).transpose()
    }

    async fn find_standing_of(
        &self,
        _grant: &PlatformGrant<RunJobs>,
        user: UserId,
    ) -> Result<Option<Standing>, StoreError> {
        super::standing::find_of(&self.connection, user).await
    }

    async fn find_recipients(
        &self,
        _grant: &PlatformGrant<RunJobs>,
        org: OrgId,
        users: &[UserId],
    ) -> Result<Vec<Recipient>, StoreError> {
        self.recipients(org, users).await
    }

    async fn note_report_file(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        file: Uuid,
    ) -> Result<(), StoreError> {
        self.note_file(file).await
    }

    async fn finish_report_run(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        id: ReportRunId,
        file: &RunFile,
        modules: &[ModuleId],
        at: Instant,
    ) -> Result<bool, StoreError> {
        self.finish_run(id, file, modules, at).await
    }

    async fn fail_report_run(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        id: ReportRunId,
        error: &str,
        at: Instant,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE report_runs SET error = $2, finished_at = $3 WHERE id = $1 AND file_id IS NULL";
        self.execute_sql(sql, [id.uuid().into(), error.into(), at.as_micros().into()]).await.map(drop)
    }

    async fn delete_report_runs(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        before: Instant,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.delete_runs(before, limit).await
    }

    async fn find_stray_files(
        &self,
        _grant: &PlatformGrant<RunJobs>,
        before: Instant,
        limit: u32,
    ) -> Result<Vec<Uuid>, StoreError> {
        self.stray_files(before, limit).await
    }

    async fn renote_stray_files(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        files: &[Uuid],
    ) -> Result<(), StoreError> {
        self.renote_files(files).await
    }

    async fn forget_stray_files(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        files: &[Uuid],
    ) -> Result<(), StoreError> {
        self.forget_files(files).await
    }
}

fn with_job(rows: Select<report_run::Entity>) -> Select<report_run::Entity> {
    rows.join(JoinType::LeftJoin, report_run::Relation::Job.def())
        .column_as(job::Column::State, "job_state")
        .column_as(job::Column::Error, "job_error")
}

/// The columns that a change writes.
fn columns(report: &Report) -> ActiveModel {
    ActiveModel {
        id: ActiveValue::NotSet,
        organization_id: ActiveValue::NotSet,
        name: Set(report.name.clone()),
        site_id: Set(report.scope.site().map(Id::uuid)),
        module_id: Set(report.scope.module().map(Id::uuid)),
        period: Set(report.period.name().to_owned()),
        format: Set(report.format.name().to_owned()),
        csv_bom: Set(report.csv_bom),
        schedule: Set(report.schedule.clone()),
        recipients: Set(ids_text(&report.recipients)),
        ..Default::default()
    }
}

fn report_of(row: Model) -> Result<Report, StoreError> {
    let stamp = row.stamp();
    let wrong = |column| corrupt("reports", column, row.id);
    let scope = Scope::of(row.site_id.map(Id::from_uuid), row.module_id.map(Id::from_uuid));
    Ok(Report {
        id: Id::from_uuid(row.id),
        organization_id: Id::from_uuid(row.organization_id),
        scope: scope.ok_or_else(|| wrong("module_id"))?,
        period: PeriodKind::from_name(&row.period).ok_or_else(|| wrong("period"))?,
        format: ReportFormat::from_name(&row.format).ok_or_else(|| wrong("format"))?,
        recipients: ids_of(&row.recipients).ok_or_else(|| wrong("recipients"))?,
        name: row.name,
        csv_bom: row.csv_bom,
        schedule: row.schedule,
        stamp,
    })
}

fn run_of(row: RunRow) -> Result<ReportRun, StoreError> {
    let RunRow { run, job_state, job_error } = row;
    let format = ReportFormat::from_name(&run.format);
    let state = match (run.file_id, job_state.as_deref()) {
        (Some(_), _) => RunState::Succeeded,
        (None, Some("ready")) => RunState::Queued,
        (None, Some("running")) => RunState::Running,
        (None, _) => RunState::Failed,
    };
    let file = match (run.file_id, run.file_name, run.file_size, run.file_sha256) {
        (Some(id), Some(name), Some(size), Some(sha256)) => {
            Some(RunFile { id, name, size: u64::try_from(size).unwrap_or(0), sha256 })
        }
        _ => None,
    };
    let error = if state == RunState::Failed { run.error.or(job_error) } else { None };
    Ok(ReportRun {
        id: Id::from_uuid(run.id),
        report_id: Id::from_uuid(run.report_id),
        organization_id: Id::from_uuid(run.organization_id),
        period: run.period,
        from: Instant::from_micros(run.from_at),
        to: Instant::from_micros(run.to_at),
        timezone: run.zone,
        format: format.ok_or_else(|| corrupt("report_runs", "format", run.id))?,
        state,
        file,
        error,
        created_at: Instant::from_micros(run.created_at),
        created_by: run.created_by.map(Id::from_uuid),
        finished_at: run.finished_at.map(Instant::from_micros),
        job_id: Id::from_uuid(run.job_id),
    })
}

/// Ids as a JSON array.
fn ids_text<T>(ids: &[Id<T>]) -> String {
    serde_json::json!(ids).to_string()
}

fn ids_of<T>(text: &str) -> Option<Vec<Id<T>>> {
    serde_json::from_str(text).ok()
}
