//! What the caller may do where.

use serde::Serialize;
use sitewatch_domain::{
    access::{Overview, RightsAt, RightsIn, Spot},
    ids::{ModuleId, OrgId, SiteId},
};
use utoipa::ToSchema;

use crate::{
    caller::Caller,
    envelope::{Envelope, Plain},
    error::ApiError,
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![Address::at("/api/v1/auth/me/permissions").get(own)]
}

/// What somebody may do where: permissions by their wire names, from the table that every request is judged by.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rights)]
pub(crate) struct RightsView {
    /// Whether he acts with a superuser's rights.
    is_superuser: bool,
    /// Everywhere; empty for everybody but superusers.
    platform: Vec<&'static str>,
    /// Over what is his own.
    own: Vec<&'static str>,
    /// In whole organizations.
    organizations: Vec<RightsInView>,
    /// At single sites and modules that are assigned to him.
    assignments: Vec<RightsAtView>,
}

/// What somebody may do in an organization.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RightsInOrganization)]
pub(crate) struct RightsInView {
    /// The organization.
    #[schema(value_type = uuid::Uuid)]
    organization_id: OrgId,
    /// `admin` or `member`.
    #[schema(example = "member")]
    role: &'static str,
    /// His permissions there.
    permissions: Vec<&'static str>,
}

/// What somebody may do at a site with its modules, or at a module.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RightsAtPlace)]
pub(crate) struct RightsAtView {
    /// The organization that it belongs to.
    #[schema(value_type = uuid::Uuid)]
    organization_id: OrgId,
    /// The site, if it is one.
    #[schema(value_type = Option<uuid::Uuid>)]
    site_id: Option<SiteId>,
    /// The module, if it is one.
    #[schema(value_type = Option<uuid::Uuid>)]
    module_id: Option<ModuleId>,
    /// `operator` or `viewer`.
    #[schema(example = "viewer")]
    access: &'static str,
    /// His permissions there.
    permissions: Vec<&'static str>,
}

impl From<Overview> for RightsView {
    fn from(overview: Overview) -> Self {
        Self {
            is_superuser: overview.is_superuser,
            platform: overview.platform,
            own: overview.own,
            organizations: overview.organizations.into_iter().map(Into::into).collect(),
            assignments: overview.places.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<RightsIn> for RightsInView {
    fn from(rights: RightsIn) -> Self {
        Self {
            organization_id: rights.organization,
            role: rights.role.name(),
            permissions: rights.permissions,
        }
    }
}

impl From<RightsAt> for RightsAtView {
    fn from(rights: RightsAt) -> Self {
        let (site_id, module_id) = match rights.spot {
            Spot::Site(site) => (Some(site), None),
            Spot::Module(module) => (None, Some(module)),
        };
        Self {
            organization_id: rights.organization,
            site_id,
            module_id,
            access: rights.role.name(),
            permissions: rights.permissions,
        }
    }
}

/// What you may do where; for an API key what is left of its owner's rights.
#[utoipa::path(get, path = "/api/v1/auth/me/permissions", tag = "auth", operation_id = "listOwnPermissions",
    responses((status = 200, description = "Your permissions", body = Envelope<RightsView>)))]
pub(crate) async fn own(caller: Caller) -> Result<Plain<RightsView>, ApiError> {
    caller.no_query()?;
    Ok(Plain(caller.overview()?.into()))
}
