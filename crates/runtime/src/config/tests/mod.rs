//! Precedence and secrecy of settings.

mod refusal;

use std::{fs, path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sitewatch_domain::{cache::CacheTimes, limits::Thresholds, text::Secret};
use sitewatch_http::RequestLimits;
use tempfile::TempDir;

use super::{settings::SETTINGS, *};

const NOTHING: [(&str, &str); 0] = [];

/// A working directory with these files in it.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(directory.path().join(name), text).expect("a file");
    }
    directory
}

fn load(flags: &Overrides, environment: &[(&str, &str)], at: &Path) -> Result<Loaded, ConfigFaults> {
    Config::load(flags, environment.iter().copied(), at)
}

fn with_environment(environment: &[(&str, &str)]) -> Result<Loaded, ConfigFaults> {
    load(&Overrides::default(), environment, directory(&[]).path())
}

fn with_file(text: &str) -> Result<Loaded, ConfigFaults> {
    load(&Overrides::default(), &[], directory(&[("sitewatch.toml", text)]).path())
}

/// The one line of the faults that begins with the key.
fn fault(faults: &ConfigFaults, key: &str) -> String {
    let lines: Vec<_> =
        faults.faults().iter().filter(|fault| fault.key == key).map(ToString::to_string).collect();
    assert_eq!(lines.len(), 1, "{key} in {faults}");
    lines[0].clone()
}

fn random_key() -> String {
    STANDARD.encode((0..32_u8).map(|n| n.wrapping_mul(151).wrapping_add(77)).collect::<Vec<_>>())
}

#[test]
fn nothing_given_is_a_working_installation() {
    let folder = directory(&[]);
    let loaded = Config::load(&Overrides::default(), NOTHING, folder.path()).expect("defaults");
    let config = &loaded.config;
    assert_eq!(config.environment, Environment::Development);
    assert_eq!(config.server.bind.to_string(), "127.0.0.1:8080");
    assert_eq!(config.log.slow_request, Some(Duration::from_secs(1)));
    assert_eq!(config.log.slow_query, Some(Duration::from_millis(500)));
    assert_eq!(config.server.public_url.as_str(), "http://127.0.0.1:8080/");
    assert!((1..=512).contains(&config.server.workers));
    assert_eq!(config.storage.data_dir, folder.path().join("data"));
    let DatabaseTarget::Sqlite(file) = &config.database.target else { panic!("{:?}", config.database) };
    assert_eq!(file, &folder.path().join("data/sitewatch.db"));
    assert!(config.database.migrate && config.limits.rate_limits && !config.server.require_https);
    assert_eq!((config.limits.thresholds, config.limits.nodes), (Thresholds::default(), 1));
    assert!(config.limits.redis_url.is_none());
    assert!(config.redis.url.is_none() && config.redis.queue_url.is_none() && config.mail.smtp_url.is_none());
    assert!(config.admin.is_none() && config.security.secret_key.is_none());
    assert_eq!((config.security.bcrypt_cost, config.log.format), (12, LogFormat::Text));
    assert!(loaded.file.is_none() && loaded.notes().is_empty());
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let file = "[server]\nbind = \"127.0.0.1:1\"\nworkers = 3\n[log]\nfilter = \"warn\"\nformat = \"json\"\n";
    let folder = directory(&[("sitewatch.toml", file)]);
    let flags = Overrides { bind: Some("127.0.0.1:3".into()), ..Overrides::default() };
    let environment = [("SITEWATCH_BIND", "127.0.0.1:2"), ("SITEWATCH_LOG", "debug"), ("HOME", "/root")];
    let loaded = load(&flags, &environment, folder.path()).expect("settings");
    let config = &loaded.config;
    assert_eq!(config.server.bind.port(), 3);
    assert_eq!((config.log.filter.as_str(), config.log.format), ("debug", LogFormat::Json));
    assert_eq!(config.server.workers, 3);
    for (key, origin) in [
        ("server.bind", "--bind"),
        ("log.filter", "SITEWATCH_LOG"),
        ("log.format", "sitewatch.toml:6"),
        ("server.workers", "sitewatch.toml:3"),
        ("security.bcrypt_cost", "default"),
        ("database.url", "default: a file in storage.data_dir"),
    ] {
        assert_eq!(loaded.origin(key).expect(key).to_string(), origin, "{key}");
    }
    assert!(loaded.origin("moon.phase").is_none());
}

