//! Cryptography behind the domain's credential ports: key material, access tokens, password hashes, sealed secrets.
//!
//! What this crate knows: which algorithms are used, how keys are derived from the installation's secret, how much
//! of the machine password hashing may take, and what makes a token or a hash well-formed.
//!
//! What it must not know: when a session may be refreshed or is revoked, how long a token should live, which
//! passwords are good enough, anything of HTTP, SQL or configuration files. Time is a parameter everywhere.
//!
//! | Port | Here | With |
//! |---|---|---|
//! | `TokenSigner` | [`AccessTokens`] | JWT (RFC 9068), EdDSA over Ed25519 |
//! | `PasswordHasher` | [`BcryptHasher`] | bcrypt over a peppered HMAC-SHA-384 |
//! | `Sealer` | [`KeyRingSealer`] | AES-256-GCM |
//! | `Notary` | [`KeyRingNotary`] | HMAC-SHA-256, EdDSA over Ed25519 |
//!
//! All take their keys from [`SecretKeys`]: the first key of the list makes new tokens, hashes and seals, every
//! key of the list opens old ones. To rotate, put a fresh key at the end on all nodes, then in front on all nodes, and drop the old one once nothing
//! depends on it.

#![forbid(unsafe_code)]

mod jwt;
mod notary;
mod password;
mod seal;
mod secret_key;

pub use jwt::AccessTokens;
pub use notary::KeyRingNotary;
pub use password::{BcryptHasher, HasherError};
pub use seal::{KeyRingSealer, OpenError};
pub use secret_key::{KeyError, SecretKey, SecretKeys};
