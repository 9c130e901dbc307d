//! Readings in and out.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use sitewatch_tests::{
    client::Client,
    world::{Backend, World},
};

struct Plant {
    world: World,
    organization: String,
    module: String,
}

async fn plant(backend: &Arc<Backend>) -> Plant {
    let world = World::start(backend).await;
    let organization = world.organization("A").await;
    let module_type = world.module_type(&organization, "T", &["power", "temperature"]).await;
    let bounds =
        world.root.get(&format!("/api/v1/metrics?organization_id={organization}&key=temperature")).await;
    let metric = bounds.expect(200).data()[0]["id"].as_str().unwrap().to_owned();
    world
        .root
        .patch(&format!("/api/v1/metrics/{metric}"), json!({ "min": -60, "max": 60 }))
        .await
        .expect(200);
    let site = world.site(&organization, "S").await;
    let module = world.module(&site, &module_type, "SN-1").await;
    Plant { world, organization, module }
}

async fn send(client: &Client, rows: Value) -> Value {
    client.post("/api/v1/ingest/readings", json!({ "readings": rows })).await.expect(200).data()
}

pub async fn good_rows_are_kept_and_bad_ones_named(backend: Arc<Backend>) {
    let plant = plant(&backend).await;
    let at = "2014-03-30T03:00:00+02:00";
    let row = |module: &str, metric: &str, at: &str, value: Value| json!({ "module": module, "metric": metric, "at": at, "value": value });
    let rows = json!([
        row("SN-1", "power", at, json!(1.5)),
        row("SN-9", "power", at, json!(1)),
        row("SN-1", "colour", at, json!(1)),
        row("SN-1", "power", "1900-01-01T00:00:00Z", json!(1)),
        row("SN-1", "power", "9999-01-01T00:00:00Z", json!(1)),
        row("SN-1", "power", at, json!("12")),
        row("SN-1", "temperature", at, json!(-273.2)),
        row(&plant.module, "temperature", "2014-03-29T20:00:00-05:00", json!(20)),
        "not a row",
        row("SN-1\u{0}", "power", at, json!(1)),
        json!({ "module": "SN-1", "metric": "power", "at": at, "value": 1, "colour": "red" }),
        row("SN-1", "power", "2014-03-30T01:00:00Z", json!(9)),
    ]);
    let verdict = send(&plant.world.root, rows).await;
    assert_eq!(
        (&verdict["accepted"], &verdict["conflict"], &verdict["rejected"]),
        (&json!(2), &json!(1), &json!(9))
    );
    let reasons: Vec<(u64, &str, &str)> = verdict["rejects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reject| {
            (
                reject["index"].as_u64().unwrap(),
                reject["field"].as_str().unwrap(),
                reject["reason"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        reasons,
        [
            (1, "module", "unknown_module"),
            (2, "metric", "unknown_metric"),
            (3, "at", "before_year_2000"),
            (4, "at", "in_the_future"),
            (5, "value", "not_a_number"),
            (6, "value", "below_minimum"),
            (8, "row", "not_an_object"),
            (9, "module", "unknown_module"),
            (10, "colour", "unknown_field"),
        ]
    );
    let module = plant.world.root.get(&format!("/api/v1/modules/{}", plant.module)).await.expect(200).data();
    assert_eq!(
        (&module["state"], &module["last_seen_at"]),
        (&json!("new"), &Value::Null),
        "history makes nothing online"
    );
}

pub async fn a_batch_of_nothing_but_bad_rows_tells_how_many(backend: Arc<Backend>) {
    let plant = plant(&backend).await;
    let rows: Vec<Value> = (0..250).map(|value| json!({ "value": value })).collect();
    let refused =
        plant.world.root.post("/api/v1/ingest/readings", json!({ "readings": rows })).await.expect(422);
    let faults = refused.faults();
    assert_eq!((faults.len(), faults.last().map(String::as_str)), (101, Some("readings")));
    assert!(refused.text.contains("150 more rows"), "{}", refused.text);
}

pub async fn the_same_batch_twice_changes_nothing(backend: Arc<Backend>) {
    let plant = plant(&backend).await;
    let path = format!("/api/v1/modules/{}/readings", plant.module);
    let rows: Vec<Value> = (0..500)
        .map(|n| json!({ "metric": "power", "at": format!("2026-01-01T{:02}:{:02}:00Z", n / 60, n % 60), "value": n }))
        .collect();
    let first = plant.world.root.post(&path, json!({ "readings": rows })).await.expect(200).data();
    assert_eq!((&first["accepted"], &first["duplicate"]), (&json!(500), &json!(0)));
    let second = plant.world.root.post(&path, json!({ "readings": rows })).await.expect(200).data();
    assert_eq!(
        (&second["accepted"], &second["duplicate"], &second["conflict"]),
        (&json!(0), &json!(500), &json!(0))
    );
    let other = json!({ "readings": [{ "metric": "power", "at": "2026-01-01T00:07:00Z", "value": 1000 }] });
    let third = plant.world.root.post(&path, other).await.expect(200).data();
    assert_eq!(third["conflict"], 1);
    let read =
        plant.world.root.get(&format!("{path}?from=2026-01-01T00:07:00Z&to=2026-01-01T00:08:00Z")).await;
    assert_eq!(read.expect(200).data()[0]["value"], 7.0, "the first value stays");
}

pub async fn batches_that_are_refused_as_a_whole(backend: Arc<Backend>) {
    let plant = plant(&backend).await;
    let root = &plant.world.root;
    let kind = [("content-type", "application/json")];
    let path = format!("/api/v1/modules/{}/readings", plant.module);
    let good = r#"{"metric":"power","at":"2026-01-01T00:00:00Z","value":1}"#;
    let many = format!("{{\"readings\":[{}]}}", vec![good; 10_001].join(","));
    let deep = format!("{{\"readings\":[{}{}]}}", "[".repeat(200), "]".repeat(200));
    let long = format!("{{\"readings\":[\"{}\"]}}", "x".repeat(2 * 1024 * 1024));
    let bodies = [
        ("{\"readings\":[]}", 422),
        ("{}", 422),
        ("[]", 422),
        ("{\"readings\":{}}", 422),
        (many.as_str(), 422),
        ("{\"readings\":[{}]} x", 400),
        ("{\"readings\":[],\"readings\":[]}", 400),
        (deep.as_str(), 400),
        (long.as_str(), 413),
        ("{\"readings\":[{\"metric\":\"power\",\"metric\":\"power\"}]}", 400),
        ("{\"readings\":[{\"value\":1e999}]}", 400),
        ("{\"readings\":[{\"metric\":\"\\udfff\"}]}", 400),
        ("{\"readings\":[{\"metric\":\"power\",\"at\":\"x\",\"value\":1}]}", 422),
        ("{\"readings\":[{\"value\":NaN}]}", 400),
        ("", 400),
        ("{\"readings\":[1],\"colour\":2}", 422),
    ];
    for (body, status) in bodies {
        for address in [path.as_str(), "/api/v1/ingest/readings"] {
            let answer = root.raw(Method::POST, address, body.as_bytes().to_vec(), &kind).await;
            let shown: String = body.chars().take(60).collect();
            assert_eq!(answer.status.as_u16(), status, "{shown}: {}", answer.text);
            answer.error_type();
        }
    }
    let digits = format!(
        "{{\"readings\":[{{\"metric\":\"power\",\"at\":\"2026-01-01T00:00:00Z\",\"value\":{}}}]}}",
        "9".repeat(400)
    );
    let huge = root.raw(Method::POST, &path, digits.into_bytes(), &kind).await;
    assert!(huge.status.is_client_error(), "{}", huge.text);
    let foreign = root
        .raw(
            Method::POST,
            "/api/v1/modules/018f0000-0000-7000-8000-000000000000/readings",
            b"{".to_vec(),
            &kind,
        )
        .await;
    foreign.expect(404);
}

pub async fn history_is_read_back_in_slices(backend: Arc<Backend>) {
    let plant = plant(&backend).await;
    let root = &plant.world.root;
    let path = format!("/api/v1/modules/{}/readings", plant.module);
    let rows: Vec<Value> = (0..50)
        .flat_map(|n| {
            ["power", "temperature"].map(
                |metric| json!({ "metric": metric, "at": format!("2026-01-01T00:{n:02}:00Z"), "value": n }),
            )
        })
        .collect();
    root.post(&path, json!({ "readings": rows })).await.expect(200);
    let mut next = Some(format!("{path}?limit=7"));
    let mut seen = Vec::new();
    while let Some(path) = next {
        let slice = root.get(&path).await.expect(200);
        seen.extend(
            slice.data().as_array().unwrap().iter().map(|row| {
                (row["at"].as_str().unwrap().to_owned(), row["metric"].as_str().unwrap().to_owned())
            }),
        );
        next = slice.json()["links"]["next"].as_str().map(str::to_owned);
    }
    assert_eq!(seen.len(), 100);
    assert!(seen.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0] != pair[1]));
    let one = root.get(&format!("{path}?metric=power&limit=1000")).await.expect(200);
    assert_eq!(one.data().as_array().unwrap().len(), 50);
    root.get(&format!("{path}?metric=colour")).await.expect(422);
    root.get(&format!("{path}?cursor=nonsense")).await.expect(422);
    let cursor =
        root.get(&format!("{path}?limit=7")).await.json()["meta"]["next_cursor"].as_str().unwrap().to_owned();
    root.get(&format!("{path}?metric=power&cursor={cursor}")).await.expect(422);
    let latest = root.get(&format!("/api/v1/modules/{}/latest", plant.module)).await.expect(200).data();
    assert_eq!(
        latest[0],
        json!({ "metric": "power", "at": "2026-01-01T00:49:00.000Z", "value": 49.0, "unit": "kW" })
    );
}

