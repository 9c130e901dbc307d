//! How many files the process may have open, and how many of them are for clients: a process that runs out of them serves nobody,
//! and cannot open its own database either.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For the database, the log, Redis, mail and files of reports.
const OWN: u64 = 96;
/// For each thread that serves, to wait for its connections.
const PER_WORKER: u64 = 4;
/// However many files there may be: each connection takes memory as well, some 64 KiB.
const MOST_CONNECTIONS: u64 = 4096;
/// What is taken for no limit at all.
const UNLIMITED: u64 = 65_536;

/// Allows the process as many open files as the system lets it have; how many these are.
pub(crate) fn raise_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(UNLIMITED);
    let current = limit.current.unwrap_or(UNLIMITED);
    if wanted <= current {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, current, wanted, "the limit of open files cannot be raised");
            current
        }
    }
}

/// How many connections of clients a process with so many files and threads takes at the same time.
pub(crate) fn connections(files: u64, workers: u16) -> usize {
    let own = OWN.saturating_add(PER_WORKER.saturating_mul(u64::from(workers)));
    let left = files.saturating_sub(own).max(files / 4).min(MOST_CONNECTIONS);
    usize::try_from(left).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_rest() {
        assert_eq!(connections(1_024, 4), 912);
        assert_eq!(connections(64, 4), 16);
        assert_eq!(connections(20_000, 4), 4_096);
    }

    #[test]
    fn the_limit_is_as_high_as_it_may_be() {
        let files = raise_limit();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, Some(files));
        assert!(limit.maximum.is_none_or(|most| most == files), "{limit:?}");
    }
}
