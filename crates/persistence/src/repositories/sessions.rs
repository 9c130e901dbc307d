//! Sessions, and the standing that every request reads.

use async_trait::async_trait;
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, QuerySelect, Set};
use sitewatch_domain::{
    access::Standing,
    ids::{Id, SessionId, UserId},
    ports::{PasswordHash, StoreError},
    sessions::{LoginRecord, RevokeReason, Session as SignIn, SessionRepository},
    text::{EmailAddress, Secret},
    time::Instant,
};

use crate::{
    entities::session::{ActiveModel, Column, Entity, Model},
    error::{corrupt, store_error},
    scope,
    session::Session,
};

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> SessionRepository for Session<C> {
    async fn find_login(&self, email: &EmailAddress) -> Result<Option<LoginRecord>, StoreError> {
        let row = scope::login(email.as_str()).one(&self.connection).await.map_err(store_error)?;
        Ok(row.map(|row| {
            let password = match (row.password_scheme, row.password_hash) {
                (Some(scheme), Some(hash)) => Some(PasswordHash {
                    scheme,
                    pepper_id: row.password_pepper_id.unwrap_or_default(),
                    hash: Secret::new(hash),
                }),
                _ => None,
            };
            LoginRecord { user_id: Id::from_uuid(row.id), password }
        }))
    }

    async fn find_standing(&self, session: SessionId, now: Instant) -> Result<Option<Standing>, StoreError> {
        let found = match &self.standings {
            Some(questions) => questions.sessions.ask(session).await?,
            None => super::standing::find(&self.connection, &[session]).await?.remove(&session),
        };
        Ok(found.and_then(|found| found.at(now)))
    }

    async fn lock_session(&mut self, id: SessionId) -> Result<Option<SignIn>, StoreError> {
        let row = scope::session(id.uuid()).lock_exclusive().one(&self.connection).await;
        row.map_err(store_error)?.map(session_of).transpose()
    }

    async fn is_user_active(&self, user: UserId) -> Result<bool, StoreError> {
        let row = scope::account(user.uuid()).one(&self.connection).await.map_err(store_error)?;
        Ok(row.is_some_and(|row| row.is_active))
    }

    async fn insert_session(&mut self, session: &SignIn) -> Result<(), StoreError> {
        let row = ActiveModel {
            id: Set(session.id.uuid()),
            user_id: Set(session.user_id.uuid()),
            created_at: Set(session.created_at.as_micros()),
            idle_until: Set(session.idle_until.as_micros()),
            absolute_until: Set(session.absolute_until.as_micros()),
            refresh_counter: Set(session.refresh_counter),
            rotated_at: Set(session.rotated_at.as_micros()),
            refresh_key_sealed: Set(session.sealed_key.clone()),
            client: Set(session.client.clone()),
            user_agent: Set(session.user_agent.clone()),
            revoked_at: Set(None),
            revoke_reason: Set(None),
        };
        self.insert(row).await
    }

    async fn rotate_session(&mut self, session: &SignIn) -> Result<(), StoreError> {
        let row = ActiveModel {
            refresh_counter: Set(session.refresh_counter),
            rotated_at: Set(session.rotated_at.as_micros()),
            idle_until: Set(session.idle_until.as_micros()),
            ..Default::default()
        };
        self.update(scope::many::<Entity>().filter(Column::Id.eq(session.id.uuid())).set(row)).await.map(drop)
    }

    async fn revoke_session(
        &mut self,
        id: SessionId,
        at: Instant,
        reason: RevokeReason,
    ) -> Result<(), StoreError> {
        let row = ActiveModel {
            revoked_at: Set(Some(at.as_micros())),
            revoke_reason: Set(Some(reason.name().to_owned())),
            ..Default::default()
        };
        let rows =
            scope::many::<Entity>().filter(Column::Id.eq(id.uuid())).filter(Column::RevokedAt.is_null());
        self.update(rows.set(row)).await.map(drop)
    }

    async fn record_login(
        &mut self,
        user: UserId,
        at: Instant,
        new_hash: Option<&PasswordHash>,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE users SET last_login_at = $1 WHERE id = $2";
        self.execute_sql(sql, [at.as_micros().into(), user.uuid().into()]).await?;
        match new_hash {
            Some(hash) => self.write_password(user, hash).await,
            None => Ok(()),
        }
    }
}

fn session_of(row: Model) -> Result<SignIn, StoreError> {
    let revoke_reason = match row.revoke_reason.as_deref() {
        Some(name) => {
            Some(RevokeReason::from_name(name).ok_or_else(|| corrupt("sessions", "revoke_reason", row.id))?)
        }
        None => None,
    };
    Ok(SignIn {
        id: Id::from_uuid(row.id),
        user_id: Id::from_uuid(row.user_id),
        created_at: Instant::from_micros(row.created_at),
        idle_until: Instant::from_micros(row.idle_until),
        absolute_until: Instant::from_micros(row.absolute_until),
        refresh_counter: row.refresh_counter,
        rotated_at: Instant::from_micros(row.rotated_at),
        sealed_key: row.refresh_key_sealed,
        client: row.client,
        user_agent: row.user_agent,
        revoked_at: row.revoked_at.map(Instant::from_micros),
        revoke_reason,
    })
}
