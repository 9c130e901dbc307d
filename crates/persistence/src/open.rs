//! Opening a database: pools on SQLite and PostgreSQL, whether it is fit, and why it does not take connections.

use std::{path::Path, time::Duration};

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement,
    sqlx::{
        self, Connection as _, PgConnection,
        postgres::PgConnectOptions,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};
use sitewatch_domain::text::Secret;
use tokio::time::timeout;

use crate::{connect::ConnectError, deadline::Silence};

/// Versions before this one can corrupt a database in WAL mode (SQLite's release notes, WAL-reset bug).
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);
/// The same, as text for people.
pub const OLDEST_SQLITE_TEXT: &str = "3.51.3";

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A pool on an SQLite file.
pub(crate) async fn open_sqlite(path: &Path, connections: u32) -> Result<DatabaseConnection, ConnectError> {
    make_private(path)?;
    let mut options = ConnectOptions::new("sqlite:");
    let file = path.to_owned();
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(5))
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |sqlite: SqliteConnectOptions| {
            sqlite
                // Named here, since in a URL some characters of a path mean something else.
                .filename(&file)
                // It has been made: a connection that is opened later, while it is away, must not begin another one.
                .create_if_missing(false)
                .foreign_keys(true)
                .journal_mode(SqliteJournalMode::Wal)
                // What was acknowledged survives a power cut.
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(5))
                .pragma("temp_store", "memory")
                .pragma("cache_size", "-16000")
                .statement_cache_capacity(200)
        })
        // Where a disk is full or fails, SQLite ends a transaction by itself, and the driver still counts it. From then on it would
        // only nest savepoints in it: what is acknowledged would never be committed. Such a connection is closed.
        .map_sqlx_sqlite_pool_opts(|pool| {
            pool.before_acquire(|connection, _| {
                Box::pin(std::future::ready(Ok(!sqlx::Connection::is_in_transaction(connection))))
            })
        });
    Database::connect(options).await.map_err(ConnectError::of)
}

/// Makes the file readable for its owner only, before SQLite makes it readable for everybody.
///
/// A file that is there is never opened here: closing it again would drop every lock that this process has on it (POSIX), and the next
/// other program that closes the database would take itself for the last one and remove the log that this one writes to.
fn make_private(path: &Path) -> Result<(), ConnectError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    match std::fs::OpenOptions::new().create_new(true).append(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(unreachable(error)),
        Ok(_) | Err(_) => Ok(()),
    }
}

pub(crate) fn unreachable(error: std::io::Error) -> ConnectError {
    ConnectError::Unreachable(DbErr::Custom(error.to_string()))
}

/// A pool on a PostgreSQL server.
pub(crate) async fn open_postgres(
    url: &Secret<String>,
    connections: u32,
    silence: &Silence,
) -> Result<DatabaseConnection, ConnectError> {
    let mut options = ConnectOptions::new(url.expose().clone());
    let silence = silence.clone();
    options
        .max_connections(connections)
        .min_connections(1)
        .connect_timeout(CONNECT_TIMEOUT)
        .acquire_timeout(Duration::from_secs(2))
        // Every acquired connection would otherwise be asked for a sign of life, which doubles the round trips of a
        // read; one that was idle for a while still is.
        .test_before_acquire(false)
        .test_before_acquire_if_idle_for(Duration::from_secs(10))
        .statement_timeout(Duration::from_secs(30))
        .set_application_name("sitewatch")
        // Compiling a statement over hundreds of months takes longer than running it.
        .map_sqlx_postgres_opts(|postgres| {
            // What a frozen process has locked is free again before the jobs that it holds are taken back.
            postgres.options([("jit", "off"), ("idle_in_transaction_session_timeout", "5s")])
        })
        .map_sqlx_postgres_pool_opts(move |pool| {
            let silence = silence.clone();
            pool.after_release(move |connection, _| {
                let silence = silence.clone();
                Box::pin(async move { Ok(silence.allows_return(connection).await) })
            })
        })
        .sqlx_logging(false);
    match Database::connect(options).await {
        Ok(pool) => Ok(pool),
        Err(error) => Err(refusal(url).await.unwrap_or(ConnectError::Unreachable(error))),
    }
}

/// Why a server does not take connections. A pool tries again while it is refused, and tells only that time is up.
async fn refusal(url: &Secret<String>) -> Option<ConnectError> {
    let options: PgConnectOptions = url.expose().parse().ok()?;
    let address = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let reason = match timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&options)).await {
        Ok(Err(sqlx::Error::Io(error))) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            "connection refused".to_owned()
        }
        Err(_elapsed) => format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()),
        Ok(_) => return None,
    };
    Some(ConnectError::Refused { address, reason })
}

pub(crate) async fn check_sqlite(connection: &DatabaseConnection) -> Result<(), ConnectError> {
    let statement = Statement::from_string(DbBackend::Sqlite, "SELECT sqlite_version() AS version");
    let row = connection.query_one_raw(statement).await.map_err(ConnectError::of)?;
    let version: String = match row {
        Some(row) => row.try_get("", "version").map_err(ConnectError::Unreachable)?,
        None => String::new(),
    };
    if is_recent(&version) { Ok(()) } else { Err(ConnectError::SqliteTooOld(version)) }
}

fn is_recent(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next()) >= OLDEST_SQLITE
}

pub(crate) async fn warn_of_superuser(pool: &DatabaseConnection) {
    let sql = "SELECT rolsuper AS is_superuser FROM pg_roles WHERE rolname = current_user";
    let row = pool.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
    let is_superuser = row.ok().flatten().and_then(|row| row.try_get::<bool>("", "is_superuser").ok());
    if is_superuser == Some(true) {
        tracing::warn!(
            "the database role is a PostgreSQL superuser; a role of its own with fewer rights is safer"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sqlite_that_corrupts_databases_is_told_from_a_good_one() {
        for good in ["3.51.3", "3.52.0", "4.0.0", "3.51.10"] {
            assert!(is_recent(good), "{good}");
        }
        for bad in ["3.51.2", "3.45.1", "", "garbage"] {
            assert!(!is_recent(bad), "{bad}");
        }
    }
}
