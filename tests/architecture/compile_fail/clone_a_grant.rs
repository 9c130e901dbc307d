//! A grant cannot be copied and kept for later.

use sitewatch_domain::access::{Grant, ManageSites, OrgGrant, PlatformGrant, ReadSites};

fn keep<T: Clone>(_: &T) {}

fn attempt(read: &Grant<ReadSites>, act: &OrgGrant<ManageSites>, platform: &PlatformGrant<ManageSites>) {
    keep(read);
    keep(act);
    keep(platform);
}

fn main() {}
