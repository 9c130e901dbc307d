//! How far the statements of a caller may see at all: what a database that keeps rows apart by itself is told.

use std::collections::BTreeSet;

use crate::ids::{OrgId, UserId};

/// The rows that anything done for an actor may meet, whatever is forgotten in the statement. Wider than any of his grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Horizon {
    /// All: for superusers, for the installation itself, and for who is still to be found out who he is.
    Everything,
    /// Those of some organizations, and what is his own.
    Within {
        /// Where he is a member, or which a key or a device is of.
        orgs: BTreeSet<OrgId>,
        /// The user himself.
        user: Option<UserId>,
    },
}
