use validator::Validate;

use super::{Invitation, InvitationState, Invitations};
use crate::{
    access::{
        Actor, ManageAssignments, ManageMembers, ManageUsers, OrgGrant, ReadMembers, ReadModules, ReadSites,
        RequestContext, RunJobs,
    },
    assignments::Assignment,
    audit::Audit,
    error::{Error, FieldErrors},
    ids::{OrgId, UserId},
    input::{Input, checked},
    memberships::Membership,
    ports::{PasswordHash, Tx},
    sessions::author,
    stamp::Stamp,
    text::{self, Secret},
    users::User,
};

/// What somebody accepts an invitation with.
#[derive(Debug, Clone, Validate)]
pub struct Acceptance {
    /// The token of the mail.
    #[validate(skip)]
    pub token: Secret<String>,
    /// The name to show; for whoever has no account yet.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub full_name: Option<String>,
    /// The password; for whoever has no account yet.
    #[validate(skip)]
    pub password: Option<Secret<String>>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The organization.
    pub organization_id: OrgId,
    /// Who belongs to it now.
    pub user: User,
    /// Whether his account was made for it.
    pub is_new: bool,
}

/// Whose invitation it is.
enum Invited {
    Known(UserId),
    New { full_name: String, password: PasswordHash },
}

const GONE: Error = Error::Gone { what: "invitation" };

