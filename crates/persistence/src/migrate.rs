//! Migrations under a lock of our own: the migration library takes none, and two nodes may start at the same moment.

use std::{collections::HashSet, fs::File, path::Path, time::Duration};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use sitewatch_migrations::{Migrator, MigratorTrait, names};

use crate::{
    connect::{ConnectError, StoreSettings, Target},
    deadline::Silence,
    open::{open_postgres, open_sqlite},
    wall,
};

/// Any number that no other program on the same server uses for its own lock.
const LOCK: i64 = 0x5349_5445_5741_5443;
/// How long to wait for another node's migrations, in steps of [`LOCK_PAUSE`].
const LOCK_ATTEMPTS: u32 = 600;
const LOCK_PAUSE: Duration = Duration::from_millis(200);

/// Why the schema cannot be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database was migrated by a later version of the program.
    #[error("the schema is at {database}, and this program knows versions up to {program}")]
    Newer {
        /// The last migration in the database.
        database: String,
        /// The last migration in this program.
        program: String,
    },
    /// Another program has been migrating for too long.
    #[error("another program holds the migration lock")]
    Locked,
    /// A migration failed; what it did was taken back.
    #[error("a migration failed ({0})")]
    Failed(#[source] DbErr),
}

impl From<DbErr> for ConnectError {
    fn from(error: DbErr) -> Self {
        match Self::of(error) {
            Self::Unreachable(error) => MigrateError::Failed(error).into(),
            known => known,
        }
    }
}

/// A connection that holds the lock until it is dropped.
struct Locked {
    connection: DatabaseConnection,
    _file: Option<File>,
}

impl Locked {
    async fn open(settings: &StoreSettings) -> Result<Self, ConnectError> {
        match &settings.target {
            Target::Sqlite(path) => {
                let file = lock_file(path).await?;
                Ok(Self { connection: open_sqlite(path, 1).await?, _file: Some(file) })
            }
            Target::Postgres { admin_url, .. } => {
                let connection = open_single(admin_url).await?;
                lock_session(&connection).await?;
                Ok(Self { connection, _file: None })
            }
        }
    }

    async fn close(self) -> Result<(), ConnectError> {
        Ok(self.connection.close().await?)
    }
}

async fn open_single(
    url: &sitewatch_domain::text::Secret<String>,
) -> Result<DatabaseConnection, ConnectError> {
    // The lock belongs to the session, so the pool must consist of this one connection.
    open_postgres(url, 1, &Silence::default()).await
}

