//! What may be lost at any moment.
//!
//! Knows: how the buckets of the rate limits are kept. Must not know: what is limited and to how much, HTTP, SQL.
#![forbid(unsafe_code)]

mod limiter_local;

pub use limiter_local::{LocalLimiter, Unlimited};
