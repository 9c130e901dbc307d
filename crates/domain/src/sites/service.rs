use std::collections::{BTreeMap, BTreeSet};

use super::{NewSite, Site, SiteChanges, SiteFilter, SiteSort, SiteSummary};
use crate::{
    access::{Actor, Grant, ManageSites, OrgGrant, ReadModules, ReadOrganizations, ReadSites},
    audit::{Action, Audit},
    error::{Error, Rule},
    ids::{OrgId, SiteId},
    input::{Input, checked},
    modules::{Module, ModuleFilter, ModuleState, StateCounts},
    organizations::Organization,
    page::{Inactive, Listing, MAX_REACH, Page},
    platform::Platform,
    ports::Reader,
    reports::{self, Scope},
    rollups::enqueue_redo,
    stamp::{Precondition, Stamp},
    time::{Instant, Zone},
};

/// What is to be read along with a site.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SiteIncludes {
    /// Its organization.
    pub organization: bool,
    /// Its active modules, as far as the caller may see them.
    pub modules: bool,
    /// Its live figures.
    pub summary: bool,
}

/// A site with what was read along.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteDetail {
    /// The site.
    pub site: Site,
    /// Its organization, if it was asked for.
    pub organization: Option<Organization>,
    /// Its modules, if they were asked for; by name.
    pub modules: Option<Vec<Module>>,
    /// Its live figures, if they were asked for.
    pub summary: Option<SiteSummary>,
}

/// Use cases of sites.
pub struct Sites<'a> {
    pub(super) platform: &'a Platform,
}

