//! Who acts, and the four doors through which he is given a grant.

use std::{collections::BTreeSet, marker::PhantomData, net::IpAddr, sync::Arc};

use super::{
    Access, Archived, Author, AuthorKind, Bearer, Credential, Grant, Horizon, LogEnds, OrgGrant, OwnGrant,
    OwnerGrant, Permission, PermissionKind, PlatformGrant, Reach, Role, Spot, Within, bearer::Allowed,
};
use crate::{
    error::{Error, TokenFault},
    idempotency::{IdempotencyClaim, KeyedRequest},
    ids::{OrgId, SessionId, UserId},
    jobs::JobFence,
};

/// Where a request came from. Nothing in it is proof of anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestContext {
    /// The request id that logs, errors and audit entries share.
    pub request_id: Option<String>,
    /// The client's address, after trusted proxies were taken off.
    pub client: Option<IpAddr>,
    /// The `User-Agent`, cut to 256 characters.
    pub user_agent: Option<String>,
}

/// A user's rights as the database knows them at this moment: one read per request.
///
/// Memberships of archived organizations and assignments without a membership are already left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The user.
    pub user: UserId,
    /// The session that the request runs in; `None` for a job that works in the user's name.
    pub session: Option<SessionId>,
    /// Whether the user is a superuser.
    pub is_superuser: bool,
    /// The organizations and the role in each.
    pub memberships: Vec<(OrgId, Role)>,
    /// What is assigned to the user, with the organization that it belongs to.
    pub assignments: Vec<(OrgId, Spot, Access)>,
    /// How far the logs of his organizations have come.
    pub log_ends: LogEnds,
}

impl Standing {
    /// Whether whoever had these rights has all of them in `other` as well, and perhaps more.
    pub fn is_within(&self, other: &Self) -> bool {
        (self.user, self.session) == (other.user, other.session)
            && (!self.is_superuser || other.is_superuser)
            && self.memberships.iter().all(|membership| other.memberships.contains(membership))
            && self.assignments.iter().all(|assignment| other.assignments.contains(assignment))
    }
}

#[derive(Debug, Clone)]
pub(super) enum Rights {
    None,
    Everything,
    /// A user's, in person or through a key of his.
    Standing(Arc<Standing>),
    /// An organization's key's: those of its admin.
    Organization([(OrgId, Role); 1], LogEnds),
    /// A device's.
    Device(OrgId, Spot),
}

/// Someone who may be given grants. Made only by authentication, or as [`Actor::system`] by the server's own commands.
#[derive(Debug, Clone)]
pub struct Actor {
    rights: Rights,
    /// What of his rights he may use here.
    pub(super) allowed: Allowed,
    /// Of the rights that he came with.
    horizon: Arc<Horizon>,
    by: Arc<Author>,
    user_agent: Option<Arc<str>>,
    keyed: Option<Arc<KeyedRequest>>,
    fence: Option<Arc<JobFence>>,
}

impl Rights {
    fn horizon(&self) -> Horizon {
        let of_org = |org: &OrgId| Horizon::Within { orgs: BTreeSet::from([*org]), user: None };
        match self {
            Self::None | Self::Everything => Horizon::Everything,
            Self::Standing(standing) if standing.is_superuser => Horizon::Everything,
            Self::Standing(standing) => {
                let members = standing.memberships.iter().map(|(org, _)| *org);
                let assigned = standing.assignments.iter().map(|(org, ..)| *org);
                Horizon::Within { orgs: members.chain(assigned).collect(), user: Some(standing.user) }
            }
            Self::Organization([(org, _)], _) | Self::Device(org, _) => of_org(org),
        }
    }
}

/// Something that lies in an organization, perhaps at a site or module that can be assigned.
pub trait Located {
    /// The owning organization; `None` for what is built in.
    fn org(&self) -> Option<OrgId>;
    /// The places by which an assignment may cover it.
    fn spots(&self) -> Vec<Spot> {
        Vec::new()
    }
}

impl Actor {
    /// The platform itself, with every right: server commands and the first set-up.
    pub fn system(request: RequestContext) -> Self {
        Self::new(Rights::Everything, author(AuthorKind::System, request))
    }

    /// Nobody yet: may open a session for signing in, and is given no grants.
    pub fn anonymous(request: RequestContext) -> Self {
        Self::new(Rights::None, author(AuthorKind::Anonymous, request))
    }

    pub(crate) fn from_standing(standing: Standing, request: RequestContext) -> Self {
        let (author, user_agent) = author(AuthorKind::User, request);
        let by = Author { user: Some(standing.user), is_superuser: standing.is_superuser, ..author };
        Self::new(Rights::Standing(Arc::new(standing)), (by, user_agent))
    }

