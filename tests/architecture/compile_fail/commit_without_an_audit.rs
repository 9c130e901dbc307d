//! A transaction wants to know what was done.

use sitewatch_domain::ports::{StoreError, Tx};

async fn finish(tx: Box<dyn Tx>) -> Result<(), StoreError> {
    tx.commit().await.map(drop)
}

fn main() {}
