//! Assignments: which member may see or operate which site or module.

mod repository;
mod service;

use serde::Serialize;
use uuid::Uuid;
use validator::Validate;

pub use repository::AssignmentRepository;
pub use service::Assignments;

use crate::{
    access::{Access, Located},
    audit::Audited,
    ids::{AssignmentId, ModuleId, OrgId, SiteId, UserId},
    stamp::Stamp,
};

impl Access {
    /// The name on the wire and in the database.
    pub const fn name(self) -> &'static str {
        self.role().name()
    }

    /// The access of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Operator, Self::Viewer].into_iter().find(|access| access.name() == name)
    }
}

/// What a member of an organization may see (`viewer`) or operate (`operator`): a site with its modules, or one module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assignment {
    /// The assignment's id.
    pub id: AssignmentId,
    /// The organization that user and spot belong to.
    pub organization_id: OrgId,
    /// The member.
    pub user_id: UserId,
    /// The site, if a site is assigned.
    pub site_id: Option<SiteId>,
    /// The module, if a module is assigned. Exactly one of the two is given.
    pub module_id: Option<ModuleId>,
    /// What he may do there.
    pub access: Access,
    /// Audit columns.
    pub stamp: Stamp,
}

impl Audited for Assignment {
    const RESOURCE: &'static str = "assignment";

    fn resource_id(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Located for Assignment {
    fn org(&self) -> Option<OrgId> {
        Some(self.organization_id)
    }
}

/// What a new assignment is made from.
#[derive(Debug, Clone, Validate)]
pub struct NewAssignment {
    /// The member.
    pub user_id: UserId,
    /// The site; exactly one of site and module must be given.
    pub site_id: Option<SiteId>,
    /// The module.
    pub module_id: Option<ModuleId>,
    /// The name of an [`Access`].
    #[validate(custom(function = access_rule))]
    pub access: String,
}

/// Changes of an assignment; what is `None` stays.
#[derive(Debug, Clone, Default, Validate)]
pub struct AssignmentChanges {
    /// The name of an [`Access`].
    #[validate(custom(function = access_rule))]
    pub access: Option<String>,
}

fn access_rule(access: &str) -> Result<(), validator::ValidationError> {
    Access::from_name(access).map(|_| ()).ok_or_else(|| {
        validator::ValidationError::new("access").with_message("must be one of: operator, viewer".into())
    })
}

/// Conditions on assignments.
#[derive(Debug, Clone, Default)]
pub struct AssignmentFilter {
    /// Of this member.
    pub user: Option<UserId>,
    /// To this site.
    pub site: Option<SiteId>,
    /// To this module.
    pub module: Option<ModuleId>,
    /// With this access.
    pub access: Option<Access>,
}

/// What assignments can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssignmentSort {
    /// When they were made.
    CreatedAt,
}
