//! How much one question about telemetry may ask for.

use std::{fmt::Write as _, sync::Arc};

use sea_orm::{ConnectionTrait as _, Database, DbBackend};
use serde_json::{Value, json};
use sitewatch_tests::{
    client::Answer,
    world::{Backend, World},
};

/// Readings in an answer at most.
const MOST_POINTS: usize = 100_000;

async fn ask(world: &World, modules: &[&String], metrics: &[String], extra: Value) -> Answer {
    let mut body = json!({ "modules": modules, "metrics": metrics, "from": "2026-01-01T00:00:00Z", "to": "2026-01-03T00:00:00Z" });
    body.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
    world.root.post("/api/v1/telemetry/query", body).await
}

/// Sites in different zones have no day in common: the question has to say whose.
pub async fn sites_in_different_zones_need_a_zone(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let paris = world.module(&world.site(&org, "Paris").await, &kind, "P").await;
    let other = world.module(&world.site(&org, "Also Paris").await, &kind, "Q").await;
    let lima = world.site(&org, "Lima").await;
    world
        .root
        .patch(&format!("/api/v1/sites/{lima}"), json!({ "timezone": "America/Lima" }))
        .await
        .expect(200);
    let lima = world.module(&lima, &kind, "L").await;
    let power = ["power".to_owned()];
    let daily = json!({ "interval": "P1D" });
    ask(&world, &[&paris, &other], &power, daily.clone()).await.expect(200);
    let refused = ask(&world, &[&paris, &other, &lima], &power, daily).await.expect(422);
    assert_eq!(refused.faults(), ["timezone"]);
    let named = json!({ "interval": "P1D", "timezone": "America/Lima" });
    let answer = ask(&world, &[&paris, &lima], &power, named).await.expect(200).data();
    assert_eq!(answer["series"][0]["at"][1], "2026-01-01T05:00:00.000Z");
    ask(&world, &[&paris, &lima], &power, json!({})).await.expect(200);
}

pub async fn an_answer_has_at_most_a_hundred_series(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let keys: Vec<String> = (0..51).map(|number| format!("m{number}")).collect();
    let kind = world.module_type(&org, "T", &keys.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let site = world.site(&org, "S").await;
    let (one, two) = (world.module(&site, &kind, "one").await, world.module(&site, &kind, "two").await);
    for extra in [json!({}), json!({ "interval": "P1D" })] {
        let refused = ask(&world, &[&one, &two], &keys, extra.clone()).await.expect(422);
        assert_eq!(refused.faults(), ["metrics"]);
        assert!(refused.text.contains("100 series"), "{}", refused.text);
        let full = ask(&world, &[&one, &two], &keys[..50], extra.clone()).await.expect(200).data();
        assert_eq!(full["series"].as_array().expect("a list").len(), 100);
        ask(&world, &[&one], &keys, extra).await.expect(200);
    }
    let many: Vec<String> = (0..101).map(|number| format!("m{number}")).collect();
    assert_eq!(ask(&world, &[&one], &many, json!({})).await.expect(422).faults(), ["metrics"]);
}

pub async fn an_answer_has_at_most_a_hundred_thousand_readings(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let module = world.module(&world.site(&org, "S").await, &kind, "M").await;
    // The first one by the door, which makes its series and its month; the others, a second apart, by one statement.
    let first = json!({ "readings": [{ "metric": "power", "at": "2026-01-01T00:00:00Z", "value": 0 }] });
    world.root.post(&format!("/api/v1/modules/{module}/readings"), first).await.expect(200);
    fill(&world).await;
    let power = ["power".to_owned()];
    let refused = ask(&world, &[&module], &power, json!({})).await.expect(422);
    assert_eq!(refused.faults(), ["to"]);
    assert!(refused.text.contains("100000"), "{}", refused.text);
    let full =
        ask(&world, &[&module], &power, json!({ "from": "2026-01-01T00:00:01Z" })).await.expect(200).data();
    assert_eq!(full["series"][0]["value"].as_array().expect("a list").len(), MOST_POINTS);
    let counts = json!({ "interval": "P1D", "timezone": "UTC", "aggregates": ["count"] });
    let days = ask(&world, &[&module], &power, counts).await.expect(200).data();
    assert_eq!(days["series"][0]["count"], json!([86_400, MOST_POINTS + 1 - 86_400]));
}

async fn fill(world: &World) {
    let connection = Database::connect(world.database_url()).await.expect("a connection");
    let numbers = match connection.get_database_backend() {
        DbBackend::Postgres => format!("SELECT n FROM generate_series(1, {MOST_POINTS}) AS n"),
        _ => format!(
            "WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < {MOST_POINTS}) \
             SELECT n FROM counter"
        ),
    };
    let mut statement = "INSERT INTO readings (series, at, value) ".to_owned();
    write!(
        statement,
        "SELECT series, at + CAST(n AS bigint) * 1000000, 1 FROM readings CROSS JOIN ({numbers}) AS numbers"
    )
    .expect("text");
    connection.execute_unprepared(&statement).await.expect("readings");
    connection.close().await.expect("closed");
}
