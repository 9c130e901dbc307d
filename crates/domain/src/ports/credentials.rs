//! What the domain asks of cryptography: hashing passwords, signing tokens, sealing small secrets.

use async_trait::async_trait;

use crate::{
    error::{BoxError, TokenFault},
    ids::{SessionId, UserId},
    text::Secret,
    time::Instant,
};

/// Makes and checks password hashes on threads of its own, a bounded number at a time.
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// A place in the line of those whose passwords are hashed, for a check that is about to come. Taken before anything else is done for
    /// somebody who would else be told to come back, so that a flood of them costs nothing else either.
    ///
    /// # Errors
    /// [`HashError::Busy`] if there is none.
    fn room(&self) -> Result<HashRoom, HashError>;

    /// Takes a hash over that another program made with plain bcrypt: `$2a$`, `$2b$` or `$2y$`.
    ///
    /// # Errors
    /// [`HashError::Unusable`] if it is none, or its cost is beyond reason.
    fn adopt(&self, hash: Secret<String>) -> Result<PasswordHash, HashError>;

    /// Hashes a password with the current scheme, cost and pepper.
    async fn hash(&self, password: Secret<String>) -> Result<PasswordHash, HashError>;

    /// Checks a password against a stored hash.
    ///
    /// `None` stands for an unknown, archived or password-less account: the same work is done against a hash that
    /// nothing matches, so that the time taken tells nothing.
    async fn verify(
        &self,
        password: Secret<String>,
        stored: Option<PasswordHash>,
    ) -> Result<PasswordVerdict, HashError> {
        self.verify_within(self.room()?, password, stored).await
    }

    /// The same for whoever has a place in the line already.
    async fn verify_within(
        &self,
        room: HashRoom,
        password: Secret<String>,
        stored: Option<PasswordHash>,
    ) -> Result<PasswordVerdict, HashError>;
}

/// A place in the line of those whose passwords are hashed; free again when this is dropped.
pub struct HashRoom(#[expect(dead_code, reason = "it is held, and never looked at")] Box<dyn Send + Sync>);

impl HashRoom {
    /// A place that is held for as long as this is.
    pub fn held_by(guard: impl Send + Sync + 'static) -> Self {
        Self(Box::new(guard))
    }
}

/// A stored password hash together with the recipe that made it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    /// The recipe: `bcrypt-hmac-sha384` (ours) or `bcrypt` (imported `$2b$` hashes of the password itself).
    pub scheme: String,
    /// Which pepper went in; empty for schemes without one.
    pub pepper_id: String,
    /// The hash in its own notation, `$2b$12$…`.
    pub hash: Secret<String>,
}

/// The outcome of a password check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordVerdict {
    /// It is the password, and the hash is as good as it gets.
    Correct,
    /// It is the password, but the hash is of an older scheme, cost or pepper: make a new one.
    CorrectButOutdated,
    /// It is not.
    Wrong,
}

/// Why a password could not be hashed or checked.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Every hashing thread is taken and the queue is full: 503 with `Retry-After`.
    #[error("all hashing threads are busy")]
    Busy,
    /// The stored hash is of an unknown scheme or damaged.
    #[error("the stored hash cannot be used")]
    Unusable(#[source] BoxError),
}

/// What an access token says (RFC 9068). All times are whole seconds on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessClaims {
    /// `sub`: the user.
    pub user: UserId,
    /// `sid`: the session the token was issued in; the token dies with it.
    pub session: SessionId,
    /// `iat` and `nbf`.
    pub issued_at: Instant,
    /// `exp`.
    pub expires_at: Instant,
    /// `jti`: tells two tokens of the same second apart.
    pub token_id: uuid::Uuid,
    /// `rc`: the refresh counter of the session when the token was issued.
    pub refresh_counter: i64,
}

/// Signs and checks access tokens with the installation's key ring.
pub trait TokenSigner: Send + Sync {
    /// A signed token.
    ///
    /// # Errors
    /// Only if the signing key cannot be used, which is our own fault.
    fn sign(&self, claims: &AccessClaims) -> Result<Secret<String>, BoxError>;

    /// The claims of a token whose header, signature, issuer, audience and times are all in order at `now`.
    ///
    /// # Errors
    /// [`TokenFault::Expired`] if only its time is over, [`TokenFault::Invalid`] otherwise.
    fn verify(&self, token: &str, now: Instant) -> Result<AccessClaims, TokenFault>;

    /// The public keys as a JSON Web Key Set (RFC 7517), as JSON text.
    fn jwks(&self) -> String;
}

/// Seals small secrets for the database and signs texts that clients carry, with keys from outside the database.
pub trait Sealer: Send + Sync {
    /// Encrypts and authenticates a secret. `context` is bound to it: opening asks for the same one.
    ///
    /// # Errors
    /// Only if the cipher fails, which is our own fault.
    fn seal(&self, context: &[u8], secret: &[u8]) -> Result<Vec<u8>, BoxError>;

    /// Opens what `seal` closed, with any key of the ring.
    ///
    /// # Errors
    /// If it was sealed elsewhere, for another context, or was changed.
    fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Secret<Vec<u8>>, BoxError>;
}

/// Vouches for texts that anybody may read, with keys from outside the database.
pub trait Notary: Send + Sync {
    /// A seal that says that a text was written here, made with every key of the ring: a node that has only one of them yet
    /// can check it.
    fn seal(&self, text: &[u8]) -> Vec<u8>;

    /// Whether any key of the ring sealed the text.
    fn has_sealed(&self, text: &[u8], seal: &[u8]) -> bool;

    /// Whether a seal was made with all keys of the ring, and no others.
    fn is_current(&self, seal: &[u8]) -> bool;

    /// A signature of the newest key, which others can check with its public half.
    ///
    /// # Errors
    /// Only if the key cannot be used, which is our own fault.
    fn sign(&self, text: &[u8]) -> Result<Signature, BoxError>;

    /// Whether a key of the ring signed the text.
    fn has_signed(&self, text: &[u8], signature: &Signature) -> bool;
}

/// A signature, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The public name of the key.
    pub key: String,
    /// The signature.
    pub bytes: Vec<u8>,
}

/// Where ids, keys and one-time tokens get their randomness. Injected, so that tests choose it.
pub trait Entropy: Send + Sync {
    /// Fills the slice with bytes that nobody can guess.
    fn fill(&self, bytes: &mut [u8]);
}
