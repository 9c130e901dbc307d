//! What goes wrong with an installation's files and its database, and what its operator is told.

use std::{fs, os::unix::fs::PermissionsExt as _, sync::Arc};

use serde_json::json;
use sitewatch_tests::{client::Client, ports::free_port, processes::Process, world::SUPERUSER};

use crate::{
    Kind,
    start::{Installation, PATIENCE, told, with},
};

/// The exit code, and that what was told is one sentence.
async fn refused(mut command: std::process::Command, code: i32) -> String {
    command.env("SITEWATCH_LOG", "error");
    let (text, found) = told(command).await;
    assert_eq!(found, Some(code), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

/// The server says that it is not ready; who asks it all the same is told to come back.
pub async fn requests_without_a_schema_are_put_off(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    installation.set("SITEWATCH_MIGRATE", "off");
    let mut server = Process::spawn("sitewatch-api", installation.command(), &installation.path("log"));
    server.wait_for_http(&format!("{}/health", installation.base()), PATIENCE).await;
    let credentials = json!({ "email": SUPERUSER.0, "password": SUPERUSER.1 });
    let answer = Client::anonymous(installation.base()).post("/api/v1/auth/login", credentials).await;
    let answer = answer.expect(503);
    assert_eq!(answer.error_type(), "unavailable");
    assert!(!answer.header("retry-after").is_empty(), "{:?}", answer.headers);
    assert!(server.log().contains("migrate up"), "{}", server.log());
}

/// With another one nobody could sign in: nothing is written, and the lost one can still be brought back.
pub async fn a_lost_secret_is_not_replaced(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    installation.start().await;
    installation.kill();
    let (file, backup) = (installation.path("data/secret.key"), installation.path("backup"));
    fs::rename(&file, &backup).expect("the secret is lost");
    let mut superuser = installation.command();
    superuser.args(["create-superuser", "--email", "a@example.org", "--password-file"]).arg(&backup);
    for command in [installation.command(), superuser] {
        let text = refused(command, 23).await;
        assert!(text.contains("data/secret.key") && text.contains("restore"), "{text}");
        assert!(!file.exists(), "a fresh secret was written");
    }
    fs::rename(&backup, &file).expect("the secret is back");
    installation.start().await;
}

pub async fn a_secret_that_others_can_read_is_warned_of(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    installation.start().await;
    let check = async |installation: &Installation| {
        let mut command = installation.command();
        command.args(["config", "check"]);
        let output = command.output().expect("a check");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let text = check(&installation).await;
    assert!(!text.contains("warning"), "{text}");
    installation.kill();
    let file = installation.path("data/secret.key");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("changed");
    let text = check(&installation).await;
    assert!(text.contains("warning") && text.contains("chmod 600"), "{text}");
    installation.start().await;
    let log = fs::read_to_string(installation.path("log")).expect("a log");
    assert!(log.contains("WARN") && log.contains("chmod 600"), "{log}");
}

pub async fn a_damaged_file_is_told_as_damaged(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    installation.start().await;
    installation.kill();
    let file = installation.path("data/sitewatch.db");
    for name in ["sitewatch.db-wal", "sitewatch.db-shm"] {
        let _not_there = fs::remove_file(installation.path("data").join(name));
    }
    let whole = fs::read(&file).expect("a database");
    let mut holed = whole.clone();
    let end = holed.len();
    holed[100..end].fill(0xa5);
    for damaged in [b"this is a text and no database".repeat(100), holed] {
        fs::write(&file, damaged).expect("written");
        for words in [vec!["serve"], vec!["migrate", "status"], vec!["migrate", "up"]] {
            let mut command = installation.command();
            command.args(&words);
            let text = refused(command, 26).await;
            assert!(text.contains("damaged") && text.contains("backup"), "{words:?}: {text}");
        }
    }
}

/// Whoever only looks makes nothing.
pub async fn a_look_at_the_migrations_makes_nothing(kind: Arc<Kind>) {
    let installation = Installation::new(&kind).await;
    let mut command = installation.command();
    command.args(["migrate", "status"]);
    let output = command.output().expect("a status");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("pending") && !text.contains("applied"), "{output:?}");
    assert!(!installation.path("data").exists(), "the data folder was made");
}

pub async fn a_refused_connection_is_told_with_its_address(kind: Arc<Kind>) {
    let installation = Installation::new(&kind).await;
    let port = free_port();
    let nowhere = format!("postgres://nobody:on@127.0.0.1:{port}/x");
    let text = refused(with(installation.command(), "SITEWATCH_DATABASE_URL", &nowhere), 20).await;
    assert!(text.contains(&format!("127.0.0.1:{port}: connection refused")), "{text}");
}

/// The demonstration's user is made in the database of the settings, and the server that answers has another one.
pub async fn a_demonstration_for_another_server_is_told(kind: Arc<Kind>) {
    let mut other = Installation::new(&kind).await;
    other.start().await;
    let mut command = Installation::new(&Kind::Sqlite).await.command();
    let folder = tempfile::tempdir().expect("a folder");
    command.env("SITEWATCH_DATA_DIR", folder.path().join("data")).current_dir(folder.path());
    command.args(["demo", "--url", &other.base()]);
    let text = refused(command, 1).await;
    assert!(text.contains("another database") && text.contains(&other.base()), "{text}");
}
