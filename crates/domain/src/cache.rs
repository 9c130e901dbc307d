//! Answers that are given again without asking the database for more than the caller's standing.
//!
//! An answer is kept under a digest of who sees it and of the state of what he sees: his rights, and the ends of the audit logs of his
//! organizations. Both come with the one statement that lets the caller in, and every change of an organization's objects moves the end of
//! its log in the same transaction. So a change is seen by the next request on any node, and nobody is given what was made for other
//! rights (decision 0024). What readings change is not in the log, so nothing that shows them is kept.

use std::{sync::Arc, time::Duration};

use crate::{
    access::Actor,
    audit::Canonical,
    page::Total,
    platform::Platform,
    ports::{CacheKey, CachedAnswer},
};

/// Answers that are longer are not kept.
pub const LONGEST_ANSWER: usize = 64 * 1024;

/// What kind of answer is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheClass {
    /// Single objects.
    Objects,
    /// Lists.
    Lists,
}

impl CacheClass {
    /// Its name in figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Objects => "objects",
            Self::Lists => "lists",
        }
    }
}

/// How long answers are kept; zero: not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheTimes {
    /// Single objects.
    pub objects: Duration,
    /// Lists.
    pub lists: Duration,
}

impl Default for CacheTimes {
    fn default() -> Self {
        Self { objects: Duration::from_mins(1), lists: Duration::from_mins(1) }
    }
}

impl CacheTimes {
    const fn of(self, class: CacheClass) -> Duration {
        match class {
            CacheClass::Objects => self.objects,
            CacheClass::Lists => self.lists,
        }
    }
}

/// Answers that were given before.
pub struct Cache<'a> {
    platform: &'a Platform,
}

impl<'a> Cache<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// What the answer to this address is kept under for him at this moment; `None` if it is not to be kept: the class is switched off, or
    /// the state of what he sees is not known.
    pub fn key(&self, actor: &Actor, class: CacheClass, address: &str) -> Option<CacheKey> {
        if self.platform.cache_times().of(class).is_zero() {
            return None;
        }
        let view = actor.view()?;
        let mut canonical = Canonical::default();
        canonical.field(b"sitewatch answer v1").field(&view).field(address.as_bytes());
        Some(CacheKey(canonical.digest()))
    }

    /// What the length of this list is kept under, as [`Cache::key`]. `list` names it and all of its conditions, none of which may be about
    /// what readings change.
    pub fn total_key(&self, actor: &Actor, list: &str) -> Option<CacheKey> {
        self.key(actor, CacheClass::Lists, &format!("total of {list}"))
    }

    /// The length of a list under this key.
    pub async fn total(&self, key: &CacheKey) -> Option<Total> {
        let kept = self.get(key).await?;
        let count = std::str::from_utf8(&kept.body).ok()?.parse().ok()?;
        Some(Total::from_count(count))
    }

    /// Keeps the length of a list.
    pub fn put_total(&self, key: CacheKey, total: Total) {
        let kept = CachedAnswer { tag: String::new(), body: total.counted().to_string().into_bytes() };
        self.put(key, CacheClass::Lists, &Arc::new(kept));
    }

    /// The answer under this key, if this process has it.
    pub fn at_hand(&self, key: &CacheKey) -> Option<Arc<CachedAnswer>> {
        self.platform.ports().cache.at_hand(key)
    }

    /// The answer under this key.
    pub async fn get(&self, key: &CacheKey) -> Option<Arc<CachedAnswer>> {
        self.platform.ports().cache.get(key).await
    }

    /// Keeps an answer that was made after the caller was let in, unless it is too long. Whether it does.
    pub fn put(&self, key: CacheKey, class: CacheClass, answer: &Arc<CachedAnswer>) -> bool {
        let ttl = self.platform.cache_times().of(class);
        let is_kept = answer.body.len() <= LONGEST_ANSWER && !ttl.is_zero();
        if is_kept {
            self.platform.ports().cache.put(key, Arc::clone(answer), ttl);
        }
        is_kept
    }
}
