//! Starting and stopping the real server, and the sentences of starts that fail.

use std::{
    io::Write as _,
    net::{TcpListener, TcpStream},
    process::{Command, ExitStatus},
    sync::Arc,
    time::Duration,
};

use sea_orm::{ConnectionTrait as _, Database};
use sitewatch_tests::{
    client::Client,
    ports::free_port,
    postgres::{Durability, PostgresServer},
    processes::{Process, sitewatch_api},
    world::SUPERUSER,
};

use crate::Kind;

pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long a stop may take: what is running is allowed 10 s.
const STOP: Duration = Duration::from_secs(15);

/// An installation that a server is started on, again and again.
pub struct Installation {
    folder: tempfile::TempDir,
    port: u16,
    postgres: Option<PostgresServer>,
    server: Option<Process>,
    settings: Vec<(&'static str, String)>,
    /// A line of the shell before the server starts.
    before: Option<String>,
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
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, port: free_port(), postgres, server: None, settings: Vec::new(), before: None }
    }

    /// Changes a setting of all further starts.
    pub fn set(&mut self, variable: &'static str, value: &str) {
        self.settings.push((variable, value.to_owned()));
    }

    /// Runs a line of the shell before each further command, in its process.
    pub fn start_by(&mut self, line: String) {
        self.before = Some(line);
    }

    /// A command on this installation.
    pub fn command(&self) -> Command {
        let mut command = match &self.before {
            None => sitewatch_api(),
            Some(line) => {
                let mut shell = Command::new("/bin/sh");
                shell
                    .arg("-c")
                    .arg(format!("{line} && exec \"$0\" \"$@\""))
                    .arg(sitewatch_api().get_program());
                shell
            }
        };
        command
            .env("SITEWATCH_DATA_DIR", self.folder.path().join("data"))
            .env("SITEWATCH_BIND", format!("127.0.0.1:{}", self.port))
            .env("SITEWATCH_BCRYPT_COST", "4")
            .env("SITEWATCH_RATE_LIMITS", "off")
            .env("SITEWATCH_MANAGEMENT_BIND", "")
            .env("SITEWATCH_LOG", "warn")
            .env("SITEWATCH_ADMIN_EMAIL", SUPERUSER.0)
            .env("SITEWATCH_ADMIN_PASSWORD", SUPERUSER.1)
            .current_dir(self.folder.path());
        if let Some(postgres) = &self.postgres {
            command.env("SITEWATCH_DATABASE_URL", postgres.url("sitewatch")).env("SITEWATCH_MIGRATE", "on");
        }
        command.envs(self.settings.iter().map(|(variable, value)| (*variable, value)));
        command
    }

    /// The server's address.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A place in the installation's own folder.
    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
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

    /// Ends the server without warning.
    pub fn kill(&mut self) {
        self.server.take().expect("a running server").kill();
    }

    /// Asks the server to stop.
    pub fn ask_to_stop(&self) {
        self.server.as_ref().expect("a running server").ask_to_stop();
    }

    /// Waits for the end of a server that was asked to stop.
    pub async fn wait(&mut self) -> ExitStatus {
        self.server.take().expect("a stopping server").wait(STOP).await
    }

    /// Asks the server to stop and waits for its end.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.ask_to_stop();
        self.wait().await
    }

    /// The server of the database.
    pub fn postgres(&self) -> &PostgresServer {
        self.postgres.as_ref().expect("PostgreSQL")
    }

    /// The URL of the database, as a client outside of the server reaches it.
    pub fn database(&self) -> String {
        match &self.postgres {
            Some(postgres) => postgres.url("sitewatch"),
            None => format!("sqlite://{}", self.folder.path().join("data/sitewatch.db").display()),
        }
    }
}

/// Runs a command to its end; what it told and its exit code. A server that starts although it must not is ended.
pub async fn told(command: Command) -> (String, Option<i32>) {
    let mut command = tokio::process::Command::from(command);
    let output = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output()).await;
    let output = output.expect("a command that ends by itself").expect("the command runs");
    (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
}

impl Installation {
    /// The URL of the PostgreSQL database for another role.
    pub fn database_as(&self, role: &str) -> String {
        let url = self.database();
        let (_, place) = url.split_once('@').expect("a role in the URL");
        format!("postgres://{role}@{place}")
    }
}

