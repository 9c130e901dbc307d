use super::{
    Heartbeat, Module, ModuleChanges, ModuleFilter, ModuleMove, ModuleSort, NewModule, Rhythm,
    references::{Behind, check_references, keep_gateway},
};
use crate::{
    access::{
        Actor, AnnotateModules, Grant, ManageModules, OrgGrant, PermissionKind, ReadCatalogue, ReadModules,
        ReadSites, SendReadings,
    },
    audit::{Action, Audit},
    error::{Error, Rule},
    ids::{ModuleId, ModuleTypeId, SiteId},
    input::{Input, checked},
    module_types::ModuleType,
    page::{Between, Inactive, Listing, Page},
    platform::Platform,
    ports::{Reader, Tx},
    readings::LatestReading,
    reports::{self, Scope},
    rollups::enqueue_redo,
    sites::{Site, SiteIncludes},
    stamp::{Precondition, Stamp},
};

/// What is to be read along with a module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ModuleIncludes {
    /// Its module type.
    pub module_type: bool,
}

/// A module with what was read along.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleDetail {
    /// The module.
    pub module: Module,
    /// Its module type, if it was asked for.
    pub module_type: Option<ModuleType>,
}

/// Use cases of modules.
pub struct Modules<'a> {
    pub(super) platform: &'a Platform,
}

