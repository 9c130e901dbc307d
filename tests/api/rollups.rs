//! Rollups as clients and operators see them, and readings that are deleted under them.

use std::{process::Output, sync::Arc};

use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};
use sitewatch_jobs::{WorkerSettings, registry};
use sitewatch_tests::{
    client::Client,
    processes::sitewatch_api,
    world::{Backend, World},
};

use crate::jobs::{job, system, work_with};

/// A site in Paris with two modules, and what each is called in paths.
struct Plant {
    world: World,
    org: String,
    site: String,
    modules: [String; 2],
}

async fn plant(backend: &Arc<Backend>) -> Plant {
    let world = World::start(backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power", "temperature"]).await;
    let site = world.site(&org, "S").await;
    let modules = [world.module(&site, &kind, "M1").await, world.module(&site, &kind, "M2").await];
    Plant { world, org, site, modules }
}

/// Every ten minutes a value, counted from zero, from this moment on.
fn rows(metric: &str, day: &str, count: u32) -> Value {
    let row = |n: u32| json!({ "metric": metric, "at": format!("{day}T{:02}:{:02}:00Z", n / 6, n % 6 * 10), "value": n });
    json!({ "readings": (0..count).map(row).collect::<Vec<_>>() })
}

impl Plant {
    async fn send(&self, module: usize, metric: &str, day: &str, count: u32) {
        let path = format!("/api/v1/modules/{}/readings", self.modules[module]);
        self.world.root.post(&path, rows(metric, day, count)).await.expect(200);
    }

    async fn redo(&self) {
        let org = self.org.parse().expect("an id");
        while self.world.platform.rollups().redo_some(&system(), org).await.expect("redone") {}
    }

    async fn rollups(&self, client: &Client, module: usize, query: &str) -> Vec<Value> {
        let path = format!("/api/v1/modules/{}/rollups?{query}", self.modules[module]);
        client.get(&path).await.expect(200).data().as_array().expect("a list").clone()
    }

    /// Counts and sums of the days of a module's power, as a question is answered.
    async fn days(&self, module: usize) -> (Value, Value) {
        let question = json!({ "modules": [self.modules[module]], "metrics": ["power"], "from": "2026-01-01T00:00:00+01:00",
            "to": "2026-01-04T00:00:00+01:00", "interval": "P1D", "aggregates": ["count", "sum"] });
        let series = self.world.root.post("/api/v1/telemetry/query", question).await.expect(200).data();
        (series["series"][0]["count"].clone(), series["series"][0]["sum"].clone())
    }

    /// What the command says, on the database of the running installation.
    async fn command(&self, arguments: &[&str]) -> Output {
        let mut command = sitewatch_api();
        command.arg("rollups").args(arguments).env("SITEWATCH_LOG", "warn");
        command.env("SITEWATCH_DATA_DIR", self.world.folder());
        if let Some(database) = &self.world.database {
            command.env("SITEWATCH_DATABASE_URL", database.url());
        }
        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true).output().await.expect("the command runs")
    }
}