impl<'a> Sites<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// Makes a site. The organization's admins and superusers.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for a superuser naming no active organization; `Invalid`; `Conflict` with `SiteName` or
    /// `SiteExternalId`.
    pub async fn create(&self, actor: &Actor, org: OrgId, input: impl Input<NewSite>) -> Result<Site, Error> {
        let actor = &actor.looking_for::<ManageSites>()?;
        let grant = actor.grant_in::<ManageSites>(org)?;
        let organization = self.platform.organizations().find(actor, org, Inactive::Hidden).await?;
        let new = checked(input)?;
        let site = self.made(&grant, new, &organization.timezone);
        let mut tx = self.platform.write(actor).await?;
        tx.insert_site(&grant, &site).await?;
        self.platform.commit(tx, Audit::created(&grant, &site)).await?;
        Ok(site)
    }

    /// A site of this input, which was checked; in this time zone unless it names one.
    pub(super) fn made(&self, grant: &OrgGrant<ManageSites>, new: NewSite, timezone: &str) -> Site {
        Site {
            id: self.platform.mint(),
            organization_id: grant.org(),
            name: new.name,
            code: new.code,
            description: new.description,
            timezone: new.timezone.map_or_else(|| timezone.to_owned(), Zone::spelled),
            latitude: new.latitude,
            longitude: new.longitude,
            address: new.address,
            tags: new.tags,
            external_id: new.external_id,
            stamp: Stamp::new(grant.author(), self.platform.now()),
        }
    }

    /// A site that the actor may see, with what he asks for along.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` if an archived one is asked for by somebody who manages no sites.
    pub async fn find(
        &self,
        actor: &Actor,
        id: SiteId,
        includes: SiteIncludes,
        inactive: Inactive,
    ) -> Result<SiteDetail, Error> {
        let grant = Self::grant_to_read(actor, inactive)?;
        let reader = self.platform.read(actor).await?;
        let site = found(&reader, &grant, id).await?;
        let mut details = self.details(actor, &reader, &grant, vec![site], includes).await?;
        details.pop().ok_or(Error::NotFound { what: "site" })
    }

    /// One page of the sites that the actor may see.
    ///
    /// # Errors
    /// `Forbidden` without standing in the organization that the filter names, or if archived ones are asked for by
    /// somebody who manages no sites; `NotFound` for a superuser naming no active organization.
    pub async fn list(
        &self,
        actor: &Actor,
        listing: &Listing<SiteFilter, SiteSort>,
        includes: SiteIncludes,
    ) -> Result<Page<SiteDetail>, Error> {
        let grant = match (listing.filter.organization, listing.inactive) {
            (None, inactive) => Self::grant_to_read(actor, inactive)?,
            (Some(org), Inactive::Hidden) => actor.grant_within(org)?,
            (Some(org), Inactive::Included) => {
                actor.grant_within_with_archived::<ReadSites, ManageSites>(org)?
            }
        };
        if let Some(org) = listing.filter.organization {
            let actor = actor.looking_for::<ReadSites>()?;
            self.platform.organizations().find(&actor, org, listing.inactive).await?;
        }
        let reader = self.platform.read(actor).await?;
        let page = reader.list_sites(&grant, listing).await?;
        let items = self.details(actor, &reader, &grant, page.items, includes).await?;
        Ok(Page { items, total: page.total, request: page.request })
    }

    /// The live figures of a site.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn summary(&self, actor: &Actor, id: SiteId) -> Result<SiteSummary, Error> {
        let includes = SiteIncludes { summary: true, ..SiteIncludes::default() };
        let detail = self.find(actor, id, includes, Inactive::Hidden).await?;
        detail.summary.ok_or(Error::NotFound { what: "site" })
    }

    /// Changes a site. The organization's admins and superusers.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Invalid`; `Stale`; `Conflict` as for making.
    pub async fn update(
        &self,
        actor: &Actor,
        id: SiteId,
        input: impl Input<SiteChanges>,
        seen: Precondition,
    ) -> Result<Site, Error> {
        let actor = &actor.looking_for::<ManageSites>()?;
        let before = self.find_plain(actor, id, Inactive::Hidden).await?;
        let grant = actor.grant_at::<ManageSites>(&before)?;
        let changes = checked(input)?;
        seen.check(&before.stamp)?;
        let stamp = before.stamp.touched(grant.author(), self.platform.now());
        let after = Site { stamp, ..changed(&before, changes) };
        let mut tx = self.platform.write(actor).await?;
        if !tx.update_site(&grant, &after, before.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        if after.timezone != before.timezone {
            tx.mark_site(&grant, id).await?;
            enqueue_redo(self.platform, tx.as_mut(), grant.author(), vec![grant.org()]).await?;
            reports::rezone(tx.as_mut(), &actor.grant_in(grant.org())?, Scope::Site(id)).await?;
        }
        self.platform.commit(tx, Audit::updated(&grant, &before, &after)).await?;
        Ok(after)
    }

    /// Archives a site with its modules, which stops their ingest. The organization's admins and superusers.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Stale`.
    pub async fn archive(&self, actor: &Actor, id: SiteId, seen: Precondition) -> Result<Site, Error> {
        let actor = &actor.looking_for::<ManageSites>()?;
        let before = self.find_plain(actor, id, Inactive::Hidden).await?;
        let grant = actor.grant_at::<ManageSites>(&before)?;
        seen.check(&before.stamp)?;
        let stamp = before.stamp.archived(grant.author(), self.platform.now());
        let after = Site { stamp, ..before.clone() };
        let mut tx = self.platform.write(actor).await?;
        let along = tx.archive_site(&grant, &after, before.stamp.revision).await?;
        let along = along.ok_or_else(|| seen.overtaken())?;
        let trail = Audit::done(&grant, Action::Archived, &before, &after).with(along);
        self.platform.commit(tx, trail).await?;
        Ok(after)
    }

    /// Restores a site with exactly the modules that its archiving hid. The organization's admins and superusers.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Stale`; `Conflict` if it is not archived, its organization is, or a name was taken
    /// meanwhile.
    pub async fn restore(&self, actor: &Actor, id: SiteId, seen: Precondition) -> Result<Site, Error> {
        let actor = &actor.looking_for::<ManageSites>()?;
        let before = self.find_to_restore(actor, id).await?;
        let grant = actor.grant_at::<ManageSites>(&before)?;
        if before.stamp.is_active {
            return Err(Error::Conflict(Rule::NotArchived));
        }
        seen.check(&before.stamp)?;
        let stamp = before.stamp.restored(grant.author(), self.platform.now());
        let after = Site { stamp, ..before.clone() };
        let mut tx = self.platform.write(actor).await?;
        let along = tx.restore_site(&grant, &after, before.stamp.revision).await?;
        let along = along.ok_or_else(|| seen.overtaken())?;
        let trail = Audit::done(&grant, Action::Restored, &before, &after).with(along);
        self.platform.commit(tx, trail).await?;
        Ok(after)
    }

    async fn find_plain(&self, actor: &Actor, id: SiteId, inactive: Inactive) -> Result<Site, Error> {
        let grant = Self::grant_to_read(actor, inactive)?;
        let reader = self.platform.read(actor).await?;
        found(&reader, &grant, id).await
    }

    /// Somebody who manages nothing sees active sites only, so that an archived one is not found rather than forbidden.
    async fn find_to_restore(&self, actor: &Actor, id: SiteId) -> Result<Site, Error> {
        match self.find_plain(actor, id, Inactive::Included).await {
            Err(Error::Forbidden(_)) => self.find_plain(actor, id, Inactive::Hidden).await,
            other => other,
        }
    }

    fn grant_to_read(actor: &Actor, inactive: Inactive) -> Result<Grant<ReadSites>, Error> {
        match inactive {
            Inactive::Hidden => actor.grant::<ReadSites>(),
            Inactive::Included => actor.grant_with_archived::<ReadSites, ManageSites>(),
        }
    }

    /// Reads what is asked for along with the sites, one statement a kind.
    async fn details(
        &self,
        actor: &Actor,
        reader: &Reader,
        grant: &Grant<ReadSites>,
        sites: Vec<Site>,
        includes: SiteIncludes,
    ) -> Result<Vec<SiteDetail>, Error> {
        let ids: Vec<SiteId> = sites.iter().map(|site| site.id).collect();
        let organizations = if includes.organization && !sites.is_empty() {
            let orgs: BTreeSet<OrgId> = sites.iter().map(|site| site.organization_id).collect();
            let wanted: Vec<OrgId> = orgs.into_iter().collect();
            reader.find_organizations(&actor.grant::<ReadOrganizations>()?, &wanted).await?
        } else {
            Vec::new()
        };
        let modules = if includes.modules && !sites.is_empty() {
            let filter = ModuleFilter { sites: ids.clone(), ..ModuleFilter::default() };
            let grant = actor.grant::<ReadModules>()?;
            let modules = reader.list_modules_of_sites(&grant, &filter, MAX_REACH.saturating_add(1)).await?;
            if modules.len() > usize::try_from(MAX_REACH).unwrap_or(usize::MAX) {
                return Err(Error::invalid(
                    "include",
                    "would embed more than 10000 modules; ask for fewer sites a page",
                ));
            }
            modules
        } else {
            Vec::new()
        };
        let summaries = if includes.summary && !sites.is_empty() {
            self.summaries(reader, grant, &ids).await?
        } else {
            BTreeMap::new()
        };
        let detail = |site: Site| SiteDetail {
            organization: organizations.iter().find(|found| found.id == site.organization_id).cloned(),
            modules: includes
                .modules
                .then(|| modules.iter().filter(|module| module.site_id == site.id).cloned().collect()),
            summary: includes.summary.then(|| summaries.get(&site.id).cloned().unwrap_or(silent(site.id))),
            site,
        };
        Ok(sites.into_iter().map(detail).collect())
    }

    async fn summaries(
        &self,
        reader: &Reader,
        grant: &Grant<ReadSites>,
        ids: &[SiteId],
    ) -> Result<BTreeMap<SiteId, SiteSummary>, Error> {
        let now: Instant = self.platform.now();
        let mut summaries: BTreeMap<SiteId, SiteSummary> = BTreeMap::new();
        for pulse in reader.list_pulses(grant, ids).await? {
            let summary = summaries.entry(pulse.site_id).or_insert_with(|| silent(pulse.site_id));
            summary.modules.add(ModuleState::of(pulse.is_enabled, pulse.last_seen_at, pulse.rhythm, now));
            summary.last_report_at = summary.last_report_at.max(pulse.last_seen_at);
        }
        Ok(summaries)
    }
}

fn silent(site_id: SiteId) -> SiteSummary {
    SiteSummary { site_id, modules: StateCounts::default(), last_report_at: None }
}

async fn found(reader: &Reader, grant: &Grant<ReadSites>, id: SiteId) -> Result<Site, Error> {
    reader.find_site(grant, id).await?.ok_or(Error::NotFound { what: "site" })
}

fn changed(before: &Site, changes: SiteChanges) -> Site {
    let before = before.clone();
    Site {
        name: changes.name.unwrap_or(before.name),
        code: changes.code.unwrap_or(before.code),
        description: changes.description.unwrap_or(before.description),
        timezone: changes.timezone.map_or(before.timezone, Zone::spelled),
        latitude: changes.latitude.unwrap_or(before.latitude),
        longitude: changes.longitude.unwrap_or(before.longitude),
        address: changes.address.unwrap_or(before.address),
        tags: changes.tags.unwrap_or(before.tags),
        external_id: changes.external_id.unwrap_or(before.external_id),
        ..before
    }
}
