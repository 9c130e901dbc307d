//! What jobs tell, and whom.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait as _, Database};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sitewatch_domain::{
    Error,
    access::RequestContext,
    jobs::{Act, Job, JobState, Outcome, Probe, Run, When},
};
use sitewatch_jobs::{Handler, JobFailure, Tools, WorkerSettings, registry};
use sitewatch_tests::{
    client::Client,
    world::{Backend, PASSWORD, World},
};

use crate::jobs::{claim, job, settle, system, work_with};

const INSIDE: &str = "SELECT secret FROM users at /var/lib/sitewatch on db.internal:5432";

/// A job that meets a fault whose cause tells of the inside, or panics with it.
#[derive(Serialize, Deserialize)]
struct Leak {
    panics: bool,
}

impl Job for Leak {
    const KIND: &'static str = "tests.leak.v1";
    const MAX_ATTEMPTS: u16 = 1;
}

#[async_trait]
impl Handler for Leak {
    async fn handle(self, _tools: &Tools, _run: &Run) -> Result<Option<Value>, JobFailure> {
        assert!(!self.panics, "{INSIDE}");
        Err(Error::Internal(INSIDE.into()).into())
    }
}

/// The same kind as it was once, which today's handler cannot read.
#[derive(Serialize, Deserialize)]
struct OldLeak {
    secret: String,
}

impl Job for OldLeak {
    const KIND: &'static str = Leak::KIND;
    const MAX_ATTEMPTS: u16 = 1;
}

async fn enqueue<J: Job>(world: &World, job: &J) -> String {
    assert!(world.platform.jobs().enqueue(&system(), job, When::Now).await.expect("written"));
    let page = world.root.get("/api/v1/jobs?sort=-created_at&per_page=1").await.expect(200).data();
    page[0]["id"].as_str().expect("an id").to_owned()
}

async fn ids(client: &Client, query: &str) -> Vec<String> {
    let data = client.get(&format!("/api/v1/jobs{query}")).await.expect(200).data();
    data.as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
}

pub async fn errors_tell_nothing_of_the_inside(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let leaks = [
        (enqueue(&world, &Leak { panics: false }).await, "internal error"),
        (enqueue(&world, &Leak { panics: true }).await, "it panicked"),
        (enqueue(&world, &OldLeak { secret: INSIDE.into() }).await, "the payload cannot be read"),
    ];
    for (id, told) in leaks {
        let registry = registry().with::<Leak>();
        let dead = work_with(&world, registry, WorkerSettings::default(), &id, "dead").await;
        assert_eq!(dead["error"], told);
        for part in ["SELECT", "/var/lib", "db.internal"] {
            assert!(!dead.to_string().contains(part), "{dead}");
        }
    }
}

