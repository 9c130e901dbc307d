use super::{Assignment, AssignmentChanges, AssignmentFilter, AssignmentSort, NewAssignment};
use crate::{
    access::{
        Access, Actor, ManageAssignments, ReadAssignments, ReadMembers, ReadModules, ReadOrganizations,
        ReadSites,
    },
    audit::{Action, Audit},
    error::{Error, FieldErrors},
    ids::{AssignmentId, OrgId},
    input::{Input, checked},
    page::{Inactive, Listing, Page},
    platform::Platform,
    ports::Tx,
    stamp::{Precondition, Stamp},
};

/// Use cases of assignments.
pub struct Assignments<'a> {
    platform: &'a Platform,
}

impl<'a> Assignments<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// One page of an organization's assignments. Its admins and superusers.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for a superuser.
    pub async fn list(
        &self,
        actor: &Actor,
        org: OrgId,
        listing: &Listing<AssignmentFilter, AssignmentSort>,
    ) -> Result<Page<Assignment>, Error> {
        let actor = &actor.looking_for::<ReadAssignments>()?;
        let grant = actor.grant_within::<ReadAssignments>(org)?;
        self.require_organization(actor, org).await?;
        let reader = self.platform.read(actor).await?;
        Ok(reader.list_assignments(&grant, org, listing).await?)
    }

    /// One assignment. The organization's admins and superusers.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`.
    pub async fn find(&self, actor: &Actor, org: OrgId, id: AssignmentId) -> Result<Assignment, Error> {
        let actor = &actor.looking_for::<ReadAssignments>()?;
        let grant = actor.grant_within::<ReadAssignments>(org)?;
        self.require_organization(actor, org).await?;
        let reader = self.platform.read(actor).await?;
        reader.find_assignment(&grant, org, id).await?.ok_or(Error::NotFound { what: "assignment" })
    }

    /// Assigns a member to a site or a module of the organization. Its admins and superusers.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Invalid`, also for users, sites and modules that do not belong to the organization;
    /// `Conflict(Assignment)`.
    pub async fn create(
        &self,
        actor: &Actor,
        org: OrgId,
        input: impl Input<NewAssignment>,
    ) -> Result<Assignment, Error> {
        let actor = &actor.looking_for::<ManageAssignments>()?;
        let grant = actor.grant_in::<ManageAssignments>(org)?;
        self.require_organization(actor, org).await?;
        let new = checked(input)?;
        let mut tx = self.platform.write(actor).await?;
        check_references(actor, tx.as_ref(), org, &new).await?;
        let assignment = Assignment {
            id: self.platform.mint(),
            organization_id: org,
            user_id: new.user_id,
            site_id: new.site_id,
            module_id: new.module_id,
            access: parsed_access(&new.access)?,
            stamp: Stamp::new(grant.author(), self.platform.now()),
        };
        tx.insert_assignment(&grant, &assignment).await?;
        self.platform.commit(tx, Audit::created(&grant, &assignment)).await?;
        Ok(assignment)
    }

    /// Changes what an assignment allows. The organization's admins and superusers.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Invalid`; `Stale`.
    pub async fn update(
        &self,
        actor: &Actor,
        org: OrgId,
        id: AssignmentId,
        input: impl Input<AssignmentChanges>,
        seen: Precondition,
    ) -> Result<Assignment, Error> {
        let actor = &actor.looking_for::<ManageAssignments>()?;
        let before = self.find(actor, org, id).await?;
        let changes = checked(input)?;
        let access = match &changes.access {
            Some(access) => parsed_access(access)?,
            None => before.access,
        };
        let grant = actor.grant_in::<ManageAssignments>(org)?;
        let stamp = before.stamp.touched(grant.author(), self.platform.now());
        let after = Assignment { access, stamp, ..before.clone() };
        self.write(actor, Action::Updated, before, after, seen).await
    }

    /// Ends an assignment. The organization's admins and superusers.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Stale`.
    pub async fn archive(
        &self,
        actor: &Actor,
        org: OrgId,
        id: AssignmentId,
        seen: Precondition,
    ) -> Result<Assignment, Error> {
        let actor = &actor.looking_for::<ManageAssignments>()?;
        let before = self.find(actor, org, id).await?;
        let grant = actor.grant_in::<ManageAssignments>(org)?;
        let stamp = before.stamp.archived(grant.author(), self.platform.now());
        let after = Assignment { stamp, ..before.clone() };
        self.write(actor, Action::Archived, before, after, seen).await
    }

    async fn write(
        &self,
        actor: &Actor,
        action: Action,
        before: Assignment,
        after: Assignment,
        seen: Precondition,
    ) -> Result<Assignment, Error> {
        let grant = actor.grant_at::<ManageAssignments>(&before)?;
        seen.check(&before.stamp)?;
        let mut tx = self.platform.write(actor).await?;
        if !tx.update_assignment(&grant, &after, before.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        self.platform.commit(tx, Audit::done(&grant, action, &before, &after)).await?;
        Ok(after)
    }

    async fn require_organization(&self, actor: &Actor, org: OrgId) -> Result<(), Error> {
        actor.grant_within::<ReadOrganizations>(org)?;
        self.platform.organizations().find(actor, org, Inactive::Hidden).await.map(drop)
    }
}

fn parsed_access(name: &str) -> Result<Access, Error> {
    Access::from_name(name).ok_or_else(|| Error::invalid("access", "must be one of: operator, viewer"))
}

/// All that the assignment names must belong to its organization; unknown and foreign ids get the same answer.
async fn check_references(actor: &Actor, tx: &dyn Tx, org: OrgId, new: &NewAssignment) -> Result<(), Error> {
    let mut faults = FieldErrors::new();
    let members = actor.grant_within::<ReadMembers>(org)?;
    if tx.find_member(&members, org, new.user_id).await?.is_none() {
        faults.add("user_id", "is not a member of the organization");
    }
    match (new.site_id, new.module_id) {
        (Some(site), None) => {
            let sites = actor.grant_within::<ReadSites>(org)?;
            if tx.find_site(&sites, site).await?.is_none() {
                faults.add("site_id", "is not a site of the organization");
            }
        }
        (None, Some(module)) => {
            let modules = actor.grant_within::<ReadModules>(org)?;
            if tx.find_module(&modules, module).await?.is_none() {
                faults.add("module_id", "is not a module of the organization");
            }
        }
        _ => faults.add("site_id", "exactly one of site_id and module_id must be given"),
    }
    faults.into_result()
}
