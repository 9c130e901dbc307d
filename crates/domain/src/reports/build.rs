//! From figures to content.

use std::time::Duration;

use super::{
    ChartPoint, Comparison, Coverage, Figures, Headline, MetricContent, ModuleContent, Note, Period,
    PeriodKind, ReportContent, SiteContent, SiteTotal, Slice, energy, gaps, statistics::Summary,
};
use crate::{
    metrics::MetricKind,
    time::{Bucket, Instant, Interval, TimeRange},
};

/// The most points of a chart; finer buckets are taken together.
const CHART_POINTS: usize = 800;
/// The most slices of a period: a day has up to 25 hours, a month up to 31 days.
const MOST_SLICES: usize = 64;

/// Units whose zero is a convention: twice as many of them is not twice as much.
const WITHOUT_ZERO: &[&str] = &["Cel", "[degF]", "deg"];

/// What a report is made from.
#[derive(Debug, Clone)]
pub struct Subject {
    /// What the report is called.
    pub title: String,
    /// The organization's name.
    pub organization: String,
    /// What stretch of time it is about.
    pub period: Period,
    /// When the figures were read.
    pub made_at: Instant,
    /// Whether the sites and modules are only those assigned to a reader.
    pub only_assigned: bool,
    /// The sites.
    pub sites: Vec<SiteFigures>,
}

/// The figures of a site.
#[derive(Debug, Clone)]
pub struct SiteFigures {
    /// Its name.
    pub name: String,
    /// Its modules.
    pub modules: Vec<ModuleFigures>,
}

/// The figures of a module.
#[derive(Debug, Clone)]
pub struct ModuleFigures {
    /// Its name.
    pub name: String,
    /// Its serial number.
    pub serial_number: Option<String>,
    /// How far apart its reports should be.
    pub expected_interval: Duration,
    /// Stretches with a reading of any metric, in order, as fine as can be had; see [`super::presence_of`].
    pub presence: Vec<TimeRange>,
    /// Its metrics.
    pub metrics: Vec<MetricFigures>,
}

/// The figures of a metric of a module.
#[derive(Debug, Clone)]
pub struct MetricFigures {
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Its unit, in UCUM notation.
    pub unit: String,
    /// Gauge or counter.
    pub kind: MetricKind,
    /// Its latest reading.
    pub last_reading_at: Option<Instant>,
    /// In the period.
    pub current: SeriesFigures,
    /// In the period before.
    pub previous: SeriesFigures,
}

/// The buckets of a series in a period.
#[derive(Debug, Clone, Default)]
pub struct SeriesFigures {
    /// By time, without overlaps, empty ones left out or not; of an hour or less for a day's report, of a day or less
    /// for others.
    pub buckets: Vec<BucketFigures>,
    /// The last value before the period; of counters only, where it is known.
    pub level_before: Option<f64>,
}

/// The figures of one bucket, as rollups have them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BucketFigures {
    /// The bucket's first moment.
    pub start: Instant,
    /// The first moment after it.
    pub end: Instant,
    /// How many readings; without any, the others mean nothing.
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
}

/// Everything that a report says. Reads no clock: the same subject gives the same content.
pub fn build(subject: &Subject) -> ReportContent {
    let period = &subject.period;
    let context = Context {
        known: TimeRange { from: period.range().from, to: period.range().to.min(subject.made_at) },
        before: period.previous().range(),
        is_finished: period.range().to <= subject.made_at,
        slices: slices_of(period),
    };
    let sites: Vec<SiteContent> = subject.sites.iter().map(|site| context.site(site)).collect();
    let mut notes = Vec::new();
    if sites.is_empty() {
        notes.push(if subject.only_assigned { Note::NothingAssigned } else { Note::NoSites });
    } else if sites.iter().all(|site| !site.notes.is_empty()) {
        notes.push(Note::NoReadings);
    }
    if !context.is_finished {
        notes.push(Note::Unfinished);
    }
    ReportContent {
        title: subject.title.clone(),
        organization: subject.organization.clone(),
        period: period.clone(),
        made_at: subject.made_at,
        notes,
        sites,
    }
}

