use std::time::Duration;

use super::*;
use crate::{
    metrics::MetricKind,
    time::{Instant, TimeRange, Zone},
};

/// Readings of four turbines, every ten minutes; see the README beside the file.
const SAMPLE: &str = include_str!("../../../runtime/src/demo/la_haute_borne/scada-sample.csv");

fn at(text: &str) -> Instant {
    text.parse().expect("a moment")
}

fn paris() -> Zone {
    "Europe/Paris".parse().expect("a zone")
}

/// The readings of a turbine's column, as an import keeps them: the first value of a moment wins.
fn sample(turbine: &str, column: usize) -> Vec<(Instant, f64)> {
    let mut readings: Vec<(Instant, f64)> = Vec::new();
    for cells in SAMPLE.lines().map(|line| line.split(',').collect::<Vec<_>>()) {
        let Some(value) = cells.get(column).and_then(|cell| cell.parse().ok()) else { continue };
        let moment = at(cells[1]);
        if cells[0] == turbine && !readings.iter().any(|(known, _)| *known == moment) {
            readings.push((moment, value));
        }
    }
    readings
}

/// Buckets of so many seconds, as rollups have them.
fn buckets(readings: &[(Instant, f64)], length_s: i64, range: TimeRange) -> Vec<BucketFigures> {
    let mut buckets: Vec<BucketFigures> = Vec::new();
    for (moment, value) in readings.iter().filter(|(moment, _)| range.contains(*moment)) {
        let start = Instant::from_secs(moment.as_secs().div_euclid(length_s) * length_s);
        if let Some(bucket) = buckets.last_mut().filter(|bucket| bucket.start == start) {
            bucket.count += 1;
            bucket.sum += value;
            bucket.min = bucket.min.min(*value);
            bucket.max = bucket.max.max(*value);
            bucket.last = *value;
        } else {
            let end = start.plus(Duration::from_secs(length_s.unsigned_abs()));
            let [sum, min, max, first, last] = [*value; 5];
            buckets.push(BucketFigures { start, end, count: 1, sum, min, max, first, last });
        }
    }
    buckets
}

fn series(readings: &[(Instant, f64)], length_s: i64, period: &Period) -> SeriesFigures {
    SeriesFigures { buckets: buckets(readings, length_s, period.range()), level_before: None }
}

fn metric(unit: &str, kind: MetricKind, readings: &[(Instant, f64)], period: &Period) -> MetricFigures {
    MetricFigures {
        key: "m".into(),
        name: "Measured".into(),
        unit: unit.into(),
        kind,
        last_reading_at: readings.last().map(|(moment, _)| *moment),
        current: series(readings, 3600, period),
        previous: series(readings, 3600, &period.previous()),
    }
}

fn subject(period: &Period, metrics: Vec<Vec<MetricFigures>>) -> Subject {
    let modules = metrics.into_iter().enumerate().map(|(number, metrics)| ModuleFigures {
        name: format!("Module {number}"),
        serial_number: None,
        expected_interval: Duration::from_mins(10),
        presence: presence_of(&metrics),
        metrics,
    });
    Subject {
        title: "Production".into(),
        organization: "La Haute Borne".into(),
        period: period.clone(),
        made_at: period.range().to,
        only_assigned: false,
        sites: vec![SiteFigures { name: "La Haute Borne".into(), modules: modules.collect() }],
    }
}

fn only_metric(content: &ReportContent) -> &MetricContent {
    &content.sites[0].modules[0].metrics[0]
}

/// A counter or gauge with one reading every ten minutes from the start of the period.
fn every_ten_minutes(period: &Period, values: &[f64]) -> Vec<(Instant, f64)> {
    let from = period.range().from;
    let after = |number: u32| from.plus(Duration::from_mins(10) * number);
    (0..).map(after).zip(values.iter().copied()).collect()
}

#[track_caller]
fn assert_close(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-9 * expected.abs().max(1.0), "{value} is not {expected}");
}

