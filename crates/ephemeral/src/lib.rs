//! What may be lost at any moment.
//!
//! Knows: how the buckets of the rate limits are kept, in this process and in Redis. Must not know: what is limited and to how much, HTTP, SQL.
#![forbid(unsafe_code)]

mod breaker;
mod limiter_local;
mod limiter_redis;

pub use limiter_local::{LocalLimiter, Unlimited};
pub use limiter_redis::{RedisLimiter, RedisUrlError};
