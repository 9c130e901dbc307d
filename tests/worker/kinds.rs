//! Every kind of job, run twice in parallel and once more afterwards, has one effect. A kind without an entry here fails.

use std::{collections::BTreeSet, future::Future, pin::Pin, sync::Arc, time::Duration};

use sitewatch_domain::{
    Platform,
    jobs::{Act, Claim, ClaimedJob, Job as _, Lane, Lost, Outcome, Probe, Settlement},
    mail::{Content, NewMail, SendMail},
};
use sitewatch_jobs::{Registry, Tools, registry};
use sitewatch_tests::{
    postgres::SharedPostgres,
    world::{Backend, World},
};

use crate::{
    housekeeping, passwords, payloads,
    plant::{Kind, system},
    reports, rollups,
};

/// How a kind is tried out: what is made before, the job that is written, and its effects as a number.
pub struct Entry {
    pub kind: &'static str,
    pub lane: Lane,
    pub write: for<'a> fn(&'a World) -> Task<'a, ()>,
    pub effects: for<'a> fn(&'a World) -> Task<'a, u64>,
}

pub type Task<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

const PROBE: uuid::Uuid = uuid::Uuid::from_u128(1);

/// The kinds of this version.
fn entries() -> Vec<Entry> {
    vec![
        Entry {
            kind: Probe::KIND,
            lane: Probe::LANE,
            write: |world| {
                Box::pin(async {
                    let probe = Probe { probe: PROBE, number: 1, act: Act::Count, organization_id: None };
                    world.platform.jobs().enqueue_probes(&system(), &[probe]).await.expect("it is written");
                })
            },
            effects: |world| {
                Box::pin(async {
                    let report = world.platform.jobs().probe_report(&system(), PROBE).await;
                    report.expect("a report").effects
                })
            },
        },
        Entry {
            kind: SendMail::KIND,
            lane: SendMail::LANE,
            write: |world| {
                Box::pin(async {
                    let ada = "ada@example.org".parse().expect("an address");
                    let new = NewMail::new(ada, "kinds".into(), Content::Test {});
                    world.platform.mail().send(&system(), new).await.expect("it is written");
                })
            },
            effects: |world| {
                Box::pin(async {
                    let delivery = world.platform.mail().find(&system(), "kinds").await.expect("a delivery");
                    // How often it was handed over.
                    u64::from(delivery.attempts)
                })
            },
        },
        passwords::send_reset(),
        housekeeping::forget_sessions(),
        housekeeping::forget_idempotency_keys(),
        housekeeping::forget_jobs(),
        housekeeping::forget_rejects(),
        housekeeping::forget_deliveries(),
        housekeeping::make_reading_months(),
        rollups::redo(),
        rollups::sweep(),
        rollups::delete_readings(),
        reports::start(),
        reports::build(),
        reports::forget(),
    ]
}

pub async fn every_kind_run_twice_has_one_effect(kind: Arc<Kind>) {
    let entries = entries();
    let known: BTreeSet<&str> = registry().kinds().collect();
    let tried: BTreeSet<&str> = entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(known, tried, "each kind of the registry needs an entry in tests/worker/kinds.rs");
    let backend = Arc::new(match *kind {
        Kind::Sqlite => Backend::Sqlite,
        _ => Backend::Postgres(SharedPostgres::default()),
    });
    for entry in &entries {
        try_out(&World::start(&backend).await, entry).await;
    }
}

async fn try_out(world: &World, entry: &Entry) {
    (entry.write)(world).await;
    let before = (entry.effects)(world).await;
    let slow = claim(&world.platform, entry, "slow").await;
    payloads::assert_known(entry.kind, &slow.payload);
    // The first worker is taken for dead while it works.
    let (ready, dead) = world
        .platform
        .jobs()
        .recover(&system(), Lost { of_dead: &["slow".to_owned()], lapsed: true }, 10)
        .await
        .expect("it is taken back");
    assert_eq!((ready, dead), (1, 0), "{}", entry.kind);
    let quick = claim(&world.platform, entry, "quick").await;
    assert_eq!((slow.id, slow.token + 1), (quick.id, quick.token));
    let registry = registry();
    let (by_slow, by_quick) = tokio::join!(run(&registry, world, &slow), run(&registry, world, &quick));
    assert!(by_quick, "{}: whoever holds the lease does it", entry.kind);
    let settlement = |job: &ClaimedJob| Settlement {
        job: job.id,
        token: job.token,
        outcome: Outcome::Succeeded { result: None },
    };
    let settlements = [settlement(&slow), settlement(&quick)];
    world.platform.jobs().settle(&system(), &settlements).await.expect("the ledger answers");
    let once = (entry.effects)(world).await;
    assert_eq!(once - before, 1, "{}: run in parallel (the first went well: {by_slow})", entry.kind);
    run(&registry, world, &quick).await;
    assert_eq!((entry.effects)(world).await, once, "{}: run again after it was settled", entry.kind);
}

async fn claim(platform: &Platform, entry: &Entry, worker: &str) -> ClaimedJob {
    let claim = Claim {
        lane: entry.lane,
        kinds: &[entry.kind],
        limit: 1,
        together: 1,
        lease: Duration::from_mins(1),
        worker,
    };
    let mut claimed = platform.jobs().claim(&system(), &claim).await.expect("the ledger answers");
    claimed.pop().unwrap_or_else(|| panic!("no job of the kind {} is due", entry.kind))
}

/// Whether the handler went through.
async fn run(registry: &Registry, world: &World, job: &ClaimedJob) -> bool {
    let tools = Arc::new(Tools { platform: world.platform.clone(), post: world.post.clone() });
    registry.call(tools, job.clone()).await.is_ok()
}
