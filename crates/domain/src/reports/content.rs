//! A finished report as plain values, ready to be rendered.

use super::Period;
use crate::{
    metrics::MetricKind,
    time::{Instant, TimeRange},
};

/// A finished report: who it is for, which period, and every number that a reader sees.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportContent {
    /// What the report is called.
    pub title: String,
    /// The organization's name.
    pub organization: String,
    /// What stretch of time it is about, in whose time zone.
    pub period: Period,
    /// When the figures were read.
    pub made_at: Instant,
    /// What a reader should know before the numbers.
    pub notes: Vec<Note>,
    /// One section a site, in the order of the subject.
    pub sites: Vec<SiteContent>,
}

impl ReportContent {
    /// How many of the expected readings of all sites arrived.
    pub fn coverage(&self) -> Coverage {
        self.sites.iter().map(|site| site.coverage).sum()
    }
}

/// A remark on a whole report or on a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Note {
    /// The report's reader has no assignment to any site or module.
    NothingAssigned,
    /// The scope holds no site.
    NoSites,
    /// The site has no modules.
    NoModules,
    /// Nothing was measured in the period.
    NoReadings,
    /// The period was not over yet.
    Unfinished,
}

impl Note {
    /// The note as a sentence.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NothingAssigned => "Nothing is assigned to you, so this report is empty.",
            Self::NoSites => "There are no sites in the scope of this report.",
            Self::NoModules => "There are no modules at this site.",
            Self::NoReadings => "No readings in this period.",
            Self::Unfinished => {
                "The period was not over when this report was made: it holds what had arrived by then."
            }
        }
    }
}

/// The section of a site.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteContent {
    /// Its name.
    pub name: String,
    /// Remarks on this site.
    pub notes: Vec<Note>,
    /// How many of the expected readings of all its modules arrived.
    pub coverage: Coverage,
    /// Its latest reading.
    pub last_reading_at: Option<Instant>,
    /// What can be added up over its modules: one entry a metric with energy or an increase.
    pub totals: Vec<SiteTotal>,
    /// Its modules, in the order of the subject.
    pub modules: Vec<ModuleContent>,
}

/// The sum of a metric's headlines over the modules of a site.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteTotal {
    /// The metric's key.
    pub key: String,
    /// The metric's name.
    pub name: String,
    /// Of what: energy or increase.
    pub headline: Headline,
    /// The unit of the sum.
    pub unit: String,
    /// The sum over the modules that have readings.
    pub value: f64,
    /// The same beside that of the period before; `None` if there were no readings then or the period is not over.
    pub comparison: Option<Comparison>,
}

/// The part of a section about a module.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleContent {
    /// Its name.
    pub name: String,
    /// Its serial number.
    pub serial_number: Option<String>,
    /// How many of the expected readings of all its metrics arrived.
    pub coverage: Coverage,
    /// Its latest reading.
    pub last_reading_at: Option<Instant>,
    /// The longest stretches without any reading, the longest first; at most five.
    pub gaps: Vec<TimeRange>,
    /// Its metrics, in the order of the subject.
    pub metrics: Vec<MetricContent>,
}

/// A metric of a module.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricContent {
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Its unit, in UCUM notation.
    pub unit: String,
    /// Gauge or counter.
    pub kind: MetricKind,
    /// Which figure tells the most.
    pub headline: Headline,
    /// The figures of the period; `None` without readings.
    pub figures: Option<Figures>,
    /// The figures of the period before; `None` without readings.
    pub previous: Option<Figures>,
    /// How many of the expected readings arrived.
    pub coverage: Coverage,
    /// The headline beside that of the period before; `None` if either is missing or the period is not over.
    pub comparison: Option<Comparison>,
    /// Its latest reading.
    pub last_reading_at: Option<Instant>,
    /// The figures of each hour (of a day) or of each day (of a week or month), the empty ones included.
    pub slices: Vec<Slice>,
    /// What a chart shows, by time.
    pub chart: Vec<ChartPoint>,
}

/// The figure that tells the most about a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Headline {
    /// The mean: of most gauges.
    Mean,
    /// The energy in kWh: of gauges in W, kW or MW.
    Energy,
    /// The increase: of counters.
    Increase,
}

impl Headline {
    /// Its value among these figures.
    pub const fn of(self, figures: &Figures) -> Option<f64> {
        match self {
            Self::Mean => Some(figures.mean),
            Self::Energy => figures.energy_kwh,
            Self::Increase => figures.increase,
        }
    }

    /// Its unit, for a metric with this one.
    pub const fn unit(self, of_metric: &str) -> &str {
        match self {
            Self::Energy => "kWh",
            Self::Mean | Self::Increase => of_metric,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Energy => "energy",
            Self::Increase => "increase",
        }
    }
}

/// The figures of a metric over a stretch of time with at least one reading, in the metric's unit where nothing else is
/// said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// How many readings.
    pub readings: u64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The sum.
    pub sum: f64,
    /// Of power: the means of the buckets with readings, each times the bucket's length, in kWh.
    pub energy_kwh: Option<f64>,
    /// Of counters: by how much it grew, resets left out.
    pub increase: Option<f64>,
}

/// How many of the expected readings arrived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// How many arrived, not counting more than were expected.
    pub arrived: u64,
    /// How many were expected.
    pub expected: u64,
}

impl Coverage {
    /// So many readings of so many expected ones; more than expected count as all.
    pub fn new(readings: u64, expected: u64) -> Self {
        Self { arrived: readings.min(expected), expected }
    }

    /// The share, 0 to 1; `None` if none were expected.
    pub fn share(self) -> Option<f64> {
        (self.expected > 0)
            .then(|| super::statistics::as_f64(self.arrived) / super::statistics::as_f64(self.expected))
    }
}

impl std::iter::Sum for Coverage {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |sum, part| Self {
            arrived: sum.arrived.saturating_add(part.arrived),
            expected: sum.expected.saturating_add(part.expected),
        })
    }
}

/// A figure beside the same one of the period before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// What it was.
    pub previous: f64,
    /// What it is more now, in its unit.
    pub change: f64,
    /// The same in percent of what it was; `None` if that was zero, or for units whose zero is a convention
    /// (degrees of temperature or direction).
    pub change_percent: Option<f64>,
}

/// An hour or a day of the period.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// Its name: `2014-03-30` for a day, `14:00` for an hour, with the offset where clocks change on that day.
    pub label: String,
    /// Its first moment and the first one after it.
    pub range: TimeRange,
    /// Its figures; `None` without readings.
    pub figures: Option<Figures>,
    /// How many of the expected readings arrived.
    pub coverage: Coverage,
}

/// A point of a chart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChartPoint {
    /// The middle of the stretch that it stands for.
    pub at: Instant,
    /// The mean of a gauge or the increase of a counter; `None` breaks the line.
    pub value: Option<f64>,
}