impl<'a> Modules<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// Makes a module at a site. The organization's admins and superusers.
    ///
    /// # Errors
    /// `NotFound` for a site that the actor cannot see; `Forbidden`; `Invalid`, also for a type or gateway that he cannot
    /// use; `Conflict` with `ModuleName`, `ModuleSerialNumber` or `ModuleExternalId`.
    pub async fn create(
        &self,
        actor: &Actor,
        site: SiteId,
        input: impl Input<NewModule>,
    ) -> Result<Module, Error> {
        let actor = &actor.looking_for::<ManageModules>()?;
        let detail =
            self.platform.sites().find(actor, site, SiteIncludes::default(), Inactive::Hidden).await?;
        let grant = actor.grant_at::<ManageModules>(&detail.site)?;
        let new = checked(input)?;
        let mut tx = self.platform.write(actor).await?;
        let module_type = check_references(
            actor,
            tx.as_mut(),
            &grant,
            Some(new.module_type_id),
            new.parent_module_id.map(|gateway| Behind { module: None, site, gateway }),
        )
        .await?;
        let of_type = module_type.map(|found| (found.expected_interval_s, found.offline_after_s));
        let module = self.made(&grant, site, new, of_type.unwrap_or_default());
        tx.insert_module(&grant, &module).await?;
        self.platform.commit(tx, Audit::created(&grant, &module)).await?;
        Ok(module)
    }

    /// A module that the actor may see, with what he asks for along.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` if an archived one is asked for by somebody who manages no modules.
    pub async fn find(
        &self,
        actor: &Actor,
        id: ModuleId,
        includes: ModuleIncludes,
        inactive: Inactive,
    ) -> Result<ModuleDetail, Error> {
        let grant = grant_to_read(actor, inactive)?;
        let reader = self.platform.read(actor).await?;
        let module = found(&reader, &grant, id).await?;
        let mut details = details(actor, &reader, vec![module], includes).await?;
        details.pop().ok_or(Error::NotFound { what: "module" })
    }

    /// A module of this input, which was checked, at a site; with the interval and the patience of its type.
    pub(super) fn made(
        &self,
        grant: &OrgGrant<ManageModules>,
        site: SiteId,
        new: NewModule,
        of_type: (Option<i32>, Option<i32>),
    ) -> Module {
        let own = (new.expected_interval_s, new.offline_after_s);
        Module {
            id: self.platform.mint(),
            organization_id: grant.org(),
            site_id: site,
            module_type_id: new.module_type_id,
            name: new.name,
            description: new.description,
            serial_number: new.serial_number,
            external_id: new.external_id,
            firmware: new.firmware,
            expected_interval_s: new.expected_interval_s,
            offline_after_s: new.offline_after_s,
            rhythm: Rhythm::resolve(own, of_type),
            tags: new.tags,
            parent_module_id: new.parent_module_id,
            is_enabled: new.is_enabled,
            last_seen_at: None,
            stamp: Stamp::new(grant.author(), self.platform.now()),
        }
    }

    /// One page of the modules that the actor may see.
    ///
    /// # Errors
    /// `Forbidden` without standing in the organization that the filter names, or if archived ones are asked for by
    /// somebody who manages no modules; `NotFound` for a superuser naming no active organization.
    pub async fn list(
        &self,
        actor: &Actor,
        listing: &Listing<ModuleFilter, ModuleSort>,
        includes: ModuleIncludes,
    ) -> Result<Page<ModuleDetail>, Error> {
        let grant = match (listing.filter.organization, listing.inactive) {
            (None, inactive) => grant_to_read(actor, inactive)?,
            (Some(org), Inactive::Hidden) => actor.grant_within(org)?,
            (Some(org), Inactive::Included) => {
                actor.grant_within_with_archived::<ReadModules, ManageModules>(org)?
            }
        };
        if let Some(org) = listing.filter.organization {
            let actor = actor.looking_for::<ReadModules>()?;
            self.platform.organizations().find(&actor, org, listing.inactive).await?;
        }
        let reader = self.platform.read(actor).await?;
        let page = self.page(actor, &reader, &grant, listing).await?;
        let items = details(actor, &reader, page.items, includes).await?;
        Ok(Page { items, total: page.total, request: page.request })
    }

    /// A page; how long the list is, is counted once for a state of it.
    async fn page(
        &self,
        actor: &Actor,
        reader: &Reader,
        grant: &Grant<ReadModules>,
        listing: &Listing<ModuleFilter, ModuleSort>,
    ) -> Result<Page<Module>, Error> {
        let Listing { filter, search, inactive, .. } = listing;
        let cache = self.platform.cache();
        // When modules were heard of is told by no entry of the log.
        let key = (filter.last_seen_at == Between::default())
            .then(|| cache.total_key(actor, &format!("modules: {filter:?} {search:?} {inactive:?}")))
            .flatten();
        let Some(key) = key else { return Ok(reader.list_modules(grant, listing).await?) };
        let total = cache.total(&key).await;
        let page = reader.list_modules(grant, &Listing { total, ..listing.clone() }).await?;
        if total.is_none() {
            cache.put_total(key, page.total);
        }
        Ok(page)
    }

    /// One page of the modules of a site that the actor may see.
    ///
    /// # Errors
    /// `NotFound` if he cannot see the site; otherwise as [`Modules::list`].
    pub async fn list_at(
        &self,
        actor: &Actor,
        site: SiteId,
        mut listing: Listing<ModuleFilter, ModuleSort>,
        includes: ModuleIncludes,
    ) -> Result<Page<ModuleDetail>, Error> {
        let seeking = actor.looking_for::<ReadModules>()?;
        self.platform.sites().find(&seeking, site, SiteIncludes::default(), listing.inactive).await?;
        listing.filter.site = Some(site);
        self.list(actor, &listing, includes).await
    }

    /// Changes a module: its organization's admins anything, operators assigned to it its description and tags.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`, for an operator only if another field would change; `Invalid`; `Stale`; `Conflict` as for
    /// making.
    pub async fn update(
        &self,
        actor: &Actor,
        id: ModuleId,
        input: impl Input<ModuleChanges>,
        seen: Precondition,
    ) -> Result<Module, Error> {
        let managing = actor.looking_for::<ManageModules>();
        let actor = &managing.or_else(|error| actor.looking_for::<AnnotateModules>().map_err(|_| error))?;
        let before = self.find_plain(actor, id, Inactive::Hidden).await?;
        let Ok(grant) = actor.grant_at::<ManageModules>(&before) else {
            return self.annotate(actor, before, input, seen).await;
        };
        let changes = checked(input)?;
        seen.check(&before.stamp)?;
        let after = changed(&before, changes);
        let mut tx = self.platform.write(actor).await?;
        let new_type = (after.module_type_id != before.module_type_id).then_some(after.module_type_id);
        let new_parent =
            if after.parent_module_id == before.parent_module_id { None } else { after.parent_module_id };
        let behind = new_parent.map(|gateway| Behind { module: Some(id), site: before.site_id, gateway });
        check_references(actor, tx.as_mut(), &grant, new_type, behind).await?;
        let after = Module { stamp: before.stamp.touched(grant.author(), self.platform.now()), ..after };
        if !tx.update_module(&grant, &after, before.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        let written = reread(actor, tx.as_ref(), id).await?;
        self.platform.commit(tx, Audit::updated(&grant, &before, &written)).await?;
        Ok(written)
    }

    async fn annotate(
        &self,
        actor: &Actor,
        before: Module,
        input: impl Input<ModuleChanges>,
        seen: Precondition,
    ) -> Result<Module, Error> {
        let grant = actor.grant_at::<AnnotateModules>(&before)?;
        let after = changed(&before, checked(input)?);
        let annotated =
            Module { description: after.description.clone(), tags: after.tags.clone(), ..before.clone() };
        if annotated != after {
            return Err(Error::Forbidden(PermissionKind::ManageModules));
        }
        seen.check(&before.stamp)?;
        let after = Module { stamp: before.stamp.touched(grant.author(), self.platform.now()), ..after };
        let mut tx = self.platform.write(actor).await?;
        if !tx.annotate_module(&grant, &after, before.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        self.platform.commit(tx, Audit::updated(&grant, &before, &after)).await?;
        Ok(after)
    }

    /// Moves a module to another site of the same organization; its gateway stays where it is. Its admins and superusers.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Invalid` for a site that is not an active one of the organization; `Stale`;
    /// `Conflict` with `ModuleName`, or with `InUse` if others report through it.
    pub async fn relocate(
        &self,
        actor: &Actor,
        id: ModuleId,
        input: impl Input<ModuleMove>,
        seen: Precondition,
    ) -> Result<Module, Error> {
        let actor = &actor.looking_for::<ManageModules>()?;
        let before = self.find_plain(actor, id, Inactive::Hidden).await?;
        let grant = actor.grant_at::<ManageModules>(&before)?;
        let target = checked(input)?;
        seen.check(&before.stamp)?;
        let mut tx = self.platform.write(actor).await?;
        let sites = actor.grant_within::<ReadSites>(grant.org())?;
        let site: Site = tx
            .find_site(&sites, target.site_id)
            .await?
            .ok_or_else(|| Error::invalid("site_id", "is not a site of the module's organization"))?;
        let stamp = before.stamp.touched(grant.author(), self.platform.now());
        let mut after = Module { site_id: site.id, stamp, ..before.clone() };
        if site.id != before.site_id {
            keep_gateway(tx.as_mut(), &grant, id).await?;
            after.parent_module_id = None;
        }
        if !tx.update_module(&grant, &after, before.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        let left = tx.find_site(&sites, before.site_id).await?;
        if left.is_none_or(|left| left.timezone != site.timezone) {
            tx.mark_module(&grant, id).await?;
            enqueue_redo(self.platform, tx.as_mut(), grant.author(), vec![grant.org()]).await?;
            reports::rezone(tx.as_mut(), &actor.grant_in(grant.org())?, Scope::Module(id)).await?;
        }
        self.platform.commit(tx, Audit::done(&grant, Action::Moved, &before, &after)).await?;
        Ok(after)
    }

    /// Archives a module, which stops its ingest. The organization's admins and superusers.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Stale`; `Conflict(InUse)` if others report through it.
    pub async fn archive(&self, actor: &Actor, id: ModuleId, seen: Precondition) -> Result<Module, Error> {
        let actor = &actor.looking_for::<ManageModules>()?;
        let before = self.find_plain(actor, id, Inactive::Hidden).await?;
        let grant = actor.grant_at::<ManageModules>(&before)?;
        seen.check(&before.stamp)?;
        let stamp = before.stamp.archived(grant.author(), self.platform.now());
        let after = Module { stamp, ..before.clone() };
        let mut tx = self.platform.write(actor).await?;
        keep_gateway(tx.as_mut(), &grant, id).await?;
        if !tx.update_module(&grant, &after, before.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        self.platform.commit(tx, Audit::done(&grant, Action::Archived, &before, &after)).await?;
        Ok(after)
    }

    /// Brings an archived module back. The organization's admins and superusers.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Stale`; `Conflict` if it is not archived, its site is, or a name was taken meanwhile.
    pub async fn restore(&self, actor: &Actor, id: ModuleId, seen: Precondition) -> Result<Module, Error> {
        let actor = &actor.looking_for::<ManageModules>()?;
        let before = match self.find_plain(actor, id, Inactive::Included).await {
            Err(Error::Forbidden(_)) => self.find_plain(actor, id, Inactive::Hidden).await?,
            other => other?,
        };
        let grant = actor.grant_at::<ManageModules>(&before)?;
        if before.stamp.is_active {
            return Err(Error::Conflict(Rule::NotArchived));
        }
        seen.check(&before.stamp)?;
        let stamp = before.stamp.restored(grant.author(), self.platform.now());
        let after = Module { stamp, ..before.clone() };
        let mut tx = self.platform.write(actor).await?;
        if !tx.update_module(&grant, &after, before.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        self.platform.commit(tx, Audit::done(&grant, Action::Restored, &before, &after)).await?;
        Ok(after)
    }

    /// Says that the module is alive without a reading. The organization's admins and superusers.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Invalid`.
    pub async fn heartbeat(
        &self,
        actor: &Actor,
        id: ModuleId,
        input: impl Input<Heartbeat>,
    ) -> Result<Module, Error> {
        let actor = &actor.looking_for::<SendReadings>()?;
        let module = self.find_plain(actor, id, Inactive::Hidden).await?;
        let grant = actor.grant_at::<SendReadings>(&module)?;
        checked(input)?;
        let now = self.platform.now();
        let mut tx = self.platform.write(actor).await?;
        tx.record_heartbeat(&grant, id, now).await?;
        self.platform.commit(tx, Audit::none("a heartbeat changes nothing that anybody decided")).await?;
        Ok(Module { last_seen_at: module.last_seen_at.max(Some(now)), ..module })
    }

    /// The latest value of each metric of a module that the actor may see, by key.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn latest(&self, actor: &Actor, id: ModuleId) -> Result<Vec<LatestReading>, Error> {
        let grant = actor.grant::<ReadModules>()?;
        let reader = self.platform.read(actor).await?;
        found(&reader, &grant, id).await?;
        Ok(reader.list_latest(&grant, id).await?)
    }

    async fn find_plain(&self, actor: &Actor, id: ModuleId, inactive: Inactive) -> Result<Module, Error> {
        let grant = grant_to_read(actor, inactive)?;
        let reader = self.platform.read(actor).await?;
        found(&reader, &grant, id).await
    }
}

fn grant_to_read(actor: &Actor, inactive: Inactive) -> Result<Grant<ReadModules>, Error> {
    match inactive {
        Inactive::Hidden => actor.grant::<ReadModules>(),
        Inactive::Included => actor.grant_with_archived::<ReadModules, ManageModules>(),
    }
}

async fn found(reader: &Reader, grant: &Grant<ReadModules>, id: ModuleId) -> Result<Module, Error> {
    reader.find_module(grant, id).await?.ok_or(Error::NotFound { what: "module" })
}

/// The module as it now stands in the transaction: another type brings another rhythm.
async fn reread(actor: &Actor, tx: &dyn Tx, id: ModuleId) -> Result<Module, Error> {
    let grant = actor.grant::<ReadModules>()?;
    tx.find_module(&grant, id).await?.ok_or(Error::NotFound { what: "module" })
}

async fn details(
    actor: &Actor,
    reader: &Reader,
    modules: Vec<Module>,
    includes: ModuleIncludes,
) -> Result<Vec<ModuleDetail>, Error> {
    let types = if includes.module_type && !modules.is_empty() {
        let mut wanted: Vec<ModuleTypeId> = modules.iter().map(|module| module.module_type_id).collect();
        wanted.sort_unstable();
        wanted.dedup();
        reader.find_module_types(&actor.grant::<ReadCatalogue>()?, &wanted).await?
    } else {
        Vec::new()
    };
    let detail = |module: Module| ModuleDetail {
        module_type: types.iter().find(|found| found.id == module.module_type_id).cloned(),
        module,
    };
    Ok(modules.into_iter().map(detail).collect())
}

fn changed(before: &Module, changes: ModuleChanges) -> Module {
    let before = before.clone();
    Module {
        module_type_id: changes.module_type_id.unwrap_or(before.module_type_id),
        name: changes.name.unwrap_or(before.name),
        description: changes.description.unwrap_or(before.description),
        serial_number: changes.serial_number.unwrap_or(before.serial_number),
        external_id: changes.external_id.unwrap_or(before.external_id),
        firmware: changes.firmware.unwrap_or(before.firmware),
        expected_interval_s: changes.expected_interval_s.unwrap_or(before.expected_interval_s),
        offline_after_s: changes.offline_after_s.unwrap_or(before.offline_after_s),
        tags: changes.tags.unwrap_or(before.tags),
        parent_module_id: changes.parent_module_id.unwrap_or(before.parent_module_id),
        is_enabled: changes.is_enabled.unwrap_or(before.is_enabled),
        ..before
    }
}
