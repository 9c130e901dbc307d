//! The data folder: made on the first start, home of the generated secret.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use sitewatch_auth::SecretKeys;
use sitewatch_domain::text::Secret;

use crate::{config::Security, exit::StartError, system::OsEntropy};

const SECRET_FILE: &str = "secret.key";
/// What a mode lets the group and everybody do.
const OTHERS: u32 = 0o077;

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
        File::create(&probe).map_err(refused)?;
        match fs::remove_file(&probe) {
            // Another program that starts at the same moment was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.map_err(refused)?,
        }
        Ok(Self { path: path.to_owned() })
    }

    /// The installation's secret keys: from the settings, else from the folder. `None` before they were generated.
    ///
    /// # Errors
    /// [`StartError::SecretFile`] if the file holds something else; [`StartError::DataFolder`] if it cannot be read.
    pub fn secret_keys(&self, settings: &Security) -> Result<Option<SecretKeys>, StartError> {
        let path = self.secret_path();
        let text = match &settings.secret_key {
            Some(text) => text.clone(),
            None => match fs::read_to_string(&path) {
                Ok(text) => Secret::new(text.trim().to_owned()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(StartError::data_folder(&path, error)),
            },
        };
        if let Some(warning) = exposed_secret(&self.path, settings) {
            tracing::warn!("{warning}");
        }
        let keys = text.expose().parse::<SecretKeys>();
        keys.map(Some).map_err(|error| StartError::SecretFile { path, problem: error.to_string() })
    }

    /// Generates the secret of a new installation, unless another program was faster.
    ///
    /// # Errors
    /// [`StartError::DataFolder`] if it cannot be written.
    pub fn generate_secret(&self) -> Result<(), StartError> {
        let path = self.secret_path();
        let secret = SecretKeys::generate(&OsEntropy);
        self.write_secret(&path, &secret).map_err(|error| StartError::data_folder(&path, error))
    }

    /// Where a generated secret is kept.
    pub fn secret_path(&self) -> PathBuf {
        self.path.join(SECRET_FILE)
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

/// A warning, if the file with the secret is used and others than its owner may read it.
pub(crate) fn exposed_secret(folder: &Path, settings: &Security) -> Option<String> {
    let path = folder.join(SECRET_FILE);
    let mode = fs::metadata(&path).ok().filter(|_| settings.secret_key.is_none())?.permissions().mode();
    (mode & OTHERS != 0).then(|| {
        let path = path.display();
        format!("the secret in {path} can be read by others than its owner; run `chmod 600 {path}`, and rotate the secret if they may have done so")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENERATED: Security = Security { secret_key: None, bcrypt_cost: 4, password_min_length: 12 };

    fn fresh() -> (tempfile::TempDir, DataFolder) {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let folder = DataFolder::open(&temp.path().join("data")).expect("a data folder");
        (temp, folder)
    }

    #[test]
    fn the_secret_is_generated_once_and_readable_for_its_owner_only() {
        let (temp, folder) = fresh();
        let fingerprint = || {
            let keys = folder.secret_keys(&GENERATED).expect("read");
            keys.map(|keys| keys.first().fingerprint().to_owned())
        };
        assert_eq!(fingerprint(), None);
        folder.generate_secret().expect("generated");
        let first = fingerprint();
        assert!(first.is_some());
        folder.generate_secret().expect("there already");
        assert_eq!(fingerprint(), first);
        let mode =
            |name: &str| fs::metadata(temp.path().join(name)).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode("data/secret.key"), 0o600);
        assert_eq!(mode("data"), 0o700);
    }

    #[test]
    fn many_programs_open_one_folder_at_once() {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let path = temp.path().join("data");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        DataFolder::open(&path).expect("a data folder");
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(&path).expect("a folder").count(), 0, "something is left behind");
    }

    #[test]
    fn a_file_in_the_way_and_a_damaged_secret_each_get_their_sentence() {
        let (temp, folder) = fresh();
        fs::write(temp.path().join("file"), "").expect("written");
        let error = DataFolder::open(&temp.path().join("file")).expect_err("no folder");
        assert!(error.to_string().contains("--data-dir"), "{error}");
        fs::write(temp.path().join("data/secret.key"), "c2hvcnQ=").expect("written");
        let error = folder.secret_keys(&GENERATED).expect_err("damaged");
        assert!(matches!(error, StartError::SecretFile { .. }));
        assert!(error.to_string().contains("(secret key 1 is too short: it has 5 bytes"), "{error}");
        fs::write(temp.path().join("data/secret.key"), "hunter2!").expect("written");
        let error = folder.secret_keys(&GENERATED).expect_err("damaged");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn a_secret_that_others_can_read_is_warned_of() {
        let (temp, folder) = fresh();
        folder.generate_secret().expect("generated");
        let data = temp.path().join("data");
        assert_eq!(exposed_secret(&data, &GENERATED), None);
        for mode in [0o640, 0o604, 0o644] {
            fs::set_permissions(data.join("secret.key"), fs::Permissions::from_mode(mode)).expect("changed");
            let warning = exposed_secret(&data, &GENERATED).expect("a warning");
            assert!(warning.contains("chmod 600"), "{warning}");
        }
        let settings =
            Security { secret_key: Some(Secret::new("x".into())), bcrypt_cost: 4, password_min_length: 12 };
        assert_eq!(exposed_secret(&data, &settings), None, "the file is not used");
    }
}
