//! From settings to a running platform: the only place that chooses adapters.

use std::sync::Arc;

use sitewatch_auth::{AccessTokens, BcryptHasher, KeyRingSealer, SecretKeys};
use sitewatch_domain::{
    Platform, Ports,
    ports::{JobQueue, Store as _},
};
use sitewatch_jobs::{
    Bells, RedisBell,
    deliver::{FileMailer, Mailer, Post, SmtpMailer, SmtpServer, mail_domain},
};
use sitewatch_persistence::{ConnectError, MigrateError, OLDEST_SQLITE_TEXT, SeaStore, StoreSettings};

use crate::{
    config::{Config, Database, DatabaseTarget},
    data_folder::DataFolder,
    exit::StartError,
    system::{OsEntropy, SystemClock},
};

/// Who signs access tokens, and whom they are for.
const ISSUER: &str = "sitewatch";

/// A platform on the adapters that the settings choose.
pub struct Runtime {
    /// The use cases.
    pub platform: Platform,
    /// The fingerprints of this node's secret keys, the signing one first.
    pub key_fingerprints: Vec<String>,
    /// Migrations that ran at this start.
    pub migrated: Vec<String>,
    /// Migrations that the database lacks.
    pub pending_migrations: Vec<String>,
    /// Wakes workers of this process.
    pub bells: Bells,
    /// Wakes those of other processes, if the settings name a Redis for it.
    pub redis: Option<RedisBell>,
    /// Sends mails.
    pub post: Post,
}

/// Connects the database, brings its schema up to date if the settings say so, and puts the platform together.
///
/// # Errors
/// What stops the start, with the sentence for the operator.
pub async fn assemble(config: &Config) -> Result<Runtime, StartError> {
    choose_cryptography();
    let folder = DataFolder::open(&config.storage.data_dir)?;
    let keys = folder.secret_keys(&config.security)?;
    // Making the hash that stands in for unknown users takes as long as a sign-in, so it runs beside the database's start.
    let keys = Arc::new(keys);
    let (hasher_keys, cost) = (Arc::clone(&keys), config.security.bcrypt_cost);
    let hasher = tokio::task::spawn_blocking(move || BcryptHasher::new(&hasher_keys, cost));
    let (store, migrated) = open_store(&config.database).await?;
    let pending_migrations =
        store.pending_migrations().await.map_err(|error| StartError::Internal(error.into()))?;
    let hasher = hasher.await.map_err(|error| StartError::Internal(error.into()))?;
    let hasher = hasher.map_err(|error| StartError::Internal(error.into()))?;
    let bells = Bells::default();
    let redis = config.redis.queue_url.as_ref().map(|url| RedisBell::new(url.expose(), bells.clone()));
    let redis = redis.transpose().map_err(|error| StartError::QueueUrl { problem: error.to_string() })?;
    let queue: Arc<dyn JobQueue> = match &redis {
        Some(redis) => Arc::new(redis.clone()),
        None => Arc::new(bells.clone()),
    };
    let platform = Platform::new(ports(store, &keys, hasher, queue)?);
    let key_fingerprints = keys.fingerprints().map(str::to_owned).collect();
    Ok(Runtime {
        platform,
        key_fingerprints,
        migrated,
        pending_migrations,
        bells,
        redis,
        post: post(config)?,
    })
}

/// TLS is that of AWS-LC everywhere. A second provider is built in by dependencies, and connections would not choose by themselves.
pub(crate) fn choose_cryptography() {
    // Only the first choice of a process counts, and it is always this one.
    let _chosen_before = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// The post that the settings choose: a mail server, or files in the data folder.
///
/// # Errors
/// None for settings that were checked.
pub(crate) fn post(config: &Config) -> Result<Post, StartError> {
    let mailer: Arc<dyn Mailer> = match &config.mail.smtp_url {
        Some(url) => {
            let server = url.expose().parse::<SmtpServer>();
            let server = server.map_err(|error| StartError::Internal(error.into()))?;
            Arc::new(SmtpMailer::new(server, mail_domain(&config.server.public_url)))
        }
        None => Arc::new(FileMailer::new(config.storage.data_dir.join("mail"))),
    };
    Ok(Post::new(mailer, config.mail.from.clone(), config.server.public_url.clone()))
}

fn ports(
    store: SeaStore,
    keys: &SecretKeys,
    hasher: BcryptHasher,
    queue: Arc<dyn JobQueue>,
) -> Result<Ports, StartError> {
    let tokens =
        AccessTokens::new(keys, ISSUER, ISSUER).map_err(|error| StartError::Internal(error.into()))?;
    let sealer = KeyRingSealer::new(keys).map_err(|error| StartError::Internal(error.into()))?;
    Ok(Ports {
        store: Arc::new(store),
        queue,
        passwords: Arc::new(hasher),
        tokens: Arc::new(tokens),
        sealer: Arc::new(sealer),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
    })
}

async fn open_store(database: &Database) -> Result<(SeaStore, Vec<String>), StartError> {
    let migrated = if database.migrate { migrate(database).await? } else { Vec::new() };
    let settings = store_settings(&database.target);
    let store = SeaStore::connect(settings, Arc::new(SystemClock), Arc::new(OsEntropy)).await;
    Ok((store.map_err(|error| start_error(database, error))?, migrated))
}

/// Brings the schema of a database up to date, whatever the settings say about doing so at a start; what ran.
///
/// # Errors
/// What stops the start, with the sentence for the operator.
pub async fn migrate(database: &Database) -> Result<Vec<String>, StartError> {
    let settings = store_settings(&database.target);
    SeaStore::migrate_up(&settings).await.map_err(|error| start_error(database, error))
}

/// The sentence for a database that cannot be used.
pub(crate) fn start_error(database: &Database, error: ConnectError) -> StartError {
    match error {
        ConnectError::Unreachable(error) => match &database.target {
            DatabaseTarget::Sqlite(path) => {
                StartError::data_folder(path, std::io::Error::other(error.to_string()))
            }
            DatabaseTarget::Postgres { url, .. } => StartError::database(url, &error),
        },
        ConnectError::SqliteTooOld(found) => StartError::SqliteTooOld { found, needed: OLDEST_SQLITE_TEXT },
        ConnectError::Migrate(MigrateError::Newer { database, program }) => {
            StartError::SchemaNewer { database, program }
        }
        ConnectError::Migrate(error) => StartError::Internal(error.into()),
    }
}

/// How the database of the settings is reached.
pub(crate) fn store_settings(target: &DatabaseTarget) -> StoreSettings {
    match target {
        DatabaseTarget::Sqlite(path) => StoreSettings::sqlite(path),
        DatabaseTarget::Postgres { url, admin_url } => {
            StoreSettings::postgres(url.clone(), admin_url.clone())
        }
    }
}