#[test]
fn set_reaches_every_setting() {
    let flags = Overrides::default().with("security.bcrypt_cost", "4").with("server.bind", "127.0.0.1:0");
    let loaded = load(&flags, &[("SITEWATCH_BCRYPT_COST", "13")], directory(&[]).path()).expect("settings");
    assert_eq!(loaded.config.security.bcrypt_cost, 4);
    let twice = Overrides { bind: Some("127.0.0.1:1".into()), ..flags };
    let faults = load(&twice, &[], directory(&[]).path()).expect_err("given twice");
    assert!(fault(&faults, "server.bind").contains("second time by --set"), "{faults}");
    let odd = Overrides {
        set: vec![sitewatch_domain::text::Secret::new("hunter2".into())],
        ..Overrides::default()
    };
    let faults = load(&odd, &[], directory(&[]).path()).expect_err("no equals sign");
    assert!(fault(&faults, "--set").contains("section.key=value") && !faults.to_string().contains("hunter2"));
}

#[test]
fn the_settings_file_can_be_named_and_switched_off() {
    let folder = directory(&[
        ("sitewatch.toml", "[server]\nworkers = 3\n"),
        ("other.toml", "[server]\nworkers = 4\n"),
        ("third.toml", "[server]\nworkers = 5\n"),
    ]);
    let workers = |flags: &Overrides, environment: &[(&str, &str)]| {
        load(flags, environment, folder.path()).map(|loaded| (loaded.config.server.workers, loaded.file))
    };
    let none = Overrides::default();
    let flag = Overrides { config: Some("third.toml".into()), ..Overrides::default() };
    assert_eq!(workers(&none, &[]).expect("usual").0, 3);
    assert_eq!(workers(&none, &[("SITEWATCH_CONFIG", "other.toml")]).expect("by variable").0, 4);
    assert_eq!(workers(&flag, &[("SITEWATCH_CONFIG", "other.toml")]).expect("by flag").0, 5);
    assert_eq!(workers(&none, &[("SITEWATCH_CONFIG", "")]).expect("off").1, None);
    let faults = workers(&none, &[("SITEWATCH_CONFIG", "gone.toml")]).expect_err("missing");
    assert!(fault(&faults, "SITEWATCH_CONFIG").contains("gone.toml, which cannot be read"), "{faults}");
}

