//! The second wall: PostgreSQL itself keeps the rows of organizations apart, whatever a statement of ours forgets.
//!
//! The policies are those of migration `row_level_security`; the step after the migrations switches them on and off. They let everything
//! through until a transaction sets `sitewatch.wall`; from there to its end it meets no row of an organization but those of
//! `sitewatch.orgs` and what belongs to `sitewatch.user_id`. A transaction that sets no more than the wall meets none.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
    sqlx::{self, AssertSqlSafe, PgPool, Postgres, Transaction, query::Query},
};
use sea_query_sqlx::SqlxValues;
use sitewatch_domain::access::{Actor, Horizon};

use crate::{connect::ConnectError, deadline::Patience, error::is_locked};

/// The policy that every table behind the wall has.
const POLICY: &str = "organizations_apart";
/// How long switching a table waits for those who use it; meanwhile others wait behind.
const LOCK_WAIT: &str = "SET lock_timeout = '1s'";
/// How often it is tried, with a pause in which everybody goes on.
const ATTEMPTS: u32 = 30;
const PAUSE: Duration = Duration::from_millis(500);

/// What is visible to somebody, as a transaction is told it.
pub(crate) struct View(String);

impl View {
    /// What an actor may meet at all; none if that is everything.
    pub(crate) fn of(who: &Actor) -> Option<Self> {
        let Horizon::Within { orgs, user } = who.horizon() else { return None };
        // Nothing but numbers in hexadecimal comes into the text.
        let orgs = orgs.iter().map(|org| org.uuid().to_string()).collect::<Vec<_>>().join(",");
        let user = user.map(|user| user.uuid().to_string()).unwrap_or_default();
        Some(Self(format!(
            "SET LOCAL sitewatch.wall = 'on'; SET LOCAL sitewatch.orgs = '{orgs}'; SET LOCAL sitewatch.user_id = '{user}'"
        )))
    }

    /// Lets a transaction see this until its end, and nothing else.
    pub(crate) async fn open<C: ConnectionTrait>(&self, transaction: &C) -> Result<(), DbErr> {
        transaction.execute_unprepared(&self.0).await.map(drop)
    }
}

/// Lets a transaction see every row until its end: for what is the installation's own work within anybody's change.
pub(crate) async fn open_to_all<C: ConnectionTrait>(transaction: &C) -> Result<(), DbErr> {
    transaction.execute_unprepared("SET LOCAL sitewatch.wall = ''").await.map(drop)
}

/// The pool for reading, as somebody sees it who sees only a part.
///
/// Each statement runs in a transaction of its own, which begins and is told what is visible in one message. So nothing is held from one
/// statement to the next, as without the wall: nobody has a connection while he waits for another one, and a slow reader has no
/// transaction that is idle.
pub(crate) struct Walled {
    pool: PgPool,
    opening: String,
    patience: Patience,
    limit: Duration,
}

impl Walled {
    /// The pool of a PostgreSQL server, seen so.
    pub(crate) fn new(
        connection: &DatabaseConnection,
        View(view): &View,
        patience: Patience,
        limit: Duration,
    ) -> Self {
        // Whatever a session for reading wrote would be taken back; it shall fail instead.
        let opening = format!("BEGIN READ ONLY; {view}");
        Self { pool: connection.get_postgres_connection_pool().clone(), opening, patience, limit }
    }

    /// Its end is a rollback, which nobody waits for.
    async fn begin(&self) -> Result<Transaction<'static, Postgres>, DbErr> {
        let (pool, opening) = (self.pool.clone(), AssertSqlSafe(self.opening.clone()));
        self.patience
            .to_its_end(self.limit, async move { pool.begin_with(opening).await.map_err(driver_error) })
            .await
    }
}

fn prepared(statement: &Statement) -> Query<'_, Postgres, SqlxValues> {
    let values = statement.values.clone().unwrap_or_else(|| sea_orm::Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), SqlxValues(values))
}

fn driver_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}

#[async_trait]
impl ConnectionTrait for Walled {
    fn get_database_backend(&self) -> DbBackend {
        DbBackend::Postgres
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let mut transaction = self.begin().await?;
        prepared(&statement).execute(&mut *transaction).await.map(Into::into).map_err(driver_error)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let mut transaction = self.begin().await?;
        let sql = AssertSqlSafe(sql.to_owned());
        sqlx::Executor::execute(&mut *transaction, sql).await.map(Into::into).map_err(driver_error)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let mut transaction = self.begin().await?;
        let row = prepared(&statement).fetch_optional(&mut *transaction).await.map_err(driver_error)?;
        Ok(row.map(Into::into))
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut transaction = self.begin().await?;
        let rows = prepared(&statement).fetch_all(&mut *transaction).await.map_err(driver_error)?;
        Ok(rows.into_iter().map(Into::into).collect())
    }
}

/// Switches the policies on or off where they are not so yet; for the role that owns the tables.
pub(crate) async fn switch(connection: &DatabaseConnection, is_on: bool) -> Result<(), DbErr> {
    let (condition, change) = if is_on {
        // Also for the owner: one role may migrate and serve.
        (
            "NOT (c.relrowsecurity AND c.relforcerowsecurity)",
            "ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        )
    } else {
        (
            "(c.relrowsecurity OR c.relforcerowsecurity)",
            "DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY",
        )
    };
    let others = tables(connection, condition).await?;
    if others.is_empty() {
        return Ok(());
    }
    connection.execute_unprepared(LOCK_WAIT).await?;
    // One at a time: whoever held all of them would meet those who hold one and wait for another.
    for table in &others {
        patiently(connection, &format!("ALTER TABLE {table} {change}")).await?;
    }
    tracing::info!(tables = others.len(), is_on, "row level security was switched");
    Ok(())
}

/// Runs a statement that wants a table for itself, however many transactions use it.
async fn patiently(connection: &DatabaseConnection, sql: &str) -> Result<(), DbErr> {
    for _ in 1..ATTEMPTS {
        match connection.execute_unprepared(sql).await {
            Err(error) if is_locked(&error) => tokio::time::sleep(PAUSE).await,
            done => return done.map(drop),
        }
    }
    connection.execute_unprepared(sql).await.map(drop)
}

/// Refuses a role or a database that the wall is not there for.
pub(crate) async fn check(connection: &DatabaseConnection) -> Result<(), ConnectError> {
    let role = "SELECT current_user::text AS name FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)";
    let role = Statement::from_string(DbBackend::Postgres, role);
    if let Some(row) = connection.query_one_raw(role).await.map_err(ConnectError::of)? {
        let name: String = row.try_get("", "name").map_err(ConnectError::of)?;
        return Err(ConnectError::SeesAll(name));
    }
    let behind = tables(connection, "true").await.map_err(ConnectError::of)?.len();
    let open = tables(connection, "NOT (c.relrowsecurity AND c.relforcerowsecurity)").await;
    let open = open.map_err(ConnectError::of)?.len();
    if behind == 0 || open > 0 { Err(ConnectError::Unwalled) } else { Ok(()) }
}

/// The tables with policies of ours, as far as they are so.
async fn tables(connection: &DatabaseConnection, condition: &str) -> Result<Vec<String>, DbErr> {
    let sql = format!(
        "SELECT c.oid::regclass::text AS name FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid \
         WHERE p.polname = '{POLICY}' AND {condition} \
         AND c.relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = to_regclass('organizations')) ORDER BY 1"
    );
    let rows = connection.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    rows.iter().map(|row| row.try_get("", "name")).collect()
}
