//! The two roles of PostgreSQL: one owns the tables, the other serves.

use std::sync::Arc;

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};
use serde_json::json;

use crate::{
    Kind,
    load::plant,
    start::{Installation, told},
};

async fn execute(url: &str, statements: &[&str]) -> Result<(), sea_orm::DbErr> {
    let connection: DatabaseConnection = Database::connect(url).await?;
    for statement in statements {
        connection.execute_unprepared(statement).await?;
    }
    connection.close().await
}

/// As `docs/database.md` sets it up: the serving role cannot change the schema, and new months open all the same.
pub async fn a_role_with_few_rights_serves(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let (owner, app) =
        (installation.database_as("sitewatch_owner"), installation.database_as("sitewatch_app"));
    let roles = [
        "CREATE ROLE sitewatch_owner LOGIN",
        "CREATE ROLE sitewatch_app LOGIN",
        "ALTER DATABASE sitewatch OWNER TO sitewatch_owner",
    ];
    execute(&installation.database(), &roles).await.expect("roles");
    let rights = [
        "ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO sitewatch_app",
        "ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO sitewatch_app",
    ];
    execute(&owner, &rights).await.expect("rights");
    installation.set("SITEWATCH_DATABASE_URL", &app);
    installation.set("SITEWATCH_DATABASE_ADMIN_URL", &owner);
    let client = installation.start().await;
    let module = plant(&client).await;
    let path = format!("/api/v1/modules/{module}/readings");
    for at in ["2001-02-03T00:00:00Z", "2020-02-03T00:00:00Z"] {
        let body = json!({ "readings": [{ "metric": "power", "at": at, "value": 1 }] });
        assert_eq!(client.post(&path, body).await.expect(200).data()["accepted"], 1);
    }
    assert_eq!(client.get(&path).await.expect(200).data().as_array().expect("a list").len(), 2);
    for forbidden in
        ["DROP TABLE readings", "CREATE TABLE mine (x int)", "ALTER TABLE users ADD COLUMN x int"]
    {
        let refused = execute(&app, &[forbidden]).await;
        assert!(
            refused
                .is_err_and(|error| error.to_string().contains("must be owner")
                    || error.to_string().contains("denied")),
            "{forbidden}"
        );
    }
}

/// A role that may not change the schema: one sentence with the database's own reason and what to do.
pub async fn a_role_without_rights_is_told(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let app = installation.database_as("sitewatch_app");
    execute(&installation.database(), &["CREATE ROLE sitewatch_app LOGIN"]).await.expect("a role");
    let with_rights = installation.database();
    let run = async |installation: &Installation, url: &str, words: &[&str]| {
        let mut command = installation.command();
        command.env("SITEWATCH_DATABASE_URL", url).args(words);
        told(command).await
    };
    let is_told = |(text, code): (String, Option<i32>)| {
        assert!(code == Some(25) && text.lines().count() == 1, "{code:?} {text}");
        assert!(text.contains("GRANT") && text.contains("SITEWATCH_DATABASE_ADMIN_URL"), "{text}");
        assert!(text.contains("permission denied") || text.contains("must be owner"), "{text}");
    };
    is_told(run(&installation, &app, &["migrate", "up"]).await);
    let (text, code) = run(&installation, &with_rights, &["migrate", "up"]).await;
    assert_eq!(code, Some(0), "{text}");
    // Not even the table of the migrations, and then all tables of another owner.
    is_told(run(&installation, &app, &["migrate", "down", "1"]).await);
    is_told(run(&installation, &app, &["serve"]).await);
    let grant = "GRANT ALL ON ALL TABLES IN SCHEMA public TO sitewatch_app";
    execute(&with_rights, &[grant]).await.expect("granted");
    is_told(run(&installation, &app, &["migrate", "down", "9"]).await);
    installation.set("SITEWATCH_DATABASE_ADMIN_URL", &with_rights);
    let (text, code) = run(&installation, &app, &["migrate", "down", "1"]).await;
    assert_eq!(code, Some(0), "{text}");
}
