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

    /// Opens the set-up with a token of this digest, replacing an older one; closes it with `None`.
    async fn put_setup_token(
        &mut self,
        grant: &PlatformGrant<ManageUsers>,
        digest: Option<&[u8]>,
    ) -> Result<(), StoreError>;

    /// The fingerprints of the secret keys that the installation was last started with; empty before the first start.
    async fn key_fingerprints(&self) -> Result<Vec<String>, StoreError>;

    /// Replaces the fingerprints.
    async fn put_key_fingerprints(
        &mut self,
        grant: &PlatformGrant<ManageUsers>,
        fingerprints: &[String],
    ) -> Result<(), StoreError>;
}
