use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

/// What an answer is kept under: a digest of all that it depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CacheKey(pub [u8; 32]);

/// A finished answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedAnswer {
    /// Its entity tag, quotes included.
    pub tag: String,
    /// Its body.
    pub body: Vec<u8>,
}

/// Keeps answers for a while. What it keeps may be lost at any moment, and nothing fails for that.
#[async_trait]
pub trait AnswerCache: Send + Sync {
    /// What this process itself has under this key, without asking anybody.
    fn at_hand(&self, key: &CacheKey) -> Option<Arc<CachedAnswer>>;

    /// What is kept under this key, by any node.
    async fn get(&self, key: &CacheKey) -> Option<Arc<CachedAnswer>>;

    /// Keeps an answer for about so long; at once for this node, and a moment later for others.
    fn put(&self, key: CacheKey, answer: Arc<CachedAnswer>, ttl: Duration);

    /// Whether it does without other nodes for now, which it should share with.
    fn is_degraded(&self) -> bool {
        false
    }
}
