//! The table of settings: one entry each, from which reading, `config show`, suggestions and notes are driven.

mod cache;
mod limits;
mod traces;

use std::net::SocketAddr;

use ipnet::IpNet;
use sitewatch_domain::text::{EmailAddress, Secret};
use url::Url;

use super::{
    types::{Environment, LogFormat},
    values::{self, DatabaseUrl, ReportPlace, Wrong},
};
pub(super) use cache::{CACHE_LISTS, CACHE_OBJECTS, CACHE_REDIS_URL, CACHE_SIZE};
pub(super) use limits::{
    LIMIT_ADDRESS_FACTOR, LIMIT_AUTH, LIMIT_EXPORT, LIMIT_INGEST, LIMIT_NODES, LIMIT_READ, LIMIT_REDIS_URL,
    LIMIT_SHARES, LIMIT_WRITE, RATE_LIMITS,
};
pub(super) use traces::{TRACES_SAMPLE, TRACES_URL};

/// Variables of commands that talk to a server as its clients do. They are no settings, and stand in the environment of
/// whoever also runs commands that have some.
pub(super) const OF_COMMANDS: [&str; 1] = ["SITEWATCH_TOKEN"];

/// What all environment variables of Sitewatch begin with.
pub(super) const PREFIX: &str = "SITEWATCH_";
/// The variable that names the settings file. It has no file key, for a file cannot name itself.
pub(super) const CONFIG_VARIABLE: &str = "SITEWATCH_CONFIG";

/// The TOML types a setting may be written in. In the environment and in flags everything is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A string.
    Text,
    /// An integer.
    Number,
    /// A boolean, or one of the strings `on` and `off`.
    Toggle,
    /// An array of strings, or one string with commas.
    List,
}

impl Shape {
    /// How to write such a value in a file.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::Text => "write it as a string in quotation marks",
            Self::Number => "write it as a whole number",
            Self::Toggle => "write true or false",
            Self::List => "write it as a list of strings",
        }
    }
}

/// How much of a value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// All of it.
    Open,
    /// A URL whose password and unknown parameters are masked.
    Url,
    /// Nothing.
    Whole,
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    /// `section.key` of the file.
    pub(super) key: &'static str,
    /// The environment variable.
    pub(super) env: &'static str,
    pub(super) shape: Shape,
    pub(super) secrecy: Secrecy,
    /// Whether an empty value switches a feature off; otherwise an empty value is a fault.
    pub(super) may_be_empty: bool,
    /// What it is, in one line.
    pub(super) doc: &'static str,
}

impl Setting {
    /// Whether the value may also come from a file that `…_file` or `…_FILE` names.
    pub(super) fn is_secret(&self) -> bool {
        self.secrecy != Secrecy::Open
    }
}

/// A setting together with the way its text becomes a value.
pub(super) struct Key<T> {
    pub(super) setting: Setting,
    pub(super) parse: fn(&str) -> Result<T, Wrong>,
}

impl<T> Key<T> {
    const fn new(
        key: &'static str,
        env: &'static str,
        parse: fn(&str) -> Result<T, Wrong>,
        doc: &'static str,
    ) -> Self {
        let setting =
            Setting { key, env, shape: Shape::Text, secrecy: Secrecy::Open, may_be_empty: false, doc };
        Self { setting, parse }
    }

    const fn shape(mut self, shape: Shape) -> Self {
        self.setting.shape = shape;
        self
    }

    const fn secrecy(mut self, secrecy: Secrecy) -> Self {
        self.setting.secrecy = secrecy;
        self
    }

    const fn empty_is_off(mut self) -> Self {
        self.setting.may_be_empty = true;
        self
    }
}

pub(super) static ENV: Key<Environment> =
    Key::new("general.env", "SITEWATCH_ENV", values::environment, "development or production");

pub(super) static BIND: Key<SocketAddr> =
    Key::new("server.bind", "SITEWATCH_BIND", values::address, "address and port of the API");
pub(super) static PUBLIC_URL: Key<Url> = Key::new(
    "server.public_url",
    "SITEWATCH_PUBLIC_URL",
    values::public_url,
    "what users type to reach this installation",
);
pub(super) static WORKERS: Key<u16> =
    Key::new("server.workers", "SITEWATCH_WORKERS", values::workers, "threads that answer requests")
        .shape(Shape::Number);
