//! Housekeeping.

use async_trait::async_trait;
use serde_json::{Value, json};
use sitewatch_domain::{
    housekeeping::{
        ForgetDeliveries, ForgetIdempotencyKeys, ForgetJobs, ForgetRejects, ForgetReports, ForgetSessions,
        MakeReadingMonths,
    },
    jobs::Run,
};

use super::Tools;
use crate::registry::{Handler, JobFailure};

fn forgotten(count: u64) -> Value {
    json!({ "forgotten": count })
}

#[async_trait]
impl Handler for ForgetSessions {
    async fn handle(self, tools: &Tools, run: &Run) -> Result<Option<Value>, JobFailure> {
        Ok(Some(forgotten(tools.platform.housekeeping().forget_sessions(run).await?)))
    }
}

#[async_trait]
impl Handler for ForgetIdempotencyKeys {
    async fn handle(self, tools: &Tools, run: &Run) -> Result<Option<Value>, JobFailure> {
        Ok(Some(forgotten(tools.platform.housekeeping().forget_idempotency_keys(run).await?)))
    }
}

#[async_trait]
impl Handler for ForgetJobs {
    async fn handle(self, tools: &Tools, run: &Run) -> Result<Option<Value>, JobFailure> {
        Ok(Some(forgotten(tools.platform.housekeeping().forget_jobs(run).await?)))
    }
}

#[async_trait]
impl Handler for MakeReadingMonths {
    async fn handle(self, tools: &Tools, run: &Run) -> Result<Option<Value>, JobFailure> {
        tools.platform.housekeeping().make_reading_months(run).await?;
        Ok(None)
    }
}

#[async_trait]
impl Handler for ForgetRejects {
    async fn handle(self, tools: &Tools, run: &Run) -> Result<Option<Value>, JobFailure> {
        Ok(Some(forgotten(tools.platform.housekeeping().forget_rejects(run).await?)))
    }
}

#[async_trait]
impl Handler for ForgetDeliveries {
    async fn handle(self, tools: &Tools, run: &Run) -> Result<Option<Value>, JobFailure> {
        Ok(Some(forgotten(tools.platform.housekeeping().forget_deliveries(run).await?)))
    }
}

#[async_trait]
impl Handler for ForgetReports {
    async fn handle(self, tools: &Tools, run: &Run) -> Result<Option<Value>, JobFailure> {
        let (runs, strays) = tools.platform.reports().forget(run).await?;
        Ok(Some(json!({ "forgotten": runs, "stray_files": strays })))
    }
}
