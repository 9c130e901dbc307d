//! The tests' own ledger of the jobs that they wrote, held against what was done.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, QueryResult, Statement};
use sitewatch_domain::{
    ids::{Id, JobId},
    jobs::{Act, JobFilter, JobRecord, JobState, Probe},
    page::{Listing, PageRequest},
};
use tokio::{task::JoinHandle, time::Instant};
use uuid::Uuid;

use crate::plant::{Plant, system};

/// Jobs that count, by their numbers: whether it was acknowledged that they are written.
pub struct Ledger {
    plant: Arc<Plant>,
    probe: Uuid,
    next: AtomicU64,
    batches: Mutex<BTreeMap<u64, (u64, bool)>>,
}

/// A stream of jobs that are written.
pub struct Stream {
    ends: Arc<AtomicBool>,
    writer: JoinHandle<()>,
}

impl Stream {
    /// Stops writing.
    pub async fn stop(self) {
        self.ends.store(true, Ordering::Relaxed);
        self.writer.await.expect("a writer that ends");
    }
}

impl Ledger {
    /// An empty one.
    pub fn new(plant: &Arc<Plant>) -> Arc<Self> {
        let probe = plant.platform.request_id().parse().expect("a UUID");
        Arc::new(Self { plant: Arc::clone(plant), probe, next: AtomicU64::new(0), batches: Mutex::default() })
    }

    /// Writes jobs in one transaction. Noted before it is tried: whatever is done must be known here.
    pub async fn write(&self, jobs: u64) -> bool {
        let first = self.next.fetch_add(jobs, Ordering::Relaxed);
        self.note(first, jobs, false);
        let probes: Vec<Probe> = (first..first + jobs).map(|number| self.probe_of(number)).collect();
        let written = self.plant.platform.jobs().enqueue_probes(&system(), &probes).await.is_ok();
        self.note(first, jobs, written);
        written
    }

    /// Writes a few jobs again and again.
    pub fn stream(self: &Arc<Self>, jobs: u64, pause: Duration) -> Stream {
        let ends = Arc::new(AtomicBool::new(false));
        let (ledger, told) = (Arc::clone(self), Arc::clone(&ends));
        let writer = tokio::spawn(async move {
            while !told.load(Ordering::Relaxed) {
                ledger.write(jobs).await;
                tokio::time::sleep(pause).await;
            }
        });
        Stream { ends, writer }
    }

    /// Waits until everything that was acknowledged is done; how long it took.
    pub async fn settled(&self, patience: Duration) -> Duration {
        let began = Instant::now();
        loop {
            let done = self.effects().await;
            let left = self.acknowledged().into_iter().filter(|number| !done.contains_key(number)).count();
            if left == 0 {
                return began.elapsed();
            }
            assert!(
                began.elapsed() < patience,
                "{left} jobs are not done after {patience:?}; in the ledger: {:?}",
                self.states().await
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Holds effects against what was written: none is missing, none came twice, none came of nothing. The number.
    pub async fn check(&self) -> usize {
        let done = self.effects().await;
        let known = self.batches.lock().expect("no panic while it is written").clone();
        let is_known = |number: &u64| {
            known.range(..=number).next_back().is_some_and(|(first, (jobs, _))| *number < first + jobs)
        };
        for (number, times) in &done {
            assert_eq!(*times, 1, "job {number} was done {times} times");
            assert!(is_known(number), "job {number} was never written");
        }
        for number in self.acknowledged() {
            assert!(done.contains_key(&number), "job {number} is lost");
        }
        done.len()
    }

    /// How many jobs there are in each state, by the database.
    pub async fn states(&self) -> BTreeMap<String, i64> {
        let rows = rows(&self.plant, "SELECT state, count(*) AS jobs FROM jobs GROUP BY state").await;
        rows.iter().map(|row| (row.try_get("", "state").unwrap(), row.try_get("", "jobs").unwrap())).collect()
    }

    fn probe_of(&self, number: u64) -> Probe {
        Probe { probe: self.probe, number, act: Act::Count, organization_id: None }
    }

    fn note(&self, first: u64, jobs: u64, acknowledged: bool) {
        self.batches.lock().expect("no panic while it is written").insert(first, (jobs, acknowledged));
    }

    fn acknowledged(&self) -> Vec<u64> {
        let batches = self.batches.lock().expect("no panic while it is written");
        let written = batches.iter().filter(|(_, (_, acknowledged))| *acknowledged);
        written.flat_map(|(first, (jobs, _))| *first..first + jobs).collect()
    }

    /// The effects by job: how often.
    async fn effects(&self) -> BTreeMap<u64, i64> {
        let sql = format!(
            "SELECT number, count(*) AS times FROM job_probes WHERE probe = {} GROUP BY number",
            literal(&self.plant, self.probe)
        );
        let number = |row: &QueryResult| row.try_get::<i64>("", "number").unwrap() as u64;
        rows(&self.plant, &sql)
            .await
            .iter()
            .map(|row| (number(row), row.try_get("", "times").unwrap()))
            .collect()
    }
}

/// An id as the database writes it.
pub fn literal(plant: &Plant, id: Uuid) -> String {
    match plant.postgres {
        Some(_) => format!("'{id}'"),
        None => format!("x'{}'", id.simple()),
    }
}

/// What a statement of the tests' own answers.
pub async fn rows(plant: &Plant, sql: &str) -> Vec<QueryResult> {
    let connection = connect(plant).await;
    let statement = Statement::from_string(connection.get_database_backend(), sql.to_owned());
    let rows = connection.query_all_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    connection.close().await.expect("the connection closes");
    rows
}

/// Does a statement of the tests' own.
pub async fn execute(plant: &Plant, sql: &str) -> u64 {
    let connection = connect(plant).await;
    let done = connection.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    connection.close().await.expect("the connection closes");
    done.rows_affected()
}

async fn connect(plant: &Plant) -> DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new(plant.database());
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.expect("the database")
}

/// The jobs in a state.
pub async fn jobs_in(plant: &Plant, state: JobState) -> Vec<JobRecord> {
    let filter = JobFilter { state: Some(state), ..JobFilter::default() };
    let page = PageRequest::new(1, 100).expect("a page");
    let listing = Listing { filter, page, ..Listing::default() };
    plant.platform.jobs().list(&system(), &listing).await.expect("a list").items
}

/// The ids of the jobs of a row of probes whose text of the payload holds something.
pub async fn job_ids(plant: &Plant, part: &str) -> Vec<JobId> {
    let sql = format!("SELECT id FROM jobs WHERE CAST(payload AS text) LIKE '%{part}%'");
    rows(plant, &sql).await.iter().map(|row| Id::from_uuid(row.try_get_by_index(0).unwrap())).collect()
}
