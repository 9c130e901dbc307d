//! What was measured: series and readings.
//!
//! Readings carry the series alone, no foreign key and no trigger: they are many, and every further column or check would be
//! paid by each of them. On PostgreSQL they are partitioned by month, on SQLite the key is the table.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::ddl;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SERIES: &[&str] = &[
    "CREATE TABLE series (
        id {serial},
        organization_id {uuid} NOT NULL,
        module_id {uuid} NOT NULL,
        metric_id {uuid} NOT NULL REFERENCES metrics (id),
        UNIQUE (module_id, metric_id),
        FOREIGN KEY (organization_id, module_id) REFERENCES modules (organization_id, id))",
    "CREATE INDEX series_of_metric ON series (metric_id)",
];

const ON_SQLITE: &[&str] = &["CREATE TABLE readings (
    series bigint NOT NULL,
    at bigint NOT NULL,
    value double precision NOT NULL,
    PRIMARY KEY (series, at)) WITHOUT ROWID"];

/// The function makes the partition of a month if there is none; true if there was one. It runs with the rights of
/// whoever migrates, so that the role that serves requests needs none to make tables. A table is made first and attached
/// then, since attaching does not block those who read and write other months.
const ON_POSTGRESQL: &[&str] = &[
    "CREATE TABLE readings (
        series bigint NOT NULL,
        at bigint NOT NULL,
        value double precision NOT NULL,
        PRIMARY KEY (series, at)) PARTITION BY RANGE (at)",
    "CREATE FUNCTION sitewatch_ensure_readings_partition(name text, month_start bigint, month_end bigint)
        RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
        IF name !~ '^readings_y[0-9]{4}m[0-9]{2}$' THEN
            RAISE EXCEPTION 'not the name of a partition: %', name;
        END IF;
        IF to_regclass(name) IS NOT NULL THEN
            RETURN true;
        END IF;
        PERFORM pg_advisory_xact_lock(hashtext('sitewatch_readings_partitions'));
        IF to_regclass(name) IS NOT NULL THEN
            RETURN true;
        END IF;
        EXECUTE format('CREATE TABLE %I (LIKE readings INCLUDING ALL)', name);
        EXECUTE format('ALTER TABLE readings ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', name, month_start, month_end);
        RETURN false;
    END $$",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, SERIES).await?;
        match manager.get_database_backend() {
            DbBackend::Postgres => ddl::run(manager, ON_POSTGRESQL).await,
            _ => ddl::run(manager, ON_SQLITE).await,
        }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            ddl::run(manager, &["DROP FUNCTION sitewatch_ensure_readings_partition"]).await?;
        }
        ddl::drop_all(manager, &["series", "readings"]).await
    }
}
