//! Permissions stand in the table, and nowhere else.

use sitewatch_domain::access::{Permission, PermissionKind};

enum Everything {}

impl Permission for Everything {
    const KIND: PermissionKind = PermissionKind::ReadSites;
}

fn main() {}
