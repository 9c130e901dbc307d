use super::{
    NewReport, PeriodKind, Report, ReportChanges, ReportFilter, ReportFormat, ReportSort, Scope, StartReport,
};
use crate::{
    access::{Actor, Grant, OrgGrant, ReadMembers, ReadModules, ReadReports, ReadSites, WriteReports},
    audit::{Action, Audit},
    error::{Error, FieldErrors, Rule},
    ids::{OrgId, ReportId, UserId},
    input::{Input, checked},
    page::{Inactive, Listing, Page},
    platform::Platform,
    ports::Tx,
    schedules::{self, Schedule},
    stamp::{Precondition, Stamp},
    time::Zone,
};

/// Use cases of reports: what there is to be made, and (in `runs`, `making` and `keeping`) what was made.
pub struct Reports<'a> {
    pub(super) platform: &'a Platform,
}

impl<'a> Reports<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// Makes a report, which is then its maker's own. Members of the organization and superusers.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for a superuser naming no active organization; `Invalid`, also for a site or module that the
    /// actor cannot see, and for recipients who are no members.
    pub async fn create(
        &self,
        actor: &Actor,
        org: OrgId,
        input: impl Input<NewReport>,
    ) -> Result<Report, Error> {
        let actor = &actor.looking_for::<WriteReports>()?;
        let grant = actor.grant_in::<WriteReports>(org)?;
        self.platform.organizations().find(actor, org, Inactive::Hidden).await?;
        let new = checked(input)?;
        let report = Report {
            id: self.platform.mint(),
            organization_id: org,
            name: new.name,
            scope: Scope::of(new.site_id, new.module_id).ok_or_else(two_scopes)?,
            period: PeriodKind::from_name(&new.period).ok_or_else(|| unread("period"))?,
            format: ReportFormat::from_name(&new.format).ok_or_else(|| unread("format"))?,
            csv_bom: new.csv_bom,
            schedule: new.schedule,
            recipients: new.recipients,
            stamp: Stamp::new(grant.author(), self.platform.now()),
        };
        self.check_references(actor, &report, true, &report.recipients).await?;
        let mut tx = self.platform.write(actor).await?;
        tx.insert_report(&grant, &report).await?;
        write_schedule(tx.as_mut(), &grant, &report).await?;
        self.platform.commit(tx, Audit::created(&grant, &report)).await?;
        Ok(report)
    }

    /// A report that the actor may see: his own, those of organizations that he administers, all for a superuser.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` if an archived one is asked for by somebody who administers nothing.
    pub async fn find(&self, actor: &Actor, id: ReportId, inactive: Inactive) -> Result<Report, Error> {
        let grant = Self::grant_to_read(actor, inactive)?;
        let found = self.platform.read(actor).await?.find_report(&grant, id).await?;
        found.ok_or(Error::NotFound { what: "report" })
    }

    /// One page of the reports that the actor may see.
    ///
    /// # Errors
    /// `Forbidden` without standing in the organization that the filter names, or if archived ones are asked for by
    /// somebody who administers nothing; `NotFound` for a superuser naming no active organization.
    pub async fn list(
        &self,
        actor: &Actor,
        listing: &Listing<ReportFilter, ReportSort>,
    ) -> Result<Page<Report>, Error> {
        let grant = match (listing.filter.organization, listing.inactive) {
            (None, inactive) => Self::grant_to_read(actor, inactive)?,
            (Some(org), Inactive::Hidden) => actor.grant_within(org)?,
            (Some(org), Inactive::Included) => {
                actor.grant_within_with_archived::<ReadReports, WriteReports>(org)?
            }
        };
        if let Some(org) = listing.filter.organization {
            let actor = actor.looking_for::<ReadReports>()?;
            self.platform.organizations().find(&actor, org, listing.inactive).await?;
        }
        Ok(self.platform.read(actor).await?.list_reports(&grant, listing).await?)
    }

    /// Changes a report. Whoever sees it.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Invalid` as for making; `Stale`.
    pub async fn update(
        &self,
        actor: &Actor,
        id: ReportId,
        input: impl Input<ReportChanges>,
        seen: Precondition,
    ) -> Result<Report, Error> {
        let actor = &actor.looking_for::<WriteReports>()?;
        let before = self.find(actor, id, Inactive::Hidden).await?;
        let grant = actor.grant_at::<WriteReports>(&before)?;
        let changes = checked(input)?;
        let new_recipients = changes.recipients.clone().unwrap_or_default();
        let stamp = before.stamp.touched(grant.author(), self.platform.now());
        let after = Report { stamp, ..changed(&before, changes)? };
        self.check_references(actor, &after, after.scope != before.scope, &new_recipients).await?;
        seen.check(&before.stamp)?;
        self.write(actor, &grant, &before, after, &seen, Action::Updated).await
    }

    /// Archives a report, which ends its schedule. Whoever sees it.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Stale`.
    pub async fn archive(&self, actor: &Actor, id: ReportId, seen: Precondition) -> Result<Report, Error> {
        let actor = &actor.looking_for::<WriteReports>()?;
        let before = self.find(actor, id, Inactive::Hidden).await?;
        let grant = actor.grant_at::<WriteReports>(&before)?;
        seen.check(&before.stamp)?;
        let stamp = before.stamp.archived(grant.author(), self.platform.now());
        let after = Report { stamp, ..before.clone() };
        self.write(actor, &grant, &before, after, &seen, Action::Archived).await
    }

    /// Restores a report, which begins its schedule anew. The organization's admins and superusers.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Stale`; `Conflict` if it is not archived, or its organization is.
    pub async fn restore(&self, actor: &Actor, id: ReportId, seen: Precondition) -> Result<Report, Error> {
        let actor = &actor.looking_for::<WriteReports>()?;
        let before = match self.find(actor, id, Inactive::Included).await {
            // Somebody who administers nothing sees active ones only.
            Err(Error::Forbidden(_)) => self.find(actor, id, Inactive::Hidden).await,
            other => other,
        }?;
        let grant = actor.grant_at::<WriteReports>(&before)?;
        if before.stamp.is_active {
            return Err(Error::Conflict(Rule::NotArchived));
        }
        seen.check(&before.stamp)?;
        let stamp = before.stamp.restored(grant.author(), self.platform.now());
        let after = Report { stamp, ..before.clone() };
        self.write(actor, &grant, &before, after, &seen, Action::Restored).await
    }

    async fn write(
        &self,
        actor: &Actor,
        grant: &OrgGrant<WriteReports>,
        before: &Report,
        after: Report,
        seen: &Precondition,
        action: Action,
    ) -> Result<Report, Error> {
        let mut tx = self.platform.write(actor).await?;
        if !tx.update_report(grant, &after, before.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        write_schedule(tx.as_mut(), grant, &after).await?;
        self.platform.commit(tx, Audit::done(grant, action, before, &after)).await?;
        Ok(after)
    }

    fn grant_to_read(actor: &Actor, inactive: Inactive) -> Result<Grant<ReadReports>, Error> {
        match inactive {
            Inactive::Hidden => actor.grant::<ReadReports>(),
            Inactive::Included => actor.grant_with_archived::<ReadReports, WriteReports>(),
        }
    }

    /// Refuses a site or module that the actor cannot see, and recipients who are no members.
    async fn check_references(
        &self,
        actor: &Actor,
        report: &Report,
        is_new_scope: bool,
        recipients: &[UserId],
    ) -> Result<(), Error> {
        let org = report.organization_id;
        let mut faults = FieldErrors::new();
        if is_new_scope {
            self.check_scope(actor, org, report.scope, &mut faults).await?;
        }
        let reader = self.platform.read(actor).await?;
        let members = actor.grant_within::<ReadMembers>(org)?;
        for (index, user) in recipients.iter().enumerate() {
            if reader.find_member(&members, org, *user).await?.is_none() {
                faults.add(format!("recipients[{index}]"), "is not a member of the organization");
            }
        }
        faults.into_result()
    }

    async fn check_scope(
        &self,
        actor: &Actor,
        org: OrgId,
        scope: Scope,
        faults: &mut FieldErrors,
    ) -> Result<(), Error> {
        let reader = self.platform.read(actor).await?;
        match scope {
            Scope::Organization => {}
            Scope::Site(id) => {
                if reader.find_site(&actor.grant_within::<ReadSites>(org)?, id).await?.is_none() {
                    faults.add("site_id", "is not a site of the organization that you can see");
                }
            }
            Scope::Module(id) => {
                if reader.find_module(&actor.grant_within::<ReadModules>(org)?, id).await?.is_none() {
                    faults.add("module_id", "is not a module of the organization that you can see");
                }
            }
        }
        Ok(())
    }
}

