//! Making many modules at once.

use std::collections::{BTreeMap, BTreeSet};

use super::{Module, ModuleNames, Modules, NewModule};
use crate::{
    access::{Actor, ManageModules, OrgGrant, ReadCatalogue, ReadModules, ReadSites},
    audit::Audit,
    bulk::{BulkMode, BulkRow, BulkVerdict, MOST_ORGANIZATIONS, Rehearsal, Rows},
    error::{Error, FieldErrors, Rule},
    ids::{ModuleId, ModuleTypeId, OrgId, SiteId},
    ports::{Repositories, Tx},
};

/// The organizations of the sites that rows name, and the right to make modules there.
type Owners = BTreeMap<OrgId, OrgGrant<ManageModules>>;

/// A row at its site.
struct Placed<'a> {
    grant: &'a OrgGrant<ManageModules>,
    site: SiteId,
    new: NewModule,
}

/// What rows refer to, and what others have already.
#[derive(Default)]
struct Surroundings {
    types: BTreeMap<(OrgId, ModuleTypeId), (Option<i32>, Option<i32>)>,
    gateways: BTreeMap<(OrgId, ModuleId), SiteId>,
    names: BTreeSet<(SiteId, String)>,
    serial_numbers: BTreeSet<(OrgId, String)>,
    external_ids: BTreeSet<(OrgId, String)>,
}

impl Modules<'_> {
    /// Makes modules, each at the site that its row names. Admins of the organizations of all of these, and superusers. A gateway is a
    /// module that there is already.
    ///
    /// # Errors
    /// `Forbidden` for a site that the actor sees and may not make modules at; `Invalid` if no row is good, or one is not and all have to
    /// be; `Conflict` if somebody else takes a name, or archives what a row refers to, at the same moment.
    pub async fn create_many(
        &self,
        actor: &Actor,
        rows: Vec<BulkRow<SiteId, NewModule>>,
        mode: BulkMode,
    ) -> Result<BulkVerdict<Module>, Error> {
        let actor = &actor.looking_for::<ManageModules>()?;
        let (sites, owners) = self.places(actor, rows.iter().filter_map(|row| row.parent).collect()).await?;
        let mut rows = Rows::of("modules", rows)?.resolve(|(site, new)| {
            let grant = sites.get(&site).and_then(|org| owners.get(org));
            let grant = grant.ok_or_else(|| FieldErrors::one("site_id", "is not a site that you can see"))?;
            Ok(Placed { grant, site, new })
        });
        if mode.rehearsal == Rehearsal::Dry {
            let reader = self.platform.read(actor).await?;
            let around = keep_apart(actor, &*reader, &owners, &mut rows).await?;
            rows.check(mode.atomicity)?;
            return Ok(self.planned(rows, &around).into_verdict(mode.rehearsal));
        }
        let mut tx = self.platform.write(actor).await?;
        let around = keep_apart(actor, &*tx, &owners, &mut rows).await?;
        rows.check(mode.atomicity)?;
        let modules = self.planned(rows, &around);
        let trail = insert(tx.as_mut(), &owners, &modules).await?;
        self.platform.commit(tx, trail).await?;
        Ok(modules.into_verdict(mode.rehearsal))
    }

    /// The organizations of those of the sites that the actor sees, each one that he may make modules in.
    async fn places(
        &self,
        actor: &Actor,
        sites: BTreeSet<SiteId>,
    ) -> Result<(BTreeMap<SiteId, OrgId>, Owners), Error> {
        let (mut places, mut owners) = (BTreeMap::new(), Owners::new());
        if sites.is_empty() {
            return Ok((places, owners));
        }
        let sites: Vec<SiteId> = sites.into_iter().collect();
        let read = actor.grant::<ReadSites>()?;
        for site in self.platform.read(actor).await?.find_sites(&read, &sites).await? {
            let grant = actor.grant_at::<ManageModules>(&site)?;
            places.insert(site.id, grant.org());
            owners.insert(grant.org(), grant);
        }
        if owners.len() > MOST_ORGANIZATIONS {
            let fault = format!("must be of at most {MOST_ORGANIZATIONS} organizations");
            return Err(Error::invalid("modules", fault));
        }
        Ok((places, owners))
    }

    fn planned(&self, rows: Rows<Placed<'_>>, around: &Surroundings) -> Rows<Module> {
        rows.resolve(|Placed { grant, site, new }| {
            let of_type = around.types.get(&(grant.org(), new.module_type_id)).copied().unwrap_or_default();
            Ok(self.made(grant, site, new, of_type))
        })
    }
}

