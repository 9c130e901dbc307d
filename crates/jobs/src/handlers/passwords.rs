//! Ways to new passwords.

use async_trait::async_trait;
use serde_json::Value;
use sitewatch_domain::{jobs::Run, passwords::SendPasswordReset};

use super::Tools;
use crate::registry::{Handler, JobFailure};

#[async_trait]
impl Handler for SendPasswordReset {
    async fn handle(self, tools: &Tools, run: &Run) -> Result<Option<Value>, JobFailure> {
        tools.platform.passwords().send_reset(run, &self).await?;
        Ok(None)
    }
}
