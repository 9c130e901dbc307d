use async_trait::async_trait;

use super::DeviceCredential;
use crate::{
    access::{ManageCredentials, OrgGrant, Spot},
    ids::DeviceCredentialId,
    ports::StoreError,
    stamp::Revision,
    time::Instant,
};

/// Stores device credentials. Only those that are not revoked are found.
#[async_trait]
pub trait DeviceCredentialRepository {
    /// The credentials of a site or module of the grant's organization, the newest first, at most 100.
    async fn list_device_credentials(
        &self,
        grant: &OrgGrant<ManageCredentials>,
        spot: Spot,
    ) -> Result<Vec<DeviceCredential>, StoreError>;

    /// The credential, if it is of that site or module of the grant's organization.
    async fn find_device_credential(
        &self,
        grant: &OrgGrant<ManageCredentials>,
        spot: Spot,
        id: DeviceCredentialId,
    ) -> Result<Option<DeviceCredential>, StoreError>;

    /// How many of them are good at this moment. Holds the site or module until the transaction ends, so that no more are made
    /// meanwhile.
    async fn count_device_credentials(
        &mut self,
        grant: &OrgGrant<ManageCredentials>,
        spot: Spot,
        now: Instant,
    ) -> Result<u64, StoreError>;

    /// Adds a credential, of which the digest of its whole text is kept.
    ///
    /// # Errors
    /// `Conflict` with `ParentArchived` if its site or module is archived.
    async fn insert_device_credential(
        &mut self,
        grant: &OrgGrant<ManageCredentials>,
        credential: &DeviceCredential,
        digest: &[u8; 32],
    ) -> Result<(), StoreError>;

    /// Writes the state. False if the revision is no longer `seen`.
    async fn update_device_credential(
        &mut self,
        grant: &OrgGrant<ManageCredentials>,
        credential: &DeviceCredential,
        seen: Revision,
    ) -> Result<bool, StoreError>;
}
