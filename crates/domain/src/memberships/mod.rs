//! Memberships: which users belong to which organization, and as what.

mod repository;
mod service;

use serde::Serialize;
use uuid::Uuid;
use validator::Validate;

pub use repository::MembershipRepository;
pub use service::Memberships;

use crate::{
    access::Role,
    audit::Audited,
    ids::{OrgId, UserId},
    organizations::Organization,
    stamp::Stamp,
    text::EmailAddress,
};

/// The role of a membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// Manages the organization.
    Admin,
    /// A regular user.
    Member,
}

impl MemberRole {
    /// The role in the permission table.
    pub const fn role(self) -> Role {
        match self {
            Self::Admin => Role::Admin,
            Self::Member => Role::Member,
        }
    }

    /// The name on the wire and in the database.
    pub const fn name(self) -> &'static str {
        self.role().name()
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Admin, Self::Member].into_iter().find(|role| role.name() == name)
    }
}

/// A user's membership in an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Membership {
    /// The membership's own id.
    pub id: Uuid,
    /// The organization.
    pub organization_id: OrgId,
    /// The user.
    pub user_id: UserId,
    /// His role in it.
    pub role: MemberRole,
    /// Audit columns.
    pub stamp: Stamp,
}

impl Audited for Membership {
    const RESOURCE: &'static str = "membership";

    fn resource_id(&self) -> Uuid {
        self.id
    }
}

/// A member as the other members see him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub user_id: UserId,
    /// His name.
    pub full_name: String,
    /// His address; for admins and superusers only.
    pub email: Option<EmailAddress>,
    /// The membership.
    pub membership: Membership,
}

/// An organization of a user, with his role in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserOrganization {
    /// The organization.
    pub organization: Organization,
    /// The user's role in it.
    pub role: MemberRole,
}

/// What a new membership is made from.
#[derive(Debug, Clone, Validate)]
pub struct NewMembership {
    /// The user, who must be visible to whoever adds him.
    pub user_id: UserId,
    /// His role; the name of a [`MemberRole`].
    #[validate(custom(function = role_rule))]
    pub role: String,
}

/// Changes of a membership; what is `None` stays.
#[derive(Debug, Clone, Default, Validate)]
pub struct MembershipChanges {
    /// The new role; the name of a [`MemberRole`].
    #[validate(custom(function = role_rule))]
    pub role: Option<String>,
}

fn role_rule(role: &str) -> Result<(), validator::ValidationError> {
    MemberRole::from_name(role).map(|_| ()).ok_or_else(|| {
        validator::ValidationError::new("role").with_message("must be one of: admin, member".into())
    })
}

/// Conditions on the members of an organization.
#[derive(Debug, Clone, Default)]
pub struct MemberFilter {
    /// Those with this role.
    pub role: Option<MemberRole>,
}

/// In which fields of members a text is searched. What a caller does not see must not answer his searches either: he
/// would learn it letter by letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchedFields {
    /// The name alone.
    Name,
    /// The name and the address.
    NameAndAddress,
}

/// What members can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberSort {
    /// When they joined.
    CreatedAt,
    /// Their name.
    FullName,
    /// Their role.
    Role,
}
