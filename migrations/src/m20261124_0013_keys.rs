//! Keys: those of programs, those of devices, and which one an entry of the audit log was caused with.

use sea_orm_migration::prelude::*;

use crate::ddl;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE api_keys (
                    id {uuid} PRIMARY KEY NOT NULL,
                    user_id {uuid} REFERENCES users (id),
                    organization_id {uuid} REFERENCES organizations (id),
                    name text NOT NULL,
                    prefix text NOT NULL,
                    digest {bytes} NOT NULL,
                    scopes text NOT NULL,
                    expires_at bigint,
                    last_used_at bigint,
                    last_used_ip text,
                    created_at bigint NOT NULL, created_by {uuid}, updated_at bigint, updated_by {uuid},
                    is_active boolean NOT NULL, revision bigint NOT NULL,
                    CHECK ((user_id IS NULL) <> (organization_id IS NULL)))",
                "CREATE UNIQUE INDEX api_keys_prefix ON api_keys (prefix)",
                "CREATE INDEX api_keys_of_user ON api_keys (user_id, created_at)",
                "CREATE INDEX api_keys_of_organization ON api_keys (organization_id, created_at)",
                "CREATE TABLE device_credentials (
                    id {uuid} PRIMARY KEY NOT NULL,
                    organization_id {uuid} NOT NULL REFERENCES organizations (id),
                    site_id {uuid},
                    module_id {uuid},
                    prefix text NOT NULL,
                    digest {bytes} NOT NULL,
                    expires_at bigint,
                    last_used_at bigint,
                    last_used_ip text,
                    created_at bigint NOT NULL, created_by {uuid}, updated_at bigint, updated_by {uuid},
                    is_active boolean NOT NULL, revision bigint NOT NULL,
                    UNIQUE (organization_id, id),
                    CHECK ((site_id IS NULL) <> (module_id IS NULL)),
                    FOREIGN KEY (organization_id, site_id) REFERENCES sites (organization_id, id),
                    FOREIGN KEY (organization_id, module_id) REFERENCES modules (organization_id, id))",
                "CREATE UNIQUE INDEX device_credentials_prefix ON device_credentials (prefix)",
                "CREATE INDEX device_credentials_of_site ON device_credentials (site_id, created_at)",
                "CREATE INDEX device_credentials_of_module ON device_credentials (module_id, created_at)",
                "ALTER TABLE audit_events ADD COLUMN credential_id {uuid}",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, &["ALTER TABLE audit_events DROP COLUMN credential_id"]).await?;
        ddl::drop_all(manager, &["api_keys", "device_credentials"]).await
    }
}
