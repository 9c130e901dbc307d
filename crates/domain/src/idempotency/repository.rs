use async_trait::async_trait;

use super::IdempotencyClaim;
use crate::ports::StoreError;

/// What is known of a key that was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Whether it was for the same request.
    pub is_same_request: bool,
    /// The sealed answer.
    pub sealed: Option<Vec<u8>>,
}

/// Reads what became of claims. Whoever has the claim has the key of its request, and nothing else is found, so no grant guards it.
#[async_trait]
pub trait IdempotencyRepository {
    /// What was answered to the request that used the claim's key; `None` if none has, or its time is over.
    async fn find_answer(&self, claim: &IdempotencyClaim) -> Result<Option<KeptAnswer>, StoreError>;
}