    /// An organization at work on what a key of its own once asked for: its admin's rights.
    pub(crate) fn of_organization(org: OrgId) -> Self {
        let by = author(AuthorKind::System, RequestContext::default());
        Self::new(Rights::Organization([(org, Role::Admin)], LogEnds::default()), by)
    }

    /// Whoever shows a credential, with what it stands for at this moment.
    pub(crate) fn from_bearer(credential: Credential, bearer: Bearer, request: RequestContext) -> Self {
        let allowed = Allowed::of(&bearer);
        let actor = match bearer {
            Bearer::User { standing, .. } => Self::from_standing(standing, request),
            Bearer::Organization { org, log_ends, .. } => {
                let rights = Rights::Organization([(org, Role::Admin)], log_ends);
                Self::new(rights, author(AuthorKind::ApiKey, request))
            }
            Bearer::Device { org, spot } => {
                Self::new(Rights::Device(org, spot), author(AuthorKind::Device, request))
            }
        };
        let kind = match credential {
            Credential::ApiKey(_) => AuthorKind::ApiKey,
            Credential::Device(_) => AuthorKind::Device,
        };
        let by = Author { kind, credential: Some(credential), ..actor.author().clone() };
        Self { allowed, by: Arc::new(by), ..actor }
    }

    /// An actor with a standing of the test's choice.
    #[cfg(feature = "testing")]
    pub fn for_tests(standing: Standing) -> Self {
        Self::from_standing(standing, RequestContext::default())
    }

    fn new(rights: Rights, (by, user_agent): (Author, Option<Arc<str>>)) -> Self {
        let horizon = Arc::new(rights.horizon());
        Self {
            rights,
            allowed: Allowed::All,
            horizon,
            by: Arc::new(by),
            user_agent,
            keyed: None,
            fence: None,
        }
    }

    /// The same actor with the idempotency claim of his request, which its change then takes along.
    pub fn with_claim(self, claim: IdempotencyClaim) -> Self {
        self.with_keyed_request(Arc::new(KeyedRequest::new(claim)))
    }

    pub(crate) fn with_keyed_request(mut self, request: Arc<KeyedRequest>) -> Self {
        self.keyed = Some(request);
        self
    }

    /// His request, if it came with an idempotency key.
    pub fn keyed_request(&self) -> Option<&Arc<KeyedRequest>> {
        self.keyed.as_ref()
    }

    /// The same actor at work on a job: what he writes is kept only while the job's lease holds.
    pub(crate) fn with_fence(mut self, fence: JobFence) -> Self {
        self.fence = Some(Arc::new(fence));
        self
    }

    /// The lease of the job that he works on.
    pub fn fence(&self) -> Option<&JobFence> {
        self.fence.as_deref()
    }

    /// How far anything done for him may see at all; that of all his rights, even where he acts with fewer of them.
    pub fn horizon(&self) -> &Horizon {
        &self.horizon
    }

    /// Who this is, for the audit log.
    pub fn author(&self) -> &Author {
        &self.by
    }

    /// Where his request came from.
    pub(crate) fn request(&self) -> RequestContext {
        RequestContext {
            request_id: self.by.request_id.clone(),
            client: self.by.client,
            user_agent: self.user_agent().map(str::to_owned),
        }
    }

