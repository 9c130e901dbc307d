//! What is known of the bell that comes from elsewhere.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

const UNKNOWN: u8 = 0;
const UP: u8 = 1;
const DOWN: u8 = 2;

/// Whether Redis answers. Shared by whoever talks to it; the last to have noticed is believed.
#[derive(Debug, Clone, Default)]
pub struct RedisHealth(Arc<AtomicU8>);

impl RedisHealth {
    /// It answered. Whether that is news.
    pub(crate) fn answered(&self) -> bool {
        self.0.swap(UP, Ordering::Relaxed) == DOWN
    }

    /// It did not. Whether that is news.
    pub(crate) fn failed(&self) -> bool {
        self.0.swap(DOWN, Ordering::Relaxed) != DOWN
    }

    /// Whether it is known not to answer.
    pub fn is_down(&self) -> bool {
        self.0.load(Ordering::Relaxed) == DOWN
    }

    /// `up`, `down`, or `unknown` before anybody asked.
    pub fn word(&self) -> &'static str {
        match self.0.load(Ordering::Relaxed) {
            UNKNOWN => "unknown",
            UP => "up",
            _ => "down",
        }
    }
}
