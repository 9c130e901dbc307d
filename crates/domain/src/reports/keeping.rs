//! How long files are kept.

use std::time::Duration;

use uuid::Uuid;

use super::Reports;
use crate::{
    access::{Actor, RunJobs},
    audit::Audit,
    error::Error,
    jobs::Run,
    time::Instant,
};

/// Runs of one transaction.
const BATCH: u32 = 200;
/// Transactions of one task; what is left then is for the next time.
const BATCHES: u32 = 500;
/// A file without a run that is younger may be one that is just being written.
const STRAY_FOR: Duration = Duration::from_hours(1);

/// A store that fails so often is not asked further: each question may take it half a minute.
const STORE_IS_AWAY: usize = 5;

const PAST_ITS_TIME: Audit = Audit::none("what is past its time is no change of anybody's");

impl Reports<'_> {
    /// Forgets runs that are older than files are kept, and removes files that no run has: theirs, and those of tries that came too
    /// late or were broken off. Old is what is old by the database's clock. How many runs and how many files.
    ///
    /// # Errors
    /// `Conflict(LeaseLost)`; `Unavailable`.
    pub async fn forget(&self, run: &Run) -> Result<(u64, u64), Error> {
        let actor = run.actor();
        let grant = actor.grant_platform::<RunJobs>()?;
        let now = self.platform.read(&actor).await?.database_time().await?;
        let before = now.minus(self.platform.reports_kept_for());
        let mut forgotten = 0;
        for _ in 0..BATCHES {
            let mut tx = self.platform.write(&actor).await?;
            let deleted = tx.delete_report_runs(&grant, before, BATCH).await?;
            if deleted == 0 {
                break;
            }
            self.platform.commit(tx, PAST_ITS_TIME).await?;
            forgotten += deleted;
        }
        Ok((forgotten, self.sweep(&actor, now.minus(STRAY_FOR)).await?))
    }

    /// Removes the files that no run has since before a moment. A note outlives its file: what is broken off here goes on next time.
    async fn sweep(&self, actor: &Actor, before: Instant) -> Result<u64, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut removed = 0;
        for _ in 0..BATCHES {
            let strays = self.platform.read(actor).await?.find_stray_files(&grant, before, BATCH).await?;
            if strays.is_empty() {
                break;
            }
            let (gone, left) = self.remove(&strays).await;
            let mut tx = self.platform.write(actor).await?;
            tx.forget_stray_files(&grant, &gone).await?;
            tx.renote_stray_files(&grant, &left).await?;
            self.platform.commit(tx, PAST_ITS_TIME).await?;
            removed += u64::try_from(gone.len()).unwrap_or(u64::MAX);
            if left.len() >= STORE_IS_AWAY {
                return Err(Error::busy("the store of report files removes none"));
            }
        }
        Ok(removed)
    }

    /// Which of these files are gone, and which cannot be removed: they hold up no other.
    async fn remove(&self, strays: &[Uuid]) -> (Vec<Uuid>, Vec<Uuid>) {
        let (mut gone, mut left) = (Vec::with_capacity(strays.len()), Vec::new());
        for file in strays {
            match self.platform.ports().files.delete(*file).await {
                Ok(()) => gone.push(*file),
                Err(error) => {
                    tracing::error!(file = %file, error, "the file of a report cannot be removed; it is tried again the next time");
                    left.push(*file);
                }
            }
            if left.len() >= STORE_IS_AWAY {
                break;
            }
        }
        (gone, left)
    }
}
