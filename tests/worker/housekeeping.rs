//! What is past its time goes, and nothing else; what will be needed is there before.

use std::{sync::Arc, time::Duration};

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement, Value};
use sitewatch_domain::{
    housekeeping::{
        DELIVERIES_KEPT_FOR, ForgetDeliveries, ForgetIdempotencyKeys, ForgetJobs, ForgetRejects,
        ForgetSessions, JOBS_KEPT_FOR, MakeReadingMonths, REJECTS_KEPT_FOR, SESSIONS_KEPT_FOR,
    },
    jobs::{Claim, Job, Lane, When},
    time::{Clock as _, Instant, Interval, TimeRange, Zone},
};
use sitewatch_jobs::{Registry, Tools, registry};
use sitewatch_runtime::system::SystemClock;
use sitewatch_tests::{
    postgres::SharedPostgres,
    world::{Backend, World},
};
use uuid::Uuid;

use crate::{
    kinds::{Entry, Task},
    plant::{Kind, system},
};

const HOUR: Duration = Duration::from_hours(1);
/// More than goes in one transaction.
const MANY: i64 = 1_500;

pub async fn connect(world: &World) -> DatabaseConnection {
    Database::connect(world.database_url()).await.expect("a connection")
}

pub async fn execute(database: &DatabaseConnection, sql: &str, values: Vec<Value>) {
    let statement = Statement::from_sql_and_values(database.get_database_backend(), sql, values);
    database.execute_raw(statement).await.expect(sql);
}

pub async fn count(world: &World, sql: &str) -> u64 {
    let database = connect(world).await;
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let row = database.query_one_raw(statement).await.expect(sql).expect("a row");
    let count: i64 = row.try_get_by_index(0).expect("a number");
    database.close().await.expect("closed");
    u64::try_from(count).expect("a count")
}

/// A session of the superuser that ended at these moments.
async fn session(database: &DatabaseConnection, number: u128, idle: Instant, absolute: Instant) {
    let sql = "INSERT INTO sessions (id, user_id, created_at, idle_until, absolute_until, refresh_counter, rotated_at, \
               refresh_key_sealed) SELECT $1, id, 0, $2, $3, 1, 0, $4 FROM users";
    let values = vec![
        Uuid::from_u128(number).into(),
        idle.as_micros().into(),
        absolute.as_micros().into(),
        vec![0_u8].into(),
    ];
    execute(database, sql, values).await;
}

/// A counter of attempts to sign in that says something until then.
async fn attempts(database: &DatabaseConnection, place: &str, until: Instant) {
    let sql = "INSERT INTO attempts (account, place, failures, next_at, forget_at) VALUES ($1, $2, 7, 0, $3)";
    execute(database, sql, vec![vec![1_u8; 32].into(), place.into(), until.as_micros().into()]).await;
}

async fn idempotency_key(database: &DatabaseConnection, number: u8, expires: Instant) {
    let sql = "INSERT INTO idempotency_keys (principal, route, key_digest, fingerprint, created_at, expires_at) \
               VALUES ($1, 'POST /', $2, $2, 0, $3)";
    let values = vec![Uuid::nil().into(), vec![number].into(), expires.as_micros().into()];
    execute(database, sql, values).await;
}

/// A module, and a reading of it that was rejected at this moment.
async fn reject(world: &World, database: &DatabaseConnection, number: u128, at: Instant) {
    let modules = || world.root.get("/api/v1/modules");
    if modules().await.expect(200).data().as_array().expect("a list").is_empty() {
        let org = world.organization("A").await;
        let module_type = world.module_type(&org, "T", &["power"]).await;
        world.module(&world.site(&org, "S").await, &module_type, "SN-1").await;
    }
    let sql = "INSERT INTO rejected_readings (id, organization_id, module_id, at, field, reason, sent_row) \
               SELECT $1, organization_id, id, $2, 'value', 'not_a_number', '{}' FROM modules";
    execute(database, sql, vec![Uuid::from_u128(number).into(), at.as_micros().into()]).await;
}

/// A mail that was written at this moment.
async fn delivery(database: &DatabaseConnection, number: u128, state: &str, at: Instant) {
    let sql = "INSERT INTO deliveries (id, dedupe_key, recipient, template, params, state, created_at) \
               VALUES ($1, $2, 'ada@example.org', 'test', $3, $4, $5)";
    let values = vec![
        Uuid::from_u128(number).into(),
        number.to_string().into(),
        serde_json::json!({}).into(),
        state.into(),
        at.as_micros().into(),
    ];
    execute(database, sql, values).await;
}

async fn job(database: &DatabaseConnection, number: u128, state: &str, finished: Option<Instant>) {
    let sql = "INSERT INTO jobs (id, kind, payload, dedupe_until_started, lane, priority, state, run_at, max_attempts, \
               created_at, finished_at) VALUES ($1, 'jobs.of.another.v1', $2, $3, 'default', 10, $4, 0, 1, 0, $5)";
    let values = vec![
        Uuid::from_u128(number).into(),
        serde_json::json!({}).into(),
        false.into(),
        state.into(),
        finished.map(Instant::as_micros).into(),
    ];
    execute(database, sql, values).await;
}

