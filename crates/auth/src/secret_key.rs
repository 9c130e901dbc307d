//! The installation's secret keys and what is derived from them.

use std::{fmt, iter, str::FromStr};

use aws_lc_rs::{error::Unspecified, hkdf};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};
use sitewatch_domain::{ports::Entropy, text::Secret};
use zeroize::Zeroizing;

/// The least number of bytes in a key.
const MIN_BYTES: usize = 32;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Why a list of secret keys is refused. Entries are named by position, never by value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no key at all.
    #[error("no secret key is given: at least one is needed")]
    Empty,
    /// Nothing stands between two commas, or after the last one.
    #[error("secret key {position} is empty")]
    EmptyEntry {
        /// Which entry, from 1.
        position: usize,
    },
    /// The entry is not base64 in the standard or the URL-safe alphabet.
    #[error("secret key {position} is not base64")]
    NotBase64 {
        /// Which entry, from 1.
        position: usize,
    },
    /// The entry decodes to fewer than 32 bytes.
    #[error("secret key {position} is too short: it has {length} bytes, at least {MIN_BYTES} are needed")]
    TooShort {
        /// Which entry, from 1.
        position: usize,
        /// How many bytes it has.
        length: usize,
    },
    /// The entry is the same key as an earlier one.
    #[error("secret key {position} is the same as secret key {first}")]
    Duplicate {
        /// Which entry, from 1.
        position: usize,
        /// The earlier entry, from 1.
        first: usize,
    },
    /// The cryptographic library refused to work with the key.
    #[error("secret key {position} cannot be used")]
    Unusable {
        /// Which entry, from 1.
        position: usize,
    },
}

/// The key ring of the installation: never empty; the first key makes new things, all of them check old ones.
pub struct SecretKeys {
    first: SecretKey,
    others: Vec<SecretKey>,
}

impl SecretKeys {
    /// A fresh key for a configuration: 32 random bytes in base64.
    pub fn generate(entropy: &dyn Entropy) -> Secret<String> {
        let mut bytes = Zeroizing::new([0; MIN_BYTES]);
        entropy.fill(bytes.as_mut_slice());
        Secret::new(general_purpose::STANDARD.encode(bytes.as_slice()))
    }

    /// The key that makes new things.
    pub const fn first(&self) -> &SecretKey {
        &self.first
    }

    /// All keys in their order.
    pub fn iter(&self) -> impl Iterator<Item = &SecretKey> {
        iter::once(&self.first).chain(&self.others)
    }

    /// The public names of all keys in their order. Two nodes share a key if they share a name.
    pub fn fingerprints(&self) -> impl Iterator<Item = &str> {
        self.iter().map(SecretKey::fingerprint)
    }
}

impl FromStr for SecretKeys {
    type Err = KeyError;

    /// Reads a comma-separated list of base64 texts, standard or URL-safe, padded or not, with white space around.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.trim().is_empty() {
            return Err(KeyError::Empty);
        }
        let mut keys: Vec<SecretKey> = Vec::new();
        for (entry, position) in text.split(',').zip(1..) {
            let key = SecretKey::parse(entry.trim(), position)?;
            if let Some(index) = keys.iter().position(|earlier| earlier.fingerprint == key.fingerprint) {
                return Err(KeyError::Duplicate { position, first: index + 1 });
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or(KeyError::Empty)?;
        Ok(Self { first, others: keys.collect() })
    }
}

impl fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// One key of the ring. Holds what is derived from it; the key itself is forgotten once it was read.
pub struct SecretKey {
    fingerprint: String,
    fingerprint_bytes: [u8; 8],
    token_seed: Zeroizing<[u8; 32]>,
    pepper: Zeroizing<[u8; 32]>,
    sealing: Zeroizing<[u8; 32]>,
    log_sealing: Zeroizing<[u8; 32]>,
    checkpoint_seed: Zeroizing<[u8; 32]>,
}

