//! Calendar periods: the days, weeks and months of a time zone.

use std::fmt;

use jiff::civil::{Date, ISOWeekDate, Weekday};

use crate::time::{Instant, Interval, TimeRange, Zone};

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeriodKind {
    /// A local day, of 23 to 25 hours where clocks change.
    Day,
    /// A local week, from Monday, numbered as ISO 8601 does.
    Week,
    /// A local month.
    Month,
}

impl PeriodKind {
    /// All kinds.
    pub const ALL: &'static [Self] = &[Self::Day, Self::Week, Self::Month];

    /// The name on the wire and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    const fn interval(self) -> Interval {
        match self {
            Self::Day => Interval::Day,
            Self::Week => Interval::Week,
            Self::Month => Interval::Month,
        }
    }
}

/// A day, a week or a month of a time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    kind: PeriodKind,
    zone: Zone,
    range: TimeRange,
}

/// A text that is not the label of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a day, week or month, like 2014-03-30, 2014-W13 or 2014-03")]
pub struct NotAPeriod;

impl Period {
    /// The period that holds a moment.
    pub fn containing(kind: PeriodKind, at: Instant, zone: &Zone) -> Self {
        let bucket = kind.interval().bucket_of(at, zone);
        Self { kind, zone: zone.clone(), range: TimeRange { from: bucket.start, to: bucket.end } }
    }

    /// The last period that is over at a moment; the first moment of a period ends the one before.
    pub fn last_finished(kind: PeriodKind, now: Instant, zone: &Zone) -> Self {
        Self::containing(kind, now, zone).previous()
    }

    /// The period with that label.
    ///
    /// # Errors
    /// If the text is no label, or names a day that the zone's calendar left out.
    pub fn labelled(label: &str, zone: &Zone) -> Result<Self, NotAPeriod> {
        let (kind, date) = first_day(label).ok_or(NotAPeriod)?;
        // From noon of the first day, which is there on every day that is.
        let noon = zone.inner().to_ambiguous_timestamp(date.at(12, 0, 0, 0)).compatible();
        let noon = noon.map_err(|_| NotAPeriod)?;
        let period = Self::containing(kind, Instant::from_micros(noon.as_microsecond()), zone);
        if period.label() == label { Ok(period) } else { Err(NotAPeriod) }
    }

    /// How long it is.
    pub const fn kind(&self) -> PeriodKind {
        self.kind
    }

    /// From its first moment to the first one after it.
    pub const fn range(&self) -> TimeRange {
        self.range
    }

    /// The time zone whose calendar it belongs to.
    pub const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Its name: `2014-03-30`, `2014-W13` or `2014-03`. Labels of one kind sort as their periods do.
    pub fn label(&self) -> String {
        let date = self.zone.inner().to_datetime(self.range.from.timestamp()).date();
        match self.kind {
            PeriodKind::Day => date.to_string(),
            PeriodKind::Week => {
                let week = date.iso_week_date();
                format!("{:04}-W{:02}", week.year(), week.week())
            }
            PeriodKind::Month => format!("{:04}-{:02}", date.year(), date.month()),
        }
    }

    /// The period before.
    pub fn previous(&self) -> Self {
        let just_before = Instant::from_micros(self.range.from.as_micros().saturating_sub(1));
        Self::containing(self.kind, just_before, &self.zone)
    }

