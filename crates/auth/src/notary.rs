//! Seals and signatures of texts that anybody may read: the ends of the audit log, and its checkpoints; refresh tokens.
//!
//! A seal holds, for each key of the ring, the key's fingerprint (8 bytes) ‖ HMAC-SHA-256 (32 bytes).

use aws_lc_rs::{
    hmac,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use sitewatch_domain::{
    error::BoxError,
    ports::{Notary, Signature},
};

use crate::secret_key::{KeyError, SecretKey, SecretKeys};

const FINGERPRINT: usize = 8;
const PART: usize = FINGERPRINT + 32;

struct NotaryKey {
    name: String,
    fingerprint: [u8; FINGERPRINT],
    sealing: hmac::Key,
    signing: Ed25519KeyPair,
}

/// Seals with every key of the ring, so that nodes which have only one of them check each other's seals while keys are
/// changed; signs with the first.
pub struct KeyRingNotary {
    first: NotaryKey,
    others: Vec<NotaryKey>,
}

impl KeyRingNotary {
    /// A notary for a ring of keys.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] if no signing key can be made, which is not expected of any.
    pub fn new(keys: &SecretKeys) -> Result<Self, KeyError> {
        let notary_key = |key: &SecretKey, position| {
            let signing = Ed25519KeyPair::from_seed_unchecked(key.checkpoint_seed())
                .map_err(|_| KeyError::Unusable { position })?;
            Ok(NotaryKey {
                name: key.fingerprint().to_owned(),
                fingerprint: key.fingerprint_bytes(),
                sealing: hmac::Key::new(hmac::HMAC_SHA256, key.log_sealing()),
                signing,
            })
        };
        let others = keys.iter().zip(1..).skip(1).map(|(key, position)| notary_key(key, position));
        Ok(Self { first: notary_key(keys.first(), 1)?, others: others.collect::<Result<_, _>>()? })
    }

    fn keys(&self) -> impl Iterator<Item = &NotaryKey> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl Notary for KeyRingNotary {
    fn seal(&self, text: &[u8]) -> Vec<u8> {
        let mut seal = Vec::with_capacity(PART * (1 + self.others.len()));
        for key in self.keys() {
            seal.extend_from_slice(&key.fingerprint);
            seal.extend_from_slice(hmac::sign(&key.sealing, text).as_ref());
        }
        seal
    }

    fn has_sealed(&self, text: &[u8], seal: &[u8]) -> bool {
        let parts = seal.chunks_exact(PART);
        parts.remainder().is_empty()
            && parts.into_iter().any(|part| {
                let (name, tag) = part.split_at(FINGERPRINT);
                let key = self.keys().find(|key| key.fingerprint == name);
                key.is_some_and(|key| hmac::verify(&key.sealing, text, tag).is_ok())
            })
    }

    fn is_current(&self, seal: &[u8]) -> bool {
        let names = seal.chunks(PART).map(|part| part.get(..FINGERPRINT).unwrap_or_default());
        names.eq(self.keys().map(|key| key.fingerprint.as_slice()))
    }

    fn sign(&self, text: &[u8]) -> Result<Signature, BoxError> {
        let bytes = self.first.signing.try_sign(text)?.as_ref().to_vec();
        Ok(Signature { key: self.first.name.clone(), bytes })
    }

    fn has_signed(&self, text: &[u8], signature: &Signature) -> bool {
        let key = self.keys().find(|key| key.name == signature.key);
        key.is_some_and(|key| {
            let public = UnparsedPublicKey::new(&ED25519, key.signing.public_key().as_ref());
            public.verify(text, &signature.bytes).is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};

    use super::*;

    fn notary(seeds: &[u8]) -> KeyRingNotary {
        let list: Vec<_> = seeds.iter().map(|seed| STANDARD.encode([*seed; 32])).collect();
        KeyRingNotary::new(&list.join(",").parse().expect("a ring")).expect("a notary")
    }

    #[test]
    fn nodes_check_each_others_seals_while_keys_are_changed() {
        let (old, both, new) = (notary(&[1]), notary(&[2, 1]), notary(&[2]));
        let seal = both.seal(b"end");
        assert!([&old, &both, &new].iter().all(|notary| notary.has_sealed(b"end", &seal)));
        assert!(both.has_sealed(b"end", &old.seal(b"end")) && !new.has_sealed(b"end", &old.seal(b"end")));
        assert!(both.is_current(&seal) && !both.is_current(&old.seal(b"end")) && !old.is_current(&seal));
        assert!(
            !both.is_current(&[])
                && !both.is_current(&seal[..PART])
                && !both.is_current(&[seal.clone(), vec![0]].concat())
        );
    }

    #[test]
    fn no_other_text_and_no_changed_seal_passes() {
        let notary = notary(&[1]);
        let seal = notary.seal(b"end");
        assert!(notary.has_sealed(b"end", &seal) && !notary.has_sealed(b"ends", &seal));
        assert!(!notary.has_sealed(b"end", &[seal.clone(), vec![0]].concat()));
        let signature = notary.sign(b"end").expect("signed");
        assert!(notary.has_signed(b"end", &signature) && !notary.has_signed(b"ends", &signature));
        for index in 0..seal.len() {
            let mut changed = seal.clone();
            changed[index] ^= 1;
            assert!(
                !notary.has_sealed(b"end", &changed) && !notary.has_sealed(b"end", &seal[..index]),
                "{index}"
            );
        }
        for index in 0..signature.bytes.len() {
            let mut changed = signature.clone();
            changed.bytes[index] ^= 1;
            assert!(!notary.has_signed(b"end", &changed), "{index}");
        }
        let unknown = Signature { key: "0000000000000000".into(), ..signature };
        assert!(!notary.has_signed(b"end", &unknown));
    }
}
