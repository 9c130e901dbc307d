//! Mails, what came of them, and the addresses that take none.

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};
use sitewatch_domain::{
    access::{PlatformGrant, RunJobs},
    ids::{DeliveryId, Id, OrgId, UserId},
    mail::{Delivery, DeliveryState, MailRepository, Suppression},
    ports::StoreError,
    text::EmailAddress,
    time::Instant,
};
use uuid::Uuid;

use crate::{
    error::{corrupt, store_error},
    scope,
    session::Session,
};

const COLUMNS: &str = "id, organization_id, dedupe_key, recipient, template, params, attachment, secret_sealed, \
                       good_until, message_id, state, attempts, last_error, created_at, sent_at";
const TAKES_NONE: &str = "this address takes no mail";

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> MailRepository for Session<C> {
    async fn insert_delivery(&mut self, delivery: &Delivery) -> Result<bool, StoreError> {
        // A letter to a user about himself is the installation's.
        if delivery.organization_id.is_none() {
            self.leave_the_wall().await?;
        }
        let sql = "INSERT INTO deliveries (id, organization_id, dedupe_key, recipient, template, params, attachment, secret_sealed, \
                   good_until, state, last_error, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
                   ON CONFLICT (dedupe_key) DO NOTHING";
        let values: [Value; 12] = [
            delivery.id.uuid().into(),
            delivery.organization_id.map(OrgId::uuid).into(),
            delivery.dedupe_key.clone().into(),
            delivery.recipient.as_str().into(),
            delivery.template.clone().into(),
            delivery.params.clone().into(),
            delivery.attachment.into(),
            delivery.sealed_secret.clone().into(),
            delivery.good_until.map(Instant::as_micros).into(),
            delivery.state.name().into(),
            delivery.last_error.clone().into(),
            delivery.created_at.as_micros().into(),
        ];
        Ok(self.execute_sql(sql, values).await?.rows_affected() > 0)
    }

    async fn find_address(&self, user: UserId) -> Result<Option<EmailAddress>, StoreError> {
        let row = scope::account(user.uuid()).one(&self.connection).await.map_err(store_error)?;
        let Some(row) = row.filter(|row| row.is_active) else { return Ok(None) };
        row.email.parse().map(Some).map_err(|_| corrupt("users", "email", row.id))
    }

    async fn is_address_of_user(
        &self,
        _grant: &PlatformGrant<RunJobs>,
        address: &EmailAddress,
    ) -> Result<bool, StoreError> {
        let row = scope::login(address.as_str()).one(&self.connection).await.map_err(store_error)?;
        Ok(row.is_some())
    }

    async fn find_delivery(
        &self,
        _grant: &PlatformGrant<RunJobs>,
        dedupe_key: &str,
    ) -> Result<Option<Delivery>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM deliveries WHERE dedupe_key = $1");
        self.query_sql(&sql, [dedupe_key.into()]).await?.first().map(delivery_of).transpose()
    }

    async fn claim_delivery(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        id: DeliveryId,
        message_id: &str,
    ) -> Result<Option<Delivery>, StoreError> {
        // Whoever runs a job again whose mail was given up wants it tried again.
        let takes_none = "EXISTS (SELECT 1 FROM mail_suppressions s WHERE s.address = recipient)";
        let sql = format!(
            "UPDATE deliveries SET state = CASE WHEN {takes_none} THEN 'suppressed' ELSE 'claimed' END, \
                 attempts = CASE WHEN {takes_none} THEN attempts ELSE attempts + 1 END, \
                 last_error = CASE WHEN {takes_none} THEN $3 ELSE last_error END, \
                 secret_sealed = CASE WHEN {takes_none} THEN NULL ELSE secret_sealed END, \
                 message_id = COALESCE(message_id, $2) \
             WHERE id = $1 AND state IN ('queued', 'claimed', 'failed') RETURNING {COLUMNS}"
        );
        let values: [Value; 3] = [id.uuid().into(), message_id.into(), TAKES_NONE.into()];
        self.query_sql(&sql, values).await?.first().map(delivery_of).transpose()
    }

    async fn settle_delivery(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        id: DeliveryId,
        state: DeliveryState,
        error: Option<&str>,
        at: Instant,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE deliveries SET state = $2, last_error = $3, sent_at = $4, \
                   secret_sealed = CASE WHEN $5 THEN secret_sealed END WHERE id = $1";
        let keeps_secret = state == DeliveryState::Queued;
        let sent_at = (state == DeliveryState::Sent).then_some(at.as_micros());
        let values: [Value; 5] = [
            id.uuid().into(),
            state.name().into(),
            error.map(str::to_owned).into(),
            sent_at.into(),
            keeps_secret.into(),
        ];
        self.execute_sql(sql, values).await.map(drop)
    }

    async fn suppress_address(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        address: &EmailAddress,
        reason: &str,
        at: Instant,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO mail_suppressions (address, reason, created_at) VALUES ($1, $2, $3) \
                   ON CONFLICT (address) DO NOTHING";
        let values: [Value; 3] = [address.as_str().into(), reason.into(), at.as_micros().into()];
        self.execute_sql(sql, values).await.map(drop)
    }

    async fn list_suppressions(
        &self,
        _grant: &PlatformGrant<RunJobs>,
        limit: u32,
    ) -> Result<Vec<Suppression>, StoreError> {
        let sql = "SELECT address, reason, created_at FROM mail_suppressions ORDER BY created_at DESC, address LIMIT $1";
        self.query_sql(sql, [i64::from(limit).into()]).await?.iter().map(suppression_of).collect()
    }

    async fn lift_suppression(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        address: &EmailAddress,
    ) -> Result<Option<Suppression>, StoreError> {
        let sql = "DELETE FROM mail_suppressions WHERE address = $1 RETURNING address, reason, created_at";
        self.query_sql(sql, [address.as_str().into()]).await?.first().map(suppression_of).transpose()
    }
}

