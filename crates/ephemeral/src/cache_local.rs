//! Answers in the memory of this process.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use moka::{Expiry, sync::Cache};
use sitewatch_domain::ports::{AnswerCache, CacheKey, CachedAnswer};

/// What an entry takes beside its answer.
const OVERHEAD: usize = 256;

#[derive(Clone)]
struct Entry {
    answer: Arc<CachedAnswer>,
    ttl: Duration,
}

/// Each entry for its own time.
struct OwnTime;

impl Expiry<CacheKey, Entry> for OwnTime {
    fn expire_after_create(&self, _key: &CacheKey, entry: &Entry, _created_at: Instant) -> Option<Duration> {
        Some(entry.ttl)
    }
}

/// Keeps answers in memory, those that are asked for most.
pub struct LocalCache {
    answers: Cache<CacheKey, Entry>,
}

impl LocalCache {
    /// A cache of about so many bytes.
    pub fn new(bytes: u64) -> Self {
        let weight = |_: &CacheKey, entry: &Entry| {
            let bytes = entry.answer.body.len() + entry.answer.tag.len() + OVERHEAD;
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let answers = Cache::builder().max_capacity(bytes).weigher(weight).expire_after(OwnTime).build();
        Self { answers }
    }

    pub(crate) fn keep(&self, key: CacheKey, answer: Arc<CachedAnswer>, ttl: Duration) {
        self.keep_exactly(key, answer, spread(&key, ttl));
    }

    pub(crate) fn keep_exactly(&self, key: CacheKey, answer: Arc<CachedAnswer>, ttl: Duration) {
        self.answers.insert(key, Entry { answer, ttl });
    }
}

/// A time within a tenth of this one, so that what was kept together does not end together.
pub(crate) fn spread(key: &CacheKey, ttl: Duration) -> Duration {
    let [first, ..] = key.0;
    ttl.mul_f64(0.9 + 0.2 * f64::from(first) / 255.0)
}

#[async_trait]
impl AnswerCache for LocalCache {
    fn at_hand(&self, key: &CacheKey) -> Option<Arc<CachedAnswer>> {
        self.answers.get(key).map(|entry| entry.answer)
    }

    async fn get(&self, key: &CacheKey) -> Option<Arc<CachedAnswer>> {
        self.at_hand(key)
    }

    fn put(&self, key: CacheKey, answer: Arc<CachedAnswer>, ttl: Duration) {
        self.keep(key, answer, ttl);
    }
}
