//! Moments, ranges, time zones and calendar buckets. The only home of calendar arithmetic.

mod bucket;
mod cron;
mod local;
mod zone;

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use bucket::{Bucket, Interval, NotAnInterval};
pub use cron::{Cron, NotACron};
pub use local::LocalTime;
pub use zone::{NotAZone, Zone};

/// A moment: whole microseconds since 1970-01-01 UTC, in the domain and in both databases.
///
/// On the wire it is RFC 3339 in UTC with milliseconds; any offset is accepted on the way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(i64);

impl Instant {
    /// The first moment that a reading may carry: 2000-01-01T00:00:00Z.
    pub const YEAR_2000: Self = Self(946_684_800_000_000);

    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since the epoch; saturates far outside of any calendar.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This moment and a while more; saturates.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// A while before this moment; saturates.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The calendar library's view; moments outside of the years -9999 to 9999 are clamped to them.
    pub(crate) fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.timestamp())
    }
}

/// A text that is not an RFC 3339 moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time with an offset, like 2026-03-29T12:00:00+02:00")]
pub struct NotAnInstant;

impl FromStr for Instant {
    type Err = NotAnInstant;

    /// Parses RFC 3339 with any offset, up to the end of the year 9999. Fractions beyond microseconds are cut off.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A zone annotation in brackets (RFC 9557) is legal to the library, not to our contract.
        if text.len() > 64 || text.contains('[') {
            return Err(NotAnInstant);
        }
        match text.parse::<jiff::Timestamp>() {
            Ok(timestamp) => Ok(Self(timestamp.as_microsecond())),
            Err(_) => parse_at_length(text),
        }
    }
}

/// What RFC 3339 allows and the library's timestamps do not: any number of digits of a second, and the last hours of the
/// year 9999.
fn parse_at_length(text: &str) -> Result<Instant, NotAnInstant> {
    const MOST_DIGITS: usize = 9;
    let mut digits = 0;
    let mut in_fraction = false;
    let short: String = text
        .chars()
        .filter(|c| {
            if in_fraction && c.is_ascii_digit() {
                digits += 1;
            } else {
                in_fraction = *c == '.' && digits == 0;
            }
            digits <= MOST_DIGITS || !in_fraction
        })
        .collect();
    let pieces = jiff::fmt::temporal::Pieces::parse(&short).map_err(|_| NotAnInstant)?;
    let (Some(time), Some(offset)) = (pieces.time(), pieces.to_numeric_offset()) else {
        return Err(NotAnInstant);
    };
    let epoch = jiff::civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    let elapsed = pieces.date().to_datetime(time).duration_since(epoch)
        - jiff::SignedDuration::from_secs(offset.seconds().into());
    i64::try_from(elapsed.as_micros()).map(Instant).map_err(|_| NotAnInstant)
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Where the time comes from. Injected, so that tests choose it.
pub trait Clock: Send + Sync {
    /// The current moment.
    fn now(&self) -> Instant;
}

/// A half-open stretch of time: `from` belongs to it, `to` does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// The first moment inside.
    pub from: Instant,
    /// The first moment after.
    pub to: Instant,
}

impl TimeRange {
    /// Whether the moment lies inside.
    pub fn contains(&self, at: Instant) -> bool {
        self.from <= at && at < self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_offset_is_accepted_and_utc_with_milliseconds_comes_out() {
        for (text, utc) in [
            ("2014-03-30T03:00:00+02:00", "2014-03-30T01:00:00.000Z"),
            ("2014-03-30T01:00:00.1239Z", "2014-03-30T01:00:00.123Z"),
            ("2014-03-29t20:00:00-05:00", "2014-03-30T01:00:00.000Z"),
            ("2014-03-30T01:00:00.12399999999999Z", "2014-03-30T01:00:00.123Z"),
            ("2014-03-30T03:00:00.1230000000000000+02:00", "2014-03-30T01:00:00.123Z"),
            ("1900-01-01T00:00:00Z", "1900-01-01T00:00:00.000Z"),
            ("9999-12-30T22:00:00Z", "9999-12-30T22:00:00.000Z"),
        ] {
            assert_eq!(text.parse::<Instant>().expect(text).to_string(), utc);
        }
    }

    #[test]
    fn a_time_without_offset_or_with_trailing_words_is_refused() {
        for odd in [
            "2014-03-30T03:00:00",
            "2014-03-30",
            "now",
            "",
            "2014-03-30T01:00:00Z[Europe/Paris]",
            "99999-01-01T00:00:00Z",
            "2014-03-30T01:00:00.Z",
            "2014-03-30T01:00:00.1234567890",
            "2014-03-30T01:00:00.1234567890.5Z",
        ] {
            assert_eq!(odd.parse::<Instant>(), Err(NotAnInstant), "{odd}");
        }
    }

    #[test]
    fn the_last_hours_of_the_year_9999_are_moments() {
        let last: Instant = "9999-12-31T23:59:59.999999Z".parse().expect("a moment");
        assert_eq!(last.as_micros(), 253_402_300_799_999_999);
        assert_eq!(
            "9999-12-31T23:59:59-05:00".parse::<Instant>().expect("a moment").as_secs(),
            253_402_318_799
        );
    }

    #[test]
    fn the_year_2000_is_what_it_says() {
        assert_eq!(Instant::YEAR_2000.to_string(), "2000-01-01T00:00:00.000Z");
    }
}
