use async_trait::async_trait;

use super::{ApiKey, ApiKeySort, KeysGrant};
use crate::{
    access::{ManageUsers, PlatformGrant},
    audit::Along,
    ids::{ApiKeyId, UserId},
    page::{Listing, Page},
    ports::StoreError,
    stamp::{Revision, Stamp},
};

/// Stores API keys. Only those that are not revoked are found.
#[async_trait]
pub trait ApiKeyRepository {
    /// The key, if it is the grant's owner's.
    async fn find_api_key(&self, grant: &KeysGrant, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError>;

    /// One page of the owner's keys.
    async fn list_api_keys(
        &self,
        grant: &KeysGrant,
        listing: &Listing<(), ApiKeySort>,
    ) -> Result<Page<ApiKey>, StoreError>;

    /// Adds a key, of which the digest of its whole text is kept.
    ///
    /// # Errors
    /// `Conflict` with `ParentArchived` or `ReferenceArchived` if its owner is archived.
    async fn insert_api_key(
        &mut self,
        grant: &KeysGrant,
        key: &ApiKey,
        digest: &[u8; 32],
    ) -> Result<(), StoreError>;

    /// Writes name, expiry and state. False if the revision is no longer `seen`.
    async fn update_api_key(
        &mut self,
        grant: &KeysGrant,
        key: &ApiKey,
        seen: Revision,
    ) -> Result<bool, StoreError>;

    /// Revokes all keys of a user who is archived with this stamp; which they were.
    async fn revoke_api_keys_of(
        &mut self,
        grant: &PlatformGrant<ManageUsers>,
        user: UserId,
        stamp: &Stamp,
    ) -> Result<Vec<Along>, StoreError>;
}
