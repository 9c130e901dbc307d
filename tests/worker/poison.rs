//! Jobs that panic, end the process, never give way, cannot be read or are of an unknown kind, among good ones.

use std::{sync::Arc, time::Duration};

use sitewatch_domain::jobs::{Act, JobState, Probe};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    crew::Crew,
    ledger::{Ledger, execute, job_ids, jobs_in, literal, rows},
    plant::{Kind, Plant, system},
};

/// Good jobs. Ten thousand, and how long they wait, are in `make bench-jobs`.
const GOOD: u64 = 1_500;
/// A panic is tried three times, with pauses of some 5 s and 10 s; an endless loop is given up 2 s after its 5 s.
const PATIENCE: Duration = Duration::from_mins(4);

async fn write(plant: &Plant, act: Act, jobs: u64) {
    let probe: Uuid = plant.platform.request_id().parse().expect("a UUID");
    let probes: Vec<Probe> =
        (0..jobs).map(|number| Probe { probe, number, act, organization_id: None }).collect();
    plant.platform.jobs().enqueue_probes(&system(), &probes).await.expect("they are written");
}

/// Makes the jobs of an act ones of another kind, or with another payload.
async fn change(plant: &Plant, act: &str, change: &str) {
    let ids = job_ids(plant, act).await;
    assert!(!ids.is_empty(), "no job has {act} in its payload");
    for id in ids {
        let id = literal(plant, id.uuid());
        assert_eq!(execute(plant, &format!("UPDATE jobs SET {change} WHERE id = {id}")).await, 1);
    }
}

pub async fn poison_kills_only_itself(kind: Arc<Kind>) {
    let plant = Arc::new(Plant::new(*kind, Duration::from_mins(10)).await);
    let ledger = Ledger::new(&plant);
    assert!(ledger.write(GOOD / 2).await);
    write(&plant, Act::Nothing, 2).await;
    change(&plant, "nothing", "payload = '{\"probe\": \"from another version\"}'").await;
    write(&plant, Act::Fail, 1).await;
    change(&plant, "fail", "kind = 'jobs.of_a_later_version.v9'").await;
    write(&plant, Act::Panic, 3).await;
    write(&plant, Act::Abort, 1).await;
    write(&plant, Act::Spin, 2).await;
    assert!(ledger.write(GOOD / 2).await);

    let crew = Crew::of(&plant, 2);
    let began = Instant::now();
    ledger.settled(PATIENCE).await;
    let dead = loop {
        let dead = jobs_in(&plant, JobState::Dead).await;
        if dead.len() == 8 {
            break dead;
        }
        assert!(began.elapsed() < PATIENCE, "{dead:?}; {:?}", ledger.states().await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(ledger.check().await as u64, GOOD);
    for (reason, jobs) in [
        ("the payload cannot be read", 2),
        ("it panicked", 3),
        ("its worker died or hung whenever it was run alone", 1),
        ("it does not give way", 2),
    ] {
        let found = dead.iter().filter(|job| job.error.as_deref().unwrap_or_default().contains(reason));
        assert_eq!(found.count(), jobs, "{reason}: {dead:?}");
    }
    let left = jobs_in(&plant, JobState::Ready).await;
    let kinds: Vec<&str> = left.iter().map(|job| job.kind.as_str()).collect();
    assert_eq!(kinds, ["jobs.of_a_later_version.v9"], "it is left for a worker that knows it");
    assert_eq!(left[0].attempts, 0);
    drop(crew);
}

/// SQLite takes any text for a payload; PostgreSQL takes none that is no JSON.
pub async fn a_row_that_cannot_be_read_holds_up_no_other(kind: Arc<Kind>) {
    let plant = Arc::new(Plant::new(*kind, Duration::from_mins(10)).await);
    let ledger = Ledger::new(&plant);
    write(&plant, Act::Nothing, 1).await;
    change(&plant, "nothing", "payload = 'no JSON'").await;
    assert!(ledger.write(20).await);
    let _crew = Crew::of(&plant, 1);
    ledger.settled(PATIENCE).await;
    ledger.check().await;
    let broken = "SELECT state || ': ' || error AS told FROM jobs WHERE payload = 'no JSON'";
    let told: String = rows(&plant, broken).await[0].try_get("", "told").expect("a text");
    assert_eq!(told, "dead: its row in the ledger cannot be read");
}

pub async fn what_never_gives_way_holds_up_no_other(kind: Arc<Kind>) {
    let plant = Arc::new(Plant::new(*kind, Duration::from_mins(10)).await);
    let ledger = Ledger::new(&plant);
    let _crew = Crew::of(&plant, 1);
    write(&plant, Act::Spin, 2).await;
    let began = Instant::now();
    while jobs_in(&plant, JobState::Running).await.len() < 2 {
        assert!(began.elapsed() < PATIENCE, "they do not begin");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(ledger.write(20).await);
    ledger.settled(PATIENCE).await;
    let running = jobs_in(&plant, JobState::Running).await;
    let spinning = running.iter().filter(|job| job.kind == "jobs.probe.v1").count();
    assert_eq!(spinning, 2, "the good ones are done while these still run: {running:?}");
}

pub async fn threads_that_are_lost_end_the_worker(kind: Arc<Kind>) {
    let plant = Arc::new(Plant::new(*kind, Duration::from_mins(10)).await);
    let ledger = Ledger::new(&plant);
    write(&plant, Act::Spin, 5).await;
    let mut worker = plant.worker(&[]);
    let status = worker.wait(PATIENCE).await;
    assert_eq!(status.code(), Some(75), "{}", worker.log());
    assert_eq!(jobs_in(&plant, JobState::Dead).await.len(), 5);
    let states = ledger.states().await;
    assert_eq!(states.get("running"), None, "{states:?}");

    assert!(ledger.write(50).await);
    let _fresh = plant.worker(&[]);
    ledger.settled(PATIENCE).await;
    ledger.check().await;
}
