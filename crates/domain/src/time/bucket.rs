//! Calendar buckets: the days, hours and minutes of a time zone, with its 23- and 25-hour days.

use std::{fmt, str::FromStr};

use jiff::{Span, civil, tz::TimeZone};

use super::{Instant, TimeRange, Zone};

const MICROS_PER_MINUTE: i64 = 60_000_000;

/// The length of a bucket, in calendar terms.
///
/// Written as an ISO 8601 duration: minutes that divide an hour (`PT5M`), hours that divide a day (`PT1H`), `P1D`,
/// `P1W` (from Monday) or `P1M`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// So many minutes, counted from the full hour.
    Minutes(u8),
    /// So many hours, counted from local midnight.
    Hours(u8),
    /// A local day.
    Day,
    /// A local week, from Monday.
    Week,
    /// A local month.
    Month,
}

/// A text that is not one of the supported durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a supported ISO 8601 duration: use PT1M to PT30M (dividing an hour), PT1H to PT12H (dividing a day), P1D, P1W or P1M"
)]
pub struct NotAnInterval;

/// One bucket: a half-open range that belongs to one label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// The bucket's first moment, which is also its label.
    pub start: Instant,
    /// The first moment of the next bucket.
    pub end: Instant,
}

impl FromStr for Interval {
    type Err = NotAnInterval;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "P1D" => return Ok(Self::Day),
            "P1W" => return Ok(Self::Week),
            "P1M" => return Ok(Self::Month),
            _ => {}
        }
        let amount = |suffix| {
            let digits = text.strip_prefix("PT")?.strip_suffix(suffix)?;
            let plain =
                !digits.is_empty() && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
            if plain { digits.parse::<u8>().ok() } else { None }
        };
        match (amount('M'), amount('H')) {
            (Some(minutes), _) if minutes < 60 && 60 % minutes == 0 => Ok(Self::Minutes(minutes)),
            (_, Some(hours)) if hours < 24 && 24 % hours == 0 => Ok(Self::Hours(hours)),
            _ => Err(NotAnInterval),
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minutes(minutes) => write!(f, "PT{minutes}M"),
            Self::Hours(hours) => write!(f, "PT{hours}H"),
            Self::Day => f.write_str("P1D"),
            Self::Week => f.write_str("P1W"),
            Self::Month => f.write_str("P1M"),
        }
    }
}

impl Interval {
    /// The buckets that together cover the range, in order; the first may start before it and the last end after it.
    ///
    /// Shape: at most `limit` buckets.
    ///
    /// # Errors
    /// `None` if the range holds more than `limit`; nothing is computed beyond the limit.
    pub fn buckets(self, range: TimeRange, zone: &Zone, limit: usize) -> Option<Vec<Bucket>> {
        let mut buckets = Vec::new();
        let mut start = self.floor(range.from, zone.inner());
        while start < range.to {
            if buckets.len() == limit {
                return None;
            }
            let end = self.next(start, zone.inner());
            // Where clocks are set back by half an hour, the bucket that a moment is floored to may end before it.
            if end > range.from {
                buckets.push(Bucket { start, end });
            }
            start = end;
        }
        Some(buckets)
    }

    /// Whether a bucket begins at this moment.
    pub fn begins_at(self, at: Instant, zone: &Zone) -> bool {
        self.floor(at, zone.inner()) == at
    }

    /// The bucket that holds this moment.
    pub fn bucket_of(self, at: Instant, zone: &Zone) -> Bucket {
        let start = self.floor(at, zone.inner());
        Bucket { start, end: self.next(start, zone.inner()) }
    }

    /// The start of the bucket that holds this moment.
    fn floor(self, at: Instant, zone: &TimeZone) -> Instant {
        match self {
            Self::Minutes(minutes) => floor_elapsed(at, i64::from(minutes) * MICROS_PER_MINUTE, zone),
            Self::Hours(1) => floor_elapsed(at, 60 * MICROS_PER_MINUTE, zone),
            _ => instant_of(self.floor_civil(civil_of(at, zone)), zone),
        }
    }

    /// The start of the bucket that follows the one that starts here.
    fn next(self, start: Instant, zone: &TimeZone) -> Instant {
        let step = match self {
            Self::Minutes(minutes) => {
                return next_elapsed(start, i64::from(minutes) * MICROS_PER_MINUTE, zone);
            }
            Self::Hours(1) => return next_elapsed(start, 60 * MICROS_PER_MINUTE, zone),
            Self::Hours(hours) => Span::new().hours(i64::from(hours)),
            Self::Day => Span::new().days(1),
            Self::Week => Span::new().weeks(1),
            Self::Month => Span::new().months(1),
        };
        // Floored again, since a start that fell into a spring gap was moved behind it.
        let civil = self.floor_civil(civil_of(start, zone));
        civil.checked_add(step).map_or(Instant::from_micros(i64::MAX), |next| instant_of(next, zone))
    }

    fn floor_civil(self, at: civil::DateTime) -> civil::DateTime {
        let midnight = at.date().to_datetime(civil::Time::midnight());
        match self {
            Self::Minutes(_) | Self::Day => midnight,
            Self::Hours(hours) => {
                let hour = at.hour() - at.hour() % i8::try_from(hours).unwrap_or(1);
                at.date().at(hour, 0, 0, 0)
            }
            Self::Week => {
                let since_monday = i64::from(at.weekday().to_monday_zero_offset());
                midnight.checked_sub(Span::new().days(since_monday)).unwrap_or(midnight)
            }
            Self::Month => at.date().first_of_month().to_datetime(civil::Time::midnight()),
        }
    }
}