impl SecretKey {
    /// The public name of the key: 16 lower-case hex digits that reveal nothing of it.
    ///
    /// It is the `kid` of tokens, the pepper id of password hashes and the mark on sealed secrets.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(crate) const fn fingerprint_bytes(&self) -> [u8; 8] {
        self.fingerprint_bytes
    }

    /// The Ed25519 seed of access tokens.
    pub(crate) fn token_seed(&self) -> &[u8; 32] {
        &self.token_seed
    }

    /// The HMAC key that goes into every password before it is hashed.
    pub(crate) fn pepper(&self) -> &[u8; 32] {
        &self.pepper
    }

    /// The AES-256 key of sealed secrets.
    pub(crate) fn sealing(&self) -> &[u8; 32] {
        &self.sealing
    }

    /// The HMAC key that seals the ends of audit logs, and refresh tokens.
    pub(crate) fn log_sealing(&self) -> &[u8; 32] {
        &self.log_sealing
    }

    /// The Ed25519 seed of the audit logs' checkpoints.
    pub(crate) fn checkpoint_seed(&self) -> &[u8; 32] {
        &self.checkpoint_seed
    }

    fn parse(entry: &str, position: usize) -> Result<Self, KeyError> {
        if entry.is_empty() {
            return Err(KeyError::EmptyEntry { position });
        }
        let engine = if entry.contains(['-', '_']) { URL_SAFE } else { STANDARD };
        let bytes = engine.decode(entry).map(Zeroizing::new).map_err(|_| KeyError::NotBase64 { position })?;
        if bytes.len() < MIN_BYTES {
            return Err(KeyError::TooShort { position, length: bytes.len() });
        }
        Self::derive(&bytes).map_err(|Unspecified| KeyError::Unusable { position })
    }

    /// One HKDF label per purpose: what one of the derived keys gives away says nothing about the others.
    fn derive(secret: &[u8]) -> Result<Self, Unspecified> {
        let key = hkdf::Salt::new(hkdf::HKDF_SHA256, b"sitewatch secret key v1").extract(secret);
        let fingerprint_bytes = *expand(&key, "fingerprint")?;
        Ok(Self {
            fingerprint: format!("{:016x}", u64::from_be_bytes(fingerprint_bytes)),
            fingerprint_bytes,
            token_seed: expand(&key, "access token ed25519 seed")?,
            pepper: expand(&key, "password pepper")?,
            sealing: expand(&key, "sealing aes-256-gcm")?,
            log_sealing: expand(&key, "audit log hmac-sha256")?,
            checkpoint_seed: expand(&key, "audit checkpoint ed25519 seed")?,
        })
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretKey").field(&self.fingerprint).finish()
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const N: usize>(key: &hkdf::Prk, label: &str) -> Result<Zeroizing<[u8; N]>, Unspecified> {
    let mut derived = Zeroizing::new([0; N]);
    key.expand(&[label.as_bytes()], Length(N))?.fill(derived.as_mut_slice())?;
    Ok(derived)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    struct Counting;

    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for (byte, value) in bytes.iter_mut().zip(1..) {
                *byte = value;
            }
        }
    }

    fn keys(text: &str) -> Result<SecretKeys, KeyError> {
        text.parse()
    }

    fn derived_keys(key: &SecretKey) -> [&[u8; 32]; 5] {
        [key.token_seed(), key.pepper(), key.sealing(), key.log_sealing(), key.checkpoint_seed()]
    }

    #[test]
    fn a_generated_key_is_a_good_key() {
        let text = SecretKeys::generate(&Counting);
        let ring = keys(text.expose()).expect("a ring");
        assert_eq!(ring.iter().count(), 1);
    }

    #[test]
    fn every_spelling_of_base64_is_the_same_key() {
        // These bytes use both characters in which the two alphabets differ, and need padding.
        let bytes = [0xfb_u8, 0xff].repeat(20);
        let spellings = [
            general_purpose::STANDARD.encode(&bytes),
            general_purpose::STANDARD_NO_PAD.encode(&bytes),
            general_purpose::URL_SAFE.encode(&bytes),
            general_purpose::URL_SAFE_NO_PAD.encode(&bytes),
            format!("  {}\n", general_purpose::STANDARD.encode(&bytes)),
        ];
        let names: HashSet<String> = spellings
            .iter()
            .map(|text| keys(text).expect("a ring").first().fingerprint().to_owned())
            .collect();
        assert_eq!(names.len(), 1);
    }

    #[test]
    fn a_wrong_entry_is_named_by_its_position() {
        let good = general_purpose::STANDARD.encode([1; 32]);
        let short = general_purpose::STANDARD.encode([2; 31]);
        for (text, error) in [
            (String::new(), KeyError::Empty),
            (" \n".to_owned(), KeyError::Empty),
            (format!("{good},"), KeyError::EmptyEntry { position: 2 }),
            (format!("{good}, ,{good}"), KeyError::EmptyEntry { position: 2 }),
            (format!("{good},not base64!"), KeyError::NotBase64 { position: 2 }),
            (format!("{short},{good}"), KeyError::TooShort { position: 1, length: 31 }),
            (format!("{good},{good}"), KeyError::Duplicate { position: 2, first: 1 }),
        ] {
            let refused = keys(&text).expect_err("refused");
            assert_eq!(refused, error, "{text:?}");
            assert!(!refused.to_string().contains(&good));
        }
    }

    #[test]
    fn the_first_key_leads_and_each_purpose_has_a_key_of_its_own() {
        let (a, b) = (general_purpose::STANDARD.encode([1; 32]), general_purpose::STANDARD.encode([2; 64]));
        let (one, two) =
            (keys(&format!("{a},{b}")).expect("a ring"), keys(&format!("{b}, {a}")).expect("a ring"));
        let names: Vec<_> = one.fingerprints().collect();
        assert_eq!(two.fingerprints().collect::<Vec<_>>(), names.iter().rev().copied().collect::<Vec<_>>());
        assert_eq!(one.first().fingerprint(), names[0]);
        assert!(names.iter().all(|name| name.len() == 16));
        let derived: HashSet<_> = one.iter().flat_map(derived_keys).collect();
        assert_eq!(derived.len(), 10);
    }

    #[test]
    fn the_derivation_does_not_change_between_versions() {
        // A change here would invalidate every password hash and sealed secret of every installation. The values
        // were computed with another implementation of RFC 5869.
        let ring = keys(&general_purpose::STANDARD.encode([7; 32])).expect("a ring");
        let key = ring.first();
        assert_eq!(key.fingerprint(), "c2ce7b5bccb2f6bf");
        for (derived, expected) in [
            (key.token_seed(), "57d9ce9559ac18c75701ee3871002be56c8d6a86f263cd61a7f7488c97c2dda3"),
            (key.pepper(), "bc24aa124f4933686926b25021f56ffc893f469bff3e3210f6cfa4f33e6d38de"),
            (key.sealing(), "821c9830f4a61021bd74c13040f171717ccfa0509eb791e181ab7e1a9181f971"),
            (key.log_sealing(), "5e6a2c6cf91374d53d2b219a558a2ec4dc7a2b5018d925522f646eed8e85852e"),
            (key.checkpoint_seed(), "4b0b35d60fbaaf17f99f0a8b416873075586b7b0c7cf28a8d1b1292e96428572"),
        ] {
            assert_eq!(derived.map(|byte| format!("{byte:02x}")).concat(), expected);
        }
    }

    #[test]
    fn keys_do_not_show_themselves() {
        let text = general_purpose::STANDARD.encode([9; 32]);
        let shown = format!("{:?}", keys(&text).expect("a ring"));
        assert!(!shown.contains(&text) && shown.starts_with("[SecretKey(\""), "{shown}");
    }
}
