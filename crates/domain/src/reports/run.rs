//! Runs of reports, and the jobs that make them.

use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use super::ReportFormat;
use crate::{
    access::Located,
    audit::Audited,
    ids::{JobId, OrgId, ReportId, ReportRunId, UserId},
    jobs::{Job, Lane, Once, Priority},
    time::Instant,
};

/// A report over one stretch of time, and the file that came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportRun {
    /// The run's id.
    pub id: ReportRunId,
    /// The report.
    pub report_id: ReportId,
    /// The owning organization.
    pub organization_id: OrgId,
    /// The label of its period: `2014-03`.
    pub period: String,
    /// The period's first moment.
    pub from: Instant,
    /// The first moment after it.
    pub to: Instant,
    /// The time zone whose calendar the period belongs to.
    pub timezone: String,
    /// The form of the file.
    pub format: ReportFormat,
    /// Where it is in its life.
    pub state: RunState,
    /// The file, once there is one.
    pub file: Option<RunFile>,
    /// Why there is none.
    pub error: Option<String>,
    /// When it was asked for.
    pub created_at: Instant,
    /// Who asked for it; the report's owner, where the schedule did.
    pub created_by: Option<UserId>,
    /// When it came to an end.
    pub finished_at: Option<Instant>,
    /// The job that makes it.
    pub job_id: JobId,
}

impl Audited for ReportRun {
    const RESOURCE: &'static str = "report_run";

    fn resource_id(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Located for ReportRun {
    fn org(&self) -> Option<OrgId> {
        Some(self.organization_id)
    }
}

/// Where a run is in its life. It follows from its file and its job: nothing of it is stored twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Its job waits.
    Queued,
    /// Its job is being done.
    Running,
    /// There is a file.
    Succeeded,
    /// There is none, and nobody works on it.
    Failed,
}

impl RunState {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

impl Serialize for RunState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The file of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunFile {
    /// Its name in the file store. Each try has one of its own, so that two at once never write the same file.
    #[serde(skip)]
    pub id: Uuid,
    /// The name to save it under.
    pub name: String,
    /// How many bytes.
    pub size: u64,
    /// Their SHA-256, in hexadecimal.
    pub sha256: String,
}

/// What runs of a report can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunSort {
    /// When they were asked for.
    CreatedAt,
    /// Their period's first moment.
    From,
}

/// A file as it is handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// The name to save it under.
    pub name: String,
    /// Its form.
    pub format: ReportFormat,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Makes the file of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuildReport {
    /// The run.
    pub run: ReportRunId,
    /// The tenant, for the ledger.
    #[serde(skip)]
    pub organization_id: Option<OrgId>,
}

impl Job for BuildReport {
    const KIND: &'static str = "reports.build.v1";
    const LANE: Lane = Lane::Reports;
    const MAX_ATTEMPTS: u16 = 5;
    const TIMEOUT: Duration = Duration::from_mins(10);

    fn once(&self) -> Once {
        Once::Forever(format!("report_run:{}", self.run))
    }

    fn organization(&self) -> Option<OrgId> {
        self.organization_id
    }
}

/// Asks for the run of a report whose time has come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StartReport {
    /// The report.
    pub report: ReportId,
    /// The slot of its schedule that it is started for, which the schedule tells; the job's own time if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Instant>,
}

impl Job for StartReport {
    const KIND: &'static str = "reports.start.v1";
    const LANE: Lane = Lane::Reports;
    const PRIORITY: Priority = Priority::High;
}

/// The longest name of a file, in characters, without its period and ending.
const LONGEST_NAME: usize = 80;

/// The name to save a file under: letters and digits of any script, and few other signs, so that it is the same on every
/// system, leads into no other folder and hides no ending.
pub(super) fn file_name(report: &str, period: &str, format: ReportFormat) -> String {
    let legal =
        |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '(' | ')') { c } else { ' ' };
    let plain: String = report.chars().map(legal).collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    let name: String = words.join(" ").trim_matches(['.', ' ']).chars().take(LONGEST_NAME).collect();
    let name = name.trim_end_matches(['.', ' ']);
    let name = if name.is_empty() { "report" } else { name };
    format!("{name} {period}.{}", format.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_harmless_on_every_system() {
        let name = |report: &str| file_name(report, "2014-03", ReportFormat::Pdf);
        assert_eq!(name("Monthly production"), "Monthly production 2014-03.pdf");
        assert_eq!(name("../../etc/passwd"), "etc passwd 2014-03.pdf");
        assert_eq!(name("a\\b:c|d\"e<f>"), "a b c d e f 2014-03.pdf");
        assert_eq!(name("\u{202e}fdp.exe"), "fdp.exe 2014-03.pdf");
        assert_eq!(name("Отчёт за март"), "Отчёт за март 2014-03.pdf");
        assert_eq!(name("👩‍🚀😀"), "report 2014-03.pdf");
        assert_eq!(name(&"x".repeat(200)), format!("{} 2014-03.pdf", "x".repeat(80)));
    }
}
