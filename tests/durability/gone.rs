//! An SQLite database whose file is taken away under the running server: what is written would be lost with the last handle of it.

use std::{fs, path::Path, process::Command, sync::Arc};

use serde_json::json;
use sitewatch_tests::client::Client;

use crate::{Kind, start::Installation};

const ORGANIZATIONS: &str = "/api/v1/organizations";

async fn is_refused(client: &Client, name: &str) {
    let refused = client.post(ORGANIZATIONS, json!({ "name": name })).await.expect(503);
    assert_eq!(refused.error_type(), "unavailable");
    let ready = client.get("/health/ready").await.expect(503).json();
    assert_eq!((&ready["reasons"], &ready["database"]["status"]), (&json!(["database"]), &json!("down")));
}

/// Moved away it is refused, back in its place it is served again, and removed it is refused for good.
pub async fn a_removed_folder_takes_no_writes(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let client = installation.start().await;
    client.post(ORGANIZATIONS, json!({ "name": "A" })).await.expect(201);
    let (data, aside) = (installation.path("data"), installation.path("aside"));
    fs::rename(&data, &aside).expect("moved");
    is_refused(&client, "B").await;
    fs::rename(&aside, &data).expect("moved back");
    client.post(ORGANIZATIONS, json!({ "name": "C" })).await.expect(201);
    client.get("/health/ready").await.expect(200);
    fs::remove_dir_all(&data).expect("removed");
    is_refused(&client, "D").await;
    let log = fs::read_to_string(installation.path("log")).expect("a log");
    let told: Vec<_> = log.lines().filter(|line| line.contains("removed or replaced")).collect();
    assert_eq!(told.len(), 2, "once each time: {log}");
    assert!(told.iter().all(|line| line.contains("ERROR") && line.contains("sitewatch.db")), "{log}");
}

/// A process of its own: what a process closes counts for all its handles.
fn look_from_outside(file: &Path) {
    const LOOK: &str = "import sqlite3, sys\n\
        database = sqlite3.connect(sys.argv[1])\n\
        database.execute('SELECT count(*) FROM users').fetchall()\n\
        database.close()\n";
    let looked = Command::new("python3").args(["-c", LOOK]).arg(file).output();
    let looked = looked.unwrap_or_else(|error| panic!("python3: {error}; `make test` installs it"));
    assert!(looked.status.success(), "{}", String::from_utf8_lossy(&looked.stderr));
}

/// Another program that looks into the database and closes it again, as a backup does, takes nothing away.
pub async fn a_look_from_outside_takes_nothing_away(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let client = installation.start().await;
    client.post(ORGANIZATIONS, json!({ "name": "A" })).await.expect(201);
    let file = installation.path("data/sitewatch.db");
    for name in ["B", "C"] {
        look_from_outside(&file);
        client.post(ORGANIZATIONS, json!({ "name": name })).await.expect(201);
    }
    installation.kill();
    let client = installation.start().await;
    let found = client.get(ORGANIZATIONS).await.expect(200).json();
    assert_eq!(found["meta"]["total"], 3, "{found}");
}

/// A backup that is put in the place of the file, or a second server that began anew there, does not get half of the writes.
pub async fn a_replaced_file_takes_no_writes(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let client = installation.start().await;
    let (file, copy) = (installation.path("data/sitewatch.db"), installation.path("copy"));
    fs::copy(&file, &copy).expect("copied");
    fs::rename(&copy, &file).expect("replaced");
    is_refused(&client, "A").await;
}
