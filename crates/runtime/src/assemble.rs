//! From settings to a running platform: the only place that chooses adapters.

use std::sync::Arc;

use ipnet::IpNet;
use sitewatch_auth::{AccessTokens, BcryptHasher, HasherError, KeyRingNotary, KeyRingSealer, SecretKeys};
use sitewatch_domain::{
    Platform, Ports,
    ports::{AnswerCache, FileStore, JobQueue, Notary, RateLimiter, Store as _},
};
use sitewatch_ephemeral::{LocalCache, LocalLimiter, RedisCache, RedisLimiter, Unlimited};
use sitewatch_files::{BucketStore, FolderStore};
use sitewatch_jobs::{
    Bells, RedisBell, ReportFiles,
    deliver::{FileMailer, Mailer, Post, SmtpMailer, SmtpServer, mail_domain},
};
use sitewatch_persistence::{ConnectError, MigrateError, OLDEST_SQLITE_TEXT, SeaStore, StoreSettings};
use tokio::task::JoinHandle;

use crate::{
    config::{Cache, Config, Database, DatabaseTarget, Limits, ReportStore},
    data_folder::DataFolder,
    exit::StartError,
    system::{OsEntropy, SystemClock},
    work::actor,
};

/// Who signs access tokens, and whom they are for.
const ISSUER: &str = "sitewatch";

/// A platform on the adapters that the settings choose.
pub struct Runtime {
    /// The use cases.
    pub platform: Platform,
    /// The database below it, and how it is reached.
    store: (Arc<SeaStore>, Database),
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
    /// Whose word on the addresses of clients is taken.
    pub trusted_proxies: Vec<IpNet>,
}

/// Connects the database, brings its schema up to date if the settings say so, and puts the platform together.
///
/// # Errors
/// What stops the start, with the sentence for the operator.
pub async fn assemble(config: &Config) -> Result<Runtime, StartError> {
    choose_cryptography();
    let folder = DataFolder::open(&config.storage.data_dir)?;
    let cost = config.security.bcrypt_cost;
    let keys = match folder.secret_keys(&config.security)? {
        Some(keys) => keys,
        None => first_keys(&folder, config).await?,
    };
    // Making the hash that stands in for unknown users takes as long as a sign-in, so it runs beside the database's start.
    let (keys, hasher) = hashing(keys, cost);
    let notary: Arc<dyn Notary> =
        Arc::new(KeyRingNotary::new(&keys).map_err(|error| StartError::Internal(error.into()))?);
    let migrated = migrate_at_start(&config.database).await?;
    let store = connect(config, Arc::clone(&notary)).await?;
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
    let store = Arc::new(store);
    let platform = Platform::new(ports(config, Arc::clone(&store), &keys, notary, hasher, queue)?);
    let platform = platform
        .keeping_reports_for(config.reports.kept_for)
        .requiring_passwords_of(config.security.password_min_length)
        .limiting_to(config.limits.thresholds)
        .sharing(config.limits.shares.clone())
        .caching_for(config.cache.times);
    let key_fingerprints = keys.fingerprints().map(str::to_owned).collect();
    Ok(Runtime {
        post: post(config)?.with_attachments(Arc::new(ReportFiles::new(platform.clone(), actor()))),
        platform,
        store: (store, config.database.clone()),
        key_fingerprints,
        migrated,
        pending_migrations,
        bells,
        redis,
        trusted_proxies: config.server.trusted_proxies.clone(),
    })
}

impl Runtime {
    /// The database below the platform.
    pub(crate) fn store(&self) -> Arc<SeaStore> {
        Arc::clone(&self.store.0)
    }

