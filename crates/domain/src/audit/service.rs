use super::{AuditEvent, AuditFilter, AuditKey};
use crate::{
    access::{Actor, ReadAudit},
    error::Error,
    page::{Inactive, Slice, SliceRequest},
    platform::Platform,
};

/// Use cases of the audit log.
pub struct AuditLog<'a> {
    platform: &'a Platform,
}

impl<'a> AuditLog<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// A slice of the log of the organizations that the actor administers, the newest first; of everything for a
    /// superuser.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for a superuser filtering by no active organization; `Invalid` for a foreign cursor.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &AuditFilter,
        slice: &SliceRequest,
    ) -> Result<Slice<AuditEvent>, Error> {
        let grant = match filter.organization {
            None => actor.grant::<ReadAudit>()?,
            Some(org) => {
                let grant = actor.grant_within::<ReadAudit>(org)?;
                self.platform.organizations().find(actor, org, Inactive::Hidden).await?;
                grant
            }
        };
        let list = format!("audit:{:?}:{filter:?}", actor.user());
        let after: Option<AuditKey> = self.platform.open_cursor(&list, slice.cursor.as_deref())?;
        let reader = self.platform.read(actor).await?;
        // One row more than asked tells whether anything follows.
        let mut items =
            reader.list_audit_events(&grant, filter, after, slice.limit().saturating_add(1)).await?;
        let more = items.len() > usize::try_from(slice.limit()).unwrap_or(usize::MAX);
        if more {
            items.pop();
        }
        let next_cursor = match items.last().filter(|_| more) {
            Some(last) => {
                let key = AuditKey { at: last.at.as_micros(), id: last.id.uuid() };
                Some(self.platform.seal_cursor(&list, &key)?)
            }
            None => None,
        };
        Ok(Slice { items, next_cursor })
    }
}
