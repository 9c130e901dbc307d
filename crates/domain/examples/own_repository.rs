//! A repository of one's own: sites in memory, behind the same port and the same grants as those in a database.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "an example tells what it finds")]

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use async_trait::async_trait;
use sitewatch_domain::{
    Error,
    access::{Actor, Grant, ManageSites, OrgGrant, Reach, ReadSites, RequestContext},
    audit::Along,
    ids::{Id, OrgId, SiteId},
    page::{Listing, Page, Total},
    ports::StoreError,
    sites::{ModulePulse, Site, SiteFilter, SiteNames, SiteRepository, SiteSort},
    stamp::{Revision, Stamp},
    time::Instant,
};
use uuid::Uuid;

/// Sites in memory.
#[derive(Default)]
struct Memory(Vec<Site>);

impl Memory {
    /// The active sites that the grant reaches. What it does not reach is not there, whatever is asked for.
    fn within<'a>(&'a self, grant: &'a Grant<ReadSites>) -> impl Iterator<Item = &'a Site> {
        self.0.iter().filter(|site| {
            let is_reached = match grant.reach() {
                Reach::Everywhere => true,
                Reach::Within(within) => {
                    within.orgs.contains(&site.organization_id) || within.sites.contains(&site.id)
                }
            };
            is_reached && site.stamp.is_active
        })
    }

    /// Puts a site in the place of the one that was seen, if nobody has changed it since.
    fn replace(&mut self, org: OrgId, site: &Site, seen: Revision) -> bool {
        let is_it = |kept: &&mut Site| {
            kept.id == site.id && kept.organization_id == org && kept.stamp.revision == seen
        };
        self.0.iter_mut().find(is_it).map(|kept| *kept = site.clone()).is_some()
    }
}

#[async_trait]
impl SiteRepository for Memory {
    async fn find_site(&self, grant: &Grant<ReadSites>, id: SiteId) -> Result<Option<Site>, StoreError> {
        Ok(self.within(grant).find(|site| site.id == id).cloned())
    }

    async fn find_sites(&self, grant: &Grant<ReadSites>, ids: &[SiteId]) -> Result<Vec<Site>, StoreError> {
        Ok(self.within(grant).filter(|site| ids.contains(&site.id)).cloned().collect())
    }

    async fn find_taken_sites(
        &self,
        grant: &OrgGrant<ManageSites>,
        wanted: &SiteNames,
    ) -> Result<SiteNames, StoreError> {
        let sites = self.0.iter().filter(|site| site.organization_id == grant.org() && site.stamp.is_active);
        let names = sites.map(|site| site.name.clone()).filter(|name| wanted.names.contains(name)).collect();
        Ok(SiteNames { names, ..SiteNames::default() })
    }

    async fn list_sites(
        &self,
        grant: &Grant<ReadSites>,
        listing: &Listing<SiteFilter, SiteSort>,
    ) -> Result<Page<Site>, StoreError> {
        let sites: Vec<&Site> = self.within(grant).collect();
        let total = Total::from_count(u32::try_from(sites.len()).unwrap_or(u32::MAX));
        let (offset, rows) = (listing.page.offset(), listing.page.per_page());
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        let taken = usize::try_from(rows).unwrap_or(usize::MAX);
        let items = sites.into_iter().skip(skipped).take(taken).cloned().collect();
        Ok(Page { items, total, request: listing.page })
    }

    async fn list_pulses(
        &self,
        _grant: &Grant<ReadSites>,
        _sites: &[SiteId],
    ) -> Result<Vec<ModulePulse>, StoreError> {
        Ok(Vec::new())
    }

    async fn insert_site(&mut self, grant: &OrgGrant<ManageSites>, site: &Site) -> Result<(), StoreError> {
        self.insert_sites(grant, &[site]).await
    }

    async fn insert_sites(
        &mut self,
        grant: &OrgGrant<ManageSites>,
        sites: &[&Site],
    ) -> Result<(), StoreError> {
        // A row is of the organization that the grant is for, whatever the value says.
        let own = sites.iter().map(|site| Site { organization_id: grant.org(), ..Site::clone(site) });
        self.0.extend(own);
        Ok(())
    }

    async fn update_site(
        &mut self,
        grant: &OrgGrant<ManageSites>,
        site: &Site,
        seen: Revision,
    ) -> Result<bool, StoreError> {
        Ok(self.replace(grant.org(), site, seen))
    }

    async fn archive_site(
        &mut self,
        grant: &OrgGrant<ManageSites>,
        site: &Site,
        seen: Revision,
    ) -> Result<Option<Vec<Along>>, StoreError> {
        Ok(self.replace(grant.org(), site, seen).then(Vec::new))
    }

    async fn restore_site(
        &mut self,
        grant: &OrgGrant<ManageSites>,
        site: &Site,
        seen: Revision,
    ) -> Result<Option<Vec<Along>>, StoreError> {
        Ok(self.replace(grant.org(), site, seen).then(Vec::new))
    }
}

/// Nothing in memory is waited for, so that any executor will do, and none.
fn now<T>(answer: impl Future<Output = T>) -> T {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("memory answers at once"),
    }
}

#[expect(clippy::disallowed_methods, reason = "a command of the program's own acts here, as in a set-up")]
fn operator() -> Actor {
    Actor::system(RequestContext::default())
}

fn main() -> Result<(), Error> {
    let (org, actor) = (Id::from_uuid(Uuid::from_u128(1)), operator());
    let mut memory = Memory::default();
    let grant = actor.grant_in::<ManageSites>(org)?;
    let site = Site {
        id: Id::from_uuid(Uuid::from_u128(2)),
        organization_id: org,
        name: "La Haute Borne".into(),
        code: None,
        description: None,
        timezone: "Europe/Paris".into(),
        latitude: None,
        longitude: None,
        address: None,
        tags: Vec::new(),
        external_id: None,
        stamp: Stamp::new(grant.author(), Instant::from_secs(0)),
    };
    now(memory.insert_site(&grant, &site))?;

    let everywhere = actor.grant::<ReadSites>()?;
    assert_eq!(now(memory.find_site(&everywhere, site.id))?, Some(site.clone()));
    // Whoever has no grant there finds nothing: the repository has no door without one.
    let elsewhere = actor.grant_within::<ReadSites>(Id::from_uuid(Uuid::from_u128(9)))?;
    assert_eq!(now(memory.find_site(&elsewhere, site.id))?, None);
    let page = now(memory.list_sites(&everywhere, &Listing::default()))?;
    for site in &page.items {
        println!("{} of {}: {}", page.items.len(), page.total.count, site.name);
    }
    Ok(())
}
