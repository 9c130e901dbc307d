//! Jobs as their owners see them, and what a worker may and may not do.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use sitewatch_domain::{
    Error, Rule,
    access::{Actor, RequestContext},
    jobs::{Claim, ClaimedJob, Lane, Lost, Outcome, Probe, Run, Settlement},
};
use sitewatch_jobs::{Bells, RedisHealth, Registry, Tools, Worker, WorkerSettings, registry};
use sitewatch_tests::world::{Backend, World};
use tokio::sync::oneshot;

const LEASE: Duration = Duration::from_mins(1);
const KINDS: &[&str] = &["jobs.probe.v1"];

#[expect(clippy::disallowed_methods, reason = "workers act for the system")]
pub fn system() -> Actor {
    Actor::system(RequestContext::default())
}

const fn of_probes(lease: Duration) -> Claim<'static> {
    Claim { lane: Lane::Default, kinds: KINDS, limit: 10, together: 10, lease, worker: "a test" }
}

pub async fn claim(world: &World) -> Vec<ClaimedJob> {
    let jobs = world.platform.jobs();
    jobs.claim(&system(), &of_probes(LEASE)).await.expect("a claim")
}

pub async fn settle(world: &World, job: &ClaimedJob, outcome: Outcome) -> usize {
    let settlement = Settlement { job: job.id, token: job.token, outcome };
    world.platform.jobs().settle(&system(), &[settlement]).await.expect("a settlement").len()
}

pub async fn job(world: &World, id: &str) -> Value {
    world.root.get(&format!("/api/v1/jobs/{id}")).await.expect(200).data()
}

async fn work_until(world: &World, id: &str, state: &str) -> Value {
    work_with(world, registry(), WorkerSettings::default(), id, state).await
}

