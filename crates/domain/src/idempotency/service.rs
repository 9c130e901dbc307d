use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Answer, IdempotencyClaim, KEYS_KEPT_FOR, KeyedRequest, PendingChange};
use crate::{
    access::{Actor, Credential, RequestContext},
    audit::{Audit, Canonical},
    error::{Error, Rule},
    ids::UserId,
    platform::Platform,
};

/// A request whose key is claimed.
#[derive(Clone, Copy)]
pub struct ClaimedRequest<'a> {
    /// The client's key.
    pub key: &'a str,
    /// The method.
    pub method: &'a str,
    /// The template of its route.
    pub route: &'a str,
    /// Its path with the query.
    pub path: &'a str,
    /// Its body.
    pub body: &'a [u8],
}

/// How a request ended.
pub enum Outcome {
    /// It was done. The answer is final.
    Done(Answer),
    /// A rule between objects refused it. The answer is final.
    Refused(Answer),
    /// It was refused for its input: the key stays free, and its request can be another one.
    Open,
    /// Whoever asked may not, or it failed, or something passing was in its way: nothing is told of an earlier answer either.
    Failed,
}

/// What is to be answered.
pub enum Settled {
    /// What the request itself came to.
    AsItIs,
    /// What was answered before.
    Again(Answer),
    /// That the key was used for another request.
    Mismatch,
}

/// Use cases of idempotency keys.
pub struct Idempotency<'a> {
    platform: &'a Platform,
}

impl<'a> Idempotency<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// The actor with a claim to the key of his request, which his change then takes along. Whoever is neither a user nor a key has
    /// none.
    pub fn claim(&self, actor: Actor, request: ClaimedRequest<'_>) -> Actor {
        let credential = actor.credential().map(Credential::uuid);
        let Some(principal) = credential.or_else(|| actor.user().map(UserId::uuid)) else { return actor };
        actor.with_claim(IdempotencyClaim {
            principal,
            route: format!("{} {}", request.method, request.route),
            key_digest: Sha256::digest(request.key).into(),
            fingerprint: fingerprint(&request),
            expires_at: self.platform.now().plus(KEYS_KEPT_FOR),
        })
    }

    /// Ends a request with a key: commits its change with its answer, or takes the change back and finds what was answered before.
    ///
    /// # Errors
    /// As for any commit, and nothing is changed then; `Unavailable` if nobody can tell what was answered before.
    pub async fn settle(&self, request: &Arc<KeyedRequest>, outcome: Outcome) -> Result<Settled, Error> {
        let change = request.take_change();
        match outcome {
            Outcome::Done(answer) => match change {
                Some(change) => self.commit(request.claim(), change, &answer).await,
                None => self.keep(request, &answer).await,
            },
            Outcome::Refused(answer) => {
                drop(change);
                self.keep(request, &answer).await
            }
            Outcome::Open => {
                drop(change);
                self.recall(request.claim()).await
            }
            Outcome::Failed => Ok(Settled::AsItIs),
        }
    }

    async fn commit(
        &self,
        claim: &IdempotencyClaim,
        change: PendingChange,
        answer: &Answer,
    ) -> Result<Settled, Error> {
        let PendingChange { mut tx, trail } = change;
        tx.keep_answer(self.sealed(claim, answer)?);
        self.platform.commit_now(tx, trail).await?;
        Ok(Settled::AsItIs)
    }

    /// Keeps the answer of a request that changed nothing, unless there is one.
    async fn keep(&self, request: &Arc<KeyedRequest>, answer: &Answer) -> Result<Settled, Error> {
        let claimant = Actor::anonymous(RequestContext::default()).with_keyed_request(Arc::clone(request));
        let mut tx = match self.platform.write(&claimant).await {
            Err(Error::Conflict(Rule::IdempotencyKey)) => return self.recall(request.claim()).await,
            // The twin that is under way answers for itself.
            Err(Error::Conflict(Rule::IdempotencyInFlight)) => return Ok(Settled::AsItIs),
            tx => tx?,
        };
        tx.keep_answer(self.sealed(request.claim(), answer)?);
        self.platform.commit_now(tx, Audit::none("nothing was changed")).await?;
        Ok(Settled::AsItIs)
    }

    async fn recall(&self, claim: &IdempotencyClaim) -> Result<Settled, Error> {
        let nobody = Actor::anonymous(RequestContext::default());
        let Some(kept) = self.platform.read(&nobody).await?.find_answer(claim).await? else {
            return Ok(Settled::AsItIs);
        };
        if !kept.is_same_request {
            return Ok(Settled::Mismatch);
        }
        let opened = kept
            .sealed
            .map(|sealed| self.platform.ports().sealer.open(&claim.context(), &sealed))
            .transpose();
        match opened {
            Ok(answer) => {
                let answer = answer.and_then(|answer| Answer::from_bytes(answer.expose()));
                Ok(answer.map_or(Settled::AsItIs, Settled::Again))
            }
            // The key that sealed it was taken out of the ring: that the request was done is all that is known.
            Err(error) => {
                tracing::warn!(%error, "the answer that belongs to an idempotency key cannot be opened");
                Ok(Settled::AsItIs)
            }
        }
    }

    fn sealed(&self, claim: &IdempotencyClaim, answer: &Answer) -> Result<Vec<u8>, Error> {
        let plain = answer.to_bytes().map_err(|error| Error::Internal(error.into()))?;
        self.platform.ports().sealer.seal(&claim.context(), &plain).map_err(Error::Internal)
    }
}

/// Longer bodies are the same if their bytes are: reading deeply nested ones in any spelling would take long.
const LONGEST_IN_ANY_SPELLING: usize = 64 * 1024;

/// SHA-256 of method, path and body; of JSON whatever its spelling, unless it is long.
fn fingerprint(request: &ClaimedRequest<'_>) -> [u8; 32] {
    let mut text = Canonical::default();
    text.field(request.method.as_bytes()).field(request.path.as_bytes());
    match std::str::from_utf8(request.body) {
        Ok(body) if body.len() <= LONGEST_IN_ANY_SPELLING => text.json(Some(body)),
        _ => text.maybe(Some(request.body)),
    };
    Sha256::digest(text.bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_body_is_known_by_its_bytes() {
        let of = |body: &str| {
            let request =
                ClaimedRequest { key: "k", method: "POST", route: "/a", path: "/a", body: body.as_bytes() };
            fingerprint(&request)
        };
        let long = format!("[\"{}\"]", "x".repeat(LONGEST_IN_ANY_SPELLING));
        assert_eq!(of(&long), of(&long));
        assert_ne!(of(&long), of(&format!(" {long}")));
        assert_eq!(of("[1]"), of(" [1.0]"));
    }

    #[test]
    fn another_request_has_another_fingerprint() {
        let request = ClaimedRequest {
            key: "k",
            method: "POST",
            route: "/a/{id}",
            path: "/a/1",
            body: b"{\"a\":1,\"b\":2}",
        };
        let same = ClaimedRequest { key: "l", route: "/b", body: b"{ \"b\": 2, \"a\": 1.0 }", ..request };
        assert_eq!(fingerprint(&request), fingerprint(&same));
        for other in [
            ClaimedRequest { method: "PUT", ..request },
            ClaimedRequest { path: "/a/2", ..request },
            ClaimedRequest { path: "/a/1?dry_run=true", ..request },
            ClaimedRequest { body: b"{\"a\":1}", ..request },
            ClaimedRequest { body: b"", ..request },
            ClaimedRequest { body: &[0xff], ..request },
        ] {
            assert_ne!(fingerprint(&request), fingerprint(&other), "{} {}", other.method, other.path);
        }
    }
}
