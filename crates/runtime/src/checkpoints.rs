//! Checkpoints of the audit log: hourly, into the server's log and into a file in the data folder. Whoever keeps either elsewhere
//! can tell later that the log was cut.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use sitewatch_domain::{Platform, audit::Checkpoints, error::BoxError};

use crate::work;

/// The file, in the data folder.
pub(crate) const FILE: &str = "audit-checkpoints.jsonl";

const EVERY: Duration = Duration::from_hours(1);
/// How soon it is tried again after a failure.
const AGAIN: Duration = Duration::from_mins(1);

/// Writes checkpoints, one at once, for as long as it is polled.
pub(crate) async fn keep(platform: Platform, folder: PathBuf) {
    work::has_its_tables(&platform).await;
    loop {
        let pause = match write(&platform, &folder).await {
            Ok(()) => EVERY,
            Err(error) => {
                tracing::warn!(%error, "no checkpoint of the audit log can be written");
                AGAIN
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Writes a line with the ends of the logs that have moved since the last one, if any has.
///
/// # Errors
/// What keeps the file from being written, or the database from being read.
pub async fn write(platform: &Platform, folder: &Path) -> Result<(), BoxError> {
    let path = folder.join(FILE);
    // Servers may share a data folder: one after the other follows what the others wrote.
    let (mut file, text) = tokio::task::spawn_blocking(move || open(&path)).await??;
    let mut known = Checkpoints::default();
    for (line, number) in text.lines().zip(1..) {
        if let Err(fault) = platform.audit().read_checkpoint(&mut known, line) {
            tracing::error!(line = number, "a checkpoint of the audit log {fault}");
        }
    }
    let made = platform.audit().checkpoint(&work::actor(), &known).await?;
    for org in made.suspects {
        let organization = org.map(|org| org.to_string());
        tracing::error!(
            organization,
            "the audit log was changed behind the server's back; `sitewatch-api audit verify` tells how"
        );
    }
    let Some(line) = made.line else { return Ok(()) };
    tracing::info!(checkpoint = line, "checkpoint of the audit log");
    // A write that was cut off by a crash left half a line.
    let begin = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    file.write_all(format!("{begin}{line}\n").as_bytes())?;
    Ok(file.sync_data()?)
}

/// The file, locked until it is closed, and what it holds.
fn open(path: &Path) -> io::Result<(File, String)> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    file.lock()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok((file, text))
}
