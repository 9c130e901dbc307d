//! Runs: asking for them, looking at them, fetching their files.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    BuildReport, Download, Period, Report, ReportRun, Reports, RunRequest, RunSort, RunState, StartReport,
    service::zone_of,
};
use crate::{
    access::{
        Actor, Author, ManageModules, OrgGrant, PlatformGrant, ReadJobs, ReadReadings, ReadReports,
        RequestContext, RunJobs, WriteReports,
    },
    audit::Audit,
    error::{Error, Rule},
    ids::{OrgId, ReportId, ReportRunId},
    input::{Input, checked},
    jobs::{self, JobRecord, NewJob, Priority, Run, When},
    page::{Inactive, Listing, Page},
    ports::{Reader, Tx},
    text::EmailAddress,
    time::Instant,
};

/// The largest file that goes along with a mail.
const LARGEST_ATTACHMENT: u64 = 5 * 1024 * 1024;

/// So many runs that somebody asked for may wait in an organization.
pub const MOST_WAITING_OF_USER: u64 = 20;
/// So many may wait in an organization, whoever asked for them.
pub const MOST_WAITING: u64 = 200;
/// So many of a user are made in turn with those of others; the rest of his wait behind theirs.
const IN_TURN: u64 = 3;
/// When somebody who asked for too many may ask again.
const PAUSE: Duration = Duration::from_mins(1);

/// What goes along with the mail that tells a recipient of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enclosure {
    /// The file.
    File(Download),
    /// Nothing: it is too large, or gone.
    None,
    /// He is not to be told at all; the text says why.
    Withheld(&'static str),
}

/// Why a run of a schedule has no job.
const OWNER_LEFT: &str = "the report's owner is no member of the organization any more";

/// What a job tells of the run that it started.
fn told(report: ReportId, run: ReportRunId) -> Value {
    json!({ "report_id": report, "run_id": run })
}

