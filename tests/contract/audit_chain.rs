//! The chain of the audit log: it is whole whatever is written by how many, begins with what was there, and hides nothing.

use std::{collections::BTreeSet, sync::Arc};

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend};
use sitewatch_auth::{KeyRingNotary, SecretKeys};
use sitewatch_domain::{
    Platform,
    audit::{CheckpointFault, Checkpoints, Finding, VerifiedLog},
    ports::Notary,
    sites::Site,
};
use sitewatch_persistence::SeaStore;
use sitewatch_runtime::system::{OsEntropy, SystemClock};
use sitewatch_tests::world::Backend;

use crate::{
    farm::{A, B, Farm, KEY, org, platform_of, site, superuser, user},
    rollups_plant::random,
};

async fn verified(platform: &Platform, checkpoints: &Checkpoints) -> (VerifiedLog, Vec<Finding>) {
    let mut found = Vec::new();
    let audit = platform.audit();
    let verified = audit.verify(&superuser(), None, checkpoints, |finding| found.push(finding.clone())).await;
    (verified.expect("verified"), found)
}

/// The names of what is wrong.
async fn faults(platform: &Platform) -> BTreeSet<&'static str> {
    let (_, found) = verified(platform, &Checkpoints::default()).await;
    found.iter().map(|finding| finding.fault.name()).collect()
}

async fn raw(farm: &Farm) -> DatabaseConnection {
    Database::connect(&farm.database.url).await.expect("a connection")
}

async fn execute(database: &DatabaseConnection, sql: &str) -> u64 {
    let done = database.execute_unprepared(sql).await;
    done.unwrap_or_else(|error| panic!("{sql}: {error}")).rows_affected()
}

/// Takes away what keeps the log from being changed by hand.
async fn disarm(database: &DatabaseConnection) {
    let statements: &[&str] = match database.get_database_backend() {
        DbBackend::Postgres => {
            &["ALTER TABLE audit_events DISABLE TRIGGER USER", "ALTER TABLE audit_heads DISABLE TRIGGER USER"]
        }
        _ => &[
            "DROP TRIGGER audit_events_only_added",
            "DROP TRIGGER audit_events_not_deleted",
            "DROP TRIGGER audit_heads_not_deleted",
        ],
    };
    for statement in statements {
        execute(database, statement).await;
    }
}

/// A node with these keys on the same database.
async fn node(farm: &Farm, keys: &str) -> Platform {
    let keys: SecretKeys = keys.parse().expect("keys");
    let notary: Arc<dyn Notary> = Arc::new(KeyRingNotary::new(&keys).expect("a notary"));
    let (settings, clock) = (farm.database.settings.clone(), Arc::new(SystemClock));
    let store = SeaStore::connect(settings, clock.clone(), Arc::new(OsEntropy), notary).await;
    platform_of(Arc::new(store.expect("a store")), clock, &keys)
}

/// Numbers come back from a database in another spelling, and JSON in another order.
pub async fn whatever_is_written_is_whole(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    let mut random = random();
    let odd = [0.1 + 0.2, -0.0, 1e-300, f64::MIN_POSITIVE, 5e-324, f64::MAX, 9_007_199_254_740_993.0, 1.0];
    for number in 0..200_u128 {
        let mut any = || {
            if let Some(odd) = odd.get(random.below(20) as usize) {
                return *odd;
            }
            let bits = (random.below(1 << 31) << 33) ^ (random.below(1 << 31) << 8) ^ random.below(1 << 31);
            Some(f64::from_bits(bits)).filter(|value| value.is_finite()).unwrap_or_default()
        };
        let (latitude, longitude) = (Some(any()), Some(any()));
        let text = "é\u{1F980}\"\\\n\u{7f}\u{2028}</script>\t ".to_owned();
        let tags = vec![text.clone(), String::new()];
        let place = site(1_000 + number, A, &format!("S{number}"));
        let place = Site { latitude, longitude, description: Some(text), tags, ..place };
        farm.site(&place).await.expect("a site");
    }
    let (log, found) = verified(&farm.platform, &Checkpoints::default()).await;
    assert_eq!(found, []);
    assert_eq!((log.chains, log.adopted), (3, 0));
    assert!(log.entries > 200);
}

