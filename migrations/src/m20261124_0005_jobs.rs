//! The ledger of jobs.

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
                "CREATE TABLE jobs (
                    id {uuid} PRIMARY KEY NOT NULL,
                    organization_id {uuid} REFERENCES organizations (id),
                    kind text NOT NULL,
                    payload {json} NOT NULL,
                    dedupe_key text,
                    dedupe_until_started boolean NOT NULL,
                    lane text NOT NULL,
                    priority integer NOT NULL,
                    state text NOT NULL,
                    run_at bigint NOT NULL,
                    attempts integer NOT NULL DEFAULT 0,
                    max_attempts integer NOT NULL,
                    lapses integer NOT NULL DEFAULT 0,
                    lease_token bigint NOT NULL DEFAULT 0,
                    lease_until bigint,
                    worker text,
                    begun boolean NOT NULL DEFAULT false,
                    progress_done bigint,
                    progress_total bigint,
                    result {json},
                    error text,
                    request_id text,
                    created_at bigint NOT NULL,
                    created_by {uuid},
                    started_at bigint,
                    finished_at bigint)",
                // Each job is written three times, and most have none of the three: what is not indexed is not written again.
                "CREATE UNIQUE INDEX jobs_dedupe_key ON jobs (dedupe_key) WHERE dedupe_key IS NOT NULL",
                "CREATE INDEX jobs_due ON jobs (lane, priority, run_at, id) WHERE state = 'ready'",
                "CREATE INDEX jobs_waiting ON jobs (lane, run_at) WHERE state = 'ready'",
                "CREATE INDEX jobs_leases ON jobs (lease_until) WHERE state = 'running'",
                "CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL",
                "CREATE INDEX jobs_of_organization ON jobs (organization_id, created_at, id) WHERE organization_id IS NOT NULL",
                "CREATE INDEX jobs_of_user ON jobs (created_by, created_at, id) WHERE created_by IS NOT NULL",
                "CREATE INDEX jobs_created ON jobs (created_at, id)",
                "CREATE TABLE job_probes (
                    probe {uuid} NOT NULL,
                    number bigint NOT NULL,
                    latency_us bigint NOT NULL,
                    at bigint NOT NULL)",
                "CREATE INDEX job_probes_probe ON job_probes (probe)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_all(manager, &["jobs", "job_probes"]).await
    }
}
