use async_trait::async_trait;

use super::{Organization, OrganizationFilter, OrganizationSort};
use crate::{
    access::{
        AdministerOrganizations, Grant, ManageOrganizations, OrgGrant, PlatformGrant, ReadOrganizations,
    },
    audit::Along,
    ids::OrgId,
    page::{Listing, Page},
    ports::StoreError,
    stamp::Revision,
};

/// Stores organizations. One lies within a grant that reaches everywhere or names it.
#[async_trait]
pub trait OrganizationRepository {
    /// The organization, if it exists, lies within the grant, and is active or in the grant's archive.
    async fn find_organization(
        &self,
        grant: &Grant<ReadOrganizations>,
        id: OrgId,
    ) -> Result<Option<Organization>, StoreError>;

    /// Those of these organizations that lie within the grant, in no particular order.
    async fn find_organizations(
        &self,
        grant: &Grant<ReadOrganizations>,
        ids: &[OrgId],
    ) -> Result<Vec<Organization>, StoreError>;

    /// One page of the organizations within the grant. Searches name and slug.
    async fn list_organizations(
        &self,
        grant: &Grant<ReadOrganizations>,
        listing: &Listing<OrganizationFilter, OrganizationSort>,
    ) -> Result<Page<Organization>, StoreError>;

    /// Adds an organization.
    ///
    /// # Errors
    /// `Conflict(Rule::OrganizationName)` or `Conflict(Rule::OrganizationSlug)`.
    async fn insert_organization(
        &mut self,
        grant: &PlatformGrant<AdministerOrganizations>,
        organization: &Organization,
    ) -> Result<(), StoreError>;

    /// Writes name, slug and time zone. False if the revision is no longer `seen`.
    ///
    /// # Errors
    /// As for inserting.
    async fn update_organization(
        &mut self,
        grant: &OrgGrant<ManageOrganizations>,
        organization: &Organization,
        seen: Revision,
    ) -> Result<bool, StoreError>;

    /// Archives the organization and, with it, its active sites and modules, which remember what hid them: those.
    /// `None` if the revision is no longer `seen`.
    async fn archive_organization(
        &mut self,
        grant: &PlatformGrant<AdministerOrganizations>,
        organization: &Organization,
        seen: Revision,
    ) -> Result<Option<Vec<Along>>, StoreError>;

    /// Restores the organization and exactly what its archiving hid: that. `None` if the revision is no longer `seen`.
    ///
    /// # Errors
    /// As for inserting, if a name was taken meanwhile.
    async fn restore_organization(
        &mut self,
        grant: &PlatformGrant<AdministerOrganizations>,
        organization: &Organization,
        seen: Revision,
    ) -> Result<Option<Vec<Along>>, StoreError>;
}
