//! Readings that were not stored, for whoever looks for the reason.

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
                // The row is a text and no JSON of the database: PostgreSQL's takes no NUL, and devices send what they like.
                "CREATE TABLE rejected_readings (
                    id {uuid} PRIMARY KEY NOT NULL,
                    organization_id {uuid} NOT NULL,
                    module_id {uuid} NOT NULL,
                    at bigint NOT NULL,
                    sent_by {uuid},
                    field text NOT NULL,
                    reason text NOT NULL,
                    sent_row text NOT NULL,
                    FOREIGN KEY (organization_id, module_id) REFERENCES modules (organization_id, id))",
                "CREATE INDEX rejected_readings_module ON rejected_readings (module_id, id)",
                "CREATE INDEX rejected_readings_at ON rejected_readings (at)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_all(manager, &["rejected_readings"]).await
    }
}