async fn lock_file(database: &Path) -> Result<File, ConnectError> {
    let mut name = database.as_os_str().to_owned();
    name.push(".migrate.lock");
    let file =
        File::create(&name).map_err(|error| ConnectError::Unreachable(DbErr::Custom(error.to_string())))?;
    for _ in 0..LOCK_ATTEMPTS {
        if file.try_lock().is_ok() {
            return Ok(file);
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
    Err(MigrateError::Locked.into())
}

async fn lock_session(connection: &DatabaseConnection) -> Result<(), ConnectError> {
    // Tried and not waited for: a waiting statement would run into the statement timeout and would block vacuum meanwhile.
    let sql = format!("SELECT pg_try_advisory_lock({LOCK}) AS locked");
    for _ in 0..LOCK_ATTEMPTS {
        let row = connection.query_one_raw(Statement::from_string(DbBackend::Postgres, &sql)).await?;
        if row.is_some_and(|row| row.try_get("", "locked").unwrap_or(false)) {
            return Ok(());
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
    Err(MigrateError::Locked.into())
}

/// Runs what is missing.
pub(crate) async fn up(settings: &StoreSettings) -> Result<Vec<String>, ConnectError> {
    let locked = Locked::open(settings).await?;
    refuse_newer(&locked.connection).await?;
    let pending = pending(&locked.connection).await?;
    if !pending.is_empty() {
        Migrator::up(&locked.connection, None).await?;
        keep_roles(&locked.connection).await?;
    }
    keep_wall(&locked.connection, settings).await?;
    locked.close().await?;
    Ok(pending)
}

/// Gives every role that may write users the same rights on tables that are new, so that what serves goes on to serve. Tables on
/// which anybody was given anything are left as they are.
const NEW_TABLES_ARE_AS_THE_OTHERS: &str = "DO $$
    DECLARE
        other text;
        new_table text;
        new_tables text[] := ARRAY(
            SELECT quote_ident(relname) FROM pg_catalog.pg_class
            WHERE relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = 'users'::regclass)
                AND relkind IN ('r', 'p') AND NOT relispartition AND relacl IS NULL AND relname <> 'seaql_migrations');
    BEGIN
        FOR other IN
            SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
            FROM pg_catalog.pg_class, aclexplode(relacl)
            WHERE oid = 'users'::regclass AND grantee <> relowner AND privilege_type = 'INSERT'
        LOOP
            FOREACH new_table IN ARRAY new_tables LOOP
                EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %s', new_table, other);
            END LOOP;
        END LOOP;
    END $$";

async fn keep_roles(connection: &DatabaseConnection) -> Result<(), DbErr> {
    if connection.get_database_backend() == DbBackend::Postgres {
        connection.execute_unprepared(NEW_TABLES_ARE_AS_THE_OTHERS).await?;
    }
    Ok(())
}

/// Whatever ran: the setting may have changed since the last time.
async fn keep_wall(connection: &DatabaseConnection, settings: &StoreSettings) -> Result<(), DbErr> {
    match settings.target {
        Target::Postgres { has_wall, .. } => wall::switch(connection, has_wall).await,
        Target::Sqlite(_) => Ok(()),
    }
}

/// Takes back the last ones.
pub(crate) async fn down(settings: &StoreSettings, steps: u32) -> Result<Vec<String>, ConnectError> {
    let locked = Locked::open(settings).await?;
    refuse_newer(&locked.connection).await?;
    let mut undone = applied(&locked.connection).await?;
    undone.reverse();
    undone.truncate(usize::try_from(steps).unwrap_or(usize::MAX));
    Migrator::down(&locked.connection, Some(steps)).await?;
    locked.close().await?;
    Ok(undone)
}

/// Takes back all, then runs all.
pub(crate) async fn fresh(settings: &StoreSettings) -> Result<Vec<String>, ConnectError> {
    let locked = Locked::open(settings).await?;
    refuse_newer(&locked.connection).await?;
    Migrator::down(&locked.connection, None).await?;
    Migrator::up(&locked.connection, None).await?;
    keep_wall(&locked.connection, settings).await?;
    locked.close().await?;
    Ok(names())
}

/// Which have run.
pub(crate) async fn status(settings: &StoreSettings) -> Result<Vec<(String, bool)>, ConnectError> {
    let connection = match &settings.target {
        // Whoever only looks makes nothing.
        Target::Sqlite(path) if !path.exists() => {
            return Ok(names().into_iter().map(|name| (name, false)).collect());
        }
        Target::Sqlite(path) => open_sqlite(path, 1).await?,
        Target::Postgres { admin_url, .. } => open_single(admin_url).await?,
    };
    let applied: HashSet<String> = applied(&connection).await?.into_iter().collect();
    connection.close().await?;
    Ok(names().into_iter().map(|name| (name.clone(), applied.contains(&name))).collect())
}

/// Those that the database lacks, in order.
pub(crate) async fn pending(connection: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let applied: HashSet<String> = applied(connection).await?.into_iter().collect();
    Ok(names().into_iter().filter(|name| !applied.contains(name)).collect())
}

/// Refuses a database in which migrations have run that this program does not know.
pub(crate) async fn refuse_newer(connection: &DatabaseConnection) -> Result<(), ConnectError> {
    let known: HashSet<String> = names().into_iter().collect();
    let applied = applied(connection).await.map_err(ConnectError::of)?;
    match applied.into_iter().rfind(|name| !known.contains(name)) {
        Some(database) => {
            let program = names().pop().unwrap_or_default();
            Err(MigrateError::Newer { database, program }.into())
        }
        None => Ok(()),
    }
}

/// Those that have run, in order; asked without making the library's table, which a mere look should not.
async fn applied(connection: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    if !has_table(connection, "seaql_migrations").await? {
        return Ok(Vec::new());
    }
    let backend = connection.get_database_backend();
    let rows = "SELECT version FROM seaql_migrations ORDER BY version";
    let rows = connection.query_all_raw(Statement::from_string(backend, rows)).await?;
    rows.iter().map(|row| row.try_get("", "version")).collect()
}

/// Whether a table is there.
pub(crate) async fn has_table(connection: &DatabaseConnection, name: &str) -> Result<bool, DbErr> {
    let backend = connection.get_database_backend();
    let exists = match backend {
        DbBackend::Postgres => "SELECT 1 AS found WHERE to_regclass($1) IS NOT NULL",
        _ => "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = $1",
    };
    let statement = Statement::from_sql_and_values(backend, exists, [name.into()]);
    Ok(connection.query_one_raw(statement).await?.is_some())
}
