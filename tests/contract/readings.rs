//! Readings: the first value wins, only what is within reach is found, buckets are what a plain computation says.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use sitewatch_domain::{
    access::{Access, Actor, ReadModules, ReadReadings, Role, SendReadings, Spot},
    ids::ModuleId,
    modules::Module,
    readings::{
        Aggregate, BatchVerdict, HistoryRequest, ReadingBatch, ReadingKey, ReadingRow, TelemetryQuery, Values,
    },
    time::{Instant, TimeRange},
};
use sitewatch_tests::world::Backend;

use crate::farm::{
    A, B, Farm, actor, admin_of, assigned_to, id, module, site, spot_of_module, spot_of_site, superuser,
};

/// Modules 200 and 201 of A, at different sites, and 204 of B.
async fn planted(backend: &Arc<Backend>) -> Farm {
    let farm = Farm::new(backend).await;
    for (number, org) in [(100, A), (101, A), (102, B)] {
        farm.site(&site(number, org, &format!("Site {number}"))).await.expect("a site");
    }
    for (number, org, at) in [(200, A, 100), (201, A, 101), (204, B, 102)] {
        let made = Module { serial_number: Some(format!("SN-{number}")), ..module(number, org, at, "M") };
        farm.module(&made).await.expect("a module");
    }
    farm
}

fn row(module: u128, at: Instant, value: f64) -> ReadingRow {
    let module = id::<Module>(module).to_string();
    ReadingRow {
        module: Some(Ok(module)),
        metric: Ok("power".into()),
        at: Ok(at),
        value: Ok(value),
        shape: None,
    }
}

async fn send(farm: &Farm, readings: Vec<ReadingRow>) -> BatchVerdict {
    let batch = ReadingBatch { organization_id: None, readings };
    farm.platform.readings().ingest(&superuser(), batch).await.expect("a verdict")
}

fn at(text: &str) -> Instant {
    text.parse().expect("a moment")
}

fn all_times() -> TimeRange {
    TimeRange { from: Instant::YEAR_2000, to: Instant::from_micros(i64::MAX) }
}

async fn values(farm: &Farm, by: &Actor, module: u128) -> Vec<f64> {
    let grant = by.grant::<ReadReadings>().expect("a grant");
    let reader = farm.store.read(by).await.expect("a reader");
    let readings = reader.list_readings(&grant, id(module), None, all_times(), None, 1_000).await;
    readings.expect("readings").iter().map(|reading| reading.value).collect()
}

pub async fn the_first_value_wins(backend: Arc<Backend>) {
    let farm = planted(&backend).await;
    let (one, two) = (at("2001-01-31T23:59:59.999999Z"), at("2001-02-01T00:00:00Z"));
    let counts = |verdict: &BatchVerdict| (verdict.accepted, verdict.duplicate, verdict.conflict);
    let first = send(&farm, vec![row(200, one, 1.0), row(200, two, 2.0), row(201, one, 3.0)]).await;
    assert_eq!(counts(&first), (3, 0, 0));
    let again = send(&farm, vec![row(200, one, 1.0), row(200, two, 9.0), row(201, two, 4.0)]).await;
    assert_eq!(counts(&again), (1, 1, 1));
    assert_eq!(values(&farm, &superuser(), 200).await, [1.0, 2.0], "the first value stays");
    // A pair inside one batch, and zero in both of its forms.
    let three = at("2001-02-01T00:00:00.000001Z");
    let pair = send(&farm, vec![row(200, three, 0.0), row(200, three, 5.0), row(200, three, -0.0)]).await;
    assert_eq!(counts(&pair), (1, 1, 1));
    assert_eq!(counts(&send(&farm, vec![row(200, three, -0.0)]).await), (0, 1, 0));
    // Far apart, all in one batch: each month is made when it is needed.
    let years: Vec<ReadingRow> =
        (2000..2026).map(|year| row(204, at(&format!("{year}-06-15T12:00:00Z")), f64::from(year))).collect();
    assert_eq!(counts(&send(&farm, years.clone()).await), (26, 0, 0));
    assert_eq!(counts(&send(&farm, years).await), (0, 26, 0));
    assert_eq!(values(&farm, &superuser(), 204).await, (2000..2026).map(f64::from).collect::<Vec<_>>());
    // The extremes of a double come back as they went in.
    let extremes = [f64::MIN_POSITIVE, 5e-324, 0.1 + 0.2, -123_456_789.123_456_78];
    let rows =
        extremes.iter().zip(0..).map(|(value, n)| row(201, two.plus(Duration::from_secs(60 + n)), *value));
    send(&farm, rows.collect()).await;
    assert_eq!(values(&farm, &superuser(), 201).await[2..], extremes);
}

