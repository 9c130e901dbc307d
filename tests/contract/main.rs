//! What the store promises whoever calls it, on both databases.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a panic is how a test reports a failure"
)]

mod migrations;
mod transactions;

use std::{process::ExitCode, sync::Arc};

use sitewatch_persistence::{SeaStore, StoreSettings};
use sitewatch_runtime::system::{OsEntropy, SystemClock};
use sitewatch_tests::{
    cases,
    harness::Suite,
    postgres::{DatabaseCopy, SharedPostgres},
    world::Backend,
};

use migrations::{down_and_up_again_is_the_same_schema, two_migrators_run_once};
use transactions::{a_claim_is_taken_once, a_dropped_transaction_leaves_nothing};

/// A database of one test's own, without a schema.
pub(crate) struct EmptyDatabase {
    pub(crate) settings: StoreSettings,
    /// For statements of the test's own.
    pub(crate) url: String,
    _folder: tempfile::TempDir,
    _copy: Option<DatabaseCopy>,
}

impl EmptyDatabase {
    pub(crate) async fn new(backend: &Arc<Backend>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        match backend.as_ref() {
            Backend::Sqlite => {
                let path = folder.path().join("test.db");
                let url = format!("sqlite://{}", path.display());
                Self { settings: StoreSettings::sqlite(&path), url, _folder: folder, _copy: None }
            }
            Backend::Postgres(shared) => {
                let copy = shared.copy(async |_| ()).await;
                let url = copy.url();
                let secret = sitewatch_domain::text::Secret::new(url.clone());
                Self {
                    settings: StoreSettings::postgres(secret.clone(), secret),
                    url,
                    _folder: folder,
                    _copy: Some(copy),
                }
            }
        }
    }

    pub(crate) async fn store(&self) -> SeaStore {
        SeaStore::migrate_up(&self.settings).await.expect("migrations run");
        let store =
            SeaStore::connect(self.settings.clone(), Arc::new(SystemClock), Arc::new(OsEntropy)).await;
        store.expect("a store")
    }
}

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.variant("sqlite", Backend::Sqlite);
    suite.variant("postgres", Backend::Postgres(SharedPostgres::default()));
    cases!(suite, "migrations": down_and_up_again_is_the_same_schema, two_migrators_run_once);
    cases!(suite, "transactions": a_claim_is_taken_once, a_dropped_transaction_leaves_nothing);
    suite.run()
}
