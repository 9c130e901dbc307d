//! Users.

use async_trait::async_trait;
use sea_orm::{
    ActiveValue, ColumnTrait, ConnectionTrait, QueryFilter, QueryOrder as _, QuerySelect, QueryTrait as _,
    Set,
};
use sitewatch_domain::{
    access::{EditProfile, Grant, ListUsers, ManageUsers, OwnGrant, PlatformGrant, ReadProfiles},
    ids::{Id, UserId},
    page::{Listing, Page},
    ports::{PasswordHash, StoreError},
    sessions::{RevokeReason, SessionRepository as _},
    stamp::Revision,
    time::Instant,
    users::{User, UserFilter, UserRepository, UserSort},
};

use crate::{
    entities::{
        membership,
        user::{ActiveModel, Column, Entity, Model},
    },
    error::{corrupt, store_error},
    paging::{SortColumn, between, page, searched},
    scope,
    session::Session,
    stamp,
};

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> UserRepository for Session<C> {
    async fn find_user(&self, grant: &Grant<ReadProfiles>, id: UserId) -> Result<Option<User>, StoreError> {
        let row = scope::users(grant).filter(Column::Id.eq(id.uuid())).one(&self.connection).await;
        row.map_err(store_error)?.map(user_of).transpose()
    }

    async fn list_users(
        &self,
        grant: &Grant<ListUsers>,
        listing: &Listing<UserFilter, UserSort>,
    ) -> Result<Page<User>, StoreError> {
        let filter = &listing.filter;
        let rows = scope::users(grant)
            .filter(between(Column::CreatedAt, filter.created_at))
            .apply_if(filter.email.as_ref(), |rows, email| {
                rows.filter(Column::Email.eq(email.to_lowercase()))
            })
            .apply_if(filter.organization, |rows, org| rows.filter(scope::is_member_of(org)))
            .apply_if(filter.is_superuser, |rows, is| rows.filter(Column::IsSuperuser.eq(is)));
        let rows = searched(rows, listing.search.as_deref(), &[Column::FullName, Column::Email]);
        let key = |key| match key {
            UserSort::CreatedAt => SortColumn::Always(Column::CreatedAt),
            UserSort::UpdatedAt => SortColumn::Nullable(Column::UpdatedAt),
            UserSort::FullName => SortColumn::Always(Column::FullName),
            UserSort::Email => SortColumn::Always(Column::Email),
            UserSort::LastLoginAt => SortColumn::Nullable(Column::LastLoginAt),
        };
        let sort = super::sort_or(&listing.sort, key, Column::CreatedAt);
        let page: Page<Model> =
            page(&self.connection, rows, sort, Column::Id, (listing.page, listing.total)).await?;
        super::try_map(page, user_of)
    }

    async fn insert_user(
        &mut self,
        grant: &PlatformGrant<ManageUsers>,
        user: &User,
        password: Option<&PasswordHash>,
    ) -> Result<(), StoreError> {
        let row = ActiveModel {
            id: Set(user.id.uuid()),
            last_login_at: Set(None),
            password_scheme: Set(password.map(|hash| hash.scheme.clone())),
            password_pepper_id: Set(password.map(|hash| hash.pepper_id.clone())),
            password_hash: Set(password.map(|hash| hash.hash.expose().clone())),
            ..columns(user)
        };
        self.insert(row.stamped(stamp::made(grant.author(), &user.stamp))).await
    }

    async fn update_user(
        &mut self,
        grant: &PlatformGrant<ManageUsers>,
        user: &User,
        seen: Revision,
    ) -> Result<bool, StoreError> {
        let row = columns(user).stamped(stamp::changed(grant.author(), &user.stamp));
        Ok(self.update(seen_user(user.id, seen).set(row)).await? == 1)
    }

    async fn update_profile(
        &mut self,
        grant: &OwnGrant<EditProfile>,
        user: &User,
        seen: Revision,
    ) -> Result<bool, StoreError> {
        let row = ActiveModel {
            full_name: Set(user.full_name.clone()),
            locale: Set(user.locale.clone()),
            timezone: Set(user.timezone.clone()),
            ..Default::default()
        };
        let row = row.stamped(stamp::changed(grant.author(), &user.stamp));
        Ok(self.update(seen_user(grant.user(), seen).set(row)).await? == 1)
    }

    async fn update_password(
        &mut self,
        _grant: &PlatformGrant<ManageUsers>,
        user: UserId,
        password: &PasswordHash,
    ) -> Result<(), StoreError> {
        self.write_password(user, password).await
    }

    async fn count_other_superusers(
        &mut self,
        _grant: &PlatformGrant<ManageUsers>,
        except: UserId,
    ) -> Result<u64, StoreError> {
        // All rows are locked, the excepted one too, so that two transactions that each except the other's wait in line.
        let rows = scope::superusers()
            .filter(Column::IsActive.eq(true))
            .order_by_asc(Column::Id)
            .lock_exclusive()
            .all(&self.connection)
            .await;
        let others = rows.map_err(store_error)?.into_iter().filter(|row| row.id != except.uuid()).count();
        Ok(u64::try_from(others).unwrap_or(u64::MAX))
    }

    async fn revoke_sessions_of(
        &mut self,
        _grant: &PlatformGrant<ManageUsers>,
        user: UserId,
        at: Instant,
        reason: RevokeReason,
    ) -> Result<(), StoreError> {
        self.end_sessions(user, None, at, reason).await
    }

    async fn is_only_admin(
        &mut self,
        _grant: &PlatformGrant<ManageUsers>,
        user: UserId,
    ) -> Result<bool, StoreError> {
        let rows = scope::admins_beside(user).order_by_asc(membership::Column::Id).lock_exclusive();
        let admins: Vec<membership::Model> = rows.all(&self.connection).await.map_err(store_error)?;
        let has_another = |org: uuid::Uuid| {
            admins.iter().any(|other| other.organization_id == org && other.user_id != user.uuid())
        };
        let mut own = admins.iter().filter(|admin| admin.user_id == user.uuid());
        Ok(own.any(|admin| !has_another(admin.organization_id)))
    }
}

