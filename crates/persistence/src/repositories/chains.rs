//! The chains of the audit log: reading them to hold them against each other, and taking over what is older than they are.

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, sea_query::Value};
use sitewatch_domain::{
    audit::{ChainHead, ChainLink, ChainState, LogRow, chain_key, chain_of},
    ids::OrgId,
    ports::StoreError,
};
use uuid::Uuid;

use crate::{
    chain::{HEAD, head_of, of_chain},
    error::store_error,
    session::Session,
};

/// Entries that are taken over with one statement: three parameters each.
const ADOPTED_ROWS: usize = 1_000;

impl<C: ConnectionTrait> Session<C> {
    pub(super) async fn audit_chains(&self) -> Result<Vec<Option<OrgId>>, StoreError> {
        let sql =
            "SELECT chain FROM audit_heads UNION SELECT DISTINCT organization_id AS chain FROM audit_events";
        let rows = self.query_sql(sql, []).await?;
        let chain = |row: &QueryResult| {
            let key: Option<Uuid> = row.try_get("", "chain").map_err(store_error)?;
            Ok(key.and_then(chain_of))
        };
        rows.iter().map(chain).collect()
    }

    pub(super) async fn chain_heads(&self) -> Result<Vec<(ChainHead, Vec<u8>)>, StoreError> {
        let rows = self.query_sql(&format!("SELECT {HEAD} FROM audit_heads h ORDER BY h.chain"), []).await?;
        rows.iter().map(head_of).collect()
    }

    /// In one statement, which sees one moment: an entry and the end behind it are written together.
    pub(super) async fn state_of_chain(&self, chain: Option<OrgId>) -> Result<ChainState, StoreError> {
        let (of_chain, value) = of_chain(chain, 2);
        let sql = format!(
            "SELECT {HEAD}, (SELECT max(seq) FROM audit_events WHERE {of_chain}) AS last_seq \
             FROM (SELECT 1 AS one) AS always LEFT JOIN audit_heads h ON h.chain = $1"
        );
        let values = [Value::from(chain_key(chain))].into_iter().chain(value);
        let rows = self.query_sql(&sql, values).await?;
        let Some(row) = rows.first() else { return Ok(ChainState { head: None, last_seq: None }) };
        let is_there: Option<Uuid> = row.try_get("", "chain").map_err(store_error)?;
        let head = is_there.map(|_| head_of(row)).transpose()?;
        Ok(ChainState {
            head: head.map(|(head, seal)| {
                let is_sealed = self.shared.notary.has_sealed(&head.sealed_text(), &seal);
                (head, is_sealed)
            }),
            last_seq: row.try_get("", "last_seq").map_err(store_error)?,
        })
    }

    pub(super) async fn chain_links(
        &self,
        chain: Option<OrgId>,
        after: Option<(i64, Uuid)>,
        end: i64,
        limit: u32,
    ) -> Result<Vec<ChainLink>, StoreError> {
        let (of_chain, value) = of_chain(chain, 5);
        let (seq, id) = after.unwrap_or((i64::MIN, Uuid::nil()));
        let sql = format!(
            "SELECT {}, seq, hash FROM audit_events WHERE {of_chain} AND seq >= $1 AND (seq > $1 OR id > $2) AND seq <= $3 \
             ORDER BY seq, id LIMIT $4",
            self.row_columns()
        );
        let values = [Value::from(seq), id.into(), end.into(), i64::from(limit).into()];
        let rows = self.query_sql(&sql, values.into_iter().chain(value)).await?;
        let link = |row: &QueryResult| {
            let hash: Option<Vec<u8>> = row.try_get("", "hash").map_err(store_error)?;
            Ok(ChainLink {
                seq: row.try_get("", "seq").map_err(store_error)?,
                hash: hash.unwrap_or_default(),
                row: row_of(row)?,
            })
        };
        rows.iter().map(link).collect()
    }

