//! Two batches that need the same new month at the same moment both get it.
//!
//! `to_regclass` answers from the session's catalog cache, which waiting for an advisory lock does not refresh: whoever had
//! waited made the month a second time, and failed. A query of `pg_class` sees what was committed meanwhile.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Only PostgreSQL has partitions.
const ON_POSTGRESQL: &[&str] = &[
    "CREATE OR REPLACE FUNCTION sitewatch_ensure_readings_partition(name text, month_start bigint, month_end bigint)
        RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
        IF name !~ '^readings_y[0-9]{4}m[0-9]{2}$' THEN
            RAISE EXCEPTION 'not the name of a partition: %', name;
        END IF;
        IF to_regclass(name) IS NOT NULL THEN
            RETURN true;
        END IF;
        PERFORM pg_advisory_xact_lock(hashtext('sitewatch_readings_partitions'));
        PERFORM 1 FROM pg_catalog.pg_class made JOIN pg_catalog.pg_class parent ON parent.relnamespace = made.relnamespace
            WHERE parent.oid = 'readings'::regclass AND made.relname = name;
        IF FOUND THEN
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
        match manager.get_database_backend() {
            DbBackend::Postgres => ddl::run(manager, ON_POSTGRESQL).await,
            _ => Ok(()),
        }
    }

    /// The function does what it did before, and more safely: it stays until the migration that made it is taken back.
    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}
