//! From texts to typed settings: every value is parsed, then the values are held against each other.

mod cache;
mod limits;
mod reports;

use std::{
    collections::BTreeMap,
    fmt::Display,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use sitewatch_domain::{
    passwords,
    text::{EmailAddress, Secret},
};
use sitewatch_http::RequestLimits;
use sitewatch_jobs::deliver::mail_domain;
use url::Url;

use super::{
    faults::{ConfigFaults, Fault, Origin},
    layers::{Collected, Texts},
    mask::{MASK, masked_url},
    settings::{
        ADMIN_EMAIL, ADMIN_PASSWORD, BCRYPT_COST, BIND, BODY_TIMEOUT, CORS_ORIGINS, DATA_DIR,
        DATABASE_ADMIN_URL, DATABASE_URL, ENV, JOB_LEASE, JOB_POLL, Key, LOG, LOG_FORMAT, MAIL_FROM,
        MANAGEMENT_BIND, MAX_BODY, MAX_HEAD, MAX_URI, MIGRATE, PASSWORD_MIN_LENGTH, PUBLIC_URL,
        QUEUE_REDIS_URL, REDIS_URL, REQUESTS_AT_ONCE, REQUIRE_HTTPS, ROW_LEVEL_SECURITY, SECRET_KEY,
        SLOW_QUERY, SLOW_REQUEST, SMTP_URL, Secrecy, Setting, Shape, TRACES_SAMPLE, TRACES_URL,
        TRUSTED_PROXIES, WORKER_MANAGEMENT_BIND, WORKERS,
    },
    types::{
        Config, Database, DatabaseTarget, Environment, FirstAdmin, Jobs, Log, LogFormat, Mail, Redis,
        Security, Server, Storage, Traces,
    },
    values::{DatabaseUrl, has_sample_key, is_talkative},
};

/// In production; each step below halves the work of whoever steals the hashes.
const PRODUCTION_BCRYPT_COST: u32 = 12;
/// Parts of passwords that stand in documents and examples everywhere.
const SAMPLE_WORDS: [&str; 7] =
    ["changeme", "changethis", "change-me", "change_me", "password", "example", "sitewatch"];

/// How a setting is shown, and where its value comes from.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Masked where it is a secret; `None` if the setting has no value.
    pub(super) shown: Option<String>,
    pub(super) origin: Origin,
}

/// How each setting is shown, by key; complete once all were read.
pub(super) type Entries = BTreeMap<&'static str, Entry>;

/// Parses and checks everything that was collected.
pub(super) fn resolve(collected: Collected, directory: &Path) -> Result<(Config, Entries), ConfigFaults> {
    let mut reader = Reader { texts: collected.texts, entries: Entries::new(), faults: collected.faults };
    let config = reader.config(directory);
    match config {
        Some(config) if reader.faults.is_empty() => Ok((config, reader.entries)),
        _ => Err(ConfigFaults(reader.faults)),
    }
}

struct Reader {
    texts: Texts,
    entries: Entries,
    faults: Vec<Fault>,
}

impl Reader {
    /// All settings; `None` only beside a fault. Every setting is read before the first `?`, so that all faults are found.
    fn config(&mut self, directory: &Path) -> Option<Config> {
        let bind = self.required(&BIND);
        let environment = self.environment(bind);
        let data_dir = self.required(&DATA_DIR).map(|path| absolute(directory, &path));
        let server = self.server(bind);
        let database = self.database(data_dir.as_deref(), directory);
        let on_sqlite =
            database.as_ref().is_some_and(|database| matches!(database.target, DatabaseTarget::Sqlite(_)));
        let redis = self.redis(on_sqlite);
        let jobs = self.jobs();
        let reports = self.reports(data_dir.as_deref(), directory);
        let security = self.security(environment);
        let min_length =
            security.as_ref().map_or(passwords::DEFAULT_MIN_LENGTH, |security| security.password_min_length);
        let admin = self.admin(environment, min_length);
        let mail = self.mail(server.as_ref().map(|server| &server.public_url));
        let limits = self.limits(&redis);
        let cache = self.cache(&redis);
        let log = self.log(environment);
        let traces = self.traces();

        Some(Config {
            environment,
            server: server?,
            storage: Storage { data_dir: data_dir? },
            database: database?,
            redis,
            jobs: jobs?,
            reports: reports?,
            security: security?,
            admin,
            mail: mail?,
            limits: limits?,
            cache: cache?,
            log: log?,
            traces: traces?,
        })
    }

