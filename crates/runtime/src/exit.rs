//! Why a start was given up: one sentence for the operator and one exit code for his scripts.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done |
//! | 2 | the command line was not understood |
//! | 3 | the settings have faults |
//! | 10 | the address cannot be listened on |
//! | 11 | the data folder cannot be used |
//! | 12 | a server uses the data folder or the database |
//! | 20 | the database cannot be reached |
//! | 21 | the database's schema is newer than this program |
//! | 22 | migrations are pending |
//! | 23 | this node's secret is not the installation's |
//! | 24 | the SQLite library is too old |
//! | 25 | the database role lacks a right |
//! | 26 | the SQLite database is damaged |
//! | 27 | row level security is asked for, and PostgreSQL does not keep rows apart |
//! | 70 | a fault of the program itself |
//! | 75 | jobs that never give way took too many threads: start it again |

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use sitewatch_domain::{error::BoxError, text::Secret};

use crate::config::{ConfigFaults, masked_url, scrubbed};

/// Why a start was given up. Its `Display` is what the operator reads: one sentence that says what to do (for settings: one
/// line a fault). No variant shows a secret.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings have faults.
    #[error(transparent)]
    Settings(#[from] ConfigFaults),
    /// Another program listens there.
    #[error("address {address} is already in use; stop the other program or choose another with --bind")]
    AddressTaken {
        /// Where it was tried to listen.
        address: SocketAddr,
    },
    /// The address cannot be listened on for another reason.
    #[error(
        "cannot listen on {address} ({reason}); choose an address of this machine, with a port above 1023 \
         unless the program may use lower ones, with --bind"
    )]
    AddressUnusable {
        /// Where it was tried to listen.
        address: SocketAddr,
        /// What the system said.
        reason: io::Error,
    },
    /// The address of health and metrics cannot be listened on.
    #[error(
        "cannot listen on {address} for health and metrics ({reason}); choose another address with {key} \
         ({variable}), or leave it empty"
    )]
    Management {
        /// The setting.
        key: &'static str,
        /// Its variable.
        variable: &'static str,
        /// Where it was tried to listen.
        address: SocketAddr,
        /// What the system said.
        reason: io::Error,
    },
    /// The data folder cannot be made, read or written.
    #[error(
        "the data folder cannot be used: {path} ({reason}); make it writable for this user, check that its volume is \
         mounted, or choose another with --data-dir"
    )]
    DataFolder {
        /// The folder, or the file in it that was refused.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// Another server holds the lock of the data folder.
    #[error(
        "another server already uses the data folder {path}; stop it or choose another folder with --data-dir"
    )]
    DataFolderTaken {
        /// The folder.
        path: PathBuf,
    },
    /// A server holds the lock of the SQLite database.
    #[error(
        "a server already uses the database {path}; stop it or choose another database with --database-url"
    )]
    DatabaseTaken {
        /// The database.
        path: PathBuf,
    },
    /// The file with the generated secret holds something else.
    #[error(
        "the file {path} cannot be used ({problem}); restore it from a backup, for without it nobody stays signed in and no \
         password can be checked"
    )]
    SecretFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, without a piece of the secret.
        problem: String,
    },
    /// The database was made with a secret, and this node has none.
    #[error(
        "the database was made with a secret, and there is none here: neither SITEWATCH_SECRET_KEY nor the file {path}; restore \
         the file from a backup, or set SITEWATCH_SECRET_KEY to the secret of the other nodes"
    )]
    SecretLost {
        /// Where the file would be.
        path: PathBuf,
    },
    /// The database does not answer. Made by [`StartError::database`].
    #[error("the database {database} cannot be reached ({reason}); start it, or correct database.url")]
    DatabaseUnreachable {
        /// The database, its password masked.
        database: String,
        /// What the driver said, scrubbed of secrets.
        reason: String,
    },
    /// The role of the settings may not do what has to be done.
    #[error(
        "the database role may not do this ({reason}); name the role that owns the tables in database.admin_url \
         (SITEWATCH_DATABASE_ADMIN_URL), or GRANT this one the right (docs/database.md lists them)"
    )]
    DatabaseDenied {
        /// What the database said.
        reason: String,
    },
    /// The SQLite file is damaged, or is something else.
    #[error(
        "the database {path} is damaged ({reason}); stop what uses it, keep a copy, and put a backup in its place, or save what \
         can be read with `sqlite3 {path} .recover`"
    )]
    DatabaseDamaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// The settings ask for row level security, and the tables lack it.
    #[error(
        "database.row_level_security (SITEWATCH_DATABASE_ROW_LEVEL_SECURITY) is on, and it is not in force on the tables; run \
         `sitewatch-api migrate up` with this setting, or switch it off"
    )]
    Unwalled,
    /// The settings ask for row level security, and PostgreSQL exempts the role from it.
    #[error(
        "database.row_level_security (SITEWATCH_DATABASE_ROW_LEVEL_SECURITY) is on, and PostgreSQL does not apply it to the role \
         {role}, which is a superuser or has BYPASSRLS; name another role in database.url (docs/database.md makes one), or switch it off"
    )]
    SeesAll {
        /// The role that serves.
        role: String,
    },
    /// The schema was made by a later version.
    #[error(
        "the database's schema is at version {database}, and this program knows versions up to {program}; \
         start the newer program, or restore a backup from before its upgrade"
    )]
    SchemaNewer {
        /// The last migration in the database.
        database: String,
        /// The last migration in this program.
        program: String,
    },
    /// The schema is older than the program, and the settings do not let a command migrate it, or a server uses it.
    #[error(
        "the database lacks {pending} migration(s) of this version; run `sitewatch-api migrate up`, or set \
         SITEWATCH_MIGRATE=on to have it done at the start"
    )]
    MigrationsPending {
        /// How many are missing.
        pending: usize,
    },
    /// No key of this node is one the database was made with.
    #[error(
        "this node's secret is not the one the database was made with; give all nodes the same SITEWATCH_SECRET_KEY \
         (without it each generates its own into its data folder)"
    )]
    SecretsDiffer,
    /// The SQLite library has known faults that destroy data.
    #[error(
        "the SQLite library is {found}, and versions before {needed} can corrupt a database; use a build of Sitewatch with \
         its own SQLite"
    )]
    SqliteTooOld {
        /// The library's version.
        found: String,
        /// The first good version.
        needed: &'static str,
    },
    /// The superuser of the settings cannot be made.
    #[error(
        "the superuser of the settings cannot be made ({problem}); correct admin.email or admin.password"
    )]
    FirstAdmin {
        /// What is wrong, without a value.
        problem: String,
    },
    /// The Redis of the queue is named in a way that it cannot be reached by.
    #[error(
        "the Redis of redis.queue_url cannot be used ({problem}); give redis://host:6379 or rediss://user:password@host:6379"
    )]
    QueueUrl {
        /// What is wrong, without the URL.
        problem: String,
    },
    /// The URL of the Redis of the rate limits is of no Redis.
    #[error(
        "the Redis of limits.redis_url cannot be used ({problem}); give redis://host:6379, redis-cluster://host:6379 or redis-sentinel://host:26379/master"
    )]
    LimitsUrl {
        /// What is wrong, without the URL.
        problem: String,
    },
    /// The URL of the cache's Redis is of no use.
    #[error(
        "the Redis of cache.redis_url cannot be used ({problem}); give redis://host:6379, redis-cluster://host:6379 or redis-sentinel://host:26379/master"
    )]
    CacheUrl {
        /// What is wrong, without the URL.
        problem: String,
    },
    /// Too many threads are lost to jobs that never give way. All other jobs were given back.
    #[error(
        "too many threads are lost to jobs that never give way, which the log names; start the program again, as its \
         supervisor does"
    )]
    ThreadsLost,
    /// Something that should not happen.
    #[error("the program failed in a way that it does not know ({0}); please report it with the log")]
    Internal(#[source] BoxError),
}

