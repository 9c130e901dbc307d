use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{INVITATION_LIFETIME, Invitation, InvitationSort, InvitedTo, NewInvitation};
use crate::{
    access::{
        Actor, ManageAssignments, ManageMembers, OrgGrant, ReadMembers, ReadModules, ReadOrganizations,
        ReadProfiles, ReadSites, Role,
    },
    audit::{Action, Audit},
    error::{Error, FieldErrors, Rule},
    ids::{InvitationId, OrgId},
    input::{Input, checked},
    mail::{self, Content, NewMail},
    memberships::MemberRole,
    organizations::Organization,
    page::{Inactive, Listing, Page},
    platform::Platform,
    ports::Tx,
    stamp::{Precondition, Stamp},
    text::{EmailAddress, Secret},
};

/// What tokens of invitations begin with, so that a leaked one is recognized.
const PREFIX: &str = "inv_";

/// Use cases of invitations.
pub struct Invitations<'a> {
    pub(super) platform: &'a Platform,
}

impl<'a> Invitations<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// One page of an organization's invitations that were not taken back. Only its admins and superusers see addresses:
    /// the second value says whether the actor does.
    ///
    /// # Errors
    /// `Forbidden` without standing in the organization; `NotFound` for a superuser.
    pub async fn list(
        &self,
        actor: &Actor,
        org: OrgId,
        listing: &Listing<(), InvitationSort>,
    ) -> Result<(Page<Invitation>, bool), Error> {
        let actor = &actor.looking_for::<ReadMembers>()?;
        let grant = actor.grant_within::<ReadMembers>(org)?;
        self.organization(actor, org).await?;
        let reader = self.platform.read(actor).await?;
        let page = reader.list_invitations(&grant, org, listing).await?;
        Ok((page, sees_addresses(actor, org)))
    }

    /// One invitation, likewise.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`.
    pub async fn find(
        &self,
        actor: &Actor,
        org: OrgId,
        id: InvitationId,
    ) -> Result<(Invitation, bool), Error> {
        let actor = &actor.looking_for::<ReadMembers>()?;
        let grant = actor.grant_within::<ReadMembers>(org)?;
        self.organization(actor, org).await?;
        let reader = self.platform.read(actor).await?;
        let found = reader.find_invitation(&grant, org, id).await?;
        let invitation = found.ok_or(Error::NotFound { what: "invitation" })?;
        Ok((invitation, sees_addresses(actor, org)))
    }

    /// Invites an address, and writes the mail to it. Whether there is an account of that address makes no difference.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Invalid`, also for sites and modules that do not belong to the organization; `Conflict`
    /// with `Membership` if the address is that of a member, `Invitation` if it is invited already; `Limited` after a few letters to it.
    pub async fn create(
        &self,
        actor: &Actor,
        org: OrgId,
        input: impl Input<NewInvitation>,
    ) -> Result<Invitation, Error> {
        let actor = &actor.looking_for::<ManageMembers>()?;
        let grant = actor.grant_in::<ManageMembers>(org)?;
        let organization = self.organization(actor, org).await?;
        let new = checked(input)?;
        let assignments = new.parsed_assignments()?;
        if !assignments.is_empty() {
            actor.grant_in::<ManageAssignments>(org)?;
        }
        let (token, token_digest) = self.new_token();
        let now = self.platform.now();
        let invitation = Invitation {
            id: self.platform.mint(),
            organization_id: org,
            email: new.email.parse().map_err(|error| Error::invalid("email", format!("is {error}")))?,
            role: MemberRole::from_name(&new.role)
                .ok_or_else(|| Error::invalid("role", "must be one of: admin, member"))?,
            assignments,
            token_digest,
            expires_at: now.plus(INVITATION_LIFETIME),
            accepted_at: None,
            accepted_by: None,
            stamp: Stamp::new(grant.author(), now),
        };
        self.count_letter(actor, org, &invitation.email).await?;
        let inviter = self.inviter(actor).await?;
        let mut tx = self.platform.write(actor).await?;
        check_assignments(actor, tx.as_ref(), org, &invitation.assignments).await?;
        if tx.is_member_address(&grant, invitation.email.as_str()).await? {
            return Err(Error::Conflict(Rule::Membership));
        }
        let over = self.take_back_expired(actor, tx.as_mut(), &grant, &invitation.email).await?;
        tx.insert_invitation(&grant, &invitation).await?;
        self.post(tx.as_mut(), &grant, &organization, inviter, &invitation, token).await?;
        self.platform.commit(tx, Audit::created(&grant, &invitation).and(over)).await?;
        Ok(invitation)
    }

    /// Takes back the invitation of an address that is over, so that there can be another one. Nobody took it back: the log has it as
    /// done by the system.
    #[expect(clippy::disallowed_methods, reason = "the system takes back what is over")]
    async fn take_back_expired(
        &self,
        actor: &Actor,
        tx: &mut dyn Tx,
        grant: &OrgGrant<ManageMembers>,
        email: &EmailAddress,
    ) -> Result<Audit, Error> {
        let now = self.platform.now();
        let Some(before) = tx.find_expired_invitation(grant, email.as_str(), now).await? else {
            return Ok(Audit::none("nothing is over"));
        };
        let system = Actor::system(actor.request()).grant_in::<ManageMembers>(grant.org())?;
        let stamp = before.stamp.archived(system.author(), now);
        let after = Invitation { stamp, ..before.clone() };
        if !tx.update_invitation(&system, &after, before.stamp.revision).await? {
            return Err(Error::Conflict(Rule::ChangedMeanwhile));
        }
        Ok(Audit::done(&system, Action::Archived, &before, &after))
    }

    /// Sends an invitation that was not accepted once more, with a new token and a new time; the old token is dead.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Stale`; `Gone` if it was accepted; `Limited` after a few letters to the address.
    pub async fn resend(
        &self,
        actor: &Actor,
        org: OrgId,
        id: InvitationId,
        seen: Precondition,
    ) -> Result<Invitation, Error> {
        let actor = &actor.looking_for::<ManageMembers>()?;
        let (before, _) = self.find(actor, org, id).await?;
        let grant = actor.grant_in::<ManageMembers>(org)?;
        let organization = self.organization(actor, org).await?;
        if before.accepted_at.is_some() {
            return Err(Error::Gone { what: "invitation" });
        }
        seen.check(&before.stamp)?;
        let (token, token_digest) = self.new_token();
        let now = self.platform.now();
        let stamp = before.stamp.touched(grant.author(), now);
        let expires_at = now.plus(INVITATION_LIFETIME);
        let after = Invitation { token_digest, expires_at, stamp, ..before.clone() };
        self.count_letter(actor, org, &after.email).await?;
        let inviter = self.inviter(actor).await?;
        let mut tx = self.platform.write(actor).await?;
        if !tx.update_invitation(&grant, &after, before.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        self.post(tx.as_mut(), &grant, &organization, inviter, &after, token).await?;
        self.platform.commit(tx, Audit::updated(&grant, &before, &after)).await?;
        Ok(after)
    }

    /// Takes an invitation back: its token is dead.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Stale`; `Gone` if it was accepted.
    pub async fn revoke(
        &self,
        actor: &Actor,
        org: OrgId,
        id: InvitationId,
        seen: Precondition,
    ) -> Result<Invitation, Error> {
        let actor = &actor.looking_for::<ManageMembers>()?;
        let (before, _) = self.find(actor, org, id).await?;
        let grant = actor.grant_in::<ManageMembers>(org)?;
        if before.accepted_at.is_some() {
            return Err(Error::Gone { what: "invitation" });
        }
        seen.check(&before.stamp)?;
        let stamp = before.stamp.archived(grant.author(), self.platform.now());
        let after = Invitation { stamp, ..before.clone() };
        let mut tx = self.platform.write(actor).await?;
        if !tx.update_invitation(&grant, &after, before.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        self.platform.commit(tx, Audit::done(&grant, Action::Archived, &before, &after)).await?;
        Ok(after)
    }

    async fn organization(&self, actor: &Actor, org: OrgId) -> Result<Organization, Error> {
        actor.grant_within::<ReadOrganizations>(org)?;
        self.platform.organizations().find(actor, org, Inactive::Hidden).await
    }

    /// Nobody's address is filled with letters, whoever sends them.
    async fn count_letter(&self, actor: &Actor, org: OrgId, email: &EmailAddress) -> Result<(), Error> {
        self.platform.throttle().invitation(&actor.request(), org, email).await
    }

    fn new_token(&self) -> (Secret<String>, Vec<u8>) {
        let token = Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(self.platform.random::<32>())));
        let digest = token.digest();
        (token, digest)
    }

    /// The name of whoever invites, for the mail: an organization's key has none.
    async fn inviter(&self, actor: &Actor) -> Result<Option<String>, Error> {
        let Some(user) = actor.user() else { return Ok(None) };
        let grant = actor.grant::<ReadProfiles>()?;
        let reader = self.platform.read(actor).await?;
        Ok(reader.find_user(&grant, user).await?.map(|user| user.full_name))
    }

    async fn post(
        &self,
        tx: &mut dyn Tx,
        grant: &OrgGrant<ManageMembers>,
        organization: &Organization,
        inviter: Option<String>,
        invitation: &Invitation,
        token: Secret<String>,
    ) -> Result<(), Error> {
        let content = Content::Invitation(mail::Invitation {
            organization: organization.name.clone(),
            inviter: inviter.unwrap_or_else(|| organization.name.clone()),
            path: "/invitation".into(),
            hours: INVITATION_LIFETIME.as_secs() / 3600,
        });
        // Each sending is a mail of its own.
        let key = format!("invitation:{}:{}", invitation.id, invitation.stamp.revision.0);
        let mail = NewMail {
            organization_id: Some(organization.id),
            secret: Some(token),
            good_until: Some(invitation.expires_at),
            ..NewMail::new(invitation.email.clone(), key, content)
        };
        mail::send(self.platform, tx, grant.author(), mail).await.map(drop)
    }
}

fn sees_addresses(actor: &Actor, org: OrgId) -> bool {
    actor.role_in(org) == Some(Role::Admin) || actor.grant_in::<ManageMembers>(org).is_ok()
}

/// All that is to be assigned must belong to the organization; unknown and foreign ids get the same answer.
async fn check_assignments(
    actor: &Actor,
    tx: &dyn Tx,
    org: OrgId,
    assignments: &[InvitedTo],
) -> Result<(), Error> {
    let mut faults = FieldErrors::new();
    for (index, assignment) in assignments.iter().enumerate() {
        if let Some(site) = assignment.site_id {
            let sites = actor.grant_within::<ReadSites>(org)?;
            if tx.find_site(&sites, site).await?.is_none() {
                faults.add(format!("assignments[{index}].site_id"), "is not a site of the organization");
            }
        }
        if let Some(module) = assignment.module_id {
            let modules = actor.grant_within::<ReadModules>(org)?;
            if tx.find_module(&modules, module).await?.is_none() {
                faults.add(format!("assignments[{index}].module_id"), "is not a module of the organization");
            }
        }
    }
    faults.into_result()
}
