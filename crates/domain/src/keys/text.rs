//! The text of a key: `swk_` or `mdk_`, ten characters by which it is found, `_`, 256 bits of secret, and a checksum.
//!
//! Only letters, digits and `_`, so that a double click takes all of it; of a form that scanners for leaked secrets know. The
//! checksum tells a key that was cut or mistyped without asking the database.

use sha2::{Digest, Sha256};

use crate::text::Secret;

const PREFIX_LENGTH: usize = 10;
const SECRET_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// A program, in the name of a user or an organization.
    Api,
    /// A device.
    Device,
}

impl KeyKind {
    const ALL: [Self; 2] = [Self::Api, Self::Device];

    /// What its keys begin with.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Api => "swk_",
            Self::Device => "mdk_",
        }
    }
}

/// The part of a key that is no secret, by which it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyPrefix([u8; PREFIX_LENGTH]);

impl KeyPrefix {
    /// The prefix of this spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; PREFIX_LENGTH] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_alphanumeric).then_some(Self(bytes))
    }

    /// Its spelling.
    pub fn as_str(&self) -> &str {
        // Letters and digits, as `parse` has seen to.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// A new key.
pub(crate) struct IssuedKey {
    /// The whole, to be shown once.
    pub(crate) secret: Secret<String>,
    /// How it is found.
    pub(crate) prefix: KeyPrefix,
    /// How it is known.
    pub(crate) digest: [u8; 32],
}

impl IssuedKey {
    /// A key from bytes that nobody can guess. `None` cannot happen.
    pub(crate) fn new(kind: KeyKind, prefix: [u8; 8], secret: [u8; 32]) -> Option<Self> {
        let prefix = KeyPrefix::parse(&base62(&prefix, PREFIX_LENGTH))?;
        let mut text = format!("{}{}_{}", kind.tag(), prefix.as_str(), base62(&secret, SECRET_LENGTH));
        text.push_str(&checksum(&text));
        let digest = digest_of(&text);
        Some(Self { secret: Secret::new(text), prefix, digest })
    }
}

/// A key that somebody shows, taken apart. Nothing in it is to be believed yet.
pub(super) struct ShownKey {
    pub(super) kind: KeyKind,
    pub(super) prefix: KeyPrefix,
    pub(super) digest: [u8; 32],
}

impl ShownKey {
    /// Takes a key apart; `None` if it is not of this form or its checksum is wrong.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let kind = kind_of(text)?;
        let (prefix, rest) = text.strip_prefix(kind.tag())?.split_once('_')?;
        let is_whole = rest.len() == SECRET_LENGTH + CHECKSUM_LENGTH
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let (body, sum) = text.split_at_checked(text.len().checked_sub(CHECKSUM_LENGTH)?)?;
        (is_whole && checksum(body) == sum).then_some(())?;
        Some(Self { kind, prefix: KeyPrefix::parse(prefix)?, digest: digest_of(text) })
    }
}

/// Whether a text claims to be a key and not an access token.
pub fn is_key(text: &str) -> bool {
    kind_of(text).is_some()
}

fn kind_of(text: &str) -> Option<KeyKind> {
    KeyKind::ALL.into_iter().find(|kind| text.starts_with(kind.tag()))
}

fn digest_of(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

fn checksum(text: &str) -> String {
    base62(&crc32(text.as_bytes()).to_be_bytes(), CHECKSUM_LENGTH)
}

/// The last digits of a number in base 62.
fn base62(number: &[u8], digits: usize) -> String {
    let mut number: Vec<u8> = number.to_vec();
    let mut text: Vec<u8> = Vec::with_capacity(digits);
    for _ in 0..digits {
        let mut rest = 0_u16;
        for byte in &mut number {
            let value = rest * 256 + u16::from(*byte);
            // Below 256, since the rest was below 62.
            *byte = u8::try_from(value / 62).unwrap_or_default();
            rest = value % 62;
        }
        text.extend(ALPHABET.get(usize::from(rest)));
    }
    text.iter().rev().map(|digit| char::from(*digit)).collect()
}

/// CRC-32 as zip and PNG have it.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xEDB8_8320 } else { sum >> 1 };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued() -> IssuedKey {
        IssuedKey::new(KeyKind::Api, [7; 8], [9; 32]).expect("a key")
    }

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn numbers_of_any_length_are_written_in_full() {
        assert_eq!(base62(&[0, 61], 2), "0z");
        assert_eq!(base62(&[0, 62], 2), "10");
        assert_eq!(base62(&u64::MAX.to_be_bytes(), 11), "LygHa16AHYF");
        assert!(base62(&[0xff; 32], SECRET_LENGTH).bytes().any(|digit| digit != b'z'), "nothing is cut off");
    }

    #[test]
    fn a_key_is_known_by_its_own_text_only() {
        let (key, other) = (issued(), IssuedKey::new(KeyKind::Api, [7; 8], [8; 32]).expect("a key"));
        let text = key.secret.expose();
        assert_eq!(text.len(), 64);
        let shown = ShownKey::parse(text).expect("own form");
        assert_eq!((shown.kind, shown.prefix, shown.digest), (KeyKind::Api, key.prefix, key.digest));
        assert_eq!(key.prefix, other.prefix);
        assert_ne!(key.digest, other.digest);
    }

    #[test]
    fn whatever_is_not_a_whole_key_is_none() {
        let text = issued().secret.expose().clone();
        for index in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ascii");
            assert!(ShownKey::parse(&changed).is_none(), "{changed}");
        }
        let device = text.replacen("swk_", "mdk_", 1);
        for odd in ["", "swk_", "swk__", &text[1..], &format!("{text}0"), &text[..63], &device, "swk_é"] {
            assert!(ShownKey::parse(odd).is_none(), "{odd}");
        }
    }
}
