//! An installation of real processes whose log is JSON.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use sea_orm::{ConnectOptions, ConnectionTrait as _, Database};
use serde_json::{Value, json};
use sitewatch_tests::{
    client::Client,
    ports::free_port,
    postgres::{Durability, PostgresServer},
    processes::{Process, sitewatch_api, sitewatch_worker},
    redis::RedisServer,
};

use crate::Kind;

pub const ADMIN: (&str, &str) = ("root@example.org", "correct horse battery");
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The passwords of its services, which those do not ask for unless a test sees to it.
#[derive(Debug, Clone, Default)]
pub struct Passwords {
    pub postgres: Option<String>,
    pub redis: Option<String>,
}

/// The installation. Everything ends when it is dropped.
pub struct Installation {
    pub base: String,
    pub root: Client,
    pub postgres: Option<PostgresServer>,
    _redis: Option<RedisServer>,
    pub server: Process,
    pub worker: Option<Process>,
    management: Vec<String>,
    folder: tempfile::TempDir,
}

impl Installation {
    /// Starts one with these settings beside its own.
    pub async fn start(kind: Kind, settings: &[(&str, &str)]) -> Self {
        Self::with(kind, &Passwords::default(), settings).await
    }

    /// The same; its services are asked with passwords.
    pub async fn with(kind: Kind, passwords: &Passwords, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (port, ports) = (free_port(), [free_port(), free_port()]);
        let base = format!("http://127.0.0.1:{port}");
        let mut all: Vec<(&str, String)> = vec![
            ("SITEWATCH_DATA_DIR", folder.path().join("data").display().to_string()),
            ("SITEWATCH_BIND", format!("127.0.0.1:{port}")),
            ("SITEWATCH_MANAGEMENT_BIND", format!("127.0.0.1:{}", ports[0])),
            ("SITEWATCH_WORKER_MANAGEMENT_BIND", format!("127.0.0.1:{}", ports[1])),
            ("SITEWATCH_BCRYPT_COST", "4".to_owned()),
            ("SITEWATCH_RATE_LIMITS", "off".to_owned()),
            ("SITEWATCH_LOG_FORMAT", "json".to_owned()),
            ("SITEWATCH_MIGRATE", "on".to_owned()),
            ("SITEWATCH_ADMIN_EMAIL", ADMIN.0.to_owned()),
            ("SITEWATCH_ADMIN_PASSWORD", ADMIN.1.to_owned()),
        ];
        let (mut postgres, mut redis) = (None, None);
        if kind == Kind::Postgres {
            let server = PostgresServer::start(Durability::Fast).await;
            server.create_database("sitewatch").await;
            let password = passwords.postgres.as_ref().map(|password| format!(":{password}@"));
            let url = server.url("sitewatch").replacen('@', password.as_deref().unwrap_or("@"), 1);
            all.push(("SITEWATCH_DATABASE_URL", url));
            postgres = Some(server);
            let server = RedisServer::start().await;
            let mut url = server.url();
            if let Some(password) = &passwords.redis {
                assert_eq!(server.ask(&["CONFIG", "SET", "requirepass", password]).as_deref(), Some("+OK"));
                url = url.replacen("://", &format!("://:{password}@"), 1);
            }
            all.push(("SITEWATCH_REDIS_URL", url));
            redis = Some(server);
        }
        all.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let mut command = sitewatch_api();
        command.arg("serve").envs(all.clone()).current_dir(folder.path());
        let mut server = Process::spawn("the server", command, &folder.path().join("server.log"));
        server.wait_for_http(&format!("{base}/health/ready"), PATIENCE).await;
        let mut management = vec![format!("http://127.0.0.1:{}", ports[0])];
        let mut worker = None;
        if kind == Kind::Postgres {
            let mut command = sitewatch_worker();
            command.arg("run").envs(all).current_dir(folder.path());
            let mut process = Process::spawn("the worker", command, &folder.path().join("worker.log"));
            let of_worker = format!("http://127.0.0.1:{}", ports[1]);
            process.wait_for_http(&format!("{of_worker}/health/ready"), PATIENCE).await;
            management.push(of_worker);
            worker = Some(process);
        }
        let given = settings.iter().find(|(name, _)| *name == "SITEWATCH_ADMIN_PASSWORD");
        let root =
            Client::anonymous(&base).login(ADMIN.0, given.map_or(ADMIN.1, |(_, password)| password)).await;
        Self { base, root, postgres, server, worker, _redis: redis, management, folder }
    }

