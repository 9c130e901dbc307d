//! Taking over users of another platform, with the password hashes that they have there.

use std::collections::{BTreeMap, BTreeSet};

use validator::Validate;

use super::{User, UserFilter};
use crate::{
    access::{Actor, AuthorKind, ListUsers, ManageMembers, ManageUsers, PermissionKind, ReadOrganizations},
    audit::Audit,
    error::{Error, FieldErrors, Rule},
    ids::OrgId,
    input::Draft,
    memberships::{MemberRole, Membership},
    organizations::OrganizationFilter,
    page::Listing,
    platform::Platform,
    ports::{PasswordHash, Reader, Tx},
    stamp::Stamp,
    text::{self, EmailAddress, Secret},
    time::Zone,
};

/// A user as another platform knew him.
#[derive(Debug, Clone, Default, Validate)]
pub struct ImportedUser {
    /// The address.
    #[validate(custom(function = text::email))]
    pub email: String,
    /// The name to show.
    #[validate(length(max = 200, message = "must be at most 200 characters"), custom(function = text::name))]
    pub full_name: String,
    /// His password hash by plain bcrypt; without one he cannot sign in with a password.
    #[validate(skip)]
    pub password_hash: Option<Secret<String>>,
    /// Whether the user may do everything.
    pub is_superuser: bool,
    /// The language; `en` if not given.
    #[validate(custom(function = super::locale_rule))]
    pub locale: Option<String>,
    /// The time zone; `UTC` if not given.
    #[validate(custom(function = text::zone_name))]
    pub timezone: Option<String>,
    /// The id, the slug or the name of an active organization that he becomes a member of.
    pub organization: Option<String>,
    /// His role in it, the name of a [`MemberRole`]; `member` if not given.
    pub role: Option<String>,
}

/// What is kept of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The good ones, whatever the others are.
    Good,
    /// All, or none if one of them is refused.
    AllOrNothing,
    /// None: they are only looked at.
    Nothing,
}

/// What became of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// He was made.
    Made,
    /// He can be made, and was not.
    Good,
    /// There is a user with his address, be it an archived one or one of the same import; that one stays as he is.
    Exists,
    /// He cannot be made.
    Refused(FieldErrors),
}

/// A user who can be made.
struct Plan {
    user: User,
    password: Option<PasswordHash>,
    membership: Option<(OrgId, MemberRole)>,
}

enum Judgement {
    Good(Box<Plan>),
    Exists,
    Refused(FieldErrors),
}

/// Judges what one user is made from, with what is known of those before him.
struct Judge<'a> {
    platform: &'a Platform,
    actor: &'a Actor,
    reader: Reader,
    seen: BTreeSet<EmailAddress>,
    organizations: BTreeMap<String, Option<OrgId>>,
}

/// See [`super::Users::import`].
pub(super) async fn import(
    platform: &Platform,
    actor: &Actor,
    drafts: Vec<Draft<ImportedUser>>,
    keep: Keep,
) -> Result<Vec<Imported>, Error> {
    actor.grant_platform::<ManageUsers>()?;
    if actor.author().kind != AuthorKind::System {
        return Err(Error::Forbidden(PermissionKind::ManageUsers));
    }
    let mut judge = Judge {
        platform,
        actor,
        reader: platform.read(actor).await?,
        seen: BTreeSet::new(),
        organizations: BTreeMap::new(),
    };
    let mut judgements = Vec::new();
    for draft in drafts {
        judgements.push(judge.judgement(draft).await?);
    }
    let is_refused = judgements.iter().any(|judgement| matches!(judgement, Judgement::Refused(_)));
    match keep {
        Keep::Good => make_each(platform, actor, judgements).await,
        Keep::AllOrNothing if !is_refused => make_all(platform, actor, judgements).await,
        Keep::AllOrNothing | Keep::Nothing => {
            Ok(judgements.into_iter().map(|judgement| judgement.told(Imported::Good)).collect())
        }
    }
}

async fn make_each(
    platform: &Platform,
    actor: &Actor,
    judgements: Vec<Judgement>,
) -> Result<Vec<Imported>, Error> {
    let mut told = Vec::new();
    for judgement in judgements {
        let outcome = match &judgement {
            Judgement::Good(plan) => {
                let mut tx = platform.write(actor).await?;
                match insert(platform, tx.as_mut(), actor, plan).await {
                    Ok(trail) => {
                        platform.commit(tx, trail).await?;
                        Imported::Made
                    }
                    // Somebody else was faster.
                    Err(Error::Conflict(Rule::UserEmail)) => Imported::Exists,
                    Err(Error::Conflict(rule)) => {
                        Imported::Refused(FieldErrors::one("organization", rule.message()))
                    }
                    Err(error) => return Err(error),
                }
            }
            Judgement::Exists | Judgement::Refused(_) => Imported::Good,
        };
        told.push(judgement.told(outcome));
    }
    Ok(told)
}

async fn make_all(
    platform: &Platform,
    actor: &Actor,
    judgements: Vec<Judgement>,
) -> Result<Vec<Imported>, Error> {
    let mut tx = platform.write(actor).await?;
    let mut trail = Audit::none("nobody was new");
    for judgement in &judgements {
        if let Judgement::Good(plan) = judgement {
            trail = trail.and(insert(platform, tx.as_mut(), actor, plan).await?);
        }
    }
    platform.commit(tx, trail).await?;
    Ok(judgements.into_iter().map(|judgement| judgement.told(Imported::Made)).collect())
}