/// Waits until the server says that it is about to stop.
pub async fn drains(client: &Client) {
    let give_up = tokio::time::Instant::now() + PATIENCE;
    loop {
        let ready = client.get("/health/ready").await;
        if ready.status.as_u16() == 503 {
            assert_eq!(ready.json()["reasons"][0], "draining");
            return;
        }
        assert!(tokio::time::Instant::now() < give_up, "the server does not stop");
    }
}

/// The command with one more setting.
pub fn with(mut command: Command, variable: &str, value: &str) -> Command {
    command.env(variable, value);
    command
}

/// A request that is not finished holds the stop up, for some seconds; whoever asks again does not want to wait.
pub async fn a_second_signal_ends_at_once(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let client = installation.start().await;
    let mut slow = TcpStream::connect(("127.0.0.1", installation.port)).expect("a connection");
    let head = format!(
        "POST /api/v1/organizations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 100\r\n\r\n{{",
        client.token()
    );
    slow.write_all(head.as_bytes()).expect("half a request");
    installation.ask_to_stop();
    // The first signal was heard: from here on the second one counts.
    drains(&client).await;
    installation.ask_to_stop();
    let server = installation.server.as_mut().expect("a server");
    let status = server.wait(Duration::from_secs(3)).await;
    assert_eq!(status.code(), Some(143), "{status}");
}

pub async fn a_taken_port_and_a_bad_folder_are_told(kind: Arc<Kind>) {
    let installation = Installation::new(&kind).await;
    let taken = TcpListener::bind(("127.0.0.1", installation.port)).expect("a port");
    let (text, code) = told(installation.command()).await;
    assert!(code == Some(10) && text.contains("already in use"), "{code:?} {text}");
    drop(taken);
    let file = installation.folder.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let (text, code) =
        told(with(installation.command(), "SITEWATCH_DATA_DIR", file.to_str().expect("text"))).await;
    assert!(code == Some(11) && text.contains("--data-dir"), "{code:?} {text}");
    let command = with(installation.command(), "SITEWATCH_BINT", "x");
    let (text, code) = told(with(command, "SITEWATCH_WORKERS", "many")).await;
    assert!(
        code == Some(3) && text.contains("SITEWATCH_BIND") && text.contains("workers"),
        "{code:?} {text}"
    );
    let nowhere = format!("postgres://nobody:canary@127.0.0.1:{}/x", free_port());
    let (text, code) = told(with(installation.command(), "SITEWATCH_DATABASE_URL", &nowhere)).await;
    assert!(code == Some(20) && !text.contains("canary"), "{code:?} {text}");
}

pub async fn a_second_server_on_the_folder_is_refused(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    installation.start().await;
    let address = format!("127.0.0.1:{}", free_port());
    let (text, code) = told(with(installation.command(), "SITEWATCH_BIND", &address)).await;
    assert!(code == Some(12) && text.contains("another server"), "{code:?} {text}");
}

pub async fn a_changed_secret_is_refused(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    installation.start().await;
    installation.kill();
    let fresh = installation.command().args(["config", "secret"]).output().expect("a secret").stdout;
    let fresh = String::from_utf8(fresh).expect("text");
    let (text, code) = told(with(installation.command(), "SITEWATCH_SECRET_KEY", fresh.trim())).await;
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

pub async fn migrations_can_be_left_to_a_command(kind: Arc<Kind>) {
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
    server.terminate(STOP).await;
    let mut migrate = installation.command();
    migrate.args(["migrate", "up"]);
    let (text, code) = told(migrate).await;
    assert_eq!(code, Some(0), "{text}");
    let status = installation.command().args(["migrate", "status"]).output().expect("a status");
    assert!(!String::from_utf8_lossy(&status.stdout).contains("pending"));
    // Still without leave to migrate: the server is ready because the command did it.
    let mut command = installation.command();
    command.env("SITEWATCH_MIGRATE", "off");
    let mut server = Process::spawn("sitewatch-api", command, &installation.folder.path().join("log"));
    server.wait_for_http(&format!("{base}/health/ready"), PATIENCE).await;
}

pub async fn a_newer_schema_is_refused(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    installation.start().await;
    assert!(installation.terminate().await.success());
    let connection = Database::connect(installation.database()).await.expect("a connection");
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_of_a_later_version', 0)";
    connection.execute_unprepared(newer).await.expect("a row");
    connection.close().await.expect("the connection closes");
    let (text, code) = told(installation.command()).await;
    assert!(code == Some(21) && text.contains("m9999_of_a_later_version"), "{code:?} {text}");
}
