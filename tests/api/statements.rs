//! How many statements an answer takes, as PostgreSQL counts them.

use std::sync::Arc;

use sitewatch_tests::{
    client::Client,
    postgres::DatabaseCopy,
    world::{Backend, World},
};

/// Whether the caller may still act: asked once by every request.
const STANDING: usize = 1;

pub async fn few_statements(backend: Arc<Backend>) {
    let database = backend.database().await.expect("a database that notes statements");
    database.note_statements().await;
    let world = World::on(Some(database)).await;
    let database = world.database.as_ref().expect("the database");
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    for number in 0..100 {
        let site = world.site(&org, &format!("Site {number}")).await;
        if number < 30 {
            world.module(&site, &kind, &format!("M{number}")).await;
        }
    }
    let (_, admin) = world.member(&org, "ada", "admin").await;
    let cases = [
        // Rows with their number, and each kind of object that is embedded; the metrics of module types are a list of their own.
        ("/api/v1/sites?per_page=100&include=modules,organization", 3),
        ("/api/v1/sites?per_page=100", 1),
        ("/api/v1/modules?per_page=100&include=module_type", 3),
        ("/api/v1/organizations?per_page=100", 1),
    ];
    for (path, most) in cases {
        let statements = asked(database, &admin, path).await;
        assert!(
            statements.len() <= STANDING + most && statements.len() > STANDING,
            "{path} took {} statements:\n{}",
            statements.len(),
            statements.join("\n")
        );
    }
}

async fn asked(database: &DatabaseCopy, client: &Client, path: &str) -> Vec<String> {
    let before = database.noted_statements().len();
    client.get(path).await.expect(200);
    database.noted_statements().split_off(before)
}
