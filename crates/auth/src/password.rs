//! Password hashes: bcrypt over a peppered digest of the password, a bounded number at a time.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use bcrypt::{BcryptError, HashParts};
use sitewatch_domain::{
    ports::{HashError, HashRoom, PasswordHash, PasswordHasher, PasswordVerdict},
    text::Secret,
};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::secret_key::{SecretKey, SecretKeys};

#[cfg(test)]
mod tests;

/// Our scheme: bcrypt(base64(HMAC-SHA-384(pepper, password))).
///
/// The digest makes passwords of any length and content count in full: bcrypt itself reads 72 bytes. Its base64 has
/// 64 characters, none of them NUL. The pepper makes a stolen table of hashes worthless without the secret key.
const PEPPERED: &str = "bcrypt-hmac-sha384";
/// Hashes that were imported from elsewhere: bcrypt of the password itself.
const PLAIN: &str = "bcrypt";

const COSTS: std::ops::RangeInclusive<u32> = 4..=31;
/// The highest cost that is worked off for a stored hash, unless we are configured for more: each step doubles the
/// work, and a single hash of cost 31 would keep a thread for days.
const MAX_STORED_COST: u32 = 16;
/// The longest password that can be right: 1,024 characters of up to four bytes each.
const MAX_LENGTH: usize = 4096;

const CONCURRENT: usize = 2;
const WAITING: usize = 16;
const PATIENCE: Duration = Duration::from_millis(2500);

/// Why a hasher cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HasherError {
    /// The cost is not one that bcrypt knows.
    #[error("the bcrypt cost must be from {} to {}, not {_0}", COSTS.start(), COSTS.end())]
    Cost(u32),
    /// The hash for unknown accounts could not be made.
    #[error("bcrypt does not work")]
    Bcrypt(#[from] BcryptError),
}

/// Hashes with bcrypt on the blocking threads: two at a time, sixteen waiting for at most 2.5 s, the others are told
/// to come back.
pub struct BcryptHasher {
    recipes: Arc<Recipes>,
    admission: Arc<Semaphore>,
    slots: Arc<Semaphore>,
    patience: Duration,
}

impl BcryptHasher {
    /// A hasher for a ring of keys. `cost` is the binary logarithm of the rounds, from 4 to 31.
    ///
    /// Blocks for the time of one hash: a real one is made to do the work of accounts that do not exist.
    ///
    /// # Errors
    /// [`HasherError`], above all for a cost out of range.
    pub fn new(keys: &SecretKeys, cost: u32) -> Result<Self, HasherError> {
        Ok(Self {
            recipes: Arc::new(Recipes::new(keys, cost)?),
            admission: Arc::new(Semaphore::new(CONCURRENT + WAITING)),
            slots: Arc::new(Semaphore::new(CONCURRENT)),
            patience: PATIENCE,
        })
    }

    async fn run<T: Send + 'static>(
        &self,
        room: HashRoom,
        work: impl FnOnce(&Recipes) -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let slot = tokio::time::timeout(self.patience, Arc::clone(&self.slots).acquire_owned())
            .await
            .map_err(|_| HashError::Busy)?
            .map_err(|_| HashError::Busy)?;
        let (recipes, span) = (Arc::clone(&self.recipes), tracing::Span::current());
        let running = tokio::task::spawn_blocking(move || {
            // A caller that goes away does not stop a running hash, so the thread itself holds the permits.
            let _held = (room, slot);
            span.in_scope(|| work(&recipes))
        });
        running.await.map_err(|error| {
            // Cancelled means that the process is stopping: another node, or the next start, can do it.
            if error.is_cancelled() { HashError::Busy } else { HashError::Unusable(error.into()) }
        })?
    }
}

#[async_trait]
impl PasswordHasher for BcryptHasher {
    fn room(&self) -> Result<HashRoom, HashError> {
        let place = Arc::clone(&self.admission).try_acquire_owned().map_err(|_| HashError::Busy)?;
        Ok(HashRoom::held_by(place))
    }

    fn adopt(&self, hash: Secret<String>) -> Result<PasswordHash, HashError> {
        self.recipes.cost_of(hash.expose())?;
        Ok(PasswordHash { scheme: PLAIN.to_owned(), pepper_id: String::new(), hash })
    }

    async fn hash(&self, password: Secret<String>) -> Result<PasswordHash, HashError> {
        self.run(self.room()?, move |recipes| recipes.hash(password.expose())).await
    }

    async fn verify_within(
        &self,
        room: HashRoom,
        password: Secret<String>,
        stored: Option<PasswordHash>,
    ) -> Result<PasswordVerdict, HashError> {
        self.run(room, move |recipes| recipes.verify(password.expose(), stored.as_ref())).await
    }
}

/// The peppers, the cost and the hash that nothing matches.
struct Recipes {
    first: Pepper,
    others: Vec<Pepper>,
    cost: u32,
    dummy: String,
}

struct Pepper {
    id: String,
    key: hmac::Key,
}

/// What one check comes down to: whether these bytes belong to this hash.
struct Check<'a> {
    input: Zeroizing<Vec<u8>>,
    hash: &'a str,
    current: bool,
}

