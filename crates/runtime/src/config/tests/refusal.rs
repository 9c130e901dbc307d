//! What is refused, and how it is told.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{SETTINGS, *};

#[test]
fn not_everybody_is_a_proxy() {
    let folder = tempfile::tempdir().expect("a folder");
    for all in ["0.0.0.0/0", "10.0.0.0/8, ::/0"] {
        let faults = load(&Overrides::default(), &[("SITEWATCH_TRUSTED_PROXIES", all)], folder.path());
        let faults = faults.expect_err("refused");
        assert!(fault(&faults, "server.trusted_proxies").contains("trusts every address"), "{faults}");
    }
}

#[test]
fn unknown_names_are_refused_with_a_suggestion() {
    let file = "bind = \"127.0.0.1:1\"\nserver = 3\n[server]\n";
    let faults = with_file(file).expect_err("broken and unknown");
    assert!(
        fault(&faults, "bind").ends_with("(sitewatch.toml:1) is not a setting; did you mean server.bind?"),
        "{faults}"
    );

    let faults = with_file("[server]\nbnd = 1\n[colour.of]\nsky = \"blue\"\n[empty]\n").expect_err("unknown");
    assert!(
        fault(&faults, "server.bnd")
            .contains("sitewatch.toml:2) is not a setting; did you mean server.bind?")
    );
    assert!(fault(&faults, "colour.of.sky").contains("remove it"), "{faults}");
    assert!(fault(&faults, "empty").contains("not a setting"), "{faults}");
    assert!(fault(&with_file("log = \"info\"").expect_err("a section"), "log").contains("[log]"));

    let faults = with_environment(&[("SITEWATCH_BNID", "hunter2")]).expect_err("unknown");
    assert_eq!(
        fault(&faults, "SITEWATCH_BNID"),
        "SITEWATCH_BNID is not a setting; did you mean SITEWATCH_BIND?"
    );
}

#[test]
fn what_kubernetes_adds_for_a_service_is_not_our_users_mistake() {
    with_environment(&[
        ("SITEWATCH_SERVICE_HOST", "10.0.0.7"),
        ("SITEWATCH_SERVICE_PORT", "80"),
        ("SITEWATCH_SERVICE_PORT_HTTP", "80"),
        ("SITEWATCH_PORT", "tcp://10.0.0.7:80"),
        ("SITEWATCH_PORT_80_TCP", "tcp://10.0.0.7:80"),
        ("SITEWATCH_PORT_80_TCP_ADDR", "10.0.0.7"),
    ])
    .expect("ignored");
    with_environment(&[("SITEWATCH_PORT", "8080")]).expect_err("somebody wrote this");
}

#[test]
fn all_faults_are_told_at_once() {
    let file = "[server]\nworkers = \"many\"\nbind = \"nowhere\"\n[log]\nfilter = \"inof\"\n";
    let folder = directory(&[("sitewatch.toml", file)]);
    let environment = [
        ("SITEWATCH_CORS_ORIGINS", "https://ok.example.org, *"),
        ("SITEWATCH_TRUSTED_PROXIES", "10.0.0.0/8,10.0.0.0/80"),
        ("SITEWATCH_DATABASE_URL", "mysql://u:hunter2@h/d"),
        ("SITEWATCH_PUBLIC_URL", "https://example.org/sub"),
        ("SITEWATCH_ADMIN_EMAIL", "nobody"),
        ("SITEWATCH_QUEUE_REDIS_URL", "http://cache"),
    ];
    let flags = Overrides { log_format: Some("xml".into()), ..Overrides::default() }
        .with("security.bcrypt_cost", "3");
    let faults = load(&flags, &environment, folder.path()).expect_err("ten faults");
    for (key, part) in [
        ("server.workers", "(sitewatch.toml:2) has the wrong type (string); write it as a whole number"),
        ("server.bind", "= \"nowhere\" (sitewatch.toml:3) is not an address with a port; give an IP address"),
        ("log.filter", "did you mean info?"),
        ("server.cors_origins", "must not contain *"),
        ("server.trusted_proxies", "not a network"),
        ("database.url", "(SITEWATCH_DATABASE_URL) names no database we know"),
        ("server.public_url", "has a path"),
        ("admin.email", "= \"nobody\" (SITEWATCH_ADMIN_EMAIL) is not an e-mail address"),
        ("redis.queue_url", "does not begin with redis://"),
        ("log.format", "= \"xml\" (--log-format)"),
        ("security.bcrypt_cost", "= 3 (--set) is not a bcrypt cost; give a whole number from 4 to 31"),
    ] {
        assert!(fault(&faults, key).contains(part), "{part} in {faults}");
    }
    assert_eq!(faults.faults().len(), 11, "{faults}");
    assert!(faults.to_string().starts_with("11 faults in the settings:\n  "), "{faults}");
    assert!(!faults.to_string().contains("hunter2"), "{faults}");
}

