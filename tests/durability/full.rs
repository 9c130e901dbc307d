//! A disk that is full for a while: what is acknowledged afterwards is there.

use std::{process::Command, sync::Arc, time::Duration};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;
use sitewatch_tests::{client::Client, processes::Process, world::SUPERUSER};

use crate::{Kind, load::plant, start::Installation};

/// The same command, told to take a file that may not grow for an error and not for its death.
fn enduring(command: &Command) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// Lets no file of the process grow beyond so many bytes, or all of them.
fn limit_files(process: &Process, bytes: Option<u64>) {
    let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw).expect("a process id");
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum: None }).expect("a limit");
}

pub async fn what_is_acknowledged_after_a_full_disk_is_kept(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let mut server =
        Process::spawn("sitewatch-api", enduring(&installation.command()), &installation.path("log"));
    server.wait_for_http(&format!("{}/health/ready", installation.base()), Duration::from_secs(20)).await;
    let client = Client::anonymous(installation.base()).login(SUPERUSER.0, SUPERUSER.1).await;
    let module = plant(&client).await;
    limit_files(&server, Some(1));
    for name in ["X", "Y", "Z"] {
        let refused = client.post("/api/v1/organizations", json!({ "name": name })).await;
        assert!(refused.status.is_server_error(), "{}", refused.text);
    }
    limit_files(&server, None);
    let made = client.post("/api/v1/organizations", json!({ "name": "Made" })).await.expect(201).id();
    client.post("/api/v1/organizations", json!({ "name": "Made" })).await.expect(409);
    let later = client.post("/api/v1/organizations", json!({ "name": "Later" })).await.expect(201).id();
    let row = json!({ "metric": "power", "at": "2020-01-01T00:00:00Z", "value": 7 });
    let readings = format!("/api/v1/modules/{module}/readings");
    let verdict = client.post(&readings, json!({ "readings": [row] })).await.expect(200).data();
    assert_eq!(verdict["accepted"], 1);
    server.kill();
    let client = installation.start().await;
    for id in [made, later] {
        client.get(&format!("/api/v1/organizations/{id}")).await.expect(200);
    }
    assert_eq!(client.get(&readings).await.expect(200).data()[0]["value"], 7.0);
}
