//! Who may do what: the authorization story on one page.
//!
//! 1. Authentication turns a token into an [`Actor`], with the [`Standing`] that the database holds at this moment.
//! 2. An actor is asked for a grant: [`Actor::grant`] to look, [`Actor::grant_in`] or [`Actor::grant_at`] to act in one
//!    organization, [`Actor::grant_platform`] to act on the installation. The table in `permission.rs` decides.
//! 3. Every repository method asks for a grant. Its fields are private and it is made only here, so a query without a
//!    check does not compile; its [`Reach`] becomes the query's tenant filter, its [`Author`] the audit columns.
//! 4. API keys and device credentials are actors too, with the rights of their owner or device and a list of permissions beside
//!    it. Every door asks that list first, so a key can do nothing outside of its scopes, whatever its owner may.
//!    [`Actor::looking_for`] is how a use case looks for things on behalf of the one right that it is about.
//! 5. Hidden or forbidden follows from the order: an object is first *found* with a read grant, so out of reach it is
//!    not found (404); only then is `grant_at` asked, and refuses (403).

mod actor;
mod bearer;
mod grant;
mod horizon;
mod overview;
mod permission;
mod view;

pub use actor::{Actor, Located, RequestContext, Standing};
pub use bearer::{Bearer, Credential};
pub use grant::{
    ActingGrant, Archived, Author, AuthorKind, Grant, OrgGrant, OwnGrant, OwnerGrant, PlatformGrant, Reach,
    Within,
};
pub use horizon::Horizon;
pub use overview::{Overview, RightsAt, RightsIn};
pub use permission::*;
pub use view::LogEnds;

use crate::ids::{ModuleId, SiteId};

/// The roles of the permission table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Manages an organization and everything in it.
    Admin,
    /// A regular user of an organization.
    Member,
    /// A member, for the sites and modules he is assigned to as operator.
    Operator,
    /// A member, for the sites and modules he is assigned to as viewer.
    Viewer,
    /// Everybody who signed in, for what is his own.
    Own,
    /// A device credential, for its module or the modules of its site.
    Device,
}

impl Role {
    /// All roles, the widest first.
    pub const ALL: &'static [Self] =
        &[Self::Admin, Self::Member, Self::Operator, Self::Viewer, Self::Own, Self::Device];

    /// The role's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Operator => "operator",
            Self::Viewer => "viewer",
            Self::Own => "own",
            Self::Device => "device",
        }
    }
}

/// What an assignment lets a member do at its spot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Read, acknowledge and annotate.
    Operator,
    /// Read.
    Viewer,
}

impl Access {
    /// The role that it gives.
    pub const fn role(self) -> Role {
        match self {
            Self::Operator => Role::Operator,
            Self::Viewer => Role::Viewer,
        }
    }
}

/// What can be assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Spot {
    /// A site with all its modules.
    Site(SiteId),
    /// One module.
    Module(ModuleId),
}
