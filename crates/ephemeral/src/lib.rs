//! What may be lost at any moment.
//!
//! Knows: how the buckets of the rate limits and finished answers are kept and events told, in this process and in Redis. Must not know: what is
//! limited and to how much, what is kept, HTTP, SQL.
#![forbid(unsafe_code)]

mod breaker;
mod cache_local;
mod cache_redis;
mod events_local;
mod events_redis;
mod limiter_local;
mod limiter_redis;
mod redis_place;
mod redis_service;

pub use cache_local::LocalCache;
pub use cache_redis::RedisCache;
pub use events_local::LocalBus;
pub use events_redis::RedisBus;
pub use limiter_local::{LocalLimiter, Unlimited};
pub use limiter_redis::RedisLimiter;
pub use redis_place::{RedisUrlError, check_redis_url};
