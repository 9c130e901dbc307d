//! Only those who store readings have months made, and each month gets its own bounds.
//!
//! The function runs with its owner's rights, everybody who could connect might call it, and it believed its caller: a month
//! that was attached with wrong bounds took no readings any more. Its signature stays, since older nodes call it.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Only PostgreSQL has partitions. A name that is a month's says its bounds; what the caller believes them to be must agree.
///
/// Temporary objects are looked for last of all, since every session can make some under the names that are used here.
/// Those who may insert readings when this runs, by themselves or by a group, may call the function from now on.
const ON_POSTGRESQL: &[&str] = &[
    "CREATE OR REPLACE FUNCTION sitewatch_ensure_readings_partition(name text, month_start bigint, month_end bigint)
        RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
    DECLARE
        first_day date;
        starts_at bigint;
        ends_at bigint;
    BEGIN
        IF name IS NULL OR name !~ '^readings_y[0-9]{4}m(0[1-9]|1[0-2])$' OR substr(name, 11, 4) = '0000' THEN
            RAISE EXCEPTION 'not the name of a partition: %', name;
        END IF;
        first_day := make_date(substr(name, 11, 4)::integer, substr(name, 16, 2)::integer, 1);
        starts_at := (first_day - date '1970-01-01')::bigint * 86400000000;
        ends_at := ((first_day + interval '1 month')::date - date '1970-01-01')::bigint * 86400000000;
        IF month_start IS DISTINCT FROM starts_at OR month_end IS DISTINCT FROM ends_at THEN
            RAISE EXCEPTION 'not the bounds of %: % to %', name, month_start, month_end;
        END IF;
        PERFORM 1 FROM pg_catalog.pg_inherits JOIN pg_catalog.pg_class made ON made.oid = inhrelid
            WHERE inhparent = 'readings'::regclass AND made.relname = name;
        IF FOUND THEN
            RETURN true;
        END IF;
        PERFORM pg_advisory_xact_lock(hashtext('sitewatch_readings_partitions'));
        PERFORM 1 FROM pg_catalog.pg_inherits JOIN pg_catalog.pg_class made ON made.oid = inhrelid
            WHERE inhparent = 'readings'::regclass AND made.relname = name;
        IF FOUND THEN
            RETURN true;
        END IF;
        EXECUTE format('CREATE TABLE %I (LIKE readings INCLUDING ALL)', name);
        EXECUTE format('ALTER TABLE readings ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', name, starts_at, ends_at);
        RETURN false;
    END $$",
    "DO $$
    DECLARE
        home text := (SELECT relnamespace::regnamespace FROM pg_catalog.pg_class WHERE oid = 'readings'::regclass);
        maker text := format('FUNCTION %s.sitewatch_ensure_readings_partition(text, bigint, bigint)', home);
        writer text;
    BEGIN
        EXECUTE format('ALTER %s SET search_path = %s, pg_temp', maker, home);
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', maker);
        FOR writer IN SELECT rolname FROM pg_catalog.pg_roles
            WHERE NOT rolsuper AND rolname NOT LIKE 'pg\\_%' AND has_table_privilege(oid, 'readings'::regclass, 'INSERT')
        LOOP
            EXECUTE format('GRANT EXECUTE ON %s TO %I', maker, writer);
        END LOOP;
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
