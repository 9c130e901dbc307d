//! The settings as typed values, grouped as in the file.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;
use sitewatch_domain::{
    cache::CacheTimes,
    limits::{Shares, Thresholds},
    text::{EmailAddress, Secret},
};
use sitewatch_files::{BucketKey, BucketUrl};
use sitewatch_http::{RequestLimits, Transport};
use url::Url;

/// All settings of one process, validated against each other.
#[derive(Debug, Clone)]
pub struct Config {
    /// How strict the start is about sample values.
    pub environment: Environment,
    /// The API's listener.
    pub server: Server,
    /// Where files are kept.
    pub storage: Storage,
    /// The database.
    pub database: Database,
    /// Redis; `None` inside stands for in-process replacements.
    pub redis: Redis,
    /// The working off of jobs.
    pub jobs: Jobs,
    /// Keys and password hashing.
    pub security: Security,
    /// The first superuser, if the settings name one.
    pub admin: Option<FirstAdmin>,
    /// Outgoing mail.
    pub mail: Mail,
    /// The files of reports.
    pub reports: Reports,
    /// Rate limits.
    pub limits: Limits,
    /// Answers that are given again.
    pub cache: Cache,
    /// Logging.
    pub log: Log,
    /// Sending traces.
    pub traces: Traces,
}

/// What an installation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// Try-outs and tests: weak secrets are the owner's business.
    Development,
    /// Real data: sample secrets and weak password hashing are refused.
    Production,
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Development => "development",
            Self::Production => "production",
        })
    }
}

/// `[server]`.
#[derive(Debug, Clone)]
pub struct Server {
    /// Address and port of the API; port 0 takes a free one.
    pub bind: SocketAddr,
    /// What users type: http or https, no path, query or user.
    pub public_url: Url,
    /// Threads that answer requests, 1 to 512.
    pub workers: u16,
    /// Refuse API requests that did not come over HTTPS.
    pub require_https: bool,
    /// Whose forwarding headers are believed; may be empty.
    pub trusted_proxies: Vec<IpNet>,
    /// Exact origins, each `scheme://host[:port]`; may be empty.
    pub cors_origins: Vec<String>,
    /// How long requests may be, and how many are worked on at the same time.
    pub requests: RequestLimits,
    /// Address and port of health and metrics; `None`: off.
    pub management_bind: Option<SocketAddr>,
}

impl Server {
    /// By which rules the API is asked.
    pub fn transport(&self) -> Transport {
        let transport = Transport::within(self.requests).open_to(self.cors_origins.clone());
        if self.require_https { transport.over_https_alone(&self.public_url) } else { transport }
    }

    /// How a program on this machine reaches the API: `http://host:port`.
    pub fn local_address(&self) -> String {
        let mut bind = self.bind;
        match bind.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => bind.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => bind.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        format!("http://{bind}")
    }
}

/// `[storage]`.
#[derive(Debug, Clone)]
pub struct Storage {
    /// Absolute path; need not exist yet.
    pub data_dir: PathBuf,
}

/// `[database]`.
#[derive(Debug, Clone)]
pub struct Database {
    /// Which database, and how to reach it.
    pub target: DatabaseTarget,
    /// Bring the schema up to date at the start.
    pub migrate: bool,
    /// PostgreSQL itself keeps the rows of organizations apart.
    pub row_level_security: bool,
}

/// The database of an installation.
#[derive(Debug, Clone)]
pub enum DatabaseTarget {
    /// One file; absolute path, need not exist yet.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres {
        /// The role that serves requests.
        url: Secret<String>,
        /// The role that runs migrations; often the same.
        admin_url: Secret<String>,
    },
}

impl fmt::Display for DatabaseTarget {
    /// Fit for a banner or an error: the password is masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres { url, .. } => f.write_str(&super::masked_url(url.expose())),
        }
    }
}

/// `[redis]`.
#[derive(Debug, Clone)]
pub struct Redis {
    /// The common one, where the others are not given; `None`: in-process.
    pub url: Option<Secret<String>>,
    /// For the job queue; `None`: jobs are found by polling the database, which on SQLite the server itself does.
    pub queue_url: Option<Secret<String>>,
}

/// `[jobs]`.
#[derive(Debug, Clone, Copy)]
pub struct Jobs {
    /// How long a lease holds unless it is renewed.
    pub lease: Duration,
    /// How often a worker looks at the database when nothing rings.
    pub poll: Duration,
    /// Address and port of the worker's health and metrics; `None`: off.
    pub management_bind: Option<SocketAddr>,
}

/// `[security]`.
#[derive(Debug, Clone)]
pub struct Security {
    /// The installation's keys, known to parse as `sitewatch_auth::SecretKeys`; `None`: kept in the data folder.
    pub secret_key: Option<Secret<String>>,
    /// Work factor of bcrypt, 4 to 31.
    pub bcrypt_cost: u32,
    /// Characters that a password has at least, 8 to 128.
    pub password_min_length: usize,
}

/// `[admin]`.
#[derive(Debug, Clone)]
pub struct FirstAdmin {
    /// The address to sign in with.
    pub email: EmailAddress,
    /// The password; as long as the domain wants it.
    pub password: Secret<String>,
}

/// `[mail]`.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Known to parse as a `sitewatch_jobs::deliver::SmtpServer`; `None`: mails are kept as files.
    pub smtp_url: Option<Secret<String>>,
    /// Who mails are from.
    pub from: EmailAddress,
}

/// `[reports]`.
#[derive(Debug, Clone)]
pub struct Reports {
    /// What keeps their files.
    pub store: ReportStore,
    /// How long files are kept.
    pub kept_for: Duration,
}

/// What keeps the files of reports.
#[derive(Debug, Clone)]
pub enum ReportStore {
    /// A folder that all servers and workers see.
    Folder(PathBuf),
    /// A bucket, and the key to it; without one, what the machine or container is given by its provider.
    Bucket(BucketUrl, Option<BucketKey>),
}

/// `[limits]`.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Whether callers are limited at all.
    pub rate_limits: bool,
    /// To how many requests in a minute.
    pub thresholds: Thresholds,
    /// Organizations whose callers have more of them, or less.
    pub shares: Shares,
    /// What all servers count in; `None`: each counts by itself.
    pub redis_url: Option<Secret<String>>,
    /// Servers that share the limits while that is away.
    pub nodes: u32,
}

/// `[cache]`.
#[derive(Debug, Clone)]
pub struct Cache {
    /// How long answers are kept.
    pub times: CacheTimes,
    /// How much memory they may take in this process, about.
    pub memory_bytes: u64,
    /// Where all servers keep them; `None`: each keeps its own.
    pub redis_url: Option<Secret<String>>,
}

/// `[log]`.
#[derive(Debug, Clone)]
pub struct Log {
    /// A filter in the notation of `tracing_subscriber::EnvFilter`, known to parse.
    pub filter: String,
    /// How lines are written.
    pub format: LogFormat,
    /// From when on a request is slow; `None`: never.
    pub slow_request: Option<Duration>,
    /// From when on a statement is slow; `None`: never.
    pub slow_query: Option<Duration>,
}

/// `[traces]`.
#[derive(Debug, Clone)]
pub struct Traces {
    /// The collector, http or https; `None`: nothing is sent.
    pub otlp_url: Option<Secret<String>>,
    /// Of a hundred traces, how many are kept; 1 to 100.
    pub sample_percent: u32,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// One readable line an event.
    Text,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "json",
            Self::Text => "text",
        })
    }
}
