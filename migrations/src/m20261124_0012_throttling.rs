//! How often somebody has tried to sign in without success, by account and by place.

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
                // Without a reference to users: addresses that are nobody's are counted too.
                "CREATE TABLE attempts (
                    account {bytes} NOT NULL,
                    place text NOT NULL,
                    failures bigint NOT NULL,
                    next_at bigint NOT NULL,
                    forget_at bigint NOT NULL,
                    PRIMARY KEY (account, place))",
                "CREATE INDEX attempts_past ON attempts (forget_at)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_all(manager, &["attempts"]).await
    }
}
