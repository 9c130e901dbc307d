//! Schedules: each slot has one job, however many look; what was missed is made up for once.

use std::{sync::Arc, time::Duration};

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use sitewatch_domain::{
    Platform,
    access::{ManageSites, RunJobs},
    audit::Audit,
    ids::OrgId,
    jobs::{Act, JobFilter, JobRecord, Probe},
    page::Listing,
    ports::Store,
    schedules::Schedule,
    time::{Clock, Instant, Zone},
};
use sitewatch_persistence::SeaStore;
use sitewatch_runtime::system::OsEntropy;
use sitewatch_tests::world::Backend;
use uuid::Uuid;

use crate::farm::{A, B, Farm, Ticking, admin_of, notary, org, platform, superuser};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

fn schedule(name: &str, cron: &str) -> Schedule {
    let probe = Probe { probe: Uuid::nil(), number: 0, act: Act::Nothing, organization_id: None };
    let (cron, zone) = (cron.parse().expect("an expression"), "Europe/Paris".parse().expect("a zone"));
    Schedule::of(name, cron, zone, &probe).expect("a schedule")
}

async fn declare(farm: &Farm, schedules: &[Schedule]) {
    farm.platform.schedules().declare(&superuser(), schedules).await.expect("declared");
}

async fn tick(platform: &Platform, now: Instant) -> u64 {
    platform.schedules().tick_at(&superuser(), now).await.expect("a tick")
}

async fn jobs(farm: &Farm) -> Vec<JobRecord> {
    let listing = Listing::<JobFilter, _>::default();
    farm.platform.jobs().list(&superuser(), &listing).await.expect("a page").items
}

/// The database, for statements of the test's own.
async fn database(farm: &Farm) -> DatabaseConnection {
    Database::connect(&farm.database.url).await.expect("a connection")
}

async fn run(database: &DatabaseConnection, sql: &str) {
    assert!(database.execute_unprepared(sql).await.expect(sql).rows_affected() > 0, "{sql}");
}

async fn texts(database: &DatabaseConnection, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let rows = database.query_all_raw(statement).await.expect(sql);
    rows.iter().map(|row| row.try_get_by_index(0).expect("a text")).collect()
}

/// The next slot of a schedule, as it stands in the database.
async fn next_at(database: &DatabaseConnection, name: &str) -> Option<Instant> {
    let sql = format!("SELECT next_at FROM schedules WHERE name = '{name}'");
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let row = database.query_one_raw(statement).await.expect("a query").expect("a schedule");
    row.try_get_by_index::<Option<i64>>(0).expect("a moment").map(Instant::from_micros)
}

/// The use cases over the same database, as another node has them.
async fn other_node(farm: &Farm) -> Platform {
    let clock: Arc<dyn Clock> = Arc::new(Ticking::default());
    let settings = farm.database.settings.clone();
    let store =
        SeaStore::connect(settings, Arc::clone(&clock), Arc::new(OsEntropy), Arc::new(notary())).await;
    let store: Arc<dyn Store> = Arc::new(store.expect("a store"));
    platform(store, clock)
}

pub async fn each_slot_has_one_job_of_two_tickers(backend: Arc<Backend>) {
    const SLOTS: u64 = 100;
    let farm = Farm::new(&backend).await;
    let names = ["a", "b", "c"];
    declare(&farm, &names.map(|name| schedule(name, "* * * * *"))).await;
    let (one, two) = (farm.platform.clone(), other_node(&farm).await);
    let database = database(&farm).await;
    let first = next_at(&database, "a").await.expect("a slot");
    assert_eq!(tick(&one, first.minus(MINUTE)).await, 0, "nothing is due yet");
    for slot in 0..SLOTS {
        let now = first.plus(MINUTE * u32::try_from(slot).unwrap());
        let (one, two) = (one.clone(), two.clone());
        let other = tokio::spawn(async move { tick(&two, now).await });
        let written = tick(&one, now).await + other.await.expect("a tick");
        assert_eq!(written, 3, "slot {slot}");
    }
    let keys = texts(&database, "SELECT DISTINCT dedupe_key FROM jobs ORDER BY dedupe_key").await;
    let expected = |name: &str| {
        let key = |slot| format!("schedule:{name}:{}", first.plus(MINUTE * slot));
        (0..u32::try_from(SLOTS).unwrap()).map(key).collect::<Vec<_>>()
    };
    assert_eq!(keys, names.iter().flat_map(|name| expected(name)).collect::<Vec<_>>());
    let all = texts(&database, "SELECT kind FROM jobs").await;
    assert_eq!(all.len(), keys.len());
    // A row that is set back, as from a backup, finds the slot's job written already.
    let last = first.plus(MINUTE * u32::try_from(SLOTS - 1).unwrap());
    run(&database, &format!("UPDATE schedules SET next_at = {}", first.as_micros())).await;
    assert_eq!(tick(&one, last).await, 0);
    assert_eq!(next_at(&database, "a").await, Some(last.plus(MINUTE)));
}