#[test]
fn a_day_of_real_power_has_the_figures_that_python_computed() {
    let readings = sample("R80711", 3);
    // From the same file with Python: readings, min, max, mean, sum, and the sum of the means of whole hours.
    for (day, readings_count, min, max, mean, sum, energy) in [
        (
            "2014-03-28",
            144,
            -16.629_999,
            638.489_99,
            115.672_152_903_9,
            16_656.790_018_160,
            2_776.131_669_693,
        ),
        (
            "2014-03-29",
            144,
            -5.889_999_9,
            720.340_03,
            177.525_001_027_9,
            25_563.600_148_030,
            4_260.600_024_672,
        ),
        ("2014-03-30", 138, -5.880_000_1, 333.570_01, 35.815_797_239_9, 4_942.580_019_100, 823.763_336_517),
        ("2014-04-02", 144, 16.84, 1_022.68, 422.414_444_249_9, 60_827.679_971_999, 10_137.946_662_0),
    ] {
        let period = Period::labelled(day, &paris()).expect("a day");
        let content =
            build(&subject(&period, vec![vec![metric("kW", MetricKind::Gauge, &readings, &period)]]));
        let metric = only_metric(&content);
        let figures = metric.figures.expect("readings");
        assert_eq!(figures.readings, readings_count, "{day}");
        let close = |value: f64, expected: f64| assert!((value - expected).abs() < 1e-6, "{day}: {value}");
        close(figures.min, min);
        close(figures.max, max);
        close(figures.mean, mean);
        close(figures.sum, sum);
        close(figures.energy_kwh.expect("energy"), energy);
        assert_eq!(figures.increase, None);
        assert_eq!(metric.coverage.share(), Some(1.0), "{day}");
        assert!(content.sites[0].modules[0].gaps.is_empty(), "{day}");
    }
}

#[test]
fn a_week_adds_up_its_days_and_days_of_all_lengths_its_hours() {
    let readings = sample("R80711", 3);
    let week = Period::labelled("2014-W13", &paris()).expect("a week");
    let content = build(&subject(&week, vec![vec![metric("kW", MetricKind::Gauge, &readings, &week)]]));
    let metric = only_metric(&content);
    let days: Vec<&str> = metric.slices.iter().map(|slice| slice.label.as_str()).collect();
    assert_eq!(days.first(), Some(&"2014-03-24"));
    assert_eq!(days.last(), Some(&"2014-03-30"));
    let energies: Vec<f64> = metric.slices.iter().filter_map(|slice| slice.figures?.energy_kwh).collect();
    assert_eq!(energies.len(), 3, "four days have no readings");
    let energy = metric.figures.and_then(|figures| figures.energy_kwh).expect("energy");
    assert_close(energies.iter().sum(), energy);
    assert_close(energy, 2_776.131_669_693_334 + 4_260.600_024_671_668 + 823.763_336_516_666_8);
    // 167 hours of six readings are expected; three days of 24, 24 and 23 hours came.
    assert_eq!(metric.coverage, Coverage { arrived: 71 * 6, expected: 167 * 6 });
    let gap = content.sites[0].modules[0].gaps[0];
    assert_eq!((gap.from, gap.to), (week.range().from, at("2014-03-28T00:00:00+01:00")));
}

#[test]
fn hours_of_the_long_day_are_told_apart_by_their_offset() {
    let autumn = Period::labelled("2014-10-26", &paris()).expect("a day");
    let readings = every_ten_minutes(&autumn, &[6.0; 25 * 6]);
    let content = build(&subject(&autumn, vec![vec![metric("kW", MetricKind::Gauge, &readings, &autumn)]]));
    let long = only_metric(&content);
    assert_eq!(long.slices.len(), 25);
    assert_eq!(long.slices[2].label, "02:00 +02:00");
    assert_eq!(long.slices[3].label, "02:00 +01:00");
    assert_close(long.figures.and_then(|figures| figures.energy_kwh).expect("energy"), 150.0);
    assert_eq!(long.coverage.share(), Some(1.0));

    let usual = Period::labelled("2014-10-27", &paris()).expect("a day");
    let content = build(&subject(&usual, vec![vec![metric("kW", MetricKind::Gauge, &[], &usual)]]));
    assert_eq!(only_metric(&content).slices[2].label, "02:00");
}