    /// The `User-Agent` of the request.
    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }

    /// The user, if it is one, or the owner of the key that was shown.
    pub fn user(&self) -> Option<UserId> {
        self.by.user
    }

    /// The session that the user's request runs in.
    pub fn session(&self) -> Option<SessionId> {
        self.standing().and_then(|standing| standing.session)
    }

    /// The standing, if a user acts, or a key of his.
    pub fn standing(&self) -> Option<&Standing> {
        match &self.rights {
            Rights::Standing(standing) => Some(standing),
            Rights::None | Rights::Everything | Rights::Organization(..) | Rights::Device(..) => None,
        }
    }

    /// The same with no rights but those over what is the user's own, and all of these: for telling somebody who he is.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for nobody; [`Error::Forbidden`] if no user acts, nor a key of his.
    pub fn as_oneself(&self) -> Result<Self, Error> {
        let standing = match &self.rights {
            Rights::None => return Err(Error::Unauthenticated(TokenFault::Missing)),
            Rights::Standing(standing) => standing,
            Rights::Everything | Rights::Organization(..) | Rights::Device(..) => {
                return Err(Error::Forbidden(PermissionKind::ReadProfiles));
            }
        };
        let own = Standing {
            is_superuser: false,
            memberships: Vec::new(),
            assignments: Vec::new(),
            ..Standing::clone(standing)
        };
        Ok(Self { rights: Rights::Standing(Arc::new(own)), allowed: Allowed::All, ..self.clone() })
    }

    pub(super) const fn rights(&self) -> &Rights {
        &self.rights
    }

    pub(super) fn holds_everything(&self) -> bool {
        matches!(self.rights, Rights::Everything)
            || self.standing().is_some_and(|standing| standing.is_superuser)
    }

    /// The organizations with standing, and the role in each.
    pub(super) fn memberships(&self) -> &[(OrgId, Role)] {
        match &self.rights {
            Rights::Standing(standing) => &standing.memberships,
            Rights::Organization(membership, _) => membership,
            Rights::None | Rights::Everything | Rights::Device(..) => &[],
        }
    }

    /// The single places with standing, and the role at each.
    pub(super) fn places(&self) -> impl Iterator<Item = (OrgId, Spot, Role)> {
        let device = match &self.rights {
            Rights::Device(org, spot) => Some((*org, *spot, Role::Device)),
            _ => None,
        };
        let assignments = self.standing().map(|standing| standing.assignments.as_slice()).unwrap_or_default();
        assignments.iter().map(|(org, spot, access)| (*org, *spot, access.role())).chain(device)
    }

    /// The right to look at whatever this permission lets the actor see; that may be nothing.
    ///
    /// # Errors
    /// [`Error::Forbidden`] if only admins hold it and he administers no organization.
    pub fn grant<P: Permission>(&self) -> Result<Grant<P>, Error> {
        self.require::<P>()?;
        if self.holds_everything() {
            return Ok(self.reading(Reach::Everywhere, Archived::Hidden));
        }
        let within = self.within(P::KIND);
        let is_nowhere = within.orgs.is_empty() && within.sites.is_empty() && within.modules.is_empty();
        if is_nowhere && !P::KIND.is_for_regular_users() {
            return Err(Error::Forbidden(P::KIND));
        }
        Ok(self.reading(Reach::Within(within), Archived::Hidden))
    }

    /// As [`Actor::grant`], and archived rows too, as far as the actor holds `M`, the right to manage them.
    ///
    /// # Errors
    /// [`Error::Forbidden`] if he holds `M` nowhere.
    pub fn grant_with_archived<P: Permission, M: Permission>(&self) -> Result<Grant<P>, Error> {
        let manage = self.grant_managed::<M>()?;
        let mut grant = self.grant::<P>()?;
        grant.archived = manage;
        Ok(grant)
    }

    fn grant_managed<M: Permission>(&self) -> Result<Archived, Error> {
        self.require::<M>()?;
        if self.holds_everything() {
            return Ok(Archived::Everywhere);
        }
        let orgs: BTreeSet<OrgId> =
            self.orgs_as(|role| role == Role::Admin && M::KIND.holders().contains(&role)).collect();
        if orgs.is_empty() { Err(Error::Forbidden(M::KIND)) } else { Ok(Archived::Within(orgs)) }
    }

    /// The right to look at what lies in one organization, as far as the actor may see it.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without standing there, whether or not the organization exists.
    pub fn grant_within<P: Permission>(&self, org: OrgId) -> Result<Grant<P>, Error> {
        self.require::<P>()?;
        if self.holds_everything() {
            let orgs = BTreeSet::from([org]);
            return Ok(self.reading(Reach::Within(Within { orgs, ..Within::default() }), Archived::Hidden));
        }
        let role = self.role_in(org).ok_or(Error::Forbidden(P::KIND))?;
        let holders = P::KIND.holders();
        let mut within = Within { user: self.user(), ..Within::default() };
        if holders.contains(&role) {
            within.orgs.insert(org);
        } else {
            if !P::KIND.is_for_regular_users() {
                return Err(Error::Forbidden(P::KIND));
            }
            self.add_places(P::KIND, Some(org), &mut within);
        }
        Ok(self.reading(Reach::Within(within), Archived::Hidden))
    }

    /// As [`Actor::grant_within`], and archived rows too, if the actor holds `M` as an admin of that organization.
    ///
    /// # Errors
    /// [`Error::Forbidden`] if he does not.
    pub fn grant_within_with_archived<P: Permission, M: Permission>(
        &self,
        org: OrgId,
    ) -> Result<Grant<P>, Error> {
        self.grant_in::<M>(org)?;
        // What a member may write is his own, and an archive is of everybody.
        if !self.holds_everything() && self.role_in(org) != Some(Role::Admin) {
            return Err(Error::Forbidden(M::KIND));
        }
        let mut grant = self.grant_within::<P>(org)?;
        grant.archived = Archived::Within(BTreeSet::from([org]));
        Ok(grant)
    }

    /// The right to act in an organization that the request names.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without it, whether or not the organization exists.
    pub fn grant_in<P: Permission>(&self, org: OrgId) -> Result<OrgGrant<P>, Error> {
        self.require::<P>()?;
        let held = self.role_in(org).is_some_and(|role| P::KIND.holders().contains(&role));
        if held || self.holds_everything() { Ok(self.acting(org)) } else { Err(Error::Forbidden(P::KIND)) }
    }

    /// The right to act on something that was found within the actor's reach.
    ///
    /// # Errors
    /// [`Error::Forbidden`] if he may see it and not do this to it.
    pub fn grant_at<P: Permission>(&self, at: &impl Located) -> Result<OrgGrant<P>, Error> {
        self.require::<P>()?;
        let org = at.org().ok_or(Error::Forbidden(P::KIND))?;
        let held = self.holds_everything()
            || self.role_in(org).is_some_and(|role| P::KIND.holders().contains(&role))
            || self.has_place(P::KIND, &at.spots());
        if held { Ok(self.acting(org)) } else { Err(Error::Forbidden(P::KIND)) }
    }

    /// The right to act on something that an organization owns or that is built in.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without it; only a superuser acts on what is built in.
    pub fn grant_of_owner<P: Permission>(&self, owner: Option<OrgId>) -> Result<OwnerGrant<P>, Error> {
        match owner {
            Some(org) => self.grant_in(org).map(OwnerGrant::Organization),
            None => self.grant_platform().map(OwnerGrant::Platform),
        }
    }

    /// The right to act on the installation: superusers only.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody else.
    pub fn grant_platform<P: Permission>(&self) -> Result<PlatformGrant<P>, Error> {
        self.require::<P>()?;
        if self.holds_everything() {
            Ok(PlatformGrant { by: Arc::clone(&self.by), permission: PhantomData })
        } else {
            Err(Error::Forbidden(P::KIND))
        }
    }

    /// The right to act on what is the actor's own.
    ///
    /// # Errors
    /// [`Error::Forbidden`] if no user acts, or users do not hold this permission for their own things.
    pub fn grant_own<P: Permission>(&self) -> Result<OwnGrant<P>, Error> {
        self.require::<P>()?;
        match self.user() {
            Some(user) if P::KIND.holders().contains(&Role::Own) => {
                Ok(OwnGrant { user, by: Arc::clone(&self.by), permission: PhantomData })
            }
            _ => Err(Error::Forbidden(P::KIND)),
        }
    }

    /// The actor's role in an organization, if he has standing there.
    pub fn role_in(&self, org: OrgId) -> Option<Role> {
        self.memberships().iter().find(|(named, _)| *named == org).map(|(_, role)| *role)
    }

    /// What every door asks first: is there somebody, and does what he showed allow this at all?
    pub(super) fn require<P: Permission>(&self) -> Result<(), Error> {
        match self.rights {
            Rights::None => Err(Error::Unauthenticated(TokenFault::Missing)),
            _ if !self.allowed.contains(P::KIND) => Err(Error::Forbidden(P::KIND)),
            _ => Ok(()),
        }
    }

    fn orgs_as(&self, wanted: impl Fn(Role) -> bool) -> impl Iterator<Item = OrgId> {
        self.memberships().iter().filter(move |(_, role)| wanted(*role)).map(|(org, _)| *org)
    }

    fn within(&self, permission: PermissionKind) -> Within {
        let orgs = self.orgs_as(|role| permission.holders().contains(&role)).collect();
        let mut within = Within { user: self.user(), orgs, ..Within::default() };
        self.add_places(permission, None, &mut within);
        within
    }

    fn add_places(&self, permission: PermissionKind, only: Option<OrgId>, within: &mut Within) {
        for (org, spot, role) in self.places() {
            let wanted = only.is_none_or(|only| only == org) && permission.holders().contains(&role);
            match spot {
                Spot::Site(site) if wanted => drop(within.sites.insert(site)),
                Spot::Module(module) if wanted => drop(within.modules.insert(module)),
                Spot::Site(_) | Spot::Module(_) => {}
            }
        }
    }

    fn has_place(&self, permission: PermissionKind, spots: &[Spot]) -> bool {
        self.places().any(|(_, spot, role)| spots.contains(&spot) && permission.holders().contains(&role))
    }

    fn reading<P: Permission>(&self, reach: Reach, archived: Archived) -> Grant<P> {
        Grant { reach, archived, by: Arc::clone(&self.by), permission: PhantomData }
    }

    fn acting<P: Permission>(&self, org: OrgId) -> OrgGrant<P> {
        OrgGrant { org, by: Arc::clone(&self.by), permission: PhantomData }
    }
}

/// Who is told to act, and with what.
fn author(kind: AuthorKind, request: RequestContext) -> (Author, Option<Arc<str>>) {
    let RequestContext { request_id, client, user_agent } = request;
    let by = Author { kind, user: None, is_superuser: false, credential: None, request_id, client };
    (by, user_agent.map(Arc::from))
}

#[cfg(test)]
#[path = "actor_tests.rs"]
mod tests;
