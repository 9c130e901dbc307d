//! Access tokens: JWTs in the profile of RFC 9068, signed with Ed25519 and nothing else.

use std::{collections::HashMap, time::Duration};

use aws_lc_rs::{
    digest,
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use sitewatch_domain::{
    error::{BoxError, TokenFault},
    ids::{SessionId, UserId},
    ports::{AccessClaims, TokenSigner},
    text::Secret,
    time::Instant,
};
use uuid::Uuid;

use crate::secret_key::{KeyError, SecretKey, SecretKeys};

#[cfg(test)]
mod tests;

/// The `typ` of RFC 9068: a token of another kind never passes for an access token.
const TYPE: &str = "at+jwt";
/// The longest token that is looked at, in bytes.
const MAX_LENGTH: usize = 4096;
/// The longest life that a token may claim.
const MAX_LIFETIME: Duration = Duration::from_hours(1);
/// How far another node's clock may be ahead of ours.
const LEEWAY: Duration = Duration::from_secs(5);
/// How many tokens are remembered as correctly signed.
const REMEMBERED: u64 = 10_000;

/// Signs access tokens with the first key of the ring and checks them against all of them.
///
/// A token's signature is checked once and then remembered by the token's digest, within bounds; its times are
/// checked on every call. Only well-signed tokens are remembered, so forgeries cannot crowd them out.
pub struct AccessTokens {
    issuer: String,
    audience: String,
    header: Header,
    signing: EncodingKey,
    checking: HashMap<String, DecodingKey>,
    validation: Validation,
    verified: Cache<[u8; 32], Verified>,
    jwks: String,
}

/// A token whose signature, issuer and audience are in order.
#[derive(Clone)]
struct Verified {
    claims: AccessClaims,
    not_before: Instant,
}

/// The header, whole: a further key, a repeated or a missing one fails to parse.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictHeader {
    alg: String,
    typ: String,
    kid: String,
}

/// The claims as they travel. Unknown ones are ignored, as RFC 7519 asks and rolling upgrades need.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    jti: Uuid,
    iat: u64,
    nbf: u64,
    exp: u64,
    rc: i64,
}

impl AccessTokens {
    /// A signer for a ring of keys. Tokens of another issuer or for another audience are refused.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] if no signing key can be made, which is not expected of any.
    pub fn new(
        keys: &SecretKeys,
        issuer: impl Into<String>,
        audience: impl Into<String>,
    ) -> Result<Self, KeyError> {
        let (issuer, audience) = (issuer.into(), audience.into());
        let mut checking = HashMap::new();
        let mut published = Vec::new();
        for (key, position) in keys.iter().zip(1..) {
            let unusable = KeyError::Unusable { position };
            let pair = key_pair(key).ok_or(unusable)?;
            let public = DecodingKey::from_ed_der(pair.public_key().as_ref());
            published.push(public_jwk(key, &public).ok_or(unusable)?);
            checking.insert(key.fingerprint().to_owned(), public);
        }
        let jwks = serde_json::to_string(&JwkSet { keys: published });
        let first = KeyError::Unusable { position: 1 };
        let pkcs8 = key_pair(keys.first()).and_then(|pair| pair.to_pkcs8v1().ok()).ok_or(first)?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(keys.first().fingerprint().to_owned());
        Ok(Self {
            validation: validation(&issuer, &audience),
            issuer,
            audience,
            header,
            signing: EncodingKey::from_ed_der(pkcs8.as_ref()),
            checking,
            verified: Cache::builder().max_capacity(REMEMBERED).time_to_live(MAX_LIFETIME).build(),
            jwks: jwks.map_err(|_| first)?,
        })
    }

    /// The token with everything checked but its times.
    fn authentic(&self, token: &str) -> Option<Verified> {
        let digest: [u8; 32] = digest::digest(&digest::SHA256, token.as_bytes()).as_ref().try_into().ok()?;
        if let Some(known) = self.verified.get(&digest) {
            return Some(known);
        }
        let verified = self.check_signature(token)?;
        self.verified.insert(digest, verified.clone());
        Some(verified)
    }

    fn check_signature(&self, token: &str) -> Option<Verified> {
        let (encoded, _) = token.split_once('.')?;
        let header: StrictHeader = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()?;
        if header.alg != "EdDSA" || header.typ != TYPE {
            return None;
        }
        // The ring holds nothing but fingerprints, so any other form of `kid` is simply unknown.
        let key = self.checking.get(&header.kid)?;
        let claims = jsonwebtoken::decode::<Claims>(token, key, &self.validation).ok()?.claims;
        claims.try_into().ok()
    }
}

impl TokenSigner for AccessTokens {
    fn sign(&self, claims: &AccessClaims) -> Result<Secret<String>, BoxError> {
        let issued_at = u64::try_from(claims.issued_at.as_secs())?;
        let wire = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: claims.user,
            sid: claims.session,
            jti: claims.token_id,
            iat: issued_at,
            nbf: issued_at,
            exp: u64::try_from(claims.expires_at.as_secs())?,
            rc: claims.refresh_counter,
        };
        Ok(Secret::new(jsonwebtoken::encode(&self.header, &wire, &self.signing)?))
    }

    fn verify(&self, token: &str, now: Instant) -> Result<AccessClaims, TokenFault> {
        if token.len() > MAX_LENGTH {
            return Err(TokenFault::Invalid);
        }
        let Verified { claims, not_before } = self.authentic(token).ok_or(TokenFault::Invalid)?;
        let soon = now.plus(LEEWAY);
        let lives = claims.issued_at < claims.expires_at
            && claims.expires_at.since(claims.issued_at) <= MAX_LIFETIME
            && not_before < claims.expires_at;
        if !lives || claims.issued_at > soon || not_before > soon {
            return Err(TokenFault::Invalid);
        }
        if now >= claims.expires_at { Err(TokenFault::Expired) } else { Ok(claims) }
    }

    fn jwks(&self) -> String {
        self.jwks.clone()
    }
}

impl TryFrom<Claims> for Verified {
    type Error = std::num::TryFromIntError;

    fn try_from(wire: Claims) -> Result<Self, Self::Error> {
        let instant = |seconds: u64| i64::try_from(seconds).map(Instant::from_secs);
        Ok(Self {
            not_before: instant(wire.nbf)?,
            claims: AccessClaims {
                user: wire.sub,
                session: wire.sid,
                issued_at: instant(wire.iat)?,
                expires_at: instant(wire.exp)?,
                token_id: wire.jti,
                refresh_counter: wire.rc,
            },
        })
    }
}

/// Times are not left to the library: it reads the machine's clock, and ours is a parameter.
fn validation(issuer: &str, audience: &str) -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    validation
}

fn key_pair(key: &SecretKey) -> Option<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(key.token_seed()).ok()
}

fn public_jwk(key: &SecretKey, public: &DecodingKey) -> Option<Jwk> {
    let mut jwk = Jwk::from_decoding_key(public, Some(Algorithm::EdDSA)).ok()?;
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    jwk.common.key_id = Some(key.fingerprint().to_owned());
    Some(jwk)
}
