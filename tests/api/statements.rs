//! How many statements an answer takes, as PostgreSQL counts them.

use std::sync::Arc;

use serde_json::json;
use sitewatch_tests::{
    client::Client,
    postgres::DatabaseCopy,
    world::{Backend, World},
};

use crate::jobs::system;

/// Whether the caller may still act: asked once by every request.
const STANDING: usize = 1;

pub async fn lists_with_everything_take_few_statements(backend: Arc<Backend>) {
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

/// A batch writes its marks and its job in one statement each; a question is answered by a few, however many modules it is about.
pub async fn telemetry_takes_few_statements(backend: Arc<Backend>) {
    let database = backend.database().await.expect("a database that notes statements");
    database.note_statements().await;
    let world = World::on(Some(database)).await;
    let database = world.database.as_ref().expect("the database");
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let site = world.site(&org, "S").await;
    let mut modules = Vec::new();
    for number in 0..30 {
        modules.push(world.module(&site, &kind, &format!("M{number}")).await);
    }
    let row = |module: &String, minute: u32| json!({ "module": module, "metric": "power", "at": format!("2026-01-01T00:{minute:02}:00Z"), "value": 1 });
    let send = async |minute: u32| {
        let rows: Vec<_> = modules.iter().map(|module| row(module, minute)).collect();
        let before = database.noted_statements().len();
        world.root.post("/api/v1/ingest/readings", json!({ "readings": rows })).await.expect(200);
        database.noted_statements().split_off(before)
    };
    send(0).await;
    // The series and the table of the month are there by now.
    let statements = send(1).await;
    let count = |word: &str| statements.iter().filter(|statement| statement.contains(word)).count();
    let told = statements.join("\n");
    for table in ["readings", "rollup_marks", "jobs"] {
        assert_eq!(count(&format!("INSERT INTO {table} ")), 1, "{told}");
    }
    assert_eq!(count("rollup"), 1, "nothing else is done for rollups: {told}");
    assert!(statements.len() <= STANDING + 9, "{} statements:\n{told}", statements.len());

    // As long as all is marked, when all is kept, and when every second module has sent anew.
    let org = org.parse().expect("an id");
    for step in 0..3 {
        if step == 1 {
            while world.platform.rollups().redo_some(&system(), org).await.expect("redone") {}
        }
        if step == 2 {
            let rows: Vec<_> = modules.iter().step_by(2).map(|module| row(module, 2)).collect();
            world.root.post("/api/v1/ingest/readings", json!({ "readings": rows })).await.expect(200);
        }
        let question = json!({ "modules": modules, "metrics": ["power"], "from": "2026-01-01T00:00:00Z",
            "to": "2026-01-03T00:00:00Z", "interval": "PT1H", "timezone": "Europe/Paris" });
        let before = database.noted_statements().len();
        world.root.post("/api/v1/telemetry/query", question).await.expect(200);
        let statements = database.noted_statements().split_off(before);
        let most = STANDING + 2 + if step == 1 { 1 } else { 2 };
        assert!(statements.len() <= most, "{step}: {}\n{}", statements.len(), statements.join("\n"));
    }
}

/// However many rows: what they refer to is read, and they are written, in a few statements.
pub async fn many_objects_take_few_statements(backend: Arc<Backend>) {
    let database = backend.database().await.expect("a database that notes statements");
    database.note_statements().await;
    let world = World::on(Some(database)).await;
    let database = world.database.as_ref().expect("the database");
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let site = world.site(&org, "S").await;
    let gateway = world.module(&site, &kind, "Gateway").await;
    let send = async |rows: &str, row: &dyn Fn(u32) -> serde_json::Value| {
        let body = json!({ rows: (0..300).map(row).collect::<Vec<_>>() });
        let before = database.noted_statements().len();
        world.root.post(&format!("/api/v1/{rows}/bulk"), body).await.expect(200);
        database.noted_statements().split_off(before)
    };
    let site_of = |number: u32| json!({ "organization_id": org, "name": format!("Site {number}"), "external_id": number.to_string() });
    let sites = send("sites", &site_of).await;
    // The organization; which names and external ids are taken; that it is active still, the rows, their entries.
    assert!(sites.len() <= STANDING + 12, "{}:\n{}", sites.len(), sites.join("\n"));
    let module_of = |number: u32| {
        json!({ "site_id": site, "name": format!("M{number}"), "module_type_id": kind, "parent_module_id": gateway,
            "serial_number": number.to_string(), "external_id": number.to_string() })
    };
    let modules = send("modules", &module_of).await;
    assert!(modules.len() <= STANDING + 18, "{}:\n{}", modules.len(), modules.join("\n"));
}

/// A key costs what a person's token does: one statement for whom it stands for, and in a transaction one more, whether it is still
/// good. Devices are asked in addition whether their modules still are theirs.
pub async fn keys_are_known_by_one_statement(backend: Arc<Backend>) {
    let database = backend.database().await.expect("a database that notes statements");
    database.note_statements().await;
    let world = World::on(Some(database)).await;
    let database = world.database.as_ref().expect("the database");
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let site = world.site(&org, "S").await;
    let module = world.module(&site, &kind, "M").await;
    let (_, admin) = world.member(&org, "ada", "admin").await;
    let secret = async |path: &str, body: serde_json::Value| {
        let made = admin.post(path, body).await.expect(201).data();
        admin.with_token(made["secret"].as_str().expect("a secret"))
    };
    let body = json!({ "name": "K", "scopes": ["sites:read", "readings:write"] });
    let own = secret("/api/v1/auth/me/api-keys", body.clone()).await;
    let of_org = secret(&format!("/api/v1/organizations/{org}/api-keys"), body).await;
    let device = secret(&format!("/api/v1/modules/{module}/credentials"), json!({})).await;
    let path = format!("/api/v1/modules/{module}/readings");
    let send = async |client: &Client, minute: u32| {
        let rows = json!({ "readings": [{ "metric": "power", "at": format!("2026-01-01T00:{minute:02}:00Z"), "value": 1 }] });
        let before = database.noted_statements().len();
        client.post(&path, rows).await.expect(200);
        database.noted_statements().split_off(before)
    };
    send(&admin, 0).await;
    let by_person = send(&admin, 1).await.len();
    // Their first use is noted beside it.
    for client in [&own, &of_org] {
        client.get("/api/v1/sites").await.expect(200);
    }
    device.get("/api/v1/modules").await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    // Both see the same, and what was made for one would be given to the other: a page of its own for each.
    for (client, rows) in [(&own, 99), (&of_org, 100)] {
        let statements = asked(database, client, &format!("/api/v1/sites?per_page={rows}")).await;
        assert_eq!(statements.len(), STANDING + 1, "{}", statements.join("\n"));
    }
    for (client, minute, more) in [(&own, 2, 1), (&of_org, 3, 1), (&device, 4, 2)] {
        let statements = send(client, minute).await;
        assert!(statements.len() <= by_person + more, "{by_person}: {}", statements.join("\n"));
    }
}

async fn asked(database: &DatabaseCopy, client: &Client, path: &str) -> Vec<String> {
    let before = database.noted_statements().len();
    client.get(path).await.expect(200);
    database.noted_statements().split_off(before)
}
