//! Reports, their runs and what is known of the files.

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
                "CREATE TABLE reports (
                    id {uuid} PRIMARY KEY NOT NULL,
                    organization_id {uuid} NOT NULL REFERENCES organizations (id),
                    name text NOT NULL,
                    site_id {uuid},
                    module_id {uuid},
                    period text NOT NULL,
                    format text NOT NULL,
                    csv_bom boolean NOT NULL,
                    schedule text,
                    recipients text NOT NULL,
                    created_at bigint NOT NULL, created_by {uuid}, updated_at bigint, updated_by {uuid},
                    is_active boolean NOT NULL, revision bigint NOT NULL,
                    UNIQUE (organization_id, id),
                    FOREIGN KEY (organization_id, site_id) REFERENCES sites (organization_id, id),
                    FOREIGN KEY (organization_id, module_id) REFERENCES modules (organization_id, id))",
                "CREATE INDEX reports_owner ON reports (created_by)",
                // Its state is that of its job, unless it has a file. Jobs are forgotten before runs are.
                "CREATE TABLE report_runs (
                    id {uuid} PRIMARY KEY NOT NULL,
                    report_id {uuid} NOT NULL,
                    organization_id {uuid} NOT NULL,
                    period text NOT NULL,
                    from_at bigint NOT NULL,
                    to_at bigint NOT NULL,
                    zone text NOT NULL,
                    format text NOT NULL,
                    file_id {uuid},
                    file_name text,
                    file_size bigint,
                    file_sha256 text,
                    modules text,
                    error text,
                    created_at bigint NOT NULL,
                    created_by {uuid},
                    finished_at bigint,
                    job_id {uuid} NOT NULL,
                    FOREIGN KEY (organization_id, report_id) REFERENCES reports (organization_id, id))",
                "CREATE INDEX report_runs_report ON report_runs (report_id, created_at)",
                "CREATE INDEX report_runs_age ON report_runs (created_at)",
                "CREATE UNIQUE INDEX report_runs_file ON report_runs (file_id) WHERE file_id IS NOT NULL",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_all(manager, &["reports", "report_runs"]).await
    }
}
