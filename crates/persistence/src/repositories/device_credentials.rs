//! Device credentials, for those who manage them.

use async_trait::async_trait;
use sea_orm::{
    ActiveValue, ColumnTrait, Condition, ConnectionTrait, PaginatorTrait as _, QueryFilter, QueryOrder,
    QuerySelect, Set,
};
use sitewatch_domain::{
    Rule,
    access::{ManageCredentials, OrgGrant, Spot},
    device_credentials::{DeviceCredential, DeviceCredentialRepository},
    ids::{DeviceCredentialId, Id, ModuleId, SiteId},
    keys::KeyPrefix,
    ports::StoreError,
    stamp::Revision,
    time::Instant,
};

use crate::{
    entities::{
        device_credential::{ActiveModel, Column, Entity, Model},
        module, site,
    },
    error::{corrupt, store_error},
    scope,
    session::Session,
    stamp,
};

/// The most credentials of a place that are listed: those that are good, and some whose time is over.
const MOST_LISTED: u64 = 100;

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> DeviceCredentialRepository for Session<C> {
    async fn list_device_credentials(
        &self,
        grant: &OrgGrant<ManageCredentials>,
        spot: Spot,
    ) -> Result<Vec<DeviceCredential>, StoreError> {
        let rows = scope::device_credentials(grant, spot)
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id)
            .limit(MOST_LISTED);
        let rows = rows.all(&self.connection).await.map_err(store_error)?;
        rows.into_iter().map(device_credential_of).collect()
    }

    async fn find_device_credential(
        &self,
        grant: &OrgGrant<ManageCredentials>,
        spot: Spot,
        id: DeviceCredentialId,
    ) -> Result<Option<DeviceCredential>, StoreError> {
        let rows = scope::device_credentials(grant, spot).filter(Column::Id.eq(id.uuid()));
        rows.one(&self.connection).await.map_err(store_error)?.map(device_credential_of).transpose()
    }

    async fn count_device_credentials(
        &mut self,
        grant: &OrgGrant<ManageCredentials>,
        spot: Spot,
        now: Instant,
    ) -> Result<u64, StoreError> {
        let held = match spot {
            Spot::Site(id) => scope::held::<site::Entity>(site::Column::Id, id.uuid()),
            Spot::Module(id) => scope::held::<module::Entity>(module::Column::Id, id.uuid()),
        };
        self.connection.query_one(&held).await.map_err(store_error)?;
        let is_good =
            Condition::any().add(Column::ExpiresAt.is_null()).add(Column::ExpiresAt.gt(now.as_micros()));
        let rows = scope::device_credentials(grant, spot).filter(is_good);
        rows.count(&self.connection).await.map_err(store_error)
    }

    async fn insert_device_credential(
        &mut self,
        grant: &OrgGrant<ManageCredentials>,
        credential: &DeviceCredential,
        digest: &[u8; 32],
    ) -> Result<(), StoreError> {
        let (site, module) = (credential.site_id.map(SiteId::uuid), credential.module_id.map(ModuleId::uuid));
        self.require_active::<site::Entity>(site::Column::Id, site.as_slice(), Rule::ParentArchived).await?;
        let modules = module.as_slice();
        self.require_active::<module::Entity>(module::Column::Id, modules, Rule::ParentArchived).await?;
        let row = ActiveModel {
            id: Set(credential.id.uuid()),
            organization_id: Set(grant.org().uuid()),
            site_id: Set(site),
            module_id: Set(module),
            prefix: Set(credential.prefix.as_str().to_owned()),
            digest: Set(digest.to_vec()),
            expires_at: Set(credential.expires_at.map(Instant::as_micros)),
            ..Default::default()
        };
        self.insert(row.stamped(stamp::made(grant.author(), &credential.stamp))).await
    }

    async fn update_device_credential(
        &mut self,
        grant: &OrgGrant<ManageCredentials>,
        credential: &DeviceCredential,
        seen: Revision,
    ) -> Result<bool, StoreError> {
        let rows = scope::seen::<Entity>(
            (credential.id.uuid(), Column::Id),
            Some((grant.org(), Column::OrganizationId)),
            (seen, Column::Revision),
        );
        let row = ActiveModel { id: ActiveValue::NotSet, ..Default::default() };
        let row = row.stamped(stamp::changed(grant.author(), &credential.stamp));
        Ok(self.update(rows.set(row)).await? == 1)
    }
}

fn device_credential_of(row: Model) -> Result<DeviceCredential, StoreError> {
    let stamp = row.stamp();
    let prefix = KeyPrefix::parse(&row.prefix);
    Ok(DeviceCredential {
        id: Id::from_uuid(row.id),
        organization_id: Id::from_uuid(row.organization_id),
        site_id: row.site_id.map(Id::from_uuid),
        module_id: row.module_id.map(Id::from_uuid),
        prefix: prefix.ok_or_else(|| corrupt("device_credentials", "prefix", row.id))?,
        expires_at: row.expires_at.map(Instant::from_micros),
        last_used_at: row.last_used_at.map(Instant::from_micros),
        last_used_ip: row.last_used_ip,
        stamp,
    })
}