pub(super) static REQUIRE_HTTPS: Key<bool> = Key::new(
    "server.require_https",
    "SITEWATCH_REQUIRE_HTTPS",
    values::toggle,
    "refuse API requests that did not come over HTTPS",
)
.shape(Shape::Toggle);
pub(super) static TRUSTED_PROXIES: Key<Vec<IpNet>> = Key::new(
    "server.trusted_proxies",
    "SITEWATCH_TRUSTED_PROXIES",
    values::networks,
    "reverse proxies whose forwarding headers are believed",
)
.shape(Shape::List)
.empty_is_off();
pub(super) static CORS_ORIGINS: Key<Vec<String>> = Key::new(
    "server.cors_origins",
    "SITEWATCH_CORS_ORIGINS",
    values::origins,
    "web pages that may call the API from a browser",
)
.shape(Shape::List)
.empty_is_off();
pub(super) static MAX_BODY: Key<usize> = Key::new(
    "server.max_body_kib",
    "SITEWATCH_MAX_BODY_KIB",
    values::body_kibibytes,
    "KiB that the body of a request has at most",
)
.shape(Shape::Number);
pub(super) static MAX_URI: Key<usize> = Key::new(
    "server.max_uri_bytes",
    "SITEWATCH_MAX_URI_BYTES",
    values::uri_bytes,
    "bytes that the address of a request has at most",
)
.shape(Shape::Number);
pub(super) static MAX_HEAD: Key<usize> = Key::new(
    "server.max_head_kib",
    "SITEWATCH_MAX_HEAD_KIB",
    values::head_kibibytes,
    "KiB that the address and all headers of a request have at most",
)
.shape(Shape::Number);
pub(super) static REQUESTS_AT_ONCE: Key<usize> = Key::new(
    "server.requests_at_once",
    "SITEWATCH_REQUESTS_AT_ONCE",
    values::requests_at_once,
    "requests that a server works on at the same time",
)
.shape(Shape::Number);
pub(super) static BODY_TIMEOUT: Key<u64> = Key::new(
    "server.body_timeout_s",
    "SITEWATCH_BODY_TIMEOUT_S",
    values::body_seconds,
    "seconds that the body of a request may take to arrive",
)
.shape(Shape::Number);
pub(super) static MANAGEMENT_BIND: Key<SocketAddr> = Key::new(
    "server.management_bind",
    "SITEWATCH_MANAGEMENT_BIND",
    values::address,
    "address and port of the server's health and metrics",
)
.empty_is_off();

pub(super) static DATA_DIR: Key<std::path::PathBuf> = Key::new(
    "storage.data_dir",
    "SITEWATCH_DATA_DIR",
    values::path,
    "folder for the SQLite database, generated secrets and report files",
);

pub(super) static DATABASE_URL: Key<DatabaseUrl> = Key::new(
    "database.url",
    "SITEWATCH_DATABASE_URL",
    values::database_url,
    "the database: postgres://… or sqlite:path",
)
.secrecy(Secrecy::Url);
pub(super) static DATABASE_ADMIN_URL: Key<Secret<String>> = Key::new(
    "database.admin_url",
    "SITEWATCH_DATABASE_ADMIN_URL",
    values::postgres_url,
    "the PostgreSQL role that runs migrations",
)
.secrecy(Secrecy::Url);
pub(super) static MIGRATE: Key<bool> = Key::new(
    "database.migrate",
    "SITEWATCH_MIGRATE",
    values::toggle,
    "bring the schema up to date at the start",
)
.shape(Shape::Toggle);

pub(super) static ROW_LEVEL_SECURITY: Key<bool> = Key::new(
    "database.row_level_security",
    "SITEWATCH_DATABASE_ROW_LEVEL_SECURITY",
    values::toggle,
    "PostgreSQL itself keeps the rows of organizations apart",
)
.shape(Shape::Toggle);

pub(super) static REDIS_URL: Key<Secret<String>> =
    Key::new("redis.url", "SITEWATCH_REDIS_URL", values::redis_url, "Redis for cache and rate limiter")
        .secrecy(Secrecy::Url)
        .empty_is_off();
pub(super) static QUEUE_REDIS_URL: Key<Secret<String>> = Key::new(
    "redis.queue_url",
    "SITEWATCH_QUEUE_REDIS_URL",
    values::redis_server_url,
    "Redis for the job queue",
)
.secrecy(Secrecy::Url)
.empty_is_off();

