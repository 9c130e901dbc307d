//! Figures of calendar buckets: from rollups where they are whole, from readings where not.

use std::{collections::BTreeMap, ops::Range};

use super::{Grain, Mark};
use crate::{
    access::{Grant, ReadReadings},
    ports::{Reader, StoreError},
    readings::{BucketRow, Piece, SeriesId},
    time::{Bucket, Interval, TimeRange, Zone},
};

/// A series that a question is about.
pub(crate) struct Asked<'a> {
    /// The series.
    pub(crate) series: SeriesId,
    /// The time zone of its site.
    pub(crate) zone: &'a str,
}

/// The figures of each bucket that holds readings, those outside of the range not counted. At most four statements, however many
/// series: kept figures in the sites' own zone and in others, readings of whole series and of parts.
pub(crate) async fn bucket_rows(
    reader: &Reader,
    grant: &Grant<ReadReadings>,
    asked: &[Asked<'_>],
    interval: Interval,
    zone: &Zone,
    range: TimeRange,
    buckets: &[Bucket],
) -> Result<Vec<BucketRow>, StoreError> {
    let mut rows = Vec::new();
    let (mut unkept, mut pieces) = (Vec::new(), Vec::new());
    for (grain, series) in by_grain(asked, interval, zone) {
        let usable = grain.map_or(0..0, |_| whole(range, buckets));
        let (Some(grain), false) = (grain, usable.is_empty()) else {
            unkept.extend(series);
            continue;
        };
        let within = buckets.get(usable.clone()).unwrap_or_default();
        let kept = reader.read_kept(grant, &series, grain, zone, within).await?;
        let mut missing: BTreeMap<SeriesId, Vec<bool>> = BTreeMap::new();
        let unfit = unfit(grain, zone, &usable, buckets);
        for id in &series {
            missing.insert(*id, unfit.clone());
        }
        for mark in &kept.stale {
            if let Some(missing) = missing.get_mut(&mark.series) {
                strike(missing, mark, buckets);
            }
        }
        for row in kept.rows {
            let bucket = row.bucket.saturating_add(usable.start);
            let is_missing = missing.get(&row.series).and_then(|missing| missing.get(bucket));
            if is_missing == Some(&false) {
                rows.push(BucketRow { bucket, ..row });
            }
        }
        for (series, missing) in missing {
            if missing.iter().all(|missing| *missing) {
                unkept.push(series);
            } else {
                pieces.extend(pieces_of(series, &missing, range, buckets));
            }
        }
    }
    if !unkept.is_empty() {
        rows.extend(reader.read_buckets(grant, &unkept, range, buckets).await?);
    }
    if !pieces.is_empty() {
        rows.extend(reader.read_pieces(grant, &pieces, buckets).await?);
    }
    Ok(rows)
}

/// The series by the grain that answers for them, if one does: hours and days only in the zone that they are kept in.
fn by_grain(asked: &[Asked<'_>], interval: Interval, zone: &Zone) -> BTreeMap<Option<Grain>, Vec<SeriesId>> {
    let (own, any) = match interval {
        Interval::Minutes(minutes) if minutes % 5 == 0 => {
            (Some(Grain::FiveMinutes), Some(Grain::FiveMinutes))
        }
        Interval::Minutes(_) => (None, None),
        Interval::Hours(_) => (Some(Grain::Hour), Some(Grain::FiveMinutes)),
        Interval::Day | Interval::Week | Interval::Month => (Some(Grain::Day), Some(Grain::FiveMinutes)),
    };
    let mut grouped: BTreeMap<Option<Grain>, Vec<SeriesId>> = BTreeMap::new();
    for Asked { series, zone: of_site } in asked {
        let is_own = of_site.parse::<Zone>().is_ok_and(|of_site| of_site.name() == zone.name());
        grouped.entry(if is_own { own } else { any }).or_default().push(*series);
    }
    grouped
}

/// The buckets that the range does not cut.
fn whole(range: TimeRange, buckets: &[Bucket]) -> Range<usize> {
    let first = buckets.partition_point(|bucket| bucket.start < range.from);
    let end = buckets.partition_point(|bucket| bucket.end <= range.to);
    first..end.max(first)
}

/// Which buckets the grain has no answer for: those that are cut, and those that begin or end within a bucket of it, as happens where
/// clocks change by half an hour.
fn unfit(grain: Grain, zone: &Zone, usable: &Range<usize>, buckets: &[Bucket]) -> Vec<bool> {
    let zone = if grain == Grain::FiveMinutes { &Zone::UTC } else { zone };
    let fits = |at| grain.interval().begins_at(at, zone);
    let is_unfit = |(index, bucket): (usize, &Bucket)| {
        !usable.contains(&index) || !fits(bucket.start) || !fits(bucket.end)
    };
    buckets.iter().enumerate().map(is_unfit).collect()
}

/// Strikes the buckets that a mark touches.
fn strike(missing: &mut [bool], mark: &Mark, buckets: &[Bucket]) {
    let first = buckets.partition_point(|bucket| bucket.end <= mark.range.from);
    let end = buckets.partition_point(|bucket| bucket.start < mark.range.to);
    for missing in missing.iter_mut().take(end).skip(first) {
        *missing = true;
    }
}

/// What is to be read: neighbouring buckets together, within the range.
fn pieces_of(series: SeriesId, missing: &[bool], range: TimeRange, buckets: &[Bucket]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (bucket, _) in buckets.iter().zip(missing).filter(|(_, missing)| **missing) {
        let (from, to) = (bucket.start.max(range.from), bucket.end.min(range.to));
        match pieces.last_mut() {
            Some(piece) if piece.range.to == from => piece.range.to = to,
            _ => pieces.push(Piece { series, range: TimeRange { from, to } }),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: &str, to: &str) -> TimeRange {
        TimeRange { from: from.parse().expect("from"), to: to.parse().expect("to") }
    }

    #[test]
    fn what_is_cut_or_marked_is_read() {
        let asked = range("2026-01-01T00:30:00Z", "2026-01-01T05:30:00Z");
        let buckets = Interval::Hours(1).buckets(asked, &Zone::UTC, 10).expect("six");
        let usable = whole(asked, &buckets);
        assert_eq!(usable, 1..5);
        let mut missing = unfit(Grain::Hour, &Zone::UTC, &usable, &buckets);
        assert_eq!(missing, [true, false, false, false, false, true]);
        let mark = |from, to| Mark { series: SeriesId(1), range: range(from, to) };
        strike(&mut missing, &mark("2026-01-01T02:59:00Z", "2026-01-01T03:00:00Z"), &buckets);
        assert_eq!(missing, [true, false, true, false, false, true], "the end of a stretch is not in it");
        strike(&mut missing, &mark("2025-01-01T00:00:00Z", "2026-01-01T01:00:00Z"), &buckets);
        assert_eq!(missing, [true, false, true, false, false, true], "nor in what is marked");
        let pieces = pieces_of(SeriesId(1), &missing, asked, &buckets);
        let read: Vec<TimeRange> = pieces.iter().map(|piece| piece.range).collect();
        let expected = [
            range("2026-01-01T00:30:00Z", "2026-01-01T01:00:00Z"),
            range("2026-01-01T02:00:00Z", "2026-01-01T03:00:00Z"),
            range("2026-01-01T05:00:00Z", "2026-01-01T05:30:00Z"),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn within_one_bucket_nothing_is_whole() {
        let asked = range("2026-01-01T00:10:00Z", "2026-01-01T00:20:00Z");
        let buckets = Interval::Hours(1).buckets(asked, &Zone::UTC, 10).expect("one");
        assert!(whole(asked, &buckets).is_empty());
    }

    #[test]
    fn hours_and_days_are_those_of_the_site() {
        let asked = [
            Asked { series: SeriesId(1), zone: "Europe/Paris" },
            Asked { series: SeriesId(2), zone: "Asia/Kolkata" },
        ];
        let zone: Zone = "Europe/Paris".parse().expect("a zone");
        let days = by_grain(&asked, Interval::Month, &zone);
        assert_eq!(days[&Some(Grain::Day)], [SeriesId(1)]);
        assert_eq!(days[&Some(Grain::FiveMinutes)], [SeriesId(2)]);
        assert_eq!(by_grain(&asked, Interval::Minutes(1), &zone)[&None].len(), 2);
        assert_eq!(by_grain(&asked, Interval::Minutes(20), &zone)[&Some(Grain::FiveMinutes)].len(), 2);
    }

    #[test]
    fn where_clocks_move_by_half_an_hour_some_hours_are_read() {
        let zone: Zone = "Australia/Lord_Howe".parse().expect("a zone");
        let day = range("2026-04-04T12:00:00Z", "2026-04-05T12:00:00Z");
        let buckets = Interval::Hours(1).buckets(day, &zone, 100).expect("a day");
        let unfit = unfit(Grain::Hour, &zone, &(0..buckets.len()), &buckets);
        let odd = unfit.iter().filter(|unfit| **unfit).count();
        assert!((1..=3).contains(&odd), "{odd} of {}", buckets.len());
    }
}
