use async_trait::async_trait;
use uuid::Uuid;

use super::{Report, ReportFilter, ReportRun, ReportSort, RunFile, RunSort, Scope};
use crate::{
    access::{Grant, OrgGrant, PlatformGrant, ReadReadings, ReadReports, RunJobs, Standing, WriteReports},
    ids::{JobId, MetricId, ModuleId, OrgId, ReportId, ReportRunId, UserId},
    memberships::MemberRole,
    metrics::MetricKind,
    page::{Listing, Page},
    ports::StoreError,
    stamp::Revision,
    text::EmailAddress,
    time::Instant,
};

/// A user whom a report names as its recipient, as he is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The user.
    pub user_id: UserId,
    /// His address.
    pub email: EmailAddress,
    /// Whether his account is active.
    pub is_active: bool,
    /// Whether he may see everything.
    pub is_superuser: bool,
    /// His role in the organization; `None` if he has left.
    pub role: Option<MemberRole>,
}

/// What a report tells of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricLabel {
    /// The metric.
    pub id: MetricId,
    /// The name to show.
    pub name: String,
    /// Gauge or counter.
    pub kind: MetricKind,
}

/// Runs of an organization that nobody works on yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingRuns {
    /// One of the same report over the same time in the same form, with its job: one's own rather than another's.
    pub same: Option<(ReportRunId, JobId)>,
    /// How many the same user asked for; those of the organization's keys count as of one user. What a schedule asked for does not count.
    pub of_user: u64,
    /// How many anybody asked for.
    pub of_all: u64,
}

/// Stores reports and their runs. One lies within a grant that reaches everywhere, its organization, or the member who made it.
#[async_trait]
pub trait ReportRepository {
    /// The report, if it exists, lies within the grant, and is active or in the grant's archive.
    async fn find_report(
        &self,
        grant: &Grant<ReadReports>,
        id: ReportId,
    ) -> Result<Option<Report>, StoreError>;

    /// One page of the reports within the grant. Searches the name.
    async fn list_reports(
        &self,
        grant: &Grant<ReadReports>,
        listing: &Listing<ReportFilter, ReportSort>,
    ) -> Result<Page<Report>, StoreError>;

    /// Adds a report to the grant's organization.
    ///
    /// # Errors
    /// `Conflict(Rule::ParentArchived)` if the organization is archived.
    async fn insert_report(
        &mut self,
        grant: &OrgGrant<WriteReports>,
        report: &Report,
    ) -> Result<(), StoreError>;

    /// Writes a report, its state included. False if its revision is no longer `seen`.
    ///
    /// # Errors
    /// As for inserting, if it is active.
    async fn update_report(
        &mut self,
        grant: &OrgGrant<WriteReports>,
        report: &Report,
        seen: Revision,
    ) -> Result<bool, StoreError>;

    /// The active reports with a schedule whose calendar is that of this place: of a site its own and those of its modules.
    async fn list_scheduled_reports(
        &self,
        grant: &OrgGrant<WriteReports>,
        place: Scope,
    ) -> Result<Vec<Report>, StoreError>;

    /// The IANA time zone of what a report of the grant's organization is about, be it archived.
    async fn report_zone(
        &self,
        grant: &OrgGrant<WriteReports>,
        scope: Scope,
    ) -> Result<Option<String>, StoreError>;

    /// Adds a run to a report of the grant's organization.
    async fn insert_report_run(
        &mut self,
        grant: &OrgGrant<WriteReports>,
        run: &ReportRun,
    ) -> Result<(), StoreError>;

    /// What waits beside a run that is to be added. Nobody else adds one to the organization until the transaction has ended.
    async fn waiting_runs(
        &mut self,
        grant: &OrgGrant<WriteReports>,
        run: &ReportRun,
    ) -> Result<WaitingRuns, StoreError>;

    /// A run of a report that was found with this grant.
    async fn find_report_run(
        &self,
        grant: &Grant<ReadReports>,
        report: ReportId,
        id: ReportRunId,
    ) -> Result<Option<ReportRun>, StoreError>;

    /// One page of the runs of a report that was found with this grant.
    async fn list_report_runs(
        &self,
        grant: &Grant<ReadReports>,
        report: ReportId,
        listing: &Listing<(), RunSort>,
    ) -> Result<Page<ReportRun>, StoreError>;

    /// The modules whose figures are in the file of a run that was found with this grant.
    async fn modules_of_report_run(
        &self,
        grant: &Grant<ReadReports>,
        id: ReportRunId,
    ) -> Result<Vec<ModuleId>, StoreError>;

    /// How many of these modules, each named once, lie within the grant.
    async fn count_visible_modules(
        &self,
        grant: &Grant<ReadReadings>,
        modules: &[ModuleId],
    ) -> Result<usize, StoreError>;

    /// The names and kinds of metrics of modules that were found with this grant, be they archived.
    async fn find_metric_labels(
        &self,
        grant: &Grant<ReadReadings>,
        ids: &[MetricId],
    ) -> Result<Vec<MetricLabel>, StoreError>;

    /// A run to be made with its report, be that archived by now.
    async fn find_report_of_run(
        &self,
        grant: &PlatformGrant<RunJobs>,
        id: ReportRunId,
    ) -> Result<Option<(ReportRun, Report)>, StoreError>;

    /// A report whose time has come; `None` if it is archived.
    async fn find_report_to_start(
        &self,
        grant: &PlatformGrant<RunJobs>,
        id: ReportId,
    ) -> Result<Option<Report>, StoreError>;

    /// The rights of a user in whose name a job works, as the database knows them at this moment. `None` if his account is
    /// archived or gone.
    async fn find_standing_of(
        &self,
        grant: &PlatformGrant<RunJobs>,
        user: UserId,
    ) -> Result<Option<Standing>, StoreError>;

    /// Those of these users that there are, with what they are in an organization, in no particular order.
    async fn find_recipients(
        &self,
        grant: &PlatformGrant<RunJobs>,
        org: OrgId,
        users: &[UserId],
    ) -> Result<Vec<Recipient>, StoreError>;

    /// Notes a file that is about to be written, and is a stray until a run has it.
    async fn note_report_file(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        file: Uuid,
    ) -> Result<(), StoreError>;

    /// Gives a run its file, which was noted not long ago, and notes the modules whose figures are in it. False if it has one already.
    ///
    /// # Errors
    /// `Unavailable` if the file was noted so long ago that it may have been swept away.
    async fn finish_report_run(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        id: ReportRunId,
        file: &RunFile,
        modules: &[ModuleId],
        at: Instant,
    ) -> Result<bool, StoreError>;

    /// Notes why a run has no file.
    async fn fail_report_run(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        id: ReportRunId,
        error: &str,
        at: Instant,
    ) -> Result<(), StoreError>;

    /// Forgets runs that were asked for before a moment; their files are strays from then on, as of long ago. How many, at most
    /// `limit`.
    async fn delete_report_runs(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        before: Instant,
        limit: u32,
    ) -> Result<u64, StoreError>;

    /// Files that no run has and that were noted before a moment, the oldest first, at most `limit`.
    async fn find_stray_files(
        &self,
        grant: &PlatformGrant<RunJobs>,
        before: Instant,
        limit: u32,
    ) -> Result<Vec<Uuid>, StoreError>;

    /// Notes strays that could not be removed as of now.
    async fn renote_stray_files(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        files: &[Uuid],
    ) -> Result<(), StoreError>;

    /// Forgets strays that have been removed.
    async fn forget_stray_files(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        files: &[Uuid],
    ) -> Result<(), StoreError>;
}
