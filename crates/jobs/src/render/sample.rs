//! Reports for tests: a real wind farm, one with hostile names, one with nothing in it.

use std::time::Duration;

use sitewatch_domain::{
    metrics::MetricKind,
    reports::{
        BucketFigures, MetricFigures, ModuleFigures, Period, ReportContent, SeriesFigures, SiteFigures,
        Subject, build, presence_of,
    },
    time::{Instant, Zone},
};

/// Readings of four turbines, every ten minutes; see the README beside the file.
const READINGS: &str = include_str!("../../../runtime/src/demo/la_haute_borne/scada-sample.csv");

/// Column, name and unit.
const METRICS: [(usize, &str, &str); 7] = [
    (3, "Active power", "kW"),
    (4, "Wind speed", "m/s"),
    (6, "Outdoor temperature", "Cel"),
    (2, "Pitch angle", "deg"),
    (5, "Vane position", "deg"),
    (7, "Nacelle angle", "deg"),
    (8, "Absolute wind direction", "deg"),
];

/// Names that try to do something, of all kinds.
pub(super) const HOSTILE: &[&str] = &[
    "=cmd|' /C calc'!A0",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "＝HYPERLINK(\"http://x\")",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\u{202e}gpj.exe",
    "مزرعة الرياح ١٢",
    "תחנת רוח (צפון) 12",
    "{{ content }} {% raw %} ${7*7} %s %n",
    "Ελλάδα Россия Łódź Ĩ́ ⚡→☀",
    "中文字符 \u{10ffff} \u{e000}",
];

/// La Haute Borne in March 2014.
pub(super) fn farm() -> ReportContent {
    let period = Period::labelled("2014-03", &paris()).expect("a month");
    build(&subject(&period))
}

/// La Haute Borne on the day on which clocks changed.
pub(super) fn day() -> ReportContent {
    let period = Period::labelled("2014-03-30", &paris()).expect("a day");
    build(&subject(&period))
}

/// The same farm, where everything that has a name has a hostile one.
pub(super) fn hostile() -> ReportContent {
    let period = Period::labelled("2014-W14", &paris()).expect("a week");
    let mut subject = subject(&period);
    let emoji = "👩‍🚀".repeat(66) + "😀✨";
    let mut names = HOSTILE.iter().copied().chain([emoji.as_str()]).cycle().map(str::to_owned);
    let mut name = || names.next().expect("another name");
    subject.title = name();
    subject.organization = "<b>&amp;</b>".into();
    let farm = subject.sites[0].clone();
    subject.sites = vec![farm; 3];
    for site in &mut subject.sites {
        site.name = name();
        site.modules.truncate(3);
        for module in &mut site.modules {
            module.name = name();
            module.serial_number = Some(name());
            module.metrics.truncate(2);
            for metric in &mut module.metrics {
                metric.name = name();
                metric.key = name();
                metric.unit = name();
            }
        }
    }
    build(&subject)
}

/// The report of somebody to whom nothing is assigned.
pub(super) fn empty() -> ReportContent {
    let period = Period::labelled("2014-03", &paris()).expect("a month");
    let subject = Subject { only_assigned: true, sites: Vec::new(), ..subject(&period) };
    build(&subject)
}

/// A site with so many modules, each with the power of a turbine.
pub(super) fn large(modules: usize) -> ReportContent {
    let period = Period::labelled("2014-03", &paris()).expect("a month");
    let mut subject = subject(&period);
    let site = &mut subject.sites[0];
    for number in site.modules.len()..modules {
        let mut module = site.modules[number % 4].clone();
        module.name = format!("Turbine {number}");
        module.metrics.truncate(1);
        site.modules.push(module);
    }
    build(&subject)
}

fn paris() -> Zone {
    "Europe/Paris".parse().expect("a zone")
}

fn subject(period: &Period) -> Subject {
    let rows: Vec<Vec<&str>> = READINGS.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let modules = ["R80711", "R80721", "R80736", "R80790"].map(|turbine| {
        let rows: Vec<&Vec<&str>> = rows.iter().filter(|row| row[0] == turbine).collect();
        let metrics: Vec<MetricFigures> = METRICS
            .iter()
            .map(|(column, name, unit)| {
                let readings: Vec<(Instant, f64)> = rows
                    .iter()
                    .filter_map(|row| Some((row[1].parse().ok()?, row.get(*column)?.parse().ok()?)))
                    .collect();
                MetricFigures {
                    key: (*name).into(),
                    name: (*name).into(),
                    unit: (*unit).into(),
                    kind: MetricKind::Gauge,
                    last_reading_at: readings
                        .iter()
                        .map(|(at, _)| *at)
                        .filter(|at| *at < period.range().to)
                        .max(),
                    current: hours(&readings, period),
                    previous: hours(&readings, &period.previous()),
                }
            })
            .collect();
        ModuleFigures {
            name: turbine.into(),
            serial_number: Some(turbine.into()),
            expected_interval: Duration::from_mins(10),
            presence: presence_of(&metrics),
            metrics,
        }
    });
    Subject {
        title: "Monthly production".into(),
        organization: "La Haute Borne (demo)".into(),
        period: period.clone(),
        made_at: period.range().to.plus(Duration::from_hours(6)),
        only_assigned: false,
        sites: vec![SiteFigures { name: "La Haute Borne".into(), modules: modules.into() }],
    }
}

/// Hourly buckets; the first value of a moment wins.
fn hours(readings: &[(Instant, f64)], period: &Period) -> SeriesFigures {
    let mut known: Vec<Instant> = Vec::new();
    let mut buckets: Vec<BucketFigures> = Vec::new();
    for (at, value) in readings.iter().copied().filter(|(at, _)| period.range().contains(*at)) {
        if known.contains(&at) {
            continue;
        }
        known.push(at);
        let start = Instant::from_secs(at.as_secs().div_euclid(3_600) * 3_600);
        if let Some(bucket) = buckets.last_mut().filter(|bucket| bucket.start == start) {
            bucket.count += 1;
            bucket.sum += value;
            bucket.min = bucket.min.min(value);
            bucket.max = bucket.max.max(value);
            bucket.last = value;
        } else {
            let end = start.plus(Duration::from_hours(1));
            let [sum, min, max, first, last] = [value; 5];
            buckets.push(BucketFigures { start, end, count: 1, sum, min, max, first, last });
        }
    }
    SeriesFigures { buckets, level_before: None }
}
