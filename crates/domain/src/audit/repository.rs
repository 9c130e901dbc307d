use async_trait::async_trait;
use uuid::Uuid;

use super::{AuditEvent, AuditFilter, AuditKey, ChainHead, ChainLink, ChainState};
use crate::{
    access::{Grant, PlatformGrant, ReadAudit, RunJobs},
    ids::OrgId,
    ports::StoreError,
};

/// Reads the audit log and keeps its chains. Writing it is part of every commit.
#[async_trait]
pub trait AuditRepository {
    /// Entries within the grant, the newest first.
    ///
    /// Shape: at most `limit`, all of them older than `after`. The installation's own entries (without an
    /// organization) are within the reach of superusers only.
    async fn list_audit_events(
        &self,
        grant: &Grant<ReadAudit>,
        filter: &AuditFilter,
        after: Option<AuditKey>,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, StoreError>;

    /// Every log that there is: of each organization that has entries or an end of a chain, and the installation's own.
    async fn list_audit_chains(
        &self,
        grant: &PlatformGrant<ReadAudit>,
    ) -> Result<Vec<Option<OrgId>>, StoreError>;

    /// The ends of all chains, and whether each is sealed with a key of this installation.
    async fn list_chain_heads(
        &self,
        grant: &PlatformGrant<ReadAudit>,
    ) -> Result<Vec<(ChainHead, bool)>, StoreError>;

    /// A chain's end and the number of its last entry, of one moment.
    async fn chain_state(
        &self,
        grant: &PlatformGrant<ReadAudit>,
        chain: Option<OrgId>,
    ) -> Result<ChainState, StoreError>;

    /// Entries of a chain in the order of their numbers, and of their ids where a number is there twice.
    ///
    /// Shape: at most `limit`, all of them after `after`, none of a number above `end`.
    async fn list_chain_links(
        &self,
        grant: &PlatformGrant<ReadAudit>,
        chain: Option<OrgId>,
        after: Option<(i64, Uuid)>,
        end: i64,
        limit: u32,
    ) -> Result<Vec<ChainLink>, StoreError>;

    /// Entries of a log without a place in its chain, by id; at most `limit`, all of them after `after`.
    async fn list_outside_chain(
        &self,
        grant: &PlatformGrant<ReadAudit>,
        chain: Option<OrgId>,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Uuid>, StoreError>;

    /// Takes entries that are older than their chain over into it, the oldest first: at most `limit` of one log. How many; 0 when
    /// none is left. A chain into which something was written since takes none over any more.
    async fn adopt_audit_events(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        limit: u32,
    ) -> Result<u64, StoreError>;

    /// Chains whose end is to be sealed anew, with the newest key, or lies before the entries of its log.
    async fn chains_to_mend(&self, grant: &PlatformGrant<RunJobs>) -> Result<Vec<Option<OrgId>>, StoreError>;

    /// Seals the end of a chain anew. One that was not sealed, or lies before the entries of its log, is marked for good.
    async fn mend_chain(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        chain: Option<OrgId>,
    ) -> Result<(), StoreError>;
}
