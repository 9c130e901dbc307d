//! The reach of a grant cannot be changed.

use sitewatch_domain::access::{Grant, ReadSites, Reach};

fn widen(grant: &mut Grant<ReadSites>) {
    grant.reach = Reach::Everywhere;
}

fn main() {}