pub async fn rollups_are_listed_as_they_are_kept(backend: Arc<Backend>) {
    let plant = plant(&backend).await;
    plant.send(0, "power", "2026-01-01", 144).await;
    plant.send(0, "temperature", "2026-01-01", 3).await;
    plant.send(1, "power", "2026-01-02", 7).await;
    let before = plant.days(0).await;
    let root = &plant.world.root;
    assert_eq!(plant.rollups(root, 0, "interval=P1D").await, [Value::Null; 0], "nobody has worked yet");
    plant.redo().await;
    assert_eq!(plant.days(0).await, before);
    assert_eq!(before, (json!([138, 6, 0]), json!([9453.0, 843.0, null])));

    let days = plant.rollups(root, 0, "interval=P1D&metric=power").await;
    let first = json!({ "module_id": plant.modules[0], "metric": "power", "at": "2025-12-31T23:00:00.000Z", "count": 138,
        "sum": 9453.0, "min": 0.0, "max": 137.0, "first": 0.0, "last": 137.0,
        "first_at": "2026-01-01T00:00:00.000Z", "last_at": "2026-01-01T22:50:00.000Z" });
    assert_eq!(days.first(), Some(&first));
    assert_eq!(days.len(), 2, "the last hour of the day is in Paris that of the next");
    let hours = plant
        .rollups(root, 0, "interval=PT1H&metric=power&from=2026-01-01T10:00:00Z&to=2026-01-01T12:00:00Z")
        .await;
    let counted: Vec<(&Value, &Value)> = hours.iter().map(|hour| (&hour["at"], &hour["count"])).collect();
    let (ten, eleven, six) = (json!("2026-01-01T10:00:00.000Z"), json!("2026-01-01T11:00:00.000Z"), json!(6));
    assert_eq!(counted, [(&ten, &six), (&eleven, &six)]);

    // Those of the site are those of its modules, whatever the slices.
    let (mut listed, mut next) =
        (Vec::new(), Some(format!("/api/v1/sites/{}/rollups?interval=P1D&limit=2", plant.site)));
    while let Some(path) = next {
        let answer = root.get(&path).await.expect(200).json();
        listed.extend(answer["data"].as_array().expect("a list").clone());
        next = answer["links"]["next"].as_str().map(ToOwned::to_owned);
    }
    let mut expected = plant.rollups(root, 0, "interval=P1D").await;
    expected.extend(plant.rollups(root, 1, "interval=P1D").await);
    assert_eq!(expected.len(), 4);
    assert_eq!(listed, expected);
}

pub async fn mistakes_of_a_question_about_rollups_are_told(backend: Arc<Backend>) {
    let plant = plant(&backend).await;
    let (of_module, of_site) = (
        format!("/api/v1/modules/{}/rollups", plant.modules[0]),
        format!("/api/v1/sites/{}/rollups", plant.site),
    );
    for path in [&of_module, &of_site] {
        for (query, fault) in [
            ("", "interval"),
            ("?interval=PT2H", "interval"),
            ("?interval=P1D&from=yesterday", "from"),
            ("?interval=P1D&from=2026-01-02T00:00:00Z&to=2026-01-02T00:00:00Z", "to"),
            ("?interval=P1D&colour=red", "colour"),
        ] {
            let answer = plant.world.root.get(&format!("{path}{query}")).await.expect(422);
            assert_eq!(answer.faults(), [fault], "{path}{query}");
        }
    }
    let unknown = plant.world.root.get(&format!("{of_module}?interval=P1D&metric=colour")).await.expect(422);
    assert_eq!(unknown.faults(), ["metric"]);
}

pub async fn rollups_are_for_those_who_see_the_readings(backend: Arc<Backend>) {
    let plant = plant(&backend).await;
    plant.send(0, "power", "2026-01-01", 1).await;
    plant.send(1, "power", "2026-01-01", 1).await;
    plant.redo().await;
    let (viewer, of_module) = plant.world.member(&plant.org, "vera", "member").await;
    plant.world.assign(&plant.org, &viewer, "module_id", &plant.modules[0], "viewer").await;
    let (operator, of_site) = plant.world.member(&plant.org, "olaf", "member").await;
    plant.world.assign(&plant.org, &operator, "site_id", &plant.site, "operator").await;
    let other = plant.world.organization("B").await;
    let (_, stranger) = plant.world.member(&other, "bob", "admin").await;
    assert_eq!(plant.rollups(&of_module, 0, "interval=P1D").await.len(), 1);
    let site = format!("/api/v1/sites/{}/rollups?interval=P1D", plant.site);
    assert_eq!(of_site.get(&site).await.expect(200).data().as_array().map(Vec::len), Some(2));
    for client in [&of_module, &stranger] {
        let module = format!("/api/v1/modules/{}/rollups?interval=P1D", plant.modules[1]);
        client.get(&module).await.expect(404).error_type();
    }
    stranger.get(&site).await.expect(404).error_type();
    let day = "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z";
    let readings = format!("/api/v1/modules/{}/readings?{day}", plant.modules[0]);
    of_site.delete(&readings).await.expect(403).error_type();
    stranger.delete(&readings).await.expect(404).error_type();
    assert_eq!(plant.rollups(&of_module, 0, "interval=P1D").await.len(), 1);
}

