//! What an actor sees, and the state that it is in, as one digest.

use super::{Actor, Role, Spot, actor::Rights, bearer::Allowed};
use crate::{
    audit::{Canonical, Digest},
    ids::OrgId,
};

/// How far the logs of what somebody may see have come: every change of it moves one of them on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogEnds {
    /// The last hash of the log of each organization with a membership, where it is known.
    pub of_orgs: Vec<(OrgId, Digest)>,
    /// How many entries all logs have together; known for superusers, while there are not too many logs.
    pub of_all: Option<i64>,
}

impl LogEnds {
    fn of(&self, org: OrgId) -> Option<&Digest> {
        self.of_orgs.iter().find(|(known, _)| *known == org).map(|(_, end)| end)
    }
}

impl Actor {
    /// A digest of what he sees, by his rights and by the state of it at the moment when he was let in: two with the same one see the same of
    /// what changes with entries of the audit log. `None` where that state is not known, and for who sees nothing of an organization.
    pub(crate) fn view(&self) -> Option<Digest> {
        let mut seen = Canonical::default();
        match self.rights() {
            Rights::Standing(standing) if standing.is_superuser => {
                seen.field(b"everything").field(&standing.log_ends.of_all?.to_be_bytes());
            }
            Rights::Standing(standing) => {
                add_memberships(&mut seen, &standing.memberships, &standing.log_ends)?;
            }
            Rights::Organization(membership, ends) => add_memberships(&mut seen, membership, ends)?,
            Rights::None | Rights::Everything | Rights::Device(..) => return None,
        }
        let mut places: Vec<(OrgId, Spot, Role)> = self.places().collect();
        places.sort_unstable();
        for (org, spot, role) in places {
            let (kind, id) = match spot {
                Spot::Site(site) => (b"site".as_slice(), site.uuid()),
                Spot::Module(module) => (b"module".as_slice(), module.uuid()),
            };
            seen.field(kind).field(id.as_bytes()).field(org.uuid().as_bytes()).field(role.name().as_bytes());
        }
        match &self.allowed {
            Allowed::All => {
                seen.field(b"any");
            }
            Allowed::Only(kinds) => {
                for kind in kinds.iter() {
                    seen.field(kind.wire_name().as_bytes());
                }
            }
        }
        Some(seen.digest())
    }
}

fn add_memberships(seen: &mut Canonical, memberships: &[(OrgId, Role)], ends: &LogEnds) -> Option<()> {
    let mut memberships = memberships.to_vec();
    memberships.sort_unstable();
    for (org, role) in memberships {
        seen.field(org.uuid().as_bytes()).field(role.name().as_bytes()).field(ends.of(org)?);
    }
    Some(())
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