/// Writes the schedule of a report as it is now, into the transaction of its change.
async fn write_schedule(
    tx: &mut dyn Tx,
    grant: &OrgGrant<WriteReports>,
    report: &Report,
) -> Result<(), Error> {
    let name = report.schedule_name();
    let Some(text) = report.schedule.as_deref().filter(|_| report.stamp.is_active) else {
        tx.delete_schedule(grant, &name).await?;
        return Ok(());
    };
    let cron = text.parse().map_err(|_| unread("schedule"))?;
    let zone = zone_of(tx, grant, report.scope).await?;
    let schedule = Schedule::of(name, cron, zone, &StartReport { report: report.id, slot: None })?;
    schedules::put(tx, grant, &schedule).await
}

/// Brings the schedules of reports into the calendar of a place whose time zone has changed, in the transaction of that change.
pub(crate) async fn rezone(
    tx: &mut dyn Tx,
    grant: &OrgGrant<WriteReports>,
    place: Scope,
) -> Result<(), Error> {
    for report in tx.list_scheduled_reports(grant, place).await? {
        write_schedule(tx, grant, &report).await?;
    }
    Ok(())
}

/// The time zone whose calendar a report keeps: that of its site, or of its organization.
pub(super) async fn zone_of(
    tx: &mut dyn Tx,
    grant: &OrgGrant<WriteReports>,
    scope: Scope,
) -> Result<Zone, Error> {
    let name = tx.report_zone(grant, scope).await?;
    name.and_then(|name| name.parse().ok())
        .ok_or_else(|| Error::Internal("a report is about a place without a time zone".into()))
}

fn changed(before: &Report, changes: ReportChanges) -> Result<Report, Error> {
    let site = changes.site_id.unwrap_or(before.scope.site());
    let module = changes.module_id.unwrap_or(before.scope.module());
    let period = match changes.period {
        Some(name) => PeriodKind::from_name(&name).ok_or_else(|| unread("period"))?,
        None => before.period,
    };
    let format = match changes.format {
        Some(name) => ReportFormat::from_name(&name).ok_or_else(|| unread("format"))?,
        None => before.format,
    };
    let before = before.clone();
    Ok(Report {
        name: changes.name.unwrap_or(before.name),
        scope: Scope::of(site, module).ok_or_else(two_scopes)?,
        period,
        format,
        csv_bom: changes.csv_bom.unwrap_or(before.csv_bom),
        schedule: changes.schedule.unwrap_or(before.schedule),
        recipients: changes.recipients.unwrap_or(before.recipients),
        ..before
    })
}

fn two_scopes() -> Error {
    Error::invalid("module_id", "must not be given beside site_id: a report is about a site or a module")
}

/// The rules have seen the field before.
fn unread(field: &'static str) -> Error {
    Error::invalid(field, "cannot be read")
}
