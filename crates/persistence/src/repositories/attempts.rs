//! Attempts to sign in, counted.

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Value};
use sitewatch_domain::{
    ports::StoreError,
    throttle::{AccountKey, AttemptRepository, Attempts, Counter, Place},
    time::Instant,
};

use crate::{
    error::store_error,
    session::{Session, expected},
};

/// The place of the counter of all places where an account has never been signed in.
const ELSEWHERE: &str = "";

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> AttemptRepository for Session<C> {
    async fn lock_attempts(
        &mut self,
        account: &AccountKey,
        place: Option<&Place>,
    ) -> Result<Attempts, StoreError> {
        // Made if there is none and touched in any case: two attempts at once wait for each other, the first ones of all too.
        let sql = "INSERT INTO attempts (account, place, failures, next_at, forget_at) VALUES ($1, $2, 0, 0, 0) \
                   ON CONFLICT (account, place) DO UPDATE SET failures = attempts.failures \
                   RETURNING failures, next_at, forget_at";
        let row = self.query_sql(sql, [digest(account), ELSEWHERE.into()]).await?.into_iter().next();
        let elsewhere = counter_of(&expected(row, "attempts")?)?;
        let held = match self.backend() {
            DbBackend::Postgres => " FOR UPDATE",
            _ => "",
        };
        let sql = format!(
            "SELECT failures, next_at, forget_at FROM attempts WHERE account = $1 AND place = $2{held}"
        );
        let here = match place {
            Some(place) => self.query_sql(&sql, [digest(account), place.as_str().into()]).await?,
            None => Vec::new(),
        };
        Ok(Attempts { elsewhere, here: here.first().map(counter_of).transpose()? })
    }

    async fn write_attempts(
        &mut self,
        account: &AccountKey,
        place: Option<&Place>,
        counter: &Counter,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO attempts (account, place, failures, next_at, forget_at) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (account, place) DO UPDATE SET failures = excluded.failures, next_at = excluded.next_at, \
                   forget_at = excluded.forget_at";
        let values: [Value; 5] = [
            digest(account),
            name(place).into(),
            i64::from(counter.failures).into(),
            counter.next_at.as_micros().into(),
            counter.forget_at.as_micros().into(),
        ];
        self.execute_sql(sql, values).await.map(drop)
    }
}

fn digest(account: &AccountKey) -> Value {
    account.digest().to_vec().into()
}

fn name(place: Option<&Place>) -> &str {
    place.map_or(ELSEWHERE, Place::as_str)
}

fn counter_of(row: &QueryResult) -> Result<Counter, StoreError> {
    let number = |column: &str| row.try_get::<i64>("", column).map_err(store_error);
    Ok(Counter {
        failures: u32::try_from(number("failures")?).unwrap_or(u32::MAX),
        next_at: Instant::from_micros(number("next_at")?),
        forget_at: Instant::from_micros(number("forget_at")?),
    })
}
