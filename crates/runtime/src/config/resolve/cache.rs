//! `[cache]`.

use std::time::Duration;

use sitewatch_domain::cache::CacheTimes;

use super::Reader;
use crate::config::{
    settings::{CACHE_LISTS, CACHE_OBJECTS, CACHE_REDIS_URL, CACHE_SIZE},
    types::{Cache, Redis},
};

impl Reader {
    pub(super) fn cache(&mut self, redis: &Redis) -> Option<Cache> {
        let objects = self.required(&CACHE_OBJECTS).map(Duration::from_secs);
        let lists = self.required(&CACHE_LISTS).map(Duration::from_secs);
        let memory = self.required(&CACHE_SIZE);
        let redis_url = self.shared_redis(&CACHE_REDIS_URL, redis);
        Some(Cache {
            times: CacheTimes { objects: objects?, lists: lists? },
            memory_bytes: memory? * 1024 * 1024,
            redis_url,
        })
    }
}
