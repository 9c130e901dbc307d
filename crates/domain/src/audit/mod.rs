//! The audit log: who did what to which resource, before and after. Written in the transaction of the change itself.
//! What was refused is noted beside it, as far as a budget goes.

mod budget;
mod canonical;
mod chain;
mod checkpoint;
mod keeping;
mod repository;
mod service;
mod verify;

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

pub use chain::{ChainHead, ChainLink, ChainState, Digest, LogRow, chain_key, chain_of};
pub use checkpoint::{CheckpointFault, Checkpoints};
pub use keeping::CheckpointMade;
pub use repository::AuditRepository;
pub use service::{AuditLog, Denial};
pub use verify::{Fault, Finding, VerifiedLog};

pub(crate) use budget::{Budget, Caller};
pub(crate) use canonical::Canonical;

use crate::{
    access::{ActingGrant, Author, AuthorKind, Located},
    ids::{AuditEventId, OrgId, UserId},
    page::Between,
    time::Instant,
};

/// Something whose changes are logged. Its serde form is what the log keeps, so secrets must not be part of it.
pub trait Audited: Serialize {
    /// The kind of resource, in the words of the API.
    const RESOURCE: &'static str;

    /// Its id.
    fn resource_id(&self) -> Uuid;
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Made.
    Created,
    /// Changed.
    Updated,
    /// Archived (soft-deleted).
    Archived,
    /// Brought back from the archive.
    Restored,
    /// A module was moved to another site.
    Moved,
    /// Readings of a stretch of time were deleted.
    Deleted,
    /// A job was run again.
    Retried,
    /// A job was taken back.
    Cancelled,
    /// A user signed in.
    SignedIn,
    /// A user signed out.
    SignedOut,
    /// A refresh token was used a second time, and its session ended.
    TokenReused,
    /// Somebody gave the wrong address or password.
    SignInFailed,
    /// A user changed his password.
    PasswordChanged,
    /// A user set a new password with a token that was sent to him.
    PasswordReset,
    /// A user asked for something that he has no right to.
    Denied,
}

impl Action {
    /// Every action.
    pub const ALL: &'static [Self] = &[
        Self::Created,
        Self::Updated,
        Self::Archived,
        Self::Restored,
        Self::Moved,
        Self::Deleted,
        Self::Retried,
        Self::Cancelled,
        Self::SignedIn,
        Self::SignedOut,
        Self::TokenReused,
        Self::SignInFailed,
        Self::PasswordChanged,
        Self::PasswordReset,
        Self::Denied,
    ];

    /// The name on the wire and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Archived => "archived",
            Self::Restored => "restored",
            Self::Moved => "moved",
            Self::Deleted => "deleted",
            Self::Retried => "retried",
            Self::Cancelled => "cancelled",
            Self::SignedIn => "signed_in",
            Self::SignedOut => "signed_out",
            Self::TokenReused => "token_reused",
            Self::SignInFailed => "sign_in_failed",
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::Denied => "denied",
        }
    }

    /// The action of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name() == name)
    }
}

/// One thing that was done, not yet numbered and dated: the commit does that.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Who did it.
    pub author: Author,
    /// The tenant in whose log it stands; `None` for the installation's own.
    pub org: Option<OrgId>,
    /// What was done.
    pub action: Action,
    /// To which kind of resource.
    pub resource: &'static str,
    /// To which one.
    pub resource_id: Uuid,
    /// The resource before; `None` for something new.
    pub before: Option<Value>,
    /// The resource after.
    pub after: Option<Value>,
}

/// A resource that was archived or restored along with its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Along {
    resource: &'static str,
    id: Uuid,
}

impl Along {
    /// The resource of this kind and id.
    pub const fn of<T: Audited>(id: Uuid) -> Self {
        Self { resource: T::RESOURCE, id }
    }
}

/// What a transaction did. `commit` asks for it, so a change cannot be committed without a word about it.
#[derive(Debug)]
pub struct Audit {
    entries: Vec<AuditEntry>,
    resource: Option<Uuid>,
}

impl Audit {
    /// Something was made.
    pub fn created<T: Audited>(grant: &impl ActingGrant, made: &T) -> Self {
        Self::one(grant, Action::Created, None, made)
    }

    /// Something was changed.
    pub fn updated<T: Audited>(grant: &impl ActingGrant, before: &T, after: &T) -> Self {
        Self::one(grant, Action::Updated, Some(before), after)
    }

    /// Something was deleted, or is from now on.
    pub fn deleted<T: Audited>(grant: &impl ActingGrant, what: &T) -> Self {
        Self::one(grant, Action::Deleted, None, what)
    }

    /// Something was done to a resource.
    pub fn done<T: Audited>(grant: &impl ActingGrant, action: Action, before: &T, after: &T) -> Self {
        Self::one(grant, action, Some(before), after)
    }

    /// Something happened to a session; the author is known even where no grant could be given yet.
    pub fn session(author: Author, action: Action, session: Uuid, user: UserId) -> Self {
        let after = serde_json::json!({ "user_id": user });
        let entry = AuditEntry {
            author,
            org: None,
            action,
            resource: "session",
            resource_id: session,
            before: None,
            after: Some(after),
        };
        Self { resource: Some(session), entries: vec![entry] }
    }

