//! Readings as a plain list, and what they come to by plain additions: what rollups and answers are held against.

use std::collections::BTreeMap;

use sitewatch_domain::{
    readings::Aggregate,
    rollups::{Figures, Grain},
    time::{Bucket, Instant, Interval, TimeRange, Zone},
};

/// Values by moment; the first one stays.
pub type Values = BTreeMap<Instant, f64>;

/// What these values come to; none if there are none.
pub fn figures(values: &[(Instant, f64)]) -> Option<Figures> {
    let (first, last) = (values.first()?, values.last()?);
    let plain = || values.iter().map(|(_, value)| *value);
    Some(Figures {
        count: values.len() as u64,
        sum: plain().sum(),
        min: plain().fold(f64::INFINITY, f64::min),
        max: plain().fold(f64::NEG_INFINITY, f64::max),
        first: first.1,
        last: last.1,
        first_at: first.0,
        last_at: last.0,
    })
}

/// The figure of that name.
pub fn figure(aggregate: Aggregate, figures: Option<Figures>) -> Option<f64> {
    let Some(figures) = figures else { return (aggregate == Aggregate::Count).then_some(0.0) };
    Some(match aggregate {
        Aggregate::Avg => figures.sum / figures.count as f64,
        Aggregate::Min => figures.min,
        Aggregate::Max => figures.max,
        Aggregate::Sum => figures.sum,
        Aggregate::Count => figures.count as f64,
        Aggregate::First => figures.first,
        Aggregate::Last => figures.last,
    })
}

/// What lies in a stretch.
pub fn within(values: &Values, range: TimeRange) -> Vec<(Instant, f64)> {
    values.range(range.from..range.to).map(|(at, value)| (*at, *value)).collect()
}

/// Every bucket that holds something.
pub fn rollups(values: &Values, grain: Grain, zone: &Zone) -> Vec<(Instant, Figures)> {
    let (Some(first), Some(last)) = (values.keys().next(), values.keys().last()) else { return Vec::new() };
    let range = TimeRange { from: *first, to: Instant::from_micros(last.as_micros() + 1) };
    let zone = if grain == Grain::FiveMinutes { &Zone::UTC } else { zone };
    let buckets = grain.interval().buckets(range, zone, usize::MAX).expect("buckets");
    let of = |bucket: &Bucket| {
        let inside = within(values, TimeRange { from: bucket.start, to: bucket.end });
        figures(&inside).map(|figures| (bucket.start, figures))
    };
    buckets.iter().filter_map(of).collect()
}

/// The buckets of a question with what lies in them, cut by its range.
pub fn answer(
    values: &Values,
    interval: Interval,
    zone: &Zone,
    range: TimeRange,
) -> Vec<(Instant, Option<Figures>)> {
    let buckets = interval.buckets(range, zone, usize::MAX).expect("buckets");
    let of = |bucket: &Bucket| {
        let cut = TimeRange { from: bucket.start.max(range.from), to: bucket.end.min(range.to) };
        (bucket.start, figures(&within(values, cut)))
    };
    buckets.iter().map(of).collect()
}

/// Whether two figures are the same, but for the order in which they were added.
pub fn is_near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-6
}
