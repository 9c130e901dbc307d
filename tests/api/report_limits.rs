//! How much may be asked of reports at once.

use std::sync::Arc;

use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};
use sitewatch_domain::reports::{MAX_SERIES, MOST_WAITING, MOST_WAITING_OF_USER};
use sitewatch_tests::{
    client::Client,
    world::{Backend, World},
};

use crate::reports::{failed, made, report};

pub async fn an_organization_waits_for_so_many(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let id = report(&world.root, &org, json!({})).await;
    let (_, last) = world.member(&org, "last", "admin").await;
    let ask = async |client: &Client, year: u64, day: u64| {
        let period = json!({ "period": format!("{year}-03-{day:02}") });
        client.post(&format!("/api/v1/reports/{id}/run"), period).await
    };
    for user in 0..MOST_WAITING / MOST_WAITING_OF_USER {
        let (_, admin) = world.member(&org, &format!("admin{user}"), "admin").await;
        for day in 1..=MOST_WAITING_OF_USER {
            ask(&admin, 2001 + user, day).await.expect(202);
        }
    }
    ask(&last, 2000, 1).await.expect(429);
    let other = world.organization("B").await;
    let theirs = report(&world.root, &other, json!({})).await;
    world.root.act(&format!("/api/v1/reports/{theirs}/run")).await.expect(202);
}

pub async fn one_about_too_much_says_what_to_choose(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let (large, small) = (world.site(&org, "large").await, world.site(&org, "small").await);
    world.module(&large, &kind, "M").await;
    let sql = format!(
        "INSERT INTO modules (id, organization_id, site_id, module_type_id, name, tags, is_enabled, created_at, is_active, revision) \
         WITH RECURSIVE more (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM more WHERE i < {MAX_SERIES}) \
         SELECT randomblob(16), organization_id, site_id, module_type_id, name || i, tags, is_enabled, created_at, is_active, revision \
         FROM modules, more"
    );
    let database = Database::connect(world.database_url()).await.expect("a connection");
    database.execute_unprepared(&sql).await.expect("modules");
    world.module(&small, &kind, "N").await;
    let all = report(&world.root, &org, json!({})).await;
    let run = failed(&world, &all).await;
    let why = run["error"].as_str().expect("a reason");
    assert!(why.contains("2000") && why.contains("choose a site or a module"), "{why}");
    assert_eq!(run["file"], Value::Null);
    let one = report(&world.root, &org, json!({ "site_id": small })).await;
    assert_eq!(made(&world, &world.root, &one, "2014-03").await["state"], "succeeded");
}
