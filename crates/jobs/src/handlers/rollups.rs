//! Rollups, and what is deleted under them.

use async_trait::async_trait;
use serde_json::{Value, json};
use sitewatch_domain::{
    ids::OrgId,
    jobs::{Run, When},
    readings::DeleteReadings,
    rollups::{RedoRollups, SweepRollups},
};

use super::Tools;
use crate::registry::{Handler, JobFailure};

/// Transactions of one job; then another one goes on, so that none takes longer than it may.
const TRANSACTIONS: usize = 100;

#[async_trait]
impl Handler for RedoRollups {
    async fn handle(self, tools: &Tools, run: &Run) -> Result<Option<Value>, JobFailure> {
        redo(tools, run, self.organization_id).await.map(|()| None)
    }
}

#[async_trait]
impl Handler for SweepRollups {
    async fn handle(self, tools: &Tools, run: &Run) -> Result<Option<Value>, JobFailure> {
        tools.platform.rollups().sweep_marks(&run.actor()).await?;
        Ok(None)
    }
}

#[async_trait]
impl Handler for DeleteReadings {
    async fn handle(self, tools: &Tools, run: &Run) -> Result<Option<Value>, JobFailure> {
        let (readings, actor) = (tools.platform.readings(), run.actor());
        let total = readings.count_to_delete(&actor, &self).await?;
        let mut deleted = 0;
        loop {
            let done = readings.delete_some(&actor, &self).await?;
            if done == 0 {
                break;
            }
            deleted += done;
            let figure = |count| i64::try_from(count).unwrap_or(i64::MAX);
            // What was sent meanwhile is deleted as well.
            tools.platform.jobs().report_progress(run, figure(deleted), figure(total.max(deleted))).await?;
        }
        redo(tools, run, self.organization_id).await?;
        Ok(Some(json!({ "deleted": deleted })))
    }
}

async fn redo(tools: &Tools, run: &Run, organization_id: OrgId) -> Result<(), JobFailure> {
    let actor = run.actor();
    for _ in 0..TRANSACTIONS {
        if !tools.platform.rollups().redo_some(&actor, organization_id).await? {
            return Ok(());
        }
    }
    let rest = RedoRollups { organization_id };
    tools.platform.jobs().enqueue(&actor, &rest, When::Now).await?;
    Ok(())
}