    /// Refuses a database that does not keep rows apart although the settings say so. For one with a whole schema.
    pub(crate) async fn require_row_level_security(&self) -> Result<(), StartError> {
        let (store, database) = &self.store;
        store.check_row_level_security().await.map_err(|error| start_error(database, error))
    }
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

fn report_files(store: &ReportStore) -> Result<Arc<dyn FileStore>, StartError> {
    match store {
        ReportStore::Folder(path) => Ok(Arc::new(FolderStore::new(path.clone()))),
        ReportStore::Bucket(url, key) => {
            Ok(Arc::new(BucketStore::new(url, key.as_ref()).map_err(StartError::Internal)?))
        }
    }
}

/// Buckets in Redis or in this process; none where they are switched off. What is counted in the database is counted in any case.
fn limiter(limits: &Limits, keys: &SecretKeys) -> Result<Arc<dyn RateLimiter>, StartError> {
    let clock = Arc::new(SystemClock);
    Ok(match &limits.redis_url {
        _ if !limits.rate_limits => Arc::new(Unlimited),
        None => Arc::new(LocalLimiter::new(clock)),
        Some(url) => {
            let limiter = RedisLimiter::new(url.expose(), limits.nodes, fingerprint(keys), clock);
            Arc::new(limiter.map_err(|error| StartError::LimitsUrl { problem: error.to_string() })?)
        }
    })
}

/// Tells an installation from others at the same Redis.
fn fingerprint(keys: &SecretKeys) -> &str {
    keys.fingerprints().next().unwrap_or_default()
}

/// Answers in Redis and in this process, or in this process alone.
fn cache(cache: &Cache, keys: &SecretKeys) -> Result<Arc<dyn AnswerCache>, StartError> {
    Ok(match &cache.redis_url {
        None => Arc::new(LocalCache::new(cache.memory_bytes)),
        Some(url) => {
            // Whoever shares a Redis with another installation shares no answers with it.
            let installation = format!("{}:{}", fingerprint(keys), env!("CARGO_PKG_VERSION"));
            let cache = RedisCache::new(url.expose(), cache.memory_bytes, &installation);
            Arc::new(cache.map_err(|error| StartError::CacheUrl { problem: error.to_string() })?)
        }
    })
}

fn ports(
    config: &Config,
    store: Arc<SeaStore>,
    keys: &SecretKeys,
    notary: Arc<dyn Notary>,
    hasher: BcryptHasher,
    queue: Arc<dyn JobQueue>,
) -> Result<Ports, StartError> {
    let tokens =
        AccessTokens::new(keys, ISSUER, ISSUER).map_err(|error| StartError::Internal(error.into()))?;
    let sealer = KeyRingSealer::new(keys).map_err(|error| StartError::Internal(error.into()))?;
    Ok(Ports {
        store,
        queue,
        files: report_files(&config.reports.store)?,
        limiter: limiter(&config.limits, keys)?,
        cache: cache(&config.cache, keys)?,
        passwords: Arc::new(hasher),
        tokens: Arc::new(tokens),
        sealer: Arc::new(sealer),
        notary,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
    })
}

/// A hasher that is being made.
type Hashing = JoinHandle<Result<BcryptHasher, HasherError>>;

/// The keys, and what makes password hashes with them, as soon as it is ready.
fn hashing(keys: SecretKeys, cost: u32) -> (Arc<SecretKeys>, Hashing) {
    let keys = Arc::new(keys);
    let of_hasher = Arc::clone(&keys);
    (keys, tokio::task::spawn_blocking(move || BcryptHasher::new(&of_hasher, cost)))
}

/// Generates the secret of a new installation.
async fn first_keys(folder: &DataFolder, config: &Config) -> Result<SecretKeys, StartError> {
    let lost = || StartError::SecretLost { path: folder.secret_path() };
    // Looked at before anything is written: a database that has a secret is not served with another one.
    let has_secret = SeaStore::has_secret(&store_settings(&config.database)).await;
    let has_secret = has_secret.map_err(|error| start_error(&config.database, error))?;
    if !has_secret {
        folder.generate_secret()?;
    }
    // Read in any case: of two programs that start at once only one wrote the file, and both must use what it holds.
    folder.secret_keys(&config.security)?.ok_or_else(lost)
}

async fn connect(config: &Config, notary: Arc<dyn Notary>) -> Result<SeaStore, StartError> {
    let settings = store_settings(&config.database).telling_of_statements_over(config.log.slow_query);
    let store = SeaStore::connect(settings, Arc::new(SystemClock), Arc::new(OsEntropy), notary).await;
    store.map_err(|error| start_error(&config.database, error))
}

async fn migrate_at_start(database: &Database) -> Result<Vec<String>, StartError> {
    if database.migrate { migrate(database).await } else { Ok(Vec::new()) }
}

/// Brings the schema of a database up to date, whatever the settings say about doing so at a start; what ran.
///
/// # Errors
/// What stops the start, with the sentence for the operator.
pub async fn migrate(database: &Database) -> Result<Vec<String>, StartError> {
    let settings = store_settings(database);
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
        ConnectError::Refused { address, reason } => StartError::DatabaseUnreachable {
            database: database.target.to_string(),
            reason: format!("{address}: {reason}"),
        },
        ConnectError::Denied(reason) => StartError::DatabaseDenied { reason },
        ConnectError::Damaged(reason) => match &database.target {
            DatabaseTarget::Sqlite(path) => StartError::DatabaseDamaged { path: path.clone(), reason },
            DatabaseTarget::Postgres { .. } => StartError::Internal(reason.into()),
        },
        ConnectError::Unwalled => StartError::Unwalled,
        ConnectError::SeesAll(role) => StartError::SeesAll { role },
        ConnectError::SqliteTooOld(found) => StartError::SqliteTooOld { found, needed: OLDEST_SQLITE_TEXT },
        ConnectError::Migrate(MigrateError::Newer { database, program }) => {
            StartError::SchemaNewer { database, program }
        }
        ConnectError::Migrate(error) => StartError::Internal(error.into()),
    }
}

/// How the database of the settings is reached.
pub(crate) fn store_settings(database: &Database) -> StoreSettings {
    match &database.target {
        DatabaseTarget::Sqlite(path) => StoreSettings::sqlite(path),
        DatabaseTarget::Postgres { url, admin_url } => {
            StoreSettings::postgres(url.clone(), admin_url.clone())
                .with_row_level_security(database.row_level_security)
        }
    }
}
