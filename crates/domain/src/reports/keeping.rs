//! How long files are kept.

use std::time::Duration;

use super::Reports;
use crate::{access::RunJobs, audit::Audit, error::Error, jobs::Run};

/// Runs of one transaction.
const BATCH: u32 = 200;
/// Transactions of one task; what is left then is for the next time.
const BATCHES: u32 = 500;
/// A file without a run that is younger may be one that is just being written.
const STRAY_FOR: Duration = Duration::from_hours(1);

impl Reports<'_> {
    /// Forgets runs that are older than files are kept, with their files, and removes files that no run has: those of tries
    /// that came too late or were broken off. How many runs and how many stray files.
    ///
    /// # Errors
    /// `Conflict(LeaseLost)`; `Unavailable`.
    pub async fn forget(&self, run: &Run) -> Result<(u64, u64), Error> {
        let actor = run.actor();
        let grant = actor.grant_platform::<RunJobs>()?;
        let files = &self.platform.ports().files;
        let before = self.platform.now().minus(self.platform.reports_kept_for());
        let mut forgotten = 0;
        for _ in 0..BATCHES {
            let mut tx = self.platform.write(&actor).await?;
            let deleted = tx.delete_report_runs(&grant, before, BATCH).await?;
            if deleted.is_empty() {
                break;
            }
            self.platform.commit(tx, Audit::none("what is past its time is no change of anybody's")).await?;
            forgotten += u64::try_from(deleted.len()).unwrap_or(u64::MAX);
            // One that cannot be removed now is a stray from here on.
            for file in deleted.into_iter().flatten() {
                files.delete(file).await.map_err(Error::busy)?;
            }
        }
        let old = files.written_before(self.platform.now().minus(STRAY_FOR)).await.map_err(Error::busy)?;
        let mut strays = 0;
        for some in old.chunks(usize::try_from(BATCH).unwrap_or(1)) {
            let found = self.platform.read(&actor).await?.find_stray_files(&grant, some).await?;
            for file in found {
                files.delete(file).await.map_err(Error::busy)?;
                strays += 1;
            }
        }
        Ok((forgotten, strays))
    }
}
