//! Making the file of a run: what goes into it, and who is told.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{
    Period, Recipient, Report, ReportContent, ReportRun, Reports, RunFile, build,
    figures::{Obstacle, gather},
    run::file_name,
};
use crate::{
    access::{Actor, RequestContext, RunJobs},
    audit::Audit,
    error::Error,
    ids::{ModuleId, ReportRunId, UserId},
    jobs::Run,
    mail::{self, Content, NewMail, ReportReady},
    memberships::MemberRole,
};

const OWN_RECORD: Audit = Audit::none("a run is the record of its own making");

/// What there is to be done for a run.
#[derive(Debug)]
pub enum Preparation {
    /// Nothing: it has its file, or is gone.
    Done,
    /// Nothing that would help; the reason is for the report's owner.
    Impossible(String),
    /// To be rendered.
    Ready(Box<Prepared>),
}

/// A run whose content is known.
#[derive(Debug)]
pub struct Prepared {
    /// The run.
    pub run: ReportRun,
    /// Its report.
    pub report: Report,
    /// What the file is to say.
    pub content: ReportContent,
    /// The modules that it says something about.
    modules: Vec<ModuleId>,
}

impl Reports<'_> {
    /// Reads what the file of a run is to say: all that the report's owner may see of its scope at this moment.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn prepare(&self, run: &Run, id: ReportRunId) -> Result<Preparation, Error> {
        let worker = run.actor();
        let grant = worker.grant_platform::<RunJobs>()?;
        let reader = self.platform.read(&worker).await?;
        let Some((report_run, report)) = reader.find_report_of_run(&grant, id).await? else {
            return Ok(Preparation::Done);
        };
        if report_run.file.is_some() {
            return Ok(Preparation::Done);
        }
        let owner = match report.stamp.created_by {
            Some(owner) => {
                let standing = reader.find_standing_of(&grant, owner).await?;
                standing.map(|standing| Actor::from_standing(standing, RequestContext::default()))
            }
            // Made by a key of the organization, which is nobody's own.
            None => Some(Actor::of_organization(report.organization_id)),
        };
        let Some(owner) = owner else {
            return Ok(Preparation::Impossible("the account of the report's owner is not active".to_owned()));
        };
        let period = period_of(&report_run)?;
        match gather(self.platform, &owner, &report, &period).await {
            Ok((subject, modules)) => {
                let content = build(&subject);
                Ok(Preparation::Ready(Box::new(Prepared { run: report_run, report, content, modules })))
            }
            Err(Obstacle::Impossible(why)) => Ok(Preparation::Impossible(why)),
            Err(Obstacle::Error(error)) => Err(error),
        }
    }

    /// Keeps the file of a run, tells the recipients and settles the job: the last two in one transaction. Of two workers at
    /// once one does, and the file of the other is swept away, like one that is broken off: it is noted before it is written. What the
    /// job tells of it.
    ///
    /// # Errors
    /// `Conflict(LeaseLost)`; `Unavailable`.
    pub async fn finish(&self, run: &Run, prepared: &Prepared, bytes: &[u8]) -> Result<Value, Error> {
        let Prepared { run: report_run, report, content, modules } = prepared;
        let sha256: Vec<String> = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let file = RunFile {
            id: self.platform.mint::<RunFile>().uuid(),
            name: file_name(&report.name, &report_run.period, report_run.format),
            size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            sha256: sha256.concat(),
        };
        self.keep(run, file.id, bytes).await?;
        let result = json!({
            "report_id": report.id,
            "run_id": report_run.id,
            "file": { "name": file.name, "size": file.size, "sha256": file.sha256, "href": download(report_run) },
        });
        let actor = run.closing_actor(Some(result.clone()));
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut tx = self.platform.write(&actor).await?;
        if tx.finish_report_run(&grant, report_run.id, &file, modules, self.platform.now()).await? {
            let recipients = tx.find_recipients(&grant, report.organization_id, &report.recipients).await?;
            for recipient in recipients {
                let new = mail_of(report_run, report, content, recipient);
                mail::send(self.platform, tx.as_mut(), grant.author(), new).await?;
            }
        }
        self.platform.commit(tx, OWN_RECORD).await?;
        Ok(result)
    }

    async fn keep(&self, run: &Run, file: Uuid, bytes: &[u8]) -> Result<(), Error> {
        let actor = run.actor();
        let mut tx = self.platform.write(&actor).await?;
        tx.note_report_file(&actor.grant_platform::<RunJobs>()?, file).await?;
        self.platform.commit(tx, OWN_RECORD).await?;
        self.platform.ports().files.put(file, bytes).await.map_err(Error::busy)
    }

    /// Notes why a run can have no file.
    ///
    /// # Errors
    /// `Conflict(LeaseLost)`; `Unavailable`.
    pub async fn give_up(&self, run: &Run, id: ReportRunId, why: &str) -> Result<(), Error> {
        let actor = run.actor();
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut tx = self.platform.write(&actor).await?;
        tx.fail_report_run(&grant, id, why, self.platform.now()).await?;
        self.platform.commit(tx, OWN_RECORD).await
    }
}

