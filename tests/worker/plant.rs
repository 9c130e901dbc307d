//! An installation whose workers are processes of their own, or on SQLite the server itself.

use std::{path::PathBuf, process::Command, time::Duration};

use sitewatch_domain::{
    Platform,
    access::{Actor, RequestContext},
};
use sitewatch_runtime::{
    assemble::assemble,
    config::{Config, Overrides},
};
use sitewatch_tests::{
    ports::free_port,
    postgres::{Durability, PostgresServer},
    processes::{Process, sitewatch_api, sitewatch_worker},
    redis::RedisServer,
};

/// What jobs are kept in, and what rings for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file; the server works its jobs off.
    Sqlite,
    /// Workers look for jobs.
    Postgres,
    /// Workers are rung for.
    PostgresAndRedis,
}

/// The installation. Its use cases are here as well, to write jobs with.
pub struct Plant {
    pub kind: Kind,
    /// The use cases, over the same database.
    pub platform: Platform,
    pub postgres: Option<PostgresServer>,
    pub redis: Option<RedisServer>,
    settings: Vec<(&'static str, String)>,
    folder: tempfile::TempDir,
}

/// The authority of a worker.
#[expect(clippy::disallowed_methods, reason = "the tests write and look at jobs as the system does")]
pub fn system() -> Actor {
    Actor::system(RequestContext::default())
}

impl Plant {
    /// An installation with leases of this length.
    pub async fn new(kind: Kind, lease: Duration) -> Self {
        let redis = match kind {
            Kind::PostgresAndRedis => Some(RedisServer::start().await),
            _ => None,
        };
        Self::with_redis(kind, lease, Duration::from_secs(1), redis).await
    }

    /// The same with a Redis of one's choice and another pause between looks.
    pub async fn with_redis(kind: Kind, lease: Duration, poll: Duration, redis: Option<RedisServer>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let postgres = match kind {
            Kind::Sqlite => None,
            Kind::Postgres | Kind::PostgresAndRedis => {
                let server = PostgresServer::start(Durability::Durable).await;
                server.create_database("sitewatch").await;
                Some(server)
            }
        };
        let mut settings = vec![
            ("SITEWATCH_DATA_DIR", folder.path().join("data").display().to_string()),
            ("SITEWATCH_BCRYPT_COST", "4".to_owned()),
            ("SITEWATCH_LOG", "info,sitewatch_persistence=error,sqlx=error,actix_server=warn".to_owned()),
            ("SITEWATCH_MIGRATE", "on".to_owned()),
            ("SITEWATCH_JOBS_LEASE_S", lease.as_secs().to_string()),
            ("SITEWATCH_JOBS_POLL_MS", poll.as_millis().to_string()),
            ("SITEWATCH_WORKER_MANAGEMENT_BIND", String::new()),
        ];
        if let Some(postgres) = &postgres {
            settings.push(("SITEWATCH_DATABASE_URL", postgres.url("sitewatch")));
        }
        if let Some(redis) = &redis {
            settings.push(("SITEWATCH_REDIS_URL", redis.url()));
        }
        let config = Config::load(&Overrides::default(), settings.clone(), folder.path());
        let runtime = assemble(&config.expect("legal settings").config).await.expect("an installation");
        Self { kind, platform: runtime.platform, postgres, redis, settings, folder }
    }

    /// A command of the worker's binary.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = sitewatch_worker();
        command.args(arguments).current_dir(self.folder.path());
        command.envs(self.settings.iter().map(|(variable, value)| (*variable, value)));
        command
    }

    /// A command of the server's binary.
    pub fn server_command(&self, arguments: &[&str]) -> Command {
        let mut command = sitewatch_api();
        command.args(arguments).current_dir(self.folder.path());
        command.envs(self.settings.iter().map(|(variable, value)| (*variable, value)));
        command
    }

    /// Starts a worker; further settings win.
    pub fn worker(&self, more: &[(&str, &str)]) -> Process {
        let mut command = match self.kind {
            Kind::Sqlite => {
                let mut command = self.server_command(&["serve"]);
                command.env("SITEWATCH_BIND", format!("127.0.0.1:{}", free_port()));
                command
            }
            _ => self.command(&["run"]),
        };
        command.envs(more.iter().copied());
        Process::spawn("a worker", command, &self.log())
    }

    /// Where all workers write their logs.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("workers.log")
    }

    /// The URL of the database, for statements of the tests' own.
    pub fn database(&self) -> String {
        match &self.postgres {
            Some(postgres) => postgres.url("sitewatch"),
            None => format!("sqlite://{}", self.folder.path().join("data/sitewatch.db").display()),
        }
    }
}
