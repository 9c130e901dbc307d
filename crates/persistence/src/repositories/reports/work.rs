//! What the worker asks while it makes reports.

use sea_orm::{ConnectionTrait, QueryResult, Select, Value};
use sitewatch_domain::{
    ids::{Id, JobId, MetricId, OrgId, ReportRunId, UserId},
    jobs::Job as _,
    memberships::MemberRole,
    metrics::MetricKind,
    ports::StoreError,
    reports::{BuildReport, MetricLabel, Recipient, ReportRun, WaitingRuns},
};
use uuid::Uuid;

use super::{IDS, RunRow, run_of, with_job};
use crate::{
    entities::{organization, report_run},
    error::{corrupt, store_error},
    repositories::placeholders,
    scope,
    session::Session,
};

impl<C: ConnectionTrait> Session<C> {
    pub(super) async fn run(
        &self,
        rows: Select<report_run::Entity>,
    ) -> Result<Option<ReportRun>, StoreError> {
        let row: Option<RunRow> =
            with_job(rows).into_model().one(&self.connection).await.map_err(store_error)?;
        row.map(run_of).transpose()
    }

    pub(super) async fn waiting(&self, org: OrgId, run: &ReportRun) -> Result<WaitingRuns, StoreError> {
        let hold = scope::held::<organization::Entity>(organization::Column::Id, org.uuid());
        self.connection.query_one(&hold).await.map_err(store_error)?;
        let same = "SELECT r.id, r.job_id FROM report_runs r JOIN jobs j ON j.id = r.job_id AND j.state = 'ready' \
                    WHERE r.organization_id = $1 AND r.report_id = $2 AND r.period = $3 AND r.zone = $4 AND r.format = $5 \
                    AND r.file_id IS NULL ORDER BY CASE WHEN r.created_by = $6 THEN 0 ELSE 1 END, r.id LIMIT 1";
        let values: [Value; 6] = [
            org.uuid().into(),
            run.report_id.uuid().into(),
            run.period.clone().into(),
            run.timezone.clone().into(),
            run.format.name().into(),
            run.created_by.map(UserId::uuid).into(),
        ];
        let same = self.query_sql(same, values).await?.first().map(ids_of_run).transpose()?;
        let count = "SELECT count(*) AS of_all, count(CASE WHEN created_by IS NOT DISTINCT FROM $3 THEN 1 END) AS of_user \
                     FROM jobs WHERE state = 'ready' AND lane = $1 AND kind = $2 AND organization_id = $4 AND request_id IS NOT NULL";
        let values: [Value; 4] = [
            BuildReport::LANE.name().into(),
            BuildReport::KIND.into(),
            run.created_by.map(UserId::uuid).into(),
            org.uuid().into(),
        ];
        let rows = self.query_sql(count, values).await?;
        let row = crate::session::expected(rows.first(), "a count")?;
        let number = |column: &str| {
            let number: i64 = row.try_get("", column).map_err(store_error)?;
            Ok::<_, StoreError>(u64::try_from(number).unwrap_or(0))
        };
        Ok(WaitingRuns { same, of_user: number("of_user")?, of_all: number("of_all")? })
    }

    pub(super) async fn metric_labels(&self, ids: &[MetricId]) -> Result<Vec<MetricLabel>, StoreError> {
        let mut labels = Vec::with_capacity(ids.len());
        for some in ids.chunks(IDS) {
            let places = placeholders(1, some.len());
            let sql = format!("SELECT id, name, kind FROM metrics WHERE id IN ({places})");
            for row in self.query_sql(&sql, some.iter().map(|id| Value::from(id.uuid()))).await? {
                labels.push(label_of(&row)?);
            }
        }
        Ok(labels)
    }

    pub(super) async fn recipients(
        &self,
        org: OrgId,
        users: &[UserId],
    ) -> Result<Vec<Recipient>, StoreError> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT u.id, u.email, u.is_active, u.is_superuser, m.role FROM users u \
             LEFT JOIN memberships m ON m.user_id = u.id AND m.organization_id = $1 AND m.is_active \
             WHERE u.id IN ({})",
            placeholders(2, users.len())
        );
        let ids = users.iter().map(|user| Value::from(user.uuid()));
        let rows = self.query_sql(&sql, std::iter::once(Value::from(org.uuid())).chain(ids)).await?;
        rows.iter().map(recipient_of).collect()
    }
}

fn label_of(row: &QueryResult) -> Result<MetricLabel, StoreError> {
    let id: Uuid = row.try_get("", "id").map_err(store_error)?;
    let kind: String = row.try_get("", "kind").map_err(store_error)?;
    Ok(MetricLabel {
        id: Id::from_uuid(id),
        name: row.try_get("", "name").map_err(store_error)?,
        kind: MetricKind::from_name(&kind).ok_or_else(|| corrupt("metrics", "kind", id))?,
    })
}

fn recipient_of(row: &QueryResult) -> Result<Recipient, StoreError> {
    let id: Uuid = row.try_get("", "id").map_err(store_error)?;
    let email: String = row.try_get("", "email").map_err(store_error)?;
    let role: Option<String> = row.try_get("", "role").map_err(store_error)?;
    let role = match role {
        Some(name) => Some(MemberRole::from_name(&name).ok_or_else(|| corrupt("memberships", "role", id))?),
        None => None,
    };
    Ok(Recipient {
        user_id: Id::from_uuid(id),
        email: email.parse().map_err(|_| corrupt("users", "email", id))?,
        is_active: row.try_get("", "is_active").map_err(store_error)?,
        is_superuser: row.try_get("", "is_superuser").map_err(store_error)?,
        role,
    })
}

fn ids_of_run(row: &QueryResult) -> Result<(ReportRunId, JobId), StoreError> {
    let id = |column: &str| row.try_get::<Uuid>("", column).map_err(store_error);
    Ok((Id::from_uuid(id("id")?), Id::from_uuid(id("job_id")?)))
}
