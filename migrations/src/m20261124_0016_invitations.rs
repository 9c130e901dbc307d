//! Invitations into organizations.

use sea_orm_migration::prelude::*;

use crate::ddl;

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
                "CREATE TABLE invitations (
                    id {uuid} PRIMARY KEY NOT NULL,
                    organization_id {uuid} NOT NULL REFERENCES organizations (id),
                    email text NOT NULL,
                    role text NOT NULL,
                    assignments text NOT NULL,
                    token_digest {bytes} NOT NULL,
                    sent_with_key {uuid},
                    expires_at bigint NOT NULL,
                    accepted_at bigint,
                    accepted_by {uuid} REFERENCES users (id),
                    created_at bigint NOT NULL, created_by {uuid}, updated_at bigint, updated_by {uuid},
                    is_active boolean NOT NULL, revision bigint NOT NULL,
                    UNIQUE (organization_id, id))",
                "CREATE UNIQUE INDEX invitations_address ON invitations (organization_id, email)
                    WHERE is_active AND accepted_at IS NULL",
                "CREATE UNIQUE INDEX invitations_token ON invitations (token_digest)",
                "CREATE INDEX invitations_created ON invitations (organization_id, created_at)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_all(manager, &["invitations"]).await
    }
}
