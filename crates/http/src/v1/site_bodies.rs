//! Sites: bodies and views.

use serde::{Deserialize, Serialize};
use sitewatch_domain::{
    FieldErrors,
    ids::{OrgId, SiteId},
    sites::{NewSite, Site, SiteChanges, SiteDetail, SiteSummary},
    stamp::Revision,
    time::Instant,
};
use utoipa::ToSchema;

use super::{module_bodies::ModuleView, organizations::OrganizationView, views::StampView};
use crate::{
    body::{Body, Field},
    envelope::Addressed,
};

/// A site as it is made.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"name": "La Haute Borne", "timezone": "Europe/Paris", "latitude": 48.45, "longitude": 5.59}))]
pub(crate) struct CreateSiteBody {
    /// The owning organization; needed where the path does not name it.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub(super) organization_id: Field<OrgId>,
    /// The name, unique among the organization's active sites.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 200)]
    name: Field<String>,
    /// A short code of your choice.
    #[schema(value_type = Option<String>, max_length = 64)]
    code: Field<String>,
    /// A description.
    #[schema(value_type = Option<String>, max_length = 4000)]
    description: Field<String>,
    /// The IANA time zone; the organization's if not given.
    #[schema(value_type = Option<String>, example = "Europe/Paris")]
    timezone: Field<String>,
    /// Degrees north.
    #[schema(value_type = Option<f64>, minimum = -90, maximum = 90)]
    latitude: Field<f64>,
    /// Degrees east.
    #[schema(value_type = Option<f64>, minimum = -180, maximum = 180)]
    longitude: Field<f64>,
    /// The postal address.
    #[schema(value_type = Option<String>, max_length = 500)]
    address: Field<String>,
    /// Labels.
    #[schema(value_type = Option<Vec<String>>)]
    tags: Field<Vec<String>>,
    /// The site's name in another system.
    #[schema(value_type = Option<String>, max_length = 200)]
    external_id: Field<String>,
}

impl Body for CreateSiteBody {
    type Input = NewSite;

    fn into_input(self, faults: &mut FieldErrors) -> NewSite {
        NewSite {
            name: self.name.required("name", faults),
            code: self.code.optional("code", faults),
            description: self.description.optional("description", faults),
            timezone: self.timezone.optional("timezone", faults),
            latitude: self.latitude.optional("latitude", faults),
            longitude: self.longitude.optional("longitude", faults),
            address: self.address.optional("address", faults),
            tags: self.tags.optional("tags", faults).unwrap_or_default(),
            external_id: self.external_id.optional("external_id", faults),
        }
    }
}

/// Changes of a site. Absent fields stay; null empties.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"description": "Four turbines", "address": null}))]
pub(crate) struct UpdateSiteBody {
    /// The name.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: Field<String>,
    /// A short code.
    #[schema(value_type = Option<String>, max_length = 64)]
    code: Field<String>,
    /// A description.
    #[schema(value_type = Option<String>, max_length = 4000)]
    description: Field<String>,
    /// The IANA time zone.
    #[schema(value_type = String)]
    timezone: Field<String>,
    /// Degrees north.
    #[schema(value_type = Option<f64>, minimum = -90, maximum = 90)]
    latitude: Field<f64>,
    /// Degrees east.
    #[schema(value_type = Option<f64>, minimum = -180, maximum = 180)]
    longitude: Field<f64>,
    /// The postal address.
    #[schema(value_type = Option<String>, max_length = 500)]
    address: Field<String>,
    /// Labels.
    #[schema(value_type = Vec<String>)]
    tags: Field<Vec<String>>,
    /// The site's name in another system.
    #[schema(value_type = Option<String>, max_length = 200)]
    external_id: Field<String>,
}

impl Body for UpdateSiteBody {
    type Input = SiteChanges;

