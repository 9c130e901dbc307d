use std::collections::BTreeSet;

use async_trait::async_trait;

use super::{Module, ModuleFilter, ModuleSort};
use crate::{
    access::{AnnotateModules, Grant, ManageModules, OrgGrant, ReadModules, SendReadings},
    ids::{ModuleId, SiteId},
    page::{Listing, Page},
    ports::StoreError,
    stamp::Revision,
    time::Instant,
};

/// What each active module of an organization has for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModuleNames {
    /// Names, each at a site.
    pub names: BTreeSet<(SiteId, String)>,
    /// Serial numbers.
    pub serial_numbers: BTreeSet<String>,
    /// External ids.
    pub external_ids: BTreeSet<String>,
}

/// Stores modules. One lies within a grant that reaches everywhere, its organization, its site, or itself.
#[async_trait]
pub trait ModuleRepository {
    /// The module, if it exists, lies within the grant, and is active or in the grant's archive.
    async fn find_module(
        &self,
        grant: &Grant<ReadModules>,
        id: ModuleId,
    ) -> Result<Option<Module>, StoreError>;

    /// Those of these modules that lie within the grant, in no particular order.
    async fn find_modules(
        &self,
        grant: &Grant<ReadModules>,
        ids: &[ModuleId],
    ) -> Result<Vec<Module>, StoreError>;

    /// What active modules of the grant's organization have of this; of their names perhaps some that nobody asked for.
    async fn find_taken_modules(
        &self,
        grant: &OrgGrant<ManageModules>,
        wanted: &ModuleNames,
    ) -> Result<ModuleNames, StoreError>;

    /// One page of the modules within the grant. Searches name, serial number and external id.
    async fn list_modules(
        &self,
        grant: &Grant<ReadModules>,
        listing: &Listing<ModuleFilter, ModuleSort>,
    ) -> Result<Page<Module>, StoreError>;

    /// The active modules within the grant at the sites of the filter, by site and name, at most `limit`.
    async fn list_modules_of_sites(
        &self,
        grant: &Grant<ReadModules>,
        filter: &ModuleFilter,
        limit: u32,
    ) -> Result<Vec<Module>, StoreError>;

    /// Adds a module to the grant's organization.
    ///
    /// # Errors
    /// `Conflict` with `ModuleName`, `ModuleSerialNumber` or `ModuleExternalId`; with `ParentArchived` if its site is archived,
    /// with `ReferenceArchived` if its type or gateway is.
    async fn insert_module(
        &mut self,
        grant: &OrgGrant<ManageModules>,
        module: &Module,
    ) -> Result<(), StoreError>;

    /// Adds modules to the grant's organization, in one statement.
    ///
    /// # Errors
    /// As for one.
    async fn insert_modules(
        &mut self,
        grant: &OrgGrant<ManageModules>,
        modules: &[&Module],
    ) -> Result<(), StoreError>;

    /// Writes a module, its site and its state included, its last report excepted. False if its revision is no longer
    /// `seen`.
    ///
    /// # Errors
    /// As for inserting, if it is active.
    async fn update_module(
        &mut self,
        grant: &OrgGrant<ManageModules>,
        module: &Module,
        seen: Revision,
    ) -> Result<bool, StoreError>;

    /// Writes description and tags. False if its revision is no longer `seen`.
    async fn annotate_module(
        &mut self,
        grant: &OrgGrant<AnnotateModules>,
        module: &Module,
        seen: Revision,
    ) -> Result<bool, StoreError>;

    /// Whether a module reports through another, directly or through further gateways. Holds their site until the
    /// transaction ends, so that two changes of gateways cannot close a circle together.
    async fn reports_through(
        &mut self,
        grant: &OrgGrant<ManageModules>,
        module: &Module,
        gateway: ModuleId,
    ) -> Result<bool, StoreError>;

    /// Whether modules report through this one that are active or return with their site. Holds it until the transaction
    /// ends, so that none begins to.
    async fn is_gateway_in_use(
        &mut self,
        grant: &OrgGrant<ManageModules>,
        id: ModuleId,
    ) -> Result<bool, StoreError>;

    /// Notes that the server heard of the module at this moment. Never moves the last report backwards; no revision.
    async fn record_heartbeat(
        &mut self,
        grant: &OrgGrant<SendReadings>,
        module: ModuleId,
        at: Instant,
    ) -> Result<(), StoreError>;
}
