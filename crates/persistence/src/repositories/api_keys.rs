//! API keys, for those who manage them.

use async_trait::async_trait;
use sea_orm::{ActiveValue, ColumnTrait, ConnectionTrait, QueryFilter, Set};
use sitewatch_domain::{
    Rule,
    access::{ActingGrant as _, ManageUsers, PlatformGrant},
    api_keys::{ApiKey, ApiKeyRepository, ApiKeySort, KeyOwner, KeysGrant},
    audit::Along,
    ids::{ApiKeyId, Id, OrgId, UserId},
    keys::KeyPrefix,
    page::{Listing, Page},
    ports::StoreError,
    stamp::{Revision, Stamp},
    time::Instant,
};

use crate::{
    entities::{
        api_key::{ActiveModel, Column, Entity, Model},
        user,
    },
    error::{corrupt, store_error},
    paging::{SortColumn, page},
    scope,
    session::Session,
    stamp,
};

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> ApiKeyRepository for Session<C> {
    async fn find_api_key(&self, grant: &KeysGrant, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        let row = scope::api_keys(grant).filter(Column::Id.eq(id.uuid())).one(&self.connection).await;
        row.map_err(store_error)?.map(api_key_of).transpose()
    }

    async fn list_api_keys(
        &self,
        grant: &KeysGrant,
        listing: &Listing<(), ApiKeySort>,
    ) -> Result<Page<ApiKey>, StoreError> {
        let key = |key| match key {
            ApiKeySort::CreatedAt => SortColumn::Always(Column::CreatedAt),
            ApiKeySort::Name => SortColumn::Always(Column::Name),
            ApiKeySort::LastUsedAt => SortColumn::Nullable(Column::LastUsedAt),
        };
        let sort = super::sort_or(&listing.sort, key, Column::CreatedAt);
        let rows = scope::api_keys(grant);
        let page: Page<Model> =
            page(&self.connection, rows, sort, Column::Id, (listing.page, listing.total)).await?;
        super::try_map(page, api_key_of)
    }

    async fn insert_api_key(
        &mut self,
        grant: &KeysGrant,
        key: &ApiKey,
        digest: &[u8; 32],
    ) -> Result<(), StoreError> {
        let (owner, organization) = match grant.owner() {
            KeyOwner::User(user) => {
                let ids = [user.uuid()];
                self.require_active::<user::Entity>(user::Column::Id, &ids, Rule::ReferenceArchived).await?;
                (Some(user), None)
            }
            KeyOwner::Organization(org) => {
                self.require_active_organization(org).await?;
                (None, Some(org))
            }
        };
        let row = ActiveModel {
            id: Set(key.id.uuid()),
            user_id: Set(owner.map(UserId::uuid)),
            organization_id: Set(organization.map(OrgId::uuid)),
            name: Set(key.name.clone()),
            prefix: Set(key.prefix.as_str().to_owned()),
            digest: Set(digest.to_vec()),
            scopes: Set(super::tags_text(&key.scopes)),
            expires_at: Set(key.expires_at.map(Instant::as_micros)),
            ..Default::default()
        };
        self.insert(row.stamped(stamp::made(grant.author(), &key.stamp))).await
    }

    async fn update_api_key(
        &mut self,
        grant: &KeysGrant,
        key: &ApiKey,
        seen: Revision,
    ) -> Result<bool, StoreError> {
        let rows = scope::seen::<Entity>((key.id.uuid(), Column::Id), None, (seen, Column::Revision));
        let rows = match grant.owner() {
            KeyOwner::User(user) => rows.filter(Column::UserId.eq(user.uuid())),
            KeyOwner::Organization(org) => rows.filter(Column::OrganizationId.eq(org.uuid())),
        };
        let row = ActiveModel {
            id: ActiveValue::NotSet,
            name: Set(key.name.clone()),
            expires_at: Set(key.expires_at.map(Instant::as_micros)),
            ..Default::default()
        };
        let row = row.stamped(stamp::changed(grant.author(), &key.stamp));
        // What was revoked by somebody else a moment ago stays so.
        Ok(self.update(rows.filter(Column::IsActive.eq(true)).set(row)).await? == 1)
    }

    async fn revoke_api_keys_of(
        &mut self,
        grant: &PlatformGrant<ManageUsers>,
        user: UserId,
        stamp: &Stamp,
    ) -> Result<Vec<Along>, StoreError> {
        let keys =
            scope::many::<Entity>().filter(Column::UserId.eq(user.uuid())).filter(Column::IsActive.eq(true));
        let revoked = ActiveModel::default().stamped(super::cascade(grant.author(), stamp));
        let revoked = super::counted_on(keys.set(revoked), Column::Revision);
        let rows = self.update_and_read(revoked).await?;
        Ok(rows.into_iter().map(|row| Along::of::<ApiKey>(row.id)).collect())
    }
}

fn api_key_of(row: Model) -> Result<ApiKey, StoreError> {
    let stamp = row.stamp();
    let owner = match (row.user_id, row.organization_id) {
        (Some(user), None) => KeyOwner::User(Id::from_uuid(user)),
        (None, Some(org)) => KeyOwner::Organization(Id::from_uuid(org)),
        _ => return Err(corrupt("api_keys", "user_id", row.id)),
    };
    Ok(ApiKey {
        id: Id::from_uuid(row.id),
        owner,
        name: row.name,
        prefix: KeyPrefix::parse(&row.prefix).ok_or_else(|| corrupt("api_keys", "prefix", row.id))?,
        scopes: super::tags_of(&row.scopes).ok_or_else(|| corrupt("api_keys", "scopes", row.id))?,
        expires_at: row.expires_at.map(Instant::from_micros),
        last_used_at: row.last_used_at.map(Instant::from_micros),
        last_used_ip: row.last_used_ip,
        stamp,
    })
}
