//! Questions about telemetry over many modules and metrics, and their answers.

use validator::{Validate, ValidationErrors};

use super::BucketRow;
use crate::{
    ids::ModuleId,
    time::{Bucket, Instant, Interval, TimeRange, Zone},
};

/// The most series of an answer.
pub(super) const MAX_SERIES: usize = 100;
/// The most buckets or raw points of an answer, all series together.
pub(super) const MAX_POINTS: usize = 100_000;

/// A figure of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Aggregate {
    /// The arithmetic mean.
    Avg,
    /// The smallest value.
    Min,
    /// The largest value.
    Max,
    /// The sum.
    Sum,
    /// How many readings.
    Count,
    /// The earliest value.
    First,
    /// The latest value.
    Last,
}

impl Aggregate {
    /// All aggregates.
    pub const ALL: &'static [Self] =
        &[Self::Avg, Self::Min, Self::Max, Self::Sum, Self::Count, Self::First, Self::Last];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sum => "sum",
            Self::Count => "count",
            Self::First => "first",
            Self::Last => "last",
        }
    }

    /// The aggregate of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|aggregate| aggregate.name() == name)
    }
}

/// A question.
#[derive(Debug, Clone)]
pub struct TelemetryQuery {
    /// The modules, each once; 1 to 100.
    pub modules: Vec<ModuleId>,
    /// The keys of the metrics, each once; 1 to 100.
    pub metrics: Vec<String>,
    /// The first moment.
    pub from: Instant,
    /// The first moment after.
    pub to: Instant,
    /// The length of the buckets, an ISO 8601 duration; raw readings if not given.
    pub interval: Option<String>,
    /// The time zone of the buckets; the site's, if all modules share one, when not given.
    pub timezone: Option<String>,
    /// The figures of each bucket; `avg` if none are given. Not for raw readings.
    pub aggregates: Vec<String>,
}

impl Validate for TelemetryQuery {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let mut errors = ValidationErrors::new();
        let mut add = |field: &'static str, message: String| {
            errors.add(field, validator::ValidationError::new("rule").with_message(message.into()));
        };
        if !distinct(&self.modules) || !(1..=MAX_SERIES).contains(&self.modules.len()) {
            add("modules", "must be 1 to 100 module ids, each once".into());
        }
        if !distinct(&self.metrics) || !(1..=MAX_SERIES).contains(&self.metrics.len()) {
            add("metrics", "must be 1 to 100 metric keys, each once".into());
        }
        if self.from >= self.to {
            add("to", "must be later than from".into());
        }
        if let Some(Err(error)) = self.interval.as_deref().map(str::parse::<Interval>) {
            add("interval", format!("is {error}"));
        }
        if let Some(Err(error)) = self.timezone.as_deref().map(str::parse::<Zone>) {
            add("timezone", format!("is {error}"));
        }
        let known = self.aggregates.iter().all(|name| Aggregate::from_name(name).is_some());
        if !known || !distinct(&self.aggregates) {
            add("aggregates", "must be some of avg, min, max, sum, count, first, last, each once".into());
        } else if self.interval.is_none() && !self.aggregates.is_empty() {
            add("aggregates", "needs an interval".into());
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

fn distinct<T: Ord>(items: &[T]) -> bool {
    let mut sorted: Vec<&T> = items.iter().collect();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| !matches!(pair, [a, b] if a == b))
}

impl TelemetryQuery {
    pub(super) const fn range(&self) -> TimeRange {
        TimeRange { from: self.from, to: self.to }
    }

    pub(super) fn wanted_aggregates(&self) -> Vec<Aggregate> {
        if self.aggregates.is_empty() {
            return vec![Aggregate::Avg];
        }
        self.aggregates.iter().filter_map(|name| Aggregate::from_name(name)).collect()
    }
}

/// An answer: one entry a module and metric, modules in the order of the question, then metrics likewise.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryAnswer {
    /// The series.
    pub series: Vec<SeriesAnswer>,
}

/// One series of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesAnswer {
    /// The module.
    pub module_id: ModuleId,
    /// The metric's key.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// The values.
    pub values: Values,
}

/// The values of a series.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Readings as they are.
    Raw(RawValues),
    /// Figures of buckets.
    Buckets(BucketValues),
}

/// Readings by time; both lists are of the same length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RawValues {
    /// When.
    pub at: Vec<Instant>,
    /// How much.
    pub value: Vec<f64>,
}

/// Figures of all buckets of the range, the empty ones included; all lists are of the same length.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketValues {
    /// The starts of the buckets.
    pub at: Vec<Instant>,
    /// Each asked figure: `None` for a bucket without readings, except that its count is 0.
    pub figures: Vec<(Aggregate, Vec<Option<f64>>)>,
}

impl BucketValues {
    /// Lays the rows of one series over all buckets.
    pub(super) fn of(rows: &[BucketRow], buckets: &[Bucket], aggregates: &[Aggregate]) -> Self {
        let mut by_bucket: Vec<Option<&BucketRow>> = vec![None; buckets.len()];
        for row in rows {
            if let Some(slot) = by_bucket.get_mut(row.bucket) {
                *slot = Some(row);
            }
        }
        let figures = aggregates
            .iter()
            .map(|aggregate| (*aggregate, by_bucket.iter().map(|row| figure(*aggregate, *row)).collect()))
            .collect();
        Self { at: buckets.iter().map(|bucket| bucket.start).collect(), figures }
    }
}

fn figure(aggregate: Aggregate, row: Option<&BucketRow>) -> Option<f64> {
    let Some(row) = row else {
        return (aggregate == Aggregate::Count).then_some(0.0);
    };
    Some(match aggregate {
        Aggregate::Avg => row.sum / count(row.count),
        Aggregate::Min => row.min,
        Aggregate::Max => row.max,
        Aggregate::Sum => row.sum,
        Aggregate::Count => count(row.count),
        Aggregate::First => row.first,
        Aggregate::Last => row.last,
    })
}

/// Counts stay far below 2^32 (an answer's range holds at most that many readings); beyond, they saturate.
fn count(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