pub async fn readings_lie_within_reach_or_are_not_there(backend: Arc<Backend>) {
    let farm = planted(&backend).await;
    let moment = at("2020-05-05T05:05:05Z");
    send(&farm, [200, 201, 204].iter().map(|module| row(*module, moment, *module as f64)).collect()).await;
    let modules: Vec<ModuleId> = [200, 201, 204, 999].map(id).to_vec();
    for (by, expected) in [
        (superuser(), vec![200, 201, 204]),
        (admin_of(&[A]), vec![200, 201]),
        (admin_of(&[B]), vec![204]),
        (assigned_to(&[spot_of_site(100)]), vec![200]),
        (assigned_to(&[spot_of_module(201)]), vec![201]),
        (assigned_to(&[]), vec![]),
        (actor(900, &[], &[]), vec![]),
    ] {
        let grant = by.grant::<ReadReadings>().expect("a grant");
        let reader = farm.store.read(&by).await.expect("a reader");
        let targets = reader.find_query_targets(&grant, &modules).await.expect("targets");
        let mut found: Vec<u128> = targets.iter().map(|target| target.module_id.uuid().as_u128()).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{by:?}");
        for module in [200, 201, 204] {
            let is_seen = expected.contains(&module);
            let expected: Vec<f64> = if is_seen { vec![module as f64] } else { Vec::new() };
            assert_eq!(values(&farm, &by, module).await, expected, "{module}: {by:?}");
            let visible = by.grant::<ReadModules>().expect("a grant");
            let latest = reader.list_latest(&visible, id(module)).await.expect("latest");
            assert_eq!(latest.iter().map(|latest| latest.reading.value).collect::<Vec<_>>(), expected);
            let target = reader.find_ingest_target(&visible, id(module)).await.expect("an answer");
            assert_eq!(target.is_some(), is_seen);
        }
    }
    for (by, expected) in [(superuser(), 3), (admin_of(&[A]), 2), (admin_of(&[B]), 1)] {
        let grant = by.grant::<SendReadings>().expect("an admin");
        let reader = farm.store.read(&by).await.expect("a reader");
        let names = ["SN-200", &id::<Module>(201).to_string(), "SN-204", "SN-999", ""];
        let targets = reader.find_ingest_targets(&grant, &names).await.expect("targets");
        assert_eq!(targets.len(), expected, "{by:?}");
    }
    let operator = actor(901, &[(A, Role::Member)], &[(A, Spot::Site(id(100)), Access::Operator)]);
    assert!(operator.grant::<SendReadings>().is_err(), "operators send nothing");
    farm.archive_module(&Module { serial_number: Some("SN-200".into()), ..module(200, A, 100, "M") }).await;
    assert_eq!(values(&farm, &superuser(), 200).await, [0.0; 0], "what is archived is not told");
}

pub async fn history_is_read_in_slices(backend: Arc<Backend>) {
    let farm = planted(&backend).await;
    let first = at("2020-12-31T23:00:00Z");
    let moments: Vec<Instant> = (0..25).map(|n| first.plus(Duration::from_secs(n * 600))).collect();
    // Sent backwards: what comes first is a matter of the moment, not of the sending.
    send(&farm, moments.iter().rev().map(|moment| row(200, *moment, 1.0)).collect()).await;
    let by = admin_of(&[A]);
    let grant = by.grant::<ReadReadings>().expect("an admin");
    let reader = farm.store.read(&by).await.expect("a reader");
    for limit in [1, 7, 25, 26] {
        let (mut read, mut after) = (Vec::new(), None);
        loop {
            let slice = reader.list_readings(&grant, id(200), None, all_times(), after, limit).await;
            let slice = slice.expect("a slice");
            let Some(last) = slice.last() else { break };
            after = Some(ReadingKey { at: last.at.as_micros(), metric: last.metric_id.uuid() });
            read.extend(slice.iter().map(|reading| reading.at));
        }
        assert_eq!(read, moments, "in slices of {limit}");
    }
    let range = TimeRange { from: moments[3], to: moments[9] };
    let part = reader.list_readings(&grant, id(200), None, range, None, 100).await.expect("a part");
    assert_eq!(part.iter().map(|reading| reading.at).collect::<Vec<_>>(), moments[3..9], "without the end");
    let request = HistoryRequest { metric: Some("power".into()), ..HistoryRequest::default() };
    let slice = farm.platform.readings().history(&by, id(200), &request).await.expect("a slice");
    assert_eq!((slice.items.len(), slice.next_cursor), (25, None));
}

