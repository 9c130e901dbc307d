//! Secrets that a test has handed out or was given, each of them known again wherever it turns up.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// What all secrets of the test's own have in common, in any spelling of upper and lower case.
const MARK: &str = "c4n4ry";
/// So much of a secret gives it away.
const TAIL: usize = 24;

/// The secrets.
pub struct Planted {
    count: AtomicU64,
    /// The server's own, and other spellings of the test's.
    learnt: Mutex<Vec<String>>,
}

impl Planted {
    /// None yet.
    pub fn new() -> Self {
        Self { count: AtomicU64::new(0), learnt: Mutex::default() }
    }

    /// A new one, good as a password.
    pub fn secret(&self) -> String {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        // No two of them end alike, as passwords that somebody chose.
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{MARK}{number}Zq{mixed:x}")
    }

    /// One that the server made: a token, a key.
    pub fn learn(&self, secret: &str) -> String {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.remember(secret);
        secret.to_owned()
    }

    /// A name and a password as `Basic` has them (RFC 7617).
    pub fn basic(&self) -> String {
        let coded = STANDARD.encode(format!("ada@example.org:{}", self.secret()));
        self.remember(&coded);
        format!("Basic {coded}")
    }

    fn remember(&self, secret: &str) {
        assert!(secret.len() >= TAIL, "{secret} is no secret");
        self.learnt
            .lock()
            .expect("no panic while it is locked")
            .push(secret[secret.len() - TAIL..].to_owned());
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The places in a text where one of them stands, with what is around it.
    pub fn found_in(&self, text: &str) -> Vec<String> {
        let lower = text.to_ascii_lowercase();
        let learnt = self.learnt.lock().expect("no panic while it is locked");
        let learnt = learnt.iter().flat_map(|secret| text.match_indices(secret.as_str()));
        let places = lower.match_indices(MARK).chain(learnt).map(|(at, _)| at);
        let around = |at: usize| {
            let bytes = text.as_bytes();
            let part = &bytes[at.saturating_sub(300)..(at + 80).min(bytes.len())];
            String::from_utf8_lossy(part).into_owned()
        };
        places.take(5).map(around).collect()
    }
}
