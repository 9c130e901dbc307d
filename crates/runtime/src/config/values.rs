//! From the text of a setting to its value. No message here repeats the text: it may be a secret.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use ipnet::IpNet;
use sitewatch_auth::SecretKeys;
use sitewatch_domain::{
    limits::Shares,
    text::{EmailAddress, Secret},
};
use sitewatch_ephemeral::check_redis_url;
use sitewatch_files::{BucketUrl, NotABucket};
use sitewatch_jobs::deliver::SmtpServer;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};
use url::{Origin, Url};

use super::{
    suggest,
    types::{Environment, LogFormat},
};

/// What is wrong with a value, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) problem: String,
    pub(super) remedy: String,
}

impl Wrong {
    pub(super) fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: remedy.into() }
    }
}

/// Keys of at least 32 random bytes each. The text stays as it is: the key ring is made of it where it is needed.
pub(super) fn secret_keys(text: &str) -> Result<Secret<String>, Wrong> {
    match text.parse::<SecretKeys>() {
        Ok(_) => Ok(Secret::new(text.to_owned())),
        Err(error) => Err(Wrong::new(
            format!("is refused: {error}"),
            "give at least 32 random bytes in base64; `sitewatch-api config secret` prints a fresh key",
        )),
    }
}

/// Whether a key does not look random: readable text, or few distinct bytes, as samples in documents have.
///
/// For 32 random bytes either is less likely than one in 10^12.
pub(super) fn has_sample_key(keys: &Secret<String>) -> bool {
    keys.expose().split(',').any(|key| {
        let standard = Secret::new(key.trim().trim_end_matches('=').replace('-', "+").replace('_', "/"));
        let Ok(bytes) = STANDARD_NO_PAD.decode(standard.expose()).map(Secret::new) else { return true };
        let distinct = bytes.expose().iter().collect::<BTreeSet<_>>().len();
        distinct < 16 || bytes.expose().iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')
    })
}

/// The database as the settings name it. The path of an SQLite file is still as written.
#[derive(Debug, Clone)]
pub(super) enum DatabaseUrl {
    Sqlite(PathBuf),
    Postgres(Secret<String>),
}

pub(super) fn database_url(text: &str) -> Result<DatabaseUrl, Wrong> {
    let Some(path) = text.strip_prefix("sqlite:") else {
        return postgres_url(text).map(DatabaseUrl::Postgres).map_err(|wrong| {
            if is_postgres(text) {
                return wrong;
            }
            Wrong::new(
                "names no database we know",
                "give postgres://user:password@host/name or sqlite:path/to/file.db",
            )
        });
    };
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.contains('?') || path.contains('#') {
        return Err(Wrong::new("has parameters, which Sitewatch sets itself", "give sqlite:path/to/file.db"));
    }
    if path.is_empty() || path == ":memory:" {
        let problem = "names no file, and a database in memory would be another one for each connection";
        return Err(Wrong::new(problem, "give sqlite:path/to/file.db"));
    }
    Ok(DatabaseUrl::Sqlite(PathBuf::from(path)))
}

/// Where reports are kept, as the settings name it. The path of a folder is still as written.
#[derive(Debug, Clone)]
pub(super) enum ReportPlace {
    Folder(PathBuf),
    Bucket(BucketUrl),
}

pub(super) fn report_store(text: &str) -> Result<ReportPlace, Wrong> {
    if !text.contains("://") {
        return Ok(ReportPlace::Folder(PathBuf::from(text)));
    }
    text.parse().map(ReportPlace::Bucket).map_err(|error: NotABucket| {
        let remedy = "give a folder, or s3://bucket/prefix?region=eu-central-1&endpoint=https://host";
        Wrong::new(error.to_string(), remedy)
    })
}

#[expect(clippy::unnecessary_wraps, reason = "every value is read by a function that can refuse it")]
pub(super) fn text(text: &str) -> Result<String, Wrong> {
    Ok(text.to_owned())
}

fn is_postgres(text: &str) -> bool {
    text.starts_with("postgres:") || text.starts_with("postgresql:")
}

pub(super) fn postgres_url(text: &str) -> Result<Secret<String>, Wrong> {
    service_url(text, &["postgres", "postgresql"], "postgres://user:password@host/name")
}

pub(super) fn otlp_url(text: &str) -> Result<Secret<String>, Wrong> {
    service_url(text, &["http", "https"], "http://127.0.0.1:4318")
}

