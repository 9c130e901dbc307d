//! A grant cannot be put together by hand.

use std::{marker::PhantomData, sync::Arc};

use sitewatch_domain::{
    access::{Author, ManageSites, OrgGrant},
    ids::OrgId,
};

fn forge(org: OrgId, by: Arc<Author>) -> OrgGrant<ManageSites> {
    OrgGrant { org, by, permission: PhantomData }
}

fn main() {}