    /// Something happened to an account; the author is known even where no grant could be given yet.
    pub(crate) fn of_account(author: Author, action: Action, user: UserId) -> Self {
        let entry = AuditEntry {
            author,
            org: None,
            action,
            resource: "user",
            resource_id: user.uuid(),
            before: None,
            after: None,
        };
        Self { resource: Some(user.uuid()), entries: vec![entry] }
    }

    /// A sign-in failed. The same entry for all: the resource's id is nil where there is no such active account, and what
    /// was given as an address is not kept, since it may be a password in the wrong field.
    pub(crate) fn sign_in_failed(author: Author, account: Option<UserId>) -> Self {
        let account = account.map_or(Uuid::nil(), UserId::uuid);
        let entry = AuditEntry {
            author,
            org: None,
            action: Action::SignInFailed,
            resource: "user",
            resource_id: account,
            before: None,
            after: None,
        };
        Self { resource: None, entries: vec![entry] }
    }

    /// Somebody was denied something, with this proof of who he is; `org` is the tenant in whose log it stands.
    pub(crate) fn denied(
        author: Author,
        (resource, resource_id): (&'static str, Uuid),
        org: Option<OrgId>,
        denial: &Denial,
    ) -> Self {
        let after = serde_json::json!({ "permission": denial.permission.wire_name(), "asked": denial.asked });
        let entry = AuditEntry {
            author,
            org,
            action: Action::Denied,
            resource,
            resource_id,
            before: None,
            after: Some(after),
        };
        Self { resource: None, entries: vec![entry] }
    }

    /// Nothing that the log keeps. The reason is for the reader of the code.
    pub const fn none(reason: &'static str) -> Self {
        let _ = reason;
        Self { entries: Vec::new(), resource: None }
    }

    /// The same, in the log of this organization: for what the installation does to a tenant.
    pub fn in_log_of(mut self, org: OrgId) -> Self {
        for entry in &mut self.entries {
            entry.org = Some(org);
        }
        self
    }

    /// The same, done by this author: for what a one-time token lets somebody do who is known by it.
    pub(crate) fn by(mut self, author: &Author) -> Self {
        for entry in &mut self.entries {
            entry.author = author.clone();
        }
        self
    }

    /// The same, and one entry for each resource that the same was done to along with it. Each names the parent in place
    /// of a copy of itself: nothing else of it has changed, and there may be many.
    pub fn with(mut self, along: Vec<Along>) -> Self {
        let Some(parent) = self.entries.first().cloned() else { return self };
        let after = serde_json::json!({
            "along_with": { "resource": parent.resource, "id": parent.resource_id }
        });
        self.entries.extend(along.into_iter().map(|child| AuditEntry {
            resource: child.resource,
            resource_id: child.id,
            before: None,
            after: Some(after.clone()),
            ..parent.clone()
        }));
        self
    }

    /// The same, and what else the transaction did.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.entries.extend(other.entries);
        Self { resource: self.resource.or(other.resource), ..self }
    }

    /// The entries.
    pub fn entries(&self) -> &[AuditEntry] {
        &self.entries
    }

    /// The resource that the transaction was about, kept with an idempotency claim.
    pub const fn resource(&self) -> Option<Uuid> {
        self.resource
    }

    fn one<T: Audited>(grant: &impl ActingGrant, action: Action, before: Option<&T>, after: &T) -> Self {
        // An entity whose serde form fails would be a defect of ours; the entry then still says who, what and which.
        let snapshot = |entity: &T| serde_json::to_value(entity).ok();
        let entry = AuditEntry {
            author: grant.author().clone(),
            org: grant.org(),
            action,
            resource: T::RESOURCE,
            resource_id: after.resource_id(),
            before: before.and_then(snapshot),
            after: snapshot(after),
        };
        Self { resource: Some(entry.resource_id), entries: vec![entry] }
    }
}

/// An entry of the log as it is read back.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// Its id.
    pub id: AuditEventId,
    /// When it was committed.
    pub at: Instant,
    /// The tenant.
    pub organization_id: Option<OrgId>,
    /// The kind of actor.
    pub actor_kind: AuthorKind,
    /// The acting user.
    pub actor_id: Option<UserId>,
    /// The API key or device credential that was shown.
    pub credential_id: Option<Uuid>,
    /// Whether he acted with a superuser's rights.
    pub is_superuser: bool,
    /// What was done.
    pub action: Action,
    /// The kind of resource.
    pub resource: String,
    /// The resource.
    pub resource_id: Uuid,
    /// The resource before.
    pub before: Option<Value>,
    /// The resource after.
    pub after: Option<Value>,
    /// The request.
    pub request_id: Option<String>,
    /// The client's address.
    pub client: Option<String>,
}

impl Located for AuditEvent {
    fn org(&self) -> Option<OrgId> {
        self.organization_id
    }
}

/// Conditions on the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this organization.
    pub organization: Option<OrgId>,
    /// By this user.
    pub actor: Option<UserId>,
    /// This action.
    pub action: Option<Action>,
    /// On this kind of resource.
    pub resource: Option<String>,
    /// On this resource.
    pub resource_id: Option<Uuid>,
    /// At these times.
    pub at: Between,
}

/// Where a slice of the log ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AuditKey {
    /// The last entry's moment, in microseconds.
    pub at: i64,
    /// The last entry's id.
    pub id: Uuid,
}
