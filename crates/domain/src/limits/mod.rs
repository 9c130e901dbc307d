//! Limits of requests: how many a caller may make, and how many may come from one address, by class of request.
//!
//! A request takes one from the bucket of its caller and one from that of his address, which is wider, or nothing from either if one of them
//! is empty: whoever asks too much uses up nothing of his neighbours'. A request of nobody takes from the address alone (decision 0021).

mod service;

pub use service::{Counted, Limits, Policy};

use std::collections::BTreeMap;

use crate::{access::Horizon, ids::OrgId, ports::Quota};

/// What kind of work a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestClass {
    /// Showing a password or a one-time token, having a letter sent.
    Auth,
    /// Looking at something.
    Read,
    /// Changing something.
    Write,
    /// What devices send.
    Ingest,
    /// Having a file made, and fetching it.
    Export,
}

impl RequestClass {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Auth, Self::Read, Self::Write, Self::Ingest, Self::Export];

    /// Its name, and that of the limit of a caller.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Read => "read",
            Self::Write => "write",
            Self::Ingest => "ingest",
            Self::Export => "export",
        }
    }

    /// The name of the limit of an address.
    pub const fn name_of_address(self) -> &'static str {
        match self {
            Self::Auth => "auth-address",
            Self::Read => "read-address",
            Self::Write => "write-address",
            Self::Ingest => "ingest-address",
            Self::Export => "export-address",
        }
    }
}

/// How many requests of each class a caller may make in a minute, one after another; at least 1. A quarter of them may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// From one address; one caller may make half of them.
    pub auth: u32,
    /// As a caller.
    pub read: u32,
    /// As a caller.
    pub write: u32,
    /// As a caller.
    pub ingest: u32,
    /// As a caller.
    pub export: u32,
    /// How many times as many may come from one address; of all classes but `auth`.
    pub address_factor: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { auth: 20, read: 1_200, write: 300, ingest: 6_000, export: 20, address_factor: 10 }
    }
}

impl Thresholds {
    /// The quota of one caller.
    pub const fn of_caller(&self, class: RequestClass) -> Quota {
        Quota::per_minute(match class {
            RequestClass::Auth => self.auth.div_ceil(2),
            RequestClass::Read => self.read,
            RequestClass::Write => self.write,
            RequestClass::Ingest => self.ingest,
            RequestClass::Export => self.export,
        })
    }

    /// The quota of one address.
    pub const fn of_address(&self, class: RequestClass) -> Quota {
        match class {
            RequestClass::Auth => Quota::per_minute(self.auth),
            RequestClass::Read | RequestClass::Write | RequestClass::Ingest | RequestClass::Export => {
                Quota::per_minute(self.of_caller(class).per_minute.saturating_mul(self.address_factor))
            }
        }
    }
}

/// Organizations whose callers may make more requests than others, or fewer: how much of the thresholds is theirs, in percent. Limits of
/// signing in and of addresses are the same for all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shares(pub BTreeMap<OrgId, u32>);

impl Shares {
    /// What a caller with this horizon has of a quota; of several organizations, that of the one with the largest share.
    fn of(&self, horizon: &Horizon, class: RequestClass, quota: Quota) -> Quota {
        let (Horizon::Within { orgs, .. }, false) = (horizon, class == RequestClass::Auth) else {
            return quota;
        };
        let share = orgs.iter().map(|org| self.0.get(org).copied().unwrap_or(100)).max();
        let per_minute = u64::from(quota.per_minute) * u64::from(share.unwrap_or(100)) / 100;
        Quota::per_minute(u32::try_from(per_minute).unwrap_or(u32::MAX).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_more_than_a_caller() {
        let thresholds = Thresholds::default();
        let per_minute = |class| {
            let (caller, address) = (thresholds.of_caller(class), thresholds.of_address(class));
            (caller.per_minute, address.per_minute)
        };
        let all: Vec<_> = RequestClass::ALL.iter().map(|class| per_minute(*class)).collect();
        assert_eq!(all, [(10, 20), (1_200, 12_000), (300, 3_000), (6_000, 60_000), (20, 200)]);
        assert_eq!(thresholds.of_caller(RequestClass::Write).burst, 75);
    }

    #[test]
    fn names_begin_with_their_class() {
        for class in RequestClass::ALL {
            assert_eq!(class.name_of_address(), format!("{}-address", class.name()));
        }
    }
}
