//! The commands that work on the installation itself, beside a running server or without one.

pub(crate) mod audit;
pub(crate) mod demo;
pub(crate) mod import_users;
pub(crate) mod mail;
pub(crate) mod migrate;
pub(crate) mod rollups;
pub(crate) mod superuser;

use std::{io, path::Path};

use sitewatch_auth::SecretKeys;
use sitewatch_domain::Error;

use crate::{
    assemble::{Runtime, assemble},
    cli::print,
    config::{Config, ConfigFaults, Loaded},
    data_folder::{DataFolder, exposed_secret},
    exit::StartError,
    serve,
    server_lock::ServerLock,
    system::OsEntropy,
};

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The installation cannot be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The platform refused.
    #[error("{0}")]
    Refused(String),
    /// The result cannot be written.
    #[error("the result cannot be written: {0}")]
    Output(#[from] io::Error),
}

impl CommandError {
    /// The code the process ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Start(error) => error.exit_code(),
            Self::Refused(_) | Self::Output(_) => 1,
        }
    }
}

impl From<ConfigFaults> for CommandError {
    fn from(faults: ConfigFaults) -> Self {
        Self::Start(faults.into())
    }
}

impl From<Error> for CommandError {
    fn from(error: Error) -> Self {
        match error {
            Error::Internal(source) => Self::Start(StartError::Internal(source)),
            other => Self::Refused(other.to_string()),
        }
    }
}

/// The installation, for a command that writes into it: with a whole schema, and with the secret that the database has or,
/// if it has none yet, has from now on.
///
/// # Errors
/// As for a start; [`StartError::MigrationsPending`] and [`StartError::SecretsDiffer`].
pub(crate) async fn installation(config: &Config) -> Result<Runtime, StartError> {
    let mut config = config.clone();
    DataFolder::open(&config.storage.data_dir)?;
    // The schema of a running server is its own business, or that of `migrate up`.
    config.database.migrate = config.database.migrate && !ServerLock::is_held(&config.database.target)?;
    let runtime = assemble(&config).await?;
    match runtime.pending_migrations.len() {
        0 => serve::adopt(&runtime).await.map(|()| runtime),
        pending => Err(StartError::MigrationsPending { pending }),
    }
}

/// `openapi`: the document to standard output or into a file.
pub(crate) fn openapi(output: Option<&Path>) -> Result<(), CommandError> {
    let text = sitewatch_http::document_text();
    match output {
        Some(path) => Ok(std::fs::write(path, format!("{text}\n"))?),
        None => print(text),
    }
}

/// `config check`: that the settings are in order, and what to look at all the same.
pub(crate) fn check(loaded: &Loaded) -> Result<(), CommandError> {
    let warning = exposed_secret(&loaded.config.storage.data_dir, &loaded.config.security);
    let warning = warning.map(|warning| format!("warning: {warning}\n")).unwrap_or_default();
    print(&format!("{}{warning}", loaded.check()))
}

/// `config secret`: a fresh secret.
pub(crate) fn secret() -> Result<(), CommandError> {
    print(SecretKeys::generate(&OsEntropy).expose())
}

/// The outcome of a command that talks to a server as any client does.
pub(crate) fn client_command<E: std::fmt::Display>(outcome: Result<(), E>) -> Result<(), CommandError> {
    outcome.map_err(|error| CommandError::Refused(error.to_string()))
}
