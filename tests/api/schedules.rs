//! Schedules as workers keep them.

use std::{sync::Arc, time::Duration};

use sea_orm::{ConnectionTrait as _, Database};
use serde_json::json;
use sitewatch_domain::{
    jobs::{Act, Probe},
    schedules::ScheduledJob,
};
use sitewatch_jobs::{Bells, BuiltIn, Tools, Worker, WorkerSettings, registry};
use sitewatch_tests::world::{Backend, World};
use tokio::sync::watch;
use uuid::Uuid;

use crate::jobs::system;

const ROW: Uuid = Uuid::from_u128(77);
/// Once in four years: its time comes when the test says so.
const SCHEDULES: &[BuiltIn] = &[BuiltIn {
    name: "tests.leap",
    cron: "0 0 29 2 *",
    zone: "Europe/Paris",
    job: || ScheduledJob::of(&Probe { probe: ROW, number: 1, act: Act::Count, organization_id: None }),
}];

pub async fn two_workers_do_what_is_due_once(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (stop, stopping) = watch::channel(false);
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let worker = Worker {
                tools: Tools { platform: world.platform.clone(), post: world.post.clone() },
                registry: registry(),
                bells: Bells::default(),
                redis: sitewatch_jobs::RedisHealth::default(),
                actor: system(),
                settings: WorkerSettings {
                    poll: Duration::from_millis(20),
                    schedules: SCHEDULES,
                    ..WorkerSettings::default()
                },
            };
            let mut stopping = stopping.clone();
            tokio::spawn(worker.run(async move { drop(stopping.wait_for(|stop| *stop).await) }))
        })
        .collect();
    let database = Database::connect(world.database_url()).await.expect("a connection");
    let mut is_due = false;
    for _ in 0..500 {
        if !is_due {
            let sql = "UPDATE schedules SET next_at = next_at - 100000000000000000 WHERE name = 'tests.leap'";
            is_due = database.execute_unprepared(sql).await.expect("an update").rows_affected() > 0;
        }
        let report = world.platform.jobs().probe_report(&system(), ROW).await.expect("a report");
        if report.effects > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Both have looked again since.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    stop.send(true).expect("workers");
    for worker in workers {
        worker.await.expect("a worker that ends");
    }
    let report = world.platform.jobs().probe_report(&system(), ROW).await.expect("a report");
    assert_eq!((report.distinct, report.effects), (1, 1));
    let listed = world.root.get("/api/v1/jobs").await.expect(200).json();
    assert_eq!(listed["meta"]["total"], 1);
    let job = &listed["data"][0];
    assert_eq!(
        (&job["state"], &job["created_by"], &job["organization_id"]),
        (&json!("succeeded"), &json!(null), &json!(null))
    );
}
