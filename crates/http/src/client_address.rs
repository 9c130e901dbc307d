//! Who asks: the address of a client behind trusted proxies.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use actix_web::http::header::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// The one header that is read. `Forwarded` and others say the same in other words, and two that differ would leave a choice.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The one header that says what the client asked over.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The proxies whose word on the addresses of their clients is taken.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrustedProxies {
    networks: Arc<[IpNet]>,
    has_warned: Arc<AtomicBool>,
}

impl TrustedProxies {
    /// Those in these networks; none of them: nobody's word is taken.
    pub(crate) fn within(networks: Vec<IpNet>) -> Self {
        Self { networks: networks.into(), has_warned: Arc::default() }
    }

    /// The address of the client. Each proxy adds the address that it was asked from at the end, so the list is walked from there: the
    /// first address that no trusted proxy has is the client's, and whatever stands before it was written by the client himself.
    ///
    /// The peer's own address if it is no trusted proxy, or an address that the walk meets cannot be read. Whatever form it comes in,
    /// an IPv4 address is one.
    pub(crate) fn client(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer?.ip().to_canonical();
        if !self.include(peer) {
            self.warn_of(peer, headers);
            return Some(peer);
        }
        let mut client = peer;
        let lines: Vec<_> = headers.get_all(FORWARDED_FOR).collect();
        for line in lines.into_iter().rev() {
            // Byte by byte, for what the client wrote need not be text. Empty elements of a list mean nothing (RFC 9110, 5.6.1).
            let hops = line.as_bytes().rsplit(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            for hop in hops.filter(|hop| !hop.is_empty()) {
                let Some(address) = address_of(hop) else { return Some(peer) };
                client = address;
                if !self.include(address) {
                    return Some(client);
                }
            }
        }
        Some(client)
    }

    /// Whether a trusted proxy says that the client asked over HTTPS. Where several say something, all of them have to: a plain
    /// stretch anywhere is no HTTPS.
    pub(crate) fn say_https(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> bool {
        if !peer.is_some_and(|peer| self.include(peer.ip().to_canonical())) {
            return false;
        }
        let lines = headers.get_all(FORWARDED_PROTO);
        let mut words = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).peekable();
        words.peek().is_some() && words.all(|word| word.trim_ascii().eq_ignore_ascii_case(b"https"))
    }

    /// Whether this is one of them.
    pub(crate) fn include(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Once: a proxy on this machine or network that is not trusted makes one client of all.
    fn warn_of(&self, peer: IpAddr, headers: &HeaderMap) {
        let is_near = match peer {
            IpAddr::V4(peer) => peer.is_loopback() || peer.is_private(),
            IpAddr::V6(peer) => peer.is_loopback() || peer.is_unique_local(),
        };
        if is_near && headers.contains_key(FORWARDED_FOR) && !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                client.address = %peer,
                "a request came through a proxy that server.trusted_proxies does not name: all its clients share its address"
            );
        }
    }
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address_of(hop: &[u8]) -> Option<IpAddr> {
    let hop = str::from_utf8(hop).ok()?;
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
    let address = match bare {
        Some(bare) => bare.parse().map(IpAddr::V6).ok(),
        None => hop.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip())),
    };
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
#[path = "client_address_tests.rs"]
mod tests;
