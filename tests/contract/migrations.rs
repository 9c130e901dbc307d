//! The schema's way up and down, and what it is at the end.

use std::{fs, path::Path, sync::Arc};

use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use sitewatch_domain::{
    memberships::MemberRole,
    readings::{ReadingBatch, ReadingRow},
};
use sitewatch_persistence::SeaStore;
use sitewatch_tests::world::Backend;

use crate::{
    EmptyDatabase,
    farm::{A, B, Farm, membership, module, site, superuser, user},
};

/// Every table, column, index, rule and function, as the database itself tells it.
async fn schema(url: &str) -> Vec<String> {
    let connection = Database::connect(url).await.expect("a connection");
    let backend = connection.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => {
            "SELECT 'column ' || table_name || '.' || column_name || ' ' || data_type || \
             CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END || coalesce(' DEFAULT ' || column_default, '') || \
             CASE is_identity WHEN 'YES' THEN ' IDENTITY' ELSE '' END AS line \
             FROM information_schema.columns WHERE table_schema = 'public' \
             UNION SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' \
             UNION SELECT 'constraint ' || conrelid::regclass || ': ' || pg_get_constraintdef(oid) FROM pg_constraint \
             WHERE connamespace = 'public'::regnamespace AND contype <> 'n' \
             UNION SELECT 'partitioned ' || partrelid::regclass || ' ' || pg_get_partkeydef(partrelid) FROM pg_partitioned_table \
             UNION SELECT 'row level security ' || oid::regclass || CASE WHEN relforcerowsecurity THEN ' FORCE' ELSE '' END \
             FROM pg_class WHERE relrowsecurity \
             UNION SELECT 'policy ' || tablename || '.' || policyname || ' FOR ' || cmd || coalesce(' USING ' || qual, '') || coalesce(' CHECK ' || with_check, '') \
             FROM pg_policies \
             UNION SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal \
             UNION SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        }
        _ => {
            "SELECT coalesce(sql, type || ' ' || name) AS line FROM sqlite_master \
             WHERE name NOT LIKE 'sqlite_sequence'"
        }
    };
    let rows = connection.query_all_raw(Statement::from_string(backend, sql)).await.expect("a schema");
    let lines = rows.iter().map(|row| row.try_get::<String>("", "line").expect("a text"));
    // The white space of the source means nothing.
    let mut lines: Vec<String> =
        lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    lines.sort();
    connection.close().await.expect("closed");
    lines
}

async fn run_down(database: &EmptyDatabase, steps: usize) {
    let undone = SeaStore::migrate_down(&database.settings, u32::try_from(steps).unwrap()).await;
    assert_eq!(undone.expect("down").len(), steps);
}

pub async fn down_and_up_again_is_the_same_schema(backend: Arc<Backend>) {
    let database = EmptyDatabase::new(&backend).await;
    let ran = SeaStore::migrate_up(&database.settings).await.expect("up");
    assert_eq!(ran.len(), sitewatch_migrations::names().len());
    let first = schema(&database.url).await;
    assert!(first.iter().any(|line| line.contains("sites_name")), "{first:?}");
    run_down(&database, ran.len()).await;
    assert!(!schema(&database.url).await.iter().any(|line| line.contains("sites")));
    SeaStore::migrate_up(&database.settings).await.expect("up again");
    assert_eq!(schema(&database.url).await, first);
    SeaStore::migrate_fresh(&database.settings).await.expect("fresh");
    assert_eq!(schema(&database.url).await, first);
    let status = SeaStore::migration_status(&database.settings).await.expect("a status");
    assert!(status.iter().all(|(_, applied)| *applied));
    assert!(SeaStore::migrate_up(&database.settings).await.expect("nothing to do").is_empty());
}

/// Each way down, from the newest migration alone to all of them, and up again: with something in every table.
pub async fn a_filled_database_goes_down_and_up(backend: Arc<Backend>) {
    let empty = EmptyDatabase::new(&backend).await;
    SeaStore::migrate_up(&empty.settings).await.expect("up");
    let expected = schema(&empty.url).await;
    for steps in 1..=sitewatch_migrations::names().len() {
        let Farm { store, platform, database } = filled(&backend).await;
        // Nobody is connected while the schema changes.
        drop((store, platform));
        run_down(&database, steps).await;
        SeaStore::migrate_up(&database.settings).await.expect("up again");
        let after: Vec<String> = schema(&database.url).await;
        let without_months: Vec<String> =
            after.into_iter().filter(|line| !line.contains("readings_y20")).collect();
        assert_eq!(without_months, expected, "after {steps} steps");
    }
}

async fn filled(backend: &Arc<Backend>) -> Farm {
    let farm = Farm::new(backend).await;
    farm.user(&user(30, "ada")).await.expect("a user");
    for (number, org) in [(100, A), (101, B)] {
        farm.member(&membership(number + 300, org, 30, MemberRole::Admin)).await.expect("a member");
        farm.site(&site(number, org, "Site")).await.expect("a site");
        farm.module(&module(number + 100, org, number, "M")).await.expect("a module");
        let row = ReadingRow {
            module: None,
            metric: Ok("power".into()),
            at: "2014-03-30T01:00:00Z".parse().map_err(|_| "not_a_time"),
            value: Ok(1.0),
            shape: None,
        };
        let batch = ReadingBatch { organization_id: None, readings: vec![row] };
        let module = crate::farm::id(number + 100);
        farm.platform.readings().ingest_for(&superuser(), module, batch).await.expect("a verdict");
    }
    farm
}

/// What the migrations come to, kept beside this file: whoever changes the schema sees what he changes.
#[expect(clippy::disallowed_methods, reason = "whoever changes the schema asks for the file to be written")]
pub async fn the_schema_is_the_one_that_is_kept(backend: Arc<Backend>) {
    let database = EmptyDatabase::new(&backend).await;
    SeaStore::migrate_up(&database.settings).await.expect("up");
    let text = schema(&database.url).await.join("\n") + "\n";
    let name = match backend.as_ref() {
        Backend::Sqlite => "sqlite.txt",
        Backend::Postgres(_) => "postgresql.txt",
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("contract/snapshots").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::write(&path, &text).expect("a snapshot");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        kept, text,
        "the schema is another one: `UPDATE_DOCS=1 cargo test --workspace --test contract the_schema_is` renews tests/contract/snapshots/{name}"
    );
}

pub async fn two_migrators_run_once(backend: Arc<Backend>) {
    let database = EmptyDatabase::new(&backend).await;
    let (one, two) =
        tokio::join!(SeaStore::migrate_up(&database.settings), SeaStore::migrate_up(&database.settings));
    let mut ran = [one.expect("up").len(), two.expect("up").len()];
    ran.sort_unstable();
    assert_eq!(ran, [0, sitewatch_migrations::names().len()]);
}
