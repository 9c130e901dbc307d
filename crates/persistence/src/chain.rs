//! Writing the audit log: each entry is linked to the one before it, and the end of the chain is held until the commit.
//!
//! A log has one end, so two transactions that write into the same log wait for each other: the end is held as late as
//! possible, after everything else that the transaction waits for, and where there are several, always in the same order.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, QueryResult, Set, sea_query::Value};
use sitewatch_domain::{
    access::Credential,
    audit::{AuditEntry, ChainHead, Digest, LogRow, chain_key, chain_of},
    ids::{AuditEventId, OrgId, UserId},
    ports::StoreError,
};
use uuid::Uuid;

use crate::{
    entities::audit_event,
    error::{corrupt, store_error},
    session::{Session, expected},
};

/// Audit entries of one statement: sixteen parameters each, of which SQLite takes 32,766.
const AUDIT_ROWS: usize = 2_000;

/// The columns of a head, for [`head_of`].
pub(crate) const HEAD: &str = "h.chain, h.seq, h.hash, h.adopted, h.broken_at, h.seal";

/// A head and its seal.
pub(crate) fn head_of(row: &QueryResult) -> Result<(ChainHead, Vec<u8>), StoreError> {
    let chain: Uuid = row.try_get("", "chain").map_err(store_error)?;
    let hash: Vec<u8> = row.try_get("", "hash").map_err(store_error)?;
    let head = ChainHead {
        chain: chain_of(chain),
        seq: row.try_get("", "seq").map_err(store_error)?,
        // What is no hash was never sealed as one.
        hash: Digest::try_from(hash.as_slice()).unwrap_or_default(),
        adopted: row.try_get("", "adopted").map_err(store_error)?,
        broken_at: row.try_get("", "broken_at").map_err(store_error)?,
    };
    Ok((head, row.try_get("", "seal").map_err(store_error)?))
}

/// The condition that an entry is of a log, with the parameter that it takes.
pub(crate) fn of_chain(chain: Option<OrgId>, parameter: usize) -> (String, Option<Value>) {
    match chain {
        Some(org) => (format!("organization_id = ${parameter}"), Some(org.uuid().into())),
        None => ("organization_id IS NULL".to_owned(), None),
    }
}

impl<C: ConnectionTrait> Session<C> {
    /// Writes the entries of a commit.
    pub(crate) async fn write_audit(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        let mut chains: BTreeMap<Option<OrgId>, Vec<&AuditEntry>> = BTreeMap::new();
        for entry in entries {
            chains.entry(entry.org).or_default().push(entry);
        }
        for (chain, entries) in chains {
            self.append(chain, &entries).await?;
        }
        Ok(())
    }

    async fn append(&self, chain: Option<OrgId>, entries: &[&AuditEntry]) -> Result<(), StoreError> {
        let mut head = self.hold_head(chain).await?;
        // After the wait for the end: entries are in the order of their moments.
        let at = self.shared.clock.now().as_micros();
        for entries in entries.chunks(AUDIT_ROWS) {
            let mut rows = Vec::with_capacity(entries.len());
            for entry in entries {
                let row = self.row_of(entry, at);
                head = head.followed_by(&row);
                rows.push(linked(row, entry, &head));
            }
            let insert = audit_event::Entity::insert_many(rows);
            let inserted = insert.exec_without_returning(&self.connection).await.map_err(store_error);
            inserted.map_err(|error| match error {
                // Only somebody who changed the table by hand put an entry behind the end.
                StoreError::Conflict(_) => corrupt("audit_heads", "seq", chain_key(chain)),
                other => other,
            })?;
        }
        self.put_head(&head).await
    }

    fn row_of(&self, entry: &AuditEntry, at: i64) -> LogRow {
        let author = &entry.author;
        LogRow {
            id: self.shared.mint::<AuditEventId>().uuid(),
            at,
            organization: entry.org.map(OrgId::uuid),
            actor_kind: author.kind.name().to_owned(),
            actor_id: author.user.map(UserId::uuid),
            credential_id: author.credential.map(Credential::uuid),
            is_superuser: author.is_superuser,
            action: entry.action.name().to_owned(),
            resource: entry.resource.to_owned(),
            resource_id: entry.resource_id,
            before: entry.before.as_ref().map(ToString::to_string),
            after: entry.after.as_ref().map(ToString::to_string),
            request_id: author.request_id.clone(),
            client: author.client.map(|address| address.to_string()),
        }
    }