/// Works until the job is in this state.
pub async fn work_with(
    world: &World,
    registry: Registry,
    settings: WorkerSettings,
    id: &str,
    state: &str,
) -> Value {
    let worker = Worker {
        tools: Tools { platform: world.platform.clone(), post: world.post.clone() },
        registry,
        bells: Bells::default(),
        redis: RedisHealth::default(),
        actor: system(),
        settings: WorkerSettings { poll: Duration::from_millis(20), ..settings },
    };
    let (stop, stopping) = oneshot::channel::<()>();
    let working = tokio::spawn(worker.run(async move { drop(stopping.await) }));
    let mut seen = job(world, id).await;
    for _ in 0..500 {
        if seen["state"] == state {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        seen = job(world, id).await;
    }
    drop(stop);
    working.await.expect("a worker that ends");
    assert_eq!(seen["state"], state, "{seen}");
    seen
}

pub async fn a_job_is_done_and_tells_so(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let id = world.job(&org).await;
    let waiting = job(&world, &id).await;
    assert_eq!((&waiting["state"], &waiting["attempts"]), (&json!("ready"), &json!(0)));
    assert_eq!((&waiting["kind"], &waiting["lane"]), (&json!("jobs.probe.v1"), &json!("default")));
    let done = work_until(&world, &id, "succeeded").await;
    assert_eq!(
        (&done["attempts"], &done["error"], &done["progress"]),
        (&json!(1), &Value::Null, &Value::Null)
    );
    assert!(done["started_at"].is_string() && done["finished_at"].is_string(), "{done}");
    assert!(done.get("payload").is_none(), "payloads are for workers");
    world.root.act(&format!("/api/v1/jobs/{id}/cancel")).await.expect(409).error_type();
    world.root.act(&format!("/api/v1/jobs/{id}/retry")).await.expect(409).error_type();
}

pub async fn a_dead_job_is_run_again(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (_, admin) = world.member(&org, "ada", "admin").await;
    let id = world.job(&org).await;
    let claimed = claim(&world).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(settle(&world, &claimed[0], Outcome::Dead { error: "no hope".into() }).await, 1);
    let dead = job(&world, &id).await;
    assert_eq!((&dead["state"], &dead["error"]), (&json!("dead"), &json!("no hope")));
    let again = admin.act(&format!("/api/v1/jobs/{id}/retry")).await.expect(200).data();
    assert_eq!((&again["state"], &again["attempts"]), (&json!("ready"), &json!(0)));
    work_until(&world, &id, "succeeded").await;
    let log = admin.get(&format!("/api/v1/audit?resource_id={id}")).await.expect(200).data();
    assert_eq!(log[0]["action"], "retried");
}

pub async fn a_worker_that_lost_its_lease_writes_nothing(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let id = world.job(&org).await;
    let claimed = claim(&world).await.remove(0);
    world.root.act(&format!("/api/v1/jobs/{id}/cancel")).await.expect(200);
    let probe: Probe = serde_json::from_value(claimed.payload.clone()).expect("a probe");
    let late = world.platform.jobs().count_probe(&Run::of(claimed.clone()), &probe).await;
    assert!(matches!(late, Err(Error::Conflict(Rule::LeaseLost))), "{late:?}");
    assert_eq!(settle(&world, &claimed, Outcome::Succeeded { result: None }).await, 0);
    assert_eq!(job(&world, &id).await["state"], "cancelled");
    let report = world.platform.jobs().probe_report(&system(), probe.probe).await.expect("a report");
    assert_eq!(report.effects, 0);
    assert!(!world.platform.jobs().report_progress(&Run::of(claimed), 1, 2).await.expect("an answer"));
}

pub async fn an_effect_and_its_settlement_are_one(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let id = world.job(&org).await;
    let run = Run::of(claim(&world).await.remove(0));
    let probe: Probe = serde_json::from_value(run.job().payload.clone()).expect("a probe");
    let jobs = world.platform.jobs();
    assert!(jobs.report_progress(&run, 1, 2).await.expect("a lease"));
    assert_eq!(job(&world, &id).await["progress"], json!({ "done": 1, "total": 2 }));
    // Twice at the same moment, as two workers that take each other for dead would.
    let (one, two) = tokio::join!(jobs.count_probe(&run, &probe), jobs.count_probe(&run, &probe));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    assert_eq!(job(&world, &id).await["state"], "succeeded");
    assert_eq!(jobs.probe_report(&system(), probe.probe).await.expect("a report").effects, 1);
}

pub async fn a_stopped_worker_gives_its_jobs_back(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let id = world.job(&org).await;
    let claimed = claim(&world).await.remove(0);
    assert_eq!(job(&world, &id).await["attempts"], 1);
    settle(&world, &claimed, Outcome::Released).await;
    let back = job(&world, &id).await;
    assert_eq!((&back["state"], &back["attempts"]), (&json!("ready"), &json!(0)), "the try does not count");
    let again = claim(&world).await.remove(0);
    assert!(again.token > claimed.token);
    assert_eq!(settle(&world, &claimed, Outcome::Released).await, 0, "an old token is worth nothing");
    let retry = Outcome::Retry { error: "later".into(), after: Duration::from_mins(5) };
    assert_eq!(settle(&world, &again, retry).await, 1);
    assert!(claim(&world).await.is_empty(), "not due yet");
    let due = world.platform.jobs().next_due(&system(), Lane::Default, KINDS).await.expect("an answer");
    assert!(due.is_some_and(|due| due > Duration::from_mins(4) && due <= Duration::from_mins(5)), "{due:?}");
}

const LAPSED: Lost<'_> = Lost { of_dead: &[], lapsed: true };

pub async fn leases_run_out(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let id = world.job(&org).await;
    let jobs = world.platform.jobs();
    for _ in 0..2 {
        let claimed = jobs.claim(&system(), &of_probes(Duration::ZERO)).await.expect("a claim");
        assert_eq!(claimed.len(), 1);
        tokio::time::sleep(Duration::from_millis(5)).await;
        let of_others = Lost { of_dead: &["somebody else".to_owned()], lapsed: false };
        assert_eq!(jobs.recover(&system(), of_others, 10).await.expect("an answer"), (0, 0));
        assert_eq!(jobs.recover(&system(), LAPSED, 10).await.expect("a recovery"), (1, 0));
        assert_eq!(settle(&world, &claimed[0], Outcome::Succeeded { result: None }).await, 0, "too late");
    }
    let back = job(&world, &id).await;
    assert_eq!((&back["state"], &back["attempts"]), (&json!("ready"), &json!(0)));
    assert!(back["error"].as_str().is_some_and(|error| error.contains("died or hung")), "{back}");
    world.root.act(&format!("/api/v1/jobs/{id}/cancel")).await.expect(200);
    let other = world.job(&org).await;
    let claimed = claim(&world).await.remove(0);
    let renewed = jobs.renew(&system(), &[(claimed.id, claimed.token), (claimed.id, 0)], LEASE).await;
    assert_eq!(renewed.expect("an answer"), [claimed.id]);
    assert_eq!(jobs.recover(&system(), LAPSED, 10).await.expect("a recovery"), (0, 0));
    assert_eq!(job(&world, &other).await["state"], "running");
}

pub async fn jobs_are_listed_by_those_who_caused_them(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (a, b) = (world.organization("A").await, world.organization("B").await);
    let (_, admin) = world.member(&a, "ada", "admin").await;
    let (_, member) = world.member(&a, "bob", "member").await;
    let (mine, other) = (world.job(&a).await, world.job(&b).await);
    let ids = async |client: &sitewatch_tests::client::Client, query: &str| {
        let data = client.get(&format!("/api/v1/jobs{query}")).await.expect(200).data();
        data.as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&admin, "").await, [mine.as_str()]);
    assert_eq!(
        ids(&admin, &format!("?organization_id={a}&state=ready&lane=default&kind=jobs.probe.v1")).await,
        [mine.as_str()]
    );
    assert_eq!(ids(&admin, "?state=dead").await, [""; 0]);
    assert_eq!(ids(&world.root, "?sort=-created_at").await, [other.as_str(), mine.as_str()]);
    assert_eq!(ids(&member, "").await, [""; 0]);
    admin.get(&format!("/api/v1/jobs/{other}")).await.expect(404);
    member.get(&format!("/api/v1/jobs/{mine}")).await.expect(404);
    assert_eq!(admin.get("/api/v1/jobs?state=odd").await.expect(422).faults(), ["state"]);
    assert_eq!(admin.get("/api/v1/jobs?lane=odd").await.expect(422).faults(), ["lane"]);
}

/// Whatever a worker does at the moment when it is stopped, a claim too, comes to its end or is given back.
pub async fn a_stop_at_any_moment_leaves_no_job_behind(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    for round in 0..40 {
        for _ in 0..3 {
            world.job(&org).await;
        }
        let worker = Worker {
            tools: Tools { platform: world.platform.clone(), post: world.post.clone() },
            registry: registry(),
            bells: Bells::default(),
            redis: RedisHealth::default(),
            actor: system(),
            settings: WorkerSettings {
                poll: Duration::from_millis(1),
                schedules: &[],
                ..WorkerSettings::default()
            },
        };
        let (stop, stopping) = oneshot::channel::<()>();
        let working = tokio::spawn(worker.run(async move { drop(stopping.await) }));
        tokio::time::sleep(Duration::from_micros(500 * round)).await;
        drop(stop);
        working.await.expect("a worker that ends");
        let left =
            world.root.get("/api/v1/jobs?state=running").await.expect(200).json()["meta"]["total"].clone();
        assert_eq!(left, 0, "stopped after {} us", 500 * round);
    }
}
