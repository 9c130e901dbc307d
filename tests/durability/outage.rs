//! A database that goes away while it is asked: everybody is told so, nobody is told of a failure of ours, and soon after it is back all is well.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use sitewatch_tests::{
    client::{Answer, Client},
    frozen::{Frozen, kill_a_session},
    world::PASSWORD,
};
use tokio::{task::JoinSet, time::Instant};

use crate::{Kind, load::plant, start::Installation};

const ASKERS: usize = 16;
/// How long everybody may be put off after the database is back.
const RECOVERY: Duration = Duration::from_secs(3);

/// What was answered: how often served, how often put off.
#[derive(Default)]
struct Told {
    served: AtomicUsize,
    put_off: AtomicUsize,
    is_over: AtomicBool,
}

impl Told {
    fn note(&self, answer: &Answer) {
        match answer.status.as_u16() {
            200..300 => &self.served,
            503 => {
                assert!(!answer.header("retry-after").is_empty(), "{:?}", answer.headers);
                assert_eq!(answer.error_type(), "unavailable");
                &self.put_off
            }
            _ => panic!("{}: {}", answer.status, answer.text),
        }
        .fetch_add(1, Ordering::Relaxed);
    }

    fn put_off(&self) -> usize {
        self.put_off.load(Ordering::Relaxed)
    }
}

/// Each asker signs in as somebody else: of many guesses at one password at the same moment, not all are looked at.
fn email(number: usize) -> String {
    format!("asker{number}@example.org")
}

/// Asks in turn for what needs the database in different ways, until it is over.
async fn ask(number: usize, client: Client, module: String, told: Arc<Told>) {
    let stranger = Client::anonymous(client.base());
    let mut round = number;
    while !told.is_over.load(Ordering::Relaxed) {
        round += 1;
        let answer = match round % 5 {
            0 => client.get("/api/v1/organizations").await,
            1 => client.get("/api/v1/modules").await,
            2 => {
                let at = format!(
                    "2020-01-{:02}T{:02}:{:02}:{:02}Z",
                    number + 1,
                    round / 3600 % 24,
                    round / 60 % 60,
                    round % 60
                );
                let rows = json!({ "readings": [{ "metric": "power", "at": at, "value": 1.0 }] });
                client.post(&format!("/api/v1/modules/{module}/readings"), rows).await
            }
            3 if round % 40 == 3 => {
                let credentials = json!({ "email": email(number), "password": PASSWORD });
                stranger.post("/api/v1/auth/login", credentials).await
            }
            _ => client.act(&format!("/api/v1/modules/{module}/heartbeat")).await,
        };
        told.note(&answer);
    }
}

/// Waits until somebody is served again and nobody is put off any more for a while; how long the last one was put off after this moment.
async fn recovered(told: &Told, back: Instant) -> Duration {
    let (mut seen, mut last) = (told.put_off(), back);
    let served = told.served.load(Ordering::Relaxed);
    while last.elapsed() < Duration::from_secs(1) || told.served.load(Ordering::Relaxed) == served {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if told.put_off() != seen {
            (seen, last) = (told.put_off(), Instant::now());
        }
        assert!(back.elapsed() < Duration::from_secs(30), "still put off");
    }
    last - back
}

pub async fn an_outage_under_load_is_told_and_over_soon(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    installation.set("SITEWATCH_RATE_LIMITS", "off");
    let client = installation.start().await;
    let module = plant(&client).await;
    let told = Arc::new(Told::default());
    let mut askers = JoinSet::new();
    for number in 0..ASKERS {
        let user = json!({ "email": email(number), "full_name": "Ada", "password": PASSWORD });
        client.post("/api/v1/users", user).await.expect(201);
        askers.spawn(ask(number, client.clone(), module.clone(), Arc::clone(&told)));
    }
    for round in 0..2 {
        for fault in ["stopped", "a session killed", "frozen"] {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let (served, put_off) = (told.served.load(Ordering::Relaxed), told.put_off());
            let postgres = installation.postgres();
            match fault {
                "stopped" => {
                    postgres.stop_immediately();
                    tokio::time::sleep(Duration::from_millis(700)).await;
                    postgres.start_again().await;
                }
                // All others are thrown out with it, and the server recovers as after a crash.
                "a session killed" => {
                    kill_a_session(postgres);
                    postgres.is_back().await;
                }
                _ => {
                    let frozen = Frozen::over(postgres);
                    tokio::time::sleep(Duration::from_secs(4)).await;
                    drop(frozen);
                }
            }
            let took = recovered(&told, Instant::now()).await;
            assert!(
                took < RECOVERY,
                "round {round}, {fault}: the last one was put off {took:?} after it was back"
            );
            assert!(told.put_off() > put_off, "round {round}, {fault}: nobody met it");
            assert!(told.served.load(Ordering::Relaxed) > served, "round {round}, {fault}");
        }
    }
    told.is_over.store(true, Ordering::Relaxed);
    while let Some(ended) = askers.join_next().await {
        ended.expect("served or put off, nothing else");
    }
}
