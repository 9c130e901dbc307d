//! The file of an SQLite database, and whether it still is where it was opened.
//!
//! A file that is removed or replaced stays open: what is written to it is acknowledged, and gone with the process. Another
//! server that begins anew at the same path would not be noticed either.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use sitewatch_domain::ports::StoreError;

/// A file that is open, and the path that named it then.
#[derive(Debug)]
pub(crate) struct OpenedFile {
    path: PathBuf,
    /// Device and number; no other file has them while this one is open.
    identity: (u64, u64),
    is_lost: AtomicBool,
}

/// The path names no file any more, or another one.
#[derive(Debug, thiserror::Error)]
#[error("the database file is not in its place any more")]
struct Lost;

impl OpenedFile {
    /// The file that the path names, which somebody has just opened.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)?, is_lost: AtomicBool::new(false) })
    }

    /// Checks that the path still names it: one call of the system, without a look at the disk.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it does not. The log tells it once each time.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let is_lost = identity(&self.path).ok() != Some(self.identity);
        let was_lost = self.is_lost.swap(is_lost, Ordering::Relaxed);
        let path = self.path.display();
        match (was_lost, is_lost) {
            (false, true) => tracing::error!(
                %path,
                "the database file was removed or replaced while this program has it open: nothing is written any more; \
                 put the file back, or stop the program and start it on the file that shall be used"
            ),
            (true, false) => tracing::warn!(%path, "the database file is back in its place"),
            _ => {}
        }
        if is_lost { Err(StoreError::Unavailable(Box::new(Lost))) } else { Ok(()) }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|found| (found.dev(), found.ino()))
}
