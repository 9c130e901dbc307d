//! Sessions, and the standing that every request reads.

use async_trait::async_trait;
use sea_orm::{
    ColumnTrait, ConnectionTrait, QueryFilter, QuerySelect, Set, UpdateMany, Value,
    sea_query::{LockBehavior, LockType},
};
use sitewatch_domain::{
    Rule,
    access::{Grant, ManageSessions},
    ids::{Id, SessionId, UserId},
    page::{Direction, Listing, Page},
    ports::{PasswordHash, StoreError},
    sessions::{
        LiveSession, LockedAccount, LoginRecord, RevokeReason, Session as SignIn, SessionRepository,
        SessionSort, SessionsGrant,
    },
    text::{EmailAddress, Secret},
    time::Instant,
};

use crate::{
    entities::{
        session::{ActiveModel, Column, Entity, Model},
        user,
    },
    error::{corrupt, is_locked, store_error},
    paging::{SortColumn, page},
    scope,
    session::Session,
};

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> SessionRepository for Session<C> {
    async fn find_login(&self, email: &EmailAddress) -> Result<Option<LoginRecord>, StoreError> {
        let row = scope::login(email.as_str()).one(&self.connection).await.map_err(store_error)?;
        Ok(row.map(|row| LoginRecord { user_id: Id::from_uuid(row.id), password: password_of(row) }))
    }

    async fn find_standing(
        &self,
        session: SessionId,
        now: Instant,
    ) -> Result<Option<LiveSession>, StoreError> {
        let found = match &self.standings {
            Some(questions) => questions.sessions.ask(session).await?,
            None => super::standing::find(&self.connection, &[session]).await?.remove(&session),
        };
        Ok(found.and_then(|found| found.at(now)))
    }

    async fn lock_session(&mut self, id: SessionId) -> Result<Option<SignIn>, StoreError> {
        let rows = scope::session(id.uuid()).lock_with_behavior(LockType::Update, LockBehavior::Nowait);
        let row = rows.one(&self.connection).await.map_err(|error| {
            if is_locked(&error) { StoreError::Conflict(Rule::RefreshInFlight) } else { store_error(error) }
        })?;
        row.map(session_of).transpose()
    }

    async fn find_is_superuser(&self, user: UserId) -> Result<Option<bool>, StoreError> {
        let row = scope::account(user.uuid()).one(&self.connection).await.map_err(store_error)?;
        Ok(row.filter(|row| row.is_active).map(|row| row.is_superuser))
    }

    async fn lock_account(&mut self, user: UserId) -> Result<Option<LockedAccount>, StoreError> {
        let row = scope::account(user.uuid()).lock(LockType::NoKeyUpdate).one(&self.connection).await;
        let row = row.map_err(store_error)?.filter(|row| row.is_active);
        Ok(row.map(|row| LockedAccount { is_superuser: row.is_superuser, password: password_of(row) }))
    }

    async fn insert_session(&mut self, session: &SignIn) -> Result<(), StoreError> {
        let row = ActiveModel {
            id: Set(session.id.uuid()),
            user_id: Set(session.user_id.uuid()),
            created_at: Set(session.created_at.as_micros()),
            idle_until: Set(session.idle_until.as_micros()),
            absolute_until: Set(session.absolute_until.as_micros()),
            refresh_counter: Set(session.refresh_counter),
            refresh_confirmed: Set(session.refresh_confirmed),
            confirmed_at: Set(session.confirmed_at.map(Instant::as_micros)),
            rotated_at: Set(session.rotated_at.as_micros()),
            grace_uses: Set(i32::try_from(session.grace_uses).unwrap_or(i32::MAX)),
            client_hash: Set(session.client_kind.clone()),
            refresh_key_sealed: Set(session.sealed_key.clone()),
            client: Set(session.client.clone()),
            user_agent: Set(session.user_agent.clone()),
            revoked_at: Set(None),
            revoke_reason: Set(None),
        };
        self.insert(row).await
    }

    async fn confirm_session(&mut self, id: SessionId, counter: i64, at: Instant) -> Result<(), StoreError> {
        let sql = "UPDATE sessions SET refresh_confirmed = $2, confirmed_at = $3 \
                   WHERE id = $1 AND refresh_counter = $2 AND refresh_confirmed < $2";
        self.execute_sql(sql, [id.uuid().into(), counter.into(), at.as_micros().into()]).await.map(drop)
    }

    async fn rotate_session(&mut self, session: &SignIn) -> Result<(), StoreError> {
        let row = ActiveModel {
            refresh_counter: Set(session.refresh_counter),
            refresh_confirmed: Set(session.refresh_confirmed),
            confirmed_at: Set(session.confirmed_at.map(Instant::as_micros)),
            rotated_at: Set(session.rotated_at.as_micros()),
            grace_uses: Set(i32::try_from(session.grace_uses).unwrap_or(i32::MAX)),
            client_hash: Set(session.client_kind.clone()),
            idle_until: Set(session.idle_until.as_micros()),
            ..Default::default()
        };
        self.update(scope::many::<Entity>().filter(Column::Id.eq(session.id.uuid())).set(row)).await.map(drop)
    }

    async fn list_sessions(
        &self,
        grant: &Grant<ManageSessions>,
        user: UserId,
        now: Instant,
        listing: &Listing<(), SessionSort>,
    ) -> Result<Page<SignIn>, StoreError> {
        let rows = scope::sessions(grant)
            .filter(Column::UserId.eq(user.uuid()))
            .filter(Column::RevokedAt.is_null())
            .filter(Column::IdleUntil.gt(now.as_micros()))
            .filter(Column::AbsoluteUntil.gt(now.as_micros()));
        let newest = [(SessionSort::CreatedAt, Direction::Descending)];
        let asked = if listing.sort.is_empty() { &newest[..] } else { &listing.sort };
        let key = |key| match key {
            SessionSort::CreatedAt => SortColumn::Always(Column::CreatedAt),
            SessionSort::LastUsedAt => SortColumn::Always(Column::RotatedAt),
        };
        let sort = super::sort_or(asked, key, Column::CreatedAt);
        let page: Page<Model> =
            page(&self.connection, rows, sort, Column::Id, (listing.page, listing.total)).await?;
        super::try_map(page, session_of)
    }

    async fn end_session(
        &mut self,
        grant: &SessionsGrant,
        id: SessionId,
        at: Instant,
        reason: RevokeReason,
    ) -> Result<bool, StoreError> {
        let row = not_ended()
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::UserId.eq(grant.user().uuid()))
            .filter(Column::IdleUntil.gt(at.as_micros()))
            .filter(Column::AbsoluteUntil.gt(at.as_micros()));
        Ok(self.update(row.set(ended(at, reason))).await? == 1)
    }

    async fn end_sessions(
        &mut self,
        user: UserId,
        except: Option<SessionId>,
        at: Instant,
        reason: RevokeReason,
    ) -> Result<(), StoreError> {
        let mut rows = not_ended().filter(Column::UserId.eq(user.uuid()));
        if let Some(except) = except {
            rows = rows.filter(Column::Id.ne(except.uuid()));
        }
        self.update(rows.set(ended(at, reason))).await.map(drop)
    }

    async fn is_new_address(&self, user: UserId, client: &str) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM users WHERE id = $1 AND last_login_at IS NOT NULL) \
                   AND NOT EXISTS (SELECT 1 FROM sessions WHERE user_id = $1 AND client = $2) AS is_new";
        let values: [Value; 2] = [user.uuid().into(), client.into()];
        let rows = self.query_sql(sql, values).await?;
        rows.first().map_or(Ok(false), |row| row.try_get("", "is_new").map_err(store_error))
    }

    async fn revoke_session(
        &mut self,
        id: SessionId,
        at: Instant,
        reason: RevokeReason,
    ) -> Result<(), StoreError> {
        let row = not_ended().filter(Column::Id.eq(id.uuid())).set(ended(at, reason));
        self.update(row).await.map(drop)
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

/// The hash of a user's password, if he has one.
pub(super) fn password_of(row: user::Model) -> Option<PasswordHash> {
    let (scheme, hash) = row.password_scheme.zip(row.password_hash)?;
    let pepper_id = row.password_pepper_id.unwrap_or_default();
    Some(PasswordHash { scheme, pepper_id, hash: Secret::new(hash) })
}

/// Sessions that have not been ended before; the caller says which.
fn not_ended() -> UpdateMany<Entity> {
    scope::many::<Entity>().filter(Column::RevokedAt.is_null())
}

fn ended(at: Instant, reason: RevokeReason) -> ActiveModel {
    ActiveModel {
        revoked_at: Set(Some(at.as_micros())),
        revoke_reason: Set(Some(reason.name().to_owned())),
        ..Default::default()
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
        refresh_confirmed: row.refresh_confirmed,
        confirmed_at: row.confirmed_at.map(Instant::from_micros),
        rotated_at: Instant::from_micros(row.rotated_at),
        grace_uses: u32::try_from(row.grace_uses).unwrap_or(0),
        client_kind: row.client_hash,
        sealed_key: row.refresh_key_sealed,
        client: row.client,
        user_agent: row.user_agent,
        revoked_at: row.revoked_at.map(Instant::from_micros),
        revoke_reason,
    })
}
