//! Starting and stopping the real server, and the sentences of starts that fail.

use std::{net::TcpListener, process::Command, sync::Arc, time::Duration};

use serde_json::json;
use sitewatch_tests::{
    client::Client,
    ports::free_port,
    postgres::{Durability, PostgresServer},
    processes::{Process, sitewatch_api},
    world::SUPERUSER,
};

use crate::{Kind, kill::plant};

const PATIENCE: Duration = Duration::from_secs(30);

/// An installation that a server is started on, again and again.
pub struct Installation {
    folder: tempfile::TempDir,
    port: u16,
    postgres: Option<PostgresServer>,
    server: Option<Process>,
}

impl Installation {
    pub async fn new(kind: &Kind) -> Self {
        let postgres = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => {
                let server = PostgresServer::start(Durability::Durable).await;
                server.create_database("sitewatch").await;
                Some(server)
            }
        };
        Self { folder: tempfile::tempdir().expect("a folder"), port: free_port(), postgres, server: None }
    }

    /// A command on this installation.
    pub fn command(&self) -> Command {
        let mut command = sitewatch_api();
        command
            .env("SITEWATCH_DATA_DIR", self.folder.path().join("data"))
            .env("SITEWATCH_BIND", format!("127.0.0.1:{}", self.port))
            .env("SITEWATCH_BCRYPT_COST", "4")
            .env("SITEWATCH_LOG", "warn")
            .env("SITEWATCH_ADMIN_EMAIL", SUPERUSER.0)
            .env("SITEWATCH_ADMIN_PASSWORD", SUPERUSER.1)
            .current_dir(self.folder.path());
        if let Some(postgres) = &self.postgres {
            command.env("SITEWATCH_DATABASE_URL", postgres.url("sitewatch")).env("SITEWATCH_MIGRATE", "on");
        }
        command
    }

    /// Starts the server and signs in.
    pub async fn start(&mut self) -> Client {
        let log = self.folder.path().join("log");
        let mut server = Process::spawn("sitewatch-api", self.command(), &log);
        let base = format!("http://127.0.0.1:{}", self.port);
        server.wait_for_http(&format!("{base}/health/ready"), PATIENCE).await;
        self.server = Some(server);
        Client::anonymous(base).login(SUPERUSER.0, SUPERUSER.1).await
    }

    pub fn kill(&mut self) {
        self.server.take().expect("a running server").kill();
    }
}

/// Runs a command to its end; what it told and its exit code.
fn told(command: &mut Command) -> (String, Option<i32>) {
    let output = command.output().expect("the command runs");
    (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
}

pub async fn a_stop_finishes_what_runs(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let client = installation.start().await;
    let module = plant(&client).await;
    let body = json!({ "readings": [{ "metric": "power", "at": "2026-01-01T00:00:00Z", "value": 1 }] });
    client.post(&format!("/api/v1/modules/{module}/readings"), body).await.expect(200);
    let mut server = installation.server.take().expect("a server");
    let status = server.terminate(Duration::from_secs(15)).await;
    assert!(status.success(), "{status}");
    let client = installation.start().await;
    let stored = client.get(&format!("/api/v1/modules/{module}/readings")).await.expect(200);
    assert_eq!(stored.data().as_array().expect("a list").len(), 1);
}

pub async fn a_taken_port_and_a_bad_folder_are_told(kind: Arc<Kind>) {
    let installation = Installation::new(&kind).await;
    let taken = TcpListener::bind(("127.0.0.1", installation.port)).expect("a port");
    let (text, code) = told(&mut installation.command());
    assert!(code == Some(10) && text.contains("already in use"), "{code:?} {text}");
    drop(taken);
    let file = installation.folder.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let (text, code) = told(installation.command().env("SITEWATCH_DATA_DIR", &file));
    assert!(code == Some(11) && text.contains("--data-dir"), "{code:?} {text}");
    let (text, code) =
        told(installation.command().env("SITEWATCH_BINT", "x").env("SITEWATCH_WORKERS", "many"));
    assert!(
        code == Some(3) && text.contains("SITEWATCH_BIND") && text.contains("workers"),
        "{code:?} {text}"
    );
    let nowhere = format!("postgres://nobody:canary@127.0.0.1:{}/x", free_port());
    let (text, code) = told(installation.command().env("SITEWATCH_DATABASE_URL", nowhere));
    assert!(code == Some(20) && !text.contains("canary"), "{code:?} {text}");
}

pub async fn a_second_server_on_the_folder_is_refused(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    installation.start().await;
    if matches!(*kind, Kind::Postgres) {
        return;
    }
    let mut second = installation.command();
    second.env("SITEWATCH_BIND", format!("127.0.0.1:{}", free_port()));
    let (text, code) = told(&mut second);
    assert!(code == Some(12) && text.contains("another server"), "{code:?} {text}");
}

pub async fn a_changed_secret_is_refused(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    installation.start().await;
    installation.kill();
    let fresh = installation.command().args(["config", "secret"]).output().expect("a secret").stdout;
    let fresh = String::from_utf8(fresh).expect("text");
    let (text, code) = told(installation.command().env("SITEWATCH_SECRET_KEY", fresh.trim()));
    assert!(code == Some(23) && text.contains("SITEWATCH_SECRET_KEY"), "{code:?} {text}");
    let old = std::fs::read_to_string(installation.folder.path().join("data/secret.key")).expect("a secret");
    let both = format!("{},{}", fresh.trim(), old.trim());
    let mut command = installation.command();
    command.env("SITEWATCH_SECRET_KEY", both);
    let mut server = Process::spawn("sitewatch-api", command, &installation.folder.path().join("log"));
    server.wait_for_http(&format!("http://127.0.0.1:{}/health/ready", installation.port), PATIENCE).await;
    let base = format!("http://127.0.0.1:{}", installation.port);
    Client::anonymous(base).login(SUPERUSER.0, SUPERUSER.1).await;
}

pub async fn postgres_waits_for_its_migrations(kind: Arc<Kind>) {
    let installation = Installation::new(&kind).await;
    let base = format!("http://127.0.0.1:{}", installation.port);
    let mut command = installation.command();
    command.env("SITEWATCH_MIGRATE", "off");
    let mut server = Process::spawn("sitewatch-api", command, &installation.folder.path().join("log"));
    server.wait_for_http(&format!("{base}/health"), PATIENCE).await;
    let ready = Client::anonymous(&base).get("/health/ready").await;
    assert_eq!(
        (ready.status.as_u16(), ready.json()["reasons"][0].as_str()),
        (503, Some("pending_migrations"))
    );
    server.terminate(Duration::from_secs(15)).await;
    let (text, code) = told(installation.command().args(["migrate", "up"]));
    assert_eq!(code, Some(0), "{text}");
    let status = installation.command().args(["migrate", "status"]).output().expect("a status");
    assert!(!String::from_utf8_lossy(&status.stdout).contains("pending"));
    let mut server =
        Process::spawn("sitewatch-api", installation.command(), &installation.folder.path().join("log"));
    server.wait_for_http(&format!("{base}/health/ready"), PATIENCE).await;
}
