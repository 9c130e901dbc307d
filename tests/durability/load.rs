//! A stream of batches from several senders, with a ledger on the client's side.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::StatusCode;
use serde_json::{Value, json};
use sitewatch_domain::time::Instant;
use sitewatch_tests::client::Client;
use tokio::task::JoinHandle;

/// Readings of a batch.
const ROWS: u64 = 50;
/// The first moment, 2020-01-01. Each reading's value is its distance in seconds from here.
const START: u64 = 1_577_836_800;
/// How many send at the same time.
const SENDERS: usize = 4;

/// All batches that were ever sent to one module.
pub struct Load {
    module: String,
    next: AtomicU64,
    /// Batches by number: acknowledged or not.
    ledger: Mutex<BTreeMap<u64, bool>>,
}

/// One sender; it ends with the status that refused its batch, or none if the connection broke.
pub type Sender = JoinHandle<Option<StatusCode>>;

impl Load {
    /// A load for a module, of which nothing is sent yet.
    pub fn new(module: String) -> Arc<Self> {
        Arc::new(Self { module, next: AtomicU64::new(0), ledger: Mutex::default() })
    }

    /// Starts the senders and waits until batches of theirs are acknowledged, so that what follows hits a running stream.
    pub async fn flow(self: &Arc<Self>, client: &Client) -> Vec<Sender> {
        let before = self.acknowledged();
        let send = |_| tokio::spawn(Arc::clone(self).send_until_refused(client.clone()));
        let senders: Vec<Sender> = (0..SENDERS).map(send).collect();
        while self.acknowledged() < before + SENDERS && !senders.iter().any(JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        senders
    }

    /// How many batches were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.ledger().values().filter(|acknowledged| **acknowledged).count()
    }

    /// Compares what the server holds with the ledger; a sentence with the numbers.
    pub async fn check(&self, client: &Client) -> String {
        let stored = self.read_back(client).await;
        let ledger = self.ledger();
        let mut known = 0;
        for (batch, is_acknowledged) in ledger.iter() {
            let moments = (0..ROWS).map(|row| START + batch * ROWS + row);
            let present = moments.filter(|moment| stored.contains_key(moment)).count() as u64;
            assert!(
                present == ROWS || (present == 0 && !is_acknowledged),
                "batch {batch} has {present} of {ROWS} rows, acknowledged: {is_acknowledged}"
            );
            known += present;
        }
        assert_eq!(stored.len() as u64, known, "readings are stored that were never sent");
        for (moment, value) in &stored {
            let sent = (moment - START) as f64;
            assert!((value - sent).abs() < 0.001, "{moment} holds {value} instead of {sent}");
        }
        let acknowledged = ledger.values().filter(|acknowledged| **acknowledged).count();
        assert!(acknowledged > 0, "no batch was acknowledged");
        format!("{acknowledged} of {} batches acknowledged, {} readings stored", ledger.len(), stored.len())
    }

    async fn send_until_refused(self: Arc<Self>, client: Client) -> Option<StatusCode> {
        // A client of its own: a sender that shares connections would wait for the others.
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        let url = format!("{}/api/v1/modules/{}/readings", client.base(), self.module);
        loop {
            let batch = self.next.fetch_add(1, Ordering::Relaxed);
            let readings: Vec<Value> = (batch * ROWS..(batch + 1) * ROWS)
                .map(|value| {
                    let at = Instant::from_micros((START + value) as i64 * 1_000_000).to_string();
                    json!({ "metric": "power", "at": at, "value": value })
                })
                .collect();
            // Written down before it is sent: whatever the server stores must be in the ledger.
            self.ledger().insert(batch, false);
            let request = http.post(&url).bearer_auth(client.token()).json(&json!({ "readings": readings }));
            match request.send().await {
                Ok(answer) if answer.status() == StatusCode::OK => drop(self.ledger().insert(batch, true)),
                Ok(answer) => return Some(answer.status()),
                Err(_) => return None,
            }
        }
    }

    /// Every stored reading by its second; a reading that comes twice is a failure.
    async fn read_back(&self, client: &Client) -> BTreeMap<u64, f64> {
        let mut stored = BTreeMap::new();
        let mut next = Some(format!("/api/v1/modules/{}/readings?limit=1000", self.module));
        while let Some(path) = next {
            let slice = client.get(&path).await.expect(200);
            for row in slice.data().as_array().expect("a list") {
                let at: Instant = row["at"].as_str().expect("a time").parse().expect("a time");
                let twice = stored
                    .insert((at.as_micros() / 1_000_000) as u64, row["value"].as_f64().expect("a value"));
                assert!(twice.is_none(), "{at} is stored twice");
            }
            next = slice.json()["links"]["next"].as_str().map(str::to_owned);
        }
        stored
    }

    fn ledger(&self) -> MutexGuard<'_, BTreeMap<u64, bool>> {
        self.ledger.lock().expect("no panic while the ledger is written")
    }
}

/// An organization with one module that sends its power.
pub async fn plant(client: &Client) -> String {
    let org = client.post("/api/v1/organizations", json!({ "name": "A" })).await.expect(201).id();
    let metric = json!({ "organization_id": org, "key": "power", "name": "Power" });
    client.post("/api/v1/metrics", metric).await.expect(201);
    let kind = json!({ "organization_id": org, "name": "T", "metrics": ["power"] });
    let kind = client.post("/api/v1/module-types", kind).await.expect(201).id();
    let site = json!({ "name": "S" });
    let site = client.post(&format!("/api/v1/organizations/{org}/sites"), site).await.expect(201).id();
    let module = json!({ "name": "M", "module_type_id": kind });
    client.post(&format!("/api/v1/sites/{site}/modules"), module).await.expect(201).id()
}
