//! Real telemetry: what the API computes equals what a few plain lines compute from the file.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use sitewatch_tests::world::{Backend, World};

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
    // The plain computation: of a turbine and moment the first line counts; days are the first ten characters of the local
    // time, which is what the file is written in.
    let mut first: BTreeMap<(String, String), (String, f64)> = BTreeMap::new();
    let mut conflicts = 0;
    let mut reader = csv::Reader::from_reader(sitewatch_runtime::demo::sample_csv().as_bytes());
    for line in reader.records() {
        let line = line.expect("a line");
        let Ok(power) = line[3].parse::<f64>() else { continue };
        rows.push(json!({ "module": &line[0], "metric": "P_avg", "at": &line[1], "value": power }));
        let utc = line[1].parse::<sitewatch_domain::time::Instant>().expect("a time").to_string();
        let key = (line[0].to_owned(), utc);
        match first.get(&key) {
            Some((_, stored)) => conflicts += u64::from((*stored - power).abs() > 0.0),
            None => drop(first.insert(key, (line[1][..10].to_owned(), power))),
        }
    }
    let mut days: BTreeMap<(String, String), (f64, f64)> = BTreeMap::new();
    for ((turbine, _), (day, power)) in &first {
        let sum = days.entry((turbine.clone(), day.clone())).or_default();
        *sum = (sum.0 + power, sum.1 + 1.0);
    }
    let mut counts = [0, 0];
    for batch in rows.chunks(2_000) {
        let answer =
            world.root.post("/api/v1/ingest/readings", json!({ "readings": batch })).await.expect(200).data();
        counts[0] += answer["accepted"].as_u64().unwrap();
        counts[1] += answer["conflict"].as_u64().unwrap();
    }
    assert_eq!(counts, [first.len() as u64, conflicts]);
    assert!(conflicts > 20, "the hour that the file tells twice");
    let ids: Vec<&String> = modules.values().collect();
    let question = json!({
        "modules": ids, "metrics": ["P_avg"], "from": "2014-03-28T00:00:00+01:00", "to": "2014-04-03T00:00:00+02:00",
        "interval": "P1D", "timezone": "Europe/Paris", "aggregates": ["avg", "count"],
    });
    let answer = world.root.post("/api/v1/telemetry/query", question).await.expect(200).data();
    let labels = ["2014-03-28", "2014-03-29", "2014-03-30", "2014-03-31", "2014-04-01", "2014-04-02"];
    for (turbine, series) in modules.keys().zip(answer["series"].as_array().unwrap()) {
        for (index, day) in labels.iter().enumerate() {
            let (sum, count) = days[&(turbine.clone(), (*day).to_owned())];
            let average = series["avg"][index].as_f64().unwrap();
            assert!((average - sum / count).abs() < 1e-9, "{turbine} {day}: {average} and {}", sum / count);
            assert_eq!(series["count"][index], Value::from(count as u64), "{turbine} {day}");
        }
        assert_eq!(series["count"][2], 23 * 6, "a day of 23 hours");
    }
}
