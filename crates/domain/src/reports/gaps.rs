//! Stretches of time without any reading.

use std::{cmp::Reverse, time::Duration};

use super::MetricFigures;
use crate::time::TimeRange;

/// How many gaps of a module a report tells.
const WORST: usize = 5;

/// The stretches in which there was a reading of any of these metrics, from their buckets, in order.
///
/// Gaps come out no finer than the buckets are.
pub fn presence_of(metrics: &[MetricFigures]) -> Vec<TimeRange> {
    let buckets = metrics.iter().flat_map(|metric| &metric.current.buckets);
    let filled = buckets.filter(|bucket| bucket.count > 0);
    let mut presence: Vec<TimeRange> =
        filled.map(|bucket| TimeRange { from: bucket.start, to: bucket.end }).collect();
    presence.sort_unstable_by_key(|stretch| (stretch.from, stretch.to));
    presence.dedup();
    presence
}

/// The longest stretches of the range outside of `presence` (which is in order), the longest first.
///
/// Silence shorter than two expected intervals is none: a module that reports every ten minutes leaves every other
/// bucket of five minutes empty.
pub(super) fn worst(presence: &[TimeRange], range: TimeRange, expected_interval: Duration) -> Vec<TimeRange> {
    let least = expected_interval.saturating_mul(2).max(Duration::from_micros(1));
    let mut gaps = Vec::new();
    let mut quiet_since = range.from;
    let end = TimeRange { from: range.to, to: range.to };
    for stretch in presence.iter().chain([&end]) {
        let gap = TimeRange { from: quiet_since, to: stretch.from.min(range.to) };
        if gap.to.since(gap.from) >= least {
            gaps.push(gap);
        }
        quiet_since = quiet_since.max(stretch.to);
    }
    gaps.sort_by_key(|gap| (Reverse(gap.to.since(gap.from)), gap.from));
    gaps.truncate(WORST);
    gaps
}
