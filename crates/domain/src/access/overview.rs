//! What an actor may do where, told from the table that the doors ask.

use std::collections::BTreeSet;

use super::{Actor, Permission as _, PermissionKind, ReadProfiles, Role, Spot};
use crate::{error::Error, ids::OrgId};

/// What somebody may do, as wire names of permissions in alphabetical order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// Whether he acts with a superuser's rights.
    pub is_superuser: bool,
    /// Everywhere; empty for everybody but superusers.
    pub platform: Vec<&'static str>,
    /// Over what is his own.
    pub own: Vec<&'static str>,
    /// In whole organizations.
    pub organizations: Vec<RightsIn>,
    /// At single sites and modules, where he has been assigned to them.
    pub places: Vec<RightsAt>,
}

/// What somebody may do in an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RightsIn {
    /// The organization.
    pub organization: OrgId,
    /// His role.
    pub role: Role,
    /// His permissions.
    pub permissions: Vec<&'static str>,
}

/// What somebody may do at a site or module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RightsAt {
    /// The organization that it belongs to.
    pub organization: OrgId,
    /// The site or module.
    pub spot: Spot,
    /// His role there.
    pub role: Role,
    /// His permissions.
    pub permissions: Vec<&'static str>,
}

impl Actor {
    /// What he may do where. An API key is told what is left of its owner's rights.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for nobody; [`Error::Forbidden`] for devices.
    pub fn overview(&self) -> Result<Overview, Error> {
        self.require_no_device()?;
        let is_superuser = self.holds_everything();
        let own: &[Role] = if self.user().is_some() { &[Role::Own] } else { &[] };
        let organizations = self.memberships().iter().map(|(organization, role)| RightsIn {
            organization: *organization,
            role: *role,
            permissions: self.names(|kind| kind.holders().contains(role)),
        });
        let places = self.places().map(|(organization, spot, role)| RightsAt {
            organization,
            spot,
            role,
            permissions: self.names(|kind| kind.holders().contains(&role)),
        });
        Ok(Overview {
            is_superuser,
            platform: self.names(|_| is_superuser),
            own: self.names(|kind| own.iter().any(|role| kind.holders().contains(role))),
            organizations: organizations.collect(),
            places: places.collect(),
        })
    }

    /// Refuses devices, which have no business with what is about people and their programs.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for nobody; [`Error::Forbidden`] for devices.
    pub fn require_no_device(&self) -> Result<(), Error> {
        if self.is_device() {
            return Err(Error::Forbidden(ReadProfiles::KIND));
        }
        // Whoever has proven who he is has a role, be it over what is his own.
        match self.author().kind {
            super::AuthorKind::Anonymous => Err(Error::Unauthenticated(crate::error::TokenFault::Missing)),
            _ => Ok(()),
        }
    }

    /// Whether the actor holds a permission of this wire name anywhere.
    pub(crate) fn holds_somewhere(&self, wire_name: &str) -> bool {
        let roles = self.memberships().iter().map(|(_, role)| *role);
        let roles: BTreeSet<Role> = roles.chain(self.places().map(|(_, _, role)| role)).collect();
        let own = self.user().map(|_| Role::Own);
        PermissionKind::ALL.iter().filter(|kind| kind.wire_name() == wire_name).any(|kind| {
            let holders = kind.holders();
            self.holds_everything() || holders.iter().any(|role| roles.contains(role) || own == Some(*role))
        })
    }

    fn names(&self, is_held: impl Fn(&PermissionKind) -> bool) -> Vec<&'static str> {
        let kinds = PermissionKind::ALL.iter().filter(|kind| is_held(kind) && self.allowed.contains(**kind));
        let names: BTreeSet<&'static str> = kinds.map(|kind| kind.wire_name()).collect();
        names.into_iter().collect()
    }
}
