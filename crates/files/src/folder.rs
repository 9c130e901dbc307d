//! A folder with a file for each id.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use sitewatch_domain::{error::BoxError, ports::FileStore};
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
        let (draft, whole) = (draft_of(&self.folder, id), self.folder.join(id.to_string()));
        let remove = move || there(fs::remove_file(draft)).and_then(|_| there(fs::remove_file(whole)));
        spawn_blocking(remove).await??;
        Ok(())
    }
}

fn draft_of(folder: &Path, id: Uuid) -> PathBuf {
    folder.join(format!("{id}.{DRAFT}"))
}

/// Writes the whole file under another name and renames it, so that it is never seen half-written. A full disk keeps no half of it.
fn write(folder: &Path, id: Uuid, bytes: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let draft = draft_of(folder, id);
    let written = write_draft(&draft, bytes).and_then(|()| fs::rename(&draft, folder.join(id.to_string())));
    if let Err(error) = written {
        // What cannot be removed now is removed with the file.
        let _left = fs::remove_file(&draft);
        return Err(error);
    }
    File::open(folder)?.sync_all()
}

fn write_draft(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(draft)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// What was found; `None` for what is not there.
fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
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
    async fn nothing_is_left_of_what_was_broken_off() {
        let (temp, store) = store();
        let (taken, broken) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let folder = temp.path().join("reports");
        fs::create_dir_all(folder.join(taken.to_string())).expect("a folder where the file is to be");
        store.put(taken, b"one").await.expect_err("its name is taken");
        fs::write(draft_of(&folder, broken), "half").expect("written");
        assert_eq!(store.get(broken).await.expect("an answer"), None, "half a file is none");
        store.delete(broken).await.expect("removed");
        let left: Vec<_> = fs::read_dir(&folder)
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert_eq!(left, [taken.to_string().as_str()]);
    }
}
