//! Throttling of whoever guesses passwords or has letters sent: by address, by account, and by both together.
//!
//! An address has a bucket of attempts, whoever they are about: the class `auth` of [`crate::limits`], which is asked before a request is
//! looked at. An account has a counter in the database of failures in a row from places
//! where it has never been signed in from, each of which delays the next attempt more than the last; so has each place where it has been.
//! Whoever guesses from elsewhere therefore keeps nobody out who signs in from where he always does (decision 0017).
//!
//! Accounts that do not exist are counted like all others, before anybody looks whether they do.

mod repository;
mod service;
mod unjudged;

use std::{fmt, net::IpAddr, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

pub use repository::{AttemptRepository, Attempts};
pub use service::{Admission, Throttle};
pub(crate) use unjudged::Unjudged;

use crate::{ids::OrgId, text::EmailAddress, time::Instant};

/// How long a place is known as one where the account signs in, since it last did.
const PLACE_KNOWN_FOR: Duration = Duration::from_hours(90 * 24);

/// How attempts that go on in vain are slowed down.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Attempts in a row without any delay.
    free: u32,
    /// The delay after those; each further one doubles it.
    first: Duration,
    /// What it grows to.
    most: Duration,
    /// After so many in a row the delay is that of a day.
    bound: Option<u32>,
    /// How long a few are remembered since the last one, and how long more than those.
    kept_for: (Duration, Duration),
}

/// Of passwords: five at once, and eight within the first minute; a hundred in a row take four days, and each further one a day.
pub const OF_PASSWORDS: Pace = Pace {
    free: 5,
    first: Duration::from_secs(6),
    most: Duration::from_hours(1),
    bound: Some(100),
    kept_for: (Duration::from_hours(7 * 24), Duration::from_hours(30 * 24)),
};

/// Of letters to one address: three at once, then one after a minute, and at last one in a quarter of an hour. That is half as long as the way to a
/// new password is good for: whoever has letters sent to others fills no hour in which they have none that works.
pub const OF_LETTERS: Pace = Pace {
    free: 3,
    first: Duration::from_mins(1),
    most: Duration::from_mins(15),
    bound: None,
    kept_for: (Duration::from_hours(24), Duration::from_hours(24)),
};

const DAY: Duration = Duration::from_hours(24);

impl Pace {
    /// How long the next attempt waits after so many in a row.
    fn delay_after(&self, failures: u32) -> Duration {
        match failures.checked_sub(self.free) {
            None => Duration::ZERO,
            Some(_) if self.bound.is_some_and(|bound| failures >= bound) => DAY,
            // Beyond 31 doublings it is above any bound.
            Some(doublings) => self.first.saturating_mul(1 << doublings.min(31)).min(self.most),
        }
    }

    fn kept_after(&self, failures: u32) -> Duration {
        if failures <= self.free { self.kept_for.0 } else { self.kept_for.1 }
    }
}

/// Attempts in a row without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counter {
    /// How many. One that is still being tried counts.
    pub failures: u32,
    /// The next one is not looked at before.
    pub next_at: Instant,
    /// From then on it is as if there had been none.
    pub forget_at: Instant,
}

impl Counter {
    /// Whether it still says something.
    pub fn is_live(&self, now: Instant) -> bool {
        now < self.forget_at
    }

    /// With one more attempt; or how long that has to wait.
    fn with_one_more(self, pace: &Pace, now: Instant) -> Result<Self, Duration> {
        let before = if self.is_live(now) { self } else { Self::default() };
        let wait = before.next_at.since(now);
        // A longer one was written by a clock that has been set back since.
        if !wait.is_zero() && wait <= pace.delay_after(before.failures) {
            return Err(wait);
        }
        let failures = before.failures.saturating_add(1);
        Ok(Self {
            failures,
            next_at: now.plus(pace.delay_after(failures)),
            forget_at: now.plus(pace.kept_after(failures)),
        })
    }

    /// Without so many of its attempts, and without what they added to the delay.
    fn without(self, attempts: u32, pace: &Pace) -> Self {
        let failures = self.failures.saturating_sub(attempts);
        let (longer, delay) = (pace.delay_after(self.failures), pace.delay_after(failures));
        Self { failures, next_at: self.next_at.minus(longer.saturating_sub(delay)), ..self }
    }

    /// Of a place where the account has just been signed in.
    pub(crate) fn of_success(now: Instant) -> Self {
        Self { failures: 0, next_at: now, forget_at: now.plus(PLACE_KNOWN_FOR) }
    }
}

/// What a counter is about: an account, be there one or not, and what is done to it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AccountKey([u8; 32]);

impl AccountKey {
    /// Signing in under this address.
    pub fn of_sign_in(email: &EmailAddress) -> Self {
        Self::of("sign in", email)
    }

    /// Letters to this address.
    pub fn of_letters(email: &EmailAddress) -> Self {
        Self::of("letters", email)
    }

    /// Invitations of an organization to this address: neither strangers nor other organizations use them up.
    pub fn of_invitations(org: OrgId, email: &EmailAddress) -> Self {
        Self::of(&format!("invitations of {org}"), email)
    }

    fn of(what: &str, email: &EmailAddress) -> Self {
        Self(Sha256::digest(format!("{what}:{email}")).into())
    }

    /// The digest that stands for it: what somebody typed is not kept.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Where somebody is, as far as its address tells: one IPv4 address, or the network of an IPv6 address (/64), of which a single
/// customer has all addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place(String);

impl Place {
    /// The place of an address.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                format!("{}/64", std::net::Ipv6Addr::from(network))
            }
        })
    }

    /// What stands for it where it is only counted: 43 characters of base64.
    pub fn digest(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(&self.0))
    }

    /// Its name; never empty.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
