use std::collections::BTreeSet;

use async_trait::async_trait;

use super::{Site, SiteFilter, SiteSort};
use crate::{
    access::{Grant, ManageSites, OrgGrant, ReadSites},
    audit::Along,
    ids::{ModuleId, SiteId},
    modules::Rhythm,
    page::{Listing, Page},
    ports::StoreError,
    stamp::Revision,
    time::Instant,
};

/// When a module of a site last reported, and how often it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModulePulse {
    /// The site.
    pub site_id: SiteId,
    /// The module.
    pub module_id: ModuleId,
    /// False if it is switched off by setting.
    pub is_enabled: bool,
    /// When it last reported.
    pub last_seen_at: Option<Instant>,
    /// How often it should.
    pub rhythm: Rhythm,
}

/// What each active site of an organization has for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SiteNames {
    /// Names.
    pub names: BTreeSet<String>,
    /// External ids.
    pub external_ids: BTreeSet<String>,
}

/// Stores sites. One lies within a grant that reaches everywhere, its organization, or itself.
#[async_trait]
pub trait SiteRepository {
    /// The site, if it exists, lies within the grant, and is active or in the grant's archive.
    async fn find_site(&self, grant: &Grant<ReadSites>, id: SiteId) -> Result<Option<Site>, StoreError>;

    /// Those of these sites that lie within the grant, in no particular order.
    async fn find_sites(&self, grant: &Grant<ReadSites>, ids: &[SiteId]) -> Result<Vec<Site>, StoreError>;

    /// What active sites of the grant's organization have of this.
    async fn find_taken_sites(
        &self,
        grant: &OrgGrant<ManageSites>,
        wanted: &SiteNames,
    ) -> Result<SiteNames, StoreError>;

    /// One page of the sites within the grant. Searches name, code and address.
    async fn list_sites(
        &self,
        grant: &Grant<ReadSites>,
        listing: &Listing<SiteFilter, SiteSort>,
    ) -> Result<Page<Site>, StoreError>;

    /// The pulses of all active modules of these sites, which must have been found with this grant.
    async fn list_pulses(
        &self,
        grant: &Grant<ReadSites>,
        sites: &[SiteId],
    ) -> Result<Vec<ModulePulse>, StoreError>;

    /// Adds a site to the grant's organization.
    ///
    /// # Errors
    /// `Conflict` with `SiteName` or `SiteExternalId`; `Conflict(Rule::ParentArchived)` if the organization is archived.
    async fn insert_site(&mut self, grant: &OrgGrant<ManageSites>, site: &Site) -> Result<(), StoreError>;

    /// Adds sites to the grant's organization, in one statement.
    ///
    /// # Errors
    /// As for one.
    async fn insert_sites(
        &mut self,
        grant: &OrgGrant<ManageSites>,
        sites: &[&Site],
    ) -> Result<(), StoreError>;

    /// Writes a site. False if its revision is no longer `seen`.
    ///
    /// # Errors
    /// As for inserting.
    async fn update_site(
        &mut self,
        grant: &OrgGrant<ManageSites>,
        site: &Site,
        seen: Revision,
    ) -> Result<bool, StoreError>;

    /// Archives the site and, with it, its active modules, which remember what hid them: those modules. `None` if its
    /// revision is no longer `seen`.
    async fn archive_site(
        &mut self,
        grant: &OrgGrant<ManageSites>,
        site: &Site,
        seen: Revision,
    ) -> Result<Option<Vec<Along>>, StoreError>;

    /// Restores the site and exactly the modules that its archiving hid: those modules. `None` if its revision is no
    /// longer `seen`.
    ///
    /// # Errors
    /// `Conflict(Rule::ParentArchived)` if the organization is archived; as for inserting, if a name was taken meanwhile.
    async fn restore_site(
        &mut self,
        grant: &OrgGrant<ManageSites>,
        site: &Site,
        seen: Revision,
    ) -> Result<Option<Vec<Along>>, StoreError>;
}
