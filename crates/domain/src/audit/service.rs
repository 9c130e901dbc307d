use super::{Audit, AuditEvent, AuditFilter, AuditKey, Caller};
use crate::{
    access::{Actor, Author, PermissionKind, ReadAudit, RequestContext},
    error::Error,
    ids::{OrgId, UserId},
    page::{Inactive, Slice, SliceRequest},
    platform::Platform,
};

/// A right that was asked for in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The right.
    pub permission: PermissionKind,
    /// The organization that the request named, if it did.
    pub organization: Option<OrgId>,
    /// What was asked, without ids and values: the method and the template of the address.
    pub asked: String,
}

/// Use cases of the audit log.
pub struct AuditLog<'a> {
    pub(super) platform: &'a Platform,
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
                let actor = actor.looking_for::<ReadAudit>()?;
                self.platform.organizations().find(&actor, org, Inactive::Hidden).await?;
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

    /// Notes that a user, a key or a device was denied something: ten times a minute at most for each.
    ///
    /// It stands in the log of the organization that the request named if the caller belongs to it, else in that of the only
    /// one that he belongs to, else in the installation's own. A failure is told to the log of the server alone: the
    /// request has its answer already.
    pub async fn note_denial(&self, actor: &Actor, denial: &Denial) {
        let (caller, proof) = match (actor.credential(), actor.standing()) {
            (Some(credential), _) => {
                (Caller::Credential(credential), (credential.resource(), credential.uuid()))
            }
            (None, Some(standing)) => {
                let Some(session) = standing.session else { return };
                (Caller::User(standing.user), ("session", session.uuid()))
            }
            (None, None) => return,
        };
        if !self.platform.budget().take(caller, self.platform.now()) {
            return;
        }
        let named = denial.organization.filter(|org| actor.role_in(*org).is_some());
        let only = match actor.standing().map(|standing| standing.memberships.as_slice()) {
            Some([(org, _)]) => Some(*org),
            _ => actor.home(),
        };
        self.note(Audit::denied(actor.author().clone(), proof, named.or(only), denial)).await;
    }

    /// Notes that a sign-in failed: ten times a minute at most for each address, a hundred times for all. It does the same
    /// whether or not there is such an account.
    pub(crate) async fn note_failed_sign_in(&self, author: &Author, account: Option<UserId>) {
        if self.platform.budget().take(Caller::Anonymous(author.client), self.platform.now()) {
            self.note(Audit::sign_in_failed(author.clone(), account)).await;
        }
    }

    async fn note(&self, trail: Audit) {
        // For nobody: what the request itself claimed is not claimed by a word about it.
        let nobody = Actor::anonymous(RequestContext::default());
        let written = async { self.platform.commit(self.platform.write(&nobody).await?, trail).await }.await;
        if let Err(error) = written {
            tracing::warn!(error = %error, "a refusal could not be written into the audit log");
        }
    }
}
