//! What the database is asked and how long its answers take: counted for all statements, told of those that take long.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sea_orm::{DatabaseConnection, DbBackend, sqlx};
use tracing::Span;

/// Characters of a statement that are logged.
const LOGGED: usize = 1_000;

/// What figures tell apart; anything else counts as `other`.
const OPERATIONS: [&str; 5] = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];

/// A pool of connections, as it is at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolState {
    /// What it is for: `read`, `write`, or `all`.
    pub name: &'static str,
    /// Connections that somebody uses, or that are being made for him.
    pub used: usize,
    /// Connections that wait for somebody.
    pub idle: usize,
    /// How many wait for a connection.
    pub waiting: usize,
    /// The most connections that it has.
    pub most: usize,
}

/// Watches what is asked of one pool.
#[derive(Debug, Clone)]
pub(crate) struct Observer {
    system: &'static str,
    slow: Option<Duration>,
    demand: Arc<AtomicUsize>,
}

impl Observer {
    /// Of a pool on this system; tells of what takes longer than `slow`.
    pub(crate) fn new(system: &'static str, slow: Option<Duration>) -> Self {
        Self { system, slow, demand: Arc::default() }
    }

    /// The pool that it watches.
    pub(crate) fn pool(&self, name: &'static str, pool: &DatabaseConnection) -> PoolState {
        let (open, idle, most) = match pool.get_database_backend() {
            DbBackend::Postgres => counted(pool.get_postgres_connection_pool()),
            _ => counted(pool.get_sqlite_connection_pool()),
        };
        // The two are not looked at in one moment.
        let used = open.saturating_sub(idle);
        PoolState { name, used, idle, waiting: self.demand().saturating_sub(used), most }
    }

    fn demand(&self) -> usize {
        self.demand.load(Ordering::Relaxed)
    }

    /// One more who wants a connection, until the value is dropped.
    pub(crate) fn wants_connection(&self) -> Demand {
        self.demand.fetch_add(1, Ordering::Relaxed);
        Demand(Arc::clone(&self.demand))
    }

    /// A statement is about to be sent. Its values are no part of it.
    pub(crate) fn asked(&self, sql: &str) -> Asked {
        let text = self.slow.map(|_| sql.chars().take(LOGGED).collect());
        self.began(operation(sql), text)
    }

    /// A transaction is about to begin or to end.
    pub(crate) fn asked_to(&self, operation: &'static str) -> Asked {
        self.began(operation, None)
    }

    fn began(&self, operation: &'static str, text: Option<String>) -> Asked {
        let span = tracing::trace_span!(
            target: "sitewatch::trace",
            "database",
            otel.name = operation,
            otel.kind = "client",
            db.system.name = self.system,
            db.operation.name = operation
        );
        Asked { system: self.system, operation, text, slow: self.slow, began: Instant::now(), span }
    }
}

/// Somebody who uses a connection or waits for one.
pub(crate) struct Demand(Arc<AtomicUsize>);

impl Drop for Demand {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A statement that is under way. What nobody waits for any more is not counted.
pub(crate) struct Asked {
    system: &'static str,
    operation: &'static str,
    text: Option<String>,
    slow: Option<Duration>,
    began: Instant,
    /// Of the trace that it belongs to.
    span: Span,
}

impl Asked {
    /// What the time until its answer counts for.
    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    /// It was answered, or given up.
    pub(crate) fn answered(self) {
        let took = self.began.elapsed();
        metrics::histogram!(
            "db_client_operation_duration_seconds",
            "db_system_name" => self.system, "db_operation_name" => self.operation
        )
        .record(took.as_secs_f64());
        if self.slow.is_some_and(|slow| took >= slow) {
            tracing::warn!(
                target: "sitewatch::slow",
                operation = self.operation,
                statement = self.text.as_deref(),
                duration_ms = (took.as_secs_f64() * 1e6).round() / 1e3,
                "the database took long"
            );
        }
    }
}

/// How many connections are open, how many of those idle, and how many there are at most.
fn counted<D: sqlx::Database>(pool: &sqlx::Pool<D>) -> (usize, usize, usize) {
    let number = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    (number(pool.size()), pool.num_idle(), number(pool.options().get_max_connections()))
}

/// What a statement does, by its first word.
fn operation(sql: &str) -> &'static str {
    let word = sql.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    OPERATIONS.into_iter().find(|known| known.eq_ignore_ascii_case(word)).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_apart_by_their_first_word() {
        assert_eq!(operation("SELECT 1"), "SELECT");
        assert_eq!(operation("\n  with a as (select 1) delete from b"), "WITH");
        assert_eq!(operation("insert into selects values (1)"), "INSERT");
        for other in ["", "  ", "selects", "PRAGMA x", "(SELECT 1)"] {
            assert_eq!(operation(other), "other", "{other:?}");
        }
    }

    #[test]
    fn whoever_goes_wants_nothing_any_more() {
        let observer = Observer::new("sqlite", None);
        let (one, two) = (observer.wants_connection(), observer.clone().wants_connection());
        assert_eq!(observer.demand(), 2);
        drop((one, two));
        assert_eq!(observer.demand(), 0);
    }
}
