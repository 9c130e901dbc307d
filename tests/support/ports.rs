//! Free TCP ports on the loopback address.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

/// Below those that the kernel gives to connections (from 32768 on, unless somebody has changed it): a server that starts a moment later
/// would find its port taken by any of the thousands of connections of other cases.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

/// A port of 127.0.0.1 that nobody listened on a moment ago, and that this process has not named for long.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test programs that run beside each other begin at different places.
    let begin = std::process::id().wrapping_mul(7_919) % u32::from(COUNT);
    for _ in 0..COUNT {
        let offset = (begin + u32::from(NEXT.fetch_add(1, Ordering::Relaxed))) % u32::from(COUNT);
        let port = FIRST + u16::try_from(offset).expect("less than there are");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port of 127.0.0.1 is free from {FIRST} on");
}
