//! A grant opens what its permission names.

use sitewatch_domain::{
    access::{Grant, ManageModules, OrgGrant, ReadAudit},
    ids::SiteId,
    ports::{StoreError, Tx},
    sites::Site,
};

async fn look(tx: &dyn Tx, grant: &Grant<ReadAudit>, id: SiteId) -> Result<Option<Site>, StoreError> {
    tx.find_site(grant, id).await
}

async fn act(tx: &mut dyn Tx, grant: &OrgGrant<ManageModules>, site: &Site) -> Result<(), StoreError> {
    tx.insert_site(grant, site).await
}

fn main() {}