/// The labels and bounds of the period's hours or days.
fn slices_of(period: &Period) -> Vec<(String, Bucket)> {
    let interval = if period.kind() == PeriodKind::Day { Interval::Hours(1) } else { Interval::Day };
    let zone = period.zone();
    let buckets = interval.buckets(period.range(), zone, MOST_SLICES).unwrap_or_default();
    let offset = |at: Instant| zone.local(at).offset_s;
    let clocks_change = buckets.windows(2).any(|pair| match pair {
        [one, next] => offset(one.start) != offset(next.start),
        _ => false,
    });
    let label = |at: Instant| {
        let local = zone.local(at);
        match (period.kind(), clocks_change) {
            (PeriodKind::Week | PeriodKind::Month, _) => local.date(),
            (PeriodKind::Day, false) => local.time(),
            (PeriodKind::Day, true) => format!("{} {}", local.time(), local.offset()),
        }
    };
    buckets.into_iter().map(|bucket| (label(bucket.start), bucket)).collect()
}

struct Context {
    /// The period, as far as it is over.
    known: TimeRange,
    before: TimeRange,
    is_finished: bool,
    slices: Vec<(String, Bucket)>,
}

impl Context {
    fn site(&self, site: &SiteFigures) -> SiteContent {
        let modules: Vec<ModuleContent> = site.modules.iter().map(|module| self.module(module)).collect();
        let mut metrics = modules.iter().flat_map(|module| &module.metrics);
        let mut notes = Vec::new();
        if modules.is_empty() {
            notes.push(Note::NoModules);
        } else if metrics.all(|metric| metric.figures.is_none()) {
            notes.push(Note::NoReadings);
        }
        SiteContent {
            name: site.name.clone(),
            notes,
            coverage: modules.iter().map(|module| module.coverage).sum(),
            last_reading_at: modules.iter().filter_map(|module| module.last_reading_at).max(),
            totals: self.totals(&modules),
            modules,
        }
    }

    fn module(&self, module: &ModuleFigures) -> ModuleContent {
        let interval = module.expected_interval;
        let metrics: Vec<MetricContent> =
            module.metrics.iter().map(|metric| self.metric(metric, interval)).collect();
        ModuleContent {
            name: module.name.clone(),
            serial_number: module.serial_number.clone(),
            coverage: metrics.iter().map(|metric| metric.coverage).sum(),
            last_reading_at: metrics.iter().filter_map(|metric| metric.last_reading_at).max(),
            gaps: gaps::worst(&module.presence, self.known, interval),
            metrics,
        }
    }

    fn metric(&self, metric: &MetricFigures, interval: Duration) -> MetricContent {
        let summary = |range| Summary { kind: metric.kind, unit: &metric.unit, range };
        let current: Vec<&BucketFigures> = metric.current.buckets.iter().collect();
        let previous: Vec<&BucketFigures> = metric.previous.buckets.iter().collect();
        // What a counter showed last in the period before is where this one starts: then periods add up.
        let last_before = previous.iter().rev().find(|bucket| bucket.count > 0).map(|bucket| bucket.last);
        let level_before = metric.current.level_before.or(last_before);
        let figures = summary(self.known).of(&current, level_before);
        let figures_before = summary(self.before).of(&previous, metric.previous.level_before);
        let headline = headline_of(metric);
        let value_of = |figures: Option<Figures>| figures.and_then(|figures| headline.of(&figures));
        let comparison =
            self.compare(value_of(figures), value_of(figures_before), headline.unit(&metric.unit));
        MetricContent {
            key: metric.key.clone(),
            name: metric.name.clone(),
            unit: metric.unit.clone(),
            kind: metric.kind,
            headline,
            figures,
            previous: figures_before,
            coverage: coverage(figures.map_or(0, |figures| figures.readings), self.known, interval),
            comparison,
            last_reading_at: metric.last_reading_at,
            slices: self.slices(metric, level_before, interval),
            chart: chart(&current, metric.kind, level_before, interval),
        }
    }

    fn slices(&self, metric: &MetricFigures, level_before: Option<f64>, interval: Duration) -> Vec<Slice> {
        let mut rest = metric.current.buckets.as_slice();
        let mut level = level_before;
        let mut slices = Vec::with_capacity(self.slices.len());
        for (label, bounds) in &self.slices {
            let (inside, later) = rest.split_at(rest.partition_point(|bucket| bucket.start < bounds.end));
            rest = later;
            let range = TimeRange { from: bounds.start, to: bounds.end };
            let known = TimeRange { from: range.from, to: range.to.min(self.known.to) };
            let summary = Summary { kind: metric.kind, unit: &metric.unit, range: known };
            let inside: Vec<&BucketFigures> = inside.iter().collect();
            let figures = summary.of(&inside, level);
            level = inside.iter().rev().find(|bucket| bucket.count > 0).map(|bucket| bucket.last).or(level);
            slices.push(Slice {
                label: label.clone(),
                range,
                figures,
                coverage: coverage(figures.map_or(0, |figures| figures.readings), known, interval),
            });
        }
        slices
    }

