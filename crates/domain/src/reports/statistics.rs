//! Figures of many buckets from the figures of each.

use super::{BucketFigures, Figures, energy};
use crate::{metrics::MetricKind, time::TimeRange};

/// What has to be known of a metric to sum up its buckets.
#[derive(Clone, Copy)]
pub(super) struct Summary<'a> {
    pub(super) kind: MetricKind,
    pub(super) unit: &'a str,
    /// Buckets reach beyond it only by an accident of the zone; their energy is cut there.
    pub(super) range: TimeRange,
}

impl Summary<'_> {
    /// The figures of these buckets, which are in order; `None` if they hold no reading.
    ///
    /// `level_before` is the counter's reading before the first of them, from which it grew.
    pub(super) fn of(self, buckets: &[&BucketFigures], level_before: Option<f64>) -> Option<Figures> {
        let filled = || buckets.iter().copied().filter(|bucket| bucket.count > 0);
        let first = filled().next()?;
        let (mut readings, mut sum) = (0_u64, 0.0);
        let (mut min, mut max) = (first.min, first.max);
        for bucket in filled() {
            readings = readings.saturating_add(bucket.count);
            sum += bucket.sum;
            min = min.min(bucket.min);
            max = max.max(bucket.max);
        }
        let power = energy::kilowatts(self.unit, self.kind);
        Some(Figures {
            readings,
            min,
            max,
            mean: sum / as_f64(readings),
            sum,
            energy_kwh: power.map(|kilowatts| energy::energy_kwh(filled(), kilowatts, self.range)),
            increase: (self.kind == MetricKind::Counter).then(|| increase(filled(), level_before)),
        })
    }
}

/// By how much a counter grew. Where it fell, it was reset, and what it shows since then is growth.
fn increase<'a>(filled: impl Iterator<Item = &'a BucketFigures>, level_before: Option<f64>) -> f64 {
    let mut grown = 0.0;
    let mut level = level_before;
    for bucket in filled {
        if let Some(level) = level {
            grown += if bucket.first >= level { bucket.first - level } else { bucket.first };
        }
        grown += increase_within(bucket);
        level = Some(bucket.last);
    }
    grown
}

/// A counter whose smallest reading is not its first, or whose largest is not its last, was reset in between. Of the
/// two ways up, before and after, only what is certain is counted.
fn increase_within(bucket: &BucketFigures) -> f64 {
    if bucket.min < bucket.first || bucket.max > bucket.last {
        let before = if bucket.max > bucket.last { bucket.max - bucket.first } else { 0.0 };
        return before + (bucket.last - bucket.min);
    }
    bucket.last - bucket.first
}

/// The mean of a bucket with readings.
pub(super) fn bucket_mean(bucket: &BucketFigures) -> f64 {
    bucket.sum / as_f64(bucket.count)
}

/// A count as a number to calculate with: exact below 2^53, where all counts and all durations of reports are.
pub(super) fn as_f64(count: u64) -> f64 {
    let high = u32::try_from(count >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(count & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}