/// Floors on the local clock by elapsed time, so that the hour that autumn repeats gives two buckets and not one.
fn floor_elapsed(at: Instant, length: i64, zone: &TimeZone) -> Instant {
    let offset = i64::from(zone.to_offset(at.timestamp()).seconds()) * 1_000_000;
    let local = at.as_micros().saturating_add(offset);
    Instant::from_micros(local.div_euclid(length).saturating_mul(length).saturating_sub(offset))
}

/// One length on; where the zone's offset jumps by less than a bucket, the bucket is cut or stretched to fit.
fn next_elapsed(start: Instant, length: i64, zone: &TimeZone) -> Instant {
    let plain = Instant::from_micros(start.as_micros().saturating_add(length));
    let floored = floor_elapsed(plain, length, zone);
    if floored > start { floored } else { plain }
}

fn civil_of(at: Instant, zone: &TimeZone) -> civil::DateTime {
    zone.to_datetime(at.timestamp())
}

/// The moment of a local time: the earlier one where autumn repeats it, the first one after the gap in spring.
fn instant_of(local: civil::DateTime, zone: &TimeZone) -> Instant {
    let timestamp = zone.to_ambiguous_timestamp(local).compatible();
    Instant::from_micros(timestamp.map_or(i64::MAX, jiff::Timestamp::as_microsecond))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: &str, to: &str) -> TimeRange {
        TimeRange { from: from.parse().expect("from"), to: to.parse().expect("to") }
    }

    fn lengths(interval: &str, zone: &str, range: TimeRange) -> Vec<u64> {
        let interval: Interval = interval.parse().expect("interval");
        let buckets = interval.buckets(range, &zone.parse().expect("zone"), 1_000).expect("within the limit");
        for pair in buckets.windows(2) {
            assert_eq!(pair[0].end, pair[1].start, "buckets touch");
        }
        buckets.iter().map(|bucket| bucket.end.since(bucket.start).as_secs() / 60).collect()
    }

    #[test]
    fn the_spring_day_has_23_hours_and_the_autumn_day_25() {
        let spring = range("2014-03-29T00:00:00+01:00", "2014-04-01T00:00:00+02:00");
        assert_eq!(lengths("P1D", "Europe/Paris", spring), [24 * 60, 23 * 60, 24 * 60]);
        let autumn = range("2014-10-25T00:00:00+02:00", "2014-10-28T00:00:00+01:00");
        assert_eq!(lengths("P1D", "Europe/Paris", autumn), [24 * 60, 25 * 60, 24 * 60]);
        let autumn_day = range("2014-10-26T00:00:00+02:00", "2014-10-27T00:00:00+01:00");
        assert_eq!(lengths("PT1H", "Europe/Paris", autumn_day), [60; 25]);
        assert_eq!(lengths("PT6H", "Europe/Paris", autumn_day), [7 * 60, 6 * 60, 6 * 60, 6 * 60]);
    }

    #[test]
    fn a_midnight_that_does_not_exist_starts_the_day_after_the_gap() {
        let gap = range("2018-11-03T12:00:00-03:00", "2018-11-05T12:00:00-02:00");
        assert_eq!(lengths("P1D", "America/Sao_Paulo", gap), [24 * 60, 23 * 60, 24 * 60]);
    }

    #[test]
    fn half_hour_offsets_and_half_hour_jumps_keep_the_buckets_whole() {
        let india = range("2026-01-01T00:00:00+05:30", "2026-01-01T03:00:00+05:30");
        assert_eq!(lengths("PT1H", "Asia/Kolkata", india), [60; 3]);
        let lord_howe = range("2026-04-04T12:00:00Z", "2026-04-05T12:00:00Z");
        let minutes: u64 = lengths("PT1H", "Australia/Lord_Howe", lord_howe).iter().sum();
        assert!((24 * 60..=25 * 60).contains(&minutes), "{minutes}");
    }

    #[test]
    fn the_first_bucket_holds_the_start_of_the_range() {
        let interval: Interval = "PT5M".parse().expect("interval");
        let odd = range("2026-01-01T00:03:00Z", "2026-01-01T00:11:00Z");
        let buckets = interval.buckets(odd, &Zone::UTC, 10).expect("three");
        assert_eq!(buckets.len(), 3);
        assert_eq!(buckets[0].start.to_string(), "2026-01-01T00:00:00.000Z");
        assert_eq!(interval.buckets(odd, &Zone::UTC, 2), None);
    }

    #[test]
    fn no_bucket_ends_before_the_range() {
        let zone = "Australia/Lord_Howe".parse().expect("a zone");
        let after_the_change = range("2026-04-04T14:45:00Z", "2026-04-04T15:00:00Z");
        let buckets = Interval::Hours(1).buckets(after_the_change, &zone, 10).expect("one");
        let starts: Vec<String> = buckets.iter().map(|bucket| bucket.start.to_string()).collect();
        assert_eq!(starts, ["2026-04-04T14:30:00.000Z"]);
    }

    #[test]
    fn only_the_named_durations_are_intervals() {
        for good in ["PT1M", "PT5M", "PT30M", "PT1H", "PT12H", "P1D", "P1W", "P1M"] {
            assert_eq!(good.parse::<Interval>().expect(good).to_string(), good);
        }
        for bad in [
            "", "5m", "PT", "PT0M", "PT7M", "PT60M", "PT24H", "PT5H", "P2D", "PT1.5H", "PT+5M", "PT05M",
            "pt5m", "PT1H30M",
        ] {
            assert_eq!(bad.parse::<Interval>(), Err(NotAnInterval), "{bad}");
        }
    }
}
