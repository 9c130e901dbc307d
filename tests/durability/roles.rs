//! The two roles of PostgreSQL: one owns the tables, the other serves.

use std::sync::Arc;

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};
use serde_json::json;

use crate::{Kind, load::plant, start::Installation};

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
