//! Sites: places that hold modules.

mod many;
mod repository;
mod service;

use serde::Serialize;
use uuid::Uuid;
use validator::Validate;

pub use repository::{ModulePulse, SiteNames, SiteRepository};
pub use service::{SiteDetail, SiteIncludes, Sites};

use crate::{
    access::{Located, Spot},
    audit::Audited,
    ids::{OrgId, SiteId},
    modules::StateCounts,
    page::Between,
    stamp::Stamp,
    text,
    time::Instant,
};

/// A place that holds modules: a plant, a building, a farm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Site {
    /// The site's id.
    pub id: SiteId,
    /// The owning organization.
    pub organization_id: OrgId,
    /// The name, unique among the organization's active sites.
    pub name: String,
    /// A short code of the owner's choice.
    pub code: Option<String>,
    /// A description, several lines.
    pub description: Option<String>,
    /// The IANA time zone in which its days begin.
    pub timezone: String,
    /// Degrees north, WGS 84.
    pub latitude: Option<f64>,
    /// Degrees east, WGS 84.
    pub longitude: Option<f64>,
    /// The postal address.
    pub address: Option<String>,
    /// Labels of the owner's choice.
    pub tags: Vec<String>,
    /// The site's name in another system, unique among the organization's active sites.
    pub external_id: Option<String>,
    /// Audit columns.
    pub stamp: Stamp,
}

impl Audited for Site {
    const RESOURCE: &'static str = "site";

    fn resource_id(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Located for Site {
    fn org(&self) -> Option<OrgId> {
        Some(self.organization_id)
    }

    fn spots(&self) -> Vec<Spot> {
        vec![Spot::Site(self.id)]
    }
}

/// What a new site is made from.
#[derive(Debug, Clone, Default, Validate)]
pub struct NewSite {
    /// The name.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub name: String,
    /// A short code.
    #[validate(length(max = 64, message = "must be at most 64 characters"), custom(function = text::name))]
    pub code: Option<String>,
    /// A description.
    #[validate(length(max = 4000, message = "must be at most 4000 characters"), custom(function = text::many_lines))]
    pub description: Option<String>,
    /// The time zone; the organization's if not given.
    #[validate(custom(function = text::zone_name))]
    pub timezone: Option<String>,
    /// Degrees north.
    #[validate(range(min = -90.0, max = 90.0, message = "must be between -90 and 90 degrees"))]
    pub latitude: Option<f64>,
    /// Degrees east.
    #[validate(range(min = -180.0, max = 180.0, message = "must be between -180 and 180 degrees"))]
    pub longitude: Option<f64>,
    /// The postal address.
    #[validate(length(max = 500, message = "must be at most 500 characters"), custom(function = text::many_lines))]
    pub address: Option<String>,
    /// Labels.
    #[validate(custom(function = text::tags_rule))]
    pub tags: Vec<String>,
    /// The name in another system.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub external_id: Option<String>,
}

/// Changes of a site. `None` stays; where a field can be empty, `Some(None)` empties it.
#[derive(Debug, Clone, Default, Validate)]
pub struct SiteChanges {
    /// The name.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub name: Option<String>,
    /// A short code.
    #[validate(length(max = 64, message = "must be at most 64 characters"), custom(function = text::name))]
    pub code: Option<Option<String>>,
    /// A description.
    #[validate(length(max = 4000, message = "must be at most 4000 characters"), custom(function = text::many_lines))]
    pub description: Option<Option<String>>,
    /// The time zone.
    #[validate(custom(function = text::zone_name))]
    pub timezone: Option<String>,
    /// Degrees north.
    #[validate(range(min = -90.0, max = 90.0, message = "must be between -90 and 90 degrees"))]
    pub latitude: Option<Option<f64>>,
    /// Degrees east.
    #[validate(range(min = -180.0, max = 180.0, message = "must be between -180 and 180 degrees"))]
    pub longitude: Option<Option<f64>>,
    /// The postal address.
    #[validate(length(max = 500, message = "must be at most 500 characters"), custom(function = text::many_lines))]
    pub address: Option<Option<String>>,
    /// Labels.
    #[validate(custom(function = text::tags_rule))]
    pub tags: Option<Vec<String>>,
    /// The name in another system.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub external_id: Option<Option<String>>,
}

/// Conditions on sites.
#[derive(Debug, Clone, Default)]
pub struct SiteFilter {
    /// Of this organization.
    pub organization: Option<OrgId>,
    /// Exactly this name.
    pub name: Option<String>,
    /// Exactly this code.
    pub code: Option<String>,
    /// Exactly this external id.
    pub external_id: Option<String>,
    /// In this time zone.
    pub timezone: Option<String>,
    /// With this tag.
    pub tag: Option<String>,
    /// Made at these times.
    pub created_at: Between,
    /// Last changed at these times.
    pub updated_at: Between,
}

/// What sites can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteSort {
    /// When it was made.
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
    /// The name.
    Name,
    /// The code.
    Code,
}

/// The live figures of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteSummary {
    /// The site.
    pub site_id: SiteId,
    /// How many active modules are in which state, as far as the caller may see them.
    pub modules: StateCounts,
    /// When any of them last reported.
    pub last_report_at: Option<Instant>,
}