    /// The period after.
    pub fn next(&self) -> Self {
        Self::containing(self.kind, self.range.to, &self.zone)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

/// What a label says: its kind and the first day.
fn first_day(label: &str) -> Option<(PeriodKind, Date)> {
    let (year, rest) = label.split_once('-')?;
    let year = digits(year, 4)?;
    if let Some(week) = rest.strip_prefix('W') {
        let week = i8::try_from(digits(week, 2)?).ok()?;
        return Some((PeriodKind::Week, ISOWeekDate::new(year, week, Weekday::Monday).ok()?.date()));
    }
    let (month, day) = rest.split_once('-').map_or((rest, None), |(month, day)| (month, Some(day)));
    let month = i8::try_from(digits(month, 2)?).ok()?;
    let Some(day) = day else {
        return Some((PeriodKind::Month, Date::new(year, month, 1).ok()?));
    };
    Some((PeriodKind::Day, Date::new(year, month, i8::try_from(digits(day, 2)?).ok()?).ok()?))
}

fn digits(text: &str, count: usize) -> Option<i16> {
    let plain = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        name.parse().expect("a zone")
    }

    fn at(text: &str) -> Instant {
        text.parse().expect("a moment")
    }

    fn hours(period: &Period) -> u64 {
        period.range().to.since(period.range().from).as_secs() / 3600
    }

    #[test]
    fn periods_have_the_labels_of_their_zones_calendar() {
        let paris = zone("Europe/Paris");
        for (kind, moment, label, from, to) in [
            (
                PeriodKind::Day,
                "2014-03-29T23:00:00Z",
                "2014-03-30",
                "2014-03-29T23:00:00Z",
                "2014-03-30T22:00:00Z",
            ),
            (
                PeriodKind::Week,
                "2014-03-30T21:59:59Z",
                "2014-W13",
                "2014-03-23T23:00:00Z",
                "2014-03-30T22:00:00Z",
            ),
            (
                PeriodKind::Month,
                "2014-03-31T21:59:59Z",
                "2014-03",
                "2014-02-28T23:00:00Z",
                "2014-03-31T22:00:00Z",
            ),
            (
                PeriodKind::Week,
                "2021-01-03T12:00:00Z",
                "2020-W53",
                "2020-12-27T23:00:00Z",
                "2021-01-03T23:00:00Z",
            ),
        ] {
            let period = Period::containing(kind, at(moment), &paris);
            assert_eq!(period.label(), label);
            assert_eq!(period.range(), TimeRange { from: at(from), to: at(to) }, "{label}");
            assert_eq!(Period::labelled(label, &paris).as_ref(), Ok(&period));
        }
    }

    #[test]
    fn days_of_23_and_25_hours_are_as_long_as_they_are() {
        let paris = zone("Europe/Paris");
        for (label, long) in [
            ("2014-03-30", 23),
            ("2014-10-26", 25),
            ("2014-10-27", 24),
            ("2014-W13", 167),
            ("2014-W43", 169),
            ("2014-03", 743),
            ("2014-10", 745),
        ] {
            assert_eq!(hours(&Period::labelled(label, &paris).expect(label)), long, "{label}");
        }
    }

    #[test]
    fn the_last_finished_period_ends_before_the_moment_or_at_it() {
        let paris = zone("Europe/Paris");
        let midnight = at("2014-03-31T22:00:00Z");
        let just_before = Instant::from_micros(midnight.as_micros() - 1);
        for (kind, label, label_before) in [
            (PeriodKind::Day, "2014-03-31", "2014-03-30"),
            (PeriodKind::Week, "2014-W13", "2014-W13"),
            (PeriodKind::Month, "2014-03", "2014-02"),
        ] {
            assert_eq!(Period::last_finished(kind, midnight, &paris).label(), label);
            assert_eq!(Period::last_finished(kind, just_before, &paris).label(), label_before);
        }
    }

    #[test]
    fn periods_touch_and_previous_undoes_next() {
        for name in ["Europe/Paris", "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Apia", "UTC"] {
            for kind in PeriodKind::ALL {
                let mut period = Period::containing(*kind, at("2009-12-30T12:00:00Z"), &zone(name));
                for _ in 0..1_000 {
                    let next = period.next();
                    assert_eq!(period.range().to, next.range().from, "{name} {period}");
                    assert!(next.label() > period.label(), "{name} {period} {next}");
                    assert_eq!(next.previous(), period, "{name} {period}");
                    period = next;
                }
            }
        }
    }

    #[test]
    fn a_day_that_the_calendar_left_out_is_no_period() {
        let apia = zone("Pacific/Apia");
        assert_eq!(Period::labelled("2011-12-30", &apia), Err(NotAPeriod));
        let new_years_eve = Period::labelled("2011-12-31", &apia).expect("a day");
        assert_eq!(new_years_eve.previous().label(), "2011-12-29");
    }

    #[test]
    fn a_midnight_that_does_not_exist_starts_the_day_behind_the_gap() {
        let day = Period::labelled("2018-11-04", &zone("America/Sao_Paulo")).expect("a day");
        assert_eq!(day.range().from, at("2018-11-04T01:00:00-02:00"));
        assert_eq!(hours(&day), 23);
    }

    #[test]
    fn other_texts_are_no_labels() {
        for odd in [
            "",
            "2014",
            "2014-3",
            "2014-13",
            "2014-00",
            "2014-02-30",
            "2014-W00",
            "2014-W54",
            "2014-W53",
            "2014-w13",
            "2014-W1",
            "14-03",
            "+014-03",
            "-014-03",
            "2014-03-30 ",
            "2014-03-30T00",
            "2014-03-+1",
            "٢٠١٤-03",
        ] {
            assert_eq!(Period::labelled(odd, &Zone::UTC), Err(NotAPeriod), "{odd}");
        }
    }

    #[test]
    fn moments_beyond_every_calendar_are_in_some_period() {
        for micros in [i64::MIN, i64::MAX] {
            for kind in PeriodKind::ALL {
                let period = Period::containing(*kind, Instant::from_micros(micros), &zone("Europe/Paris"));
                assert!(!period.previous().label().is_empty() && !period.next().label().is_empty());
            }
        }
    }
}
