use async_trait::async_trait;

use super::{KeyKind, KeyPrefix};
use crate::{
    access::{Bearer, Credential},
    ports::StoreError,
    time::Instant,
};

/// A key as it is found by its prefix. Nothing in it is to be believed before the digest was compared.
#[derive(Debug, Clone)]
pub struct FoundKey {
    /// Which key.
    pub credential: Credential,
    /// SHA-256 of the whole key.
    pub digest: Vec<u8>,
    /// Good until then.
    pub expires_at: Option<Instant>,
    /// When its use was last noted.
    pub last_used_at: Option<Instant>,
    /// Whom it stands for.
    pub bearer: Bearer,
}

/// A use of a key.
#[derive(Debug, Clone)]
pub struct KeyUse {
    /// Which key.
    pub credential: Credential,
    /// When.
    pub at: Instant,
    /// From which address.
    pub client: Option<String>,
}

/// Finds keys. Reached before anybody has proven who he is, so no grant guards it; only authentication can reach it.
#[async_trait]
pub trait KeyRepository {
    /// The key with this prefix and whom it stands for at this moment, in one statement. `None` if it is revoked, or its user,
    /// organization, site or module is archived. Whether its time is over is for the caller to see.
    async fn find_key(&self, kind: KeyKind, prefix: KeyPrefix) -> Result<Option<FoundKey>, StoreError>;
}