pub async fn more_are_due_than_one_transaction_takes(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    let schedules: Vec<Schedule> =
        (0..230).map(|number| schedule(&format!("s{number}"), "0 6 * * *")).collect();
    declare(&farm, &schedules).await;
    let database = database(&farm).await;
    let due = next_at(&database, "s0").await.expect("a slot");
    let (one, two) = (farm.platform.clone(), other_node(&farm).await);
    let other = tokio::spawn(async move { tick(&two, due).await });
    // Whoever finds the others' rows held leaves them.
    assert_eq!(tick(&one, due).await + other.await.expect("a tick"), 230);
    assert_eq!(tick(&one, due).await, 0);
}

pub async fn an_outage_of_a_day_is_made_up_for_by_one_job(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    declare(&farm, &[schedule("often", "*/5 * * * *")]).await;
    let database = database(&farm).await;
    let first = next_at(&database, "often").await.expect("a slot");
    // Half a day from the moments below, so that these are no slots of it, whenever the test runs.
    let zone = "Europe/Paris".parse::<Zone>().expect("a zone");
    let hour = (zone.local(first).hour + 12) % 24;
    declare(&farm, &[schedule("often", "*/5 * * * *"), schedule("daily", &format!("30 {hour} * * *"))]).await;
    assert_eq!(tick(&farm.platform, first).await, 1);
    let back = first.plus(DAY).plus(Duration::from_secs(7));
    assert_eq!(tick(&farm.platform, back).await, 2, "one each");
    assert_eq!(tick(&farm.platform, back).await, 0);
    let keys = texts(&database, "SELECT dedupe_key FROM jobs").await;
    assert!(keys.contains(&format!("schedule:often:{}", first.plus(DAY))), "the latest slot: {keys:?}");
    let next = first.plus(DAY).plus(MINUTE * 5);
    assert_eq!(next_at(&database, "often").await, Some(next));
    assert_eq!(tick(&farm.platform, next).await, 1);
}

