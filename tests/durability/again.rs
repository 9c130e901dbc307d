//! Requests with idempotency keys that are sent again after the server was killed: whatever became of the first ones, each has one
//! effect.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sitewatch_tests::{
    client::{Answer, Client},
    harness::is_long_run,
};

use crate::{Kind, start::Installation};

const REPORTS: &str = "/api/v1/reports";
const SENDERS: u64 = 4;

/// Reports by their number: the id that was answered, if an answer came.
type Ledger = Arc<Mutex<BTreeMap<u64, Option<String>>>>;

pub async fn what_is_sent_again_after_a_kill_has_one_effect(kind: Arc<Kind>) {
    let kills = if is_long_run() { 30 } else { 3 };
    let mut installation = Installation::new(&kind).await;
    let mut client = installation.start().await;
    let org = client.post("/api/v1/organizations", json!({ "name": "A" })).await.expect(201).id();
    let (ledger, next) = (Ledger::default(), Arc::new(AtomicU64::new(0)));
    for kill in 0..kills {
        let before = next.load(Ordering::Relaxed);
        let send = |_| {
            let (client, org) = (client.clone(), org.clone());
            tokio::spawn(send_until_refused(client, org, Arc::clone(&ledger), Arc::clone(&next)))
        };
        let senders: Vec<_> = (0..SENDERS).map(send).collect();
        while next.load(Ordering::Relaxed) < before + 8 * SENDERS {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        tokio::time::sleep(Duration::from_millis(kill * 7 % 20)).await;
        installation.kill();
        for sender in senders {
            sender.await.expect("a sender that ends");
        }
        client = installation.start().await;
    }
    let known = ledger.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert!(known.values().any(Option::is_none), "every request was answered before its server was killed");
    for (number, answered) in &known {
        let again = create(&client, &org, *number).await.expect(201);
        if let Some(id) = answered {
            assert_eq!((&again.id(), again.header("idempotent-replayed")), (id, "true"), "{number}");
        }
    }
    let total = client.get(REPORTS).await.expect(200).json()["meta"]["total"].clone();
    assert_eq!(total, known.len(), "each has one effect");
}

async fn create(client: &Client, org: &str, number: u64) -> Answer {
    let key = number.to_string();
    let headers = [("idempotency-key", key.as_str())];
    client.send(Method::POST, REPORTS, Some(report(org, number)), &headers).await
}

fn report(org: &str, number: u64) -> Value {
    json!({ "organization_id": org, "name": number.to_string(), "period": "day", "format": "csv" })
}

async fn send_until_refused(client: Client, org: String, ledger: Ledger, next: Arc<AtomicU64>) {
    // A client of its own: a sender that shares connections would wait for the others.
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    let note = |number: u64, id: Option<String>| {
        ledger.lock().unwrap_or_else(PoisonError::into_inner).insert(number, id);
    };
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        note(number, None);
        let request = http
            .post(format!("{}{REPORTS}", client.base()))
            .bearer_auth(client.token())
            .header("idempotency-key", number.to_string())
            .json(&report(&org, number));
        let Ok(answer) = request.send().await else { return };
        assert_eq!(answer.status(), StatusCode::CREATED);
        let Ok(body) = answer.json::<Value>().await else { return };
        note(number, body["data"]["id"].as_str().map(str::to_owned));
    }
}