#[test]
fn a_syntax_error_names_the_line_and_hides_its_content() {
    let file = "[security]\nsecret_key = hunter2\n[admin]\npassword = \"hunter2\n[server]\nbnd = 1\n";
    let faults = with_file(file).expect_err("not TOML");
    let text = faults.to_string();
    assert!(text.contains("settings file (sitewatch.toml:2) is not TOML here"), "{text}");
    assert!(text.contains("(sitewatch.toml:4)") && !text.contains("hunter2"), "{text}");
    let twice =
        with_file("[server]\nbind = \"127.0.0.1:1\"\nbind = \"127.0.0.1:2\"\n").expect_err("duplicate key");
    assert!(twice.to_string().contains("duplicate key"), "{twice}");
}

#[test]
fn production_refuses_what_is_weak() {
    let samples = [STANDARD.encode([7; 32]), STANDARD.encode("change me to something more secret")];
    for sample in &samples {
        let weak = [
            ("SITEWATCH_BIND", "0.0.0.0:8080"),
            ("SITEWATCH_BCRYPT_COST", "11"),
            ("SITEWATCH_SECRET_KEY", sample),
            ("SITEWATCH_ADMIN_EMAIL", "a@example.org"),
            ("SITEWATCH_ADMIN_PASSWORD", "ChangeThis-1234"),
        ];
        let faults = with_environment(&weak).expect_err("weak");
        for key in ["security.bcrypt_cost", "security.secret_key", "admin.password"] {
            assert!(fault(&faults, key).contains("production"), "{faults}");
        }
        assert_eq!(faults.faults().len(), 3, "{faults}");
        let as_development = weak.into_iter().chain([("SITEWATCH_ENV", "development")]).collect::<Vec<_>>();
        with_environment(&as_development).expect("the owner's business");
    }
    let keys = format!("{0}, {1}", random_key(), random_key().replacen('T', "U", 1));
    let strong = [("SITEWATCH_ENV", "production"), ("SITEWATCH_SECRET_KEY", keys.as_str())];
    let config = with_environment(&strong).expect("strong").config;
    assert_eq!((config.environment, config.log.format), (Environment::Production, LogFormat::Json));
    let short = STANDARD.encode([7; 31]);
    let faults = with_environment(&[("SITEWATCH_SECRET_KEY", &short)]).expect_err("short anywhere");
    assert!(fault(&faults, "security.secret_key").contains("config secret"), "{faults}");
}

#[test]
fn production_refuses_a_log_that_tells_everything() {
    for filter in ["debug", "trace", "info,sitewatch_http=debug", "warn,sqlx", "info,[request{id=1}]=trace"] {
        let talkative = [("SITEWATCH_ENV", "production"), ("SITEWATCH_LOG", filter)];
        let faults = with_environment(&talkative).expect_err(filter);
        assert!(fault(&faults, "log.filter").contains("production"), "{faults}");
        with_environment(&[("SITEWATCH_LOG", filter)]).expect("the owner's business");
    }
    for filter in ["info", "warn,sitewatch_http=info", "off"] {
        let quiet = [("SITEWATCH_ENV", "production"), ("SITEWATCH_LOG", filter)];
        with_environment(&quiet).expect(filter);
    }
}

