//! Times of a calendar, as cron writes them, in a time zone with its days of 23 and 25 hours.

use std::{fmt, str::FromStr};

use croner::parser::{CronParser, Seconds, Year};
use jiff::{
    SignedDuration, Timestamp, Zoned,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};

use super::{Instant, Zone};

const HOURS_OF_A_DAY: usize = 24;

/// Five fields: minute, hour, day of the month, month, day of the week.
///
/// Lists, ranges, steps and English names, and `L`, `W` and `#` for last, nearest working and nth days. If both days are limited,
/// either is enough. A time of the clock that a day skips is the moment at which the clock jumped; one that a day has twice is the
/// first of both. What is said of every hour goes with the hours that there are.
#[derive(Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    times: croner::Cron,
}

/// A text that is not a cron expression, or one that no day ever fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a cron expression with times to come: five fields are minute, hour, day of the month, month, day of the week, like 30 6 * * MON-FRI"
)]
pub struct NotACron;

impl Cron {
    /// The first moment after this one. `None` if there is none.
    pub fn next_after(&self, zone: &Zone, at: Instant) -> Option<Instant> {
        let now = whole_second(zone, at)?;
        if self.is_every_hour() {
            return self.times.find_next_occurrence(&now, false).ok().map(instant);
        }
        // Within a repeated hour its first pass is not far enough.
        let mut wall = self.times.find_next_occurrence(&now.datetime(), true).ok()?;
        loop {
            let moment = moment_of(zone.inner(), wall)?;
            if moment > now.timestamp() {
                return Some(Instant::from_micros(moment.as_microsecond()));
            }
            wall = self.times.find_next_occurrence(&wall, false).ok()?;
        }
    }

    /// The last moment up to this one, which may be this one itself. `None` if there is none.
    pub fn last_until(&self, zone: &Zone, at: Instant) -> Option<Instant> {
        let now = whole_second(zone, at)?;
        if self.is_every_hour() {
            return self.times.find_previous_occurrence(&now, true).ok().map(instant);
        }
        let ahead = now.datetime().checked_add(repeated(&now)).ok()?;
        let mut wall = self.times.find_previous_occurrence(&ahead, true).ok()?;
        loop {
            let moment = moment_of(zone.inner(), wall)?;
            if moment <= now.timestamp() {
                return Some(Instant::from_micros(moment.as_microsecond()));
            }
            wall = self.times.find_previous_occurrence(&wall, false).ok()?;
        }
    }

    fn is_every_hour(&self) -> bool {
        self.times.pattern.hours.values().len() == HOURS_OF_A_DAY
    }
}

impl FromStr for Cron {
    type Err = NotACron;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        // The library takes nicknames, further fields and empty items of lists; only this form is ours.
        let has_empty_items = fields.iter().any(|field| field.split(',').any(str::is_empty));
        if fields.len() != 5 || text.len() > 100 || has_empty_items {
            return Err(NotACron);
        }
        let text = fields.join(" ");
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = Self { times: parser.parse(&text).map_err(|_| NotACron)?, text };
        cron.next_after(&Zone::UTC, Instant::YEAR_2000).ok_or(NotACron)?;
        Ok(cron)
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn instant(at: Zoned) -> Instant {
    Instant::from_micros(at.timestamp().as_microsecond())
}

fn whole_second(zone: &Zone, at: Instant) -> Option<Zoned> {
    Timestamp::from_second(at.as_secs()).ok().map(|second| second.to_zoned(zone.inner().clone()))
}

/// The moment of a time of the clock: later times of the clock are never earlier moments.
fn moment_of(zone: &TimeZone, wall: DateTime) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(wall);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok(),
        // Read with the offset to come, it lies before the clock jumps.
        AmbiguousOffset::Gap { .. } => {
            let before = ambiguous.earlier().ok()?;
            zone.following(before).next().map(|jump| jump.timestamp())
        }
    }
}

/// How much of the clock's time a repeated hour may have shown already that this moment's clock does not show yet.
fn repeated(now: &Zoned) -> SignedDuration {
    match now.time_zone().to_ambiguous_timestamp(now.datetime()).offset() {
        AmbiguousOffset::Fold { before, after } => after.duration_until(before),
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } => SignedDuration::ZERO,
    }
}

#[cfg(test)]
#[path = "cron_tests.rs"]
mod tests;