async fn insert(platform: &Platform, tx: &mut dyn Tx, actor: &Actor, plan: &Plan) -> Result<Audit, Error> {
    let grant = actor.grant_platform::<ManageUsers>()?;
    tx.insert_user(&grant, &plan.user, plan.password.as_ref()).await?;
    let trail = Audit::created(&grant, &plan.user);
    let Some((org, role)) = plan.membership else { return Ok(trail) };
    let grant = actor.grant_in::<ManageMembers>(org)?;
    let membership = Membership {
        id: platform.mint::<Membership>().uuid(),
        organization_id: org,
        user_id: plan.user.id,
        role,
        stamp: Stamp::new(grant.author(), platform.now()),
    };
    tx.insert_membership(&grant, &membership).await?;
    Ok(trail.and(Audit::created(&grant, &membership)))
}

impl Judgement {
    /// What is told of it; `good` of one who can be made.
    fn told(self, good: Imported) -> Imported {
        match self {
            Self::Good(_) => good,
            Self::Exists => Imported::Exists,
            Self::Refused(faults) => Imported::Refused(faults),
        }
    }
}

impl Judge<'_> {
    async fn judgement(&mut self, draft: Draft<ImportedUser>) -> Result<Judgement, Error> {
        let Draft { value: imported, mut faults } = draft;
        if let Err(errors) = imported.validate() {
            faults.merge(FieldErrors::from(errors));
        }
        let password = self.password(&imported, &mut faults);
        let membership = self.membership(&imported, &mut faults).await?;
        let email = imported.email.parse::<EmailAddress>();
        let email = match email {
            Ok(email) if faults.is_empty() => email,
            _ => return Ok(Judgement::Refused(faults)),
        };
        if !self.seen.insert(email.clone()) || self.exists(&email).await? {
            return Ok(Judgement::Exists);
        }
        let grant = self.actor.grant_platform::<ManageUsers>()?;
        let user = User {
            id: self.platform.mint(),
            email,
            full_name: imported.full_name,
            is_superuser: imported.is_superuser,
            locale: imported.locale.unwrap_or_else(|| "en".into()),
            timezone: imported.timezone.map_or_else(|| "UTC".into(), Zone::spelled),
            last_login_at: None,
            stamp: Stamp::new(grant.author(), self.platform.now()),
        };
        Ok(Judgement::Good(Box::new(Plan { user, password, membership })))
    }

    fn password(&self, imported: &ImportedUser, faults: &mut FieldErrors) -> Option<PasswordHash> {
        let hash = imported.password_hash.clone()?;
        let adopted = self.platform.ports().passwords.adopt(hash);
        if adopted.is_err() {
            faults.add(
                "password_hash",
                "must be a bcrypt hash that begins with $2a$, $2b$ or $2y$, of a cost of at most 16",
            );
        }
        adopted.ok()
    }

    async fn membership(
        &mut self,
        imported: &ImportedUser,
        faults: &mut FieldErrors,
    ) -> Result<Option<(OrgId, MemberRole)>, Error> {
        let role = imported.role.as_deref().map_or(Some(MemberRole::Member), MemberRole::from_name);
        if role.is_none() {
            faults.add("role", "must be one of: admin, member");
        }
        let Some(named) = &imported.organization else {
            if imported.role.is_some() {
                faults.add("organization", "is needed for a role");
            }
            return Ok(None);
        };
        let organization = self.organization(named).await?;
        if organization.is_none() {
            faults.add("organization", "is not the id, the slug or the name of an active organization");
        }
        Ok(organization.zip(role))
    }

    async fn organization(&mut self, named: &str) -> Result<Option<OrgId>, Error> {
        if let Some(known) = self.organizations.get(named) {
            return Ok(*known);
        }
        let grant = self.actor.grant::<ReadOrganizations>()?;
        let mut found = match named.parse() {
            Ok(id) => self.reader.find_organization(&grant, id).await?.map(|organization| organization.id),
            Err(_) => None,
        };
        let by_slug = OrganizationFilter { slug: Some(named.to_owned()), ..OrganizationFilter::default() };
        let by_name = OrganizationFilter { name: Some(named.to_owned()), ..OrganizationFilter::default() };
        for filter in [by_slug, by_name] {
            if found.is_none() {
                let listing = Listing { filter, ..Listing::default() };
                let page = self.reader.list_organizations(&grant, &listing).await?;
                found = page.items.first().map(|organization| organization.id);
            }
        }
        self.organizations.insert(named.to_owned(), found);
        Ok(found)
    }

    /// Whether the address is taken, be it by an archived user.
    async fn exists(&self, email: &EmailAddress) -> Result<bool, Error> {
        let grant = self.actor.grant_with_archived::<ListUsers, ManageUsers>()?;
        let filter = UserFilter { email: Some(email.to_string()), ..UserFilter::default() };
        let page = self.reader.list_users(&grant, &Listing { filter, ..Listing::default() }).await?;
        Ok(!page.items.is_empty())
    }
}
