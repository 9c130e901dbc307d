//! How long the database may take to answer: one that is frozen, or behind a network that swallows packets, would otherwise
//! hold up whoever asks for ever, since no error ever comes.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult,
    RuntimeErr, Statement, TransactionOptions, TransactionTrait,
    sqlx::{Executor as _, PgConnection},
};
use sitewatch_domain::access::Actor;
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use crate::{
    observe::{Asked, Demand, Observer, PoolState},
    wall::{View, Walled},
};

/// For a statement of a request: whoever waits for its answer has it, or 503, within some ten seconds.
const OF_REQUESTS: Duration = Duration::from_secs(8);
/// For a statement of a job: a little more than the database itself allows.
const OF_JOBS: Duration = Duration::from_secs(35);
/// For the statement that says who the caller is. Several requests wait for one, and then for the next.
const OF_STANDINGS: Duration = Duration::from_secs(3);
/// For a sign of life.
const OF_PROBES: Duration = Duration::from_secs(2);
/// How long a connection may take to show that it is good after something was given up on it or another one.
const OF_RETURNS: Duration = Duration::from_secs(2);
/// How long connections are mistrusted after a statement was given up.
const MISTRUST: Duration = Duration::from_mins(1);

/// When a statement of a pool was last given up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Silence(Arc<Mutex<Option<Instant>>>);

impl Silence {
    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_recent(&self) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|last| last.elapsed() < MISTRUST)
    }

    /// Whether a connection can go back to its pool. The pool itself waits for its answer without an end, and it would lack
    /// the connection for as long.
    pub(crate) async fn allows_return(self, connection: &mut PgConnection) -> bool {
        // A transaction that was given up while it began may have begun all the same: none is handed on.
        !self.is_recent()
            || matches!(timeout(OF_RETURNS, connection.execute("BEGIN; ROLLBACK")).await, Ok(Ok(_)))
    }
}

/// How patient a store is, and what it has met.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    silence: Silence,
    /// SQLite is a part of the process and has an end to its waiting of its own.
    has_end: bool,
    observer: Observer,
}

impl Patience {
    /// For a pool on PostgreSQL that notes its silence here.
    pub(crate) const fn of_postgres(silence: Silence, observer: Observer) -> Self {
        Self { silence, has_end: true, observer }
    }

    /// For SQLite: without an end.
    pub(crate) fn of_sqlite(observer: Observer) -> Self {
        Self { silence: Silence::default(), has_end: false, observer }
    }

    /// The pool that it is patient with.
    pub(crate) fn pool(&self, name: &'static str, pool: &DatabaseConnection) -> PoolState {
        self.observer.pool(name, pool)
    }

    /// A connection for statements of this actor.
    pub(crate) fn reading<C>(&self, connection: C, who: &Actor) -> Timed<C> {
        self.timed(connection, limit_of(who))
    }

    /// The same behind the wall, as somebody sees it.
    pub(crate) fn reading_behind_wall(
        &self,
        connection: &DatabaseConnection,
        view: &View,
        who: &Actor,
    ) -> Timed<Walled> {
        let limit = limit_of(who);
        self.timed(Walled::new(connection, view, self.clone(), limit), limit)
    }

    /// A connection for the standings of callers.
    pub(crate) fn standings(&self, connection: DatabaseConnection) -> Timed<DatabaseConnection> {
        self.timed(connection, OF_STANDINGS)
    }

    /// A connection for a sign of life.
    pub(crate) fn probing(&self, connection: DatabaseConnection) -> Timed<DatabaseConnection> {
        self.timed(connection, OF_PROBES)
    }

    fn timed<C>(&self, connection: C, limit: Duration) -> Timed<C> {
        Timed { connection, patience: self.clone(), limit, held: None }
    }

