use super::{NewOrganization, Organization, OrganizationChanges, OrganizationFilter, OrganizationSort};
use crate::{
    access::{Actor, AdministerOrganizations, Grant, ManageOrganizations, PlatformGrant, ReadOrganizations},
    audit::{Action, Audit},
    error::{Error, Rule},
    ids::OrgId,
    input::{Input, checked},
    page::{Inactive, Listing, Page},
    platform::Platform,
    reports::{self, Scope},
    stamp::{Precondition, Stamp},
    text,
    time::Zone,
};

/// Use cases of organizations.
pub struct Organizations<'a> {
    platform: &'a Platform,
}

impl<'a> Organizations<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// Makes an organization. Superusers only.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid`; `Conflict` with `OrganizationName` or `OrganizationSlug`.
    pub async fn create(
        &self,
        actor: &Actor,
        input: impl Input<NewOrganization>,
    ) -> Result<Organization, Error> {
        let grant = actor.grant_platform::<AdministerOrganizations>()?;
        let new = checked(input)?;
        let is_slug_made = new.slug.is_none();
        let organization = Organization {
            id: self.platform.mint(),
            slug: new.slug.unwrap_or_else(|| text::slugified(&new.name, "organization")),
            name: new.name,
            timezone: new.timezone.map_or_else(|| "UTC".into(), Zone::spelled),
            stamp: Stamp::new(grant.author(), self.platform.now()),
        };
        match self.insert(actor, &grant, &organization).await {
            // Names that differ may be alike in Latin letters: a slug that nobody asked for is in nobody's way.
            Err(Error::Conflict(Rule::OrganizationSlug)) if is_slug_made => {
                let slug = text::distinguished(&organization.slug, organization.id.uuid());
                let organization = Organization { slug, ..organization };
                self.insert(actor, &grant, &organization).await?;
                Ok(organization)
            }
            made => made.map(|()| organization),
        }
    }

    async fn insert(
        &self,
        actor: &Actor,
        grant: &PlatformGrant<AdministerOrganizations>,
        organization: &Organization,
    ) -> Result<(), Error> {
        let mut tx = self.platform.write(actor).await?;
        tx.insert_organization(grant, organization).await?;
        let trail = Audit::created(grant, organization).in_log_of(organization.id);
        self.platform.commit(tx, trail).await
    }

    /// An organization that the actor belongs to; any for a superuser.
    ///
    /// # Errors
    /// `Forbidden` without standing in it, whether or not it exists; `NotFound` for a superuser.
    pub async fn find(&self, actor: &Actor, id: OrgId, inactive: Inactive) -> Result<Organization, Error> {
        let grant = match inactive {
            Inactive::Hidden => actor.grant_within::<ReadOrganizations>(id)?,
            Inactive::Included => {
                actor.grant_within_with_archived::<ReadOrganizations, ManageOrganizations>(id)?
            }
        };
        self.found(actor, &grant, id).await
    }

    /// One page of the organizations that the actor belongs to; of all for a superuser.
    ///
    /// # Errors
    /// `Forbidden` if archived ones are asked for by somebody who administers none.
    pub async fn list(
        &self,
        actor: &Actor,
        listing: &Listing<OrganizationFilter, OrganizationSort>,
    ) -> Result<Page<Organization>, Error> {
        let grant = match listing.inactive {
            Inactive::Hidden => actor.grant::<ReadOrganizations>()?,
            Inactive::Included => actor.grant_with_archived::<ReadOrganizations, ManageOrganizations>()?,
        };
        let reader = self.platform.read(actor).await?;
        Ok(reader.list_organizations(&grant, listing).await?)
    }

    /// Changes an organization. Its admins and superusers.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Invalid`; `Stale`; `Conflict` as for making.
    pub async fn update(
        &self,
        actor: &Actor,
        id: OrgId,
        input: impl Input<OrganizationChanges>,
        seen: Precondition,
    ) -> Result<Organization, Error> {
        let actor = &actor.looking_for::<ManageOrganizations>()?;
        let before = self.find(actor, id, Inactive::Hidden).await?;
        let grant = actor.grant_at::<ManageOrganizations>(&before)?;
        let changes = checked(input)?;
        seen.check(&before.stamp)?;
        let after = Organization {
            name: changes.name.unwrap_or_else(|| before.name.clone()),
            slug: changes.slug.unwrap_or_else(|| before.slug.clone()),
            timezone: changes.timezone.map_or_else(|| before.timezone.clone(), Zone::spelled),
            stamp: before.stamp.touched(grant.author(), self.platform.now()),
            ..before.clone()
        };
        let mut tx = self.platform.write(actor).await?;
        if !tx.update_organization(&grant, &after, before.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        if after.timezone != before.timezone {
            reports::rezone(tx.as_mut(), &actor.grant_in(id)?, Scope::Organization).await?;
        }
        self.platform.commit(tx, Audit::updated(&grant, &before, &after)).await?;
        Ok(after)
    }

    /// Archives an organization with its sites and modules. Superusers only.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Stale`.
    pub async fn archive(&self, actor: &Actor, id: OrgId, seen: Precondition) -> Result<Organization, Error> {
        let actor = &actor.looking_for::<AdministerOrganizations>()?;
        let before = self.find(actor, id, Inactive::Hidden).await?;
        let grant = actor.grant_platform::<AdministerOrganizations>()?;
        seen.check(&before.stamp)?;
        let stamp = before.stamp.archived(grant.author(), self.platform.now());
        let after = Organization { stamp, ..before.clone() };
        let mut tx = self.platform.write(actor).await?;
        let along = tx.archive_organization(&grant, &after, before.stamp.revision).await?;
        let along = along.ok_or_else(|| seen.overtaken())?;
        let trail = Audit::done(&grant, Action::Archived, &before, &after).in_log_of(id).with(along);
        self.platform.commit(tx, trail).await?;
        Ok(after)
    }

    /// Restores an organization with what its archiving hid. Superusers only.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Stale`; `Conflict` if it is not archived or a name was taken meanwhile.
    pub async fn restore(&self, actor: &Actor, id: OrgId, seen: Precondition) -> Result<Organization, Error> {
        let grant = actor.grant_platform::<AdministerOrganizations>()?;
        let read = actor.grant_with_archived::<ReadOrganizations, AdministerOrganizations>()?;
        let before = self.found(actor, &read, id).await?;
        if before.stamp.is_active {
            return Err(Error::Conflict(Rule::NotArchived));
        }
        seen.check(&before.stamp)?;
        let stamp = before.stamp.restored(grant.author(), self.platform.now());
        let after = Organization { stamp, ..before.clone() };
        let mut tx = self.platform.write(actor).await?;
        let along = tx.restore_organization(&grant, &after, before.stamp.revision).await?;
        let along = along.ok_or_else(|| seen.overtaken())?;
        let trail = Audit::done(&grant, Action::Restored, &before, &after).in_log_of(id).with(along);
        self.platform.commit(tx, trail).await?;
        Ok(after)
    }

    async fn found(
        &self,
        actor: &Actor,
        grant: &Grant<ReadOrganizations>,
        id: OrgId,
    ) -> Result<Organization, Error> {
        let reader = self.platform.read(actor).await?;
        reader.find_organization(grant, id).await?.ok_or(Error::NotFound { what: "organization" })
    }
}
