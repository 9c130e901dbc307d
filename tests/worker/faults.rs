//! Kills, frozen processes, a database and a Redis that come and go.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use sitewatch_domain::jobs::JobState;
use sitewatch_tests::{harness::is_long_run, processes::Process};

use crate::{
    crew::Crew,
    ledger::{Ledger, jobs_in, rows},
    plant::{Kind, Plant, system},
};

/// After the last fault everything has to be done within this time.
const SETTLED: Duration = Duration::from_mins(1);

/// A chance that can be had again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

pub async fn every_job_has_one_effect(kind: Arc<Kind>) {
    // On three kinds of installations: a hundred in all, a thousand in the long run.
    let kills = if is_long_run() { 334 } else { 34 };
    let seed = seed();
    tell(&format!("{kills} kills on {kind:?}, seed {seed}"));
    let mut random = Random(seed);
    let plant = Arc::new(Plant::new(*kind, Duration::from_secs(3)).await);
    let ledger = Ledger::new(&plant);
    let stream = match *kind {
        Kind::Sqlite => ledger.stream(5, Duration::from_millis(50)),
        _ => ledger.stream(20, Duration::from_millis(50)),
    };
    let crew = Crew::of(&plant, 2);
    let others = match Fault::of(*kind).len() as u64 {
        0 => 0,
        // One more than there are, so that the last comes before the last kill.
        faults => (faults + 1) * if is_long_run() { 5 } else { 1 },
    };
    let mut happened: Vec<Fault> = Vec::new();
    for round in 0..kills {
        tokio::time::sleep(Duration::from_millis(100 + random.below(700))).await;
        crew.kill(random.below(crew.count() as u64) as usize);
        // Spread over the run, in turn, so that none is left to chance.
        if round * others / kills > happened.len() as u64 {
            let fault = Fault::of(*kind)[happened.len() % Fault::of(*kind).len()];
            fault.happen(&plant, &crew, &mut random).await;
            happened.push(fault);
        }
    }
    for fault in Fault::of(*kind) {
        assert!(happened.contains(fault), "{fault:?} did not happen");
    }
    stream.stop().await;
    let took = ledger.settled(SETTLED).await;
    let given_up = redrive(&plant).await;
    ledger.settled(SETTLED).await;
    let effects = ledger.check().await;
    // It takes four kills within the few milliseconds of one and the same job.
    assert!(given_up <= kills / 50, "{given_up} jobs were taken for killers");
    drop(crew);
    tell(&format!(
        "{kills} kills and {} other faults on {kind:?}, seed {seed}: {effects} jobs, done {:.1} s after the last, {given_up} given up and run again",
        happened.len(),
        took.as_secs_f64()
    ));
}

/// Something else than a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    DatabaseCrashes,
    WorkerFreezes,
    RedisIsFlushed,
    RedisIsFull,
    RedisFreezes,
    RedisCrashes,
}

impl Fault {
    /// Those that there can be.
    const fn of(kind: Kind) -> &'static [Self] {
        const ALL: &[Fault] = &[
            Fault::RedisIsFull,
            Fault::DatabaseCrashes,
            Fault::RedisFreezes,
            Fault::WorkerFreezes,
            Fault::RedisIsFlushed,
            Fault::RedisCrashes,
        ];
        match kind {
            Kind::Sqlite => &[],
            Kind::Postgres => &[Self::DatabaseCrashes, Self::WorkerFreezes],
            Kind::PostgresAndRedis => ALL,
        }
    }

    /// Makes it happen. Each makes sure that it did: a fault that Redis refuses would prove nothing.
    async fn happen(self, plant: &Plant, crew: &Crew, random: &mut Random) {
        let redis = || plant.redis.as_ref().expect("a Redis");
        let postgres = || plant.postgres.as_ref().expect("a PostgreSQL");
        let ask = |words: &[&str]| redis().ask(words).unwrap_or_default();
        match self {
            Self::DatabaseCrashes => {
                postgres().stop_immediately();
                tokio::time::sleep(Duration::from_millis(random.below(1_000))).await;
                postgres().start_again().await;
            }
            Self::WorkerFreezes => {
                // Longer than the leases.
                crew.freeze(random.below(crew.count() as u64) as usize, Duration::from_millis(3_500)).await;
            }
            Self::RedisIsFlushed => assert_eq!(ask(&["FLUSHALL"]), "+OK"),
            Self::RedisIsFull => {
                assert_eq!(ask(&["SETRANGE", "filler", "5000000", "x"]), ":5000001");
                assert_eq!(ask(&["CONFIG", "SET", "maxmemory", "4mb"]), "+OK");
                assert!(ask(&["SET", "more", "x"]).starts_with("-OOM"), "it is full");
                tokio::time::sleep(Duration::from_secs(2)).await;
                assert_eq!(ask(&["CONFIG", "SET", "maxmemory", "0"]), "+OK");
                assert_eq!(ask(&["DEL", "filler"]), ":1");
            }
            Self::RedisFreezes => {
                redis().freeze();
                tokio::time::sleep(Duration::from_secs(3)).await;
                redis().thaw();
            }
            Self::RedisCrashes => {
                redis().kill();
                let away = if is_long_run() { 60_000 } else { random.below(4_000) };
                tokio::time::sleep(Duration::from_millis(away)).await;
                redis().start_again().await;
            }
        }
    }
}