    /// Begins a transaction for an actor.
    pub(crate) async fn begin(
        &self,
        connection: &DatabaseConnection,
        options: TransactionOptions,
        who: &Actor,
    ) -> Result<Timed<DatabaseTransaction>, DbErr> {
        let limit = limit_of(who);
        let connection = connection.clone();
        let begun = self.to_its_end(limit, async move { connection.begin_with_options(options).await });
        let held = Some(self.observer.wants_connection());
        let connection = self.watch(self.observer.asked_to("BEGIN"), limit, begun).await?;
        Ok(Timed { connection, patience: self.clone(), limit, held })
    }

    /// Begins a transaction although whoever wanted it may break off meanwhile; then it is taken back at once. A driver that is broken off
    /// itself, between saying that it begins and hearing that it has, would hand on a connection in a transaction that nobody knows of; so
    /// it is only where the database is silent, after which each connection is looked at.
    pub(crate) async fn to_its_end<T: Send + 'static>(
        &self,
        limit: Duration,
        begin: impl Future<Output = Result<T, DbErr>> + Send + 'static,
    ) -> Result<T, DbErr> {
        let patience = self.clone();
        let begun = tokio::spawn(async move { patience.wait(limit, begin).await }).await;
        begun.unwrap_or_else(|broken_off| Err(DbErr::Conn(RuntimeErr::Internal(broken_off.to_string()))))
    }

    /// The same, counted.
    async fn watch<T>(
        &self,
        asked: Asked,
        limit: Duration,
        answer: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        let answered = self.wait(limit, answer).instrument(asked.span()).await;
        asked.answered();
        answered
    }

    /// Waits for an answer, at most so long. What is given up may still be done: only the database knows.
    async fn wait<T>(
        &self,
        limit: Duration,
        answer: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        if !self.has_end {
            return answer.await;
        }
        let mut answer = pin!(answer);
        match timeout(limit, answer.as_mut()).await {
            Ok(answered) => answered,
            Err(_elapsed) => {
                // Before the connection is let go, which asks about it.
                self.silence.note();
                let text = format!("the database gave no answer within {} s", limit.as_secs());
                Err(DbErr::Conn(RuntimeErr::Internal(text)))
            }
        }
    }
}

fn limit_of(who: &Actor) -> Duration {
    if who.fence().is_some() { OF_JOBS } else { OF_REQUESTS }
}

/// A connection whose statements come to an end.
pub(crate) struct Timed<C> {
    connection: C,
    patience: Patience,
    limit: Duration,
    /// Of a transaction, which keeps its connection to its end.
    held: Option<Demand>,
}

impl<C> Timed<C> {
    /// Sends a statement, on the connection that is held or one that is wanted for it.
    async fn send<T>(
        &self,
        asked: Asked,
        answer: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        let _wanted = self.held.is_none().then(|| self.patience.observer.wants_connection());
        self.patience.watch(asked, self.limit, answer).await
    }

    fn asked(&self, sql: &str) -> Asked {
        self.patience.observer.asked(sql)
    }
}

impl Timed<DatabaseConnection> {
    /// Asks for a sign of life.
    pub(crate) async fn ping(&self) -> Result<(), DbErr> {
        self.patience.wait(self.limit, self.connection.ping()).await
    }

    /// Waits for an answer to several statements on the connection.
    pub(crate) async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&DatabaseConnection) -> Result<T, DbErr>,
    ) -> Result<T, DbErr> {
        self.patience.wait(self.limit, question(&self.connection)).await
    }
}

impl Timed<DatabaseTransaction> {
    /// Commits. After an error of waiting nobody knows whether it was done.
    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        let Self { connection, patience, limit, held: _held } = self;
        patience.watch(patience.observer.asked_to("COMMIT"), limit, connection.commit()).await
    }
}

#[async_trait]
impl<C: ConnectionTrait + Send> ConnectionTrait for Timed<C> {
    fn get_database_backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let asked = self.asked(&statement.sql);
        self.send(asked, self.connection.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.send(self.asked(sql), self.connection.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let asked = self.asked(&statement.sql);
        self.send(asked, self.connection.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let asked = self.asked(&statement.sql);
        self.send(asked, self.connection.query_all_raw(statement)).await
    }
}
