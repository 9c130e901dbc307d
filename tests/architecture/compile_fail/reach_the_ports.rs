//! The adapters cannot be taken out of a platform, so nothing goes round its use cases.

use std::sync::Arc;

use sitewatch_domain::{Platform, ports::Store};

fn field(platform: &Platform) -> Arc<dyn Store> {
    Arc::clone(&platform.ports.store)
}

fn method(platform: &Platform) -> Arc<dyn Store> {
    Arc::clone(&platform.ports().store)
}

fn main() {}
