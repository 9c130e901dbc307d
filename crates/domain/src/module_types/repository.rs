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
    /// `Conflict` with `ModuleTypeName`; `ParentArchived` if its organization is archived, `ReferenceArchived` if one of its
    /// metrics is.
    async fn insert_module_type(
        &mut self,
        grant: &OwnerGrant<ManageCatalogue>,
        module_type: &ModuleType,
    ) -> Result<(), StoreError>;

    /// Writes a module type, its metrics and its state. False if its revision is no longer `seen`.
    ///
    /// # Errors
    /// As for inserting, if it is active.
    async fn update_module_type(
        &mut self,
        grant: &OwnerGrant<ManageCatalogue>,
        module_type: &ModuleType,
        seen: Revision,
    ) -> Result<bool, StoreError>;

    /// Whether a module is of this type that is active, or returns with the site or organization that it was archived with.
    /// Holds the type until the transaction ends, so that no module of it is made meanwhile.
    async fn is_module_type_in_use(
        &mut self,
        grant: &OwnerGrant<ManageCatalogue>,
        id: ModuleTypeId,
    ) -> Result<bool, StoreError>;
}