impl Reports<'_> {
    /// Asks for a run of a report; the job that makes it, which is that of a run over the same time if one waits already. Whoever
    /// sees the report.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Invalid` for what is no day, week or month, or one that has not begun; `Limited` while
    /// [`MOST_WAITING_OF_USER`] or [`MOST_WAITING`] runs wait.
    pub async fn run(
        &self,
        actor: &Actor,
        id: ReportId,
        input: impl Input<RunRequest>,
    ) -> Result<JobRecord, Error> {
        let actor = &actor.looking_for::<WriteReports>()?;
        let report = self.find(actor, id, Inactive::Hidden).await?;
        let grant = actor.grant_at::<WriteReports>(&report)?;
        let asked = checked(input)?;
        let now = self.platform.now();
        let mut tx = self.platform.write(actor).await?;
        let zone = zone_of(tx.as_mut(), &grant, report.scope).await?;
        let period = match asked.period {
            None => Period::last_finished(report.period, now, &zone),
            Some(label) => Period::labelled(&label, &zone)
                .map_err(|error| Error::invalid("period", format!("is {error}")))?,
        };
        if period.range().from >= now || period.range().from < Instant::YEAR_2000 {
            return Err(Error::invalid("period", "must have begun, and not before the year 2000"));
        }
        let run = self.planned(&report, &period, grant.author(), now);
        let waiting = tx.waiting_runs(&grant, &run).await?;
        if let Some((_, job)) = waiting.same
            && let Some(job) = tx.find_job(&actor.grant::<ReadJobs>()?, job).await?
        {
            return Ok(job);
        }
        if waiting.of_user >= MOST_WAITING_OF_USER || waiting.of_all >= MOST_WAITING {
            return Err(Error::Limited { retry_after: PAUSE });
        }
        let priority = if waiting.of_user < IN_TURN { Priority::Normal } else { Priority::Low };
        self.write_run(tx.as_mut(), &grant, grant.author(), priority, &run).await?;
        let job = tx.find_job(&actor.grant::<ReadJobs>()?, run.job_id).await?;
        let job = job.ok_or(Error::NotFound { what: "job" })?;
        self.platform.commit(tx, Audit::created(&grant, &run)).await?;
        Ok(job)
    }

    /// Asks for the run of a report whose time has come, over the last period that was complete then, and settles the job that
    /// did so, in one transaction. Nothing for a report that is archived, or beside a run over the same time that waits already; where
    /// the owner has left, a run that says so, and no job for it. The run.
    ///
    /// # Errors
    /// `Conflict(LeaseLost)`; `Unavailable`.
    pub async fn start(&self, run: &Run, job: &StartReport) -> Result<Option<Value>, Error> {
        let id = self.platform.mint();
        let result = told(job.report, id);
        let actor = run.closing_actor(Some(result.clone()));
        let worker = actor.grant_platform::<RunJobs>()?;
        let reader = self.platform.read(&actor).await?;
        let found = reader.find_report_to_start(&worker, job.report).await?;
        let Some(report) = found else { return Ok(None) };
        let has_owner = has_its_owner(&reader, &worker, &report).await?;
        let grant = actor.grant_in::<WriteReports>(report.organization_id)?;
        let mut tx = self.platform.write(&actor).await?;
        let zone = zone_of(tx.as_mut(), &grant, report.scope).await?;
        let period = Period::last_finished(report.period, job.slot.unwrap_or(run.job().run_at), &zone);
        let owner = Author { user: report.stamp.created_by, ..grant.author().clone() };
        let planned = ReportRun { id, ..self.planned(&report, &period, &owner, self.platform.now()) };
        if let Some((same, _)) = tx.waiting_runs(&grant, &planned).await?.same {
            return Ok(Some(told(job.report, same)));
        }
        if has_owner {
            self.write_run(tx.as_mut(), &grant, &owner, Priority::Normal, &planned).await?;
        } else {
            // Seen by admins among the report's runs. No job is written for it: it would fail each time.
            tx.insert_report_run(&grant, &ReportRun { job_id: run.job().id, ..planned.clone() }).await?;
            tx.fail_report_run(&worker, planned.id, OWNER_LEFT, self.platform.now()).await?;
        }
        self.platform.commit(tx, Audit::created(&grant, &planned)).await?;
        Ok(Some(result))
    }

    fn planned(&self, report: &Report, period: &Period, author: &Author, now: Instant) -> ReportRun {
        ReportRun {
            id: self.platform.mint(),
            report_id: report.id,
            organization_id: report.organization_id,
            period: period.label(),
            from: period.range().from,
            to: period.range().to,
            timezone: period.zone().to_string(),
            format: report.format,
            state: RunState::Queued,
            file: None,
            error: None,
            created_at: now,
            created_by: author.user,
            finished_at: None,
            job_id: self.platform.mint(),
        }
    }

    async fn write_run(
        &self,
        tx: &mut dyn Tx,
        grant: &OrgGrant<WriteReports>,
        author: &Author,
        priority: Priority,
        run: &ReportRun,
    ) -> Result<(), Error> {
        tx.insert_report_run(grant, run).await?;
        let job = BuildReport { run: run.id, organization_id: Some(run.organization_id) };
        let job =
            NewJob { id: run.job_id, priority, ..jobs::planned(self.platform, author, &job, When::Now)? };
        tx.insert_jobs(&[job]).await?;
        Ok(())
    }

    /// A run of a report that the actor may see.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn find_run(
        &self,
        actor: &Actor,
        report: ReportId,
        id: ReportRunId,
    ) -> Result<ReportRun, Error> {
        // Whether it is the report or the run that he cannot see is not told.
        let hidden = || Error::NotFound { what: "report run" };
        match self.find(actor, report, Inactive::Hidden).await {
            Err(Error::NotFound { .. }) => return Err(hidden()),
            found => found?,
        };
        let grant = actor.grant::<ReadReports>()?;
        let found = self.platform.read(actor).await?.find_report_run(&grant, report, id).await?;
        found.ok_or_else(hidden)
    }

    /// One page of the runs of a report that the actor may see.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn list_runs(
        &self,
        actor: &Actor,
        report: ReportId,
        listing: &Listing<(), RunSort>,
    ) -> Result<Page<ReportRun>, Error> {
        self.find(actor, report, Inactive::Hidden).await?;
        let grant = actor.grant::<ReadReports>()?;
        Ok(self.platform.read(actor).await?.list_report_runs(&grant, report, listing).await?)
    }

    /// The file of a run. Whoever sees the report, and may still see everything that is in the file.
    ///
    /// # Errors
    /// `NotFound`; `Conflict(ReportNotMade)` while there is none; `Forbidden` for a member who has lost a module that is in it;
    /// `Gone` if the file has been removed; `Unavailable`.
    pub async fn download(
        &self,
        actor: &Actor,
        report: ReportId,
        id: ReportRunId,
    ) -> Result<Download, Error> {
        let run = self.find_run(actor, report, id).await?;
        self.check_that_he_sees_it(actor, id, run.organization_id).await?;
        let file = run.file.ok_or(Error::Conflict(Rule::ReportNotMade))?;
        let bytes = self.platform.ports().files.get(file.id).await.map_err(Error::busy)?;
        let bytes = bytes.ok_or(Error::Gone { what: "report file" })?;
        Ok(Download { name: file.name, format: run.format, bytes })
    }

    /// What a file holds was to be seen by the report's owner when it was made. Admins see all of the organization, archived
    /// modules too; of everybody else it is asked again.
    async fn check_that_he_sees_it(&self, actor: &Actor, run: ReportRunId, org: OrgId) -> Result<(), Error> {
        let actor = &actor.looking_for::<ReadReports>()?;
        if actor.grant_within_with_archived::<ReadReadings, ManageModules>(org).is_ok() {
            return Ok(());
        }
        let reader = self.platform.read(actor).await?;
        let modules = reader.modules_of_report_run(&actor.grant::<ReadReports>()?, run).await?;
        let visible =
            reader.count_visible_modules(&actor.grant_within::<ReadReadings>(org)?, &modules).await?;
        if visible == modules.len() {
            Ok(())
        } else {
            Err(Error::Forbidden(crate::access::PermissionKind::ReadReadings))
        }
    }

    /// What goes along with the mail that tells a recipient of a run. Asked when it is sent, which may be long after it was written.
    ///
    /// # Errors
    /// `Forbidden` for everybody but the system and superusers; `Unavailable`.
    pub async fn enclosure(
        &self,
        actor: &Actor,
        id: ReportRunId,
        to: &EmailAddress,
    ) -> Result<Enclosure, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        let reader = self.platform.read(actor).await?;
        let Some((_, report)) = reader.find_report_of_run(&grant, id).await? else {
            return Ok(Enclosure::None);
        };
        let recipients = reader.find_recipients(&grant, report.organization_id, &report.recipients).await?;
        let Some(recipient) = recipients.into_iter().find(|recipient| recipient.email == *to) else {
            return Ok(Enclosure::Withheld("he is no recipient of the report any more"));
        };
        let Some(standing) = reader.find_standing_of(&grant, recipient.user_id).await? else {
            return Ok(Enclosure::Withheld("his account is not active"));
        };
        let recipient = Actor::from_standing(standing, RequestContext::default());
        match self.small_file(&recipient, report.id, id).await {
            Ok(Some(file)) => Ok(Enclosure::File(file)),
            Ok(None) | Err(Error::Gone { .. } | Error::Conflict(_)) => Ok(Enclosure::None),
            Err(Error::NotFound { .. } | Error::Forbidden(_)) => {
                Ok(Enclosure::Withheld("he may not fetch the file any more"))
            }
            Err(error) => Err(error),
        }
    }

    /// The file of a run if it is small enough to go along with a mail.
    async fn small_file(
        &self,
        recipient: &Actor,
        report: ReportId,
        id: ReportRunId,
    ) -> Result<Option<Download>, Error> {
        let run = self.find_run(recipient, report, id).await?;
        if run.file.is_some_and(|file| file.size >= LARGEST_ATTACHMENT) {
            return self.check_that_he_sees_it(recipient, id, run.organization_id).await.map(|()| None);
        }
        self.download(recipient, report, id).await.map(Some)
    }
}

/// Whether whoever owns the report can still see anything of its organization. What an organization's key made is the
/// organization's own.
async fn has_its_owner(
    reader: &Reader,
    worker: &PlatformGrant<RunJobs>,
    report: &Report,
) -> Result<bool, Error> {
    let Some(owner) = report.stamp.created_by else { return Ok(true) };
    let standing = reader.find_standing_of(worker, owner).await?;
    Ok(standing.is_some_and(|standing| {
        let owner = Actor::from_standing(standing, RequestContext::default());
        owner.grant_within::<ReadReports>(report.organization_id).is_ok()
    }))
}