impl StartError {
    /// A listener that could not be opened.
    pub fn listen(address: SocketAddr, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::AddressTaken { address },
            _ => Self::AddressUnusable { address, reason: error },
        }
    }

    /// The port for health and metrics that could not be opened, and the setting that chooses it, with its variable.
    pub fn management([key, variable]: [&'static str; 2], address: SocketAddr, error: io::Error) -> Self {
        Self::Management { key, variable, address, reason: error }
    }

    /// A data folder that could not be used, or a file in it.
    pub fn data_folder(path: &Path, error: io::Error) -> Self {
        Self::DataFolder { path: path.to_owned(), reason: error }
    }

    /// A database that could not be reached. The driver's words are kept, without the URL's secrets; the error itself is
    /// dropped, for its own texts are not scrubbed.
    pub fn database(url: &Secret<String>, error: &(dyn std::error::Error + 'static)) -> Self {
        let said = std::iter::successors(Some(error), |error| error.source());
        let said = said.last().map(ToString::to_string).unwrap_or_default();
        let line = said.lines().collect::<Vec<_>>().join(" ");
        Self::DatabaseUnreachable {
            database: masked_url(url.expose()),
            reason: scrubbed(&line, url.expose()),
        }
    }

    /// The code the process ends with, from the table above.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_)
            | Self::FirstAdmin { .. }
            | Self::QueueUrl { .. }
            | Self::LimitsUrl { .. }
            | Self::CacheUrl { .. } => 3,
            Self::AddressTaken { .. } | Self::AddressUnusable { .. } | Self::Management { .. } => 10,
            Self::DataFolder { .. } | Self::SecretFile { .. } => 11,
            Self::DataFolderTaken { .. } | Self::DatabaseTaken { .. } => 12,
            Self::DatabaseUnreachable { .. } => 20,
            Self::SchemaNewer { .. } => 21,
            Self::MigrationsPending { .. } => 22,
            Self::SecretsDiffer | Self::SecretLost { .. } => 23,
            Self::SqliteTooOld { .. } => 24,
            Self::DatabaseDenied { .. } => 25,
            Self::DatabaseDamaged { .. } => 26,
            Self::Unwalled | Self::SeesAll { .. } => 27,
            Self::Internal(_) => 70,
            Self::ThreadsLost => 75,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> SocketAddr {
        "127.0.0.1:8080".parse().expect("an address")
    }

    #[test]
    fn a_taken_port_says_what_to_do() {
        let error = StartError::listen(address(), io::ErrorKind::AddrInUse.into());
        assert_eq!(
            error.to_string(),
            "address 127.0.0.1:8080 is already in use; stop the other program or choose another with --bind"
        );
        assert_eq!(error.exit_code(), 10);
        let error = StartError::listen(address(), io::ErrorKind::PermissionDenied.into());
        assert!(error.to_string().contains("permission denied"), "{error}");
    }

    #[test]
    fn an_unreachable_database_never_tells_its_password() {
        let url = Secret::new("postgres://bob:hun%40ter2@db:5432/sw".to_owned());
        let driver = io::Error::other("cannot log in to postgres://bob:hun%40ter2@db:5432/sw with hun@ter2");
        let error = StartError::database(&url, &driver);
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains("ter2"), "{text}");
            assert!(text.contains("postgres://bob:***@db:5432/sw"), "{text}");
        }
    }

    #[test]
    fn every_reason_is_one_line_and_a_newer_schema_names_both_versions() {
        let path = PathBuf::from("/srv/sitewatch");
        let all = [
            StartError::data_folder(&path, io::ErrorKind::PermissionDenied.into()),
            StartError::DataFolderTaken { path: path.clone() },
            StartError::DatabaseTaken { path: path.clone() },
            StartError::DatabaseDamaged { path: path.clone(), reason: "odd".into() },
            StartError::DatabaseDenied { reason: "odd".into() },
            StartError::SecretFile { path: path.clone(), problem: "it is not base64".into() },
            StartError::SecretLost { path },
            StartError::SchemaNewer { database: "0009".into(), program: "0007".into() },
            StartError::MigrationsPending { pending: 2 },
            StartError::SecretsDiffer,
            StartError::Unwalled,
            StartError::SeesAll { role: "postgres".into() },
            StartError::SqliteTooOld { found: "3.40.1".into(), needed: "3.51.3" },
            StartError::QueueUrl { problem: "odd".into() },
            StartError::LimitsUrl { problem: "odd".into() },
            StartError::CacheUrl { problem: "odd".into() },
            StartError::ThreadsLost,
            StartError::management(
                ["server.management_bind", "SITEWATCH_MANAGEMENT_BIND"],
                address(),
                io::ErrorKind::AddrInUse.into(),
            ),
            StartError::Internal("odd".into()),
        ];
        for error in &all {
            assert_eq!(error.to_string().lines().count(), 1, "{error}");
            assert!(!error.to_string().contains("  "), "{error}");
            assert!(error.exit_code() > 2, "{error}");
        }
        let newer = all
            .iter()
            .find(|error| matches!(error, StartError::SchemaNewer { .. }))
            .expect("there")
            .to_string();
        assert!(newer.contains("0009") && newer.contains("0007"), "{newer}");
    }
}
