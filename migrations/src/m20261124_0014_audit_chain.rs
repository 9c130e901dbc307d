//! Each audit log is a chain of hashes, whose end is sealed; entries are only added.
//!
//! Entries that are there stay without a place until a program that has the installation's keys takes them over, at its next
//! start: SQL alone cannot seal the ends. An older node that still runs meanwhile writes entries without a place.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLES: &[&str] = &[
    "ALTER TABLE audit_events ADD COLUMN seq bigint",
    "ALTER TABLE audit_events ADD COLUMN hash {bytes}",
    // Two, since nulls are distinct: the installation's own log has no organization.
    "CREATE UNIQUE INDEX audit_events_seq ON audit_events (organization_id, seq) WHERE organization_id IS NOT NULL",
    "CREATE UNIQUE INDEX audit_events_seq_installation ON audit_events (seq) WHERE organization_id IS NULL",
    "CREATE INDEX audit_events_outside ON audit_events (organization_id, id) WHERE seq IS NULL",
    // `chain` is an organization, or nil for the installation's own log.
    "CREATE TABLE audit_heads (
        chain {uuid} PRIMARY KEY NOT NULL,
        seq bigint NOT NULL,
        hash {bytes} NOT NULL,
        adopted bigint NOT NULL,
        broken_at bigint,
        seal {bytes} NOT NULL)",
];

/// An entry may be given its place, once, and nothing else. Whoever owns the table can take the triggers away; the chain tells
/// of what he did then.
const ON_POSTGRESQL: &[&str] = &[
    "CREATE FUNCTION sitewatch_only_add_to_audit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF OLD.seq IS NULL AND OLD.hash IS NULL
                AND (to_jsonb(NEW) - 'seq' - 'hash') = (to_jsonb(OLD) - 'seq' - 'hash') THEN
                RETURN NEW;
            END IF;
        END IF;
        RAISE EXCEPTION 'the audit log is only added to';
    END $$",
    "CREATE TRIGGER audit_events_only_added BEFORE UPDATE OR DELETE ON audit_events
        FOR EACH ROW EXECUTE FUNCTION sitewatch_only_add_to_audit()",
    "CREATE TRIGGER audit_events_not_emptied BEFORE TRUNCATE ON audit_events
        FOR EACH STATEMENT EXECUTE FUNCTION sitewatch_only_add_to_audit()",
    "CREATE TRIGGER audit_heads_not_deleted BEFORE DELETE OR TRUNCATE ON audit_heads
        FOR EACH STATEMENT EXECUTE FUNCTION sitewatch_only_add_to_audit()",
    // The role that serves has its rights from the owner's defaults, or was given them on all tables.
    "DO $$
    DECLARE
        other text;
    BEGIN
        FOR other IN
            SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
            FROM pg_catalog.pg_class, aclexplode(relacl)
            WHERE oid = 'audit_events'::regclass AND grantee <> relowner AND privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE')
        LOOP
            EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON audit_events FROM %s', other);
            EXECUTE format('REVOKE DELETE, TRUNCATE ON audit_heads FROM %s', other);
            EXECUTE format('GRANT UPDATE (seq, hash) ON audit_events TO %s', other);
            EXECUTE format('GRANT SELECT, INSERT, UPDATE ON audit_heads TO %s', other);
        END LOOP;
    END $$",
];

const ON_SQLITE: &[&str] = &[
    "CREATE TRIGGER audit_events_only_added BEFORE UPDATE ON audit_events
        WHEN NOT (OLD.seq IS NULL AND OLD.hash IS NULL AND NEW.id IS OLD.id AND NEW.at IS OLD.at
            AND NEW.organization_id IS OLD.organization_id AND NEW.actor_kind IS OLD.actor_kind AND NEW.actor_id IS OLD.actor_id
            AND NEW.credential_id IS OLD.credential_id AND NEW.is_superuser IS OLD.is_superuser AND NEW.action IS OLD.action AND NEW.resource IS OLD.resource
            AND NEW.resource_id IS OLD.resource_id AND NEW.before IS OLD.before AND NEW.after IS OLD.after
            AND NEW.request_id IS OLD.request_id AND NEW.client IS OLD.client)
        BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END",
    "CREATE TRIGGER audit_events_not_deleted BEFORE DELETE ON audit_events
        BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END",
    "CREATE TRIGGER audit_heads_not_deleted BEFORE DELETE ON audit_heads
        BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END",
];

const DOWN_ON_POSTGRESQL: &[&str] = &[
    "DROP TRIGGER audit_events_only_added ON audit_events",
    "DROP TRIGGER audit_events_not_emptied ON audit_events",
    "DROP TABLE audit_heads",
    "DROP FUNCTION sitewatch_only_add_to_audit",
];

const DOWN_ON_SQLITE: &[&str] = &[
    "DROP TRIGGER audit_events_only_added",
    "DROP TRIGGER audit_events_not_deleted",
    "DROP TABLE audit_heads",
];

/// A column cannot go on SQLite before its indexes have.
const DOWN: &[&str] = &[
    "DROP INDEX audit_events_seq",
    "DROP INDEX audit_events_seq_installation",
    "DROP INDEX audit_events_outside",
    "ALTER TABLE audit_events DROP COLUMN seq",
    "ALTER TABLE audit_events DROP COLUMN hash",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, TABLES).await?;
        match manager.get_database_backend() {
            DbBackend::Postgres => ddl::run(manager, ON_POSTGRESQL).await,
            _ => ddl::run(manager, ON_SQLITE).await,
        }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            DbBackend::Postgres => ddl::run(manager, DOWN_ON_POSTGRESQL).await?,
            _ => ddl::run(manager, DOWN_ON_SQLITE).await?,
        }
        ddl::run(manager, DOWN).await
    }
}
