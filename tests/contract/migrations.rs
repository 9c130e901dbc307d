//! The schema's way up and down.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use sitewatch_persistence::SeaStore;
use sitewatch_tests::world::Backend;

use crate::EmptyDatabase;

/// Every table, column and index, as the database itself tells it.
async fn schema(url: &str) -> Vec<String> {
    let connection = Database::connect(url).await.expect("a connection");
    let backend = connection.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => {
            "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable AS line \
             FROM information_schema.columns WHERE table_schema = 'public' \
             UNION SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
        }
        _ => "SELECT name || ' ' || coalesce(sql, '') AS line FROM sqlite_master ORDER BY 1",
    };
    let rows = connection.query_all_raw(Statement::from_string(backend, sql)).await.expect("a schema");
    let lines = rows.iter().map(|row| row.try_get("", "line").expect("a text")).collect();
    connection.close().await.expect("closed");
    lines
}

pub async fn down_and_up_again_is_the_same_schema(backend: Arc<Backend>) {
    let database = EmptyDatabase::new(&backend).await;
    let ran = SeaStore::migrate_up(&database.settings).await.expect("up");
    assert_eq!(ran.len(), sitewatch_migrations::names().len());
    let first = schema(&database.url).await;
    assert!(first.iter().any(|line| line.contains("sites_name")), "{first:?}");
    let undone =
        SeaStore::migrate_down(&database.settings, u32::try_from(ran.len()).unwrap()).await.expect("down");
    assert_eq!(undone.len(), ran.len());
    assert!(!schema(&database.url).await.iter().any(|line| line.contains("sites")));
    SeaStore::migrate_up(&database.settings).await.expect("up again");
    assert_eq!(schema(&database.url).await, first);
    SeaStore::migrate_fresh(&database.settings).await.expect("fresh");
    assert_eq!(schema(&database.url).await, first);
    let status = SeaStore::migration_status(&database.settings).await.expect("a status");
    assert!(status.iter().all(|(_, applied)| *applied));
    assert!(SeaStore::migrate_up(&database.settings).await.expect("nothing to do").is_empty());
}

pub async fn two_migrators_run_once(backend: Arc<Backend>) {
    let database = EmptyDatabase::new(&backend).await;
    let (one, two) =
        tokio::join!(SeaStore::migrate_up(&database.settings), SeaStore::migrate_up(&database.settings));
    let mut ran = [one.expect("up").len(), two.expect("up").len()];
    ran.sort_unstable();
    assert_eq!(ran, [0, sitewatch_migrations::names().len()]);
}