    const READ_ONLY: &'static [&'static str] = &["organization_id", "organization", "modules", "summary"];

    fn into_input(self, faults: &mut FieldErrors) -> SiteChanges {
        SiteChanges {
            name: self.name.change("name", faults),
            code: self.code.clearable("code", faults),
            description: self.description.clearable("description", faults),
            timezone: self.timezone.change("timezone", faults),
            latitude: self.latitude.clearable("latitude", faults),
            longitude: self.longitude.clearable("longitude", faults),
            address: self.address.clearable("address", faults),
            tags: self.tags.change("tags", faults),
            external_id: self.external_id.clearable("external_id", faults),
        }
    }
}

/// A site.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Site)]
pub(crate) struct SiteView {
    /// The site's id.
    #[schema(value_type = uuid::Uuid)]
    id: SiteId,
    /// The owning organization.
    #[schema(value_type = uuid::Uuid)]
    organization_id: OrgId,
    /// The name.
    name: String,
    /// A short code.
    code: Option<String>,
    /// A description.
    description: Option<String>,
    /// The IANA time zone in which its days begin.
    timezone: String,
    /// Degrees north.
    latitude: Option<f64>,
    /// Degrees east.
    longitude: Option<f64>,
    /// The postal address.
    address: Option<String>,
    /// Labels.
    tags: Vec<String>,
    /// The site's name in another system.
    external_id: Option<String>,
    #[serde(flatten)]
    stamp: StampView,
    /// The organization, with `include=organization`.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<OrganizationView>,
    /// The active modules that you can see, with `include=modules`.
    #[serde(skip_serializing_if = "Option::is_none")]
    modules: Option<Vec<ModuleView>>,
    /// The live figures, with `include=summary`.
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<SiteSummaryView>,
    #[serde(skip)]
    revision: Revision,
}

impl From<Site> for SiteView {
    fn from(site: Site) -> Self {
        Self {
            id: site.id,
            organization_id: site.organization_id,
            name: site.name,
            code: site.code,
            description: site.description,
            timezone: site.timezone,
            latitude: site.latitude,
            longitude: site.longitude,
            address: site.address,
            tags: site.tags,
            external_id: site.external_id,
            stamp: StampView::from(&site.stamp),
            organization: None,
            modules: None,
            summary: None,
            revision: site.stamp.revision,
        }
    }
}

impl SiteView {
    pub(super) fn of(detail: SiteDetail, now: Instant) -> Self {
        let view = |module| ModuleView::of(module, now);
        Self {
            organization: detail.organization.map(OrganizationView::from),
            modules: detail.modules.map(|modules| modules.into_iter().map(view).collect()),
            summary: detail.summary.map(SiteSummaryView::from),
            ..Self::from(detail.site)
        }
    }
}

impl Addressed for SiteView {
    fn path(&self) -> String {
        format!("/api/v1/sites/{}", self.id)
    }

    fn revision(&self) -> Option<Revision> {
        Some(self.revision)
    }
}

/// The live figures of a site.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SiteSummary)]
pub(crate) struct SiteSummaryView {
    /// The site.
    #[schema(value_type = uuid::Uuid)]
    site_id: SiteId,
    /// The state of its worst switched-on module: `new`, `online`, `late`, `offline`; `disabled` if all are switched off.
    #[schema(example = "online")]
    state: &'static str,
    /// When any of its modules last reported.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_report_at: Option<Instant>,
    /// How many modules are in which state.
    modules: StateCountsView,
}

/// How many modules are in which state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StateCounts)]
pub(crate) struct StateCountsView {
    /// All of them.
    total: u32,
    /// Never heard of.
    new: u32,
    /// Reporting as they should.
    online: u32,
    /// Overdue.
    late: u32,
    /// Silent for too long.
    offline: u32,
    /// Switched off.
    disabled: u32,
}

impl From<SiteSummary> for SiteSummaryView {
    fn from(summary: SiteSummary) -> Self {
        let counts = summary.modules;
        Self {
            site_id: summary.site_id,
            state: counts.worst().name(),
            last_report_at: summary.last_report_at,
            modules: StateCountsView {
                total: counts.total(),
                new: counts.new,
                online: counts.online,
                late: counts.late,
                offline: counts.offline,
                disabled: counts.disabled,
            },
        }
    }
}
