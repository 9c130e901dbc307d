//! The history of the schema, on SQLite and PostgreSQL. The rules are in `migrations/README.md`.
#![forbid(unsafe_code)]

mod ddl;
mod m20261101_0001_identity;
mod m20261101_0002_inventory;
mod m20261101_0003_readings;
mod m20261124_0004_partitions_side_by_side;
mod m20261124_0005_jobs;
mod m20261124_0006_mail;
mod m20261124_0007_rollups;
mod m20261124_0008_schedules;
mod m20261124_0009_reports;
mod m20261124_0010_partitions_are_guarded;
mod m20261124_0011_passwords;
mod m20261124_0012_throttling;
mod m20261124_0013_keys;
mod m20261124_0014_audit_chain;
mod m20261124_0016_invitations;
mod m20261124_0017_rejected_readings;
mod m20261124_0018_row_level_security;
mod m20261124_0019_ages_of_mails;
mod m20261124_0020_files_being_written;
mod m20261129_0022_answers_given_again;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::{MigrationTrait, async_trait};

/// All migrations, in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261101_0001_identity::Migration),
            Box::new(m20261101_0002_inventory::Migration),
            Box::new(m20261101_0003_readings::Migration),
            Box::new(m20261124_0004_partitions_side_by_side::Migration),
            Box::new(m20261124_0005_jobs::Migration),
            Box::new(m20261124_0006_mail::Migration),
            Box::new(m20261124_0007_rollups::Migration),
            Box::new(m20261124_0008_schedules::Migration),
            Box::new(m20261124_0009_reports::Migration),
            Box::new(m20261124_0010_partitions_are_guarded::Migration),
            Box::new(m20261124_0011_passwords::Migration),
            Box::new(m20261124_0012_throttling::Migration),
            Box::new(m20261124_0013_keys::Migration),
            Box::new(m20261124_0014_audit_chain::Migration),
            Box::new(m20261124_0016_invitations::Migration),
            Box::new(m20261124_0017_rejected_readings::Migration),
            Box::new(m20261124_0018_row_level_security::Migration),
            Box::new(m20261124_0019_ages_of_mails::Migration),
            Box::new(m20261124_0020_files_being_written::Migration),
            Box::new(m20261129_0022_answers_given_again::Migration),
        ]
    }
}

/// The names of all migrations, in order.
pub fn names() -> Vec<String> {
    Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect()
}
