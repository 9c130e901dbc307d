//! Passwords, and the tokens that replace them.

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, Value};
use sitewatch_domain::{
    access::{ChangePassword, OwnGrant, PlatformGrant, RunJobs},
    ids::{Id, UserId},
    passwords::{OpenReset, PasswordRepository, PasswordReset},
    ports::{PasswordHash, StoreError},
    time::Instant,
};
use uuid::Uuid;

use super::sessions::password_of;
use crate::{
    entities::user,
    error::store_error,
    scope,
    session::{Session, expected},
};

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> PasswordRepository for Session<C> {
    async fn find_password(
        &self,
        grant: &OwnGrant<ChangePassword>,
    ) -> Result<Option<PasswordHash>, StoreError> {
        let row = scope::account(grant.user().uuid()).one(&self.connection).await.map_err(store_error)?;
        Ok(row.and_then(password_of))
    }

    async fn words_about(&self, user: UserId) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT email AS word FROM users WHERE id = $1 \
                   UNION ALL SELECT full_name FROM users WHERE id = $1 \
                   UNION ALL SELECT o.name FROM memberships m JOIN organizations o ON o.id = m.organization_id \
                       WHERE m.user_id = $1 AND m.is_active AND o.is_active";
        let rows = self.query_sql(sql, [user.uuid().into()]).await?;
        rows.iter().map(|row| row.try_get("", "word").map_err(store_error)).collect()
    }

    async fn count_good_api_keys(&self, user: UserId) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) AS good FROM api_keys \
                   WHERE user_id = $1 AND is_active AND (expires_at IS NULL OR expires_at > $2)";
        let now = self.shared.clock.now().as_micros();
        let row = self.query_sql(sql, [user.uuid().into(), now.into()]).await?.into_iter().next();
        let good: i64 = expected(row, "api_keys")?.try_get("", "good").map_err(store_error)?;
        Ok(u64::try_from(good).unwrap_or(0))
    }

    async fn change_password(
        &mut self,
        grant: &OwnGrant<ChangePassword>,
        before: &PasswordHash,
        after: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE users SET password_scheme = $2, password_pepper_id = $3, password_hash = $4 \
                   WHERE id = $1 AND password_hash = $5";
        let user = grant.user();
        let values: [Value; 5] = [
            user.uuid().into(),
            after.scheme.clone().into(),
            after.pepper_id.clone().into(),
            after.hash.expose().clone().into(),
            before.hash.expose().clone().into(),
        ];
        if self.execute_sql(sql, values).await?.rows_affected() == 0 {
            return Ok(false);
        }
        self.use_resets_of(user).await?;
        Ok(true)
    }

    async fn insert_password_reset(
        &mut self,
        _grant: &PlatformGrant<RunJobs>,
        reset: &PasswordReset,
        forget_before: Instant,
        most: u32,
    ) -> Result<bool, StoreError> {
        // Two that are written at once are counted one after the other.
        let user = scope::held::<user::Entity>(user::Column::Id, reset.user_id.uuid());
        self.connection.query_all(&user).await.map_err(store_error)?;
        // Those that still open something stay: a welcome is good for days.
        let forget = "DELETE FROM password_resets WHERE created_at < $1 AND expires_at < $2";
        let moments: [Value; 2] = [forget_before.as_micros().into(), reset.created_at.as_micros().into()];
        self.execute_sql(forget, moments).await?;
        let sql = "INSERT INTO password_resets (id, user_id, email, token_digest, created_at, expires_at) \
                   SELECT $1, $2, $3, $4, $5, $6 \
                   WHERE (SELECT count(*) FROM password_resets WHERE user_id = $2 AND created_at >= $8) < $7";
        let values: [Value; 8] = [
            reset.id.into(),
            reset.user_id.uuid().into(),
            reset.email.as_str().into(),
            reset.token_digest.clone().into(),
            reset.created_at.as_micros().into(),
            reset.expires_at.as_micros().into(),
            i64::from(most).into(),
            forget_before.as_micros().into(),
        ];
        Ok(self.execute_sql(sql, values).await?.rows_affected() == 1)
    }

    async fn find_password_reset(
        &self,
        token_digest: &[u8],
        now: Instant,
    ) -> Result<Option<OpenReset>, StoreError> {
        let sql = "SELECT r.id, r.user_id FROM password_resets r \
                   JOIN users u ON u.id = r.user_id AND u.is_active AND u.email = r.email \
                   WHERE r.token_digest = $1 AND r.used_at IS NULL AND r.expires_at > $2";
        let values: [Value; 2] = [token_digest.to_vec().into(), now.as_micros().into()];
        let rows = self.query_sql(sql, values).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let user: Uuid = row.try_get("", "user_id").map_err(store_error)?;
        let id = row.try_get("", "id").map_err(store_error)?;
        Ok(Some(OpenReset { id, user_id: Id::from_uuid(user) }))
    }

    async fn use_password_reset(
        &mut self,
        reset: &OpenReset,
        password: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let now = self.shared.clock.now().as_micros();
        // Asked again: hashing took its time, and the address may be another one by now.
        let sql = "UPDATE password_resets SET used_at = $2 WHERE id = $1 AND used_at IS NULL AND expires_at > $2 \
                   AND EXISTS (SELECT 1 FROM users WHERE id = password_resets.user_id AND is_active AND email = password_resets.email)";
        let used = self.execute_sql(sql, [reset.id.into(), now.into()]).await?;
        if used.rows_affected() == 0 {
            return Ok(false);
        }
        self.write_password(reset.user_id, password).await?;
        self.use_resets_of(reset.user_id).await?;
        Ok(true)
    }
}

impl<C: ConnectionTrait> Session<C> {
    /// Uses up what is left of a user's tokens. They stay a while, so that they count towards his hour.
    async fn use_resets_of(&self, user: UserId) -> Result<(), StoreError> {
        let sql = "UPDATE password_resets SET used_at = $2 WHERE user_id = $1 AND used_at IS NULL";
        let now = self.shared.clock.now().as_micros();
        self.execute_sql(sql, [user.uuid().into(), now.into()]).await.map(drop)
    }
}
