//! Real telemetry: what the API computes equals what a few plain lines compute from the file.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Value, json};
use sitewatch_tests::world::{Backend, World};

/// What becomes of the sample's values.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SampleCounts {
    /// Lines for a turbine and moment that an earlier line was for.
    pub pairs: u64,
    pub accepted: u64,
    pub duplicate: u64,
    pub conflict: u64,
}

/// A line of the sample: turbine, local time as written, the same moment in UTC, and each metric's value.
pub struct Line {
    pub turbine: String,
    pub local: String,
    pub utc: String,
    pub values: Vec<(String, f64)>,
}

pub fn lines() -> Vec<Line> {
    let mut reader = csv::Reader::from_reader(sitewatch_runtime::demo::sample_csv().as_bytes());
    let metrics: Vec<String> = reader.headers().expect("a head").iter().skip(2).map(str::to_owned).collect();
    let lines = reader.records().map(|line| {
        let line = line.expect("a line");
        let values = metrics.iter().zip(line.iter().skip(2));
        Line {
            turbine: line[0].to_owned(),
            local: line[1].to_owned(),
            utc: line[1].parse::<sitewatch_domain::time::Instant>().expect("a time").to_string(),
            values: values.filter_map(|(metric, text)| Some((metric.clone(), text.parse().ok()?))).collect(),
        }
    });
    lines.collect()
}

/// Counts what a store that keeps the first value must say of all seven metrics.
pub fn sample_counts() -> SampleCounts {
    let mut counts = SampleCounts::default();
    let mut moments = BTreeSet::new();
    let mut first: BTreeMap<(String, String, String), f64> = BTreeMap::new();
    for line in lines() {
        counts.pairs += u64::from(!moments.insert((line.turbine.clone(), line.utc.clone())));
        for (metric, value) in line.values {
            let key = (line.turbine.clone(), line.utc.clone(), metric);
            match first.get(&key) {
                None => {
                    first.insert(key, value);
                    counts.accepted += 1;
                }
                Some(stored) if (stored - value).abs() > 0.0 => counts.conflict += 1,
                Some(_) => counts.duplicate += 1,
            }
        }
    }
    counts
}

/// Average and number of `P_avg` by turbine and day.
///
/// Of a turbine and moment the first line counts; days are the first ten characters of the local time, which is what the
/// file is written in.
pub fn daily_averages() -> BTreeMap<(String, String), (f64, u64)> {
    let mut moments = BTreeSet::new();
    let mut days: BTreeMap<(String, String), (f64, u64)> = BTreeMap::new();
    for line in lines() {
        let Some((_, power)) = line.values.iter().find(|(metric, _)| metric == "P_avg") else { continue };
        if moments.insert((line.turbine.clone(), line.utc)) {
            let (sum, count) = days.entry((line.turbine, line.local[..10].to_owned())).or_default();
            *sum += power;
            *count += 1;
        }
    }
    days.into_iter().map(|(day, (sum, count))| (day, (sum / count as f64, count))).collect()
}

pub async fn daily_averages_equal_a_plain_computation(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("La Haute Borne").await;
    let module_type = world.module_type(&org, "MM82", &["P_avg"]).await;
    let site = world.site(&org, "Farm").await;
    let mut modules = BTreeMap::new();
    for name in ["R80711", "R80721", "R80736", "R80790"] {
        modules.insert(name.to_owned(), world.module(&site, &module_type, name).await);
    }
    let mut rows = Vec::new();
    for line in lines() {
        for (_, power) in line.values.iter().filter(|(metric, _)| metric == "P_avg") {
            rows.push(json!({ "module": line.turbine, "metric": "P_avg", "at": line.local, "value": power }));
        }
    }
    let days = daily_averages();
    let mut counts = [0, 0, 0];
    for batch in rows.chunks(2_000) {
        let answer =
            world.root.post("/api/v1/ingest/readings", json!({ "readings": batch })).await.expect(200).data();
        for (count, name) in counts.iter_mut().zip(["accepted", "duplicate", "conflict"]) {
            *count += answer[name].as_u64().unwrap();
        }
    }
    let distinct: u64 = days.values().map(|(_, count)| count).sum();
    assert_eq!(counts, [distinct, 0, 24], "the hour that the file tells twice, of four turbines");
    let ids: Vec<&String> = modules.values().collect();
    let question = json!({
        "modules": ids, "metrics": ["P_avg"], "from": "2014-03-28T00:00:00+01:00", "to": "2014-04-03T00:00:00+02:00",
        "interval": "P1D", "timezone": "Europe/Paris", "aggregates": ["avg", "count"],
    });
    let answer = world.root.post("/api/v1/telemetry/query", question).await.expect(200).data();
    let labels = ["2014-03-28", "2014-03-29", "2014-03-30", "2014-03-31", "2014-04-01", "2014-04-02"];
    for (turbine, series) in modules.keys().zip(answer["series"].as_array().unwrap()) {
        for (index, day) in labels.iter().enumerate() {
            let (expected, count) = days[&(turbine.clone(), (*day).to_owned())];
            let average = series["avg"][index].as_f64().unwrap();
            assert!((average - expected).abs() < 1e-9, "{turbine} {day}: {average} and {expected}");
            assert_eq!(series["count"][index], Value::from(count), "{turbine} {day}");
        }
        assert_eq!(series["count"][2], 23 * 6, "a day of 23 hours");
    }
}
