//! Making many sites at once.

use std::collections::{BTreeMap, BTreeSet};

use super::{NewSite, Site, SiteNames, Sites};
use crate::{
    access::{Actor, ManageSites, OrgGrant, ReadOrganizations},
    audit::Audit,
    bulk::{BulkMode, BulkRow, BulkVerdict, MOST_ORGANIZATIONS, Rehearsal, Rows},
    error::{Error, FieldErrors, Rule},
    ids::OrgId,
    ports::{Repositories, Tx},
};

/// An organization that rows are of, and the right to make sites there.
struct Owner {
    grant: OrgGrant<ManageSites>,
    timezone: String,
}

impl Sites<'_> {
    /// Makes sites, each in the organization that its row names. Admins of all of these, and superusers.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for a superuser naming no active organization; `Invalid` if no row is good, or one is not and all have to
    /// be; `Conflict` if somebody else takes a name at the same moment.
    pub async fn create_many(
        &self,
        actor: &Actor,
        rows: Vec<BulkRow<OrgId, NewSite>>,
        mode: BulkMode,
    ) -> Result<BulkVerdict<Site>, Error> {
        let actor = &actor.looking_for::<ManageSites>()?;
        let owners = self.owners(actor, rows.iter().filter_map(|row| row.parent).collect()).await?;
        let mut rows = Rows::of("sites", rows)?.resolve(|(org, new)| {
            let owner = owners.get(&org).ok_or_else(|| FieldErrors::one("organization_id", "is unknown"))?;
            Ok((owner, new))
        });
        if mode.rehearsal == Rehearsal::Dry {
            keep_names_apart(&*self.platform.read(actor).await?, &owners, &mut rows).await?;
            rows.check(mode.atomicity)?;
            return Ok(self.planned(rows).into_verdict(mode.rehearsal));
        }
        let mut tx = self.platform.write(actor).await?;
        keep_names_apart(&*tx, &owners, &mut rows).await?;
        rows.check(mode.atomicity)?;
        let sites = self.planned(rows);
        let trail = insert(tx.as_mut(), &owners, &sites).await?;
        self.platform.commit(tx, trail).await?;
        Ok(sites.into_verdict(mode.rehearsal))
    }

    /// The organizations that are named, each one that the actor may make sites in.
    async fn owners(&self, actor: &Actor, orgs: BTreeSet<OrgId>) -> Result<BTreeMap<OrgId, Owner>, Error> {
        let grants = orgs.iter().map(|org| actor.grant_in::<ManageSites>(*org));
        let grants: Vec<OrgGrant<ManageSites>> = grants.collect::<Result<_, Error>>()?;
        if orgs.is_empty() {
            return Ok(BTreeMap::new());
        }
        if orgs.len() > MOST_ORGANIZATIONS {
            return Err(Error::invalid(
                "sites",
                format!("must be of at most {MOST_ORGANIZATIONS} organizations"),
            ));
        }
        let orgs: Vec<OrgId> = orgs.into_iter().collect();
        let read = actor.grant::<ReadOrganizations>()?;
        let found = self.platform.read(actor).await?.find_organizations(&read, &orgs).await?;
        let owner = |grant: OrgGrant<ManageSites>| {
            let organization = found.iter().find(|found| found.id == grant.org());
            let timezone = organization.ok_or(Error::NotFound { what: "organization" })?.timezone.clone();
            Ok((grant.org(), Owner { grant, timezone }))
        };
        grants.into_iter().map(owner).collect()
    }

    fn planned(&self, rows: Rows<(&Owner, NewSite)>) -> Rows<Site> {
        rows.resolve(|(Owner { grant, timezone }, new)| Ok(self.made(grant, new, timezone)))
    }
}

/// Names and external ids are those of one active site; the first of two rows has them.
async fn keep_names_apart(
    repositories: &dyn Repositories,
    owners: &BTreeMap<OrgId, Owner>,
    rows: &mut Rows<(&Owner, NewSite)>,
) -> Result<(), Error> {
    let (mut names, mut external_ids) = (BTreeSet::new(), BTreeSet::new());
    for (org, Owner { grant, .. }) in owners {
        let mut wanted = SiteNames::default();
        for (_, (owner, new)) in &rows.good {
            if owner.grant.org() == *org {
                wanted.names.insert(new.name.clone());
                wanted.external_ids.extend(new.external_id.clone());
            }
        }
        let taken = repositories.find_taken_sites(grant, &wanted).await?;
        names.extend(taken.names.into_iter().map(|name| (*org, name)));
        external_ids.extend(taken.external_ids.into_iter().map(|id| (*org, id)));
    }
    rows.judge(|(owner, new)| {
        let org = owner.grant.org();
        let (name, external_id) = ((org, new.name.clone()), new.external_id.clone().map(|id| (org, id)));
        let mut faults = FieldErrors::new();
        if names.contains(&name) {
            faults.add("name", Rule::SiteName.message());
        }
        if external_id.as_ref().is_some_and(|id| external_ids.contains(id)) {
            faults.add("external_id", Rule::SiteExternalId.message());
        }
        if faults.is_empty() {
            names.insert(name);
            external_ids.extend(external_id);
        }
        faults
    });
    Ok(())
}

async fn insert(
    tx: &mut dyn Tx,
    owners: &BTreeMap<OrgId, Owner>,
    sites: &Rows<Site>,
) -> Result<Audit, Error> {
    let mut entries = Vec::with_capacity(sites.good.len());
    for (org, Owner { grant, .. }) in owners {
        let of_owner = sites.good.iter().map(|(_, site)| site).filter(|site| site.organization_id == *org);
        let of_owner: Vec<&Site> = of_owner.collect();
        // Two requests with the same names in another order wait for one another in one direction only.
        let mut by_name = of_owner.clone();
        by_name.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        tx.insert_sites(grant, &by_name).await?;
        entries.extend(of_owner.into_iter().map(|site| Audit::created(grant, site)));
    }
    Ok(entries.into_iter().reduce(Audit::and).unwrap_or(Audit::none("no row is good")))
}
