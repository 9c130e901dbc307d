//! Users: people who sign in.

mod import;
mod repository;
mod service;

use serde::Serialize;
use uuid::Uuid;
use validator::Validate;

pub use import::{Imported, ImportedUser, Keep};
pub use repository::UserRepository;
pub use service::Users;

use crate::{
    audit::Audited,
    error::FieldErrors,
    ids::{OrgId, UserId},
    page::Between,
    passwords::Passwords,
    stamp::Stamp,
    text::{self, EmailAddress, Secret},
    time::Instant,
};

/// A person who signs in. His password hash is kept apart and never part of this value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// The address, unique without case; that of an archived user stays reserved.
    pub email: EmailAddress,
    /// The name to show.
    pub full_name: String,
    /// Whether the user may do everything.
    pub is_superuser: bool,
    /// A BCP 47 language tag, like `fr` or `de-AT`.
    pub locale: String,
    /// The IANA time zone in which times are shown.
    pub timezone: String,
    /// The last successful sign-in.
    pub last_login_at: Option<Instant>,
    /// Audit columns.
    pub stamp: Stamp,
}

impl Audited for User {
    const RESOURCE: &'static str = "user";

    fn resource_id(&self) -> Uuid {
        self.id.uuid()
    }
}

/// What a new user is made from.
#[derive(Debug, Clone, Validate)]
pub struct NewUser {
    /// The address.
    #[validate(custom(function = text::email))]
    pub email: String,
    /// The name to show.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub full_name: String,
    /// The password; a user without one cannot sign in with a password.
    #[validate(skip)]
    pub password: Option<Secret<String>>,
    /// The language; `en` if not given.
    #[validate(custom(function = locale_rule))]
    pub locale: Option<String>,
    /// The time zone; `UTC` if not given.
    #[validate(custom(function = text::zone_name))]
    pub timezone: Option<String>,
    /// Whether the user may do everything.
    pub is_superuser: bool,
}

/// Changes of a user; what is `None` stays.
#[derive(Debug, Clone, Default, Validate)]
pub struct UserChanges {
    /// The address. Superusers only.
    #[validate(custom(function = text::email))]
    pub email: Option<String>,
    /// The name to show.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub full_name: Option<String>,
    /// The language.
    #[validate(custom(function = locale_rule))]
    pub locale: Option<String>,
    /// The time zone.
    #[validate(custom(function = text::zone_name))]
    pub timezone: Option<String>,
    /// Whether the user may do everything. Superusers only.
    pub is_superuser: Option<bool>,
}

impl NewUser {
    /// The faults of the password, which a rule of the field alone cannot find: they depend on settings and on the user.
    pub(crate) fn password_faults(&self, passwords: &Passwords<'_>) -> FieldErrors {
        match &self.password {
            Some(password) => passwords.faults("password", password, &[&self.email, &self.full_name]),
            None => FieldErrors::new(),
        }
    }
}

fn locale_rule(locale: &str) -> Result<(), validator::ValidationError> {
    let legal = (2..=35).contains(&locale.len())
        && locale
            .split('-')
            .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    if legal {
        return Ok(());
    }
    let message = "must be a language tag, like en or de-AT";
    Err(validator::ValidationError::new("locale").with_message(message.into()))
}

/// Conditions on users.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Exactly this address, without case.
    pub email: Option<String>,
    /// Members of this organization.
    pub organization: Option<OrgId>,
    /// Superusers, or everybody else.
    pub is_superuser: Option<bool>,
    /// Made at these times.
    pub created_at: Between,
}

/// What users can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserSort {
    /// When the account was made.
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
    /// The name.
    FullName,
    /// The address.
    Email,
    /// The last sign-in.
    LastLoginAt,
}