pub async fn queries_answer_in_calendar_terms(backend: Arc<Backend>) {
    let plant = plant(&backend).await;
    let root = &plant.world.root;
    let rows = json!([
        { "module": "SN-1", "metric": "power", "at": "2014-03-30T00:30:00+01:00", "value": 3 },
        { "module": "SN-1", "metric": "power", "at": "2014-03-30T23:30:00+02:00", "value": 5 },
        { "module": "SN-1", "metric": "power", "at": "2014-03-31T00:00:00+02:00", "value": 8 },
    ]);
    send(root, rows).await;
    let ask = async |extra: Value| {
        let mut body = json!({ "modules": [plant.module], "metrics": ["power"], "from": "2014-03-30T00:00:00+01:00", "to": "2014-04-01T00:00:00+02:00" });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        root.post("/api/v1/telemetry/query", body).await
    };
    let all =
        json!({ "interval": "P1D", "aggregates": ["avg", "min", "max", "sum", "count", "first", "last"] });
    let days = ask(all).await.expect(200).data();
    let series = &days["series"][0];
    assert_eq!(
        series["at"],
        json!(["2014-03-29T23:00:00.000Z", "2014-03-30T22:00:00.000Z"]),
        "in the site's own zone"
    );
    assert_eq!(
        (&series["avg"], &series["count"], &series["first"], &series["last"]),
        (&json!([4.0, 8.0]), &json!([2, 1]), &json!([3.0, 8.0]), &json!([5.0, 8.0]))
    );
    assert_eq!(
        (&series["min"], &series["max"], &series["sum"]),
        (&json!([3.0, 8.0]), &json!([5.0, 8.0]), &json!([8.0, 8.0]))
    );
    let hours = ask(json!({ "interval": "PT1H", "aggregates": ["count", "avg"] })).await.expect(200).data();
    assert_eq!(hours["series"][0]["count"].as_array().unwrap().len(), 47, "a day of 23 hours and one of 24");
    assert_eq!(hours["series"][0]["avg"][1], Value::Null);
    let raw = ask(json!({})).await.expect(200).data();
    assert_eq!(raw["series"][0]["value"], json!([3.0, 5.0, 8.0]));
    for (bad, field) in [
        (json!({ "interval": "P2D" }), "interval"),
        (json!({ "timezone": "Mars" }), "timezone"),
        (json!({ "aggregates": ["avg"] }), "aggregates"),
        (json!({ "to": "2014-03-30T00:00:00+01:00" }), "to"),
        (json!({ "modules": ["018f0000-0000-7000-8000-000000000000"] }), "modules[0]"),
        (json!({ "metrics": ["power", "colour"] }), "metrics[1]"),
        (json!({ "modules": [] }), "modules"),
        (json!({ "from": 7 }), "from"),
        (json!({ "interval": "PT1M", "to": "2026-01-01T00:00:00Z" }), "interval"),
    ] {
        let refused = ask(bad.clone()).await.expect(422);
        assert!(refused.faults().contains(&field.to_owned()), "{bad}: {}", refused.text);
    }
}

