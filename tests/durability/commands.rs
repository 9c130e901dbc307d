//! Commands beside a server and without one: what they refuse rather than leave half done.

use std::{process::Command, sync::Arc};

use sitewatch_tests::{client::Client, ports::free_port, processes::Process};

use crate::{
    Kind,
    start::{Installation, PATIENCE, told, with},
};

const PASSWORD: &str = "a password of some length";

/// The command that makes a superuser.
pub fn create_superuser(installation: &Installation, email: &str) -> Command {
    let file = installation.path("password");
    std::fs::write(&file, PASSWORD).expect("a password file");
    let mut command = installation.command();
    command.args(["create-superuser", "--email", email, "--password-file"]).arg(file);
    command
}

fn migrate(installation: &Installation, words: &[&str]) -> Command {
    let mut command = installation.command();
    command.arg("migrate").args(words);
    command
}

fn fresh_secret(installation: &Installation) -> String {
    let secret = installation.command().args(["config", "secret"]).output().expect("a secret").stdout;
    String::from_utf8(secret).expect("text").trim().to_owned()
}

/// A hash that was made with another secret could never be checked: the command says so instead of storing it.
pub async fn a_command_with_another_secret_is_refused(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let secret = fresh_secret(&installation);
    installation.set("SITEWATCH_SECRET_KEY", &secret);
    let client = installation.start().await;
    let mut forgetful = create_superuser(&installation, "late@example.org");
    forgetful.env_remove("SITEWATCH_SECRET_KEY");
    let (text, code) = told(forgetful).await;
    assert!(code == Some(23) && text.contains("SITEWATCH_SECRET_KEY"), "{code:?} {text}");
    let mut forgetful = installation.command();
    forgetful.arg("demo").env_remove("SITEWATCH_SECRET_KEY");
    let (text, code) = told(forgetful).await;
    assert!(code == Some(23) && text.contains("SITEWATCH_SECRET_KEY"), "{code:?} {text}");
    let (text, code) = told(create_superuser(&installation, "late@example.org")).await;
    assert_eq!(code, Some(0), "{text}");
    Client::anonymous(client.base()).login("late@example.org", PASSWORD).await;
}

/// Before the first start as well: whoever comes first decides which secret the database has.
pub async fn a_command_adopts_an_empty_database(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let other = with(installation.command(), "SITEWATCH_SECRET_KEY", &fresh_secret(&installation));
    installation.set("SITEWATCH_SECRET_KEY", &fresh_secret(&installation));
    let (text, code) = told(create_superuser(&installation, "first@example.org")).await;
    assert_eq!(code, Some(0), "{text}");
    let (text, code) = told(other).await;
    assert!(code == Some(23) && text.contains("SITEWATCH_SECRET_KEY"), "{code:?} {text}");
}

pub async fn a_command_without_a_schema_says_what_to_do(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    installation.set("SITEWATCH_MIGRATE", "off");
    let (text, code) = told(create_superuser(&installation, "early@example.org")).await;
    assert!(code == Some(22) && text.contains("migrate up"), "{code:?} {text}");
}

/// A node that waits for its schema looks at its secret, and makes the first superuser, before it is ready.
pub async fn a_waiting_node_is_prepared_before_it_is_ready(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    installation.set("SITEWATCH_SECRET_KEY", &fresh_secret(&installation));
    installation.set("SITEWATCH_MIGRATE", "off");
    let base = installation.base();
    let mut server = Process::spawn("sitewatch-api", installation.command(), &installation.path("log"));
    server.wait_for_http(&format!("{base}/health"), PATIENCE).await;
    let ready = Client::anonymous(&base).get("/health/ready").await.expect(503);
    assert_eq!(ready.json()["reasons"], serde_json::json!(["pending_migrations"]));
    let (text, code) = told(migrate(&installation, &["up"])).await;
    assert_eq!(code, Some(0), "{text}");
    server.wait_for_http(&format!("{base}/health/ready"), PATIENCE).await;
    let (email, password) = sitewatch_tests::world::SUPERUSER;
    Client::anonymous(&base).login(email, password).await;
}

/// A node that waited with another secret than the database's ends instead of becoming ready.
pub async fn a_waiting_node_with_another_secret_ends(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let (text, code) = told(create_superuser(&installation, "first@example.org")).await;
    assert_eq!(code, Some(0), "{text}");
    let (text, code) = told(migrate(&installation, &["down", "1"])).await;
    assert_eq!(code, Some(0), "{text}");
    installation.set("SITEWATCH_MIGRATE", "off");
    let stranger = with(installation.command(), "SITEWATCH_SECRET_KEY", &fresh_secret(&installation));
    let mut waiting = Process::spawn("the stranger", stranger, &installation.path("log"));
    waiting.wait_for_http(&format!("{}/health", installation.base()), PATIENCE).await;
    let ready = Client::anonymous(installation.base()).get("/health/ready").await.expect(503);
    assert_eq!(ready.json()["reasons"], serde_json::json!(["pending_migrations"]));
    let (text, code) = told(migrate(&installation, &["up"])).await;
    assert_eq!(code, Some(0), "{text}");
    let status = waiting.wait(PATIENCE).await;
    assert_eq!(status.code(), Some(23), "{}", waiting.log());
    assert!(waiting.log().contains("SITEWATCH_SECRET_KEY"), "{}", waiting.log());
}

/// One server has a database, wherever its data folder is; the second one changes nothing.
pub async fn a_second_server_on_the_database_is_refused(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let database = format!("sqlite:{}", installation.path("shared.db").display());
    installation.set("SITEWATCH_DATABASE_URL", &database);
    let waiting = with(installation.command(), "SITEWATCH_MIGRATE", "off");
    let mut server = Process::spawn("sitewatch-api", waiting, &installation.path("log"));
    server.wait_for_http(&format!("{}/health", installation.base()), PATIENCE).await;
    let link = installation.path("link.db");
    std::os::unix::fs::symlink(installation.path("shared.db"), &link).expect("a link");
    for url in [database.clone(), format!("sqlite:{}", link.display())] {
        let mut second = installation.command();
        second
            .env("SITEWATCH_DATA_DIR", installation.path("elsewhere"))
            .env("SITEWATCH_BIND", format!("127.0.0.1:{}", free_port()))
            .env("SITEWATCH_DATABASE_URL", url);
        let (text, code) = told(second).await;
        assert!(code == Some(12) && text.contains("server already uses"), "{code:?} {text}");
    }
    let status = migrate(&installation, &["status"]).output().expect("a status").stdout;
    let status = String::from_utf8_lossy(&status).into_owned();
    assert!(!status.contains("applied"), "the refused server migrated: {status}");
}

pub async fn a_schema_in_use_is_not_taken_back(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let client = installation.start().await;
    for words in [["down", "1"], ["fresh", "--yes"]] {
        let (text, code) = told(migrate(&installation, &words)).await;
        assert!(code == Some(12) && text.lines().count() == 1, "{words:?} {code:?} {text}");
        assert!(text.contains("server already uses"), "{text}");
    }
    client.get("/api/v1/auth/me").await.expect(200);
    let (text, code) = told(migrate(&installation, &["up"])).await;
    assert_eq!(code, Some(0), "{text}");
    installation.kill();
    let (text, code) = told(migrate(&installation, &["down", "1"])).await;
    assert_eq!(code, Some(0), "{text}");
}
