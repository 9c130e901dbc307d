//! Files that are made once and fetched often: too large for the database.

use async_trait::async_trait;
use uuid::Uuid;

use crate::error::BoxError;

/// Keeps files under ids. A file is there as a whole or not at all, whenever a process or a machine stops. Which files there are is known by
/// whoever keeps them: a store is shared with others, and never asked for what else is in it.
#[async_trait]
pub trait FileStore: Send + Sync {
    /// Keeps a file; when this is done, it stays.
    async fn put(&self, id: Uuid, bytes: &[u8]) -> Result<(), BoxError>;

    /// The file, if there is one.
    async fn get(&self, id: Uuid) -> Result<Option<Vec<u8>>, BoxError>;

    /// Removes a file, if there is one.
    async fn delete(&self, id: Uuid) -> Result<(), BoxError>;
}
