use super::{
    Member, MemberFilter, MemberRole, MemberSort, Membership, MembershipChanges, NewMembership,
    SearchedFields,
};
use crate::{
    access::{
        Actor, Grant, LeaveOrganization, ManageMembers, OrgGrant, PermissionKind, ReadMembers,
        ReadOrganizations, ReadProfiles, Role,
    },
    audit::{Action, Audit},
    error::{Error, Rule},
    ids::{OrgId, UserId},
    input::{Input, checked},
    organizations::Organization,
    page::{Inactive, Listing, Page},
    platform::Platform,
    ports::Tx,
    stamp::{Precondition, Stamp},
};

/// Use cases of memberships.
pub struct Memberships<'a> {
    platform: &'a Platform,
}

impl<'a> Memberships<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// One page of an organization's members. Regular members see id, name and role; admins and superusers the
    /// addresses too.
    ///
    /// # Errors
    /// `Forbidden` without standing in the organization; `NotFound` for a superuser.
    pub async fn list(
        &self,
        actor: &Actor,
        org: OrgId,
        listing: &Listing<MemberFilter, MemberSort>,
    ) -> Result<Page<Member>, Error> {
        let actor = &actor.looking_for::<ReadMembers>()?;
        let grant = actor.grant_within::<ReadMembers>(org)?;
        self.find_organization(actor, org).await?;
        let reader = self.platform.read(actor).await?;
        if sees_addresses(actor, org) {
            return Ok(reader.list_members(&grant, org, listing, SearchedFields::NameAndAddress).await?);
        }
        let page = reader.list_members(&grant, org, listing, SearchedFields::Name).await?;
        Ok(page.map(without_address))
    }

    /// Adds a user to an organization. Its admins and superusers.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Invalid`, also for a user whom the actor cannot see; `Conflict(Membership)`.
    pub async fn create(
        &self,
        actor: &Actor,
        org: OrgId,
        input: impl Input<NewMembership>,
    ) -> Result<Member, Error> {
        let actor = &actor.looking_for::<ManageMembers>()?;
        let grant = actor.grant_in::<ManageMembers>(org)?;
        self.find_organization(actor, org).await?;
        let new = checked(input)?;
        let profiles = actor.grant::<ReadProfiles>()?;
        let mut tx = self.platform.write(actor).await?;
        let user = tx
            .find_user(&profiles, new.user_id)
            .await?
            .ok_or_else(|| Error::invalid("user_id", "is not a user that you can see"))?;
        let membership = Membership {
            id: self.platform.mint::<Membership>().uuid(),
            organization_id: org,
            user_id: user.id,
            role: parsed_role(&new.role)?,
            stamp: Stamp::new(grant.author(), self.platform.now()),
        };
        tx.insert_membership(&grant, &membership).await?;
        self.platform.commit(tx, Audit::created(&grant, &membership)).await?;
        Ok(Member { user_id: user.id, full_name: user.full_name, email: Some(user.email), membership })
    }

    /// Changes a member's role. The organization's admins and superusers.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Invalid`; `Stale`; `Conflict(LastAdmin)`.
    pub async fn update(
        &self,
        actor: &Actor,
        org: OrgId,
        user: UserId,
        input: impl Input<MembershipChanges>,
        seen: Precondition,
    ) -> Result<Member, Error> {
        let actor = &actor.looking_for::<ManageMembers>()?;
        let before = self.find(actor, org, user).await?;
        let grant = actor.grant_in::<ManageMembers>(org)?;
        let changes = checked(input)?;
        seen.check(&before.membership.stamp)?;
        let role = match &changes.role {
            Some(role) => parsed_role(role)?,
            None => before.membership.role,
        };
        let stamp = before.membership.stamp.touched(grant.author(), self.platform.now());
        let membership = Membership { role, stamp, ..before.membership.clone() };
        let mut tx = self.platform.write(actor).await?;
        if before.membership.role == MemberRole::Admin && role != MemberRole::Admin {
            self.keep_an_admin(actor, tx.as_mut(), org, user).await?;
        }
        if !tx.update_membership(&grant, &membership, before.membership.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        self.platform.commit(tx, Audit::updated(&grant, &before.membership, &membership)).await?;
        Ok(Member { membership, ..before })
    }

    /// Ends a membership, with the user's assignments in the organization. Admins, superusers, and everybody for
    /// himself.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Stale`; `Conflict(LastAdmin)`.
    pub async fn archive(
        &self,
        actor: &Actor,
        org: OrgId,
        user: UserId,
        seen: Precondition,
    ) -> Result<Member, Error> {
        let actor = &actor.looking_for::<LeaveOrganization>()?;
        let before = self.find(actor, org, user).await?;
        let manage = actor.grant_in::<ManageMembers>(org);
        if manage.is_err() && actor.user() != Some(user) {
            return Err(Error::Forbidden(PermissionKind::ManageMembers));
        }
        seen.check(&before.membership.stamp)?;
        let mut tx = self.platform.write(actor).await?;
        if before.membership.role == MemberRole::Admin {
            self.keep_an_admin(actor, tx.as_mut(), org, user).await?;
        }
        let after = if let Ok(grant) = manage {
            self.end(tx, &grant, &before, &seen).await?
        } else {
            let grant = actor.grant_in::<LeaveOrganization>(org)?;
            self.leave(tx, &grant, &before, &seen).await?
        };
        Ok(Member { membership: after, ..before })
    }

    async fn end(
        &self,
        mut tx: Box<dyn Tx>,
        grant: &OrgGrant<ManageMembers>,
        before: &Member,
        seen: &Precondition,
    ) -> Result<Membership, Error> {
        let after = archived(before, grant.author(), self.platform);
        let along = tx.archive_membership(grant, &after, before.membership.stamp.revision).await?;
        let along = along.ok_or_else(|| seen.overtaken())?;
        let trail = Audit::done(grant, Action::Archived, &before.membership, &after).with(along);
        self.platform.commit(tx, trail).await?;
        Ok(after)
    }

    async fn leave(
        &self,
        mut tx: Box<dyn Tx>,
        grant: &OrgGrant<LeaveOrganization>,
        before: &Member,
        seen: &Precondition,
    ) -> Result<Membership, Error> {
        let after = archived(before, grant.author(), self.platform);
        let along = tx.leave_organization(grant, &after, before.membership.stamp.revision).await?;
        let along = along.ok_or_else(|| seen.overtaken())?;
        let trail = Audit::done(grant, Action::Archived, &before.membership, &after).with(along);
        self.platform.commit(tx, trail).await?;
        Ok(after)
    }

    async fn find(&self, actor: &Actor, org: OrgId, user: UserId) -> Result<Member, Error> {
        let grant: Grant<ReadMembers> = actor.grant_within(org)?;
        self.find_organization(actor, org).await?;
        let reader = self.platform.read(actor).await?;
        let member =
            reader.find_member(&grant, org, user).await?.ok_or(Error::NotFound { what: "member" })?;
        Ok(if sees_addresses(actor, org) { member } else { without_address(member) })
    }

    async fn find_organization(&self, actor: &Actor, org: OrgId) -> Result<Organization, Error> {
        actor.grant_within::<ReadOrganizations>(org)?;
        self.platform.organizations().find(actor, org, Inactive::Hidden).await
    }

    async fn keep_an_admin(
        &self,
        actor: &Actor,
        tx: &mut dyn Tx,
        org: OrgId,
        except: UserId,
    ) -> Result<(), Error> {
        let grant = actor.grant_in::<LeaveOrganization>(org)?;
        match tx.count_other_admins(&grant, except).await? {
            0 => Err(Error::Conflict(Rule::LastAdmin)),
            _ => Ok(()),
        }
    }
}

fn archived(before: &Member, author: &crate::access::Author, platform: &Platform) -> Membership {
    let stamp = before.membership.stamp.archived(author, platform.now());
    Membership { stamp, ..before.membership.clone() }
}

fn parsed_role(name: &str) -> Result<MemberRole, Error> {
    MemberRole::from_name(name).ok_or_else(|| Error::invalid("role", "must be one of: admin, member"))
}

fn sees_addresses(actor: &Actor, org: OrgId) -> bool {
    actor.role_in(org) == Some(Role::Admin) || actor.grant_in::<ManageMembers>(org).is_ok()
}

fn without_address(member: Member) -> Member {
    Member { email: None, ..member }
}
