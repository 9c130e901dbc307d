//! Who there is: users, organizations, memberships, sessions; what was done; what belongs to the installation.

use sea_orm_migration::prelude::*;

use crate::ddl;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLES: &[&str] = &[
    "users",
    "organizations",
    "memberships",
    "sessions",
    "audit_events",
    "installation",
    "idempotency_keys",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE users (
                    id {uuid} PRIMARY KEY NOT NULL,
                    email text NOT NULL,
                    full_name text NOT NULL,
                    is_superuser boolean NOT NULL,
                    locale text NOT NULL,
                    timezone text NOT NULL,
                    last_login_at bigint,
                    password_scheme text,
                    password_pepper_id text,
                    password_hash text,
                    auth_generation bigint NOT NULL DEFAULT 0,
                    created_at bigint NOT NULL, created_by {uuid}, updated_at bigint, updated_by {uuid},
                    is_active boolean NOT NULL, revision bigint NOT NULL)",
                "CREATE UNIQUE INDEX users_email ON users (email)",
                "CREATE INDEX users_created ON users (created_at, id)",
                "CREATE TABLE organizations (
                    id {uuid} PRIMARY KEY NOT NULL,
                    name text NOT NULL,
                    slug text NOT NULL,
                    timezone text NOT NULL,
                    created_at bigint NOT NULL, created_by {uuid}, updated_at bigint, updated_by {uuid},
                    is_active boolean NOT NULL, revision bigint NOT NULL)",
                "CREATE UNIQUE INDEX organizations_name ON organizations (name) WHERE is_active",
                "CREATE UNIQUE INDEX organizations_slug ON organizations (slug) WHERE is_active",
                "CREATE TABLE memberships (
                    id {uuid} PRIMARY KEY NOT NULL,
                    organization_id {uuid} NOT NULL REFERENCES organizations (id),
                    user_id {uuid} NOT NULL REFERENCES users (id),
                    role text NOT NULL,
                    created_at bigint NOT NULL, created_by {uuid}, updated_at bigint, updated_by {uuid},
                    is_active boolean NOT NULL, revision bigint NOT NULL,
                    UNIQUE (organization_id, id))",
                "CREATE UNIQUE INDEX memberships_user ON memberships (organization_id, user_id) WHERE is_active",
                "CREATE INDEX memberships_of_user ON memberships (user_id)",
                "CREATE TABLE sessions (
                    id {uuid} PRIMARY KEY NOT NULL,
                    user_id {uuid} NOT NULL REFERENCES users (id),
                    created_at bigint NOT NULL,
                    idle_until bigint NOT NULL,
                    absolute_until bigint NOT NULL,
                    refresh_counter bigint NOT NULL,
                    refresh_confirmed bigint NOT NULL DEFAULT 0,
                    rotated_at bigint NOT NULL,
                    grace_uses integer NOT NULL DEFAULT 0,
                    refresh_key_sealed {bytes} NOT NULL,
                    client_hash {bytes},
                    client text,
                    user_agent text,
                    revoked_at bigint,
                    revoke_reason text)",
                "CREATE INDEX sessions_user ON sessions (user_id, created_at)",
                "CREATE TABLE audit_events (
                    id {uuid} PRIMARY KEY NOT NULL,
                    at bigint NOT NULL,
                    organization_id {uuid} REFERENCES organizations (id),
                    actor_kind text NOT NULL,
                    actor_id {uuid},
                    is_superuser boolean NOT NULL,
                    action text NOT NULL,
                    resource text NOT NULL,
                    resource_id {uuid} NOT NULL,
                    before {json},
                    after {json},
                    request_id text,
                    client text)",
                "CREATE INDEX audit_events_organization ON audit_events (organization_id, at, id)",
                "CREATE INDEX audit_events_at ON audit_events (at, id)",
                "CREATE INDEX audit_events_resource ON audit_events (resource_id, at)",
                "CREATE TABLE installation (name text PRIMARY KEY NOT NULL, value text NOT NULL)",
                "CREATE TABLE idempotency_keys (
                    principal {uuid} NOT NULL,
                    route text NOT NULL,
                    key_digest {bytes} NOT NULL,
                    fingerprint {bytes} NOT NULL,
                    resource_id {uuid},
                    created_at bigint NOT NULL,
                    expires_at bigint NOT NULL,
                    PRIMARY KEY (principal, route, key_digest))",
                "CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_all(manager, TABLES).await
    }
}
