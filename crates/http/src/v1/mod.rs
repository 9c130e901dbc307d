//! Version 1 of the API: the route table. One file a resource holds its bodies, views and handlers.

pub(crate) mod auth;
pub(crate) mod setup;
pub(crate) mod sites;
pub(crate) mod views;

use crate::routes::Address;

/// Every address of version 1.
pub(crate) fn addresses() -> Vec<Address> {
    [auth::addresses(), setup::addresses(), sites::addresses()].into_iter().flatten().collect()
}