    fn environment(&mut self, bind: Option<SocketAddr>) -> Environment {
        let exposed = bind.is_some_and(|bind| !bind.ip().is_loopback());
        let by_address = if exposed { Environment::Production } else { Environment::Development };
        self.derived(&ENV, by_address, "from server.bind", Environment::to_string)
    }

    fn server(&mut self, bind: Option<SocketAddr>) -> Option<Server> {
        let public_url = match (self.given(&PUBLIC_URL), bind) {
            (Some(url), _) => Some(url),
            (None, Some(bind)) => self.local_url(bind),
            (None, None) => None,
        };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let cores = u16::try_from(cores).unwrap_or(u16::MAX).min(512);
        let workers = self.derived(&WORKERS, cores, "the number of processor cores", u16::to_string);
        let require_https = self.required(&REQUIRE_HTTPS);
        let trusted_proxies = self.optional(&TRUSTED_PROXIES).unwrap_or_default();
        let cors_origins = self.optional(&CORS_ORIGINS).unwrap_or_default();
        let requests = self.request_limits();
        let management_bind = self.optional(&MANAGEMENT_BIND);
        if let (Some(bind), Some(management)) = (bind, management_bind)
            && overlap(bind, management)
        {
            let remedy = "choose another port, or leave it empty to switch it off";
            self.fault(&MANAGEMENT_BIND.setting, "takes the port of server.bind", remedy);
        }
        Some(Server {
            bind: bind?,
            public_url: public_url?,
            workers,
            require_https: require_https?,
            trusted_proxies,
            cors_origins,
            requests: requests?,
            management_bind,
        })
    }

    fn request_limits(&mut self) -> Option<RequestLimits> {
        let body_kib = self.required(&MAX_BODY);
        let uri = self.required(&MAX_URI);
        let head_kib = self.required(&MAX_HEAD);
        let body_s = self.required(&BODY_TIMEOUT);
        let at_once = self.required(&REQUESTS_AT_ONCE);
        let bytes = |kibibytes: usize| kibibytes.saturating_mul(1024);
        Some(RequestLimits {
            body: bytes(body_kib?),
            uri: uri?,
            head: bytes(head_kib?),
            body_time: Duration::from_secs(body_s?),
            at_once: at_once?,
        })
    }

    /// What a browser on this machine can open.
    fn local_url(&mut self, bind: SocketAddr) -> Option<Url> {
        let text = if bind.ip().is_unspecified() {
            format!("http://localhost:{}", bind.port())
        } else {
            format!("http://{bind}")
        };
        let url = Url::parse(&text).ok()?;
        self.note(&PUBLIC_URL.setting, Some(quoted(url.as_str())), "from server.bind");
        Some(url)
    }

    fn database(&mut self, data_dir: Option<&Path>, directory: &Path) -> Option<Database> {
        let target = self.database_target(data_dir, directory);
        let on_sqlite = matches!(target, Some(DatabaseTarget::Sqlite(_)));
        let migrate =
            self.derived(&MIGRATE, on_sqlite, "true on SQLite, false on PostgreSQL", bool::to_string);
        let row_level_security = self.required(&ROW_LEVEL_SECURITY);
        if on_sqlite && row_level_security == Some(true) && !self.is_faulty(&DATABASE_URL.setting) {
            let remedy = "switch it off, or name a PostgreSQL server in database.url";
            self.fault(&ROW_LEVEL_SECURITY.setting, "is for PostgreSQL, and the database is SQLite", remedy);
        }
        Some(Database { target: target?, migrate, row_level_security: row_level_security? })
    }

