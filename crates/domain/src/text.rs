//! Text values that carry their rule: addresses, names, slugs, secrets.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use validator::{ValidateEmail, ValidationError};
use zeroize::Zeroize;

/// A value that must not appear in a log, an error or an answer. Opened only by an explicit call.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Closes a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Each call is a place to review.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl Secret<String> {
    /// The SHA-256 of a token, which is what the database keeps of it.
    pub(crate) fn digest(&self) -> Vec<u8> {
        Sha256::digest(self.expose().as_bytes()).to_vec()
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<T: Zeroize> Serialize for Secret<T> {
    /// Redacted: validation keeps rejected values as parameters of its errors, and those must not hold a secret either.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("[secret]")
    }
}

/// An e-mail address, unique without case: it compares, sorts and is stored in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailAddress(String);

/// A text that is not an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address of at most 254 characters")]
pub struct NotAnEmailAddress;

impl EmailAddress {
    /// The address in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EmailAddress {
    type Err = NotAnEmailAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.len() <= 254 && !text.chars().any(char::is_control);
        if plain && text.validate_email() { Ok(Self(text.to_lowercase())) } else { Err(NotAnEmailAddress) }
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for EmailAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Refuses control characters (NUL among them, which PostgreSQL cannot store) in a text of one line.
///
/// # Errors
/// A message for the field, if the text holds one.
pub fn one_line(text: &str) -> Result<(), ValidationError> {
    if text.chars().any(char::is_control) {
        return Err(
            ValidationError::new("one_line").with_message("must not contain control characters".into())
        );
    }
    Ok(())
}

/// Refuses control characters except line breaks and tabs.
///
/// # Errors
/// A message for the field, if the text holds one.
pub fn many_lines(text: &str) -> Result<(), ValidationError> {
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        let message = "must not contain control characters other than line breaks and tabs";
        return Err(ValidationError::new("many_lines").with_message(message.into()));
    }
    Ok(())
}

/// A name: one line with something other than white space in it. Lengths are the caller's rule.
///
/// # Errors
/// A message for the field.
pub fn name(text: &str) -> Result<(), ValidationError> {
    if text.trim().is_empty() {
        return Err(ValidationError::new("name").with_message("must not be empty".into()));
    }
    one_line(text)
}

/// The name of an IANA time zone.
///
/// # Errors
/// A message for the field.
pub fn zone_name(text: &str) -> Result<(), ValidationError> {
    text.parse::<crate::time::Zone>()
        .map(|_| ())
        .map_err(|error| ValidationError::new("timezone").with_message(format!("is {error}").into()))
}

/// An e-mail address.
///
/// # Errors
/// A message for the field.
pub fn email(text: &str) -> Result<(), ValidationError> {
    text.parse::<EmailAddress>()
        .map(|_| ())
        .map_err(|error| ValidationError::new("email").with_message(format!("is {error}").into()))
}

/// A slug: 1 to 64 lower-case letters, digits and inner hyphens.
///
/// # Errors
/// A message for the field.
pub fn slug(text: &str) -> Result<(), ValidationError> {
    let legal = text.len() <= 64
        && !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if legal {
        return Ok(());
    }
    let message = "must be 1 to 64 lower-case letters, digits and inner hyphens";
    Err(ValidationError::new("slug").with_message(message.into()))
}

/// A slug made from a name: lower-case letters and digits with single hyphens between; `fallback` if none are left.
pub fn slugified(name: &str, fallback: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if slug.len() >= 60 {
            break;
        }
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let trimmed = slug.trim_end_matches('-');
    if trimmed.is_empty() { fallback.to_owned() } else { trimmed.to_owned() }
}

/// The same slug with the end of an id, which tells it from all others.
pub(crate) fn distinguished(slug: &str, id: uuid::Uuid) -> String {
    let id = id.simple().to_string();
    let end = id.get(id.len().saturating_sub(8)..).unwrap_or_default();
    let kept: String = slug.chars().take(55).collect();
    format!("{}-{end}", kept.trim_end_matches('-'))
}

/// Up to 32 tags of one line and 1 to 64 characters each.
///
/// # Errors
/// A message for the field.
pub fn tags_rule(tags: &[String]) -> Result<(), ValidationError> {
    let legal = |tag: &String| name(tag).is_ok() && tag.chars().count() <= 64;
    if tags.len() <= 32 && tags.iter().all(legal) {
        return Ok(());
    }
    let message = "must be at most 32 tags of 1 to 64 characters each, without control characters";
    Err(ValidationError::new("tags").with_message(message.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_in_any_case() {
        let stored: EmailAddress = "A@X.io".parse().expect("an address");
        assert_eq!(stored, "a@x.io".parse().expect("an address"));
        for odd in ["", "a", "a@", "@x.io", "a b@x.io", "a@x.io\n", "a@x.io\0"] {
            assert_eq!(odd.parse::<EmailAddress>(), Err(NotAnEmailAddress), "{odd:?}");
        }
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".to_owned())), "[secret]");
    }

    #[test]
    fn slugs_are_made_from_any_name() {
        assert_eq!(slugified("La Haute  Borne!", "x"), "la-haute-borne");
        assert_eq!(slugified("日本", "org"), "org");
        for made in [slugified("Ünïcode name", "x"), slugified(&"long ".repeat(40), "x")] {
            assert!(slug(&made).is_ok(), "{made}");
            assert!(slug(&distinguished(&made, uuid::Uuid::max())).is_ok(), "{made}");
        }
    }

    #[test]
    fn names_refuse_what_a_database_or_a_header_would_choke_on() {
        assert!(name("Borne 🌬").is_ok());
        for odd in ["", "  ", "a\0b", "a\nb", "\u{7f}"] {
            assert!(name(odd).is_err(), "{odd:?}");
        }
    }
}
