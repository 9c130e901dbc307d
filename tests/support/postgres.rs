//! A real PostgreSQL for the tests, started by themselves from the installed binaries.
//!
//! It lives in a temporary folder of its own, on a free port and a unix socket, and never outlives the tests. It sorts
//! text as a typical installation does (ICU's root collation, where the build has it), so that a query which forgets
//! to name its order is found out.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database};
use tempfile::TempDir;
use tokio::{sync::OnceCell, time::Instant};

use crate::{ports::free_port, watchdog::Watchdog};

/// The superuser of the test servers; connections are trusted.
pub const USER: &str = "sitewatch";

const START_LIMIT: Duration = Duration::from_mins(1);

/// The longest path of a unix socket that the kernel takes, with room for `/.s.PGSQL.65535`.
const LONGEST_FOLDER: usize = 80;

/// What the server promises about a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: no fsync. For everything that does not kill the server.
    Fast,
    /// What an installation promises: a commit that was answered survives a crash.
    Durable,
}

/// A running PostgreSQL. Dropping it stops it and removes its folder.
#[derive(Debug)]
pub struct PostgresServer {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    account: Option<Account>,
    running: Mutex<Option<Running>>,
}

struct Running {
    child: Child,
    watchdog: Watchdog,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {}", self.child.id())
    }
}

/// The account that the server runs as when the tests run as root, which PostgreSQL refuses.
#[derive(Debug, Clone, Copy)]
struct Account {
    uid: u32,
    gid: u32,
}

impl PostgresServer {
    /// Makes a fresh server and waits until it takes connections.
    pub async fn start(durability: Durability) -> Self {
        let programs = find_programs();
        let account = geteuid().is_root().then(unprivileged_account);
        let folder = temporary_folder();
        if let Some(Account { uid, gid }) = account {
            chown(folder.path(), Some(uid), Some(gid)).expect("the folder given to the unprivileged account");
        }
        let server = Self { programs, folder, port: free_port(), account, running: Mutex::new(None) };
        server.initialize(durability);
        server.start_again().await;
        server
    }

    /// The TCP address of a database, as a connection URL.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// The same database by the server's unix socket: quicker, and what an installation on one machine uses.
    pub fn socket_url(&self, database: &str) -> String {
        format!("postgres://{USER}@localhost:{}/{database}?host={}", self.port, self.folder.path().display())
    }

    /// Makes an empty database. Names are lower-case letters, digits and underscores.
    pub async fn create_database(&self, name: &str) {
        self.execute(&format!("CREATE DATABASE {}", identifier(name))).await;
    }

    /// Makes a database as a copy of another one, which nobody may be connected to.
    pub async fn create_from_template(&self, name: &str, template: &str) {
        self.execute(&format!("CREATE DATABASE {} TEMPLATE {}", identifier(name), identifier(template)))
            .await;
    }

    /// Removes a database, with whoever is still connected to it.
    pub async fn drop_database(&self, name: &str) {
        self.execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", identifier(name))).await;
    }

    /// Stops the server as a crash would: sessions are cut off, and the next start recovers from the log.
    pub fn stop_immediately(&self) {
        let running = self.running.lock().expect("no panic while the server is stopped").take();
        if let Some(Running { mut child, watchdog }) = running {
            if let Some(pid) = pid_of(&child) {
                // It may have ended by itself; waiting for it is all that is left then.
                let _gone = kill_process(pid, Signal::QUIT);
            }
            let _status = child.wait();
            drop(watchdog);
        }
    }

    /// The process that all its others come from, while it runs.
    pub(crate) fn pid(&self) -> Option<Pid> {
        let running = self.running.lock().expect("no panic while the server is looked at");
        running.as_ref().and_then(|running| pid_of(&running.child))
    }

