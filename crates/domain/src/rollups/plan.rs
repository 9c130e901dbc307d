//! Which buckets a transaction redoes, and what it leaves for the next.

use std::collections::BTreeMap;

use super::{Grain, Mark, Stretch};
use crate::{
    readings::SeriesId,
    time::{Instant, TimeRange, Zone},
};

const DAY_MICROS: i64 = 86_400_000_000;

/// As far as a series can reach.
pub(super) const EVERYTHING: TimeRange =
    TimeRange { from: Instant::from_micros(0), to: Instant::from_micros(i64::MAX) };

/// Marked stretches by series, in order, none touching another.
pub(super) type Marked = BTreeMap<SeriesId, Vec<TimeRange>>;

/// Unites marks that overlap or touch.
pub(super) fn united(mut marks: Vec<Mark>) -> Marked {
    marks.sort_unstable_by_key(|mark| (mark.series, mark.range.from));
    let mut united = Marked::new();
    for Mark { series, range } in marks {
        let ranges = united.entry(series).or_default();
        match ranges.last_mut() {
            Some(last) if range.from <= last.to => last.to = last.to.max(range.to),
            _ => ranges.push(range),
        }
    }
    united
}

/// Whether a stretch is longer than one transaction redoes.
pub(super) fn is_long(range: TimeRange, days: i64) -> bool {
    days_of(range) > days
}

/// What is within an extent, with enough before and behind to meet the start of every bucket that holds something of it, whichever
/// calendar it was kept in.
pub(super) fn clipped(ranges: &[TimeRange], extent: Option<TimeRange>) -> Vec<TimeRange> {
    let Some(extent) = extent else { return Vec::new() };
    let shifted = |at: Instant, micros: i64| Instant::from_micros(at.as_micros().saturating_add(micros));
    let (from, to) = (shifted(extent.from, -3 * DAY_MICROS), shifted(extent.to, 3 * DAY_MICROS));
    let within = ranges.iter().map(|range| TimeRange { from: range.from.max(from), to: range.to.min(to) });
    within.filter(|range| range.from < range.to).collect()
}

/// Of what is marked so many days, and the rest.
pub(super) fn portion(marked: Marked, days: i64) -> (Marked, Vec<Mark>) {
    let (mut now, mut later, mut left) = (Marked::new(), Vec::new(), days);
    for (series, ranges) in marked {
        for range in ranges {
            let wanted = days_of(range);
            let taken = wanted.min(left);
            left -= taken;
            let end = if taken == wanted {
                range.to
            } else {
                Instant::from_micros(range.from.as_micros().saturating_add(taken.saturating_mul(DAY_MICROS)))
            };
            if taken > 0 {
                now.entry(series).or_default().push(TimeRange { from: range.from, to: end });
            }
            if taken < wanted {
                later.push(Mark { series, range: TimeRange { from: end, to: range.to } });
            }
        }
    }
    (now, later)
}

/// Days that are begun.
fn days_of(range: TimeRange) -> i64 {
    let length = range.to.as_micros().saturating_sub(range.from.as_micros());
    length.saturating_sub(1).div_euclid(DAY_MICROS).saturating_add(1)
}

/// The buckets of a grain that these stretches of a series touch.
pub(super) fn stretches(series: SeriesId, ranges: &[TimeRange], grain: Grain, zone: &Zone) -> Vec<Stretch> {
    // Five minutes are the same everywhere.
    let zone = if grain == Grain::FiveMinutes { &Zone::UTC } else { zone };
    let mut stretches: Vec<Stretch> = Vec::new();
    for range in ranges {
        for bucket in grain.interval().buckets(*range, zone, usize::MAX).unwrap_or_default() {
            let end = stretches.last().and_then(|stretch| stretch.buckets.last()).map(|last| last.end);
            match (end, stretches.last_mut()) {
                // Two stretches of one day touch the same bucket.
                (Some(end), _) if bucket.start < end => {}
                (Some(end), Some(stretch)) if bucket.start == end => stretch.buckets.push(bucket),
                _ => stretches.push(Stretch { series, buckets: vec![bucket] }),
            }
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: i64, to: i64) -> TimeRange {
        TimeRange { from: Instant::from_micros(from), to: Instant::from_micros(to) }
    }

    fn mark(series: i64, from: i64, to: i64) -> Mark {
        Mark { series: SeriesId(series), range: range(from, to) }
    }

    fn between(from: &str, to: &str) -> TimeRange {
        TimeRange { from: from.parse().expect("from"), to: to.parse().expect("to") }
    }

    #[test]
    fn marks_that_overlap_or_touch_are_one() {
        let marks = vec![mark(2, 5, 6), mark(1, 10, 20), mark(1, 0, 10), mark(1, 12, 15), mark(1, 30, 40)];
        let united = united(marks);
        assert_eq!(united[&SeriesId(1)], [range(0, 20), range(30, 40)]);
        assert_eq!(united[&SeriesId(2)], [range(5, 6)]);
    }

    #[test]
    fn a_portion_and_its_rest_are_the_whole() {
        const DAY: i64 = DAY_MICROS;
        let marked = united(vec![mark(1, 0, 10 * DAY), mark(2, 7, 8), mark(3, 0, 5 * DAY)]);
        let (now, later) = portion(marked, 12);
        assert_eq!(now[&SeriesId(1)], [range(0, 10 * DAY)]);
        assert_eq!(now[&SeriesId(2)], [range(7, 8)], "a moment counts as the day that it redoes");
        assert_eq!(now[&SeriesId(3)], [range(0, DAY)]);
        assert_eq!(later, [mark(3, DAY, 5 * DAY)]);
        let (now, later) = portion(united(later), 0);
        assert!(now.is_empty());
        assert_eq!(later, [mark(3, DAY, 5 * DAY)]);
        let (now, _) = portion(united(vec![Mark { series: SeriesId(1), range: EVERYTHING }]), 3);
        assert_eq!(now[&SeriesId(1)], [range(0, 3 * DAY)]);
    }

    #[test]
    fn what_is_not_there_is_not_redone() {
        assert_eq!(clipped(&[EVERYTHING], None), []);
        let extent = between("2014-01-10T00:00:00Z", "2014-01-12T00:00:00Z");
        let clipped =
            clipped(&[between("2000-01-01T00:00:00Z", "2000-01-02T00:00:00Z"), EVERYTHING], Some(extent));
        assert_eq!(clipped, [between("2014-01-07T00:00:00Z", "2014-01-15T00:00:00Z")]);
    }

    #[test]
    fn two_stretches_of_a_day_redo_it_once() {
        let zone = "Europe/Paris".parse().expect("a zone");
        let day = [
            between("2014-03-30T00:10:00+01:00", "2014-03-30T00:11:00+01:00"),
            between("2014-03-30T23:10:00+02:00", "2014-03-30T23:11:00+02:00"),
        ];
        let of = |grain| stretches(SeriesId(1), &day, grain, &zone);
        let whole = of(Grain::Day);
        assert_eq!(whole.len(), 1);
        let range = whole[0].range().expect("a bucket");
        assert_eq!(range, between("2014-03-30T00:00:00+01:00", "2014-03-31T00:00:00+02:00"));
        assert_eq!(of(Grain::Hour).len(), 2);
        assert_eq!(
            of(Grain::FiveMinutes).iter().map(|stretch| stretch.buckets.len()).collect::<Vec<_>>(),
            [1, 1]
        );
    }
}