fn period_of(run: &ReportRun) -> Result<Period, Error> {
    let unreadable = || Error::Internal(format!("the period of the run {} cannot be read", run.id).into());
    let zone = run.timezone.parse().map_err(|_| unreadable())?;
    Period::labelled(&run.period, &zone).map_err(|_| unreadable())
}

/// Where its file is fetched.
fn download(run: &ReportRun) -> String {
    format!("/api/v1/reports/{}/runs/{}/download", run.report_id, run.id)
}

fn mail_of(run: &ReportRun, report: &Report, content: &ReportContent, recipient: Recipient) -> NewMail {
    let dedupe_key = format!("report:{}:{}", run.id, recipient.user_id);
    let ready = ReportReady {
        organization: content.organization.clone(),
        report: report.name.clone(),
        period: run.period.clone(),
        path: download(run),
    };
    NewMail {
        organization_id: Some(report.organization_id),
        attachment: Some(run.id.uuid()),
        withheld: withheld(&recipient, report.stamp.created_by).map(str::to_owned),
        ..NewMail::new(recipient.email, dedupe_key, Content::ReportReady(ready))
    }
}

/// Why a recipient is told nothing after all: he could not fetch the file either.
fn withheld(recipient: &Recipient, owner: Option<UserId>) -> Option<&'static str> {
    match (recipient.is_active, recipient.is_superuser, recipient.role) {
        (false, ..) => Some("his account is not active"),
        (true, true, _) | (true, false, Some(MemberRole::Admin)) => None,
        (true, false, None) => Some("he is no longer a member of the organization"),
        (true, false, Some(MemberRole::Member)) if owner == Some(recipient.user_id) => None,
        (true, false, Some(MemberRole::Member)) => {
            Some("he is a regular member, who sees no reports but his own")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_are_told_who_may_fetch_the_file() {
        let id = |number| UserId::from_uuid(uuid::Uuid::from_u128(number));
        let told = |is_active, is_superuser, role, owner: u128| {
            let email = "ada@example.org".parse().expect("an address");
            let recipient = Recipient { user_id: id(1), email, is_active, is_superuser, role };
            withheld(&recipient, Some(id(owner))).is_none()
        };
        assert!(told(true, false, Some(MemberRole::Admin), 2));
        assert!(told(true, true, None, 2));
        assert!(told(true, false, Some(MemberRole::Member), 1), "his own");
        assert!(!told(true, false, Some(MemberRole::Member), 2), "somebody else's");
        assert!(!told(true, false, None, 1), "he has left");
        assert!(!told(false, true, Some(MemberRole::Admin), 1), "his account is closed");
    }
}