pub(super) static JOB_LEASE: Key<u64> = Key::new(
    "jobs.lease_s",
    "SITEWATCH_JOBS_LEASE_S",
    values::lease_seconds,
    "seconds after which the jobs of a worker that gives no sign of life are taken back",
)
.shape(Shape::Number);
pub(super) static JOB_POLL: Key<u64> = Key::new(
    "jobs.poll_ms",
    "SITEWATCH_JOBS_POLL_MS",
    values::poll_milliseconds,
    "milliseconds between a worker's looks at the database when nothing rings",
)
.shape(Shape::Number);
pub(super) static WORKER_MANAGEMENT_BIND: Key<SocketAddr> = Key::new(
    "jobs.management_bind",
    "SITEWATCH_WORKER_MANAGEMENT_BIND",
    values::address,
    "address and port of the worker's health and metrics",
)
.empty_is_off();

pub(super) static SECRET_KEY: Key<Secret<String>> = Key::new(
    "security.secret_key",
    "SITEWATCH_SECRET_KEY",
    values::secret_keys,
    "at least 32 random bytes in base64, shared by all nodes",
)
.secrecy(Secrecy::Whole);
pub(super) static BCRYPT_COST: Key<u32> = Key::new(
    "security.bcrypt_cost",
    "SITEWATCH_BCRYPT_COST",
    values::bcrypt_cost,
    "work factor of password hashing",
)
.shape(Shape::Number);

pub(super) static PASSWORD_MIN_LENGTH: Key<usize> = Key::new(
    "security.password_min_length",
    "SITEWATCH_PASSWORD_MIN_LENGTH",
    values::password_length,
    "characters that a password has at least",
)
.shape(Shape::Number);

pub(super) static ADMIN_EMAIL: Key<EmailAddress> =
    Key::new("admin.email", "SITEWATCH_ADMIN_EMAIL", values::email, "address of the first superuser")
        .empty_is_off();
pub(super) static ADMIN_PASSWORD: Key<Secret<String>> =
    Key::new("admin.password", "SITEWATCH_ADMIN_PASSWORD", values::secret, "password of the first superuser")
        .secrecy(Secrecy::Whole)
        .empty_is_off();

pub(super) static SMTP_URL: Key<Secret<String>> =
    Key::new("mail.smtp_url", "SITEWATCH_SMTP_URL", values::smtp_url, "server that sends mail")
        .secrecy(Secrecy::Url)
        .empty_is_off();
pub(super) static MAIL_FROM: Key<EmailAddress> =
    Key::new("mail.from", "SITEWATCH_MAIL_FROM", values::email, "address that mails are sent from");

pub(super) static REPORT_STORE: Key<ReportPlace> = Key::new(
    "reports.store",
    "SITEWATCH_REPORTS_STORE",
    values::report_store,
    "folder or bucket that keeps the files of reports",
)
.empty_is_off();
pub(super) static REPORT_KEY_ID: Key<String> = Key::new(
    "reports.access_key_id",
    "SITEWATCH_REPORTS_ACCESS_KEY_ID",
    values::text,
    "name of the key to the bucket",
)
.empty_is_off();
pub(super) static REPORT_KEY: Key<Secret<String>> = Key::new(
    "reports.secret_access_key",
    "SITEWATCH_REPORTS_SECRET_ACCESS_KEY",
    values::secret,
    "key to the bucket",
)
.secrecy(Secrecy::Whole)
.empty_is_off();
pub(super) static REPORT_RETENTION: Key<u64> = Key::new(
    "reports.retention_days",
    "SITEWATCH_REPORTS_RETENTION_DAYS",
    values::retention_days,
    "days after which the files of reports are removed",
)
.shape(Shape::Number);

pub(super) static LOG: Key<String> =
    Key::new("log.filter", "SITEWATCH_LOG", values::log_filter, "what is logged");
pub(super) static LOG_FORMAT: Key<LogFormat> =
    Key::new("log.format", "SITEWATCH_LOG_FORMAT", values::log_format, "json or text");