/// Those who write into the same log wait for each other, and nobody for ever.
pub async fn many_write_at_once(backend: Arc<Backend>) {
    let farm = Arc::new(Farm::new(&backend).await);
    let before = verified(&farm.platform, &Checkpoints::default()).await.0.entries;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..12_u128 {
        let farm = Arc::clone(&farm);
        writers.spawn(async move {
            for number in 0..20 {
                let number = 10_000 + 100 * writer + number;
                let of = if writer % 3 == 0 { B } else { A };
                farm.site(&site(number, of, &format!("S{number}"))).await.expect("a site");
                if number % 5 == 0 {
                    farm.user(&user(number, &format!("u{number}"))).await.expect("a user");
                }
            }
        });
    }
    // Whoever looks meanwhile finds nothing wrong either.
    while !writers.is_empty() {
        let (_, found) = verified(&farm.platform, &Checkpoints::default()).await;
        assert_eq!(found, []);
        if let Some(done) = writers.try_join_next() {
            done.expect("a writer");
        }
    }
    let (log, found) = verified(&farm.platform, &Checkpoints::default()).await;
    assert_eq!((log.entries, found), (before + 12 * 24, vec![]));
}

pub async fn entries_are_only_added(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    let database = raw(&farm).await;
    let mut forbidden = vec![
        "UPDATE audit_events SET client = 'nobody'",
        "UPDATE audit_events SET seq = seq + 100",
        "UPDATE audit_events SET hash = NULL",
        "DELETE FROM audit_events",
        "DELETE FROM audit_heads",
    ];
    if database.get_database_backend() == DbBackend::Postgres {
        forbidden.extend(["TRUNCATE audit_events", "TRUNCATE audit_heads", "TRUNCATE organizations CASCADE"]);
    }
    for forbidden in forbidden {
        let refused = database.execute_unprepared(forbidden).await.expect_err(forbidden);
        assert!(refused.to_string().contains("the audit log is only added to"), "{forbidden}: {refused}");
    }
    assert_eq!(faults(&farm.platform).await, BTreeSet::new());
}

/// The log of an installation that is older than the chain.
pub async fn what_was_there_is_taken_over_once(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    for number in 0..30 {
        farm.site(&site(1_000 + number, A, &format!("S{number}"))).await.expect("a site");
    }
    let all = verified(&farm.platform, &Checkpoints::default()).await.0.entries;
    let Farm { store, platform, database } = farm;
    drop((store, platform));
    let names = sitewatch_migrations::names();
    let newer = names.iter().rev().position(|name| name.ends_with("audit_chain")).expect("the chain") + 1;
    let steps = u32::try_from(newer).expect("few");
    SeaStore::migrate_down(&database.settings, steps).await.expect("down");
    SeaStore::migrate_up(&database.settings).await.expect("up");
    let farm = Farm::on(database).await;
    assert_eq!(faults(&farm.platform).await, BTreeSet::from(["outside"]));
    let audit = farm.platform.audit();
    assert_eq!(audit.take_up(&superuser()).await.expect("taken over"), all);
    assert_eq!(audit.take_up(&superuser()).await.expect("nothing is left"), 0);
    let (log, found) = verified(&farm.platform, &Checkpoints::default()).await;
    assert_eq!((log.entries, log.adopted, found), (all, all, vec![]));
    farm.site(&site(2_000, A, "new")).await.expect("a site");
    let (log, found) = verified(&farm.platform, &Checkpoints::default()).await;
    assert_eq!((log.entries, log.adopted, found), (all + 1, all, vec![]));
    // What comes past the chain from now on stays outside, and what was taken over is kept like the rest.
    let database = raw(&farm).await;
    disarm(&database).await;
    let past = "INSERT INTO audit_events (id, at, organization_id, actor_kind, is_superuser, action, resource, resource_id) \
                SELECT resource_id, at, organization_id, 'system', false, 'created', 'site', resource_id FROM audit_events \
                WHERE resource = 'site' AND seq = 7";
    assert_eq!(execute(&database, past).await, 1);
    assert_eq!(audit.take_up(&superuser()).await.expect("nothing is taken over"), 0);
    assert_eq!(faults(&farm.platform).await, BTreeSet::from(["outside"]));
    execute(&database, "UPDATE audit_events SET client = 'nobody' WHERE seq = 7").await;
    assert_eq!(faults(&farm.platform).await, BTreeSet::from(["changed", "outside"]));
}

