//! Clients that read and write without a pause, and note everything that was not served.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use serde_json::json;
use sitewatch_tests::client::Client;
use tokio::task::JoinHandle;

const CLIENTS: u64 = 4;
const ROWS: u64 = 20;

/// What became of a load.
pub struct Done {
    /// What was not answered as it should: none, it is hoped.
    pub failures: Vec<String>,
    /// Requests that were answered.
    pub requests: u64,
    /// Readings that were acknowledged.
    pub readings: u64,
    /// The module that they are of.
    pub module: String,
}

#[derive(Default)]
struct Told {
    is_over: AtomicBool,
    requests: AtomicU64,
    readings: AtomicU64,
    failures: Mutex<Vec<String>>,
}

/// A running load.
pub struct Load {
    told: Arc<Told>,
    module: String,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Makes an organization with a module, and begins to read it and to send its readings.
    pub async fn over(root: &Client) -> Self {
        let id = async |path: &str, body| root.post(path, body).await.expect(201).id();
        let org = id("/api/v1/organizations", json!({ "name": "Stack" })).await;
        let metric = json!({ "organization_id": org, "key": "power", "name": "Power", "unit": "kW" });
        id("/api/v1/metrics", metric).await;
        let kind = json!({ "organization_id": org, "name": "Turbine", "metrics": ["power"] });
        let kind = id("/api/v1/module-types", kind).await;
        let site =
            id(&format!("/api/v1/organizations/{org}/sites"), json!({ "name": "S", "timezone": "UTC" }))
                .await;
        let module = json!({ "name": "M", "module_type_id": kind });
        let module = id(&format!("/api/v1/sites/{site}/modules"), module).await;
        let told = Arc::new(Told::default());
        let clients = (0..CLIENTS)
            .map(|number| {
                let (told, root) = (Arc::clone(&told), root.clone());
                let (site, module) = (format!("/api/v1/sites/{site}"), module.clone());
                tokio::spawn(async move { run(number, &told, &root, &site, &module).await })
            })
            .collect();
        Self { told, module, clients }
    }

    /// Ends it.
    pub async fn stop(self) -> Done {
        self.told.is_over.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.expect("a client ends");
        }
        Done {
            failures: std::mem::take(&mut self.told.failures.lock().expect("no client panics")),
            requests: self.told.requests.load(Ordering::Relaxed),
            readings: self.told.readings.load(Ordering::Relaxed),
            module: self.module,
        }
    }
}

async fn run(client: u64, told: &Told, root: &Client, site: &str, module: &str) {
    for batch in 0.. {
        if told.is_over.load(Ordering::Relaxed) {
            return;
        }
        let readings: Vec<_> = (0..ROWS)
            .map(|row| {
                let second = (client * 100_000 + batch) * ROWS + row;
                let at = 1_735_689_600 + i64::try_from(second).expect("a second of our time");
                let at = sitewatch_domain::time::Instant::from_secs(at).to_string();
                json!({ "module": module, "metric": "power", "at": at, "value": row })
            })
            .collect();
        let sent = root.try_post("/api/v1/ingest/readings", json!({ "readings": readings })).await;
        if note(told, "POST", sent) {
            told.readings.fetch_add(ROWS, Ordering::Relaxed);
        }
        note(told, "GET", root.try_get(site).await);
    }
}

fn note(told: &Told, method: &str, answer: Result<sitewatch_tests::client::Answer, String>) -> bool {
    let failure = match answer {
        Ok(answer) if answer.status.as_u16() == 200 => {
            told.requests.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        Ok(answer) => format!("{method}: {} {}", answer.status, answer.text),
        Err(error) => format!("{method}: {error}"),
    };
    told.failures.lock().expect("no client panics").push(failure);
    false
}
