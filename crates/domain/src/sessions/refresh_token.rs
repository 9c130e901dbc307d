//! Refresh tokens: `rt1.` and base64url of session id, counter, a MAC over both with the session's own key, and a seal over all of
//! that with the keys of the installation.
//!
//! Deterministic, so that the current token can be made again at any time and nothing usable is stored. The seal tells what was
//! never issued here before the database is asked for the session.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

use super::RefreshKey;
use crate::{ids::SessionId, ports::Notary, text::Secret};

const PREFIX: &str = "rt1.";
const ID_LENGTH: usize = 16;
const COUNTER_LENGTH: usize = 8;
const MAC_LENGTH: usize = 32;
const SEALED_LENGTH: usize = ID_LENGTH + COUNTER_LENGTH + MAC_LENGTH;
/// More than a token has that is sealed with a dozen keys.
const LONGEST: usize = 1_024;
/// What sets sealed tokens apart from whatever else is sealed with the same keys.
const SEALED_AS: &[u8] = b"sitewatch refresh token v1";

/// A refresh token taken apart. Nothing in it is to be believed before [`RefreshToken::is_authentic`] says so.
#[derive(Clone)]
pub struct RefreshToken {
    session: SessionId,
    counter: i64,
    mac: [u8; MAC_LENGTH],
    seal: Vec<u8>,
}

impl RefreshToken {
    /// The token of a session at a counter.
    pub(crate) fn issue(
        session: SessionId,
        counter: i64,
        key: &RefreshKey,
        notary: &dyn Notary,
    ) -> Secret<String> {
        let mut bytes = signed_part(session, counter);
        bytes.extend_from_slice(&mac_of(&bytes, key));
        let seal = notary.seal(&[SEALED_AS, &bytes].concat());
        bytes.extend_from_slice(&seal);
        Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Takes a token apart; `None` if it is not of this form.
    pub fn parse(text: &str) -> Option<Self> {
        let coded = text.strip_prefix(PREFIX).filter(|coded| coded.len() <= LONGEST)?;
        let bytes = URL_SAFE_NO_PAD.decode(coded).ok()?;
        let (id, rest) = bytes.split_first_chunk::<ID_LENGTH>()?;
        let (counter, rest) = rest.split_first_chunk::<COUNTER_LENGTH>()?;
        let (mac, seal) = rest.split_first_chunk::<MAC_LENGTH>()?;
        Some(Self {
            session: SessionId::from_uuid(Uuid::from_bytes(*id)),
            counter: i64::from_be_bytes(*counter),
            mac: *mac,
            seal: seal.to_vec(),
        })
    }

    /// The session that it claims to belong to.
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// The counter that it claims.
    pub const fn counter(&self) -> i64 {
        self.counter
    }

    /// Whether it was issued by this installation, with a key that it still has. Whether its session lives, and had this token, is
    /// another question.
    pub(crate) fn is_sealed(&self, notary: &dyn Notary) -> bool {
        let mut sealed = Vec::with_capacity(SEALED_AS.len() + SEALED_LENGTH);
        sealed.extend_from_slice(SEALED_AS);
        sealed.extend_from_slice(&signed_part(self.session, self.counter));
        sealed.extend_from_slice(&self.mac);
        notary.has_sealed(&sealed, &self.seal)
    }

    /// Whether it was issued with this key. Takes the same time for every wrong MAC.
    pub(crate) fn is_authentic(&self, key: &RefreshKey) -> bool {
        let expected = mac_of(&signed_part(self.session, self.counter), key);
        subtle::ConstantTimeEq::ct_eq(expected.as_slice(), self.mac.as_slice()).into()
    }
}

fn signed_part(session: SessionId, counter: i64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ID_LENGTH + COUNTER_LENGTH);
    bytes.extend_from_slice(session.uuid().as_bytes());
    bytes.extend_from_slice(&counter.to_be_bytes());
    bytes
}

fn mac_of(message: &[u8], key: &RefreshKey) -> [u8; MAC_LENGTH] {
    // HMAC takes keys of any length, so that the constructor's error cannot happen; a MAC of nothing matches nothing.
    Hmac::<Sha256>::new_from_slice(key.expose())
        .map(|mac| mac.chain_update(message).finalize().into_bytes().into())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::BoxError, ports::Signature, time::Instant};

    /// Seals with a digest that anybody could make: what is tested is what is sealed.
    struct Digesting;

    impl Notary for Digesting {
        fn seal(&self, text: &[u8]) -> Vec<u8> {
            use sha2::Digest as _;
            Sha256::digest(text).to_vec()
        }

        fn has_sealed(&self, text: &[u8], seal: &[u8]) -> bool {
            self.seal(text) == seal
        }

        fn is_current(&self, _seal: &[u8]) -> bool {
            true
        }

        fn sign(&self, _text: &[u8]) -> Result<Signature, BoxError> {
            Err("nothing is signed here".into())
        }

        fn has_signed(&self, _text: &[u8], _signature: &Signature) -> bool {
            false
        }
    }

    fn session() -> SessionId {
        SessionId::mint(Instant::from_secs(1), [3; 10])
    }

    fn issued(key: &RefreshKey) -> Secret<String> {
        RefreshToken::issue(session(), 7, key, &Digesting)
    }

    #[test]
    fn a_token_is_authentic_under_its_own_key_only() {
        let key = Secret::new(vec![1; 32]);
        let text = issued(&key);
        assert_eq!(text, issued(&key), "deterministic");
        let token = RefreshToken::parse(text.expose()).expect("own form");
        assert_eq!((token.session(), token.counter()), (session(), 7));
        assert!(token.is_sealed(&Digesting) && token.is_authentic(&key));
        assert!(!token.is_authentic(&Secret::new(vec![2; 32])));
    }

    #[test]
    fn a_changed_token_is_neither_sealed_nor_of_the_form() {
        let key = Secret::new(vec![1; 32]);
        let text = issued(&key).expose().clone();
        let bytes = URL_SAFE_NO_PAD.decode(&text[PREFIX.len()..]).expect("base64");
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            let changed = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(changed));
            let token = RefreshToken::parse(&changed).expect("the form");
            assert!(!token.is_sealed(&Digesting), "{index}");
            // The session's own key vouches for the session, the counter and itself.
            assert_eq!(token.is_authentic(&key), index >= SEALED_LENGTH, "{index}");
        }
        for odd in [
            "",
            "rt1.",
            "rt2.AAAA",
            &text[1..],
            &format!("{text}="),
            &format!("{text}{}", "A".repeat(LONGEST)),
        ] {
            assert!(RefreshToken::parse(odd).is_none(), "{odd}");
        }
        let cut = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&bytes[..SEALED_LENGTH]));
        assert!(!RefreshToken::parse(&cut).expect("the form").is_sealed(&Digesting));
    }
}