    /// The figures of all of its processes.
    pub async fn figures(&self) -> String {
        let mut figures = String::new();
        for address in &self.management {
            let answer = reqwest::get(format!("{address}/metrics")).await.expect("an answer");
            assert_eq!(answer.status(), 200);
            figures.push_str(&answer.text().await.expect("a text"));
        }
        figures
    }

    /// The addresses of health and figures, the server's first.
    pub fn management(&self) -> &[String] {
        &self.management
    }

    /// The lines of the logs, the banner left out.
    pub fn lines(&self) -> Vec<String> {
        let logs = std::iter::once(&self.server).chain(&self.worker).map(Process::log).collect::<Vec<_>>();
        let lines = logs.iter().flat_map(|log| log.lines());
        lines.filter(|line| !line.is_empty() && !line.starts_with("  ")).map(str::to_owned).collect()
    }

    /// The lines that have all of these fields, as soon as there is one.
    pub async fn lines_with(&self, fields: &[(&str, Value)]) -> Vec<Value> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let lines = self.lines();
            let parsed = lines.iter().map(|line| serde_json::from_str(line).unwrap_or_default());
            let has_all = |line: &Value| fields.iter().all(|(name, value)| line[*name] == *value);
            let found: Vec<Value> = parsed.filter(has_all).collect();
            if !found.is_empty() {
                return found;
            }
            assert!(Instant::now() < give_up, "no line with {fields:?} among {} lines", lines.len());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The folder of its processes.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Runs a statement of the test's own.
    pub async fn execute(&self, sql: &str) {
        let database = Database::connect(self.database()).await.expect("the database");
        database.execute_unprepared(sql).await.expect("the statement runs");
        database.close().await.expect("the connection ends");
    }

    /// Does something while another transaction has locked the sites, and is let go a while later.
    pub async fn while_locked<T>(&self, act: impl Future<Output = T>) -> T {
        let mut options = ConnectOptions::new(self.database());
        options.max_connections(1).sqlx_logging(false);
        let other = Database::connect(options).await.expect("the database");
        let lock = if self.postgres.is_some() { "BEGIN; LOCK TABLE sites" } else { "BEGIN IMMEDIATE" };
        other.execute_unprepared(lock).await.expect("a lock");
        let let_go = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            other.execute_unprepared("ROLLBACK").await.expect("the lock is let go");
        };
        tokio::join!(act, let_go).0
    }

    fn database(&self) -> String {
        match &self.postgres {
            Some(postgres) => postgres.url("sitewatch"),
            None => format!("sqlite://{}", self.folder.path().join("data/sitewatch.db").display()),
        }
    }

    /// An organization with a site, a module type, a module and a metric `power`; their ids, the organization's first.
    pub async fn plant(&self) -> [String; 3] {
        let organization = self.made("/api/v1/organizations", json!({ "name": "Wind" })).await;
        let metric =
            json!({ "organization_id": organization, "key": "power", "name": "Power", "unit": "kW" });
        self.made("/api/v1/metrics", metric).await;
        let kind = json!({ "organization_id": organization, "name": "Turbine", "metrics": ["power"] });
        let kind = self.made("/api/v1/module-types", kind).await;
        let site = json!({ "name": "La Haute Borne", "timezone": "Europe/Paris" });
        let site = self.made(&format!("/api/v1/organizations/{organization}/sites"), site).await;
        let module = json!({ "name": "R80711", "serial_number": "R80711", "module_type_id": kind });
        let module = self.made(&format!("/api/v1/sites/{site}/modules"), module).await;
        [organization, site, module]
    }

    async fn made(&self, path: &str, body: Value) -> String {
        self.root.post(path, body).await.expect(201).id()
    }
}