pub async fn jobs_are_sorted_and_found_by_their_times(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let first = world.job(&org).await;
    let second = world.job(&org).await;
    let third = world.job(&org).await;
    let all = [first.as_str(), second.as_str(), third.as_str()];
    assert_eq!(ids(&world.root, "?sort=created_at").await, all);
    assert_eq!(ids(&world.root, "?sort=run_at").await, all);
    // The second ends before the first; the third does not end.
    let claimed = claim(&world).await;
    for id in [&second, &first] {
        let claimed = claimed.iter().find(|claimed| claimed.id.to_string() == **id).expect("claimed");
        settle(&world, claimed, Outcome::Succeeded { result: Some(json!({ "rows": 3 })) }).await;
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let ended = ids(&world.root, "?sort=finished_at&state=succeeded").await;
    assert_eq!(ended, [second.as_str(), first.as_str()]);
    assert_eq!(
        ids(&world.root, "?sort=-finished_at&state=succeeded").await,
        [first.as_str(), second.as_str()]
    );
    assert_eq!(job(&world, &second).await["result"], json!({ "rows": 3 }));
    let at = |job: &Value| job["created_at"].as_str().expect("a time").to_owned();
    let since = at(&job(&world, &third).await);
    let found = ids(&world.root, &format!("?created_at[gte]={since}")).await;
    assert!(found.contains(&third) && found.len() <= 3, "{found:?}");
    assert_eq!(ids(&world.root, "?created_at[gte]=2999-01-01T00:00:00Z").await, [""; 0]);
    assert_eq!(ids(&world.root, "?created_at[lt]=2999-01-01T00:00:00Z").await.len(), 3);
    let refused =
        world.root.get("/api/v1/jobs?sort=error&created_at[gte]=yesterday").await.expect(422).faults();
    assert!(refused.iter().any(|field| field == "sort") && refused.len() == 2, "{refused:?}");
}

pub async fn a_member_sees_what_he_caused_and_no_more(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (_, other) = world.member(&org, "bob", "member").await;
    let body =
        json!({ "email": "eve@example.org", "full_name": "Eve", "password": PASSWORD, "is_superuser": true });
    let eve = world.root.post("/api/v1/users", body).await.expect(201).id();
    let client = world.anonymous().login("eve@example.org", PASSWORD).await;
    // Only a superuser causes a job by itself; then she is none any more.
    let request = RequestContext { request_id: Some("asked-by-eve".into()), ..RequestContext::default() };
    let actor = world.platform.sessions().authenticate(request, client.token()).await.expect("an actor");
    let organization_id = Some(org.parse().expect("an id"));
    let probe = Probe { probe: uuid::Uuid::nil(), number: 0, act: Act::Nothing, organization_id };
    assert!(world.platform.jobs().enqueue(&actor, &probe, When::Now).await.expect("written"));
    let others = world.job(&org).await;
    world.root.patch(&format!("/api/v1/users/{eve}"), json!({ "is_superuser": false })).await.expect(200);
    let membership = json!({ "user_id": eve, "role": "member" });
    world.root.post(&format!("/api/v1/organizations/{org}/users"), membership).await.expect(201);
    let client = world.anonymous().login("eve@example.org", PASSWORD).await;
    let [own] = ids(&client, "").await.try_into().expect("one job");
    assert_eq!(ids(&client, &format!("?organization_id={org}")).await, [own.as_str()]);
    let seen = client.get(&format!("/api/v1/jobs/{own}")).await.expect(200).data();
    assert_eq!((&seen["created_by"], &seen["request_id"]), (&json!(eve), &json!("asked-by-eve")));
    client.get(&format!("/api/v1/jobs/{others}")).await.expect(404);
    other.get(&format!("/api/v1/jobs/{own}")).await.expect(404);
    for verb in ["retry", "cancel"] {
        client.act(&format!("/api/v1/jobs/{own}/{verb}")).await.expect(403);
        other.act(&format!("/api/v1/jobs/{own}/{verb}")).await.expect(404);
    }
}

pub async fn who_ran_it_again_or_took_it_back_is_told(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (ada, admin) = world.member(&org, "ada", "admin").await;
    let id = world.job(&org).await;
    let refused = admin.act(&format!("/api/v1/jobs/{id}/retry")).await.expect(409);
    assert!(refused.text.contains("Only a dead or cancelled job"), "{}", refused.text);
    admin.act(&format!("/api/v1/jobs/{id}/cancel")).await.expect(200);
    let refused = admin.act(&format!("/api/v1/jobs/{id}/cancel")).await.expect(409);
    assert!(refused.text.contains("come to an end"), "{}", refused.text);
    admin.act(&format!("/api/v1/jobs/{id}/retry")).await.expect(200);
    let log =
        admin.get(&format!("/api/v1/organizations/{org}/audit?resource_id={id}")).await.expect(200).data();
    let told: Vec<(&Value, &Value, &Value, &Value)> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (&entry["action"], &entry["actor"]["id"], &entry["before"]["state"], &entry["after"]["state"])
        })
        .collect();
    let (ada, ready, cancelled) = (json!(ada), json!("ready"), json!("cancelled"));
    assert_eq!(
        told,
        [(&json!("retried"), &ada, &cancelled, &ready), (&json!("cancelled"), &ada, &ready, &cancelled),]
    );
}

/// During an update some nodes know lanes that others do not.
pub async fn jobs_of_a_newer_versions_lanes_are_listed(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let job = world.job(&org).await;
    let database = Database::connect(world.database_url()).await.expect("a connection");
    database.execute_unprepared("UPDATE jobs SET lane = 'of_tomorrow'").await.expect("changed");
    assert_eq!(
        world.root.get(&format!("/api/v1/jobs/{job}")).await.expect(200).data()["lane"],
        "of_tomorrow"
    );
    let listed = world.root.get("/api/v1/jobs").await.expect(200).data();
    assert!(listed.as_array().is_some_and(|jobs| jobs.iter().any(|listed| listed["id"] == json!(job))));
    world.root.act(&format!("/api/v1/jobs/{job}/cancel")).await.expect(200);
    world.root.act(&format!("/api/v1/jobs/{job}/retry")).await.expect(200);
    world.platform.jobs().count(&system(), JobState::ALL).await.expect("counts of the lanes that are known");
}
