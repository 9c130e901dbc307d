//! `migrate`: the database's schema, by hand.

use sitewatch_persistence::SeaStore;

use super::CommandError;
use crate::{
    assemble::{start_error, store_settings},
    cli::{MigrateStep, print},
    config::{Config, DatabaseTarget},
    data_folder::DataFolder,
    server_lock::ServerLock,
};

/// Runs one step and prints what it did.
pub(crate) async fn run(config: &Config, step: MigrateStep) -> Result<(), CommandError> {
    let only_looks = matches!(step, MigrateStep::Status);
    if !only_looks && matches!(config.database.target, DatabaseTarget::Sqlite(_)) {
        DataFolder::open(&config.storage.data_dir)?;
    }
    let settings = store_settings(&config.database);
    let failed = |error| CommandError::Start(start_error(&config.database, error));
    match step {
        MigrateStep::Up => {
            let ran = SeaStore::migrate_up(&settings).await.map_err(failed)?;
            print(&report("ran", &ran, "nothing to do: the schema is up to date"))
        }
        MigrateStep::Down { steps } => {
            let _lock = ServerLock::of_database(&config.database.target)?;
            let undone = SeaStore::migrate_down(&settings, steps).await.map_err(failed)?;
            print(&report("took back", &undone, "nothing to take back"))
        }
        MigrateStep::Status => {
            let states = SeaStore::migration_status(&settings).await.map_err(failed)?;
            let line = |(name, applied): &(String, bool)| {
                format!("{}  {name}", if *applied { "applied" } else { "pending" })
            };
            print(&states.iter().map(line).collect::<Vec<_>>().join("\n"))
        }
        MigrateStep::Fresh { yes: false } => Err(CommandError::Refused(
            "this deletes all data of the installation; say `migrate fresh --yes` if that is what you want"
                .into(),
        )),
        MigrateStep::Fresh { yes: true } => {
            let _lock = ServerLock::of_database(&config.database.target)?;
            let ran = SeaStore::migrate_fresh(&settings).await.map_err(failed)?;
            print(&report("ran", &ran, "nothing to do"))
        }
    }
}

fn report(verb: &str, names: &[String], nothing: &str) -> String {
    if names.is_empty() {
        return nothing.to_owned();
    }
    let lines: Vec<String> = names.iter().map(|name| format!("{verb} {name}")).collect();
    lines.join("\n")
}