/// A tenant's work goes on whatever somebody did to his log, and writing on does not cover it up.
pub async fn writing_on_covers_nothing_up(backend: Arc<Backend>) {
    for (tampering, expected) in [
        ("UPDATE audit_heads SET seal = hash", ["seal_missed"].as_slice()),
        ("DELETE FROM audit_heads", &["seal_missed"]),
        ("UPDATE audit_heads SET seal = hash, hash = seal", &["changed", "seal_missed"]),
    ] {
        let farm = Farm::new(&backend).await;
        let database = raw(&farm).await;
        disarm(&database).await;
        execute(&database, tampering).await;
        farm.site(&site(1_000, A, "next")).await.expect("a site");
        farm.user(&user(1_001, "next")).await.expect("a user");
        // Nor does a start.
        farm.platform.audit().take_up(&superuser()).await.expect("taken up");
        farm.site(&site(1_002, B, "last")).await.expect("a site");
        let found = faults(&farm.platform).await;
        assert_eq!(found, expected.iter().copied().collect(), "{tampering}");
    }
}

/// An end that lies before the entries keeps the tenant from writing until the next start, which puts it behind them and says so.
pub async fn an_end_that_lies_back_is_mended_and_marked(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    let database = raw(&farm).await;
    disarm(&database).await;
    execute(&database, "CREATE TABLE heads_of_yore AS SELECT * FROM audit_heads").await;
    farm.site(&site(1_000, A, "one")).await.expect("a site");
    execute(&database, "DELETE FROM audit_heads").await;
    execute(&database, "INSERT INTO audit_heads SELECT * FROM heads_of_yore").await;
    assert_eq!(faults(&farm.platform).await, BTreeSet::from(["beyond_end"]));
    farm.site(&site(1_001, A, "two")).await.expect_err("the place is taken");
    farm.site(&site(1_002, B, "other")).await.expect("another tenant's log is whole");
    farm.platform.audit().take_up(&superuser()).await.expect("taken up");
    farm.site(&site(1_003, A, "three")).await.expect("a site");
    assert_eq!(faults(&farm.platform).await, BTreeSet::from(["seal_missed"]));
}

pub async fn keys_are_changed_without_a_false_alarm(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    let new = SecretKeys::generate(&OsEntropy);
    let both = node(&farm, &format!("{},{KEY}", new.expose())).await;
    both.audit().take_up(&superuser()).await.expect("sealed anew");
    let only_new = node(&farm, new.expose()).await;
    let all = [&farm.platform, &both, &only_new];
    for platform in all {
        assert_eq!(faults(platform).await, BTreeSet::new());
    }
    // A node that has the old key alone still writes, and those with both go on.
    farm.site(&site(1_000, A, "one")).await.expect("a site");
    assert_eq!(faults(&both).await, BTreeSet::new());
    assert_eq!(faults(&only_new).await, BTreeSet::from(["end_not_sealed"]));
    both.audit().take_up(&superuser()).await.expect("sealed anew");
    assert_eq!(faults(&only_new).await, BTreeSet::new());
    let stranger = node(&farm, SecretKeys::generate(&OsEntropy).expose()).await;
    assert_eq!(faults(&stranger).await, BTreeSet::from(["end_not_sealed"]));
}

