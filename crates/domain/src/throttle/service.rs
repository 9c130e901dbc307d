use super::{AccountKey, Attempts, Counter, OF_LETTERS, OF_PASSWORDS, Pace, Place, unjudged::Which};
use crate::{
    access::{Actor, RequestContext},
    audit::Audit,
    error::Error,
    ids::OrgId,
    limits::RequestClass,
    platform::Platform,
    ports::{StoreError, Tx},
    text::EmailAddress,
    time::Instant,
};

const NO_CHANGE: Audit = Audit::none("how often somebody tried is told by the entries of failed sign-ins");

/// Use cases of throttling: what the others ask before they work for somebody who has not proven who he is.
pub struct Throttle<'a> {
    platform: &'a Platform,
}

/// A guess at a password that may be made. It counts as wrong until it is known to be right.
#[must_use = "a right guess has to be told"]
pub struct Admission {
    account: AccountKey,
    place: Option<Place>,
    counted: Counted,
}

/// Where an attempt was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// With all places where the account has never been signed in.
    Elsewhere,
    /// At this place alone.
    Here,
}

impl<'a> Throttle<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// One more refresh token that was never issued here, or is good for nothing any more; counted like any other attempt from the address.
    ///
    /// # Errors
    /// `Limited`.
    pub(crate) async fn forged(&self, request: &RequestContext) -> Result<(), Error> {
        self.platform.limits().of_visitor(request, RequestClass::Auth).await.admitted()
    }

    /// One more guess at the password of an account, be there one or not. It is counted at once, so that guesses made at the same
    /// moment cannot all be the first.
    ///
    /// # Errors
    /// `Limited`; `Unavailable`: no guess without a count.
    pub async fn guess(&self, request: &RequestContext, email: &EmailAddress) -> Result<Admission, Error> {
        self.count(request, AccountKey::of_sign_in(email), &OF_PASSWORDS).await
    }

    /// One more invitation of an organization to an address, be there an account or not.
    ///
    /// # Errors
    /// `Limited`; `Unavailable`.
    pub async fn invitation(
        &self,
        request: &RequestContext,
        org: OrgId,
        email: &EmailAddress,
    ) -> Result<(), Error> {
        self.count(request, AccountKey::of_invitations(org, email), &OF_LETTERS).await.map(drop)
    }

    /// One more letter to an address, be there an account or not.
    ///
    /// # Errors
    /// `Limited`; `Unavailable`.
    pub async fn letter(&self, request: &RequestContext, email: &EmailAddress) -> Result<(), Error> {
        self.count(request, AccountKey::of_letters(email), &OF_LETTERS).await.map(drop)
    }

    /// Hands on what came of a guess. One that failed on our side was not found to be wrong: it is taken back with the next one that this
    /// process looks at. Nothing is written now, for what failed is mostly the database.
    pub(crate) fn judged<T>(&self, admission: Admission, outcome: Result<T, Error>) -> Result<T, Error> {
        if let Err(Error::Unavailable { .. } | Error::Internal(_)) = outcome {
            self.platform.unjudged().note(admission.which(), self.platform.now());
        }
        outcome
    }

    async fn count(
        &self,
        request: &RequestContext,
        account: AccountKey,
        pace: &Pace,
    ) -> Result<Admission, Error> {
        let place = request.client.map(Place::of);
        let mut tx = self.platform.write(&Actor::anonymous(request.clone())).await?;
        let now = self.platform.now();
        let Attempts { elsewhere, here } = tx.lock_attempts(&account, place.as_ref()).await?;
        let known = here.filter(|here| here.is_live(now));
        let limited = |retry_after| Error::Limited { retry_after };
        let (counted, before) = match known {
            Some(here) => (Counted::Here, here),
            None => (Counted::Elsewhere, elsewhere),
        };
        let admission = Admission { account, place, counted };
        let taken_back = self.platform.unjudged().take(admission.which(), now);
        let more = before.without(taken_back.attempts(), pace).with_one_more(pace, now).map_err(limited)?;
        let counter = match counted {
            // Only success makes a place known for longer.
            Counted::Here => Counter { forget_at: before.forget_at, ..more },
            Counted::Elsewhere => more,
        };
        tx.write_attempts(&admission.account, admission.place_of_count(), &counter).await?;
        // Before the commit, which may be done although its answer is lost: nothing is taken back twice.
        taken_back.settle();
        self.platform.commit(tx, NO_CHANGE).await?;
        Ok(admission)
    }
}

impl Admission {
    /// The guess was right: the count begins anew where it was counted, and the place is one where the account signs in. What was counted
    /// elsewhere stays, or an owner who is at home would let others guess on.
    pub(crate) async fn succeeded(&self, tx: &mut dyn Tx, now: Instant) -> Result<(), StoreError> {
        if self.counted == Counted::Elsewhere {
            tx.write_attempts(&self.account, None, &Counter::default()).await?;
        }
        match &self.place {
            Some(place) => tx.write_attempts(&self.account, Some(place), &Counter::of_success(now)).await,
            None => Ok(()),
        }
    }

    fn which(&self) -> Which {
        (self.account.clone(), self.place_of_count().cloned())
    }

    fn place_of_count(&self) -> Option<&Place> {
        self.place.as_ref().filter(|_| self.counted == Counted::Here)
    }
}
