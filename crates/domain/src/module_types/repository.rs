use async_trait::async_trait;

use super::{ModuleType, ModuleTypeFilter, ModuleTypeSort};
use crate::{
    access::{Grant, ManageCatalogue, OwnerGrant, ReadCatalogue},
    ids::ModuleTypeId,
    page::{Listing, Page},
    ports::StoreError,
    stamp::Revision,
};

/// Stores module types. One lies within a grant if it is built in, or the grant reaches its organization.
#[async_trait]
pub trait ModuleTypeRepository {
    /// The module type, if it exists, lies within the grant, and is active or in the grant's archive.
    async fn find_module_type(
        &self,
        grant: &Grant<ReadCatalogue>,
        id: ModuleTypeId,
    ) -> Result<Option<ModuleType>, StoreError>;

    /// Those of these types that lie within the grant, in no particular order.
    async fn find_module_types(
        &self,
        grant: &Grant<ReadCatalogue>,
        ids: &[ModuleTypeId],
    ) -> Result<Vec<ModuleType>, StoreError>;

    /// One page of the module types within the grant. Searches name, manufacturer and model.
    async fn list_module_types(
        &self,
        grant: &Grant<ReadCatalogue>,
        listing: &Listing<ModuleTypeFilter, ModuleTypeSort>,
    ) -> Result<Page<ModuleType>, StoreError>;

    /// Adds a module type with its metrics for the grant's owner.
    ///
    /// # Errors
    /// `Conflict(Rule::ModuleTypeName)`.
    async fn insert_module_type(
        &mut self,
        grant: &OwnerGrant<ManageCatalogue>,
        module_type: &ModuleType,
    ) -> Result<(), StoreError>;

    /// Writes a module type, its metrics and its state. False if its revision is no longer `seen`.
    ///
    /// # Errors
    /// As for inserting.
    async fn update_module_type(
        &mut self,
        grant: &OwnerGrant<ManageCatalogue>,
        module_type: &ModuleType,
        seen: Revision,
    ) -> Result<bool, StoreError>;

    /// Whether an active module is of this type.
    async fn is_module_type_in_use(
        &self,
        grant: &OwnerGrant<ManageCatalogue>,
        id: ModuleTypeId,
    ) -> Result<bool, StoreError>;
}
