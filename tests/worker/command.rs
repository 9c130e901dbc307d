//! The worker's commands, and settings that it refuses.

use std::{process::Command, sync::Arc, time::Duration};

use sitewatch_domain::jobs::{Act, JobState, Probe};
use uuid::Uuid;

use crate::{
    ledger::jobs_in,
    plant::{Kind, Plant, system},
};

const LEASE: Duration = Duration::from_secs(15);

/// Runs a command to its end: exit code, standard output, standard error.
async fn told(command: Command) -> (Option<i32>, String, String) {
    let mut command = tokio::process::Command::from(command);
    let output = tokio::time::timeout(Duration::from_secs(30), command.kill_on_drop(true).output()).await;
    let output = output.expect("a command that ends by itself").expect("the command runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

pub async fn jobs_are_listed_and_set_going_again(kind: Arc<Kind>) {
    let plant = Plant::new(*kind, LEASE).await;
    let probe: Uuid = plant.platform.request_id().parse().expect("a UUID");
    let probes = [Act::Nothing, Act::Count].map(|act| Probe { probe, number: 1, act, organization_id: None });
    plant.platform.jobs().enqueue_probes(&system(), &probes).await.expect("they are written");
    let job = jobs_in(&plant, JobState::Ready).await[0].id.to_string();

    let (code, text, _) = told(plant.command(&["jobs", "list"])).await;
    assert_eq!(code, Some(0));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("ID ") && lines[1].contains("jobs.probe.v1  default  ready"), "{text}");
    for (arguments, found) in [
        (["--state", "dead"], 0),
        (["--state", "ready"], 2),
        (["--lane", "mail"], 0),
        (["--kind", "jobs.probe.v1"], 2),
        (["--limit", "1"], 1),
    ] {
        let (code, text, errors) =
            told(plant.command(&[["jobs", "list", "--json"].as_slice(), arguments.as_slice()].concat()))
                .await;
        assert_eq!(code, Some(0), "{errors}");
        assert_eq!(text.lines().count(), found, "{arguments:?}: {text}");
        for line in text.lines() {
            let listed: serde_json::Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(listed["state"], "ready");
        }
    }
    let (code, _, errors) = told(plant.command(&["jobs", "list", "--state", "lost"])).await;
    assert!(code == Some(2) && errors.contains("cancelled"), "{errors}");

    let (code, text, _) = told(plant.command(&["jobs", "cancel", &job])).await;
    assert_eq!((code, text), (Some(0), format!("{job} is cancelled\n")));
    let (code, _, errors) = told(plant.command(&["jobs", "cancel", &job])).await;
    assert!(code == Some(1) && errors.contains(&job), "{errors}");
    let (_, text, _) = told(plant.command(&["jobs", "show", &job])).await;
    let shown: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&shown["id"], &shown["state"]), (&serde_json::json!(job), &serde_json::json!("cancelled")));
    let (code, text, _) = told(plant.command(&["jobs", "retry", &job])).await;
    assert_eq!((code, text), (Some(0), format!("{job} is ready\n")));
    let unknown = Uuid::from_u128(7).to_string();
    let (code, _, errors) = told(plant.command(&["jobs", "retry", &unknown])).await;
    assert!(code == Some(1) && errors.contains(&unknown), "{errors}");

    let (code, _, errors) = told(plant.command(&["drain"])).await;
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(jobs_in(&plant, JobState::Succeeded).await.len(), 2);
}

pub async fn odd_settings_are_refused(kind: Arc<Kind>) {
    let plant = Plant::new(*kind, LEASE).await;
    for arguments in [["run"].as_slice(), &["drain"], &[]] {
        let (code, _, errors) = told(plant.command(arguments)).await;
        assert_eq!(code, Some(1), "{errors}");
        assert!(errors.contains("database.url is SQLite"), "{errors}");
    }
    let mut command = plant.command(&["run"]);
    command
        .env("SITEWATCH_REDIS_URL", "redis://127.0.0.1")
        .env("SITEWATCH_QUEUE_REDIS_URL", "redis://127.0.0.1");
    let (code, _, errors) = told(command).await;
    assert!(code == Some(3) && errors.contains("redis.queue_url"), "{errors}");
}