    /// The sums over the modules, of the metrics that can be added up, in the order in which they first appear.
    fn totals(&self, modules: &[ModuleContent]) -> Vec<SiteTotal> {
        let metrics: Vec<&MetricContent> = modules.iter().flat_map(|module| &module.metrics).collect();
        let mut totals: Vec<SiteTotal> = Vec::new();
        for metric in metrics.iter().filter(|metric| metric.headline != Headline::Mean) {
            let unit = metric.headline.unit(&metric.unit);
            if totals.iter().any(|total| total.key == metric.key && total.unit == unit) {
                continue;
            }
            let is_alike = |other: &&&MetricContent| {
                other.key == metric.key
                    && other.headline == metric.headline
                    && other.headline.unit(&other.unit) == unit
            };
            let sum_of = |figures: fn(&MetricContent) -> Option<Figures>| {
                let parts = metrics.iter().filter(is_alike);
                parts.filter_map(|part| metric.headline.of(&figures(part)?)).reduce(|sum, value| sum + value)
            };
            let Some(value) = sum_of(|metric| metric.figures) else { continue };
            totals.push(SiteTotal {
                key: metric.key.clone(),
                name: metric.name.clone(),
                headline: metric.headline,
                unit: unit.to_owned(),
                value,
                comparison: self.compare(Some(value), sum_of(|metric| metric.previous), unit),
            });
        }
        totals
    }

    /// A period that is not over is not compared: it is less than the one before by being shorter.
    fn compare(&self, now: Option<f64>, previous: Option<f64>, unit: &str) -> Option<Comparison> {
        let (now, previous) = now.zip(previous).filter(|_| self.is_finished)?;
        let change = now - previous;
        let has_share = previous != 0.0 && !WITHOUT_ZERO.contains(&unit);
        let change_percent = has_share.then(|| change / previous.abs() * 100.0);
        Some(Comparison { previous, change, change_percent })
    }
}

fn headline_of(metric: &MetricFigures) -> Headline {
    match metric.kind {
        MetricKind::Counter => Headline::Increase,
        MetricKind::Gauge if energy::kilowatts(&metric.unit, metric.kind).is_some() => Headline::Energy,
        MetricKind::Gauge => Headline::Mean,
    }
}

fn coverage(readings: u64, range: TimeRange, interval: Duration) -> Coverage {
    let expected = range.to.since(range.from).as_micros().checked_div(interval.as_micros()).unwrap_or(0);
    Coverage::new(readings, u64::try_from(expected).unwrap_or(u64::MAX))
}

/// The line of a chart: a point for each bucket or group of buckets with readings, broken where readings are missing.
fn chart(
    buckets: &[&BucketFigures],
    kind: MetricKind,
    level_before: Option<f64>,
    interval: Duration,
) -> Vec<ChartPoint> {
    let filled: Vec<&BucketFigures> = buckets.iter().copied().filter(|bucket| bucket.count > 0).collect();
    let group = filled.len().div_ceil(CHART_POINTS).max(1);
    let mut points = Vec::with_capacity(filled.len().min(CHART_POINTS) + 1);
    let mut level = level_before;
    let is_next = |one: &&BucketFigures, other: &&BucketFigures| {
        let silence = other.start.since(one.end);
        silence.is_zero() || silence < interval.saturating_mul(2)
    };
    for unbroken in filled.chunk_by(is_next) {
        let break_at = unbroken.first().filter(|_| !points.is_empty()).map(|bucket| bucket.start);
        points.extend(break_at.map(|at| ChartPoint { at, value: None }));
        for together in unbroken.chunks(group) {
            let (Some(first), Some(last)) = (together.first(), together.last()) else { continue };
            let range = TimeRange { from: first.start, to: last.end };
            let figures = Summary { kind, unit: "", range }.of(together, level);
            let value = figures.map(|figures| figures.increase.unwrap_or(figures.mean));
            points.push(ChartPoint { at: middle(range), value });
            level = Some(last.last);
        }
    }
    points
}

fn middle(range: TimeRange) -> Instant {
    range.from.plus(range.to.since(range.from) / 2)
}
