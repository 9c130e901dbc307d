//! The right to look is no right to act.

use sitewatch_domain::{
    access::{Grant, ManageSites},
    ports::{StoreError, Tx},
    sites::Site,
};

async fn write(tx: &mut dyn Tx, grant: &Grant<ManageSites>, site: &Site) -> Result<(), StoreError> {
    tx.insert_site(grant, site).await
}

fn main() {}
