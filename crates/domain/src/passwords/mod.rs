//! Passwords: what a good one is, changing one's own, and getting back in without one.
//!
//! Passwords are compared in Unicode's form NFC, in which the same letters are the same bytes whatever keyboard they come from.

mod repository;
mod service;
mod strength;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use validator::Validate;

pub use repository::{OpenReset, PasswordRepository, PasswordReset};
pub use service::Passwords;

use crate::{
    jobs::Job,
    text::{self, Secret},
};

/// The least characters of a password, unless the settings say otherwise.
pub const DEFAULT_MIN_LENGTH: usize = 12;
/// The most characters of a password.
pub const MAX_LENGTH: usize = 1_024;
/// How long the token of a mail is good for choosing a new password.
pub const RESET_LIFETIME: Duration = Duration::from_mins(30);
/// How long the token of the mail to a new account is good.
pub const WELCOME_LIFETIME: Duration = Duration::from_hours(72);
/// How many such mails an account is sent in an hour.
pub const RESETS_AN_HOUR: u32 = 5;

/// A new password for somebody who knows his old one.
#[derive(Debug, Clone, Validate)]
pub struct PasswordChange {
    /// The old one.
    #[validate(skip)]
    pub current_password: Secret<String>,
    /// The new one.
    #[validate(skip)]
    pub new_password: Secret<String>,
}

/// Somebody who cannot sign in.
#[derive(Debug, Clone, Validate)]
pub struct PasswordForgotten {
    /// The address of his account.
    #[validate(custom(function = text::email))]
    pub email: String,
}

/// A new password for somebody who has the token of a mail.
#[derive(Debug, Clone, Validate)]
pub struct NewPassword {
    /// The token.
    #[validate(skip)]
    pub token: Secret<String>,
    /// The new password.
    #[validate(skip)]
    pub new_password: Secret<String>,
}

/// Sends a mail with the way to a new password, if the address is that of an account. Written for every address alike, so that whoever
/// asks cannot tell which ones have accounts, by the answer or by the time that it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendPasswordReset {
    /// The address, sealed: what is typed there may be anything.
    pub(crate) sealed_address: String,
    /// Whether the account is new, and nobody has asked.
    #[serde(default)]
    pub(crate) is_welcome: bool,
}

impl Job for SendPasswordReset {
    const KIND: &'static str = "passwords.send_reset.v1";
    const MAX_ATTEMPTS: u16 = 4;
}
