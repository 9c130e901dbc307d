use async_trait::async_trait;

use super::{Module, ModuleFilter, ModuleSort};
use crate::{
    access::{AnnotateModules, Grant, ManageModules, OrgGrant, ReadModules, SendReadings},
    ids::ModuleId,
    page::{Listing, Page},
    ports::StoreError,
    stamp::Revision,
    time::Instant,
};

/// Stores modules. One lies within a grant that reaches everywhere, its organization, its site, or itself.
#[async_trait]
pub trait ModuleRepository {
    /// The module, if it exists, lies within the grant, and is active or in the grant's archive.
    async fn find_module(
        &self,
        grant: &Grant<ReadModules>,
        id: ModuleId,
    ) -> Result<Option<Module>, StoreError>;

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