#[test]
fn energy_knows_watts_and_megawatts_and_nothing_else() {
    let day = Period::labelled("2014-05-01", &paris()).expect("a day");
    let readings = every_ten_minutes(&day, &[2.0; 144]);
    for (unit, energy) in [("W", Some(0.048)), ("kW", Some(48.0)), ("MW", Some(48_000.0)), ("m/s", None)] {
        let content = build(&subject(&day, vec![vec![metric(unit, MetricKind::Gauge, &readings, &day)]]));
        let metric = only_metric(&content);
        let computed = metric.figures.and_then(|figures| figures.energy_kwh);
        assert_eq!(computed.map(|value| (value * 1e9).round() / 1e9), energy, "{unit}");
        let headline = if energy.is_some() { Headline::Energy } else { Headline::Mean };
        assert_eq!(metric.headline, headline, "{unit}");
    }
}

#[test]
fn a_counter_grows_across_buckets_periods_and_resets() {
    let day = Period::labelled("2014-05-02", &paris()).expect("a day");
    let before = every_ten_minutes(&day.previous(), &[90.0, 95.0, 100.0]);
    // Grows to 130, is replaced between two hours, grows to 12, is reset within an hour, grows to 3.
    let values = [110.0, 120.0, 130.0, 130.0, 130.0, 130.0, 5.0, 8.0, 12.0, 1.0, 2.0, 3.0];
    let readings = [before, every_ten_minutes(&day, &values)].concat();
    let content = build(&subject(&day, vec![vec![metric("kW.h", MetricKind::Counter, &readings, &day)]]));
    let metric = only_metric(&content);
    assert_eq!(metric.headline, Headline::Increase);
    let figures = metric.figures.expect("readings");
    // 30 up to 130, of which 10 since the day before; 5 shown after the replacement, 7 up to 12; 2 after the reset.
    assert_eq!(figures.increase, Some(30.0 + 5.0 + 7.0 + 2.0));
    let hours: f64 = metric.slices.iter().filter_map(|slice| slice.figures?.increase).sum();
    assert_close(hours, 44.0);
    let comparison = metric.comparison.expect("a day before");
    assert_close(comparison.previous, 10.0);
    assert_close(comparison.change, 34.0);
    assert_close(comparison.change_percent.expect("a share"), 340.0);
}

#[test]
fn gaps_are_the_longest_silences_and_no_shorter_than_two_intervals() {
    let day = Period::labelled("2014-05-02", &Zone::UTC).expect("a day");
    // Every reading at ten minutes in buckets of five: every other bucket is empty, and that is no gap.
    let mut readings = every_ten_minutes(&day, &[1.0; 144]);
    let hour = |hours: u64| day.range().from.plus(Duration::from_hours(hours));
    for (from, to) in [(1, 2), (4, 6), (8, 11), (13, 17), (18, 19), (20, 21)] {
        readings.retain(|(moment, _)| !(hour(from) < *moment && *moment < hour(to)));
    }
    let mut fine = metric("kW", MetricKind::Gauge, &readings, &day);
    fine.current = series(&readings, 300, &day);
    let content = build(&subject(&day, vec![vec![fine]]));
    let minutes: Vec<u64> =
        content.sites[0].modules[0].gaps.iter().map(|gap| gap.to.since(gap.from).as_secs() / 60).collect();
    assert_eq!(minutes, [235, 175, 115, 55, 55]);
}

#[test]
fn a_chart_breaks_at_silences_and_thins_out_fine_buckets() {
    let day = Period::labelled("2014-05-02", &Zone::UTC).expect("a day");
    let mut readings = every_ten_minutes(&day, &[1.0; 144]);
    readings.retain(|(moment, _)| !(36..72).contains(&(moment.since(day.range().from).as_secs() / 600)));
    let content = build(&subject(&day, vec![vec![metric("kW", MetricKind::Gauge, &readings, &day)]]));
    let chart = &only_metric(&content).chart;
    assert_eq!(chart.len(), 18 + 1);
    assert_eq!(chart.iter().filter(|point| point.value.is_none()).count(), 1);
    assert_eq!(chart[0].at, day.range().from.plus(Duration::from_mins(30)));

    let week = Period::labelled("2014-W18", &Zone::UTC).expect("a week");
    let readings = every_ten_minutes(&week, &[3.0; 7 * 144]);
    let mut fine = metric("kW", MetricKind::Gauge, &readings, &week);
    fine.current = series(&readings, 300, &week);
    let content = build(&subject(&week, vec![vec![fine]]));
    let chart = &only_metric(&content).chart;
    assert_eq!(chart.len(), 7 * 144 / 2);
    assert!(chart.iter().all(|point| point.value == Some(3.0)));
}

