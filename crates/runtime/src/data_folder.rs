//! The data folder: made on the first start, home of the generated secret.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use sitewatch_auth::SecretKeys;
use sitewatch_domain::text::Secret;

use crate::{config::Security, exit::StartError, system::OsEntropy};

const SECRET_FILE: &str = "secret.key";

/// An existing, writable data folder.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
}

impl DataFolder {
    /// Opens the folder, and makes it (readable for its owner only) if there is none.
    ///
    /// # Errors
    /// [`StartError::DataFolder`] if it cannot be made or written.
    pub fn open(path: &Path) -> Result<Self, StartError> {
        let refused = |error| StartError::data_folder(path, error);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(refused)?;
        let probe = path.join(".writable");
        File::create(&probe).and_then(|_| fs::remove_file(&probe)).map_err(refused)?;
        Ok(Self { path: path.to_owned() })
    }

    /// The installation's secret keys: from the settings, else from the folder, where the first start generates them.
    ///
    /// # Errors
    /// [`StartError::SecretFile`] if the file holds something else; [`StartError::DataFolder`] if it cannot be read.
    pub fn secret_keys(&self, settings: &Security) -> Result<SecretKeys, StartError> {
        let text = match &settings.secret_key {
            Some(text) => text.clone(),
            None => self.generated_secret()?,
        };
        text.expose().parse::<SecretKeys>().map_err(|error| StartError::SecretFile {
            path: self.path.join(SECRET_FILE),
            problem: error.to_string(),
        })
    }

    fn generated_secret(&self) -> Result<Secret<String>, StartError> {
        let path = self.path.join(SECRET_FILE);
        let refused = |error| StartError::data_folder(&path, error);
        match fs::read_to_string(&path) {
            Ok(text) => return Ok(Secret::new(text.trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(refused(error)),
        }
        let secret = SecretKeys::generate(&OsEntropy);
        self.write_secret(&path, &secret).map_err(refused)?;
        // Read back: of two programs that start at once only one wrote the file, and both must use what it holds.
        fs::read_to_string(&path).map(|text| Secret::new(text.trim().to_owned())).map_err(refused)
    }

    /// Writes the whole file under another name and links it into place, so that it is never seen half-written and never
    /// replaced.
    fn write_secret(&self, path: &Path, secret: &Secret<String>) -> io::Result<()> {
        let draft = self.path.join(format!("{SECRET_FILE}.{}", std::process::id()));
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
        writeln!(file, "{}", secret.expose())?;
        file.sync_all()?;
        let linked = fs::hard_link(&draft, path);
        fs::remove_file(&draft)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => File::open(&self.path)?.sync_all(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn fresh() -> (tempfile::TempDir, DataFolder) {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let folder = DataFolder::open(&temp.path().join("data")).expect("a data folder");
        (temp, folder)
    }

    #[test]
    fn the_secret_is_generated_once_and_readable_for_its_owner_only() {
        let (temp, folder) = fresh();
        let first = folder.generated_secret().expect("generated");
        assert_eq!(folder.generated_secret().expect("read"), first);
        let mode =
            |name: &str| fs::metadata(temp.path().join(name)).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode("data/secret.key"), 0o600);
        assert_eq!(mode("data"), 0o700);
    }

    #[test]
    fn a_file_in_the_way_and_a_damaged_secret_each_get_their_sentence() {
        let (temp, folder) = fresh();
        fs::write(temp.path().join("file"), "").expect("written");
        let error = DataFolder::open(&temp.path().join("file")).expect_err("no folder");
        assert!(error.to_string().contains("--data-dir"), "{error}");
        fs::write(temp.path().join("data/secret.key"), "short").expect("written");
        let error = folder.secret_keys(&Security { secret_key: None, bcrypt_cost: 4 }).expect_err("damaged");
        assert!(matches!(error, StartError::SecretFile { .. }));
        assert!(!error.to_string().contains("short"), "{error}");
    }
}
