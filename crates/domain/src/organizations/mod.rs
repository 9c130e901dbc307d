//! Organizations: the tenants.

mod repository;
mod service;

use serde::Serialize;
use uuid::Uuid;
use validator::Validate;

pub use repository::OrganizationRepository;
pub use service::Organizations;

use crate::{access::Located, audit::Audited, ids::OrgId, page::Between, stamp::Stamp, text};

/// A tenant: owns sites, modules, members and everything measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Organization {
    /// The organization's id.
    pub id: OrgId,
    /// The name, unique among active organizations.
    pub name: String,
    /// A short name for addresses, unique among active organizations.
    pub slug: String,
    /// The IANA time zone that its sites have unless they say otherwise.
    pub timezone: String,
    /// Audit columns.
    pub stamp: Stamp,
}

impl Audited for Organization {
    const RESOURCE: &'static str = "organization";

    fn resource_id(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Located for Organization {
    fn org(&self) -> Option<OrgId> {
        Some(self.id)
    }
}

/// What a new organization is made from.
#[derive(Debug, Clone, Validate)]
pub struct NewOrganization {
    /// The name.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub name: String,
    /// The slug; made from the name if not given.
    #[validate(custom(function = text::slug))]
    pub slug: Option<String>,
    /// The time zone; `UTC` if not given.
    #[validate(custom(function = text::zone_name))]
    pub timezone: Option<String>,
}

/// Changes of an organization; what is `None` stays.
#[derive(Debug, Clone, Default, Validate)]
pub struct OrganizationChanges {
    /// The name.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub name: Option<String>,
    /// The slug.
    #[validate(custom(function = text::slug))]
    pub slug: Option<String>,
    /// The time zone.
    #[validate(custom(function = text::zone_name))]
    pub timezone: Option<String>,
}

/// Conditions on organizations.
#[derive(Debug, Clone, Default)]
pub struct OrganizationFilter {
    /// Exactly this name.
    pub name: Option<String>,
    /// Exactly this slug.
    pub slug: Option<String>,
    /// Made at these times.
    pub created_at: Between,
}

/// What organizations can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrganizationSort {
    /// When it was made.
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
    /// The name.
    Name,
    /// The slug.
    Slug,
}