/// A Redis on one server, as the job queue needs it.
pub(super) fn redis_server_url(text: &str) -> Result<Secret<String>, Wrong> {
    service_url(text, &["redis", "rediss"], "redis://host:6379 or rediss://user:password@host:6379")
}

/// A Redis on one server, of a Cluster, or behind Sentinels.
pub(super) fn redis_url(text: &str) -> Result<Secret<String>, Wrong> {
    const SCHEMES: &[&str] =
        &["redis", "rediss", "redis-cluster", "rediss-cluster", "redis-sentinel", "rediss-sentinel"];
    const EXAMPLE: &str = "redis://host:6379, rediss://user:password@host:6379, redis-cluster://host:6379?node=another:6379 \
                           or redis-sentinel://host:26379/master?node=another:26379";
    let url = service_url(text, SCHEMES, EXAMPLE)?;
    match check_redis_url(text) {
        Ok(()) => Ok(url),
        Err(error) => Err(Wrong::new(error.to_string(), format!("give {EXAMPLE}"))),
    }
}

/// Whether this is one server.
pub(super) fn is_one_server(url: &Secret<String>) -> bool {
    redis_server_url(url.expose()).is_ok()
}

pub(super) fn smtp_url(text: &str) -> Result<Secret<String>, Wrong> {
    const EXAMPLE: &str = "smtp://user:password@host:587 or smtps://host";
    let url = service_url(text, &["smtp", "smtps"], EXAMPLE)?;
    match text.parse::<SmtpServer>() {
        Ok(_) => Ok(url),
        Err(error) => Err(Wrong::new(
            error.to_string(),
            format!("give {EXAMPLE}; ?tls=none does without TLS, ?timeout_s=30 waits no longer for one mail"),
        )),
    }
}

fn service_url(text: &str, schemes: &[&str], example: &str) -> Result<Secret<String>, Wrong> {
    let remedy = || format!("give {example}; special characters in a password are written as %XX");
    let url = Url::parse(text).map_err(|error| Wrong::new(format!("is not a URL ({error})"), remedy()))?;
    if !schemes.contains(&url.scheme()) {
        return Err(Wrong::new(format!("does not begin with {}://", schemes.join(":// or ")), remedy()));
    }
    // PostgreSQL's host may stand in a parameter when it is the folder of a socket.
    let has_host = url.host_str().is_some_and(|host| !host.is_empty())
        || url.query_pairs().any(|(name, value)| name == "host" && !value.is_empty());
    if !has_host {
        return Err(Wrong::new("names no host", remedy()));
    }
    if url.fragment().is_some() || super::mask::may_hide_a_password(&url) {
        return Err(Wrong::new("has # or @ where no password can be told from the host", remedy()));
    }
    Ok(Secret::new(text.to_owned()))
}

pub(super) fn public_url(text: &str) -> Result<Url, Wrong> {
    let remedy = "give http(s)://host or http(s)://host:port";
    let url =
        Url::parse(text).map_err(|error| Wrong::new(format!("is not an absolute URL ({error})"), remedy))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Wrong::new("does not begin with http:// or https://", remedy));
    }
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !bare || !url.username().is_empty() || url.password().is_some() {
        return Err(Wrong::new("has a path, parameters or a user", remedy));
    }
    Ok(url)
}

pub(super) fn origins(text: &str) -> Result<Vec<String>, Wrong> {
    items(text).map(origin).collect()
}

fn origin(text: &str) -> Result<String, Wrong> {
    let remedy = "list each origin exactly, like https://dashboard.example.org";
    if text.contains('*') {
        return Err(Wrong::new("must not contain *, which would open the API to every page", remedy));
    }
    let url = public_url(text).map_err(|wrong| Wrong::new(wrong.problem, remedy))?;
    match url.origin() {
        Origin::Opaque(_) => Err(Wrong::new("holds something that is not an origin", remedy)),
        tuple @ Origin::Tuple(..) => Ok(tuple.ascii_serialization()),
    }
}

pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, Wrong> {
    let network = |item: &str| {
        let parsed = item.parse::<IpNet>().ok().or_else(|| item.parse::<IpAddr>().ok().map(IpNet::from));
        let remedy = "list addresses or blocks like 10.0.0.0/8, fd00::/8";
        let network = parsed.ok_or_else(|| Wrong::new("holds something that is not a network", remedy))?;
        if network.prefix_len() == 0 {
            // Whoever is trusted says where a request came from.
            return Err(Wrong::new(
                "trusts every address there is, so that clients choose their own",
                remedy,
            ));
        }
        Ok(network)
    };
    items(text).map(network).collect()
}