    /// Starts the stopped server on the same port and folder, and waits until it takes connections.
    pub async fn start_again(&self) {
        let child = self
            .command("postgres")
            .arg("-D")
            .arg(self.data())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::options().create(true).append(true).open(self.log_file()).expect("a log file"))
            .spawn()
            .expect("postgres starts");
        let watchdog = Watchdog::over(child.id(), "QUIT", Some(self.folder.path()));
        *self.running.lock().expect("no panic while the server is started") =
            Some(Running { child, watchdog });
        let give_up = Instant::now() + START_LIMIT;
        while !self.is_ready() {
            assert!(self.is_alive(), "PostgreSQL ended while it started:\n{}", self.log());
            assert!(
                Instant::now() < give_up,
                "PostgreSQL is not ready after {START_LIMIT:?}:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the server takes connections again.
    pub async fn is_back(&self) {
        let give_up = Instant::now() + START_LIMIT;
        while !self.is_ready() {
            assert!(Instant::now() < give_up, "PostgreSQL is not back:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn initialize(&self, durability: Durability) {
        let attempt = |locale: &[&str]| {
            let mut command = self.command("initdb");
            command.arg("-D").arg(self.data()).args(["--username", USER, "--auth=trust", "--encoding=UTF8"]);
            command.args(["--locale=C", "--no-sync", "--no-instructions"]).args(locale);
            command.output().expect("initdb starts")
        };
        // Builds before 15, or without ICU, know the C collation only.
        let mut output = attempt(&["--locale-provider=icu", "--icu-locale=und"]);
        if !output.status.success() {
            output = attempt(&[]);
        }
        assert!(output.status.success(), "initdb failed: {}", text(&output));
        let mut settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\nmax_connections = 300\n",
            self.port,
            self.folder.path().display(),
        );
        settings.push_str("wal_level = minimal\nmax_wal_senders = 0\nlog_min_error_statement = panic\n");
        settings.push_str("log_line_prefix = '%m [%p] %d '\n");
        if durability == Durability::Fast {
            settings.push_str("fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n");
        }
        let file = self.data().join("postgresql.conf");
        let defaults = fs::read_to_string(&file).expect("the settings that initdb wrote");
        fs::write(&file, defaults + &settings).expect("the settings can be added to");
    }

    pub(crate) async fn execute(&self, statement: &str) {
        let mut options = ConnectOptions::new(self.socket_url("postgres"));
        options.max_connections(1).sqlx_logging(false);
        let connection = Database::connect(options).await.expect("a connection to the tests' PostgreSQL");
        let done = connection.execute_unprepared(statement).await;
        connection.close().await.expect("the connection closes");
        if let Err(error) = done {
            panic!("{statement}: {error}");
        }
    }

    fn is_ready(&self) -> bool {
        // The last line of this file is how the server tells `pg_ctl` that it takes connections.
        let status = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        status.lines().last().is_some_and(|line| line.trim() == "ready")
    }

    fn is_alive(&self) -> bool {
        let mut running = self.running.lock().expect("no panic while the server is looked at");
        running.as_mut().is_some_and(|running| running.child.try_wait().is_ok_and(|status| status.is_none()))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        // A group of its own: Ctrl-C in the terminal ends the tests, which then stop it in their own way.
        command.current_dir(self.folder.path()).env("LC_ALL", "C").process_group(0);
        if let Some(Account { uid, gid }) = self.account {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.stop_immediately();
    }
}

/// A migrated database that fresh ones are copied from, which takes some 50 ms where migrating takes longer.
#[derive(Debug)]
pub struct PostgresTemplate {
    server: Arc<PostgresServer>,
    copies: AtomicU32,
    unused: Arc<Mutex<Vec<String>>>,
}

const TEMPLATE: &str = "migrated_template";

impl PostgresTemplate {
    /// Makes the template on a server: `migrate` is given the URL of an empty database. One template a server.
    pub async fn create(server: Arc<PostgresServer>, migrate: impl AsyncFnOnce(String)) -> Self {
        server.create_database(TEMPLATE).await;
        migrate(server.socket_url(TEMPLATE)).await;
        // Copying wants a database without sessions; a pool that `migrate` left behind may still hold one.
        server.execute(&format!("ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS false")).await;
        let end = format!(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{TEMPLATE}'"
        );
        server.execute(&end).await;
        Self { server, copies: AtomicU32::new(0), unused: Arc::default() }
    }

    /// A fresh database with the template's schema and rows.
    pub async fn copy(&self) -> DatabaseCopy {
        let unused = std::mem::take(&mut *self.unused.lock().expect("no panic while a name is added"));
        for name in unused {
            self.server.drop_database(&name).await;
        }
        let name = format!("copy_{}", self.copies.fetch_add(1, Ordering::Relaxed));
        self.server.create_from_template(&name, TEMPLATE).await;
        DatabaseCopy { server: Arc::clone(&self.server), name, unused: Arc::clone(&self.unused) }
    }
}

/// One test's own database. It is removed some time after this is dropped.
#[derive(Debug)]
pub struct DatabaseCopy {
    server: Arc<PostgresServer>,
    name: String,
    unused: Arc<Mutex<Vec<String>>>,
}

impl DatabaseCopy {
    /// The URL by the server's unix socket.
    pub fn url(&self) -> String {
        self.server.socket_url(&self.name)
    }

    /// The URL for a role that may read and write the rows of the database and nothing else.
    pub async fn url_of_an_app_role(&self) -> String {
        let role = format!("app_of_{}", self.name);
        let mut options = ConnectOptions::new(self.url());
        options.max_connections(1).sqlx_logging(false);
        let connection = Database::connect(options).await.expect("a connection to the copy");
        for statement in [
            format!("CREATE ROLE {role} LOGIN"),
            format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"),
            format!("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}"),
            format!("GRANT EXECUTE ON FUNCTION sitewatch_ensure_readings_partition TO {role}"),
        ] {
            connection.execute_unprepared(&statement).await.expect("a role with few rights");
        }
        connection.close().await.expect("the connection closes");
        self.url().replacen(&format!("://{USER}@"), &format!("://{role}@"), 1)
    }

    /// The name of the database.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The server that it is on.
    pub fn server(&self) -> &PostgresServer {
        &self.server
    }
}

impl Drop for DatabaseCopy {
    fn drop(&mut self) {
        if let Ok(mut unused) = self.unused.lock() {
            unused.push(std::mem::take(&mut self.name));
        }
    }
}

/// A template on a server of its own, both made when a test first asks: a run without such tests starts nothing.
#[derive(Debug, Default)]
pub struct SharedPostgres {
    template: OnceCell<PostgresTemplate>,
}

impl SharedPostgres {
    /// A fresh database; the first call starts the server and calls `migrate` on the template.
    pub async fn copy(&self, migrate: impl AsyncFnOnce(String)) -> DatabaseCopy {
        let template = self.template.get_or_init(async || {
            let server = PostgresServer::start(Durability::Fast).await;
            PostgresTemplate::create(Arc::new(server), migrate).await
        });
        template.await.copy().await
    }
}

fn pid_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

fn identifier(name: &str) -> &str {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    assert!(!name.is_empty() && name.chars().all(is_plain), "not a plain database name: {name:?}");
    name
}

/// The folder with `postgres` and `initdb`: that of `pg_config`, else the highest version of the usual places.
fn find_programs() -> PathBuf {
    let configured =
        Command::new("pg_config").arg("--bindir").output().ok().filter(|output| output.status.success());
    let configured = configured.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let mut installed: Vec<(u32, PathBuf)> =
        ["/usr/lib/postgresql", "/usr", "/opt/homebrew/opt", "/usr/local/opt"]
            .iter()
            .filter_map(|parent| fs::read_dir(parent).ok())
            .flatten()
            .filter_map(Result::ok)
            .filter_map(|entry| Some((version_in(entry.file_name().to_str()?)?, entry.path().join("bin"))))
            .collect();
    installed.sort_unstable_by(|a, b| b.cmp(a));
    configured
        .into_iter()
        .chain(installed.into_iter().map(|(_, folder)| folder))
        .chain([PathBuf::from("/usr/local/pgsql/bin")])
        .find(|folder| ["postgres", "initdb"].iter().all(|program| folder.join(program).is_file()))
        .expect("PostgreSQL's server is installed (Debian and Ubuntu: apt-get install postgresql)")
}

/// The version in the name of an installation's folder: `15`, `pgsql-15` and `postgresql@15` are versions 15.
fn version_in(folder: &str) -> Option<u32> {
    folder.trim_start_matches("postgresql@").trim_start_matches("pgsql-").parse().ok()
}

fn unprivileged_account() -> Account {
    let number = |option: &str, name: &str| {
        let output = Command::new("id").args([option, name]).output().expect("the command `id`");
        String::from_utf8_lossy(&output.stdout).trim().parse::<u32>().ok()
    };
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| Some(Account { uid: number("-u", name)?, gid: number("-g", name)? }))
        .expect("an account `postgres` or `nobody`: PostgreSQL does not run as root")
}

fn temporary_folder() -> TempDir {
    let usual = std::env::temp_dir();
    let parent = if usual.as_os_str().len() < LONGEST_FOLDER { usual.as_path() } else { Path::new("/tmp") };
    tempfile::Builder::new().prefix("sitewatch-pg-").tempdir_in(parent).expect("a temporary folder")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(url: String, statements: &str) -> Result<u64, sea_orm::DbErr> {
        let connection = Database::connect(url).await?;
        let done = connection.execute_unprepared(statements).await;
        connection.close().await?;
        done.map(|result| result.rows_affected())
    }

    #[tokio::test]
    async fn copies_are_separate_and_durable_commits_survive_a_crash() {
        let server = Arc::new(PostgresServer::start(Durability::Durable).await);
        let migrate = async |url| assert_eq!(run(url, "CREATE TABLE marks (mark int)").await.unwrap(), 0);
        let template = PostgresTemplate::create(Arc::clone(&server), migrate).await;
        let (one, other) = (template.copy().await, template.copy().await);
        run(one.url(), "INSERT INTO marks VALUES (1), (2)").await.unwrap();

        server.stop_immediately();
        run(one.url(), "SELECT 1").await.unwrap_err();
        server.start_again().await;

        assert_eq!(run(one.url(), "DELETE FROM marks").await.unwrap(), 2);
        assert_eq!(run(other.url(), "DELETE FROM marks").await.unwrap(), 0);
        assert_eq!(run(server.url(&other.name), "DELETE FROM marks").await.unwrap(), 0, "by TCP");
    }

    #[test]
    fn installations_are_told_by_their_folders() {
        assert_eq!(version_in("15"), Some(15));
        assert_eq!(version_in("pgsql-17"), Some(17));
        assert_eq!(version_in("postgresql@16"), Some(16));
        assert_eq!(version_in("lib"), None);
    }
}