async fn probe_effects(database: &DatabaseConnection, numbers: std::ops::Range<i64>, at: Instant) {
    let sql = "WITH RECURSIVE n (number) AS (SELECT CAST($2 AS bigint) UNION ALL SELECT number + 1 FROM n WHERE number + 1 < $3) \
               INSERT INTO job_probes (probe, number, latency_us, at) SELECT $1, number, 0, $4 FROM n";
    let values = vec![Uuid::nil().into(), numbers.start.into(), numbers.end.into(), at.as_micros().into()];
    execute(database, sql, values).await;
}

pub async fn write<J: Job + Default>(world: &World) {
    let written =
        world.platform.jobs().enqueue(&system(), &J::default(), When::Now).await.expect("an answer");
    assert!(written, "{}", J::KIND);
    let again = world.platform.jobs().enqueue(&system(), &J::default(), When::Now).await.expect("an answer");
    assert!(!again, "{}: one that waits is enough", J::KIND);
}

/// Claims and does the one job of its lane that waits.
pub async fn work<J: Job + Default>(world: &World, registry: &Registry) -> serde_json::Value {
    write::<J>(world).await;
    let claim = Claim {
        lane: Lane::Housekeeping,
        kinds: &[J::KIND],
        limit: 1,
        together: 1,
        lease: Duration::from_mins(1),
        worker: "housekeeper",
    };
    let claimed = world.platform.jobs().claim(&system(), &claim).await.expect("an answer").remove(0);
    let tools = Arc::new(Tools { platform: world.platform.clone(), post: world.post.clone() });
    registry.call(tools, claimed.clone()).await.expect("done").unwrap_or_default()
}

pub async fn only_what_is_past_its_time_is_forgotten(kind: Arc<Kind>) {
    let backend = match *kind {
        Kind::Sqlite => Backend::Sqlite,
        _ => Backend::Postgres(SharedPostgres::default()),
    };
    let world = World::start(&Arc::new(backend)).await;
    let registry = registry();
    let now = SystemClock.now();
    let (past, kept) = (now.minus(SESSIONS_KEPT_FOR + HOUR), now.minus(SESSIONS_KEPT_FOR).plus(HOUR));
    let database = connect(&world).await;
    for (number, idle, absolute) in [(1, past, now), (2, now, past), (3, kept, kept), (4, past, past)] {
        session(&database, number, idle, absolute).await;
    }
    attempts(&database, "", now.minus(HOUR)).await;
    attempts(&database, "198.51.100.7", now.plus(HOUR)).await;
    // Beside the one that the superuser of the tests is signed in with.
    let before = count(&world, "SELECT count(*) FROM sessions").await;
    assert_eq!(work::<ForgetSessions>(&world, &registry).await["forgotten"], 3);
    assert_eq!(count(&world, "SELECT count(*) FROM sessions").await, before - 3);
    assert_eq!(work::<ForgetSessions>(&world, &registry).await["forgotten"], 0);
    world.root.get("/api/v1/auth/me").await.expect(200);
    let past = format!("SELECT count(*) FROM attempts WHERE forget_at <= {}", now.as_micros());
    assert_eq!(count(&world, &past).await, 0, "nor a counter that says nothing any more");
    assert_eq!(count(&world, "SELECT count(*) FROM attempts WHERE failures = 7").await, 1);

    idempotency_key(&database, 1, now.minus(HOUR)).await;
    idempotency_key(&database, 2, now.plus(HOUR)).await;
    assert_eq!(work::<ForgetIdempotencyKeys>(&world, &registry).await["forgotten"], 1);
    assert_eq!(count(&world, "SELECT count(*) FROM idempotency_keys").await, 1);

    let (past, kept) = (now.minus(REJECTS_KEPT_FOR + HOUR), now.minus(REJECTS_KEPT_FOR).plus(HOUR));
    reject(&world, &database, 1, past).await;
    reject(&world, &database, 2, kept).await;
    assert_eq!(work::<ForgetRejects>(&world, &registry).await["forgotten"], 1);
    assert_eq!(count(&world, "SELECT count(*) FROM rejected_readings").await, 1);

    let (past, kept) = (now.minus(DELIVERIES_KEPT_FOR + HOUR), now.minus(DELIVERIES_KEPT_FOR).plus(HOUR));
    delivery(&database, 1, "sent", past).await;
    delivery(&database, 2, "failed", past).await;
    delivery(&database, 3, "sent", kept).await;
    assert_eq!(work::<ForgetDeliveries>(&world, &registry).await["forgotten"], 2);
    assert_eq!(count(&world, "SELECT count(*) FROM deliveries").await, 1);

    let (past, kept) = (now.minus(JOBS_KEPT_FOR + HOUR), now.minus(JOBS_KEPT_FOR).plus(HOUR));
    for (number, state, finished) in [
        (1, "succeeded", Some(past)),
        (2, "dead", Some(past)),
        (3, "cancelled", Some(past)),
        (4, "succeeded", Some(kept)),
        (5, "ready", None),
    ] {
        job(&database, number, state, finished).await;
    }
    probe_effects(&database, 0..MANY, past).await;
    probe_effects(&database, MANY..MANY + 1, kept).await;
    let of_another = "SELECT count(*) FROM jobs WHERE kind = 'jobs.of.another.v1'";
    assert_eq!(work::<ForgetJobs>(&world, &registry).await["forgotten"], 3);
    assert_eq!(count(&world, of_another).await, 2);
    assert_eq!(count(&world, "SELECT count(*) FROM job_probes").await, 1);
    let audit = count(&world, "SELECT count(*) FROM audit_events").await;
    assert!(audit > 0, "the audit log is kept");
    database.close().await.expect("closed");
}

