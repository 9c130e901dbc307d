//! How many connections are open, when that is too many to keep them after an answer, and who has too many of them.
//!
//! The head of a connection's first request has an end to its time, and a connection without a request has one too. In between
//! the protocol layer waits for ever: for the rest of the head of a later request. Where no connection is kept there are no later
//! ones, so those who stop there never hold more than half of the connections. It also waits for ever for a client that does not read what
//! it asked for; the kernel does not.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, Shutdown},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use socket2::SockRef;
use tokio::net::TcpStream;

use crate::client_address::TrustedProxies;

/// How long a client may leave unread what it was sent.
const UNREAD_FOR: Duration = Duration::from_secs(15);
/// One in so many of all connections is what a single address may have.
const PARTS: usize = 16;

/// The open connections of a server.
#[derive(Debug)]
pub(crate) struct Crowd {
    open: AtomicUsize,
    most_kept: usize,
    most_of_one: usize,
    proxies: TrustedProxies,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

impl Crowd {
    /// For a server that has at most so many open at the same time. What comes over a trusted proxy, or from this machine, is of many.
    pub(crate) fn of_at_most(connections: usize, proxies: TrustedProxies) -> Arc<Self> {
        Arc::new(Self {
            open: AtomicUsize::new(0),
            most_kept: connections / 2,
            most_of_one: (connections / PARTS).max(1),
            proxies,
            by_address: Mutex::default(),
        })
    }

    /// Takes a connection in, until what is returned is dropped with it. One too many of its address is closed at once.
    pub(crate) fn take_in(self: &Arc<Self>, connection: &TcpStream) -> Present {
        let socket = SockRef::from(connection);
        // On a socket that is closed already there is nothing to do.
        #[cfg(target_os = "linux")]
        let _closed = socket.set_tcp_user_timeout(Some(UNREAD_FOR));
        let peer = connection.peer_addr().ok().map(|peer| peer.ip());
        let (present, is_one_too_many) = self.enter(peer);
        if is_one_too_many {
            let _closed = socket.shutdown(Shutdown::Both);
        }
        present
    }

    /// Counts a connection; whether it is one too many of its address.
    fn enter(self: &Arc<Self>, peer: Option<IpAddr>) -> (Present, bool) {
        self.open.fetch_add(1, Ordering::Relaxed);
        let counted = peer.map(|peer| peer.to_canonical());
        let counted =
            counted.filter(|peer| !peer.is_loopback() && !self.proxies.include(*peer)).map(network_of);
        let is_one_too_many = counted.is_some_and(|network| {
            let mut by_address = self.by_address();
            let open = by_address.entry(network).or_default();
            *open += 1;
            *open > self.most_of_one
        });
        (Present { crowd: Arc::clone(self), counted }, is_one_too_many)
    }

    fn by_address(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever has one address of an IPv6 network has all of its 2⁶⁴.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// A connection that is counted.
#[derive(Debug)]
pub(crate) struct Present {
    crowd: Arc<Crowd>,
    counted: Option<IpAddr>,
}

impl Present {
    /// Whether connections are closed after their answers now.
    pub(crate) fn is_crowded(&self) -> bool {
        self.crowd.open.load(Ordering::Relaxed) > self.crowd.most_kept
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.crowd.open.fetch_sub(1, Ordering::Relaxed);
        let Some(network) = self.counted else { return };
        let mut by_address = self.crowd.by_address();
        if let Some(open) = by_address.get_mut(&network) {
            *open -= 1;
            if *open == 0 {
                by_address.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(crowd: &Arc<Crowd>, address: &str) -> (Present, bool) {
        crowd.enter(Some(address.parse().expect("an address")))
    }

    #[test]
    fn an_address_has_a_part_of_the_connections() {
        let proxies = TrustedProxies::within(vec!["192.0.2.0/24".parse().expect("a network")]);
        let crowd = Crowd::of_at_most(32, proxies);
        let first = ["198.51.100.7", "::ffff:198.51.100.7"].map(|address| is_refused(&crowd, address));
        assert!(first.iter().all(|(_, is_refused)| !is_refused));
        assert!(is_refused(&crowd, "198.51.100.7").1, "a third one");
        assert!(!is_refused(&crowd, "198.51.100.8").1, "of somebody else");
        drop(first);
        assert!(!is_refused(&crowd, "198.51.100.7").1, "after two have ended");

        let together = ["2001:db8::1", "2001:db8::2"].map(|address| is_refused(&crowd, address));
        assert!(is_refused(&crowd, "2001:db8::ffff:3").1, "of the same network");
        assert!(!is_refused(&crowd, "2001:db8:0:1::1").1, "of another network");

        let shared = ["192.0.2.1", "127.0.0.1", "::1"];
        let of_many: Vec<_> =
            shared.iter().flat_map(|address| (0..5).map(|_| is_refused(&crowd, address))).collect();
        assert!(of_many.iter().all(|(_, is_refused)| !is_refused));
        drop((together, of_many));
        assert!(crowd.by_address().is_empty(), "nobody is remembered who is gone");
    }
}