fn suppression_of(row: &QueryResult) -> Result<Suppression, StoreError> {
    let text = |column: &str| row.try_get::<String>("", column).map_err(store_error);
    let address = text("address")?;
    Ok(Suppression {
        address: address.parse().map_err(|_| corrupt("mail_suppressions", "address", address))?,
        reason: text("reason")?,
        created_at: Instant::from_micros(row.try_get("", "created_at").map_err(store_error)?),
    })
}

fn delivery_of(row: &QueryResult) -> Result<Delivery, StoreError> {
    let id: Uuid = row.try_get("", "id").map_err(store_error)?;
    let text = |column: &str| row.try_get::<String>("", column).map_err(store_error);
    let (recipient, state) = (text("recipient")?, text("state")?);
    let recipient = recipient.parse().map_err(|_| corrupt("deliveries", "recipient", id))?;
    let state = DeliveryState::from_name(&state).ok_or_else(|| corrupt("deliveries", "state", id))?;
    read(row, id, recipient, state).map_err(store_error)
}

fn read(
    row: &QueryResult,
    id: Uuid,
    recipient: EmailAddress,
    state: DeliveryState,
) -> Result<Delivery, DbErr> {
    let organization_id: Option<Uuid> = row.try_get("", "organization_id")?;
    let attempts: i32 = row.try_get("", "attempts")?;
    let good_until: Option<i64> = row.try_get("", "good_until")?;
    let sent_at: Option<i64> = row.try_get("", "sent_at")?;
    Ok(Delivery {
        id: Id::from_uuid(id),
        organization_id: organization_id.map(Id::from_uuid),
        dedupe_key: row.try_get("", "dedupe_key")?,
        recipient,
        template: row.try_get("", "template")?,
        params: row.try_get("", "params")?,
        attachment: row.try_get("", "attachment")?,
        sealed_secret: row.try_get("", "secret_sealed")?,
        good_until: good_until.map(Instant::from_micros),
        message_id: row.try_get("", "message_id")?,
        state,
        attempts: u32::try_from(attempts).unwrap_or(0),
        last_error: row.try_get("", "last_error")?,
        created_at: Instant::from_micros(row.try_get("", "created_at")?),
        sent_at: sent_at.map(Instant::from_micros),
    })
}
