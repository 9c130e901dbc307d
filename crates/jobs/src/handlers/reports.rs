//! Making reports, and sending their files along with mails.

use async_trait::async_trait;
use serde_json::Value;
use sitewatch_domain::{
    Platform,
    access::Actor,
    error::BoxError,
    ids::ReportRunId,
    jobs::Run,
    reports::{BuildReport, Enclosure, Preparation, Prepared, StartReport},
    text::EmailAddress,
};
use uuid::Uuid;

use super::Tools;
use crate::{
    deliver::{Attachment, Attachments, Enclosed},
    registry::{Handler, JobFailure},
    render::{RenderOptions, render},
};

#[async_trait]
impl Handler for StartReport {
    async fn handle(self, tools: &Tools, run: &Run) -> Result<Option<Value>, JobFailure> {
        Ok(tools.platform.reports().start(run, &self).await?)
    }
}

#[async_trait]
impl Handler for BuildReport {
    async fn handle(self, tools: &Tools, run: &Run) -> Result<Option<Value>, JobFailure> {
        let reports = tools.platform.reports();
        let why = match reports.prepare(run, self.run).await? {
            Preparation::Done => return Ok(None),
            Preparation::Impossible(why) => why,
            Preparation::Ready(prepared) => match file_of(&prepared) {
                Ok(bytes) => return Ok(Some(reports.finish(run, &prepared, &bytes).await?)),
                Err(why) => why,
            },
        };
        reports.give_up(run, self.run, &why).await?;
        Err(JobFailure::GiveUp(why))
    }
}

/// The bytes, or why there are none; the same content fails again in the same way.
fn file_of(prepared: &Prepared) -> Result<Vec<u8>, String> {
    let options = RenderOptions { excel_bom: prepared.report.csv_bom };
    render(&prepared.content, prepared.run.format, options).map_err(|error| {
        tracing::error!(report_run.id = %prepared.run.id, error = %error, "a report cannot be written");
        error.to_string()
    })
}

/// The files of reports, as mails carry them.
pub struct ReportFiles {
    platform: Platform,
    actor: Actor,
}

impl ReportFiles {
    /// Those of this platform, read with the authority of its workers.
    pub const fn new(platform: Platform, actor: Actor) -> Self {
        Self { platform, actor }
    }
}

#[async_trait]
impl Attachments for ReportFiles {
    async fn read(&self, run: Uuid, to: &EmailAddress) -> Result<Enclosed, BoxError> {
        let enclosure =
            self.platform.reports().enclosure(&self.actor, ReportRunId::from_uuid(run), to).await?;
        Ok(match enclosure {
            Enclosure::None => Enclosed::Nothing,
            Enclosure::Withheld(why) => Enclosed::Withheld(why.to_owned()),
            Enclosure::File(file) => {
                let (name, media_type) = (file.name.parse()?, file.format.media_type().to_owned());
                Enclosed::File(Attachment { name, media_type, bytes: file.bytes })
            }
        })
    }
}
