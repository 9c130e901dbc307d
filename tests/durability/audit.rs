//! `audit verify` and the checkpoints of a running server.

use std::sync::Arc;

use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};

use crate::{
    Kind,
    start::{Installation, PATIENCE},
};

/// Runs `audit verify`; what it printed, then what it complained of, and its exit code.
async fn verify(installation: &Installation, words: &[&str]) -> (String, Option<i32>) {
    let mut command = installation.command();
    command.args(["audit", "verify"]).args(words);
    let mut command = tokio::process::Command::from(command);
    let output = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output()).await;
    let output = output.expect("a command that ends by itself").expect("the command runs");
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    (text, output.status.code())
}

/// Runs statements past the server, as whoever has the database can, with nothing of the schema against it.
async fn tamper(installation: &Installation, kind: &Kind, statements: &[&str]) {
    let disarm: &[&str] = match kind {
        Kind::Sqlite => &[
            "DROP TRIGGER IF EXISTS audit_events_only_added",
            "DROP TRIGGER IF EXISTS audit_events_not_deleted",
            "DROP TRIGGER IF EXISTS audit_heads_not_deleted",
        ],
        Kind::Postgres => {
            &["ALTER TABLE audit_events DISABLE TRIGGER USER", "ALTER TABLE audit_heads DISABLE TRIGGER USER"]
        }
    };
    let database = Database::connect(installation.database()).await.expect("a connection");
    for statement in disarm.iter().chain(statements) {
        database.execute_unprepared(statement).await.expect(statement);
    }
    database.close().await.expect("closed");
}

/// Waits until the server has written so many checkpoints.
async fn checkpoints(installation: &Installation, count: usize) -> String {
    let give_up = tokio::time::Instant::now() + PATIENCE;
    loop {
        let text =
            std::fs::read_to_string(installation.path("data/audit-checkpoints.jsonl")).unwrap_or_default();
        if text.lines().count() >= count {
            return text;
        }
        assert!(tokio::time::Instant::now() < give_up, "no checkpoint: {text:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

pub async fn a_changed_log_is_named_by_the_command(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let client = installation.start().await;
    let organization = client.post("/api/v1/organizations", json!({ "name": "A" })).await.expect(201).id();
    let (text, code) = verify(&installation, &[]).await;
    assert!(
        code == Some(0) && text.contains("of 2 audit log(s) are as they were written"),
        "{code:?} {text}"
    );
    let (text, code) = verify(&installation, &["--organization", &organization]).await;
    assert!(code == Some(0) && text.starts_with("1 entries of 1 audit log(s)"), "{code:?} {text}");
    let (text, code) =
        verify(&installation, &["--organization", "018f0000-0000-7000-8000-000000000000"]).await;
    assert!(code == Some(1) && text.contains("audit log not found"), "{code:?} {text}");
    let (text, code) = verify(&installation, &["--checkpoints", "nowhere"]).await;
    assert!(code == Some(1) && text.contains("nowhere cannot be read"), "{code:?} {text}");
    tamper(
        &installation,
        &kind,
        &["UPDATE audit_events SET client = 'nobody' WHERE resource = 'organization'"],
    )
    .await;
    let (text, code) = verify(&installation, &[]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&format!("organization {organization} entry 1 (")), "{text}");
    assert!(text.contains("error: 1 fault(s) in "), "{text}");
    let (text, code) = verify(&installation, &["--json"]).await;
    assert_eq!(code, Some(1), "{text}");
    let found: Value = serde_json::from_str(text.lines().next().expect("a finding")).expect("JSON");
    assert_eq!((&found["fault"], &found["seq"]), (&json!("changed"), &json!(1)));
    assert_eq!(found["organization_id"], organization);
    let totals: Value = serde_json::from_str(text.lines().nth(1).expect("totals")).expect("JSON");
    assert_eq!((&totals["logs"], &totals["faults"]), (&json!(2), &json!(1)));
}

pub async fn a_log_that_was_cut_is_told_by_the_checkpoints(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let client = installation.start().await;
    checkpoints(&installation, 1).await;
    tamper(&installation, &kind, &["CREATE TABLE heads_of_yore AS SELECT * FROM audit_heads"]).await;
    client.post("/api/v1/organizations", json!({ "name": "A" })).await.expect(201);
    assert!(installation.terminate().await.success());
    // The next one is written at the next start, and names what was made and who signed in meanwhile.
    installation.start().await;
    let kept = checkpoints(&installation, 2).await;
    assert!(installation.terminate().await.success());
    let (text, code) = verify(&installation, &[]).await;
    assert_eq!(code, Some(0), "{text}");
    let cut = [
        "DELETE FROM audit_events WHERE organization_id IS NOT NULL",
        "DELETE FROM audit_heads",
        "INSERT INTO audit_heads SELECT * FROM heads_of_yore",
        "DELETE FROM audit_events WHERE seq > (SELECT seq FROM heads_of_yore)",
    ];
    tamper(&installation, &kind, &cut).await;
    std::fs::remove_file(installation.path("data/audit-checkpoints.jsonl")).expect("removed");
    let (text, code) = verify(&installation, &[]).await;
    assert_eq!(code, Some(0), "the end was a good one once: {text}");
    let elsewhere = installation.path("kept.jsonl");
    std::fs::write(&elsewhere, kept).expect("a copy");
    let elsewhere = elsewhere.display().to_string();
    let (text, code) = verify(&installation, &["--checkpoints", &elsewhere]).await;
    assert_eq!(code, Some(1), "{text}");
    assert_eq!(text.matches("and the log ends before it").count(), 1, "{text}");
}
