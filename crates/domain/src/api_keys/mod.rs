//! API keys: what programs show instead of signing in, in the name of a user or of an organization.
//!
//! A key does what its owner may do at that moment, and of that only what its scopes name. It manages neither keys nor sessions
//! nor passwords, so a stolen one makes no other.

mod repository;
mod service;

use serde::Serialize;
use uuid::Uuid;
use validator::Validate;

pub use repository::ApiKeyRepository;
pub use service::{ApiKeys, IssuedApiKey, KeysOf};

use crate::{
    access::{ActingGrant, Author, ManageApiKeys, ManageOwnApiKeys, OrgGrant, OwnGrant, SCOPES},
    audit::Audited,
    error::FieldErrors,
    ids::{ApiKeyId, OrgId, UserId},
    keys::KeyPrefix,
    stamp::Stamp,
    text,
    time::Instant,
};

/// The most scopes that are looked at, which is more than there are.
const MOST_SCOPES: usize = 64;

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyOwner {
    /// A user's.
    User(UserId),
    /// An organization's.
    Organization(OrgId),
}

/// An API key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiKey {
    /// The key's id.
    pub id: ApiKeyId,
    /// Whose it is.
    pub owner: KeyOwner,
    /// What its owner calls it.
    pub name: String,
    /// The part that is no secret, by which it is found.
    #[serde(serialize_with = "spelled")]
    pub prefix: KeyPrefix,
    /// The wire names of permissions that it may use.
    pub scopes: Vec<String>,
    /// Good until then; for ever if `None`.
    pub expires_at: Option<Instant>,
    /// When it was last used, to the minute.
    #[serde(skip)]
    pub last_used_at: Option<Instant>,
    /// From which address.
    #[serde(skip)]
    pub last_used_ip: Option<String>,
    /// Audit columns; a revoked key is archived.
    pub stamp: Stamp,
}

fn spelled<S: serde::Serializer>(prefix: &KeyPrefix, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(prefix.as_str())
}

impl Audited for ApiKey {
    const RESOURCE: &'static str = "api_key";

    fn resource_id(&self) -> Uuid {
        self.id.uuid()
    }
}

/// The right to manage the keys of an owner.
#[derive(Debug)]
pub enum KeysGrant {
    /// Of the user himself.
    Own(OwnGrant<ManageOwnApiKeys>),
    /// Of an organization.
    Organization(OrgGrant<ManageApiKeys>),
}

impl KeysGrant {
    /// Whose keys.
    pub const fn owner(&self) -> KeyOwner {
        match self {
            Self::Own(grant) => KeyOwner::User(grant.user()),
            Self::Organization(grant) => KeyOwner::Organization(grant.org()),
        }
    }
}

impl ActingGrant for KeysGrant {
    fn author(&self) -> &Author {
        match self {
            Self::Own(grant) => grant.author(),
            Self::Organization(grant) => grant.author(),
        }
    }

    fn org(&self) -> Option<OrgId> {
        match self {
            Self::Own(_) => None,
            Self::Organization(grant) => Some(grant.org()),
        }
    }
}

/// What a new key is made from.
#[derive(Debug, Clone, Validate)]
pub struct NewApiKey {
    /// What its owner calls it.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub name: String,
    /// Wire names of permissions.
    #[validate(length(min = 1, max = 64, message = "must name 1 to 64 permissions"))]
    pub scopes: Vec<String>,
    /// Good until then; for ever if `None`.
    pub expires_at: Option<Instant>,
}

impl NewApiKey {
    /// What is wrong with single scopes: those that no key can have, and those that the owner does not hold himself.
    fn faults_of_scopes(&self, is_held: impl Fn(&str) -> bool) -> FieldErrors {
        let mut faults = FieldErrors::new();
        for (index, scope) in self.scopes.iter().enumerate().take(MOST_SCOPES) {
            let field = format!("scopes[{index}]");
            if !SCOPES.contains(&scope.as_str()) {
                faults.add(field, format!("must be one of: {}", SCOPES.join(", ")));
            } else if !is_held(scope) {
                faults.add(field, "is not a permission that the key's owner holds");
            }
        }
        faults
    }
}

/// Changes of a key. `None` stays, `Some(None)` empties. Its scopes stay: another key has others.
#[derive(Debug, Clone, Default, Validate)]
pub struct ApiKeyChanges {
    /// What its owner calls it.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub name: Option<String>,
    /// Good until then.
    pub expires_at: Option<Option<Instant>>,
}

/// What keys can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiKeySort {
    /// When it was made.
    CreatedAt,
    /// The name.
    Name,
    /// When it was last used.
    LastUsedAt,
}
