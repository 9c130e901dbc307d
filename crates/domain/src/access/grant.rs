//! Grants: the only keys to the repositories. They cannot be made, copied or stored outside of this module.

use std::{collections::BTreeSet, marker::PhantomData, net::IpAddr, sync::Arc};

use super::{Credential, Permission};
use crate::ids::{ModuleId, OrgId, SiteId, UserId};

/// Who acts, as the audit log tells it. Shared by all grants of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The kind of actor.
    pub kind: AuthorKind,
    /// The user, if a user acts; `created_by` and `updated_by` come from here.
    pub user: Option<UserId>,
    /// Whether the rights come from being a superuser, which the tenant's audit log marks.
    pub is_superuser: bool,
    /// The API key or device credential that was shown, if it was not a person who signed in.
    pub credential: Option<Credential>,
    /// The request that this is done for.
    pub request_id: Option<String>,
    /// The address that the request came from.
    pub client: Option<IpAddr>,
}

/// The kinds of actors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorKind {
    /// A person who signed in.
    User,
    /// An API key, of a user or of an organization.
    ApiKey,
    /// A device credential.
    Device,
    /// The platform itself: commands on the server, the first set-up.
    System,
    /// Somebody who has not proven who he is yet: sign-in, refresh.
    Anonymous,
}

impl AuthorKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::User, Self::ApiKey, Self::Device, Self::System, Self::Anonymous];

    /// The name on the wire and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ApiKey => "api_key",
            Self::Device => "device",
            Self::System => "system",
            Self::Anonymous => "anonymous",
        }
    }
}

/// The rows that a grant reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// All of the installation's.
    Everywhere,
    /// Those of these organizations, sites and modules.
    Within(Within),
}

/// A limited reach. Empty sets reach nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Within {
    /// The user himself: his own profile is always within his reach.
    pub user: Option<UserId>,
    /// Whole organizations.
    pub orgs: BTreeSet<OrgId>,
    /// Single sites with their modules.
    pub sites: BTreeSet<SiteId>,
    /// Single modules.
    pub modules: BTreeSet<ModuleId>,
}

/// Which archived rows a read grant reaches besides the active ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Archived {
    /// None: the rule.
    Hidden,
    /// Those of the whole installation.
    Everywhere,
    /// Those of organizations that the caller administers.
    Within(BTreeSet<OrgId>),
}

/// The right to look at rows: which ones is its [`Reach`].
#[derive(Debug)]
pub struct Grant<P: Permission> {
    pub(super) reach: Reach,
    pub(super) archived: Archived,
    pub(super) by: Arc<Author>,
    pub(super) permission: PhantomData<fn() -> P>,
}

impl<P: Permission> Grant<P> {
    /// The rows that may be seen.
    pub const fn reach(&self) -> &Reach {
        &self.reach
    }

    /// The archived rows that may be seen.
    pub const fn archived(&self) -> &Archived {
        &self.archived
    }

    /// Who looks.
    pub fn author(&self) -> &Author {
        &self.by
    }
}

/// The right to act in one organization.
#[derive(Debug)]
pub struct OrgGrant<P: Permission> {
    pub(super) org: OrgId,
    pub(super) by: Arc<Author>,
    pub(super) permission: PhantomData<fn() -> P>,
}

impl<P: Permission> OrgGrant<P> {
    /// The organization; rows written with this grant belong to it.
    pub const fn org(&self) -> OrgId {
        self.org
    }

    /// Who acts.
    pub fn author(&self) -> &Author {
        &self.by
    }
}

/// The right to act on the installation.
#[derive(Debug)]
pub struct PlatformGrant<P: Permission> {
    pub(super) by: Arc<Author>,
    pub(super) permission: PhantomData<fn() -> P>,
}

impl<P: Permission> PlatformGrant<P> {
    /// Who acts.
    pub fn author(&self) -> &Author {
        &self.by
    }
}

/// The right of a user to act on what is his own.
#[derive(Debug)]
pub struct OwnGrant<P: Permission> {
    pub(super) user: UserId,
    pub(super) by: Arc<Author>,
    pub(super) permission: PhantomData<fn() -> P>,
}

impl<P: Permission> OwnGrant<P> {
    /// Whose things.
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// Who acts, which is the same user.
    pub fn author(&self) -> &Author {
        &self.by
    }
}

/// The right to act on a thing that belongs to an organization or, built in, to the installation.
#[derive(Debug)]
pub enum OwnerGrant<P: Permission> {
    /// In one organization.
    Organization(OrgGrant<P>),
    /// On what is built in.
    Platform(PlatformGrant<P>),
}

impl<P: Permission> OwnerGrant<P> {
    /// The owning organization, `None` for what is built in.
    pub const fn org(&self) -> Option<OrgId> {
        match self {
            Self::Organization(grant) => Some(grant.org()),
            Self::Platform(_) => None,
        }
    }

    /// Who acts.
    pub fn author(&self) -> &Author {
        match self {
            Self::Organization(grant) => grant.author(),
            Self::Platform(grant) => grant.author(),
        }
    }
}

/// Any grant to act, for what all of them are asked: who, and in which organization.
pub trait ActingGrant {
    /// Who acts.
    fn author(&self) -> &Author;
    /// The organization acted in, `None` for the installation.
    fn org(&self) -> Option<OrgId>;
}

impl<P: Permission> ActingGrant for OrgGrant<P> {
    fn author(&self) -> &Author {
        &self.by
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
}

impl<P: Permission> ActingGrant for PlatformGrant<P> {
    fn author(&self) -> &Author {
        &self.by
    }
    fn org(&self) -> Option<OrgId> {
        None
    }
}

impl<P: Permission> ActingGrant for OwnGrant<P> {
    fn author(&self) -> &Author {
        &self.by
    }
    fn org(&self) -> Option<OrgId> {
        None
    }
}

impl<P: Permission> ActingGrant for OwnerGrant<P> {
    fn author(&self) -> &Author {
        Self::author(self)
    }
    fn org(&self) -> Option<OrgId> {
        Self::org(self)
    }
}