impl<C: ConnectionTrait> Session<C> {
    pub(super) async fn write_password(
        &self,
        user: UserId,
        password: &PasswordHash,
    ) -> Result<(), StoreError> {
        let row = ActiveModel {
            password_scheme: Set(Some(password.scheme.clone())),
            password_pepper_id: Set(Some(password.pepper_id.clone())),
            password_hash: Set(Some(password.hash.expose().clone())),
            ..Default::default()
        };
        self.update(scope::many::<Entity>().filter(Column::Id.eq(user.uuid())).set(row)).await.map(drop)
    }
}

fn seen_user(id: UserId, seen: Revision) -> sea_orm::UpdateMany<Entity> {
    scope::seen((id.uuid(), Column::Id), None, (seen, Column::Revision))
}

fn columns(user: &User) -> ActiveModel {
    ActiveModel {
        id: ActiveValue::NotSet,
        email: Set(user.email.as_str().to_owned()),
        full_name: Set(user.full_name.clone()),
        is_superuser: Set(user.is_superuser),
        locale: Set(user.locale.clone()),
        timezone: Set(user.timezone.clone()),
        ..Default::default()
    }
}

pub(super) fn user_of(row: Model) -> Result<User, StoreError> {
    let stamp = row.stamp();
    Ok(User {
        id: Id::from_uuid(row.id),
        email: row.email.parse().map_err(|_| corrupt("users", "email", row.id))?,
        full_name: row.full_name,
        is_superuser: row.is_superuser,
        locale: row.locale,
        timezone: row.timezone,
        last_login_at: row.last_login_at.map(Instant::from_micros),
        stamp,
    })
}