pub(super) fn address(text: &str) -> Result<SocketAddr, Wrong> {
    let remedy = "give an IP address and a port, like 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080";
    text.parse().map_err(|_| Wrong::new("is not an address with a port", remedy))
}

#[expect(clippy::unnecessary_wraps, reason = "all parsers have one signature, and every text is a path")]
pub(super) fn path(text: &str) -> Result<PathBuf, Wrong> {
    Ok(PathBuf::from(text))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "all parsers have one signature, and every text may be a secret"
)]
pub(super) fn secret(text: &str) -> Result<Secret<String>, Wrong> {
    Ok(Secret::new(text.to_owned()))
}

pub(super) fn email(text: &str) -> Result<EmailAddress, Wrong> {
    text.parse().map_err(|_| Wrong::new("is not an e-mail address", "give one like admin@example.org"))
}

pub(super) fn workers(text: &str) -> Result<u16, Wrong> {
    let wrong = || Wrong::new("is not a number of threads", "give a whole number from 1 to 512");
    text.parse().ok().filter(|number| (1..=512).contains(number)).ok_or_else(wrong)
}

pub(super) fn body_kibibytes(text: &str) -> Result<usize, Wrong> {
    kibibytes(text, 16..=2048, "give a whole number of KiB from 16 to 2048")
}

pub(super) fn head_kibibytes(text: &str) -> Result<usize, Wrong> {
    kibibytes(text, 8..=128, "give a whole number of KiB from 8 to 128")
}

fn kibibytes(text: &str, legal: RangeInclusive<usize>, remedy: &str) -> Result<usize, Wrong> {
    let number = text.parse().ok().filter(|number| legal.contains(number));
    number.ok_or_else(|| Wrong::new("is not a length of requests", remedy))
}

pub(super) fn uri_bytes(text: &str) -> Result<usize, Wrong> {
    let wrong =
        || Wrong::new("is not a length of addresses", "give a whole number of bytes from 1024 to 32768");
    text.parse().ok().filter(|number| (1_024..=32_768).contains(number)).ok_or_else(wrong)
}

pub(super) fn requests_at_once(text: &str) -> Result<usize, Wrong> {
    let wrong = || Wrong::new("is not a number of requests", "give a whole number from 4 to 10000");
    text.parse().ok().filter(|number| (4..=10_000).contains(number)).ok_or_else(wrong)
}

pub(super) fn body_seconds(text: &str) -> Result<u64, Wrong> {
    let wrong = || Wrong::new("is not a time for bodies", "give a whole number of seconds from 1 to 600");
    text.parse().ok().filter(|number| (1..=600).contains(number)).ok_or_else(wrong)
}

pub(super) fn lease_seconds(text: &str) -> Result<u64, Wrong> {
    let wrong = || Wrong::new("is not a length of leases", "give a whole number of seconds from 2 to 3600");
    text.parse().ok().filter(|number| (2..=3600).contains(number)).ok_or_else(wrong)
}

pub(super) fn poll_milliseconds(text: &str) -> Result<u64, Wrong> {
    let wrong = || Wrong::new("is not a pause", "give a whole number of milliseconds from 20 to 60000");
    text.parse().ok().filter(|number| (20..=60_000).contains(number)).ok_or_else(wrong)
}

pub(super) fn slow_milliseconds(text: &str) -> Result<u64, Wrong> {
    let wrong = || Wrong::new("is not a duration", "give a whole number of milliseconds from 1 to 600000");
    text.parse().ok().filter(|number| (1..=600_000).contains(number)).ok_or_else(wrong)
}

pub(super) fn retention_days(text: &str) -> Result<u64, Wrong> {
    let wrong = || Wrong::new("is not a number of days", "give a whole number of days from 1 to 3650");
    text.parse().ok().filter(|number| (1..=3_650).contains(number)).ok_or_else(wrong)
}

pub(super) fn per_minute(text: &str) -> Result<u32, Wrong> {
    let wrong = || Wrong::new("is not a number of requests", "give a whole number from 1 to 1000000");
    text.parse().ok().filter(|number| (1..=1_000_000).contains(number)).ok_or_else(wrong)
}

