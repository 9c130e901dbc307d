//! Numbers that a seed gives again.

use std::time::SystemTime;

/// A linear congruential generator: what it makes only has to be varied and repeatable.
pub struct Random(u64);

impl Random {
    /// The one of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another one, for a task beside this one.
    pub fn child(&mut self) -> Self {
        Self((self.below(1 << 31) as u64) << 31 | self.below(1 << 31) as u64)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    /// One of a list.
    pub fn one_of<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).expect("a byte")
    }
}

/// That of `SITEWATCH_TEST_SEED`, to do a failed run again, or a fresh one.
#[expect(clippy::disallowed_methods, reason = "a fresh seed for each run, told before anything can fail")]
pub fn seed() -> u64 {
    if let Some(given) = number("SITEWATCH_TEST_SEED") {
        return given;
    }
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(1, |now| u64::try_from(now.as_nanos()).unwrap_or(1))
}

/// Tells of what was measured, in the run's output.
#[expect(clippy::print_stderr, reason = "what was measured belongs to the run's output")]
pub fn tell(text: &str) {
    eprintln!("{text}");
}

/// The number that a variable of the environment holds.
#[expect(clippy::disallowed_methods, reason = "the switches of the tests come from the environment")]
pub fn number(variable: &str) -> Option<u64> {
    let given = std::env::var_os(variable)?;
    Some(
        given.to_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{variable} is a number")),
    )
}
