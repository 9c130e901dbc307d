//! Rollups: figures of readings that jobs keep ready, for five minutes, an hour and a day at a time.
//!
//! Whatever changes readings, or the calendar that their days are counted by, leaves marks in the same transaction: stretches of a
//! series whose figures are to be redone. A job takes the marks, computes the buckets that they touch anew from the readings, and
//! commits both together. So a bucket without a mark is right, and one with a mark is asked of the readings.

mod answer;
mod jobs;
mod plan;
mod repository;
mod service;
mod verify;

pub use jobs::{RedoRollups, SweepRollups};
pub use repository::{
    Compared, HeldSeries, KeptAnswer, RollupFilter, RollupOf, RollupRepository, SeriesName, Stretch,
};
pub use service::{RollupRequest, Rollups};
pub use verify::{Difference, Verified};

pub(crate) use answer::{Asked, bucket_rows};
pub(crate) use service::enqueue_redo;

use serde::{Deserialize, Serialize};

use crate::{
    ids::{ModuleId, OrgId},
    readings::SeriesId,
    time::{Instant, Interval, TimeRange},
};

/// A length of buckets that figures are kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grain {
    /// Five minutes, the same in all time zones.
    FiveMinutes,
    /// An hour of the site's clock.
    Hour,
    /// A day of the site's calendar.
    Day,
}

impl Grain {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::FiveMinutes, Self::Hour, Self::Day];

    /// The number in the database: its usual length in minutes.
    pub const fn minutes(self) -> i32 {
        match self {
            Self::FiveMinutes => 5,
            Self::Hour => 60,
            Self::Day => 1_440,
        }
    }

    /// Its buckets.
    pub const fn interval(self) -> Interval {
        match self {
            Self::FiveMinutes => Interval::Minutes(5),
            Self::Hour => Interval::Hours(1),
            Self::Day => Interval::Day,
        }
    }

    /// The name on the wire, an ISO 8601 duration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FiveMinutes => "PT5M",
            Self::Hour => "PT1H",
            Self::Day => "P1D",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|grain| grain.name() == name)
    }

    /// No bucket is longer, in microseconds: a day when clocks are set back, and the one before a day that a zone skipped.
    pub const fn longest(self) -> i64 {
        const MINUTE: i64 = 60_000_000;
        match self {
            Self::FiveMinutes => 5 * MINUTE,
            Self::Hour => 60 * MINUTE,
            Self::Day => 49 * 60 * MINUTE,
        }
    }
}

/// A stretch of a series whose figures are to be redone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The series.
    pub series: SeriesId,
    /// The stretch.
    pub range: TimeRange,
}

/// The figures of a bucket that holds readings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// How many readings.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// The earliest.
    pub first: f64,
    /// The latest.
    pub last: f64,
    /// When the earliest was measured.
    pub first_at: Instant,
    /// When the latest was measured.
    pub last_at: Instant,
}

/// The figures of a bucket of one metric of a module, as they are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollup {
    /// The series.
    pub series: SeriesId,
    /// The module.
    pub module_id: ModuleId,
    /// The metric's key.
    pub metric: String,
    /// The start of the bucket.
    pub at: Instant,
    /// The figures.
    pub figures: Figures,
}

/// Where a slice of rollups ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollupKey {
    /// The last one's series.
    pub series: i64,
    /// The last one's start, in microseconds.
    pub at: i64,
}

/// Whose rollups are rebuilt or verified: all of the installation's, or those of both that are named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RollupScope {
    /// Of this organization.
    pub organization: Option<OrgId>,
    /// Of this module.
    pub module: Option<ModuleId>,
}