pub(super) fn percent(text: &str) -> Result<u32, Wrong> {
    let wrong = || Wrong::new("is not a part of a hundred", "give a whole number from 1 to 100");
    text.parse().ok().filter(|number| (1..=100).contains(number)).ok_or_else(wrong)
}

pub(super) fn factor(text: &str) -> Result<u32, Wrong> {
    let wrong = || Wrong::new("is not a factor", "give a whole number from 1 to 1000");
    text.parse().ok().filter(|number| (1..=1_000).contains(number)).ok_or_else(wrong)
}

pub(super) fn nodes(text: &str) -> Result<u32, Wrong> {
    let wrong = || Wrong::new("is not a number of servers", "give a whole number from 1 to 1000");
    text.parse().ok().filter(|number| (1..=1_000).contains(number)).ok_or_else(wrong)
}

pub(super) fn cache_time(text: &str) -> Result<u64, Wrong> {
    let wrong = || Wrong::new("is not a time to keep answers", "give whole seconds from 0 to 60");
    text.parse().ok().filter(|number| (0..=60).contains(number)).ok_or_else(wrong)
}

pub(super) fn cache_size(text: &str) -> Result<u64, Wrong> {
    let wrong = || Wrong::new("is not a size of the cache", "give whole MiB from 1 to 16384");
    text.parse().ok().filter(|number| (1..=16_384).contains(number)).ok_or_else(wrong)
}

pub(super) fn shares(text: &str) -> Result<Shares, Wrong> {
    let share = |item: &str| {
        let (org, percent) = item.split_once('=')?;
        let percent = percent.trim().parse().ok().filter(|percent| (1..=100_000).contains(percent))?;
        Some((org.trim().parse().ok()?, percent))
    };
    let remedy = "list ids of organizations with 1 to 100000 percent each, like 01890000-0000-7000-8000-000000000000=250";
    let wrong = || Wrong::new("holds something that is no share of an organization", remedy);
    items(text).map(share).collect::<Option<_>>().map(Shares).ok_or_else(wrong)
}

pub(super) fn bcrypt_cost(text: &str) -> Result<u32, Wrong> {
    let wrong = || Wrong::new("is not a bcrypt cost", "give a whole number from 4 to 31");
    text.parse().ok().filter(|number| (4..=31).contains(number)).ok_or_else(wrong)
}

pub(super) fn password_length(text: &str) -> Result<usize, Wrong> {
    let wrong = || Wrong::new("is not a length of passwords", "give a whole number from 8 to 128");
    text.parse().ok().filter(|number| (8..=128).contains(number)).ok_or_else(wrong)
}

pub(super) fn toggle(text: &str) -> Result<bool, Wrong> {
    match text {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err(Wrong::new("is neither on nor off", "give on or off (or true or false)")),
    }
}

pub(super) fn environment(text: &str) -> Result<Environment, Wrong> {
    match text {
        "development" => Ok(Environment::Development),
        "production" => Ok(Environment::Production),
        _ => Err(Wrong::new("is not an environment", "give development or production")),
    }
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, Wrong> {
    match text {
        "json" => Ok(LogFormat::Json),
        "text" => Ok(LogFormat::Text),
        _ => Err(Wrong::new("is not a log format", "give json or text")),
    }
}

pub(super) fn log_filter(text: &str) -> Result<String, Wrong> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let remedy = "give a level (error, warn, info, debug, trace) with exceptions by target, like info,sitewatch_http=debug";
    if let Err(error) = EnvFilter::builder().parse(text) {
        return Err(Wrong::new(format!("is not a log filter ({error})"), remedy));
    }
    // The notation takes any lone word that is no level for a target, so a misspelt level would silence everything else.
    let misspelt =
        items(text).filter(|item| item.chars().all(|c| c.is_ascii_alphabetic())).find_map(|word| {
            let lower = word.to_ascii_lowercase();
            let level = suggest::nearest(&lower, LEVELS.into_iter())?;
            (lower != level).then_some(level)
        });
    match misspelt {
        Some(level) => {
            Err(Wrong::new("holds a word that is almost a level", format!("did you mean {level}?")))
        }
        None => Ok(text.to_owned()),
    }
}

/// Whether a log filter lets debug output through, of whatever target.
pub(super) fn is_talkative(filter: &str) -> bool {
    // What has no highest level depends on what is logged, and may be anything.
    let most = EnvFilter::builder().parse_lossy(filter).max_level_hint();
    most.is_none_or(|most| most > LevelFilter::INFO)
}

/// The items of a list separated by commas; empty ones are no items.
fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}
