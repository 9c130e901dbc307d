//! Claims to idempotency keys, and the answers that are given again.

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement, Value};
use sitewatch_domain::{
    Rule,
    idempotency::{IdempotencyClaim, IdempotencyRepository, KeptAnswer},
    ports::StoreError,
};
use uuid::Uuid;

use crate::{
    deadline::Timed,
    error::{is_locked, store_error},
    session::Session,
};

/// How long a request waits for a twin that is under way. On SQLite it waits for its turn to write, as everybody does.
const WAIT_FOR_A_TWIN: &str = "SET LOCAL lock_timeout = '1s'";
const WAIT_AS_BEFORE: &str = "SET LOCAL lock_timeout = DEFAULT";

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> IdempotencyRepository for Session<C> {
    async fn find_answer(&self, claim: &IdempotencyClaim) -> Result<Option<KeptAnswer>, StoreError> {
        let sql = "SELECT fingerprint, answer FROM idempotency_keys \
                   WHERE principal = $1 AND route = $2 AND key_digest = $3 AND expires_at > $4";
        let now = self.shared.clock.now().as_micros();
        let rows = self.query_sql(sql, key_of(claim).into_iter().chain([now.into()])).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let fingerprint: Vec<u8> = row.try_get("", "fingerprint").map_err(store_error)?;
        Ok(Some(KeptAnswer {
            is_same_request: self.shared.notary.has_sealed(&claim.sealed_text(), &fingerprint),
            sealed: row.try_get("", "answer").map_err(store_error)?,
        }))
    }
}

impl Session<Timed<DatabaseTransaction>> {
    /// Takes the claim, in place of one whose time is over.
    pub(crate) async fn take_claim(&self, claim: &IdempotencyClaim) -> Result<(), StoreError> {
        let take = "INSERT INTO idempotency_keys (principal, route, key_digest, fingerprint, created_at, expires_at) \
                    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (principal, route, key_digest) DO UPDATE SET \
                    fingerprint = excluded.fingerprint, resource_id = NULL, answer = NULL, \
                    created_at = excluded.created_at, expires_at = excluded.expires_at \
                    WHERE idempotency_keys.expires_at <= excluded.created_at";
        let rest: [Value; 3] = [
            self.shared.notary.seal(&claim.sealed_text()).into(),
            self.shared.clock.now().as_micros().into(),
            claim.expires_at.as_micros().into(),
        ];
        let take =
            Statement::from_sql_and_values(self.backend(), take, key_of(claim).into_iter().chain(rest));
        let has_locks = self.backend() == DbBackend::Postgres;
        if has_locks {
            self.connection.execute_unprepared(WAIT_FOR_A_TWIN).await.map_err(store_error)?;
        }
        let taken = self.connection.execute_raw(take).await.map_err(|error| {
            if is_locked(&error) {
                StoreError::Conflict(Rule::IdempotencyInFlight)
            } else {
                store_error(error)
            }
        })?;
        if taken.rows_affected() == 0 {
            return Err(StoreError::Conflict(Rule::IdempotencyKey));
        }
        if has_locks {
            self.connection.execute_unprepared(WAIT_AS_BEFORE).await.map_err(store_error)?;
        }
        Ok(())
    }

    /// Writes down what came of the claim.
    pub(crate) async fn settle_claim(
        &self,
        claim: &IdempotencyClaim,
        resource: Option<Uuid>,
        answer: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let settle = "UPDATE idempotency_keys SET resource_id = $4, answer = $5 \
                      WHERE principal = $1 AND route = $2 AND key_digest = $3";
        let outcome: [Value; 2] = [resource.into(), answer.map(<[u8]>::to_vec).into()];
        self.execute_sql(settle, key_of(claim).into_iter().chain(outcome)).await.map(drop)
    }
}

fn key_of(claim: &IdempotencyClaim) -> [Value; 3] {
    [claim.principal.into(), claim.route.clone().into(), claim.key_digest.to_vec().into()]
}
