use async_trait::async_trait;

use super::{AuditEvent, AuditFilter, AuditKey};
use crate::{
    access::{Grant, ReadAudit},
    ports::StoreError,
};

/// Reads the audit log. Writing it is part of every commit.
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
}