#[test]
fn modules_of_a_site_add_up_energy_but_no_temperature() {
    let day = Period::labelled("2014-05-02", &Zone::UTC).expect("a day");
    let both =
        [every_ten_minutes(&day.previous(), &[1.0; 144]), every_ten_minutes(&day, &[2.0; 144])].concat();
    let new = every_ten_minutes(&day, &[3.0; 144]);
    let warm = metric("Cel", MetricKind::Gauge, &both, &day);
    let modules = vec![
        vec![metric("kW", MetricKind::Gauge, &both, &day), MetricFigures { key: "t".into(), ..warm }],
        vec![metric("kW", MetricKind::Gauge, &new, &day)],
    ];
    let content = build(&subject(&day, modules));
    let [total] = content.sites[0].totals.as_slice() else { panic!("one total") };
    assert_eq!((total.key.as_str(), total.unit.as_str()), ("m", "kWh"));
    assert_close(total.value, 48.0 + 72.0);
    let comparison = total.comparison.expect("a day before");
    assert_close(comparison.previous, 24.0);
    assert_close(comparison.change_percent.expect("a share"), 400.0);

    let temperature = content.sites[0].modules[0].metrics[1].comparison.expect("a day before");
    assert_eq!((temperature.change, temperature.change_percent), (1.0, None), "degrees have no share");
    assert_eq!(content.sites[0].modules[1].metrics[0].comparison, None, "nothing to compare with");
}

#[test]
fn a_period_that_is_not_over_counts_as_far_as_it_went() {
    let day = Period::labelled("2014-05-02", &Zone::UTC).expect("a day");
    let readings =
        [every_ten_minutes(&day.previous(), &[1.0; 144]), every_ten_minutes(&day, &[2.0; 69])].concat();
    let mut subject = subject(&day, vec![vec![metric("kW", MetricKind::Gauge, &readings, &day)]]);
    subject.made_at = day.range().from.plus(Duration::from_mins(690));
    let content = build(&subject);
    assert_eq!(content.notes, [Note::Unfinished]);
    let metric = only_metric(&content);
    assert_eq!(metric.coverage, Coverage { arrived: 69, expected: 69 });
    assert_close(metric.figures.and_then(|figures| figures.energy_kwh).expect("energy"), 23.0);
    assert_eq!(metric.comparison, None);
    assert_eq!(content.sites[0].totals[0].comparison, None);
    assert!(content.sites[0].modules[0].gaps.is_empty());
}

#[test]
fn what_is_empty_is_said_in_words() {
    let day = Period::labelled("2014-05-02", &Zone::UTC).expect("a day");
    let mut nothing = subject(&day, vec![vec![metric("kW", MetricKind::Gauge, &[], &day)]]);
    let content = build(&nothing);
    assert_eq!(content.notes, [Note::NoReadings]);
    assert_eq!(content.sites[0].notes, [Note::NoReadings]);
    assert_eq!(only_metric(&content).figures, None);
    assert_eq!(content.coverage().share(), Some(0.0));
    assert_eq!(content.sites[0].modules[0].gaps, [day.range()]);

    nothing.sites[0].modules.clear();
    assert_eq!(build(&nothing).sites[0].notes, [Note::NoModules]);
    nothing.sites.clear();
    assert_eq!(build(&nothing).notes, [Note::NoSites]);
    assert_eq!(build(&nothing).coverage().share(), None);
    nothing.only_assigned = true;
    assert_eq!(build(&nothing).notes, [Note::NothingAssigned]);
}