    fn database_target(&mut self, data_dir: Option<&Path>, directory: &Path) -> Option<DatabaseTarget> {
        let url = self.given(&DATABASE_URL);
        let admin_url = self.given(&DATABASE_ADMIN_URL);
        let usual = |data_dir: &Path| DatabaseUrl::Sqlite(data_dir.join("sitewatch.db"));
        let target = match url.or_else(|| data_dir.map(usual))? {
            DatabaseUrl::Sqlite(path) => {
                if admin_url.is_some() && !self.is_faulty(&DATABASE_URL.setting) {
                    let remedy = "remove it, or name a PostgreSQL server in database.url";
                    self.fault(
                        &DATABASE_ADMIN_URL.setting,
                        "is for PostgreSQL, and the database is SQLite",
                        remedy,
                    );
                }
                DatabaseTarget::Sqlite(absolute(directory, &path))
            }
            DatabaseUrl::Postgres(url) => {
                DatabaseTarget::Postgres { admin_url: admin_url.unwrap_or_else(|| url.clone()), url }
            }
        };
        self.note(&DATABASE_URL.setting, Some(quoted(&target)), "a file in storage.data_dir");
        let admin = match &target {
            DatabaseTarget::Sqlite(_) => None,
            DatabaseTarget::Postgres { admin_url, .. } => Some(quoted(&masked_url(admin_url.expose()))),
        };
        self.note(&DATABASE_ADMIN_URL.setting, admin, "database.url");
        Some(target)
    }

    fn jobs(&mut self) -> Option<Jobs> {
        let lease_s = self.required(&JOB_LEASE);
        let poll_ms = self.required(&JOB_POLL);
        let management_bind = self.optional(&WORKER_MANAGEMENT_BIND);
        Some(Jobs {
            lease: Duration::from_secs(lease_s?),
            poll: Duration::from_millis(poll_ms?),
            management_bind,
        })
    }

    fn redis(&mut self, on_sqlite: bool) -> Redis {
        let url = self.optional(&REDIS_URL);
        let queue_given = self.texts.contains_key(QUEUE_REDIS_URL.setting.key);
        let queue_url = self.optional(&QUEUE_REDIS_URL);
        if !queue_given {
            let shown = url.as_ref().map(|url| quoted(&masked_url(url.expose())));
            self.note(&QUEUE_REDIS_URL.setting, shown, "redis.url");
            if !on_sqlite && url.as_ref().is_some_and(|url| !super::values::is_one_server(url)) {
                let problem =
                    "is not given, and the job queue cannot use the Cluster or the Sentinels of redis.url";
                let remedy =
                    "name a Redis on one server, or leave it empty: workers look for jobs by themselves then";
                self.fault(&QUEUE_REDIS_URL.setting, problem, remedy);
            }
            // On SQLite the server does its jobs by itself, and there is nobody to ring for.
            return Redis { queue_url: url.clone().filter(|_| !on_sqlite), url };
        }
        if queue_url.is_some() && on_sqlite && !self.is_faulty(&DATABASE_URL.setting) {
            let problem =
                "is for workers beside the server, and on SQLite the server does its jobs by itself";
            let remedy = "remove it, or name a PostgreSQL server in database.url";
            self.fault(&QUEUE_REDIS_URL.setting, problem, remedy);
        }
        Redis { url, queue_url }
    }