pub async fn a_tick_that_dies_leaves_its_slots_due(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    declare(&farm, &[schedule("a", "* * * * *")]).await;
    let due = next_at(&database(&farm).await, "a").await.expect("a slot");
    let actor = superuser();
    let grant = actor.grant_platform::<RunJobs>().expect("a superuser");
    let mut tx = farm.store.write(&actor).await.expect("a transaction");
    assert_eq!(tx.take_due_schedules(&grant, due, 10).await.expect("a row").len(), 1);
    drop(tx);
    // What is dropped ends a little later, and holds its rows until then.
    let mut written = 0;
    for _ in 0..200 {
        written += tick(&farm.platform, due).await;
        if written > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(written, 1);
    assert_eq!(tick(&farm.platform, due).await, 0);
}

pub async fn declaring_again_forgets_nothing(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    let daily = schedule("daily", "0 6 * * *");
    declare(&farm, std::slice::from_ref(&daily)).await;
    let database = database(&farm).await;
    let missed = next_at(&database, "daily").await.expect("a slot").minus(DAY);
    run(&database, &format!("UPDATE schedules SET next_at = {}", missed.as_micros())).await;
    // The start of a worker after an outage.
    declare(&farm, std::slice::from_ref(&daily)).await;
    assert_eq!(next_at(&database, "daily").await, Some(missed));
    let due = farm.platform.schedules().next_due(&superuser()).await.expect("an answer");
    assert_eq!(due, Some(Duration::ZERO));
    assert_eq!(farm.platform.schedules().tick(&superuser()).await.expect("a tick"), 1);
    assert_eq!(farm.platform.schedules().tick(&superuser()).await.expect("a tick"), 0);
    let due = farm.platform.schedules().next_due(&superuser()).await.expect("an answer");
    assert!(due.is_some_and(|due| !due.is_zero() && due <= DAY + MINUTE * 60), "{due:?}");
    // Other times begin anew.
    run(&database, &format!("UPDATE schedules SET next_at = {}", missed.as_micros())).await;
    declare(&farm, &[schedule("daily", "30 6 * * *")]).await;
    assert_eq!(farm.platform.schedules().tick(&superuser()).await.expect("a tick"), 0);
    // What an operator switched off stays off, and makes up for what it missed once it is on again.
    run(&database, "UPDATE schedules SET is_enabled = false").await;
    declare(&farm, &[schedule("daily", "30 6 * * *")]).await;
    let later = next_at(&database, "daily").await.expect("a slot").plus(DAY);
    assert_eq!(farm.platform.schedules().next_due(&superuser()).await.expect("an answer"), None);
    assert_eq!(tick(&farm.platform, later).await, 0);
    run(&database, "UPDATE schedules SET is_enabled = true").await;
    assert_eq!(tick(&farm.platform, later).await, 1);
}

pub async fn an_organization_has_schedules_of_its_own(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    let put = async |by: u128, schedule: &Schedule| {
        let actor = admin_of(&[by]);
        let grant = actor.grant_in::<ManageSites>(org(by)).expect("an admin");
        let mut tx = farm.store.write(&actor).await.expect("a transaction");
        let now = tx.database_time().await.expect("a moment");
        let next = schedule.cron.next_after(&schedule.zone, now);
        let is_written = tx.put_schedule(&grant, schedule, next).await.expect("an answer");
        tx.commit(Audit::none("a test")).await.expect("committed");
        is_written
    };
    let delete = async |by: u128, name: &str| {
        let actor = admin_of(&[by]);
        let grant = actor.grant_in::<ManageSites>(org(by)).expect("an admin");
        let mut tx = farm.store.write(&actor).await.expect("a transaction");
        let is_deleted = tx.delete_schedule(&grant, name).await.expect("an answer");
        tx.commit(Audit::none("a test")).await.expect("committed");
        is_deleted
    };
    assert!(put(A, &schedule("report:1", "0 6 * * *")).await);
    assert!(!put(B, &schedule("report:1", "* * * * *")).await, "another organization's name");
    let stranger =
        farm.platform.schedules().declare(&superuser(), &[schedule("report:1", "* * * * *")]).await;
    assert!(stranger.is_err(), "nor does the installation take it");
    assert!(!delete(B, "report:1").await);
    let database = database(&farm).await;
    let due = next_at(&database, "report:1").await.expect("a slot");
    let archive = "UPDATE organizations SET is_active = false WHERE name = 'a'";
    run(&database, archive).await;
    assert_eq!(tick(&farm.platform, due).await, 0, "an archived organization has no jobs");
    run(&database, &archive.replace("false", "true")).await;
    assert_eq!(tick(&farm.platform, due).await, 1);
    let job = jobs(&farm).await.remove(0);
    let organization: Option<OrgId> = Some(org(A));
    assert_eq!((job.organization_id, job.created_by), (organization, admin_of(&[A]).user()));
    assert!(delete(A, "report:1").await);
    assert_eq!(tick(&farm.platform, due.plus(DAY)).await, 0);
}

pub async fn one_that_cannot_be_read_keeps_no_other(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    let names = ["cron", "zone", "lane", "good"];
    declare(&farm, &names.map(|name| schedule(name, "* * * * *"))).await;
    let database = database(&farm).await;
    for column in ["cron", "zone", "lane"] {
        run(&database, &format!("UPDATE schedules SET {column} = 'odd' WHERE name = '{column}'")).await;
    }
    let due = next_at(&database, "good").await.expect("a slot");
    assert_eq!(tick(&farm.platform, due).await, 1);
    assert_eq!(tick(&farm.platform, due.plus(MINUTE)).await, 1);
    assert_eq!(next_at(&database, "zone").await, Some(due.plus(MINUTE * 60)));
}