impl Recipes {
    fn new(keys: &SecretKeys, cost: u32) -> Result<Self, HasherError> {
        if !COSTS.contains(&cost) {
            return Err(HasherError::Cost(cost));
        }
        let first = Pepper::new(keys.first());
        let others = keys.iter().skip(1).map(Pepper::new).collect();
        let dummy = bcrypt::hash(first.digest(""), cost)?;
        Ok(Self { first, others, cost, dummy })
    }

    fn hash(&self, password: &str) -> Result<PasswordHash, HashError> {
        let hash = bcrypt::hash(self.first.digest(password), self.cost).map_err(unusable)?;
        Ok(PasswordHash {
            scheme: PEPPERED.to_owned(),
            pepper_id: self.first.id.clone(),
            hash: Secret::new(hash),
        })
    }

    /// Does the work of one check at the configured cost whatever is asked, so that the time taken does not tell accounts from guesses. A hash of a
    /// lower cost is less work: what it lacks is done on top of it. One of a higher cost takes longer, until its user has signed in.
    fn verify(&self, password: &str, stored: Option<&PasswordHash>) -> Result<PasswordVerdict, HashError> {
        let possible = !password.is_empty() && password.len() <= MAX_LENGTH;
        let check = match stored.filter(|_| possible) {
            Some(stored) => self.check(password, stored)?,
            None => None,
        };
        let Some(check) = check else {
            bcrypt::verify(self.first.digest(password), &self.dummy).map_err(unusable)?;
            return Ok(PasswordVerdict::Wrong);
        };
        let matches = bcrypt::verify(check.input.as_slice(), check.hash).map_err(unusable)?;
        if !matches {
            self.make_up_for(self.cost_of(check.hash)?)?;
        }
        Ok(match (matches, check.current) {
            (true, true) => PasswordVerdict::Correct,
            (true, false) => PasswordVerdict::CorrectButOutdated,
            (false, _) => PasswordVerdict::Wrong,
        })
    }

    /// The costs of checks that are, with one of this cost, as much work as one of the configured cost: 2^c + (2^c + 2^(c+1) + … + 2^(C-1)) is 2^C.
    const fn lacking(&self, cost: u32) -> std::ops::Range<u32> {
        cost..self.cost
    }

    fn make_up_for(&self, cost: u32) -> Result<(), HashError> {
        let (_, salt_and_digest) = self.dummy.rsplit_once('$').unwrap_or_default();
        for cost in self.lacking(cost) {
            let dummy = format!("$2b${cost:02}${salt_and_digest}");
            bcrypt::verify(self.first.digest(""), &dummy).map_err(unusable)?;
        }
        Ok(())
    }

    /// How to check a stored hash; `None` if its pepper is gone.
    fn check<'a>(&self, password: &str, stored: &'a PasswordHash) -> Result<Option<Check<'a>>, HashError> {
        let hash = stored.hash.expose().as_str();
        let cost = self.cost_of(hash)?;
        match stored.scheme.as_str() {
            PEPPERED => {
                let Some(pepper) = self.pepper(&stored.pepper_id) else {
                    tracing::warn!(
                        pepper_id = stored.pepper_id,
                        "a password hash needs a secret key that is not configured"
                    );
                    return Ok(None);
                };
                let current = cost >= self.cost && pepper.id == self.first.id;
                Ok(Some(Check { input: pepper.digest(password), hash, current }))
            }
            // The platform that made these hashes gave bcrypt the whole password and bcrypt read 72 bytes of it.
            // Reading them any other way would lock out everybody with a longer password; the new hash that
            // follows the first sign-in takes in all of it.
            PLAIN => {
                let input = Zeroizing::new(password.as_bytes().to_vec());
                Ok(Some(Check { input, hash, current: false }))
            }
            _ => Err(HashError::Unusable("the scheme of a stored password hash is unknown".into())),
        }
    }

    fn cost_of(&self, hash: &str) -> Result<u32, HashError> {
        // The fourth variant, `$2x$`, marks hashes of a miscalculating implementation.
        if !["$2a$", "$2b$", "$2y$"].iter().any(|prefix| hash.starts_with(prefix)) {
            return Err(HashError::Unusable("a stored password hash is not of bcrypt 2a, 2b or 2y".into()));
        }
        let cost = hash.parse::<HashParts>().map_err(unusable)?.get_cost();
        if !COSTS.contains(&cost) || cost > self.cost.max(MAX_STORED_COST) {
            return Err(HashError::Unusable("a stored password hash has a cost beyond reason".into()));
        }
        Ok(cost)
    }

    fn pepper(&self, id: &str) -> Option<&Pepper> {
        std::iter::once(&self.first).chain(&self.others).find(|pepper| pepper.id == id)
    }
}

impl Pepper {
    fn new(key: &SecretKey) -> Self {
        Self { id: key.fingerprint().to_owned(), key: hmac::Key::new(hmac::HMAC_SHA384, key.pepper()) }
    }

    fn digest(&self, password: &str) -> Zeroizing<Vec<u8>> {
        let tag = hmac::sign(&self.key, password.as_bytes());
        Zeroizing::new(STANDARD.encode(tag).into_bytes())
    }
}

fn unusable(error: BcryptError) -> HashError {
    HashError::Unusable(error.into())
}
