//! Energy from power.

use super::{
    BucketFigures,
    statistics::{as_f64, bucket_mean},
};
use crate::{
    metrics::MetricKind,
    time::{Instant, TimeRange},
};

const MICROS_PER_HOUR: f64 = 3_600_000_000.0;

/// How many kW one of this unit is, if it is one of power: `W`, `kW` or `MW`.
pub(super) fn kilowatts(unit: &str, kind: MetricKind) -> Option<f64> {
    match (kind, unit) {
        (MetricKind::Gauge, "W") => Some(0.001),
        (MetricKind::Gauge, "kW") => Some(1.0),
        (MetricKind::Gauge, "MW") => Some(1_000.0),
        _ => None,
    }
}

/// The means of these buckets, each times the length of the bucket inside the range, in kWh.
pub(super) fn energy_kwh<'a>(
    buckets: impl Iterator<Item = &'a BucketFigures>,
    kilowatts: f64,
    range: TimeRange,
) -> f64 {
    buckets.map(|bucket| bucket_mean(bucket) * kilowatts * hours_inside(bucket, range)).sum()
}

fn hours_inside(bucket: &BucketFigures, range: TimeRange) -> f64 {
    micros_between(bucket.start.max(range.from), bucket.end.min(range.to)) / MICROS_PER_HOUR
}

fn micros_between(from: Instant, to: Instant) -> f64 {
    as_f64(u64::try_from(to.as_micros().saturating_sub(from.as_micros())).unwrap_or(0))
}
