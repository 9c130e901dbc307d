//! Keys: secrets of many years that programs and devices show with each request, instead of signing in.
//!
//! A key is found by its public prefix and known by a digest of the whole, so that nothing in the database opens anything. Its
//! rights are read anew at every request, in one statement with the key itself.

mod authenticate;
mod repository;
mod text;

pub use repository::{FoundKey, KeyRepository, KeyUse};
pub use text::{KeyKind, KeyPrefix, is_key};

pub(crate) use authenticate::authenticate;
pub(crate) use text::IssuedKey;

use std::time::Duration;

/// How old the note of a key's last use may be before it is renewed.
pub const USE_NOTED_EVERY: Duration = Duration::from_mins(1);
