use async_trait::async_trait;

use crate::{
    access::{ManageUsers, PlatformGrant},
    ports::StoreError,
};

/// Stores what belongs to the installation as a whole.
#[async_trait]
pub trait SetupRepository {
    /// Whether any superuser account exists, archived ones included.
    async fn has_superuser(&self) -> Result<bool, StoreError>;

    /// The SHA-256 digest of the one-time token, while it is open.
    async fn setup_token(&self) -> Result<Option<Vec<u8>>, StoreError>;

    /// Opens the set-up with a token of this digest, replacing an older one.
    async fn put_setup_token(
        &mut self,
        grant: &PlatformGrant<ManageUsers>,
        digest: &[u8],
    ) -> Result<(), StoreError>;

    /// Uses the token of this digest up, which closes the set-up. False if it is not the open one any more: of several
    /// transactions that take it, one is told true.
    async fn take_setup_token(
        &mut self,
        grant: &PlatformGrant<ManageUsers>,
        digest: &[u8],
    ) -> Result<bool, StoreError>;

    /// The fingerprints of the secret keys that the installation was last started with; before the first start these ones,
    /// which it then has. Held until the transaction ends, so that of two first starts the second sees the first.
    async fn claim_key_fingerprints(
        &mut self,
        grant: &PlatformGrant<ManageUsers>,
        fingerprints: &[String],
    ) -> Result<Vec<String>, StoreError>;

    /// Replaces the fingerprints.
    async fn put_key_fingerprints(
        &mut self,
        grant: &PlatformGrant<ManageUsers>,
        fingerprints: &[String],
    ) -> Result<(), StoreError>;
}
