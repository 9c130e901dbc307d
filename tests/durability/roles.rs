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
    for forbidden in [
        "DROP TABLE readings",
        "CREATE TABLE mine (x int)",
        "ALTER TABLE users ADD COLUMN x int",
        "UPDATE audit_events SET client = 'nobody'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "DELETE FROM audit_heads",
        "ALTER TABLE audit_events DISABLE TRIGGER USER",
    ] {
        let refused = execute(&app, &[forbidden]).await;
        assert!(
            refused
                .is_err_and(|error| error.to_string().contains("must be owner")
                    || error.to_string().contains("denied")),
            "{forbidden}"
        );
    }
}

/// Whoever may connect to the database, and even the role that serves, cannot make the table of a month that takes no readings.
pub async fn months_are_made_by_those_who_store(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let roles = [
        "CREATE ROLE sitewatch_app LOGIN",
        "CREATE ROLE stranger LOGIN",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO sitewatch_app",
        "ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO sitewatch_app",
    ];
    execute(&installation.database(), &roles).await.expect("roles");
    let (app, stranger) = (installation.database_as("sitewatch_app"), installation.database_as("stranger"));
    installation.set("SITEWATCH_DATABASE_ADMIN_URL", &installation.database());
    installation.set("SITEWATCH_DATABASE_URL", &app);
    let client = installation.start().await;
    let make = |arguments: &str| format!("SELECT sitewatch_ensure_readings_partition({arguments})");
    // The first one is November of 2001.
    let november = make("'readings_y2001m11', 1004572800000000, 1007164800000000");
    let refused = execute(&stranger, &[&november]).await.expect_err("a stranger");
    assert!(refused.to_string().contains("permission denied"), "{refused}");
    for wrong in [
        "'readings_y2001m11', 2000000000000000, 2000000000000001",
        "'readings_y2001m11', 1004572800000000, 1007164800000001",
        "'readings_y2001m12', 1004572800000000, 1007164800000000",
        "'readings_y2001m13', 1004572800000000, 1007164800000000",
        "'readings_y0000m00', 1004572800000000, 1007164800000000",
        "'readings', 1004572800000000, 1007164800000000",
        "'readings_y2001m11', NULL, NULL",
        "NULL, 1004572800000000, 1007164800000000",
    ] {
        execute(&app, &[&make(wrong)]).await.expect_err(wrong);
    }
    let module = plant(&client).await;
    // A table of the session's own with the name of ours changes nothing.
    let decoy = [
        "CREATE TEMP TABLE readings (series bigint, at bigint, value float8) PARTITION BY RANGE (at)",
        &november,
    ];
    execute(&app, &decoy).await.expect("the month");
    let path = format!("/api/v1/modules/{module}/readings");
    for at in ["2000-01-01T00:00:00Z", "2001-11-30T23:59:59.999Z", "2001-12-01T00:00:00Z"] {
        let body = json!({ "readings": [{ "metric": "power", "at": at, "value": 1 }] });
        let answer = client.post(&path, body).await.expect(200);
        assert_eq!(answer.data()["accepted"], 1, "{at}: {}", answer.text);
    }
}

/// Those who stored before the rights of the function were narrowed go on.
pub async fn an_older_schema_keeps_its_roles(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let admin = installation.database();
    let run = async |installation: &Installation, words: &[&str]| {
        let mut command = installation.command();
        command.env("SITEWATCH_DATABASE_URL", &admin).args(words);
        let (text, code) = told(command).await;
        assert_eq!(code, Some(0), "{text}");
    };
    run(&installation, &["migrate", "up"]).await;
    let names = sitewatch_migrations::names();
    let guarded =
        names.iter().position(|name| name.ends_with("partitions_are_guarded")).expect("a migration");
    run(&installation, &["migrate", "down", &(names.len() - guarded).to_string()]).await;
    // The rights as they were: everybody might call it, and the role came after the tables, through a group.
    let rights = [
        "CREATE ROLE writers",
        "CREATE ROLE sitewatch_app LOGIN IN ROLE writers",
        "GRANT EXECUTE ON FUNCTION sitewatch_ensure_readings_partition TO PUBLIC",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO writers",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO writers",
    ];
    execute(&admin, &rights).await.expect("rights");
    run(&installation, &["migrate", "up"]).await;
    installation.set("SITEWATCH_DATABASE_URL", &installation.database_as("sitewatch_app"));
    installation.set("SITEWATCH_MIGRATE", "off");
    let client = installation.start().await;
    let module = plant(&client).await;
    let body = json!({ "readings": [{ "metric": "power", "at": "2001-02-03T00:00:00Z", "value": 1 }] });
    let answer = client.post(&format!("/api/v1/modules/{module}/readings"), body).await.expect(200);
    assert_eq!(answer.data()["accepted"], 1);
    // What the group could do to the log before, it cannot any more.
    let app = installation.database_as("sitewatch_app");
    for forbidden in ["UPDATE audit_events SET client = 'nobody'", "DELETE FROM audit_events"] {
        let refused = execute(&app, &[forbidden]).await.expect_err(forbidden);
        assert!(refused.to_string().contains("permission denied"), "{forbidden}: {refused}");
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