    /// The end of a chain, held until the transaction ends.
    pub(crate) async fn hold_head(&self, chain: Option<OrgId>) -> Result<ChainHead, StoreError> {
        if let Some(head) = self.held_head(chain).await? {
            return Ok(head);
        }
        // Of two who begin a chain one waits here, and then finds the other one's.
        let begun = match self.last_link(chain).await? {
            None => ChainHead::begin(chain),
            Some((seq, hash)) => {
                tracing::error!(chain = %chain_key(chain), "the audit log has lost the end of a chain");
                ChainHead { seq, hash, broken_at: Some(seq), ..ChainHead::begin(chain) }
            }
        };
        let insert = "INSERT INTO audit_heads (seq, hash, adopted, broken_at, seal, chain) \
                      VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (chain) DO NOTHING";
        self.execute_sql(insert, self.values_of(&begun)).await?;
        expected(self.held_head(chain).await?, "the end of a chain")
    }

    async fn held_head(&self, chain: Option<OrgId>) -> Result<Option<ChainHead>, StoreError> {
        let lock = if self.backend() == DbBackend::Postgres { "FOR NO KEY UPDATE" } else { "" };
        let sql = format!("SELECT {HEAD} FROM audit_heads h WHERE h.chain = $1 {lock}");
        let rows = self.query_sql(&sql, [chain_key(chain).into()]).await?;
        rows.first().map(|row| head_of(row).map(|(head, seal)| self.vouched_for(head, &seal))).transpose()
    }

    /// The head, marked if nobody vouches for it: to write on must not hide that somebody changed it, and not to write would let
    /// him stop the tenant's work.
    fn vouched_for(&self, head: ChainHead, seal: &[u8]) -> ChainHead {
        if head.broken_at.is_some() || self.shared.notary.has_sealed(&head.sealed_text(), seal) {
            return head;
        }
        tracing::error!(
            chain = %chain_key(head.chain),
            seq = head.seq,
            "the end of an audit log is not sealed with a key of this node: it was changed, or the key is missing here"
        );
        ChainHead { broken_at: Some(head.seq), ..head }
    }

    /// Number and hash of the last entry of a log.
    pub(crate) async fn last_link(&self, chain: Option<OrgId>) -> Result<Option<(i64, Digest)>, StoreError> {
        let (of_chain, value) = of_chain(chain, 1);
        let sql = format!(
            "SELECT seq, hash FROM audit_events WHERE {of_chain} AND seq IS NOT NULL ORDER BY seq DESC LIMIT 1"
        );
        let rows = self.query_sql(&sql, value).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let hash: Option<Vec<u8>> = row.try_get("", "hash").map_err(store_error)?;
        let hash = hash.and_then(|hash| Digest::try_from(hash.as_slice()).ok()).unwrap_or_default();
        Ok(Some((row.try_get("", "seq").map_err(store_error)?, hash)))
    }

    /// Writes the end of a chain that is held, sealed anew.
    pub(crate) async fn put_head(&self, head: &ChainHead) -> Result<(), StoreError> {
        let update = "UPDATE audit_heads SET seq = $1, hash = $2, adopted = $3, broken_at = $4, seal = $5 WHERE chain = $6";
        self.execute_sql(update, self.values_of(head)).await.map(drop)
    }

    fn values_of(&self, head: &ChainHead) -> [Value; 6] {
        [
            head.seq.into(),
            head.hash.to_vec().into(),
            head.adopted.into(),
            head.broken_at.into(),
            self.shared.notary.seal(&head.sealed_text()).into(),
            chain_key(head.chain).into(),
        ]
    }
}

fn linked(row: LogRow, entry: &AuditEntry, head: &ChainHead) -> audit_event::ActiveModel {
    audit_event::ActiveModel {
        id: Set(row.id),
        at: Set(row.at),
        organization_id: Set(row.organization),
        actor_kind: Set(row.actor_kind),
        actor_id: Set(row.actor_id),
        credential_id: Set(row.credential_id),
        is_superuser: Set(row.is_superuser),
        action: Set(row.action),
        resource: Set(row.resource),
        resource_id: Set(row.resource_id),
        before: Set(entry.before.clone()),
        after: Set(entry.after.clone()),
        request_id: Set(row.request_id),
        client: Set(row.client),
        seq: Set(Some(head.seq)),
        hash: Set(Some(head.hash.to_vec())),
    }
}