/// Tables of months that begin in the future.
const AHEAD: &str = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'readings'::regclass";

pub async fn the_coming_months_are_made_ahead(_kind: Arc<Kind>) {
    let world = World::start(&Arc::new(Backend::Postgres(SharedPostgres::default()))).await;
    let registry = registry();
    assert_eq!(count(&world, AHEAD).await, 0);
    work::<MakeReadingMonths>(&world, &registry).await;
    assert_eq!(count(&world, AHEAD).await, 3);
    work::<MakeReadingMonths>(&world, &registry).await;
    assert_eq!(count(&world, AHEAD).await, 3);
    let now = SystemClock.now();
    let in_two_months = now.plus(Duration::from_hours(58 * 24));
    let range = TimeRange { from: in_two_months, to: in_two_months.plus(Duration::from_secs(1)) };
    let month = Interval::Month.buckets(range, &Zone::UTC, 1).expect("one month")[0];
    let name = format!("readings_y{}m{}", &month.start.to_string()[..4], &month.start.to_string()[5..7]);
    assert_eq!(count(&world, &format!("SELECT count(*) FROM pg_class WHERE relname = '{name}'")).await, 1);
}

pub fn entry<J: Job>(
    write: for<'a> fn(&'a World) -> Task<'a, ()>,
    effects: for<'a> fn(&'a World) -> Task<'a, u64>,
) -> Entry {
    Entry { kind: J::KIND, lane: J::LANE, write, effects }
}

/// For the list of all kinds.
pub fn forget_sessions() -> Entry {
    entry::<ForgetSessions>(
        |world| {
            Box::pin(async {
                let long_ago = Instant::from_secs(1);
                session(&connect(world).await, 1, long_ago, long_ago).await;
                write::<ForgetSessions>(world).await;
            })
        },
        |world| {
            Box::pin(async {
                1 - count(world, "SELECT count(*) FROM sessions WHERE idle_until = 1000000").await
            })
        },
    )
}

/// For the list of all kinds.
pub fn forget_idempotency_keys() -> Entry {
    entry::<ForgetIdempotencyKeys>(
        |world| {
            Box::pin(async {
                idempotency_key(&connect(world).await, 1, Instant::from_secs(1)).await;
                write::<ForgetIdempotencyKeys>(world).await;
            })
        },
        |world| Box::pin(async { 1 - count(world, "SELECT count(*) FROM idempotency_keys").await }),
    )
}

/// For the list of all kinds.
pub fn forget_jobs() -> Entry {
    entry::<ForgetJobs>(
        |world| {
            Box::pin(async {
                job(&connect(world).await, 1, "dead", Some(Instant::from_secs(1))).await;
                write::<ForgetJobs>(world).await;
            })
        },
        |world| {
            let left = "SELECT count(*) FROM jobs WHERE kind = 'jobs.of.another.v1'";
            Box::pin(async { 1 - count(world, left).await })
        },
    )
}

/// For the list of all kinds.
pub fn forget_rejects() -> Entry {
    entry::<ForgetRejects>(
        |world| {
            Box::pin(async {
                reject(world, &connect(world).await, 1, Instant::from_secs(1)).await;
                write::<ForgetRejects>(world).await;
            })
        },
        |world| Box::pin(async { 1 - count(world, "SELECT count(*) FROM rejected_readings").await }),
    )
}

/// For the list of all kinds.
pub fn forget_deliveries() -> Entry {
    entry::<ForgetDeliveries>(
        |world| {
            Box::pin(async {
                delivery(&connect(world).await, 1, "sent", Instant::from_secs(1)).await;
                write::<ForgetDeliveries>(world).await;
            })
        },
        |world| Box::pin(async { 1 - count(world, "SELECT count(*) FROM deliveries").await }),
    )
}

/// For the list of all kinds. SQLite has no tables of months: there the effect is that the job is done.
pub fn make_reading_months() -> Entry {
    entry::<MakeReadingMonths>(
        |world| Box::pin(write::<MakeReadingMonths>(world)),
        |world| {
            Box::pin(async {
                match world.database {
                    Some(_) => u64::from(count(world, AHEAD).await == 3),
                    None => count(world, "SELECT count(*) FROM jobs WHERE state = 'succeeded'").await,
                }
            })
        },
    )
}
