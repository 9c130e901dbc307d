//! Answers that all nodes share, in Redis, with those that this node had lately in its memory.
//!
//! A key names the state that its answer shows, so an entry is never wrong, only old; what is lost is made again.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use deadpool_redis::redis::AsyncCommands;
use sitewatch_domain::ports::{AnswerCache, CacheKey, CachedAnswer};

use crate::{
    cache_local::{LocalCache, spread},
    redis_place::{Connection, RedisUrlError},
    redis_service::{Asking, Purpose, RedisService},
};

/// What all keys begin with.
const PREFIX: &str = "sitewatch:answer:";
/// What all entries begin with: the version of their form.
const FORM: u8 = 1;
const PURPOSE: Purpose = Purpose {
    name: "the Redis of the cache",
    meanwhile: "each server keeps answers by itself",
    gauge: "cache_redis_up",
};

/// Keeps answers in Redis and in memory.
pub struct RedisCache {
    redis: Arc<RedisService>,
    here: LocalCache,
    /// What all of its keys begin with.
    prefix: String,
}

impl RedisCache {
    /// Answers at this URL (of one server, a Cluster or Sentinels: docs/configuration.md), and about so many bytes of them in memory. `installation` tells its keys from those of
    /// other installations, and of other versions, at the same Redis. Nothing is connected yet, so that a Redis that is away stops no start. To
    /// be made within a runtime.
    ///
    /// # Errors
    /// If the URL cannot be read. Whether anybody answers is found out later.
    pub fn new(url: &str, bytes: u64, installation: &str) -> Result<Self, RedisUrlError> {
        Ok(Self::over(RedisService::new(url, PURPOSE, probe)?, bytes, installation))
    }

    /// The same, which waits for Redis so long.
    ///
    /// # Errors
    /// As [`RedisCache::new`].
    pub fn waiting_for(
        url: &str,
        bytes: u64,
        installation: &str,
        patience: Duration,
    ) -> Result<Self, RedisUrlError> {
        Ok(Self::over(RedisService::new(url, PURPOSE, probe)?.waiting_for(patience), bytes, installation))
    }

    fn over(redis: RedisService, bytes: u64, installation: &str) -> Self {
        let prefix = format!("{PREFIX}{installation}:");
        Self { redis: Arc::new(redis), here: LocalCache::new(bytes), prefix }
    }

    fn name_of(&self, key: &CacheKey) -> Vec<u8> {
        [self.prefix.as_bytes(), &key.0].concat()
    }
}

fn probe(connection: &mut Connection) -> Asking<'_, ()> {
    Box::pin(async move { connection.set_ex([PREFIX, "probe"].concat(), 1, 10).await })
}

/// An entry: the form, its key, the length of the tag, the tag, the body.
fn written(key: &CacheKey, answer: &CachedAnswer) -> Option<Vec<u8>> {
    let tag = u8::try_from(answer.tag.len()).ok()?;
    Some([&[FORM], key.0.as_slice(), &[tag], answer.tag.as_bytes(), &answer.body].concat())
}

/// What an entry says, if it is the one that was asked for.
fn read(key: &CacheKey, entry: &[u8]) -> Option<CachedAnswer> {
    let entry = entry.strip_prefix(&[FORM])?.strip_prefix(key.0.as_slice())?;
    let (length, entry) = entry.split_first()?;
    let (tag, body) = entry.split_at_checked(usize::from(*length))?;
    Some(CachedAnswer { tag: std::str::from_utf8(tag).ok()?.to_owned(), body: body.to_vec() })
}

#[async_trait]
impl AnswerCache for RedisCache {
    fn at_hand(&self, key: &CacheKey) -> Option<Arc<CachedAnswer>> {
        self.here.at_hand(key)
    }

    async fn get(&self, key: &CacheKey) -> Option<Arc<CachedAnswer>> {
        if let Some(found) = self.at_hand(key) {
            return Some(found);
        }
        let name = self.name_of(key);
        let asked = self.redis.ask(move |connection| {
            Box::pin(async move {
                let mut both = deadpool_redis::redis::pipe();
                both.atomic().get(&name).pttl(&name);
                both.query_async(connection).await
            })
        });
        let (entry, left): (Option<Vec<u8>>, i64) = asked.await?;
        let entry = entry?;
        let Some(answer) = read(key, &entry) else {
            tracing::warn!(
                "an entry of the cache in Redis is not the one that was asked for; it is left out"
            );
            return None;
        };
        let answer = Arc::new(answer);
        // No longer here than there.
        if let Ok(left) = u64::try_from(left) {
            self.here.keep_exactly(*key, Arc::clone(&answer), Duration::from_millis(left));
        }
        Some(answer)
    }

    fn put(&self, key: CacheKey, answer: Arc<CachedAnswer>, ttl: Duration) {
        self.here.keep(key, Arc::clone(&answer), ttl);
        let Some(entry) = written(&key, &answer) else { return };
        let millis = u64::try_from(spread(&key, ttl).as_millis()).unwrap_or(u64::MAX).max(1);
        let name = self.name_of(&key);
        self.redis
            .tell(move |connection| Box::pin(async move { connection.pset_ex(name, entry, millis).await }));
    }

    fn is_degraded(&self) -> bool {
        self.redis.is_away()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_under_its_own_key_only() {
        let (key, other) = (CacheKey([7; 32]), CacheKey([8; 32]));
        let answer = CachedAnswer { tag: "\"3-abc\"".into(), body: b"{\"data\":1}".to_vec() };
        let entry = written(&key, &answer).expect("short");
        assert_eq!(read(&key, &entry), Some(answer));
        assert_eq!(read(&other, &entry), None);
        for cut in 0..41 {
            assert_eq!(read(&key, &entry[..cut]), None, "{cut}");
        }
        let mut newer = entry;
        newer[0] = 2;
        assert_eq!(read(&key, &newer), None);
    }
}
