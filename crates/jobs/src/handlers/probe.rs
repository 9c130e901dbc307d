//! Probes.

use async_trait::async_trait;
use serde_json::Value;
use sitewatch_domain::jobs::{Act, Probe, Run};

use super::Tools;
use crate::registry::{Handler, JobFailure};

#[async_trait]
impl Handler for Probe {
    #[expect(clippy::panic, reason = "to see that a worker survives it is what the probe is for")]
    async fn handle(self, tools: &Tools, run: &Run) -> Result<Option<Value>, JobFailure> {
        match self.act {
            Act::Nothing => Ok(None),
            Act::Count => {
                tools.platform.jobs().count_probe(run, &self).await?;
                Ok(None)
            }
            Act::Fail => Err(JobFailure::Retry("it was told to fail".to_owned())),
            Act::Panic => panic!("it was told to panic"),
            Act::Abort => std::process::abort(),
            Act::Spin => loop {
                std::hint::spin_loop();
            },
        }
    }
}