    fn security(&mut self, environment: Environment) -> Option<Security> {
        let secret_key = self.given(&SECRET_KEY);
        self.note(&SECRET_KEY.setting, Some(quoted(&MASK)), "generated into storage.data_dir");
        let bcrypt_cost = self.required(&BCRYPT_COST);
        let password_min_length = self.required(&PASSWORD_MIN_LENGTH);
        if environment == Environment::Production {
            if secret_key.as_ref().is_some_and(has_sample_key) {
                let remedy = "make a fresh key with `sitewatch-api config secret`";
                self.fault(
                    &SECRET_KEY.setting,
                    "is not random but looks like a sample, which production refuses",
                    remedy,
                );
            }
            if bcrypt_cost.is_some_and(|cost| cost < PRODUCTION_BCRYPT_COST) {
                self.fault(
                    &BCRYPT_COST.setting,
                    "is too low for production",
                    "give at least 12, or remove it",
                );
            }
        }
        Some(Security { secret_key, bcrypt_cost: bcrypt_cost?, password_min_length: password_min_length? })
    }

    fn admin(&mut self, environment: Environment, min_length: usize) -> Option<FirstAdmin> {
        let email = self.optional(&ADMIN_EMAIL);
        let password = self.optional(&ADMIN_PASSWORD);
        if let Some(password) = &password {
            let length = min_length..=passwords::MAX_LENGTH;
            let remedy =
                format!("give {} to {} characters that nobody else uses", length.start(), length.end());
            if !length.contains(&password.expose().chars().count()) {
                self.fault(&ADMIN_PASSWORD.setting, "is too short or too long for a password", remedy);
            } else if environment == Environment::Production && is_sample(password) {
                let problem = "looks like a sample, which production refuses";
                self.fault(&ADMIN_PASSWORD.setting, problem, remedy);
            }
        }
        match (email, password) {
            (Some(email), Some(password)) => Some(FirstAdmin { email, password }),
            (Some(_), None) if !self.is_faulty(&ADMIN_PASSWORD.setting) => {
                let remedy = "give admin.password as well, or remove this one";
                self.fault(&ADMIN_EMAIL.setting, "is given without admin.password", remedy);
                None
            }
            (None, Some(_)) if !self.is_faulty(&ADMIN_EMAIL.setting) => {
                let remedy = "give admin.email as well, or remove this one";
                self.fault(&ADMIN_PASSWORD.setting, "is given without admin.email", remedy);
                None
            }
            _ => None,
        }
    }

    fn log(&mut self, environment: Environment) -> Option<Log> {
        let filter = self.log_filter(environment);
        let by_environment = match environment {
            Environment::Development => LogFormat::Text,
            Environment::Production => LogFormat::Json,
        };
        let format = self.derived(&LOG_FORMAT, by_environment, "from the environment", LogFormat::to_string);
        let slow_request = self.optional(&SLOW_REQUEST).map(Duration::from_millis);
        let slow_query = self.optional(&SLOW_QUERY).map(Duration::from_millis);
        Some(Log { filter: filter?, format, slow_request, slow_query })
    }

    fn traces(&mut self) -> Option<Traces> {
        let otlp_url = self.optional(&TRACES_URL);
        let sample_percent = self.required(&TRACES_SAMPLE)?;
        Some(Traces { otlp_url, sample_percent })
    }

    fn log_filter(&mut self, environment: Environment) -> Option<String> {
        let filter = self.required(&LOG);
        if environment == Environment::Production && filter.as_deref().is_some_and(is_talkative) {
            let remedy = "give info or less, for every target (a target without a level logs everything)";
            self.fault(&LOG.setting, "enables debug output, which production refuses", remedy);
        }
        filter
    }

    fn mail(&mut self, public_url: Option<&Url>) -> Option<Mail> {
        let smtp_url = self.optional(&SMTP_URL);
        let given = self.given(&MAIL_FROM);
        let usual = || format!("sitewatch@{}", mail_domain(public_url?)).parse::<EmailAddress>().ok();
        let from = given.or_else(usual);
        match &from {
            Some(address) => self.note(&MAIL_FROM.setting, Some(quoted(address)), "from server.public_url"),
            None if public_url.is_some() && !self.is_faulty(&MAIL_FROM.setting) => {
                let problem =
                    "has no default, since the host of server.public_url is none that mail comes from";
                self.fault(&MAIL_FROM.setting, problem, "give an e-mail address");
            }
            None => {}
        }
        Some(Mail { smtp_url, from: from? })
    }

