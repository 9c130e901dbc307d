//! Tells the ledger what came of jobs, many at a time.

use std::{sync::Arc, time::Duration};

use sitewatch_domain::{Platform, access::Actor, jobs::Settlement};
use tokio::sync::mpsc;

use crate::held::Held;

/// The most settlements of one statement.
const BATCH: usize = 500;
/// How long to wait before the ledger is asked again after it did not answer.
const PAUSE: Duration = Duration::from_millis(500);

/// Settles until the last sender is gone. While the ledger does not answer, the leases stay held and are renewed or lost
/// like any other.
pub(crate) async fn settle(
    platform: Platform,
    actor: Actor,
    held: Arc<Held>,
    mut outcomes: mpsc::Receiver<Settlement>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while outcomes.recv_many(&mut batch, BATCH).await > 0 {
        while let Err(error) = platform.jobs().settle(&actor, &batch).await {
            tracing::warn!(error = %error, jobs = batch.len(), "jobs cannot be settled yet");
            tokio::time::sleep(PAUSE).await;
        }
        for settlement in batch.drain(..) {
            held.release(settlement.job, settlement.token);
        }
    }
}
