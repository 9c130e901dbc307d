//! A folder with a file for each id.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use sitewatch_domain::{error::BoxError, ports::FileStore, time::Instant};
use tokio::task::spawn_blocking;
use uuid::Uuid;

/// What the name of a file ends in while it is being written.
const DRAFT: &str = "draft";

/// Keeps files in a folder, which is made with the first one. Only its owner can read them.
#[derive(Debug, Clone)]
pub struct FolderStore {
    folder: PathBuf,
}

impl FolderStore {
    /// A store in this folder.
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }
}

#[async_trait]
impl FileStore for FolderStore {
    async fn put(&self, id: Uuid, bytes: &[u8]) -> Result<(), BoxError> {
        let (folder, bytes) = (self.folder.clone(), bytes.to_vec());
        Ok(spawn_blocking(move || write(&folder, id, &bytes)).await??)
    }

    async fn get(&self, id: Uuid) -> Result<Option<Vec<u8>>, BoxError> {
        let path = self.folder.join(id.to_string());
        Ok(spawn_blocking(move || there(fs::read(path))).await??)
    }

    async fn delete(&self, id: Uuid) -> Result<(), BoxError> {
        let path = self.folder.join(id.to_string());
        spawn_blocking(move || there(fs::remove_file(path))).await??;
        Ok(())
    }

    async fn written_before(&self, moment: Instant) -> Result<Vec<Uuid>, BoxError> {
        let folder = self.folder.clone();
        Ok(spawn_blocking(move || older(&folder, moment)).await??)
    }
}

/// Writes the whole file under another name and renames it, so that it is never seen half-written.
fn write(folder: &Path, id: Uuid, bytes: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let draft = folder.join(format!("{id}.{DRAFT}"));
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, folder.join(id.to_string()))?;
    File::open(folder)?.sync_all()
}

/// The files from before a moment. Drafts that old were broken off; they are removed here.
fn older(folder: &Path, moment: Instant) -> io::Result<Vec<Uuid>> {
    let Some(entries) = there(fs::read_dir(folder))? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Some(metadata) = there(entry.metadata())? else { continue };
        if !metadata.is_file() || instant(metadata.modified()?) >= moment {
            continue;
        }
        let path = entry.path();
        if path.extension() == Some(OsStr::new(DRAFT)) {
            there(fs::remove_file(&path))?;
        } else if let Some(id) = path.file_name().and_then(OsStr::to_str).and_then(|name| name.parse().ok()) {
            found.push(id);
        }
    }
    Ok(found)
}

/// What was found; `None` for what is not there.
fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

fn instant(at: SystemTime) -> Instant {
    let since = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    Instant::from_micros(i64::try_from(since).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn store() -> (tempfile::TempDir, FolderStore) {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let store = FolderStore::new(temp.path().join("reports"));
        (temp, store)
    }

    #[tokio::test]
    async fn what_is_kept_is_there_until_it_is_removed() {
        let (_temp, store) = store();
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(store.get(one).await.expect("an answer"), None, "no folder yet");
        store.put(one, b"one").await.expect("kept");
        store.put(other, b"").await.expect("kept");
        assert_eq!(store.get(one).await.expect("an answer").as_deref(), Some(b"one".as_slice()));
        assert_eq!(store.get(other).await.expect("an answer").as_deref(), Some(b"".as_slice()));
        store.put(one, b"again").await.expect("kept");
        assert_eq!(store.get(one).await.expect("an answer").as_deref(), Some(b"again".as_slice()));
        for _ in 0..2 {
            store.delete(one).await.expect("removed");
        }
        assert_eq!(store.get(one).await.expect("an answer"), None);
    }

    #[tokio::test]
    async fn only_the_owner_reads_them() {
        let (temp, store) = store();
        let id = Uuid::from_u128(1);
        store.put(id, b"one").await.expect("kept");
        let folder = temp.path().join("reports");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join(id.to_string()))), (0o700, 0o600));
    }

    #[tokio::test]
    async fn files_are_found_by_their_age_and_broken_drafts_go() {
        let (temp, store) = store();
        assert!(store.written_before(Instant::from_micros(i64::MAX)).await.expect("an answer").is_empty());
        let id = Uuid::from_u128(1);
        store.put(id, b"one").await.expect("kept");
        let folder = temp.path().join("reports");
        let draft = folder.join(format!("{}.{DRAFT}", Uuid::from_u128(2)));
        fs::write(&draft, "half").expect("written");
        fs::write(folder.join("notes.txt"), "not ours").expect("written");
        assert!(store.written_before(Instant::YEAR_2000).await.expect("an answer").is_empty());
        assert!(draft.exists(), "it is young");
        assert_eq!(store.written_before(Instant::from_micros(i64::MAX)).await.expect("an answer"), [id]);
        assert!(!draft.exists());
        assert!(folder.join("notes.txt").exists());
    }
}