impl Surroundings {
    /// Reads what is around the rows of an organization.
    async fn add(
        &mut self,
        actor: &Actor,
        repositories: &dyn Repositories,
        grant: &OrgGrant<ManageModules>,
        rows: &Rows<Placed<'_>>,
    ) -> Result<(), Error> {
        let org = grant.org();
        let (mut types, mut gateways) = (BTreeSet::new(), BTreeSet::new());
        let mut wanted = ModuleNames::default();
        for (_, row) in rows.good.iter().filter(|(_, row)| row.grant.org() == org) {
            types.insert(row.new.module_type_id);
            gateways.extend(row.new.parent_module_id);
            wanted.names.insert((row.site, row.new.name.clone()));
            wanted.serial_numbers.extend(row.new.serial_number.clone());
            wanted.external_ids.extend(row.new.external_id.clone());
        }
        let (types, gateways): (Vec<_>, Vec<_>) =
            (types.into_iter().collect(), gateways.into_iter().collect());
        if !types.is_empty() {
            let catalogue = actor.grant_within::<ReadCatalogue>(org)?;
            let found = repositories.find_module_types(&catalogue, &types).await?;
            let rhythms =
                found.into_iter().map(|found| (found.id, (found.expected_interval_s, found.offline_after_s)));
            self.types.extend(rhythms.map(|(id, rhythm)| ((org, id), rhythm)));
        }
        if !gateways.is_empty() {
            let modules = actor.grant_within::<ReadModules>(org)?;
            let found = repositories.find_modules(&modules, &gateways).await?;
            self.gateways.extend(found.into_iter().map(|gateway| ((org, gateway.id), gateway.site_id)));
        }
        let taken = repositories.find_taken_modules(grant, &wanted).await?;
        self.names.extend(taken.names);
        self.serial_numbers.extend(taken.serial_numbers.into_iter().map(|number| (org, number)));
        self.external_ids.extend(taken.external_ids.into_iter().map(|id| (org, id)));
        Ok(())
    }

    /// What is wrong with a row here; a good one is here from now on.
    fn judge(&mut self, row: &Placed<'_>) -> FieldErrors {
        let Placed { grant, site, new } = row;
        let org = grant.org();
        let mut faults = FieldErrors::new();
        if !self.types.contains_key(&(org, new.module_type_id)) {
            faults.add("module_type_id", "is not a module type of the organization or a built-in one");
        }
        match new.parent_module_id.map(|gateway| self.gateways.get(&(org, gateway))) {
            Some(None) => faults.add("parent_module_id", "is not a module of the organization"),
            Some(Some(other)) if other != site => faults.add("parent_module_id", "stands at another site"),
            Some(Some(_)) | None => {}
        }
        let name = (*site, new.name.clone());
        let serial_number = new.serial_number.clone().map(|number| (org, number));
        let external_id = new.external_id.clone().map(|id| (org, id));
        if self.names.contains(&name) {
            faults.add("name", Rule::ModuleName.message());
        }
        if serial_number.as_ref().is_some_and(|number| self.serial_numbers.contains(number)) {
            faults.add("serial_number", Rule::ModuleSerialNumber.message());
        }
        if external_id.as_ref().is_some_and(|id| self.external_ids.contains(id)) {
            faults.add("external_id", Rule::ModuleExternalId.message());
        }
        if faults.is_empty() {
            self.names.insert(name);
            self.serial_numbers.extend(serial_number);
            self.external_ids.extend(external_id);
        }
        faults
    }
}

/// Finds what rows refer to, and keeps those that get along with it and with each other; the first of two rows has a name.
async fn keep_apart(
    actor: &Actor,
    repositories: &dyn Repositories,
    owners: &Owners,
    rows: &mut Rows<Placed<'_>>,
) -> Result<Surroundings, Error> {
    let mut around = Surroundings::default();
    for grant in owners.values() {
        around.add(actor, repositories, grant, rows).await?;
    }
    rows.judge(|row| around.judge(row));
    Ok(around)
}

async fn insert(tx: &mut dyn Tx, owners: &Owners, modules: &Rows<Module>) -> Result<Audit, Error> {
    let mut entries = Vec::with_capacity(modules.good.len());
    for (org, grant) in owners {
        let all = modules.good.iter().map(|(_, module)| module);
        let of_owner: Vec<&Module> = all.filter(|module| module.organization_id == *org).collect();
        // Two requests with the same names in another order wait for one another in one direction only.
        let mut by_name = of_owner.clone();
        by_name.sort_unstable_by(|one, other| (one.site_id, &one.name).cmp(&(other.site_id, &other.name)));
        tx.insert_modules(grant, &by_name).await?;
        entries.extend(of_owner.into_iter().map(|module| Audit::created(grant, module)));
    }
    Ok(entries.into_iter().reduce(Audit::and).unwrap_or(Audit::none("no row is good")))
}
