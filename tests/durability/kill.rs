//! `kill -9` during a stream of batches, and a ledger on the client's side.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};
use sitewatch_tests::{client::Client, harness::is_long_run};
use tokio::sync::Mutex;

use crate::{Kind, start::Installation};

/// Readings of a batch.
const ROWS: u64 = 50;
/// The first moment, 2020-01-01.
const START: u64 = 1_577_836_800;

/// Batches by number: acknowledged or not.
type Ledger = Arc<Mutex<BTreeMap<u64, bool>>>;

pub async fn acknowledged_readings_survive_a_kill(kind: Arc<Kind>) {
    let kills = if is_long_run() { 50 } else { 5 };
    let seed = seed();
    let mut random = seed;
    let mut installation = Installation::new(&kind).await;
    let mut client = installation.start().await;
    let module = plant(&client).await;
    let ledger: Ledger = Arc::default();
    let next = Arc::new(AtomicU64::new(0));
    for _ in 0..kills {
        let senders: Vec<_> = (0..4)
            .map(|_| {
                tokio::spawn(send_until_refused(
                    client.clone(),
                    module.clone(),
                    Arc::clone(&ledger),
                    Arc::clone(&next),
                ))
            })
            .collect();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis(100 + (random >> 33) % 500)).await;
        installation.kill();
        for sender in senders {
            sender.await.expect("a sender that ends");
        }
        client = installation.start().await;
    }
    let stored = read_back(&client, &module).await;
    let ledger = ledger.lock().await;
    let acknowledged = ledger.values().filter(|acknowledged| **acknowledged).count();
    for (batch, is_acknowledged) in ledger.iter() {
        let present =
            (0..ROWS).filter(|row| stored.contains_key(&(START + batch * ROWS + row))).count() as u64;
        assert!(
            present == ROWS || (present == 0 && !is_acknowledged),
            "seed {seed}: batch {batch} has {present} rows, acknowledged: {is_acknowledged}"
        );
    }
    let known = ledger.len() as u64 * ROWS;
    assert!(stored.len() as u64 <= known, "seed {seed}: nothing is there that was never sent");
    for (moment, value) in &stored {
        assert!((*value - (*moment - START) as f64).abs() < 0.5, "seed {seed}: {moment} holds {value}");
    }
    assert!(acknowledged > 0, "seed {seed}: no batch was acknowledged");
    tell(&format!(
        "{kills} kills (seed {seed}): {acknowledged} of {} batches acknowledged, {} readings stored",
        ledger.len(),
        stored.len()
    ));
}

async fn send_until_refused(client: Client, module: String, ledger: Ledger, next: Arc<AtomicU64>) {
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    loop {
        let batch = next.fetch_add(1, Ordering::Relaxed);
        let rows: Vec<Value> = (0..ROWS)
            .map(|row| {
                let offset = batch * ROWS + row;
                let at = sitewatch_domain::time::Instant::from_secs((START + offset) as i64).to_string();
                json!({ "metric": "power", "at": at, "value": offset })
            })
            .collect();
        ledger.lock().await.insert(batch, false);
        let request = http
            .post(format!("{}/api/v1/modules/{module}/readings", client.base()))
            .bearer_auth(client.token())
            .json(&json!({ "readings": rows }));
        match request.send().await {
            Ok(answer) if answer.status().is_success() => drop(ledger.lock().await.insert(batch, true)),
            Ok(_) | Err(_) => return,
        }
    }
}

/// Every stored reading by its second; a reading that comes twice is a failure.
async fn read_back(client: &Client, module: &str) -> BTreeMap<u64, f64> {
    let mut stored = BTreeMap::new();
    let mut next = Some(format!("/api/v1/modules/{module}/readings?limit=1000"));
    while let Some(path) = next {
        let slice = client.get(&path).await.expect(200);
        for row in slice.data().as_array().expect("a list") {
            let at: sitewatch_domain::time::Instant =
                row["at"].as_str().expect("a time").parse().expect("a time");
            let twice = stored.insert(at.as_secs() as u64, row["value"].as_f64().expect("a value"));
            assert!(twice.is_none(), "{at} is stored twice");
        }
        next = slice.json()["links"]["next"].as_str().map(str::to_owned);
    }
    stored
}

/// An organization with one module that sends its power.
pub async fn plant(client: &Client) -> String {
    let org = client.post("/api/v1/organizations", json!({ "name": "A" })).await.expect(201).id();
    let metric = json!({ "organization_id": org, "key": "power", "name": "Power" });
    client.post("/api/v1/metrics", metric).await.expect(201);
    let kind = json!({ "organization_id": org, "name": "T", "metrics": ["power"] });
    let kind = client.post("/api/v1/module-types", kind).await.expect(201).id();
    let site = client
        .post(&format!("/api/v1/organizations/{org}/sites"), json!({ "name": "S" }))
        .await
        .expect(201)
        .id();
    let module = json!({ "name": "M", "module_type_id": kind });
    client.post(&format!("/api/v1/sites/{site}/modules"), module).await.expect(201).id()
}

#[expect(clippy::disallowed_methods, reason = "a fresh seed for each run, told with every failure")]
fn seed() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |now| now.as_nanos() as u64)
}

#[expect(clippy::print_stderr, reason = "what was measured belongs to the run's output")]
fn tell(text: &str) {
    eprintln!("{text}");
}