pub async fn another_tenants_module_is_unknown(backend: Arc<Backend>) {
    let plant = plant(&backend).await;
    let other = plant.world.organization("B").await;
    let (_, admin) = plant.world.member(&other, "bob", "admin").await;
    let rows = json!({ "readings": [{ "module": plant.module, "metric": "power", "at": "2026-01-01T00:00:00Z", "value": 1 }] });
    let refused = admin.post("/api/v1/ingest/readings", rows.clone()).await.expect(422);
    assert_eq!(refused.faults(), ["readings[0].module"]);
    admin.post(&format!("/api/v1/modules/{}/readings", plant.module), rows).await.expect(404);
    let body = json!({ "organization_id": plant.organization, "readings": [] });
    admin.post("/api/v1/ingest/readings", body).await.expect(403);
    let body = json!({ "organization_id": plant.organization, "readings": [{ "module": "SN-1", "metric": "power", "at": "2026-01-01T00:00:00Z", "value": 1 }] });
    admin.post("/api/v1/ingest/readings", body).await.expect(403);
    let (_, nobody) = plant.world.user("nobody").await;
    nobody.post("/api/v1/ingest/readings", json!({})).await.expect(403);
}

/// Many batches ask for the same new months at once, as after an outage of a whole fleet.
pub async fn batches_side_by_side_open_new_months(backend: Arc<Backend>) {
    const SENDERS: usize = 16;
    let plant = plant(&backend).await;
    for month in 1..=6 {
        let mut senders = tokio::task::JoinSet::new();
        for sender in 0..SENDERS {
            let client = plant.world.root.clone();
            let at = format!("2009-{month:02}-15T12:00:{sender:02}Z");
            let row = json!({ "module": "SN-1", "metric": "power", "at": at, "value": 1 });
            senders.spawn(async move { send(&client, json!([row])).await });
        }
        for verdict in senders.join_all().await {
            assert_eq!(verdict["accepted"], 1);
        }
    }
    let question = json!({
        "modules": [plant.module], "metrics": ["power"], "from": "2009-01-01T00:00:00Z", "to": "2010-01-01T00:00:00Z",
        "interval": "P1D", "timezone": "UTC", "aggregates": ["count"],
    });
    let answer = plant.world.root.post("/api/v1/telemetry/query", question).await.expect(200).data();
    let counts = answer["series"][0]["count"].as_array().unwrap();
    let days: Vec<&Value> = counts.iter().filter(|count| **count != 0).collect();
    assert_eq!(days, vec![&json!(SENDERS); 6]);
}
