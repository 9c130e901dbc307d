//! Mails, what came of them, and the addresses that take none.

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
                "CREATE TABLE deliveries (
                    id {uuid} PRIMARY KEY NOT NULL,
                    organization_id {uuid} REFERENCES organizations (id),
                    dedupe_key text NOT NULL,
                    recipient text NOT NULL,
                    template text NOT NULL,
                    params {json} NOT NULL,
                    attachment {uuid},
                    message_id text,
                    state text NOT NULL,
                    attempts integer NOT NULL DEFAULT 0,
                    last_error text,
                    created_at bigint NOT NULL,
                    sent_at bigint)",
                "CREATE UNIQUE INDEX deliveries_dedupe_key ON deliveries (dedupe_key)",
                "CREATE TABLE mail_suppressions (
                    address text PRIMARY KEY NOT NULL,
                    reason text NOT NULL,
                    created_at bigint NOT NULL)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_all(manager, &["deliveries", "mail_suppressions"]).await
    }
}
