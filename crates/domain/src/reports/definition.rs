//! Reports as somebody wants them: what of, how often, for whom.

use serde::{Serialize, Serializer};
use uuid::Uuid;
use validator::{Validate, ValidationError};

use super::{PeriodKind, ReportFormat};
use crate::{
    access::Located,
    audit::Audited,
    ids::{ModuleId, OrgId, ReportId, SiteId, UserId},
    page::Between,
    stamp::Stamp,
    text,
    time::Cron,
};

/// The most recipients of a report.
const MOST_RECIPIENTS: usize = 50;

/// What a report is about, and when and to whom it goes. Its content is what its maker may see at the time of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The report's id.
    pub id: ReportId,
    /// The owning organization.
    pub organization_id: OrgId,
    /// What it is called.
    pub name: String,
    /// What of the organization it is about.
    pub scope: Scope,
    /// How long a stretch of time each run is about.
    pub period: PeriodKind,
    /// The form of its files.
    pub format: ReportFormat,
    /// Whether CSV begins with the mark that makes Excel read it as UTF-8.
    pub csv_bom: bool,
    /// When it runs by itself: a cron expression on the clock of the scope's time zone.
    pub schedule: Option<String>,
    /// Who is told of each run, as far as he may see it.
    pub recipients: Vec<UserId>,
    /// Audit columns. Whoever made it is its owner.
    pub stamp: Stamp,
}

impl Report {
    /// The name of its schedule among all.
    pub(super) fn schedule_name(&self) -> String {
        format!("report:{}", self.id)
    }
}

impl Audited for Report {
    const RESOURCE: &'static str = "report";

    fn resource_id(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Located for Report {
    fn org(&self) -> Option<OrgId> {
        Some(self.organization_id)
    }
}

/// What of an organization a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All of it.
    Organization,
    /// One site.
    Site(SiteId),
    /// One module.
    Module(ModuleId),
}

impl Scope {
    /// The scope of a site or a module, of the organization without either; `None` for both at once.
    pub const fn of(site: Option<SiteId>, module: Option<ModuleId>) -> Option<Self> {
        match (site, module) {
            (None, None) => Some(Self::Organization),
            (Some(site), None) => Some(Self::Site(site)),
            (None, Some(module)) => Some(Self::Module(module)),
            (Some(_), Some(_)) => None,
        }
    }

    /// The site, if it is one.
    pub const fn site(self) -> Option<SiteId> {
        match self {
            Self::Site(site) => Some(site),
            Self::Organization | Self::Module(_) => None,
        }
    }

    /// The module, if it is one.
    pub const fn module(self) -> Option<ModuleId> {
        match self {
            Self::Module(module) => Some(module),
            Self::Organization | Self::Site(_) => None,
        }
    }
}

impl Serialize for PeriodKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Serialize for ReportFormat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What a new report is made from.
#[derive(Debug, Clone, Default, Validate)]
pub struct NewReport {
    /// What it is called.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub name: String,
    /// The site that it is about; the whole organization without a site and a module.
    pub site_id: Option<SiteId>,
    /// The module that it is about.
    pub module_id: Option<ModuleId>,
    /// The name of a [`PeriodKind`].
    #[validate(custom(function = period_rule))]
    pub period: String,
    /// The name of a [`ReportFormat`].
    #[validate(custom(function = format_rule))]
    pub format: String,
    /// Whether CSV begins with the mark for Excel.
    pub csv_bom: bool,
    /// When it runs by itself.
    #[validate(custom(function = schedule_rule))]
    pub schedule: Option<String>,
    /// Who is told of each run.
    #[validate(custom(function = recipients_rule))]
    pub recipients: Vec<UserId>,
}

/// Changes of a report. `None` stays; where a field can be empty, `Some(None)` empties it.
#[derive(Debug, Clone, Default, Validate)]
pub struct ReportChanges {
    /// What it is called.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub name: Option<String>,
    /// The site that it is about.
    pub site_id: Option<Option<SiteId>>,
    /// The module that it is about.
    pub module_id: Option<Option<ModuleId>>,
    /// The name of a [`PeriodKind`].
    #[validate(custom(function = period_rule))]
    pub period: Option<String>,
    /// The name of a [`ReportFormat`].
    #[validate(custom(function = format_rule))]
    pub format: Option<String>,
    /// Whether CSV begins with the mark for Excel.
    pub csv_bom: Option<bool>,
    /// When it runs by itself.
    #[validate(custom(function = schedule_rule))]
    pub schedule: Option<Option<String>>,
    /// Who is told of each run.
    #[validate(custom(function = recipients_rule))]
    pub recipients: Option<Vec<UserId>>,
}

/// Which stretch of time a run is to be about.
#[derive(Debug, Clone, Default, Validate)]
pub struct RunRequest {
    /// The label of a day, a week or a month; the last complete one of the report's kind if not given.
    pub period: Option<String>,
}

/// Conditions on reports.
#[derive(Debug, Clone, Default)]
pub struct ReportFilter {
    /// Of this organization.
    pub organization: Option<OrgId>,
    /// Exactly this name.
    pub name: Option<String>,
    /// Of this kind of period.
    pub period: Option<PeriodKind>,
    /// Made at these times.
    pub created_at: Between,
    /// Last changed at these times.
    pub updated_at: Between,
}

/// What reports can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportSort {
    /// When it was made.
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
    /// The name.
    Name,
}

fn fault(message: impl Into<std::borrow::Cow<'static, str>>) -> ValidationError {
    ValidationError::new("rule").with_message(message.into())
}

fn period_rule(name: &str) -> Result<(), ValidationError> {
    PeriodKind::from_name(name).map(|_| ()).ok_or_else(|| fault("must be one of: day, week, month"))
}

fn format_rule(name: &str) -> Result<(), ValidationError> {
    ReportFormat::from_name(name).map(|_| ()).ok_or_else(|| fault("must be one of: csv, xlsx, html, pdf"))
}

/// A report that runs every minute would fill the disk and nobody would read it.
fn schedule_rule(text: &str) -> Result<(), ValidationError> {
    let cron: Cron = text.parse().map_err(|error| fault(format!("is {error}")))?;
    let text = cron.to_string();
    let minute = text.split(' ').next().unwrap_or_default();
    if minute.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(fault("must name one minute, like 30 6 * * *: a report runs at most once an hour"))
}

fn recipients_rule(recipients: &[UserId]) -> Result<(), ValidationError> {
    let mut distinct = recipients.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() == recipients.len() && recipients.len() <= MOST_RECIPIENTS {
        return Ok(());
    }
    Err(fault("must be at most 50 user ids, each once"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_names_one_minute() {
        for good in ["30 6 * * *", "0 * * * *", "0 0 1 * *"] {
            assert!(schedule_rule(good).is_ok(), "{good}");
        }
        for bad in ["* * * * *", "*/5 * * * *", "0,30 * * * *", "0-3 * * * *", "often", "@daily", ""] {
            assert!(schedule_rule(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn recipients_are_few_and_each_is_named_once() {
        let ids = |numbers: std::ops::Range<u128>| -> Vec<UserId> {
            numbers.map(|number| UserId::from_uuid(Uuid::from_u128(number))).collect()
        };
        assert!(recipients_rule(&ids(0..50)).is_ok());
        assert!(recipients_rule(&ids(0..51)).is_err());
        assert!(recipients_rule(&[ids(0..2), ids(0..1)].concat()).is_err());
    }
}