    /// A setting that the embedded default always gives.
    fn required<T>(&mut self, key: &Key<T>) -> Option<T> {
        if !self.texts.contains_key(key.setting.key) && !self.is_faulty(&key.setting) {
            self.fault(&key.setting, "has no value", "give one");
        }
        self.given(key)
    }

    /// A setting whose empty value switches something off.
    fn optional<T>(&mut self, key: &Key<T>) -> Option<T> {
        self.given(key)
    }

    /// A setting with a default that depends on something else.
    fn derived<T>(&mut self, key: &Key<T>, default: T, from: &'static str, show: fn(&T) -> String) -> T {
        if let Some(value) = self.given(key) {
            return value;
        }
        self.note(&key.setting, Some(shown(&key.setting, &show(&default))), from);
        default
    }

    /// The value, if the setting was given, is not empty and is right. Records how it is shown, or its fault.
    fn given<T>(&mut self, key: &Key<T>) -> Option<T> {
        let setting = &key.setting;
        let given = self.texts.get(setting.key)?;
        let (text, origin) = (given.text.expose().trim(), given.origin.clone());
        let entry = Entry { shown: Some(shown(setting, text)), origin };
        let parsed = match text {
            "" if setting.may_be_empty => None,
            "" => Some(Err(("is empty".to_owned(), "give a value, or remove it for the default".to_owned()))),
            text => Some((key.parse)(text).map_err(|wrong| (wrong.problem, wrong.remedy))),
        };
        self.entries.insert(setting.key, entry);
        match parsed? {
            Ok(value) => Some(value),
            Err((problem, remedy)) => {
                self.fault(setting, problem, remedy);
                None
            }
        }
    }

    /// Records how a default is shown, unless the setting was given.
    fn note(&mut self, setting: &Setting, shown: Option<String>, from: &'static str) {
        self.entries.entry(setting.key).or_insert(Entry { shown, origin: Origin::Derived(from) });
    }

    /// A fault of a setting. The value is repeated if it is no secret.
    fn fault(&mut self, setting: &Setting, problem: impl Into<String>, remedy: impl Into<String>) {
        let given = self.texts.get(setting.key);
        let value = given.filter(|_| !setting.is_secret()).map(|given| shown(setting, given.text.expose()));
        self.faults.push(Fault {
            key: setting.key.to_owned(),
            value,
            origin: given.map(|given| given.origin.clone()),
            problem: problem.into(),
            remedy: remedy.into(),
        });
    }

    /// Whether the setting already has a fault, so that another for its absence would only confuse.
    fn is_faulty(&self, setting: &Setting) -> bool {
        self.faults.iter().any(|fault| fault.key == setting.key)
    }
}

/// A value as `config show` prints it: in the notation of the file.
fn shown(setting: &Setting, text: &str) -> String {
    match (setting.secrecy, setting.shape) {
        (Secrecy::Open, Shape::Number)
            if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() =>
        {
            text.to_owned()
        }
        (Secrecy::Open, Shape::Toggle) if matches!(text, "true" | "false") => text.to_owned(),
        (Secrecy::Url, _) if !text.is_empty() => quoted(&masked_url(text)),
        (Secrecy::Whole, _) if !text.is_empty() => quoted(&MASK),
        _ => quoted(text),
    }
}

/// In quotation marks, with control characters escaped.
fn quoted(text: &(impl Display + ?Sized)) -> String {
    format!("{:?}", text.to_string())
}

/// Relative paths start at the working directory; single dots are left out.
fn absolute(directory: &Path, path: &Path) -> PathBuf {
    directory.join(path).components().collect()
}

/// Whether two listeners would want the same port.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let same_address = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same_address
}

fn is_sample(password: &Secret<String>) -> bool {
    let lower = Secret::new(password.expose().to_lowercase());
    SAMPLE_WORDS.iter().any(|word| lower.expose().contains(word))
}