pub async fn readings_are_deleted_by_a_job(backend: Arc<Backend>) {
    let plant = plant(&backend).await;
    let (_, admin) = plant.world.member(&plant.org, "ada", "admin").await;
    plant.send(0, "power", "2026-01-02", 144).await;
    plant.send(0, "temperature", "2026-01-02", 144).await;
    plant.send(1, "power", "2026-01-02", 144).await;
    plant.redo().await;
    let path = format!("/api/v1/modules/{}/readings", plant.modules[0]);
    for (query, fault) in [
        ("from=2026-01-02T00:00:00Z", "to"),
        ("to=2026-01-02T00:00:00Z", "from"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-03T00:00:00Z&metric=colour", "metric"),
    ] {
        assert_eq!(admin.delete(&format!("{path}?{query}")).await.expect(422).faults(), [fault], "{query}");
    }
    assert_eq!(admin.delete(&path).await.expect(422).faults(), ["from", "to"]);

    // From the eighth hour of the day in Paris on, to the tenth.
    let stretch = "from=2026-01-02T07:00:00Z&to=2026-01-02T09:00:00Z&metric=power";
    let accepted = admin.delete(&format!("{path}?{stretch}")).await.expect(202);
    let id = accepted.id();
    assert_eq!(accepted.header("location"), format!("/api/v1/jobs/{id}"));
    assert_eq!(
        (&accepted.data()["kind"], &accepted.data()["state"]),
        (&json!("readings.delete.v1"), &json!("ready"))
    );
    let done = work_with(&plant.world, registry(), WorkerSettings::default(), &id, "succeeded").await;
    assert_eq!(done["result"], json!({ "deleted": 12 }));
    assert_eq!(done["progress"], json!({ "done": 12, "total": 12 }));

    let root = &plant.world.root;
    let left = root.get(&format!("{path}?metric=power&limit=1000")).await.expect(200).data();
    assert_eq!(left.as_array().map(Vec::len), Some(132));
    let (counts, _) = plant.days(0).await;
    assert_eq!(counts, json!([0, 126, 6]));
    let days = plant.rollups(root, 0, "interval=P1D&metric=power").await;
    assert_eq!((&days[0]["count"], &days[1]["count"]), (&json!(126), &json!(6)), "redone by the same job");
    let hours = plant.rollups(root, 0, "interval=PT1H&metric=power").await;
    assert_eq!(hours.len(), 22);
    assert_eq!(plant.rollups(root, 0, "interval=P1D&metric=temperature").await[0]["count"], 138);
    assert_eq!(plant.rollups(root, 1, "interval=P1D").await[0]["count"], 138);

    let log = admin
        .get(&format!("/api/v1/audit?resource_id={}&action=deleted", plant.modules[0]))
        .await
        .expect(200)
        .data();
    assert_eq!(log.as_array().map(Vec::len), Some(1));
    assert_eq!(log[0]["resource"], "readings");
    // The same once more finds nothing.
    let again = admin.delete(&format!("{path}?{stretch}")).await.expect(202).id();
    let done = work_with(&plant.world, registry(), WorkerSettings::default(), &again, "succeeded").await;
    assert_eq!(done["result"], json!({ "deleted": 0 }));
}

/// A batch brings about one job, however many follow; the worker that does it makes the figures.
pub async fn batches_have_their_figures_made(backend: Arc<Backend>) {
    let plant = plant(&backend).await;
    plant.send(0, "power", "2026-01-02", 10).await;
    plant.send(0, "power", "2026-01-02", 20).await;
    plant.send(1, "power", "2026-01-02", 30).await;
    let jobs = format!("/api/v1/jobs?organization_id={}&kind=rollups.redo.v1", plant.org);
    let waiting = plant.world.root.get(&jobs).await.expect(200).data();
    assert_eq!(waiting.as_array().map(Vec::len), Some(1), "{waiting}");
    let id = waiting[0]["id"].as_str().expect("an id");
    work_with(&plant.world, registry(), WorkerSettings::default(), id, "succeeded").await;
    let root = &plant.world.root;
    assert_eq!(plant.rollups(root, 0, "interval=P1D").await[0]["count"], 20);
    assert_eq!(plant.rollups(root, 1, "interval=P1D").await[0]["count"], 30);
    // What changes nothing brings nothing about.
    plant.send(0, "power", "2026-01-02", 20).await;
    assert_eq!(plant.world.root.get(&jobs).await.expect(200).data().as_array().map(Vec::len), Some(1));
    assert_eq!(job(&plant.world, id).await["state"], "succeeded");
}

/// Days follow the site's calendar, also when it is given another one, and the module's when it moves to another site.
pub async fn another_calendar_has_other_days(backend: Arc<Backend>) {
    let plant = plant(&backend).await;
    plant.send(0, "power", "2026-01-02", 144).await;
    plant.redo().await;
    let starts = async || {
        plant.redo().await;
        let days = plant.rollups(&plant.world.root, 0, "interval=P1D").await;
        days.iter().map(|day| day["at"].as_str().expect("a time").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(starts().await, ["2026-01-01T23:00:00.000Z", "2026-01-02T23:00:00.000Z"]);
    let site = format!("/api/v1/sites/{}", plant.site);
    plant.world.root.patch(&site, json!({ "timezone": "Asia/Kolkata" })).await.expect(200);
    assert_eq!(starts().await, ["2026-01-01T18:30:00.000Z", "2026-01-02T18:30:00.000Z"]);
    let elsewhere = plant.world.site(&plant.org, "Elsewhere").await;
    plant
        .world
        .root
        .patch(&format!("/api/v1/sites/{elsewhere}"), json!({ "timezone": "UTC" }))
        .await
        .expect(200);
    let moving = format!("/api/v1/modules/{}/move", plant.modules[0]);
    plant.world.root.post(&moving, json!({ "site_id": elsewhere })).await.expect(200);
    assert_eq!(starts().await, ["2026-01-02T00:00:00.000Z"]);
}

pub async fn operators_verify_and_rebuild(backend: Arc<Backend>) {
    let plant = plant(&backend).await;
    plant.send(0, "power", "2026-01-02", 144).await;
    plant.redo().await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let fine = plant.command(&["verify"]).await;
    assert_eq!(fine.status.code(), Some(0), "{fine:?}");
    let database = Database::connect(plant.world.database_url()).await.expect("a connection");
    let flip = "UPDATE rollups SET sum = -sum WHERE interval = 1440 AND count = 138";
    assert_eq!(database.execute_unprepared(flip).await.expect("changed").rows_affected(), 1);
    let spoilt = plant.command(&["verify"]).await;
    assert_eq!(spoilt.status.code(), Some(1), "{spoilt:?}");
    let named = format!(
        "module {} metric power interval P1D at 2026-01-01T23:00:00.000Z: sum is -9453, computed 9453\n",
        plant.modules[0]
    );
    assert_eq!(text(&spoilt.stdout), named);
    let elsewhere = plant.command(&["verify", "--module", &plant.modules[1]]).await;
    assert_eq!(elsewhere.status.code(), Some(0), "{elsewhere:?}");
    let mended =
        plant.command(&["rebuild", "--organization", &plant.org, "--module", &plant.modules[0]]).await;
    assert_eq!(mended.status.code(), Some(0), "{mended:?}");
    assert_eq!(plant.command(&["verify"]).await.status.code(), Some(0));
}