/// Runs the jobs again that were taken for killers, as an operator would; how many there were.
async fn redrive(plant: &Plant) -> u64 {
    let dead = jobs_in(plant, JobState::Dead).await;
    for job in &dead {
        assert!(job.error.as_deref().unwrap_or_default().contains("died or hung"), "{job:?}");
        plant.platform.jobs().retry(&system(), job.id).await.expect("it is dead");
    }
    dead.len() as u64
}

pub async fn a_killed_workers_jobs_run_again_at_once(kind: Arc<Kind>) {
    // Nothing here waits for leases to run out.
    let plant = Arc::new(Plant::new(*kind, Duration::from_mins(10)).await);
    let ledger = Ledger::new(&plant);
    assert!(ledger.write(600).await);
    let crew = Crew::of(&plant, 1);
    while !ledger.states().await.contains_key("running") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    crew.kill(0);
    ledger.settled(Duration::from_secs(30)).await;
    assert_eq!(ledger.check().await, 600);
    let tries = rows(&plant, "SELECT max(attempts) AS tries FROM jobs").await;
    assert_eq!(
        tries[0].try_get::<i32>("", "tries").unwrap(),
        1,
        "a kill costs nobody a try who did not run alone"
    );
}

pub async fn a_stop_gives_everything_back(kind: Arc<Kind>) {
    let plant = Arc::new(Plant::new(*kind, Duration::from_mins(10)).await);
    let ledger = Ledger::new(&plant);
    assert!(ledger.write(1_000).await);
    let mut worker = plant.worker(&[]);
    while !ledger.states().await.contains_key("succeeded") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let status = worker.terminate(Duration::from_secs(30)).await;
    assert_eq!(status.code(), Some(0), "{}", worker.log());
    let states = ledger.states().await;
    assert_eq!(states.get("running"), None, "{states:?}");
    assert!(states.contains_key("ready"), "it stopped before everything was done: {states:?}");
    let tries =
        rows(&plant, "SELECT max(attempts) AS tries, max(lapses) AS lapses FROM jobs WHERE state = 'ready'")
            .await;
    assert_eq!(tries[0].try_get::<i32>("", "tries").unwrap(), 0);
    assert_eq!(tries[0].try_get::<i32>("", "lapses").unwrap(), 0);

    let _next: Process = plant.worker(&[]);
    ledger.settled(Duration::from_secs(30)).await;
    assert_eq!(ledger.check().await, 1_000);
}

pub async fn a_worker_that_wakes_too_late_changes_nothing(kind: Arc<Kind>) {
    let plant = Arc::new(Plant::new(*kind, Duration::from_secs(5)).await);
    let ledger = Ledger::new(&plant);
    let slow = plant.worker(&[]);
    let stream = ledger.stream(50, Duration::from_millis(20));
    while ledger.states().await.get("succeeded").is_none_or(|done| *done < 100) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    slow.freeze();
    stream.stop().await;
    let _quick = plant.worker(&[]);
    // What it has locked is free after 5 s, what waited for that after 5 s more, and so on once more.
    ledger.settled(Duration::from_secs(40)).await;
    slow.thaw();
    tokio::time::sleep(Duration::from_secs(2)).await;
    ledger.check().await;
    assert!(!slow.log().contains("does not stop"), "what slept is no endless loop: {}", slow.log());
    assert!(ledger.states().await.keys().all(|state| state == "succeeded"), "{:?}", ledger.states().await);
}

pub async fn a_worker_that_sleeps_blames_no_job(kind: Arc<Kind>) {
    // Nobody takes its jobs, and each is long past its time when it wakes.
    let plant = Arc::new(Plant::new(*kind, Duration::from_mins(10)).await);
    let ledger = Ledger::new(&plant);
    assert!(ledger.write(2_000).await);
    let worker = plant.worker(&[]);
    while !ledger.states().await.contains_key("succeeded") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    worker.freeze();
    tokio::time::sleep(Duration::from_secs(9)).await;
    worker.thaw();
    ledger.settled(Duration::from_secs(40)).await;
    ledger.check().await;
    assert!(!worker.log().contains("does not stop"), "what slept is no endless loop: {}", worker.log());
}

/// That of `SITEWATCH_TEST_SEED`, to do a failed run again, or a fresh one.
#[expect(clippy::disallowed_methods, reason = "a fresh seed for each run, told before anything can fail")]
fn seed() -> u64 {
    if let Some(given) = std::env::var_os("SITEWATCH_TEST_SEED") {
        return given.to_str().and_then(|text| text.parse().ok()).expect("SITEWATCH_TEST_SEED is a number");
    }
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |now| now.as_nanos() as u64)
}

#[expect(clippy::print_stderr, reason = "what was measured belongs to the run's output")]
fn tell(text: &str) {
    eprintln!("{text}");
}
