//! What was opened for reading cannot write, not even with a right to.

use sitewatch_domain::{
    access::{ManageSites, OrgGrant},
    ports::{Reader, StoreError},
    sites::Site,
};

async fn write(reader: &mut Reader, grant: &OrgGrant<ManageSites>, site: &Site) -> Result<(), StoreError> {
    reader.insert_site(grant, site).await
}

fn main() {}
