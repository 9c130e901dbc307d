//! Which files there are. Those of runs are named by them; all others are noted, from before they are written until they are removed.

use sea_orm::{ConnectionTrait, Value};
use sitewatch_domain::{
    ids::{ModuleId, ReportRunId},
    ports::StoreError,
    reports::RunFile,
    time::Instant,
};
use uuid::Uuid;

use super::ids_text;
use crate::{
    error::store_error,
    repositories::{jobs::now, placeholders},
    session::Session,
};

/// In microseconds: half an hour, half of what files are left alone for.
const FRESH: i64 = 1_800_000_000;

impl<C: ConnectionTrait> Session<C> {
    pub(super) async fn note_file(&self, file: Uuid) -> Result<(), StoreError> {
        let sql = format!("INSERT INTO report_files (id, noted_at) VALUES ($1, {})", now(self.backend()));
        self.execute_sql(&sql, [file.into()]).await.map(drop)
    }

    pub(super) async fn finish_run(
        &self,
        id: ReportRunId,
        file: &RunFile,
        modules: &[ModuleId],
        at: Instant,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE report_runs SET file_id = $2, file_name = $3, file_size = $4, file_sha256 = $5, modules = $6, \
                   finished_at = $7, error = NULL WHERE id = $1 AND file_id IS NULL";
        let values: [Value; 7] = [
            id.uuid().into(),
            file.id.into(),
            file.name.clone().into(),
            i64::try_from(file.size).unwrap_or(i64::MAX).into(),
            file.sha256.clone().into(),
            ids_text(modules).into(),
            at.as_micros().into(),
        ];
        if self.execute_sql(sql, values).await?.rows_affected() == 0 {
            return Ok(false);
        }
        // A process that slept since must not name a file that the sweep has taken meanwhile, or is about to.
        let fresh =
            format!("DELETE FROM report_files WHERE id = $1 AND noted_at > {} - $2", now(self.backend()));
        if self.execute_sql(&fresh, [file.id.into(), FRESH.into()]).await?.rows_affected() == 0 {
            return Err(StoreError::Unavailable("the file was written too long ago".into()));
        }
        Ok(true)
    }

    pub(super) async fn delete_runs(&self, before: Instant, limit: u32) -> Result<u64, StoreError> {
        let sql = "DELETE FROM report_runs WHERE id IN \
                   (SELECT id FROM report_runs WHERE created_at < $1 ORDER BY created_at LIMIT $2) RETURNING file_id";
        let rows = self.query_sql(sql, [before.as_micros().into(), i64::from(limit).into()]).await?;
        let mut files = Vec::with_capacity(rows.len());
        for row in &rows {
            files.extend(row.try_get::<Option<Uuid>>("", "file_id").map_err(store_error)?);
        }
        if !files.is_empty() {
            let places: Vec<String> = (1..=files.len()).map(|place| format!("(${place}, 0)")).collect();
            let sql = format!("INSERT INTO report_files (id, noted_at) VALUES {}", places.join(", "));
            self.execute_sql(&sql, files.into_iter().map(Value::from)).await?;
        }
        Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
    }

    pub(super) async fn stray_files(&self, before: Instant, limit: u32) -> Result<Vec<Uuid>, StoreError> {
        let sql = "SELECT id FROM report_files WHERE noted_at < $1 ORDER BY noted_at, id LIMIT $2";
        let rows = self.query_sql(sql, [before.as_micros().into(), i64::from(limit).into()]).await?;
        rows.iter().map(|row| row.try_get("", "id").map_err(store_error)).collect()
    }

    pub(super) async fn renote_files(&self, files: &[Uuid]) -> Result<(), StoreError> {
        if files.is_empty() {
            return Ok(());
        }
        let (now, places) = (now(self.backend()), placeholders(1, files.len()));
        let sql = format!("UPDATE report_files SET noted_at = {now} WHERE id IN ({places})");
        self.execute_sql(&sql, files.iter().map(|file| Value::from(*file))).await.map(drop)
    }

    pub(super) async fn forget_files(&self, files: &[Uuid]) -> Result<(), StoreError> {
        if files.is_empty() {
            return Ok(());
        }
        let sql = format!("DELETE FROM report_files WHERE id IN ({})", placeholders(1, files.len()));
        self.execute_sql(&sql, files.iter().map(|file| Value::from(*file))).await.map(drop)
    }
}
