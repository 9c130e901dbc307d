//! What each kind of job does.

mod probe;

use sitewatch_domain::Platform;

use crate::registry::Registry;

/// What handlers work with.
pub struct Tools {
    /// The use cases.
    pub platform: Platform,
}

/// Every kind that this version can do.
pub fn registry() -> Registry {
    Registry::default().with::<sitewatch_domain::jobs::Probe>()
}
