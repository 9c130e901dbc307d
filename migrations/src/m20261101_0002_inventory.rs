//! What there is: metrics, module types, sites, modules, and what is assigned to whom.
//!
//! Every tenant table carries its organization, and so do the foreign keys to sites and modules: a row cannot hang on another
//! tenant's place. Those to module types and metrics, which may be built in, and to users are plain; use cases check them.

use sea_orm_migration::prelude::*;

use crate::ddl;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLES: &[&str] =
    &["metrics", "module_types", "module_type_metrics", "sites", "modules", "assignments"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, CATALOGUE).await?;
        ddl::run(manager, PLACES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_all(manager, TABLES).await
    }
}

/// Metrics and module types; those without an organization are built in, and unique among themselves.
const CATALOGUE: &[&str] = &[
    "CREATE TABLE metrics (
        id {uuid} PRIMARY KEY NOT NULL,
        organization_id {uuid} REFERENCES organizations (id),
        key text NOT NULL,
        name text NOT NULL,
        unit text NOT NULL,
        kind text NOT NULL,
        min double precision,
        max double precision,
        max_rate double precision,
        created_at bigint NOT NULL, created_by {uuid}, updated_at bigint, updated_by {uuid},
        is_active boolean NOT NULL, revision bigint NOT NULL)",
    "CREATE UNIQUE INDEX metrics_key ON metrics (organization_id, key) WHERE is_active AND organization_id IS NOT NULL",
    "CREATE UNIQUE INDEX metrics_key_built_in ON metrics (key) WHERE is_active AND organization_id IS NULL",
    "CREATE TABLE module_types (
        id {uuid} PRIMARY KEY NOT NULL,
        organization_id {uuid} REFERENCES organizations (id),
        name text NOT NULL,
        manufacturer text,
        model text,
        expected_interval_s integer,
        offline_after_s integer,
        created_at bigint NOT NULL, created_by {uuid}, updated_at bigint, updated_by {uuid},
        is_active boolean NOT NULL, revision bigint NOT NULL)",
    "CREATE UNIQUE INDEX module_types_name ON module_types (organization_id, name)
        WHERE is_active AND organization_id IS NOT NULL",
    "CREATE UNIQUE INDEX module_types_name_built_in ON module_types (name) WHERE is_active AND organization_id IS NULL",
    "CREATE TABLE module_type_metrics (
        module_type_id {uuid} NOT NULL REFERENCES module_types (id),
        metric_id {uuid} NOT NULL REFERENCES metrics (id),
        position integer NOT NULL,
        PRIMARY KEY (module_type_id, metric_id))",
    "CREATE INDEX module_type_metrics_metric ON module_type_metrics (metric_id)",
];

const PLACES: &[&str] = &[
    "CREATE TABLE sites (
        id {uuid} PRIMARY KEY NOT NULL,
        organization_id {uuid} NOT NULL REFERENCES organizations (id),
        name text NOT NULL,
        code text,
        description text,
        timezone text NOT NULL,
        latitude double precision,
        longitude double precision,
        address text,
        tags text NOT NULL,
        external_id text,
        hidden_by {uuid},
        created_at bigint NOT NULL, created_by {uuid}, updated_at bigint, updated_by {uuid},
        is_active boolean NOT NULL, revision bigint NOT NULL,
        UNIQUE (organization_id, id))",
    "CREATE UNIQUE INDEX sites_name ON sites (organization_id, name) WHERE is_active",
    "CREATE UNIQUE INDEX sites_external_id ON sites (organization_id, external_id) WHERE is_active",
    "CREATE INDEX sites_created ON sites (created_at, id)",
    "CREATE INDEX sites_of_organization ON sites (organization_id, created_at, id)",
    "CREATE TABLE modules (
        id {uuid} PRIMARY KEY NOT NULL,
        organization_id {uuid} NOT NULL,
        site_id {uuid} NOT NULL,
        module_type_id {uuid} NOT NULL REFERENCES module_types (id),
        name text NOT NULL,
        description text,
        serial_number text,
        external_id text,
        firmware text,
        expected_interval_s integer,
        offline_after_s integer,
        tags text NOT NULL,
        parent_module_id {uuid},
        is_enabled boolean NOT NULL,
        last_seen_at bigint,
        hidden_by {uuid},
        created_at bigint NOT NULL, created_by {uuid}, updated_at bigint, updated_by {uuid},
        is_active boolean NOT NULL, revision bigint NOT NULL,
        UNIQUE (organization_id, id),
        FOREIGN KEY (organization_id, site_id) REFERENCES sites (organization_id, id),
        FOREIGN KEY (organization_id, parent_module_id) REFERENCES modules (organization_id, id))",
    "CREATE UNIQUE INDEX modules_name ON modules (site_id, name) WHERE is_active",
    "CREATE UNIQUE INDEX modules_serial_number ON modules (organization_id, serial_number) WHERE is_active",
    "CREATE UNIQUE INDEX modules_external_id ON modules (organization_id, external_id) WHERE is_active",
    "CREATE INDEX modules_serial_number_of_any ON modules (serial_number)",
    "CREATE INDEX modules_external_id_of_any ON modules (external_id)",
    "CREATE INDEX modules_of_organization ON modules (organization_id, created_at, id)",
    "CREATE INDEX modules_created ON modules (created_at, id)",
    "CREATE INDEX modules_of_site ON modules (site_id, created_at, id)",
    "CREATE INDEX modules_of_type ON modules (module_type_id)",
    "CREATE INDEX modules_of_parent ON modules (parent_module_id)",
    "CREATE TABLE assignments (
        id {uuid} PRIMARY KEY NOT NULL,
        organization_id {uuid} NOT NULL REFERENCES organizations (id),
        user_id {uuid} NOT NULL REFERENCES users (id),
        site_id {uuid},
        module_id {uuid},
        access text NOT NULL,
        created_at bigint NOT NULL, created_by {uuid}, updated_at bigint, updated_by {uuid},
        is_active boolean NOT NULL, revision bigint NOT NULL,
        UNIQUE (organization_id, id),
        CHECK ((site_id IS NULL) <> (module_id IS NULL)),
        FOREIGN KEY (organization_id, site_id) REFERENCES sites (organization_id, id),
        FOREIGN KEY (organization_id, module_id) REFERENCES modules (organization_id, id))",
    "CREATE UNIQUE INDEX assignments_spot ON assignments (user_id, site_id) WHERE is_active AND site_id IS NOT NULL",
    "CREATE UNIQUE INDEX assignments_spot_module ON assignments (user_id, module_id)
        WHERE is_active AND module_id IS NOT NULL",
    "CREATE INDEX assignments_of_organization ON assignments (organization_id, created_at, id)",
];