impl Invitations<'_> {
    /// Accepts an invitation: its address gets an account, if it has none, the membership, and what is assigned along with it.
    ///
    /// # Errors
    /// `Gone` for every token that is not that of an open invitation of somebody who may still invite; `Invalid`, also if
    /// name and password are missing for a new account or a password is given for one that there is; `Conflict(UserEmail)`
    /// if the account of the address is archived; `Unavailable` while every hashing thread is taken.
    #[expect(clippy::disallowed_methods, reason = "the token stands for the system's own right")]
    pub async fn accept(
        &self,
        request: RequestContext,
        input: impl Input<Acceptance>,
    ) -> Result<Accepted, Error> {
        let acceptance = checked(input)?;
        let system = Actor::system(request.clone());
        let token = acceptance.token.clone();
        let invitation = self.open_invitation(&system, &token).await?;
        let invited = self.invited(&system, &invitation, acceptance).await?;
        if matches!(invited, Invited::New { .. }) {
            // Hashing took its time, in which somebody may have taken it back, or lost the right to send it.
            self.open_invitation(&system, &token).await?;
        }
        let users = system.grant_platform::<ManageUsers>()?;
        let now = self.platform.now();
        let mut tx = self.platform.write(&system).await?;
        let mut made = None;
        let (user, is_new) = match invited {
            Invited::Known(id) => (id, false),
            Invited::New { full_name, password } => {
                let user = User {
                    id: self.platform.mint(),
                    email: invitation.email.clone(),
                    full_name,
                    is_superuser: false,
                    locale: "en".into(),
                    timezone: "UTC".into(),
                    last_login_at: None,
                    stamp: Stamp::new(users.author(), now),
                };
                tx.insert_user(&users, &user, Some(&password)).await?;
                let id = user.id;
                made = Some(Audit::created(&users, &user));
                (id, true)
            }
        };
        if !tx.accept_invitation(&users, invitation.id, &token.digest(), user, now).await? {
            return Err(GONE);
        }
        let members = system.grant_in::<ManageMembers>(invitation.organization_id)?;
        let profile = tx.find_user(&system.grant()?, user).await?.ok_or(GONE)?;
        let mut trail = self.join(&system, tx.as_mut(), &members, &invitation, user).await?;
        if let Some(made) = made {
            trail = trail.and(made);
        }
        self.platform.commit(tx, trail.by(&author((user, profile.is_superuser), &request))).await?;
        Ok(Accepted { organization_id: invitation.organization_id, user: profile, is_new })
    }

    /// The open invitation of this token, by somebody who could still send it.
    async fn open_invitation(&self, system: &Actor, token: &Secret<String>) -> Result<Invitation, Error> {
        let reader = self.platform.read(system).await?;
        let invitation = reader.find_invitation_by_token(&token.digest()).await?.ok_or(GONE)?;
        if invitation.state(self.platform.now()) != InvitationState::Open {
            return Err(GONE);
        }
        // Rights that are lost do not live on in what was sent with them. What an organization's key sent has no user.
        let stamp = &invitation.stamp;
        let sender = if stamp.updated_at.is_some() { stamp.updated_by } else { stamp.created_by };
        if !reader.is_sender_good(invitation.id).await? {
            return Err(GONE);
        }
        if let Some(inviter) = sender {
            let standing = reader.find_standing_of(&system.grant_platform::<RunJobs>()?, inviter).await?;
            let inviter = Actor::from_standing(standing.ok_or(GONE)?, RequestContext::default());
            inviter.grant_in::<ManageMembers>(invitation.organization_id).map_err(|_| GONE)?;
        }
        let organizations = system.grant_within(invitation.organization_id)?;
        let organization = reader.find_organization(&organizations, invitation.organization_id).await?;
        organization.map(|_| invitation).ok_or(GONE)
    }

    /// Whose it is. The password is hashed here, before any row is held.
    async fn invited(
        &self,
        system: &Actor,
        invitation: &Invitation,
        acceptance: Acceptance,
    ) -> Result<Invited, Error> {
        let login = self.platform.read(system).await?.find_login(&invitation.email).await?;
        let mut faults = FieldErrors::new();
        match (login, acceptance.full_name, acceptance.password) {
            (Some(login), _, None) => Ok(Invited::Known(login.user_id)),
            (Some(_), _, Some(_)) => {
                faults.add("password", "must be left out: there is an account with this address already");
                Err(Error::Invalid(faults))
            }
            (None, Some(full_name), Some(password)) => {
                let passwords = self.platform.passwords();
                let about = [full_name.as_str(), invitation.email.as_str()];
                passwords.faults("password", &password, &about).into_result()?;
                let password = passwords.hash(&password).await?;
                Ok(Invited::New { full_name, password })
            }
            (None, full_name, password) => {
                if full_name.is_none() {
                    faults.add("full_name", "is required");
                }
                if password.is_none() {
                    faults.add("password", "is required");
                }
                Err(Error::Invalid(faults))
            }
        }
    }

    /// Makes him a member, unless he became one meanwhile, and assigns what is still there.
    async fn join(
        &self,
        system: &Actor,
        tx: &mut dyn Tx,
        members: &OrgGrant<ManageMembers>,
        invitation: &Invitation,
        user: UserId,
    ) -> Result<Audit, Error> {
        let (org, now) = (invitation.organization_id, self.platform.now());
        let accepted = Invitation { accepted_at: Some(now), accepted_by: Some(user), ..invitation.clone() };
        let mut trail = Audit::updated(members, invitation, &accepted);
        let readable = system.grant_within::<ReadMembers>(org)?;
        if tx.find_member(&readable, org, user).await?.is_none() {
            let membership = Membership {
                id: self.platform.mint::<Membership>().uuid(),
                organization_id: org,
                user_id: user,
                role: invitation.role,
                stamp: Stamp::new(members.author(), now),
            };
            tx.insert_membership(members, &membership).await?;
            trail = trail.and(Audit::created(members, &membership));
        }
        let grant = system.grant_in::<ManageAssignments>(org)?;
        let (sites, modules) =
            (system.grant_within::<ReadSites>(org)?, system.grant_within::<ReadModules>(org)?);
        for to in &invitation.assignments {
            let is_there = match (to.site_id, to.module_id) {
                (Some(site), _) => tx.find_site(&sites, site).await?.is_some(),
                (None, Some(module)) => tx.find_module(&modules, module).await?.is_some(),
                (None, None) => false,
            };
            if !is_there || tx.is_assigned(&grant, user, to.site_id, to.module_id).await? {
                continue;
            }
            let assignment = Assignment {
                id: self.platform.mint(),
                organization_id: org,
                user_id: user,
                site_id: to.site_id,
                module_id: to.module_id,
                access: to.access,
                stamp: Stamp::new(grant.author(), now),
            };
            tx.insert_assignment(&grant, &assignment).await?;
            trail = trail.and(Audit::created(&grant, &assignment));
        }
        Ok(trail)
    }
}
