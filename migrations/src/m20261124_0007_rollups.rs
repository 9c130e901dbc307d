//! Rollups: figures of readings that are kept ready, and the marks of what is to be redone.
//!
//! Like readings they carry the series alone, no foreign key and no trigger. Marks have no key but their number: batches that touch the
//! same series never wait for each other. Of readings that there are already nothing is kept; they are marked as a whole.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const ROLLUPS: &str = "CREATE TABLE rollups (
    series bigint NOT NULL,
    interval integer NOT NULL,
    bucket_start bigint NOT NULL,
    count bigint NOT NULL,
    sum double precision NOT NULL,
    min double precision NOT NULL,
    max double precision NOT NULL,
    first double precision NOT NULL,
    last double precision NOT NULL,
    first_at bigint NOT NULL,
    last_at bigint NOT NULL,
    PRIMARY KEY (series, interval, bucket_start))";

const MARKS: &[&str] = &[
    "CREATE TABLE rollup_marks (
        id {serial},
        organization_id {uuid} NOT NULL,
        series bigint NOT NULL,
        from_at bigint NOT NULL,
        to_at bigint NOT NULL,
        marked_at bigint NOT NULL)",
    "CREATE INDEX rollup_marks_of_organization ON rollup_marks (organization_id, id)",
    "CREATE INDEX rollup_marks_of_series ON rollup_marks (series)",
    "ALTER TABLE series ADD COLUMN rolled_zone text",
    "INSERT INTO rollup_marks (organization_id, series, from_at, to_at, marked_at)
        SELECT organization_id, id, 0, 9223372036854775807, 0 FROM series",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            DbBackend::Postgres => ddl::run(manager, &[ROLLUPS]).await?,
            // The key is the table, as of readings.
            _ => ddl::run(manager, &[&format!("{ROLLUPS} WITHOUT ROWID")]).await?,
        }
        ddl::run(manager, MARKS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, &["ALTER TABLE series DROP COLUMN rolled_zone"]).await?;
        ddl::drop_all(manager, &["rollups", "rollup_marks"]).await
    }
}
