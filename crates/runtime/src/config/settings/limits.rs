//! `[limits]`.

use sitewatch_domain::{limits::Shares, text::Secret};

use super::{Key, Secrecy, Shape, values};

pub(in crate::config) static RATE_LIMITS: Key<bool> = Key::new(
    "limits.rate_limits",
    "SITEWATCH_RATE_LIMITS",
    values::toggle,
    "limit how often a caller may ask",
)
.shape(Shape::Toggle);
pub(in crate::config) static LIMIT_AUTH: Key<u32> = Key::new(
    "limits.auth",
    "SITEWATCH_RATE_LIMIT_AUTH",
    values::per_minute,
    "sign-ins and the like in a minute from one address",
)
.shape(Shape::Number);
pub(in crate::config) static LIMIT_READ: Key<u32> = Key::new(
    "limits.read",
    "SITEWATCH_RATE_LIMIT_READ",
    values::per_minute,
    "requests that read in a minute of one user or key",
)
.shape(Shape::Number);
pub(in crate::config) static LIMIT_WRITE: Key<u32> = Key::new(
    "limits.write",
    "SITEWATCH_RATE_LIMIT_WRITE",
    values::per_minute,
    "requests that write in a minute of one user or key",
)
.shape(Shape::Number);
pub(in crate::config) static LIMIT_INGEST: Key<u32> = Key::new(
    "limits.ingest",
    "SITEWATCH_RATE_LIMIT_INGEST",
    values::per_minute,
    "batches of readings and heartbeats in a minute of one user, key or device",
)
.shape(Shape::Number);
pub(in crate::config) static LIMIT_EXPORT: Key<u32> = Key::new(
    "limits.export",
    "SITEWATCH_RATE_LIMIT_EXPORT",
    values::per_minute,
    "files of reports in a minute that one user or key has made, or fetches",
)
.shape(Shape::Number);
pub(in crate::config) static LIMIT_ADDRESS_FACTOR: Key<u32> = Key::new(
    "limits.address_factor",
    "SITEWATCH_RATE_LIMIT_ADDRESS_FACTOR",
    values::factor,
    "how many times as much one address may ask for as one user or key",
)
.shape(Shape::Number);
pub(in crate::config) static LIMIT_SHARES: Key<Shares> = Key::new(
    "limits.organizations",
    "SITEWATCH_RATE_LIMIT_ORGANIZATIONS",
    values::shares,
    "organizations with other shares of the limits, in percent",
)
.shape(Shape::List)
.empty_is_off();
pub(in crate::config) static LIMIT_REDIS_URL: Key<Secret<String>> = Key::new(
    "limits.redis_url",
    "SITEWATCH_RATE_LIMIT_REDIS_URL",
    values::redis_url,
    "Redis that all servers count requests in",
)
.secrecy(Secrecy::Url)
.empty_is_off();
pub(in crate::config) static LIMIT_NODES: Key<u32> = Key::new(
    "limits.nodes",
    "SITEWATCH_RATE_LIMIT_NODES",
    values::nodes,
    "servers that share the limits while that Redis is away",
)
.shape(Shape::Number);
