//! Idempotency keys: a request that is sent again has its effect once, and its answer is given again.
//!
//! A request with a key claims it in the transaction of its change. The use case's commit is put off until the answer is known: then
//! claim, change and answer are written together, or none of them. So a use case makes one change for such a request, and reads
//! nothing afterwards that the change is in; what has to stay although the request fails is written for nobody
//! ([`Actor::anonymous`](crate::access::Actor::anonymous)).

mod repository;
mod service;

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use repository::{IdempotencyRepository, KeptAnswer};
pub use service::{ClaimedRequest, Idempotency, Outcome, Settled};

use crate::{audit::Audit, ports::Tx, time::Instant};

/// How long a key is remembered.
pub const KEYS_KEPT_FOR: Duration = Duration::from_hours(24);

/// A client's promise that a repeated request is the same request (`Idempotency-Key`). The claim is written in the
/// transaction of the request's own effect, so that key, effect and outcome appear together or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyClaim {
    /// Who promised: the user or key.
    pub principal: Uuid,
    /// Method and route template.
    pub route: String,
    /// SHA-256 of the key that the client sent.
    pub key_digest: [u8; 32],
    /// SHA-256 of the request, to tell a repetition from another use of the key. A body may hold a password, so it is kept under seal
    /// only: nobody who reads the database can try passwords on it.
    pub fingerprint: [u8; 32],
    /// After this moment the claim is forgotten.
    pub expires_at: Instant,
}

impl IdempotencyClaim {
    /// What is sealed of the fingerprint.
    pub fn sealed_text(&self) -> Vec<u8> {
        [b"idempotency\n".as_slice(), &self.fingerprint].concat()
    }

    /// What its answer is sealed for.
    fn context(&self) -> Vec<u8> {
        let Self { principal, route, key_digest, .. } = self;
        [b"idempotency\n".as_slice(), principal.as_bytes(), key_digest, route.as_bytes()].concat()
    }
}

/// An answer as it is given again. It may show a secret, so it is kept sealed, and has no `Debug` form.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers that belong to it, by name.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct AnswerHead {
    status: u16,
    headers: Vec<(String, String)>,
}

impl Answer {
    /// The head as a line of JSON, then the body.
    fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let head = AnswerHead { status: self.status, headers: self.headers.clone() };
        let mut bytes = serde_json::to_vec(&head)?;
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.body);
        Ok(bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let (head, body) = bytes.split_at(end);
        let AnswerHead { status, headers } = serde_json::from_slice(head).ok()?;
        Some(Self { status, headers, body: body.get(1..)?.to_vec() })
    }
}

/// A request that came with a key, and its change until its answer is known. Dropped without an answer, it takes the change back.
pub struct KeyedRequest {
    claim: IdempotencyClaim,
    change: Mutex<Option<PendingChange>>,
}

/// A change that is made and not committed.
pub(crate) struct PendingChange {
    pub(crate) tx: Box<dyn Tx>,
    pub(crate) trail: Audit,
}

impl KeyedRequest {
    /// A request with this claim, which has changed nothing yet.
    pub const fn new(claim: IdempotencyClaim) -> Self {
        Self { claim, change: Mutex::new(None) }
    }

    /// Its claim.
    pub const fn claim(&self) -> &IdempotencyClaim {
        &self.claim
    }

    pub(crate) fn has_change(&self) -> bool {
        self.change.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(crate) fn put_off(&self, change: PendingChange) {
        *self.change.lock().unwrap_or_else(PoisonError::into_inner) = Some(change);
    }

    fn take_change(&self) -> Option<PendingChange> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for KeyedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedRequest").field("claim", &self.claim).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_back_as_it_was() {
        for body in [&b""[..], b"{}", b"two\nlines\n", &[0, 255, b'\n']] {
            let headers = vec![("location".to_owned(), "/api/v1/sites/\n".to_owned())];
            let answer = Answer { status: 201, headers, body: body.to_vec() };
            let bytes = answer.to_bytes().expect("plain text");
            assert!(Answer::from_bytes(&bytes) == Some(answer));
        }
        assert!(Answer::from_bytes(b"").is_none() && Answer::from_bytes(b"{}\n").is_none());
    }
}