#[test]
fn secrets_are_never_printed() {
    let key = random_key();
    let environment = [
        ("SITEWATCH_SECRET_KEY", key.as_str()),
        ("SITEWATCH_DATABASE_URL", "postgres://bob:hunter2@db/sw"),
        ("SITEWATCH_DATABASE_ADMIN_URL", "postgres://root:hunter2@db/sw"),
        ("SITEWATCH_REDIS_URL", "redis://:hunter2@cache"),
        ("SITEWATCH_SMTP_URL", "smtps://bob:hunter2@mail"),
        ("SITEWATCH_ADMIN_EMAIL", "a@example.org"),
        ("SITEWATCH_ADMIN_PASSWORD", "hunter2 and more"),
    ];
    let loaded = with_environment(&environment).expect("settings");
    for text in
        [loaded.show(), loaded.check(), format!("{loaded:?}"), loaded.config.database.target.to_string()]
    {
        assert!(!text.contains("hunter2") && !text.contains(&key), "{text}");
    }
    let shown = loaded.show();
    for part in [
        "\"postgres://bob:***@db/sw\"",
        "secret_key = \"***\"",
        "\"a@example.org\"",
        "bcrypt_cost = 12 ",
        "rate_limits = true ",
        "# SITEWATCH_SECRET_KEY;",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    // An address is no secret and may be repeated.
    let secrets = environment.into_iter().filter(|(name, _)| *name != "SITEWATCH_ADMIN_EMAIL");
    let environment: Vec<_> = secrets.map(|(name, value)| (name, format!("?{value}?hunter2"))).collect();
    let faults = Config::load(&Overrides::default(), environment, Path::new("/")).expect_err("all wrong");
    for text in [faults.to_string(), format!("{faults:?}")] {
        assert!(!text.contains("hunter2") && !text.contains(&key), "{text}");
    }
    let flags = Overrides {
        database_url: Some(sitewatch_domain::text::Secret::new("hunter2".into())),
        ..Overrides::default()
    };
    assert!(!format!("{:?}", flags.with("admin.password", "hunter2")).contains("hunter2"));
}

#[test]
fn a_secret_may_have_a_file_of_its_own() {
    let key = random_key();
    let folder = directory(&[
        ("key", &format!("\n{key}\n")),
        ("empty", "\n"),
        ("sitewatch.toml", "[security]\nsecret_key_file = \"key\"\n"),
    ]);
    let loaded = load(&Overrides::default(), &[], folder.path()).expect("by file key");
    assert_eq!(loaded.config.security.secret_key.expect("a key").expose(), &key);
    let by_variable = [("SITEWATCH_SECRET_KEY_FILE", "key"), ("SITEWATCH_CONFIG", "")];
    let loaded = load(&Overrides::default(), &by_variable, folder.path()).expect("by variable");
    assert_eq!(
        loaded.origin("security.secret_key").expect("known").to_string(),
        "key, named by SITEWATCH_SECRET_KEY_FILE"
    );
    for (environment, part) in [
        (
            vec![("SITEWATCH_SECRET_KEY_FILE", "gone")],
            "(gone, named by SITEWATCH_SECRET_KEY_FILE) cannot be read from its file",
        ),
        (vec![("SITEWATCH_SECRET_KEY_FILE", "empty")], "is empty"),
        (vec![("SITEWATCH_SECRET_KEY_FILE", "")], "names no file"),
        (vec![("SITEWATCH_SECRET_KEY_FILE", "key"), ("SITEWATCH_SECRET_KEY", &key)], "second time"),
    ] {
        let faults = load(&Overrides::default(), &environment, folder.path()).expect_err(part);
        assert!(fault(&faults, "security.secret_key").contains(part), "{part} in {faults}");
    }
    let faults =
        load(&Overrides::default(), &[("SITEWATCH_BIND_FILE", "key")], folder.path()).expect_err("no secret");
    assert!(fault(&faults, "SITEWATCH_BIND_FILE").contains("did you mean SITEWATCH_BIND?"), "{faults}");
}

#[test]
fn values_are_read_as_they_are_meant() {
    let environment = [
        ("SITEWATCH_DATABASE_URL", "postgresql://bob@db/sw"),
        ("SITEWATCH_TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("SITEWATCH_CORS_ORIGINS", "https://a.example.org,http://b:8080"),
        ("SITEWATCH_REDIS_URL", " rediss://cache:6380 "),
        ("SITEWATCH_RATE_LIMITS", "off"),
        ("SITEWATCH_RATE_LIMIT_EXPORT", "1000000"),
        ("SITEWATCH_RATE_LIMIT_NODES", "3"),
        ("SITEWATCH_CACHE_OBJECTS_S", "0"),
        ("SITEWATCH_CACHE_MEMORY_MIB", "64"),
        ("SITEWATCH_BIND", "[::]:80"),
        ("SITEWATCH_ENV", "development"),
    ];
    let loaded = with_environment(&environment).expect("settings");
    let config = &loaded.config;
    let DatabaseTarget::Postgres { url, admin_url } = &config.database.target else { panic!("{config:?}") };
    assert_eq!((url.expose(), admin_url.expose()), (url.expose(), url.expose()));
    assert!(!config.database.migrate && !config.limits.rate_limits);
    assert_eq!((config.limits.thresholds.export, config.limits.nodes), (1_000_000, 3));
    assert_eq!(config.server.public_url.as_str(), "http://localhost/");
    assert_eq!(
        config.server.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["10.0.0.0/8", "::1/128"]
    );
    assert_eq!(config.server.cors_origins, ["https://a.example.org", "http://b:8080"]);
    assert_eq!(
        config.server.requests,
        RequestLimits::default(),
        "what is not set is what the server takes by itself"
    );
    assert!(config.redis.url.is_some());
    assert_eq!(config.redis.queue_url, config.redis.url);
    assert_eq!(config.limits.redis_url, config.redis.url);
    assert_eq!((&config.cache.redis_url, config.cache.memory_bytes), (&config.redis.url, 64 << 20));
    assert_eq!(config.cache.times, CacheTimes { objects: Duration::ZERO, lists: Duration::from_mins(1) });
    let alone = with_environment(&[("SITEWATCH_REDIS_URL", "redis://cache")]).expect("settings").config;
    assert!(alone.redis.url.is_some() && alone.redis.queue_url.is_none(), "SQLite rings for nobody");
    for url in
        ["redis-cluster://:hunter2@one:7000?node=two:7001", "rediss-sentinel://one/planted?node=two&db=3"]
    {
        let environment = [
            ("SITEWATCH_DATABASE_URL", "postgres://h/d"),
            ("SITEWATCH_REDIS_URL", url),
            ("SITEWATCH_QUEUE_REDIS_URL", "redis://queue"),
        ];
        let config = with_environment(&environment).expect("settings").config;
        let given =
            [&config.limits.redis_url, &config.cache.redis_url].map(|url| url.as_ref().map(Secret::expose));
        assert_eq!(given, [Some(&url.to_owned()); 2]);
        assert_eq!(masked_url(url), url.replace("hunter2", "***"));
    }
    let file = "[server]\ntrusted_proxies = [\"10.0.0.0/8\"]\ncors_origins = \"https://a.example.org\"\nrequire_https = \"on\"\n";
    let config = with_file(file).expect("settings").config;
    assert!(
        config.server.require_https
            && config.server.trusted_proxies.len() == 1
            && config.server.cors_origins.len() == 1
    );
    let loaded = with_environment(&[("SITEWATCH_DATABASE_URL", "sqlite:///srv/a b.db")]).expect("settings");
    assert_eq!(loaded.config.database.target.to_string(), "sqlite:/srv/a b.db");
    assert_eq!(loaded.check(), "ok: the settings are in order\n");
    let check = with_environment(&[("SITEWATCH_REQUIRE_HTTPS", "on")]).expect("settings").check();
    assert!(check.contains("note: server.require_https refuses every request"), "{check}");
    let proxied = [("SITEWATCH_REQUIRE_HTTPS", "on"), ("SITEWATCH_TRUSTED_PROXIES", "::1")];
    assert_eq!(with_environment(&proxied).expect("settings").check(), "ok: the settings are in order\n");
}

#[test]
fn the_default_file_documents_every_setting_and_is_itself_a_settings_file() {
    for setting in SETTINGS {
        let (_, name) = setting.key.split_once('.').expect("section.key");
        let written = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{name} = "));
        assert!(DEFAULT_FILE.lines().any(written), "{}", setting.key);
        assert!(DEFAULT_FILE.contains(setting.env), "{}", setting.env);
        let file = format!("{}_FILE", setting.env);
        assert_eq!(DEFAULT_FILE.contains(&file), setting.is_secret(), "{file}");
    }
    let copied = with_file(DEFAULT_FILE).expect("a copy works");
    assert_eq!(copied.origin("server.bind").map(Origin::is_given), Some(true));
    let shown = copied.show();
    for setting in SETTINGS {
        let (_, name) = setting.key.split_once('.').expect("section.key");
        assert!(shown.contains(&format!("{name} ")), "{shown}");
    }
}

#[test]
fn every_name_of_the_contract_is_known() {
    for name in [
        "BIND",
        "DATA_DIR",
        "DATABASE_URL",
        "DATABASE_ADMIN_URL",
        "REDIS_URL",
        "QUEUE_REDIS_URL",
        "PUBLIC_URL",
        "SECRET_KEY",
        "ADMIN_EMAIL",
        "ADMIN_PASSWORD",
        "SMTP_URL",
        "MANAGEMENT_BIND",
        "TRUSTED_PROXIES",
        "REQUIRE_HTTPS",
        "CORS_ORIGINS",
        "MAX_BODY_KIB",
        "MAX_URI_BYTES",
        "MAX_HEAD_KIB",
        "BODY_TIMEOUT_S",
        "REQUESTS_AT_ONCE",
        "RATE_LIMITS",
        "RATE_LIMIT_AUTH",
        "RATE_LIMIT_READ",
        "RATE_LIMIT_WRITE",
        "RATE_LIMIT_INGEST",
        "RATE_LIMIT_EXPORT",
        "RATE_LIMIT_ADDRESS_FACTOR",
        "RATE_LIMIT_REDIS_URL",
        "RATE_LIMIT_NODES",
        "RATE_LIMIT_ORGANIZATIONS",
        "CACHE_OBJECTS_S",
        "CACHE_LISTS_S",
        "CACHE_MEMORY_MIB",
        "CACHE_REDIS_URL",
        "LOG",
        "LOG_FORMAT",
        "LOG_SLOW_REQUEST_MS",
        "LOG_SLOW_QUERY_MS",
        "TRACES_OTLP_URL",
        "TRACES_SAMPLE_PERCENT",
        "WORKERS",
        "ENV",
        "MIGRATE",
        "DATABASE_ROW_LEVEL_SECURITY",
        "BCRYPT_COST",
        "JOBS_LEASE_S",
        "JOBS_POLL_MS",
        "WORKER_MANAGEMENT_BIND",
        "MAIL_FROM",
        "REPORTS_RETENTION_DAYS",
        "REPORTS_STORE",
        "REPORTS_ACCESS_KEY_ID",
        "REPORTS_SECRET_ACCESS_KEY",
    ] {
        assert!(settings::by_variable(&format!("SITEWATCH_{name}")).is_some(), "{name}");
    }
}
