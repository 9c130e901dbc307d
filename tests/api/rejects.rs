//! Readings that were not stored are kept with their reason, and never too many of them.

use std::sync::Arc;

use serde_json::{Value, json};
use sitewatch_tests::{
    client::Client,
    world::{Backend, World},
};

const AT: &str = "2014-03-30T03:00:00+02:00";

/// All rejected rows of a module, followed to the end, so many a slice.
async fn rejects(client: &Client, module: &str, limit: usize) -> Vec<Value> {
    let mut all = Vec::new();
    let mut next = Some(format!("/api/v1/modules/{module}/rejects?limit={limit}"));
    while let Some(path) = next {
        let answer = client.get(&path).await.expect(200);
        let slice = answer.data().as_array().expect("a list").clone();
        assert!(slice.len() <= limit);
        all.extend(slice);
        next = answer.json()["links"]["next"].as_str().map(str::to_owned);
    }
    all
}

pub async fn rejected_rows_are_kept_with_their_reason(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let module_type = world.module_type(&org, "T", &["power"]).await;
    let site = world.site(&org, "S").await;
    let module = world.module(&site, &module_type, "SN-1").await;
    let rows = json!([
        { "module": "SN-1", "metric": "power", "at": AT, "value": 1.5 },
        { "module": "SN-1", "metric": "colour\u{0}\u{1f600}", "at": AT, "value": 2 },
        { "module": "SN-9", "metric": "power", "at": AT, "value": 3 },
        { "module": "SN-1", "metric": "power", "at": "yesterday", "value": 4 },
        { "module": "SN-1", "metric": "power", "at": AT, "value": 5, "odd\u{0}": 1 },
    ]);
    let body = json!({ "readings": rows });
    world.root.post("/api/v1/ingest/readings", body).await.expect(200);
    let kept = rejects(&world.root, &module, 2).await;
    let told = |reject: &Value| {
        let text = |name: &str| reject[name].as_str().expect(name).to_owned();
        (text("field"), text("reason"), reject["row"].clone())
    };
    let utc = "2014-03-30T01:00:00.000Z";
    let mut told: Vec<_> = kept.iter().map(told).collect();
    told.sort_by_key(|(_, _, row)| row["value"].as_f64().expect("a value").to_bits());
    assert_eq!(
        told,
        [
            (
                "metric".into(),
                "unknown_metric".into(),
                json!({ "metric": "colour\u{0}\u{1f600}", "at": utc, "value": 2.0 })
            ),
            ("at".into(), "not_a_time".into(), json!({ "metric": "power", "value": 4.0 })),
            (
                "odd\u{fffd}".into(),
                "unknown_field".into(),
                json!({ "metric": "power", "at": utc, "value": 5.0 })
            ),
        ]
    );
    let me = world.root.get("/api/v1/auth/me").await.expect(200).id();
    assert!(kept.iter().all(|reject| reject["sent_by"] == me.as_str()));
    // Of a batch of which nothing is stored as well.
    let body = json!({ "readings": [{ "metric": "power", "at": "1900-01-01T00:00:00Z", "value": 1 }] });
    world.root.post(&format!("/api/v1/modules/{module}/readings"), body).await.expect(422);
    let kept = rejects(&world.root, &module, 100).await;
    assert_eq!((kept.len(), &kept[0]["reason"]), (4, &json!("before_year_2000")), "the newest first");
}

pub async fn no_more_than_a_thousand_are_kept(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let module_type = world.module_type(&org, "T", &["power"]).await;
    let site = world.site(&org, "S").await;
    let module = world.module(&site, &module_type, "SN-1").await;
    let beside = world.module(&site, &module_type, "SN-2").await;
    let batch = |module: &str, rows: usize, value: usize| {
        let row = json!({ "module": module, "metric": "colour", "at": AT, "value": value });
        json!({ "readings": vec![row; rows] })
    };
    world.root.post("/api/v1/ingest/readings", batch("SN-2", 1, 0)).await.expect(422);
    world.root.post("/api/v1/ingest/readings", batch("SN-1", 10_000, 0)).await.expect(422);
    assert_eq!(rejects(&world.root, &module, 1_000).await.len(), 100, "of one batch");
    for number in 1..=12 {
        world.root.post("/api/v1/ingest/readings", batch("SN-1", 100, number)).await.expect(422);
    }
    let kept = rejects(&world.root, &module, 300).await;
    assert_eq!(kept.len(), 1_000);
    assert!(kept.iter().all(|reject| reject["row"]["value"].as_f64().expect("a value") > 2.0), "the newest");
    assert_eq!(rejects(&world.root, &beside, 10).await.len(), 1, "another module's stay");
}