/// All seven figures of every bucket, over the two days of a year on which the clocks change.
pub async fn buckets_equal_a_plain_computation(backend: Arc<Backend>) {
    let farm = planted(&backend).await;
    let sent = scattered();
    let rows: Vec<ReadingRow> = sent
        .iter()
        .flat_map(|(module, values)| values.iter().map(|(at, value)| row(*module, *at, *value)))
        .collect();
    for batch in rows.chunks(5_000) {
        assert_eq!(send(&farm, batch.to_vec()).await.accepted, batch.len() as u64);
    }
    for (interval, zone) in [
        ("PT1H", "Europe/Paris"),
        ("P1D", "Europe/Paris"),
        ("P1D", "Asia/Kathmandu"),
        ("P1M", "UTC"),
        ("P1W", "America/Lima"),
    ] {
        let question = TelemetryQuery {
            modules: vec![id(201), id(200)],
            metrics: vec!["power".into()],
            from: at("2014-03-28T11:30:00Z"),
            to: at("2014-11-01T00:00:00Z"),
            interval: Some(interval.into()),
            timezone: Some(zone.into()),
            aggregates: Aggregate::ALL.iter().map(|aggregate| aggregate.name().to_owned()).collect(),
        };
        let range = TimeRange { from: question.from, to: question.to };
        let answer = farm.platform.readings().query(&admin_of(&[A]), question).await.expect("an answer");
        for (series, module) in answer.series.iter().zip([201, 200]) {
            assert_eq!(series.module_id, id(module));
            let Values::Buckets(buckets) = &series.values else { panic!("raw values") };
            for (index, start) in buckets.at.iter().enumerate() {
                let end = buckets.at.get(index + 1).copied().unwrap_or(range.to);
                let inside: Vec<f64> =
                    sent[&module].range((*start).max(range.from)..end).map(|(_, value)| *value).collect();
                for (aggregate, figures) in &buckets.figures {
                    let place = format!("{interval} {zone} {module} {start} {}", aggregate.name());
                    match (plain(*aggregate, &inside), figures[index]) {
                        (Some(expected), Some(found)) => {
                            assert!((expected - found).abs() < 1e-6, "{place}: {found} and {expected}");
                        }
                        (expected, found) => assert_eq!(expected, found, "{place}"),
                    }
                }
            }
        }
    }
}

/// Readings at odd moments, in two series, with gaps of days.
fn scattered() -> BTreeMap<u128, BTreeMap<Instant, f64>> {
    // A generator of Knuth's: repeatable, and not in step with any calendar.
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut sent: BTreeMap<u128, BTreeMap<Instant, f64>> = BTreeMap::new();
    for module in [200, 201] {
        let mut moment = at("2014-03-28T00:00:00Z");
        while moment < at("2014-11-01T12:00:00Z") {
            let value = f64::from(u32::try_from(next() % 2_000_000).unwrap()) / 1_000.0 - 1_000.0;
            sent.entry(module).or_default().insert(moment, value);
            let gap = if next() % 200 == 0 { 3 * 86_400 } else { 1 + next() % 10_800 };
            moment = moment.plus(Duration::from_micros(gap * 1_000_000 + next() % 1_000_000));
        }
    }
    sent
}

fn plain(aggregate: Aggregate, values: &[f64]) -> Option<f64> {
    let sum: f64 = values.iter().sum();
    match aggregate {
        Aggregate::Count => Some(values.len() as f64),
        Aggregate::Sum => (!values.is_empty()).then_some(sum),
        Aggregate::Avg => (!values.is_empty()).then(|| sum / values.len() as f64),
        Aggregate::Min => values.iter().copied().reduce(f64::min),
        Aggregate::Max => values.iter().copied().reduce(f64::max),
        Aggregate::First => values.first().copied(),
        Aggregate::Last => values.last().copied(),
    }
}
