//! `[cache]`.

use sitewatch_domain::text::Secret;

use super::{Key, Secrecy, Shape, values};

pub(in crate::config) static CACHE_OBJECTS: Key<u64> = Key::new(
    "cache.objects_s",
    "SITEWATCH_CACHE_OBJECTS_S",
    values::cache_time,
    "seconds that answers with one object are kept",
)
.shape(Shape::Number);
pub(in crate::config) static CACHE_LISTS: Key<u64> = Key::new(
    "cache.lists_s",
    "SITEWATCH_CACHE_LISTS_S",
    values::cache_time,
    "seconds that answers with lists are kept",
)
.shape(Shape::Number);
pub(in crate::config) static CACHE_SIZE: Key<u64> = Key::new(
    "cache.memory_mib",
    "SITEWATCH_CACHE_MEMORY_MIB",
    values::cache_size,
    "memory for answers that are given again",
)
.shape(Shape::Number);
pub(in crate::config) static CACHE_REDIS_URL: Key<Secret<String>> = Key::new(
    "cache.redis_url",
    "SITEWATCH_CACHE_REDIS_URL",
    values::redis_url,
    "Redis that all servers keep answers in",
)
.secrecy(Secrecy::Url)
.empty_is_off();
