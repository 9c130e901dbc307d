use super::{Imported, ImportedUser, Keep, NewUser, User, UserChanges, UserFilter, UserSort};
use crate::{
    access::{Actor, AuthorKind, EditProfile, Grant, ListUsers, ManageUsers, PermissionKind, ReadProfiles},
    assignments::Assignment,
    audit::{Action, Audit},
    error::{Error, Rule},
    ids::UserId,
    input::{Draft, Input, checked, checked_with},
    mail::{self, Notice, SecurityEvent},
    memberships::UserOrganization,
    page::{Inactive, Listing, Page},
    platform::Platform,
    ports::{HashError, Reader},
    sessions::RevokeReason,
    stamp::{Precondition, Stamp},
    text::Secret,
    time::Zone,
};

/// Use cases of users.
pub struct Users<'a> {
    platform: &'a Platform,
}

impl<'a> Users<'a> {
    pub(crate) const fn new(platform: &'a Platform) -> Self {
        Self { platform }
    }

    /// Makes a user. Superusers only. One without a password is sent a mail with the way to one.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid`; `Conflict(UserEmail)`; `Unavailable` while every hashing thread is taken.
    pub async fn create(&self, actor: &Actor, input: impl Input<NewUser>) -> Result<User, Error> {
        let grant = actor.grant_platform::<ManageUsers>()?;
        let passwords = self.platform.passwords();
        let new = checked_with(input, |new: &NewUser| new.password_faults(&passwords))?;
        if new.is_superuser {
            keep_from_keys(actor)?;
        }
        let hash = match &new.password {
            Some(password) => Some(passwords.hash(password).await?),
            None => None,
        };
        let user = User {
            id: self.platform.mint(),
            email: new.email.parse().map_err(|error| Error::invalid("email", format!("is {error}")))?,
            full_name: new.full_name,
            is_superuser: new.is_superuser,
            locale: new.locale.unwrap_or_else(|| "en".into()),
            timezone: new.timezone.map_or_else(|| "UTC".into(), Zone::spelled),
            last_login_at: None,
            stamp: Stamp::new(grant.author(), self.platform.now()),
        };
        let mut tx = self.platform.write(actor).await?;
        tx.insert_user(&grant, &user, hash.as_ref()).await?;
        if hash.is_none() {
            passwords.welcome(tx.as_mut(), grant.author(), &user.email).await?;
        }
        self.platform.commit(tx, Audit::created(&grant, &user)).await?;
        Ok(user)
    }

    /// A user whom the actor may see: himself, members of organizations that he administers, or anybody for a superuser.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` if archived ones are asked for by somebody who manages no users.
    pub async fn find(&self, actor: &Actor, id: UserId, inactive: Inactive) -> Result<User, Error> {
        let grant = Self::grant_to_read(actor, inactive)?;
        let reader = self.platform.read(actor).await?;
        found(&reader, &grant, id).await
    }

    /// One page of the users of organizations that the actor administers; of all users for a superuser.
    ///
    /// # Errors
    /// `Forbidden` for regular users, and without standing in the organization that the filter names; `NotFound` for a
    /// superuser naming no active organization.
    pub async fn list(
        &self,
        actor: &Actor,
        listing: &Listing<UserFilter, UserSort>,
    ) -> Result<Page<User>, Error> {
        let grant = match (listing.filter.organization, listing.inactive) {
            (None, Inactive::Hidden) => actor.grant::<ListUsers>()?,
            (Some(org), Inactive::Hidden) => actor.grant_within::<ListUsers>(org)?,
            (_, Inactive::Included) => actor.grant_with_archived::<ListUsers, ManageUsers>()?,
        };
        if let Some(org) = listing.filter.organization {
            let actor = actor.looking_for::<ListUsers>()?;
            self.platform.organizations().find(&actor, org, listing.inactive).await?;
        }
        let reader = self.platform.read(actor).await?;
        Ok(reader.list_users(&grant, listing).await?)
    }

