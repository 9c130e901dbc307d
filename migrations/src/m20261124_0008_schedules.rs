//! Schedules of jobs.

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
                "CREATE TABLE schedules (
                    name text PRIMARY KEY NOT NULL,
                    organization_id {uuid} REFERENCES organizations (id),
                    cron text NOT NULL,
                    zone text NOT NULL,
                    kind text NOT NULL,
                    payload {json} NOT NULL,
                    lane text NOT NULL,
                    priority integer NOT NULL,
                    max_attempts integer NOT NULL,
                    is_enabled boolean NOT NULL,
                    next_at bigint,
                    last_slot_at bigint,
                    created_at bigint NOT NULL,
                    created_by {uuid})",
                "CREATE INDEX schedules_due ON schedules (next_at) WHERE is_enabled",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_all(manager, &["schedules"]).await
    }
}
