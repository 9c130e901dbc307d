use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{access::Credential, ids::UserId, time::Instant};

/// Entries a minute for one caller.
const FOR_ONE: u32 = 10;
/// Entries a minute for all together who have not said who they are.
const FOR_ALL_ANONYMOUS: u32 = 100;
const WINDOW: Duration = Duration::from_mins(1);

/// Whose entries are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    /// Somebody who signed in.
    User(UserId),
    /// A key, or a device.
    Credential(Credential),
    /// An address, or none that is known.
    Anonymous(Option<IpAddr>),
}

/// How many entries callers may still cause by being refused: without a bound anybody could fill the log. Counted in this
/// process alone, by the minute.
#[derive(Debug, Default)]
pub(crate) struct Budget(Mutex<Minute>);

#[derive(Debug)]
struct Minute {
    began: Instant,
    anonymous: u32,
    by_caller: HashMap<Caller, u32>,
}

impl Default for Minute {
    fn default() -> Self {
        Self { began: Instant::from_micros(0), anonymous: 0, by_caller: HashMap::new() }
    }
}

impl Budget {
    /// Whether one more entry of the caller is written; counts it if so.
    pub(crate) fn take(&self, caller: Caller, now: Instant) -> bool {
        // Counters are whole at every moment, so a thread that panicked left nothing half done.
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now < minute.began || now >= minute.began.plus(WINDOW) {
            *minute = Minute { began: now, ..Minute::default() };
        }
        let is_anonymous = matches!(caller, Caller::Anonymous(_));
        // Asked first: the map then never holds more addresses than entries were written.
        if is_anonymous && minute.anonymous >= FOR_ALL_ANONYMOUS {
            return false;
        }
        let count = minute.by_caller.entry(caller).or_default();
        if *count >= FOR_ONE {
            return false;
        }
        *count = count.saturating_add(1);
        if is_anonymous {
            minute.anonymous = minute.anonymous.saturating_add(1);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::ids::Id;

    fn taken(budget: &Budget, caller: Caller, times: u32, now: Instant) -> usize {
        (0..times).filter(|_| budget.take(caller, now)).count()
    }

    #[test]
    fn each_caller_has_ten_a_minute() {
        let (budget, now) = (Budget::default(), Instant::from_secs(1_000_000));
        let [one, two] = [1, 2].map(|id| Caller::User(Id::from_uuid(uuid::Uuid::from_u128(id))));
        assert_eq!((taken(&budget, one, 30, now), taken(&budget, two, 3, now)), (10, 3));
        assert_eq!(taken(&budget, one, 1, now.plus(Duration::from_secs(59))), 0);
        assert_eq!(taken(&budget, one, 30, now.plus(WINDOW)), 10);
        assert_eq!(taken(&budget, one, 30, now), 10, "a clock that was set back starts a new minute");
    }

    #[test]
    fn strangers_share_a_hundred() {
        let (budget, now) = (Budget::default(), Instant::from_secs(1_000_000));
        let address = |last: u8| Caller::Anonymous(Some(Ipv4Addr::new(192, 0, 2, last).into()));
        let all: usize = (0..50).map(|last| taken(&budget, address(last), 3, now)).sum();
        assert_eq!(all, 100);
        assert_eq!(budget.0.lock().expect("no test panics").by_caller.len(), 34);
        let user = Caller::User(Id::from_uuid(uuid::Uuid::from_u128(1)));
        assert!(budget.take(user, now), "who signed in has his own");
    }
}
