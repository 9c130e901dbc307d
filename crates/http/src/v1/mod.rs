//! Version 1 of the API: the route table. One file a resource holds its bodies, views and handlers.

pub(crate) mod api_keys;
pub(crate) mod assignments;
pub(crate) mod audit;
pub(crate) mod auth;
mod bounds;
pub(crate) mod bulk;
pub(crate) mod device_credentials;
mod ingest_rows;
pub(crate) mod invitations;
pub(crate) mod jobs;
pub(crate) mod members;
pub(crate) mod meta;
pub(crate) mod metrics;
mod module_bodies;
pub(crate) mod module_types;
pub(crate) mod modules;
pub(crate) mod organizations;
pub(crate) mod passwords;
pub(crate) mod readings;
pub(crate) mod report_runs;
pub(crate) mod reports;
pub(crate) mod rights;
pub(crate) mod rollups;
pub(crate) mod sessions;
pub(crate) mod setup;
mod site_bodies;
pub(crate) mod sites;
pub(crate) mod telemetry;
pub(crate) mod users;
mod views;

use crate::routes::Address;

/// Every address of version 1.
pub(crate) fn addresses() -> Vec<Address> {
    [
        auth::addresses(),
        rights::addresses(),
        api_keys::addresses(),
        sessions::addresses(),
        passwords::addresses(),
        setup::addresses(),
        users::addresses(),
        organizations::addresses(),
        members::addresses(),
        assignments::addresses(),
        invitations::addresses(),
        bulk::addresses(),
        sites::addresses(),
        module_types::addresses(),
        metrics::addresses(),
        modules::addresses(),
        device_credentials::addresses(),
        readings::addresses(),
        rollups::addresses(),
        telemetry::addresses(),
        jobs::addresses(),
        reports::addresses(),
        report_runs::addresses(),
        audit::addresses(),
        meta::addresses(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