pub(super) static SLOW_REQUEST: Key<u64> = Key::new(
    "log.slow_request_ms",
    "SITEWATCH_LOG_SLOW_REQUEST_MS",
    values::slow_milliseconds,
    "milliseconds from which on the log tells of a request that it was slow",
)
.shape(Shape::Number)
.empty_is_off();
pub(super) static SLOW_QUERY: Key<u64> = Key::new(
    "log.slow_query_ms",
    "SITEWATCH_LOG_SLOW_QUERY_MS",
    values::slow_milliseconds,
    "milliseconds from which on the log tells of a statement that it was slow",
)
.shape(Shape::Number)
.empty_is_off();

/// All settings, in the order of the file.
pub(super) static SETTINGS: [&Setting; 54] = [
    &ENV.setting,
    &BIND.setting,
    &PUBLIC_URL.setting,
    &WORKERS.setting,
    &REQUIRE_HTTPS.setting,
    &TRUSTED_PROXIES.setting,
    &CORS_ORIGINS.setting,
    &MAX_BODY.setting,
    &MAX_URI.setting,
    &MAX_HEAD.setting,
    &BODY_TIMEOUT.setting,
    &REQUESTS_AT_ONCE.setting,
    &MANAGEMENT_BIND.setting,
    &DATA_DIR.setting,
    &DATABASE_URL.setting,
    &DATABASE_ADMIN_URL.setting,
    &MIGRATE.setting,
    &ROW_LEVEL_SECURITY.setting,
    &REDIS_URL.setting,
    &QUEUE_REDIS_URL.setting,
    &JOB_LEASE.setting,
    &JOB_POLL.setting,
    &WORKER_MANAGEMENT_BIND.setting,
    &SECRET_KEY.setting,
    &BCRYPT_COST.setting,
    &PASSWORD_MIN_LENGTH.setting,
    &ADMIN_EMAIL.setting,
    &ADMIN_PASSWORD.setting,
    &SMTP_URL.setting,
    &MAIL_FROM.setting,
    &REPORT_STORE.setting,
    &REPORT_KEY_ID.setting,
    &REPORT_KEY.setting,
    &REPORT_RETENTION.setting,
    &RATE_LIMITS.setting,
    &LIMIT_AUTH.setting,
    &LIMIT_READ.setting,
    &LIMIT_WRITE.setting,
    &LIMIT_INGEST.setting,
    &LIMIT_EXPORT.setting,
    &LIMIT_ADDRESS_FACTOR.setting,
    &LIMIT_SHARES.setting,
    &LIMIT_REDIS_URL.setting,
    &LIMIT_NODES.setting,
    &CACHE_OBJECTS.setting,
    &CACHE_LISTS.setting,
    &CACHE_SIZE.setting,
    &CACHE_REDIS_URL.setting,
    &LOG.setting,
    &LOG_FORMAT.setting,
    &SLOW_REQUEST.setting,
    &SLOW_QUERY.setting,
    &TRACES_URL.setting,
    &TRACES_SAMPLE.setting,
];

/// How a name leads to a setting.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) setting: &'static Setting,
    /// The name ends in `_file` or `_FILE`: its value is the path of a file that holds the secret.
    pub(super) by_file: bool,
}

impl Found {
    /// The environment variable of the same meaning.
    pub(super) fn variable(&self) -> String {
        let [plain, of_file] = self.variables();
        if self.by_file { of_file } else { plain }
    }

    /// The setting's variable, and the one that names a file with its value.
    pub(super) fn variables(&self) -> [String; 2] {
        [self.setting.env.to_owned(), format!("{}_FILE", self.setting.env)]
    }
}

/// The setting of a file key `section.key`, or of `section.key_file` for secrets.
pub(super) fn by_key(name: &str) -> Option<Found> {
    find(name, "_file", |setting| setting.key)
}

/// The setting of an environment variable, or of `…_FILE` for secrets.
pub(super) fn by_variable(name: &str) -> Option<Found> {
    find(name, "_FILE", |setting| setting.env)
}

fn find(name: &str, suffix: &str, named: fn(&Setting) -> &'static str) -> Option<Found> {
    let direct = SETTINGS.iter().find(|setting| named(setting) == name);
    if let Some(setting) = direct {
        return Some(Found { setting, by_file: false });
    }
    let stem = name.strip_suffix(suffix)?;
    let setting = SETTINGS.iter().find(|setting| setting.is_secret() && named(setting) == stem)?;
    Some(Found { setting, by_file: true })
}

/// Whether a name is that of a section of the file.
pub(super) fn is_section(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.key.split_once('.').is_some_and(|(section, _)| section == name))
}
