//! One struct is every repository: over the pool for reading, over a transaction for writing.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, ExecResult, QueryResult, Statement,
    sea_query::Value,
};
use sitewatch_domain::{
    Rule,
    access::Actor,
    audit::Audit,
    idempotency::{IdempotencyClaim, KeyedRequest},
    ids::Id,
    jobs::{JobFence, Ticket},
    ports::{Entropy, Notary, Repositories, StoreError, Tx},
    time::Clock,
};
use uuid::Uuid;

use crate::{
    deadline::Timed,
    error::store_error,
    repositories::{keys::RecentUses, readings::Remembered, standing::Questions},
    scope, wall,
};

/// What all sessions of a store share.
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) notary: Arc<dyn Notary>,
    pub(crate) remembered: Remembered,
    pub(crate) uses: RecentUses,
}

impl Shared {
    pub(crate) fn mint<T>(&self) -> Id<T> {
        let mut random = [0; 10];
        self.entropy.fill(&mut random);
        Id::mint(self.clock.now(), random)
    }
}

/// A session on a connection `C`.
pub(crate) struct Session<C> {
    pub(crate) connection: C,
    pub(crate) shared: Arc<Shared>,
    /// Where standings are asked for together with those of other requests; not within a transaction.
    pub(crate) standings: Option<Arc<Questions>>,
    /// Whether the database shows this transaction only a part of the rows.
    is_walled: bool,
    keyed: Option<Arc<KeyedRequest>>,
    claim: Option<IdempotencyClaim>,
    /// To be kept with the claim.
    answer: Option<Vec<u8>>,
    fence: Option<JobFence>,
    /// Of the jobs that this transaction wrote.
    pub(crate) tickets: Vec<Ticket>,
}

impl<C> Session<C> {
    /// A session for reading.
    pub(crate) const fn reading(
        connection: C,
        shared: Arc<Shared>,
        standings: Option<Arc<Questions>>,
    ) -> Self {
        Self {
            connection,
            shared,
            standings,
            is_walled: false,
            keyed: None,
            claim: None,
            answer: None,
            fence: None,
            tickets: Vec::new(),
        }
    }
}

impl Session<Timed<DatabaseTransaction>> {
    /// A transaction that has begun, and was told what its caller may see if he is behind the wall; asks first of all whether his
    /// credential is still good, and takes his idempotency claim.
    pub(crate) async fn writing(
        connection: Timed<DatabaseTransaction>,
        shared: Arc<Shared>,
        who: &Actor,
        is_walled: bool,
    ) -> Result<Self, StoreError> {
        let keyed = who.keyed_request().cloned();
        let session = Self {
            claim: keyed.as_ref().map(|request| request.claim().clone()),
            keyed,
            fence: who.fence().cloned(),
            is_walled,
            ..Self::reading(connection, shared, None)
        };
        if let Some(credential) = who.credential() {
            session.require_good(credential).await?;
        }
        if let Some(claim) = &session.claim {
            session.take_claim(claim).await?;
        }
        Ok(session)
    }
}

impl<C: ConnectionTrait> Session<C> {
    /// Lets the rest of the transaction see every row, where the database shows it only a part.
    pub(crate) async fn leave_the_wall(&mut self) -> Result<(), StoreError> {
        if std::mem::take(&mut self.is_walled) {
            wall::open_to_all(&self.connection).await.map_err(store_error)?;
        }
        Ok(())
    }

    pub(crate) fn backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    /// A statement that the builder cannot say; its numbered parameters work on both databases.
    pub(crate) async fn execute_sql(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<ExecResult, StoreError> {
        let statement = Statement::from_sql_and_values(self.backend(), sql, values);
        self.connection.execute_raw(statement).await.map_err(store_error)
    }

    /// The rows of such a statement.
    pub(crate) async fn query_sql(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<QueryResult>, StoreError> {
        let statement = Statement::from_sql_and_values(self.backend(), sql, values);
        self.connection.query_all_raw(statement).await.map_err(store_error)
    }

    /// Adds a row.
    pub(crate) async fn insert<A>(&self, row: A) -> Result<(), StoreError>
    where
        A: sea_orm::ActiveModelTrait,
    {
        let insert = A::Entity::insert(row);
        insert.exec_without_returning(&self.connection).await.map(drop).map_err(store_error)
    }

    /// Adds rows, in one statement.
    pub(crate) async fn insert_all<A>(&self, rows: impl IntoIterator<Item = A>) -> Result<(), StoreError>
    where
        A: sea_orm::ActiveModelTrait,
    {
        let rows: Vec<A> = rows.into_iter().collect();
        if rows.is_empty() {
            return Ok(());
        }
        let insert = A::Entity::insert_many(rows);
        insert.exec_without_returning(&self.connection).await.map(drop).map_err(store_error)
    }

    /// Refuses what would hang on an archived row, by this rule. The rows stay as they are until the transaction ends.
    pub(crate) async fn require_active<E: EntityTrait>(
        &self,
        id_column: E::Column,
        ids: &[Uuid],
        rule: Rule,
    ) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let rows = scope::held_active::<E>(id_column, ids.iter().copied());
        let found = self.connection.query_all(&rows).await.map_err(store_error)?.len();
        if found == ids.len() { Ok(()) } else { Err(StoreError::Conflict(rule)) }
    }

    /// Changes rows; as they are then.
    pub(crate) async fn update_and_read<E: EntityTrait>(
        &self,
        rows: sea_orm::UpdateMany<E>,
    ) -> Result<Vec<E::Model>, StoreError> {
        rows.exec_with_returning(&self.connection).await.map_err(store_error)
    }

    /// Changes rows; how many there were.
    pub(crate) async fn update<E: EntityTrait>(
        &self,
        rows: sea_orm::UpdateMany<E>,
    ) -> Result<u64, StoreError> {
        Ok(rows.exec(&self.connection).await.map_err(store_error)?.rows_affected)
    }
}

impl<C: ConnectionTrait + Send + Sync> Repositories for Session<C> {}

#[async_trait]
impl Tx for Session<Timed<DatabaseTransaction>> {
    fn take_keyed_request(&mut self) -> Option<Arc<KeyedRequest>> {
        self.keyed.take()
    }

    fn keep_answer(&mut self, sealed: Vec<u8>) {
        self.answer = Some(sealed);
    }

    async fn commit(mut self: Box<Self>, trail: Audit) -> Result<Vec<Ticket>, StoreError> {
        // Leases and the log are the installation's, and what the change was about is done.
        self.leave_the_wall().await?;
        if let Some(claim) = &self.claim {
            self.settle_claim(claim, trail.resource(), self.answer.as_deref()).await?;
        }
        if let Some(fence) = &self.fence {
            self.check_fence(fence).await?;
        }
        // Last of all: others wait for the end of the log from here on.
        self.write_audit(trail.entries()).await?;
        let Self { connection, tickets, .. } = *self;
        connection.commit().await.map_err(store_error)?;
        Ok(tickets)
    }
}

/// A row that must be there, since it was there a moment ago in the same transaction.
pub(crate) fn expected<T>(row: Option<T>, what: &str) -> Result<T, StoreError> {
    row.ok_or_else(|| StoreError::Backend(Box::new(DbErr::RecordNotFound(what.to_owned()))))
}
