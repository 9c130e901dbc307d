//! Refresh tokens: `rt1.` and base64url of session id, counter and a MAC over both with the session's own key.
//!
//! Deterministic, so that the current token can be made again at any time and nothing usable is stored.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

use super::RefreshKey;
use crate::{ids::SessionId, text::Secret};

const PREFIX: &str = "rt1.";
const ID_LENGTH: usize = 16;
const COUNTER_LENGTH: usize = 8;
const MAC_LENGTH: usize = 32;
const TOKEN_LENGTH: usize = ID_LENGTH + COUNTER_LENGTH + MAC_LENGTH;

/// A refresh token taken apart. Nothing in it is to be believed before [`RefreshToken::is_authentic`] says so.
#[derive(Clone)]
pub struct RefreshToken {
    session: SessionId,
    counter: i64,
    mac: [u8; MAC_LENGTH],
}

impl RefreshToken {
    /// The token of a session at a counter.
    pub(crate) fn issue(session: SessionId, counter: i64, key: &RefreshKey) -> Secret<String> {
        let mut bytes = signed_part(session, counter);
        bytes.extend_from_slice(&mac_of(&bytes, key));
        Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Takes a token apart; `None` if it is not of this form.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let bytes: [u8; TOKEN_LENGTH] = bytes.try_into().ok()?;
        let (id, rest) = bytes.split_first_chunk::<ID_LENGTH>()?;
        let (counter, mac) = rest.split_first_chunk::<COUNTER_LENGTH>()?;
        Some(Self {
            session: SessionId::from_uuid(Uuid::from_bytes(*id)),
            counter: i64::from_be_bytes(*counter),
            mac: mac.try_into().ok()?,
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

    /// Whether it was issued with this key. Takes the same time for every wrong MAC.
    pub(crate) fn is_authentic(&self, key: &RefreshKey) -> bool {
        let expected = mac_of(&signed_part(self.session, self.counter), key);
        subtle::ConstantTimeEq::ct_eq(expected.as_slice(), self.mac.as_slice()).into()
    }
}

fn signed_part(session: SessionId, counter: i64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(TOKEN_LENGTH);
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
    use crate::time::Instant;

    fn session() -> SessionId {
        SessionId::mint(Instant::from_secs(1), [3; 10])
    }

    #[test]
    fn a_token_is_authentic_under_its_own_key_only() {
        let key = Secret::new(vec![1; 32]);
        let text = RefreshToken::issue(session(), 7, &key);
        assert_eq!(text, RefreshToken::issue(session(), 7, &key), "deterministic");
        let token = RefreshToken::parse(text.expose()).expect("own form");
        assert_eq!((token.session(), token.counter()), (session(), 7));
        assert!(token.is_authentic(&key));
        assert!(!token.is_authentic(&Secret::new(vec![2; 32])));
    }

    #[test]
    fn a_changed_token_is_not_authentic() {
        let key = Secret::new(vec![1; 32]);
        let text = RefreshToken::issue(session(), 7, &key).expose().clone();
        for index in PREFIX.len()..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ascii");
            let accepted = RefreshToken::parse(&changed).is_some_and(|token| token.is_authentic(&key));
            assert!(!accepted || changed == text, "{changed}");
        }
        for odd in ["", "rt1.", "rt2.AAAA", &text[1..], &format!("{text}A"), &format!("{text}=")] {
            assert!(RefreshToken::parse(odd).is_none(), "{odd}");
        }
    }
}