    pub(super) async fn outside_chain(
        &self,
        chain: Option<OrgId>,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Uuid>, StoreError> {
        let (of_chain, value) = of_chain(chain, 3);
        let sql = format!(
            "SELECT id FROM audit_events WHERE {of_chain} AND seq IS NULL AND id > $1 ORDER BY id LIMIT $2"
        );
        let values = [Value::from(after.unwrap_or(Uuid::nil())), i64::from(limit).into()];
        let rows = self.query_sql(&sql, values.into_iter().chain(value)).await?;
        rows.iter().map(|row| row.try_get("", "id").map_err(store_error)).collect()
    }

    /// Takes over some entries of the first log that may have them taken over. How many.
    pub(super) async fn adopt_some(&self, limit: u32) -> Result<u64, StoreError> {
        let sql = "SELECT DISTINCT organization_id FROM audit_events WHERE seq IS NULL";
        for row in self.query_sql(sql, []).await? {
            let chain: Option<Uuid> = row.try_get("", "organization_id").map_err(store_error)?;
            let head = self.hold_head(chain.and_then(chain_of)).await?;
            if !head.is_beginning() {
                continue;
            }
            let adopted = self.adopt(head, limit).await?;
            if adopted > 0 {
                return Ok(adopted);
            }
        }
        Ok(0)
    }

    async fn adopt(&self, head: ChainHead, limit: u32) -> Result<u64, StoreError> {
        let (of_chain, value) = of_chain(head.chain, 2);
        let sql = format!(
            "SELECT {} FROM audit_events WHERE {of_chain} AND seq IS NULL ORDER BY at, id LIMIT $1",
            self.row_columns()
        );
        let values = [Value::from(i64::from(limit))].into_iter().chain(value);
        let rows = self.query_sql(&sql, values).await?;
        let mut head = head;
        let mut places: Vec<Value> = Vec::with_capacity(rows.len() * 3);
        for row in &rows {
            let row = row_of(row)?;
            head = head.followed_by(&row);
            places.extend([row.id.into(), head.seq.into(), head.hash.to_vec().into()]);
        }
        for places in places.chunks(ADOPTED_ROWS * 3) {
            let lines: Vec<String> = (0..places.len() / 3)
                .map(|line| format!("(${}, ${}, ${})", 3 * line + 1, 3 * line + 2, 3 * line + 3))
                .collect();
            let update = format!(
                "WITH places (id, seq, hash) AS (VALUES {}) \
                 UPDATE audit_events SET seq = places.seq, hash = places.hash FROM places WHERE audit_events.id = places.id",
                lines.join(", ")
            );
            self.execute_sql(&update, places.iter().cloned()).await?;
        }
        head.adopted = head.seq;
        self.put_head(&head).await?;
        Ok(u64::try_from(rows.len()).unwrap_or(0))
    }

    /// Chains whose end has not the newest seal, or lies before the last entry, or is missing.
    pub(super) async fn chains_in_need(&self) -> Result<Vec<Option<OrgId>>, StoreError> {
        let notary = &self.shared.notary;
        let heads = self.chain_heads().await?;
        let mut chains: Vec<Option<OrgId>> = heads
            .iter()
            .filter(|(head, seal)| !notary.is_current(seal) || !notary.has_sealed(&head.sealed_text(), seal))
            .map(|(head, _)| head.chain)
            .collect();
        let sql = "SELECT ends.organization_id FROM \
             (SELECT organization_id, max(seq) AS last_seq FROM audit_events WHERE seq IS NOT NULL GROUP BY organization_id) ends \
             LEFT JOIN audit_heads h ON h.chain = coalesce(ends.organization_id, $1) \
             WHERE h.seq IS NULL OR h.seq < ends.last_seq";
        for row in self.query_sql(sql, [Uuid::nil().into()]).await? {
            let chain: Option<Uuid> = row.try_get("", "organization_id").map_err(store_error)?;
            chains.push(chain.and_then(chain_of));
        }
        chains.sort_unstable();
        chains.dedup();
        Ok(chains)
    }

    pub(super) async fn mend(&self, chain: Option<OrgId>) -> Result<(), StoreError> {
        let head = self.hold_head(chain).await?;
        let head = match self.last_link(chain).await? {
            Some((seq, hash)) if seq > head.seq => {
                tracing::error!(chain = %chain_key(chain), "the end of an audit log lies before its last entry");
                ChainHead { seq, hash, broken_at: head.broken_at.or(Some(head.seq)), ..head }
            }
            _ => head,
        };
        self.put_head(&head).await
    }

    /// What a hash covers. JSON as text: reading a number would round it.
    fn row_columns(&self) -> &'static str {
        match self.backend() {
            DbBackend::Postgres => {
                "id, at, organization_id, actor_kind, actor_id, credential_id, is_superuser, action, resource, \
                 resource_id, \
                 before::text AS before, after::text AS after, request_id, client"
            }
            _ => {
                "id, at, organization_id, actor_kind, actor_id, credential_id, is_superuser, action, resource, \
                 resource_id, \
                 before, after, request_id, client"
            }
        }
    }
}

fn row_of(row: &QueryResult) -> Result<LogRow, StoreError> {
    Ok(LogRow {
        id: row.try_get("", "id").map_err(store_error)?,
        at: row.try_get("", "at").map_err(store_error)?,
        organization: row.try_get("", "organization_id").map_err(store_error)?,
        actor_kind: row.try_get("", "actor_kind").map_err(store_error)?,
        actor_id: row.try_get("", "actor_id").map_err(store_error)?,
        credential_id: row.try_get("", "credential_id").map_err(store_error)?,
        is_superuser: row.try_get("", "is_superuser").map_err(store_error)?,
        action: row.try_get("", "action").map_err(store_error)?,
        resource: row.try_get("", "resource").map_err(store_error)?,
        resource_id: row.try_get("", "resource_id").map_err(store_error)?,
        before: row.try_get("", "before").map_err(store_error)?,
        after: row.try_get("", "after").map_err(store_error)?,
        request_id: row.try_get("", "request_id").map_err(store_error)?,
        client: row.try_get("", "client").map_err(store_error)?,
    })
}
