//! Small secrets closed for the database: authenticated encryption with keys from outside of it.
//!
//! Layout: version byte ‖ fingerprint of the key (8 bytes) ‖ nonce (12 bytes) ‖ ciphertext ‖ tag (16 bytes).

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use sitewatch_domain::{error::BoxError, ports::Sealer, text::Secret};
use zeroize::Zeroizing;

use crate::secret_key::{KeyError, SecretKey, SecretKeys};

const VERSION: u8 = 1;

type Fingerprint = [u8; 8];

/// Why a sealed secret cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is not something that was sealed here, or by a later version.
    #[error("not a sealed secret of a known version")]
    Malformed,
    /// The key that sealed it is not in the ring.
    #[error("sealed with a key that is not configured")]
    UnknownKey,
    /// It was changed, or it was sealed for another context.
    #[error("changed since it was sealed, or sealed for another context")]
    NotAuthentic,
}

/// Seals with the first key of the ring and opens with any, in AES-256-GCM with random nonces.
pub struct KeyRingSealer {
    first: (Fingerprint, RandomizedNonceKey),
    others: Vec<(Fingerprint, RandomizedNonceKey)>,
}

impl KeyRingSealer {
    /// A sealer for a ring of keys.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] if the cipher does not take a key, which is not expected of any.
    pub fn new(keys: &SecretKeys) -> Result<Self, KeyError> {
        let cipher = |key: &SecretKey, position| {
            RandomizedNonceKey::new(&AES_256_GCM, key.sealing())
                .map(|cipher| (key.fingerprint_bytes(), cipher))
                .map_err(|_| KeyError::Unusable { position })
        };
        let others = keys.iter().zip(1..).skip(1).map(|(key, position)| cipher(key, position));
        Ok(Self { first: cipher(keys.first(), 1)?, others: others.collect::<Result<_, _>>()? })
    }

    fn cipher(&self, name: Fingerprint) -> Option<&RandomizedNonceKey> {
        std::iter::once(&self.first).chain(&self.others).find(|(known, _)| *known == name).map(|(_, key)| key)
    }

    fn try_open(&self, context: &[u8], sealed: &[u8]) -> Result<Secret<Vec<u8>>, OpenError> {
        let (&[version], rest) = sealed.split_first_chunk().ok_or(OpenError::Malformed)?;
        let (name, rest) = rest.split_first_chunk().ok_or(OpenError::Malformed)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<12>().ok_or(OpenError::Malformed)?;
        if version != VERSION || ciphertext.len() < AES_256_GCM.tag_len() {
            return Err(OpenError::Malformed);
        }
        let cipher = self.cipher(*name).ok_or(OpenError::UnknownKey)?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let secret = cipher
            .open_in_place(Nonce::from(nonce), Aad::from(context), buffer.as_mut_slice())
            .map_err(|_| OpenError::NotAuthentic)?;
        Ok(Secret::new(secret.to_vec()))
    }
}

impl Sealer for KeyRingSealer {
    fn seal(&self, context: &[u8], secret: &[u8]) -> Result<Vec<u8>, BoxError> {
        let (name, cipher) = &self.first;
        // The buffer has room for the tag from the start: growing would leave a copy of the secret behind.
        let mut buffer = Vec::with_capacity(secret.len() + AES_256_GCM.tag_len());
        buffer.extend_from_slice(secret);
        let nonce = cipher.seal_in_place_append_tag(Aad::from(context), &mut buffer)?;
        Ok([&[VERSION], name.as_slice(), nonce.as_ref(), &buffer].concat())
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Secret<Vec<u8>>, BoxError> {
        Ok(self.try_open(context, sealed)?)
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};

    use super::*;

    fn sealer(seeds: &[u8]) -> KeyRingSealer {
        let list: Vec<_> = seeds.iter().map(|seed| STANDARD.encode([*seed; 32])).collect();
        KeyRingSealer::new(&list.join(",").parse().expect("a ring")).expect("a sealer")
    }

    fn refusal(sealer: &KeyRingSealer, context: &[u8], sealed: &[u8]) -> OpenError {
        *sealer.open(context, sealed).expect_err("refused").downcast().expect("our error")
    }

    #[test]
    fn what_is_sealed_opens_again() {
        let sealer = sealer(&[1]);
        for secret in [&b""[..], b"x", &[0; 1000]] {
            let sealed = sealer.seal(b"session 1", secret).expect("sealed");
            assert_eq!(sealer.open(b"session 1", &sealed).expect("opened").expose(), secret);
            assert_ne!(sealer.seal(b"session 1", secret).expect("sealed again"), sealed);
        }
    }

    #[test]
    fn a_new_first_key_opens_what_the_old_one_sealed() {
        let sealed = sealer(&[1]).seal(b"c", b"secret").expect("sealed");
        assert_eq!(sealer(&[2, 1]).open(b"c", &sealed).expect("opened").expose(), b"secret");
        assert_eq!(refusal(&sealer(&[2]), b"c", &sealed), OpenError::UnknownKey);
        let newer = sealer(&[2, 1]).seal(b"c", b"secret").expect("sealed");
        assert_eq!(refusal(&sealer(&[1]), b"c", &newer), OpenError::UnknownKey);
    }

    #[test]
    fn another_context_does_not_open_it() {
        let sealer = sealer(&[1]);
        let sealed = sealer.seal(b"session 1", b"secret").expect("sealed");
        for other in [&b"session 2"[..], b"session ", b""] {
            assert_eq!(refusal(&sealer, other, &sealed), OpenError::NotAuthentic);
        }
    }

    #[test]
    fn a_change_of_any_byte_or_length_is_noticed() {
        let sealer = sealer(&[1]);
        let sealed = sealer.seal(b"c", b"secret").expect("sealed");
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            let expected = match index {
                0 => OpenError::Malformed,
                1..9 => OpenError::UnknownKey,
                _ => OpenError::NotAuthentic,
            };
            assert_eq!(refusal(&sealer, b"c", &changed), expected, "byte {index}");
            assert!(sealer.open(b"c", &sealed[..index]).is_err(), "cut at {index}");
        }
        assert_eq!(refusal(&sealer, b"c", &[&sealed[..], b"x"].concat()), OpenError::NotAuthentic);
    }
}