    /// Changes a user: a superuser anything, the user himself his name, locale and time zone.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Invalid`; `Stale`; `Conflict` with `UserEmail` or `LastSuperuser`.
    pub async fn update(
        &self,
        actor: &Actor,
        id: UserId,
        input: impl Input<UserChanges>,
        seen: Precondition,
    ) -> Result<User, Error> {
        let actor = &actor.looking_for::<ManageUsers>()?;
        let before = self.find(actor, id, Inactive::Hidden).await?;
        let manage = actor.grant_platform::<ManageUsers>();
        if manage.is_err() && actor.user() != Some(id) {
            return Err(Error::Forbidden(PermissionKind::ManageUsers));
        }
        let changes = checked(input)?;
        let after = changed(&before, changes)?;
        seen.check(&before.stamp)?;
        let Ok(manage) = manage else { return self.update_own(actor, before, after, &seen).await };
        // Whoever has the address has the account, by a new password.
        if after.is_superuser != before.is_superuser || after.email != before.email {
            keep_from_keys(actor)?;
        }
        let after = User { stamp: before.stamp.touched(manage.author(), self.platform.now()), ..after };
        let mut tx = self.platform.write(actor).await?;
        if before.is_superuser && !after.is_superuser && tx.count_other_superusers(&manage, id).await? == 0 {
            return Err(Error::Conflict(Rule::LastSuperuser));
        }
        if after.email != before.email {
            // To the old address, which is still his here.
            let of = format!("{}:{}", id, after.stamp.revision.0);
            let about = Some(after.email.to_string());
            let notice = Notice {
                user: id,
                event: SecurityEvent::AddressChanged,
                of,
                about,
                keys_left: 0,
                user_agent: actor.user_agent(),
            };
            mail::notify(self.platform, tx.as_mut(), manage.author(), notice).await?;
        }
        if !tx.update_user(&manage, &after, before.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        self.platform.commit(tx, Audit::updated(&manage, &before, &after)).await?;
        Ok(after)
    }

    async fn update_own(
        &self,
        actor: &Actor,
        before: User,
        after: User,
        seen: &Precondition,
    ) -> Result<User, Error> {
        if after.email != before.email || after.is_superuser != before.is_superuser {
            return Err(Error::Forbidden(PermissionKind::ManageUsers));
        }
        let grant = actor.grant_own::<EditProfile>()?;
        let after = User { stamp: before.stamp.touched(grant.author(), self.platform.now()), ..after };
        let mut tx = self.platform.write(actor).await?;
        if !tx.update_profile(&grant, &after, before.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        self.platform.commit(tx, Audit::updated(&grant, &before, &after)).await?;
        Ok(after)
    }

    /// Archives a user, which ends all his sessions at once. Superusers only.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Stale`; `Conflict` with `LastSuperuser`, or with `LastAdmin` of any organization.
    pub async fn archive(&self, actor: &Actor, id: UserId, seen: Precondition) -> Result<User, Error> {
        let actor = &actor.looking_for::<ManageUsers>()?;
        let before = self.find(actor, id, Inactive::Hidden).await?;
        let grant = actor.grant_platform::<ManageUsers>()?;
        seen.check(&before.stamp)?;
        let after =
            User { stamp: before.stamp.archived(grant.author(), self.platform.now()), ..before.clone() };
        let mut tx = self.platform.write(actor).await?;
        if before.is_superuser && tx.count_other_superusers(&grant, id).await? == 0 {
            return Err(Error::Conflict(Rule::LastSuperuser));
        }
        if tx.is_only_admin(&grant, id).await? {
            return Err(Error::Conflict(Rule::LastAdmin));
        }
        if !tx.update_user(&grant, &after, before.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        // Ended, not only of no use: should the account ever return, they do not.
        tx.revoke_sessions_of(&grant, id, self.platform.now(), RevokeReason::UserArchived).await?;
        let keys = tx.revoke_api_keys_of(&grant, id, &after.stamp).await?;
        let trail = Audit::done(&grant, Action::Archived, &before, &after).with(keys);
        self.platform.commit(tx, trail).await?;
        Ok(after)
    }

    /// Brings an archived user back. Superusers only.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Stale`; `Conflict(NotArchived)`.
    pub async fn restore(&self, actor: &Actor, id: UserId, seen: Precondition) -> Result<User, Error> {
        let actor = &actor.looking_for::<ManageUsers>()?;
        // Whoever manages no users sees active ones only, so that an archived one is not found rather than forbidden.
        let before = match self.find(actor, id, Inactive::Included).await {
            Err(Error::Forbidden(_)) => self.find(actor, id, Inactive::Hidden).await?,
            other => other?,
        };
        let grant = actor.grant_platform::<ManageUsers>()?;
        if before.stamp.is_active {
            return Err(Error::Conflict(Rule::NotArchived));
        }
        seen.check(&before.stamp)?;
        let after =
            User { stamp: before.stamp.restored(grant.author(), self.platform.now()), ..before.clone() };
        let mut tx = self.platform.write(actor).await?;
        if !tx.update_user(&grant, &after, before.stamp.revision).await? {
            return Err(seen.overtaken());
        }
        self.platform.commit(tx, Audit::done(&grant, Action::Restored, &before, &after)).await?;
        Ok(after)
    }

    /// Gives a user a new password. The system only: people set their own.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Invalid`; `Unavailable` while every hashing thread is taken.
    pub async fn set_password(
        &self,
        actor: &Actor,
        id: UserId,
        password: Secret<String>,
    ) -> Result<(), Error> {
        let grant = actor.grant_platform::<ManageUsers>()?;
        if actor.author().kind != AuthorKind::System {
            return Err(Error::Forbidden(PermissionKind::ManageUsers));
        }
        let before = self.find(actor, id, Inactive::Hidden).await?;
        let passwords = self.platform.passwords();
        let about = [before.email.as_str(), before.full_name.as_str()];
        passwords.faults("password", &password, &about).into_result()?;
        let hash = passwords.hash(&password).await?;
        let mut tx = self.platform.write(actor).await?;
        tx.update_password(&grant, id, &hash).await?;
        self.platform.commit(tx, Audit::updated(&grant, &before, &before)).await
    }

    /// Takes over users of another platform, with the password hashes that they have there. The system only.
    ///
    /// Shape: what became of each, in their order.
    ///
    /// # Errors
    /// `Forbidden`; `Conflict` if somebody else changes what all of them hang on; `Unavailable`. What is wrong with one of them is no error.
    pub async fn import(
        &self,
        actor: &Actor,
        drafts: Vec<Draft<ImportedUser>>,
        keep: Keep,
    ) -> Result<Vec<Imported>, Error> {
        super::import::import(self.platform, actor, drafts, keep).await
    }

    /// The organizations of a user: all of them for himself and superusers, else those that the actor administers.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn organizations(&self, actor: &Actor, id: UserId) -> Result<Vec<UserOrganization>, Error> {
        let grant = actor.grant::<ReadProfiles>()?;
        let reader = self.platform.read(actor).await?;
        found(&reader, &grant, id).await?;
        Ok(reader.list_user_organizations(&grant, id).await?)
    }

    /// The assignments of a user, likewise.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn assignments(&self, actor: &Actor, id: UserId) -> Result<Vec<Assignment>, Error> {
        let grant = actor.grant::<ReadProfiles>()?;
        let reader = self.platform.read(actor).await?;
        found(&reader, &grant, id).await?;
        Ok(reader.list_user_assignments(&grant, id).await?)
    }

    fn grant_to_read(actor: &Actor, inactive: Inactive) -> Result<Grant<ReadProfiles>, Error> {
        match inactive {
            Inactive::Hidden => actor.grant::<ReadProfiles>(),
            Inactive::Included => actor.grant_with_archived::<ReadProfiles, ManageUsers>(),
        }
    }
}

impl From<HashError> for Error {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::busy(HashError::Busy),
            HashError::Unusable(_) => Self::Internal(Box::new(error)),
        }
    }
}

/// Who is a superuser is for people to decide: a key with the scope for users would else make itself one with all of them.
fn keep_from_keys(actor: &Actor) -> Result<(), Error> {
    match actor.credential() {
        Some(_) => Err(Error::Forbidden(PermissionKind::AdministerOrganizations)),
        None => Ok(()),
    }
}

async fn found(reader: &Reader, grant: &Grant<ReadProfiles>, id: UserId) -> Result<User, Error> {
    reader.find_user(grant, id).await?.ok_or(Error::NotFound { what: "user" })
}

fn changed(before: &User, changes: UserChanges) -> Result<User, Error> {
    let email = match changes.email {
        Some(email) => email.parse().map_err(|error| Error::invalid("email", format!("is {error}")))?,
        None => before.email.clone(),
    };
    Ok(User {
        email,
        full_name: changes.full_name.unwrap_or_else(|| before.full_name.clone()),
        locale: changes.locale.unwrap_or_else(|| before.locale.clone()),
        timezone: changes.timezone.map_or_else(|| before.timezone.clone(), Zone::spelled),
        is_superuser: changes.is_superuser.unwrap_or(before.is_superuser),
        ..before.clone()
    })
}
