//! What belongs to the installation as a whole.

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, PaginatorTrait as _, Statement};
use sitewatch_domain::{
    access::{ManageUsers, PlatformGrant},
    ports::StoreError,
    setup::SetupRepository,
};

use crate::{
    error::{corrupt, store_error},
    migrate::has_table,
    scope,
    session::{Session, expected},
};

const SETUP_TOKEN: &str = "setup_token_digest";
const KEY_FINGERPRINTS: &str = "key_fingerprints";

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> SetupRepository for Session<C> {
    async fn has_superuser(&self) -> Result<bool, StoreError> {
        Ok(scope::superusers().count(&self.connection).await.map_err(store_error)? > 0)
    }

    async fn setup_token(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(text) = self.installation(SETUP_TOKEN).await? else { return Ok(None) };
        let digest: Vec<u8> =
            serde_json::from_str(&text).map_err(|_| corrupt("installation", "value", SETUP_TOKEN))?;
        Ok(Some(digest))
    }

    async fn put_setup_token(
        &mut self,
        _grant: &PlatformGrant<ManageUsers>,
        digest: &[u8],
    ) -> Result<(), StoreError> {
        self.put_installation(SETUP_TOKEN, &text_of(digest)).await
    }

    async fn take_setup_token(
        &mut self,
        _grant: &PlatformGrant<ManageUsers>,
        digest: &[u8],
    ) -> Result<bool, StoreError> {
        let sql = "DELETE FROM installation WHERE name = $1 AND value = $2";
        let deleted = self.execute_sql(sql, [SETUP_TOKEN.into(), text_of(digest).into()]).await?;
        Ok(deleted.rows_affected() == 1)
    }

    async fn claim_key_fingerprints(
        &mut self,
        _grant: &PlatformGrant<ManageUsers>,
        fingerprints: &[String],
    ) -> Result<Vec<String>, StoreError> {
        // Written if there are none and only then read: a second node waits here for the first one's transaction.
        let sql = "INSERT INTO installation (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        self.execute_sql(sql, [KEY_FINGERPRINTS.into(), text_of(fingerprints).into()]).await?;
        let held = match self.backend() {
            DbBackend::Postgres => "SELECT value FROM installation WHERE name = $1 FOR UPDATE",
            _ => "SELECT value FROM installation WHERE name = $1",
        };
        let row = self.query_sql(held, [KEY_FINGERPRINTS.into()]).await?.into_iter().next();
        let text: String = expected(row, KEY_FINGERPRINTS)?.try_get("", "value").map_err(store_error)?;
        serde_json::from_str(&text).map_err(|_| corrupt("installation", "value", KEY_FINGERPRINTS))
    }

    async fn put_key_fingerprints(
        &mut self,
        _grant: &PlatformGrant<ManageUsers>,
        fingerprints: &[String],
    ) -> Result<(), StoreError> {
        self.put_installation(KEY_FINGERPRINTS, &text_of(fingerprints)).await
    }
}

impl<C: ConnectionTrait> Session<C> {
    async fn installation(&self, name: &str) -> Result<Option<String>, StoreError> {
        let rows = self.query_sql("SELECT value FROM installation WHERE name = $1", [name.into()]).await?;
        rows.first().map(|row| row.try_get("", "value").map_err(store_error)).transpose()
    }

    async fn put_installation(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO installation (name, value) VALUES ($1, $2) \
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.execute_sql(sql, [name.into(), value.into()]).await.map(drop)
    }
}

/// Whether there are fingerprints; none in a database without a schema.
pub(crate) async fn has_key_fingerprints(connection: &DatabaseConnection) -> Result<bool, DbErr> {
    if !has_table(connection, "installation").await? {
        return Ok(false);
    }
    let sql = "SELECT 1 AS found FROM installation WHERE name = $1";
    let statement =
        Statement::from_sql_and_values(connection.get_database_backend(), sql, [KEY_FINGERPRINTS.into()]);
    Ok(connection.query_one_raw(statement).await?.is_some())
}

/// A list as the table keeps it.
fn text_of<T: Clone + Into<serde_json::Value>>(list: &[T]) -> String {
    serde_json::Value::from(list).to_string()
}
