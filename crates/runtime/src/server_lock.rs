//! The locks of the one server that an SQLite database has: on its data folder and, wherever that is, on the database.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    config::{Config, DatabaseTarget},
    exit::StartError,
};

/// In the data folder.
const FOLDER_LOCK: &str = "server.lock";
/// Behind the name of the database.
const DATABASE_LOCK: &str = ".server.lock";
/// How often a server tries: a command that only looks whether one runs has the lock for a moment.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// Held by whoever has an SQLite database for himself; others are refused until it is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct ServerLock {
    _files: Vec<File>,
}

impl ServerLock {
    /// What a server takes before it touches anything. `None` on PostgreSQL, which serves several nodes; they may share a
    /// machine and a folder.
    ///
    /// # Errors
    /// [`StartError::DataFolderTaken`] or [`StartError::DatabaseTaken`] while another server holds it.
    pub(crate) async fn of_server(config: &Config) -> Result<Option<Self>, StartError> {
        let DatabaseTarget::Sqlite(database) = &config.database.target else { return Ok(None) };
        let folder = &config.storage.data_dir;
        let lock = locked(&folder.join(FOLDER_LOCK), File::try_lock)?;
        let folder_lock = lock.ok_or_else(|| StartError::DataFolderTaken { path: folder.clone() })?;
        let path = lock_path(database)?;
        for _ in 0..ATTEMPTS {
            if let Some(lock) = locked(&path, File::try_lock)? {
                return Ok(Some(Self { _files: vec![folder_lock, lock] }));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(StartError::DatabaseTaken { path: database.clone() })
    }

    /// What a command takes that must not run beside a server. `None` on PostgreSQL.
    ///
    /// # Errors
    /// [`StartError::DatabaseTaken`] while a server runs.
    pub(crate) fn of_database(target: &DatabaseTarget) -> Result<Option<Self>, StartError> {
        let DatabaseTarget::Sqlite(database) = target else { return Ok(None) };
        match locked(&lock_path(database)?, File::try_lock)? {
            Some(lock) => Ok(Some(Self { _files: vec![lock] })),
            None => Err(StartError::DatabaseTaken { path: database.clone() }),
        }
    }

    /// Whether a server has the database for itself at this moment; never on PostgreSQL.
    ///
    /// # Errors
    /// [`StartError::DataFolder`] if that cannot be found out.
    pub(crate) fn is_held(target: &DatabaseTarget) -> Result<bool, StartError> {
        let DatabaseTarget::Sqlite(database) = target else { return Ok(false) };
        // Shared, so that commands that look at the same time do not take each other for a server.
        Ok(locked(&lock_path(database)?, File::try_lock_shared)?.is_none())
    }
}

/// Beside the file itself, so that all names of it share one lock. The file need not be there yet.
fn lock_path(database: &Path) -> Result<PathBuf, StartError> {
    let real = match fs::canonicalize(database) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = fs::canonicalize(database.parent().unwrap_or(Path::new("/")));
            folder.map(|folder| folder.join(database.file_name().unwrap_or_default()))
        }
        other => other,
    };
    let mut name = real.map_err(|error| StartError::data_folder(database, error))?.into_os_string();
    name.push(DATABASE_LOCK);
    Ok(name.into())
}

/// The file, locked; `None` while somebody else has it.
fn locked(
    path: &Path,
    lock: impl FnOnce(&File) -> Result<(), TryLockError>,
) -> Result<Option<File>, StartError> {
    let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    let file = open.map_err(|error| StartError::data_folder(path, error))?;
    match lock(&file) {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(StartError::data_folder(path, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    fn config(folder: &Path, database: &Path) -> Config {
        let environment = [
            ("SITEWATCH_DATA_DIR", folder.display().to_string()),
            ("SITEWATCH_DATABASE_URL", format!("sqlite:{}", database.display())),
        ];
        Config::load(&Overrides::default(), environment, folder).expect("legal settings").config
    }

    #[tokio::test]
    async fn one_server_has_folder_and_database() {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let folders = ["a", "b"].map(|name| temp.path().join(name));
        for folder in &folders {
            fs::create_dir(folder).expect("a folder");
        }
        let databases = ["x.db", "y.db"].map(|name| temp.path().join(name));
        let first = config(&folders[0], &databases[0]);
        let lock = ServerLock::of_server(&first).await.expect("free");
        let same_folder = ServerLock::of_server(&config(&folders[0], &databases[1])).await;
        assert!(matches!(same_folder, Err(StartError::DataFolderTaken { .. })), "{same_folder:?}");
        let same_database = ServerLock::of_server(&config(&folders[1], &databases[0])).await;
        assert!(matches!(same_database, Err(StartError::DatabaseTaken { .. })), "{same_database:?}");
        assert!(ServerLock::is_held(&first.database.target).expect("known"));
        assert!(ServerLock::of_database(&first.database.target).is_err());
        drop(lock);
        assert!(!ServerLock::is_held(&first.database.target).expect("known"));
        ServerLock::of_server(&first).await.expect("free again");
    }
}
