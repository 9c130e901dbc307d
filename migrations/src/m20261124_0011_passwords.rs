//! Ways to new passwords, the secrets of mails, and when the newest token of a session was first used.

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
                // The address is that which the token was sent to: one that the user had since is not proven by it.
                "CREATE TABLE password_resets (
                    id {uuid} PRIMARY KEY NOT NULL,
                    user_id {uuid} NOT NULL REFERENCES users (id),
                    email text NOT NULL,
                    token_digest {bytes} NOT NULL,
                    created_at bigint NOT NULL,
                    expires_at bigint NOT NULL,
                    used_at bigint)",
                "CREATE UNIQUE INDEX password_resets_token ON password_resets (token_digest)",
                "CREATE INDEX password_resets_user ON password_resets (user_id)",
                "CREATE INDEX password_resets_age ON password_resets (created_at)",
                "ALTER TABLE deliveries ADD COLUMN secret_sealed {bytes}",
                "ALTER TABLE deliveries ADD COLUMN good_until bigint",
                "ALTER TABLE sessions ADD COLUMN confirmed_at bigint",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "ALTER TABLE sessions DROP COLUMN confirmed_at",
                "ALTER TABLE deliveries DROP COLUMN good_until",
                "ALTER TABLE deliveries DROP COLUMN secret_sealed",
                "DROP TABLE password_resets",
            ],
        )
        .await
    }
}