#[test]
fn an_empty_value_switches_off_or_is_refused() {
    let off = [
        "SITEWATCH_MANAGEMENT_BIND",
        "SITEWATCH_TRUSTED_PROXIES",
        "SITEWATCH_CORS_ORIGINS",
        "SITEWATCH_REDIS_URL",
        "SITEWATCH_QUEUE_REDIS_URL",
        "SITEWATCH_RATE_LIMIT_ORGANIZATIONS",
        "SITEWATCH_RATE_LIMIT_REDIS_URL",
        "SITEWATCH_CACHE_REDIS_URL",
        "SITEWATCH_WORKER_MANAGEMENT_BIND",
        "SITEWATCH_LOG_SLOW_REQUEST_MS",
        "SITEWATCH_LOG_SLOW_QUERY_MS",
        "SITEWATCH_TRACES_OTLP_URL",
        "SITEWATCH_SMTP_URL",
        "SITEWATCH_REPORTS_STORE",
        "SITEWATCH_REPORTS_ACCESS_KEY_ID",
        "SITEWATCH_REPORTS_SECRET_ACCESS_KEY",
        "SITEWATCH_ADMIN_EMAIL",
        "SITEWATCH_ADMIN_PASSWORD",
    ];
    let config = with_environment(&off.map(|name| (name, ""))).expect("all off").config;
    assert!(config.server.management_bind.is_none() && config.admin.is_none());
    assert!(config.jobs.management_bind.is_none());
    assert_eq!((config.log.slow_request, config.log.slow_query), (None, None));
    assert!(config.traces.otlp_url.is_none());
    let redis = [
        ("SITEWATCH_DATABASE_URL", "postgres://h/d"),
        ("SITEWATCH_REDIS_URL", "redis://cache"),
        ("SITEWATCH_QUEUE_REDIS_URL", ""),
    ];
    let config = with_environment(&redis).expect("no queue in Redis").config;
    assert!(config.redis.url.is_some() && config.redis.queue_url.is_none());
    let limits_apart = [("SITEWATCH_REDIS_URL", "redis://cache"), ("SITEWATCH_RATE_LIMIT_REDIS_URL", "")];
    let config = with_environment(&limits_apart).expect("each counts by itself").config;
    assert!(config.redis.url.is_some() && config.limits.redis_url.is_none());
    let queue_alone =
        [("SITEWATCH_DATABASE_URL", "postgres://h/d"), ("SITEWATCH_QUEUE_REDIS_URL", "redis://queue")];
    let config = with_environment(&queue_alone).expect("Redis for the jobs alone").config;
    assert!(config.redis.url.is_none() && config.redis.queue_url.is_some());
    let needed: Vec<_> = SETTINGS.iter().filter(|setting| !off.contains(&setting.env)).collect();
    let empty: Vec<_> = needed.iter().map(|setting| (setting.env, "")).collect();
    let faults = with_environment(&empty).expect_err("empty");
    for setting in needed {
        assert!(fault(&faults, setting.key).contains("is empty"), "{faults}");
    }
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    for (environment, key) in [
        (vec![("SITEWATCH_ADMIN_EMAIL", "a@example.org")], "admin.email"),
        (vec![("SITEWATCH_ADMIN_PASSWORD", "a long pass phrase")], "admin.password"),
        (
            vec![("SITEWATCH_ADMIN_EMAIL", "a@example.org"), ("SITEWATCH_ADMIN_PASSWORD", "elevenchars")],
            "admin.password",
        ),
        (vec![("SITEWATCH_DATABASE_ADMIN_URL", "postgres://h/d")], "database.admin_url"),
        (vec![("SITEWATCH_DATABASE_ROW_LEVEL_SECURITY", "on")], "database.row_level_security"),
        (vec![("SITEWATCH_BIND", "127.0.0.1:9090")], "server.management_bind"),
        (vec![("SITEWATCH_DATABASE_URL", "sqlite::memory:")], "database.url"),
        (vec![("SITEWATCH_DATABASE_URL", "sqlite:a.db?mode=ro")], "database.url"),
        (vec![("SITEWATCH_DATABASE_URL", "postgres://u:pa/ss@h/d")], "database.url"),
        (vec![("SITEWATCH_REDIS_URL", "http://cache")], "redis.url"),
        (
            vec![("SITEWATCH_REDIS_URL", "redis://cache"), ("SITEWATCH_QUEUE_REDIS_URL", "redis://queue")],
            "redis.queue_url",
        ),
        (vec![("SITEWATCH_QUEUE_REDIS_URL", "redis://queue")], "redis.queue_url"),
        (
            vec![
                ("SITEWATCH_DATABASE_URL", "postgres://h/d"),
                ("SITEWATCH_REDIS_URL", "redis-cluster://one?node=two"),
            ],
            "redis.queue_url",
        ),
        (
            vec![
                ("SITEWATCH_DATABASE_URL", "postgres://h/d"),
                ("SITEWATCH_QUEUE_REDIS_URL", "redis-sentinel://one/planted"),
            ],
            "redis.queue_url",
        ),
        (vec![("SITEWATCH_REQUESTS_AT_ONCE", "3")], "server.requests_at_once"),
        (vec![("SITEWATCH_RATE_LIMIT_READ", "0")], "limits.read"),
        (vec![("SITEWATCH_RATE_LIMIT_AUTH", "1000001")], "limits.auth"),
        (vec![("SITEWATCH_RATE_LIMIT_ADDRESS_FACTOR", "0")], "limits.address_factor"),
        (vec![("SITEWATCH_RATE_LIMIT_ORGANIZATIONS", "acme=200")], "limits.organizations"),
        (vec![("SITEWATCH_RATE_LIMIT_NODES", "many")], "limits.nodes"),
        (vec![("SITEWATCH_RATE_LIMIT_REDIS_URL", "http://cache")], "limits.redis_url"),
        (vec![("SITEWATCH_CACHE_OBJECTS_S", "61")], "cache.objects_s"),
        (vec![("SITEWATCH_CACHE_LISTS_S", "long")], "cache.lists_s"),
        (vec![("SITEWATCH_CACHE_MEMORY_MIB", "0")], "cache.memory_mib"),
        (vec![("SITEWATCH_CACHE_REDIS_URL", "http://cache")], "cache.redis_url"),
        (vec![("SITEWATCH_JOBS_LEASE_S", "1")], "jobs.lease_s"),
        (vec![("SITEWATCH_JOBS_POLL_MS", "0")], "jobs.poll_ms"),
        (vec![("SITEWATCH_LOG_SLOW_QUERY_MS", "0")], "log.slow_query_ms"),
        (vec![("SITEWATCH_TRACES_OTLP_URL", "grpc://collector:4317")], "traces.otlp_url"),
        (vec![("SITEWATCH_TRACES_SAMPLE_PERCENT", "101")], "traces.sample_percent"),
        (vec![("SITEWATCH_REPORTS_RETENTION_DAYS", "0")], "reports.retention_days"),
        (vec![("SITEWATCH_REPORTS_STORE", "ftp://host/reports")], "reports.store"),
        (vec![("SITEWATCH_REPORTS_STORE", "s3://key:secret@reports")], "reports.store"),
        (
            vec![("SITEWATCH_REPORTS_STORE", "s3://reports"), ("SITEWATCH_REPORTS_ACCESS_KEY_ID", "id")],
            "reports.access_key_id",
        ),
        (vec![("SITEWATCH_REPORTS_SECRET_ACCESS_KEY", "key")], "reports.secret_access_key"),
        (
            vec![("SITEWATCH_REPORTS_ACCESS_KEY_ID", "id"), ("SITEWATCH_REPORTS_SECRET_ACCESS_KEY", "key")],
            "reports.access_key_id",
        ),
    ] {
        let faults = with_environment(&environment).expect_err(key);
        fault(&faults, key);
        assert_eq!(faults.faults().len(), 1, "{faults}");
    }
}