/// Each line of checkpoints is signed and names the one before it; only what has moved stands in it.
pub async fn checkpoints_follow_each_other(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    let audit = farm.platform.audit();
    let mut known = Checkpoints::default();
    let mut lines = Vec::new();
    for number in 0..3 {
        let made = audit.checkpoint(&superuser(), &known).await.expect("a checkpoint");
        assert_eq!(made.suspects, []);
        let line = made.line.expect("a line");
        audit.read_checkpoint(&mut known, &line).expect("a good line");
        lines.push(line);
        assert_eq!(audit.checkpoint(&superuser(), &known).await.expect("nothing has moved").line, None);
        farm.site(&site(1_000 + number, A, &format!("S{number}"))).await.expect("a site");
    }
    assert_eq!(lines[0].matches("\"seq\"").count(), 3);
    assert_eq!(lines[1].matches("\"seq\"").count(), 1);
    assert!(lines[1].contains(&org(A).to_string()));
    let read = |lines: &[&str]| {
        let mut known = Checkpoints::default();
        let faults: Vec<&str> = lines
            .iter()
            .map(|line| {
                audit.read_checkpoint(&mut known, line).map_or_else(CheckpointFault::name, |()| "good")
            })
            .collect();
        faults.join(" ")
    };
    let [one, two, three] = [&lines[0], &lines[1], &lines[2]].map(String::as_str);
    assert_eq!(read(&[one, two, three]), "good good good");
    assert_eq!(read(&[two, three]), "good good", "the first of a file may follow another file");
    assert_eq!(read(&[one, three]), "good checkpoint_unconnected");
    assert_eq!(read(&[one, three, two]), "good checkpoint_unconnected checkpoint_backwards");
    assert_eq!(
        read(&[one, "", "{}", "half a l"]),
        ["good", "checkpoint_unreadable", "checkpoint_unreadable", "checkpoint_unreadable"].join(" ")
    );
    let changed = two.replace("\"seq\":", "\"seq\":1");
    assert_eq!(read(&[one, &changed]), "good checkpoint_not_signed");
    let stranger = node(&farm, SecretKeys::generate(&OsEntropy).expose()).await;
    let fault = stranger.audit().read_checkpoint(&mut Checkpoints::default(), one).expect_err("foreign");
    assert_eq!(fault.name(), "checkpoint_not_signed");
}

/// What nothing in the database tells: a log that was cut, with an end that was good once.
pub async fn an_older_state_is_told_by_a_checkpoint(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    let database = raw(&farm).await;
    disarm(&database).await;
    execute(&database, "CREATE TABLE heads_of_yore AS SELECT * FROM audit_heads").await;
    farm.site(&site(1_000, A, "one")).await.expect("a site");
    let (audit, mut known) = (farm.platform.audit(), Checkpoints::default());
    let made = audit.checkpoint(&superuser(), &known).await.expect("a checkpoint");
    audit.read_checkpoint(&mut known, &made.line.expect("a line")).expect("a good line");
    execute(&database, "DELETE FROM audit_events WHERE resource = 'site'").await;
    execute(&database, "DELETE FROM audit_heads").await;
    execute(&database, "INSERT INTO audit_heads SELECT * FROM heads_of_yore").await;
    assert_eq!(faults(&farm.platform).await, BTreeSet::new(), "without checkpoints nothing is wrong");
    assert_eq!(audit.checkpoint(&superuser(), &known).await.expect("a look").suspects, [Some(org(A))]);
    let names = async || {
        let (_, found) = verified(&farm.platform, &known).await;
        found.iter().map(|finding| (finding.chain, finding.fault.name())).collect::<Vec<_>>()
    };
    assert_eq!(names().await, [(Some(org(A)), "shorter_than_checkpoint")]);
    farm.site(&site(1_001, A, "another")).await.expect("a site");
    assert_eq!(names().await, [(Some(org(A)), "not_as_checkpointed")]);
}
