use async_trait::async_trait;

use super::{User, UserFilter, UserSort};
use crate::{
    access::{EditProfile, Grant, ListUsers, ManageUsers, OwnGrant, PlatformGrant, ReadProfiles},
    ids::UserId,
    page::{Listing, Page},
    ports::{PasswordHash, StoreError},
    sessions::RevokeReason,
    stamp::Revision,
    time::Instant,
};

/// Stores users.
///
/// A user lies within a grant that reaches everywhere, an organization that he is an active member of, or himself.
#[async_trait]
pub trait UserRepository {
    /// The user, if he exists and lies within the grant; archived ones only if the grant reaches them.
    async fn find_user(&self, grant: &Grant<ReadProfiles>, id: UserId) -> Result<Option<User>, StoreError>;

    /// One page of the users within the grant. Searches name and address.
    async fn list_users(
        &self,
        grant: &Grant<ListUsers>,
        listing: &Listing<UserFilter, UserSort>,
    ) -> Result<Page<User>, StoreError>;

    /// Adds a user, with a password hash if he has a password.
    ///
    /// # Errors
    /// `Conflict(Rule::UserEmail)` if the address is taken, be it by an archived user.
    async fn insert_user(
        &mut self,
        grant: &PlatformGrant<ManageUsers>,
        user: &User,
        password: Option<&PasswordHash>,
    ) -> Result<(), StoreError>;

    /// Writes a user, his state (active or archived) included. False if his revision is no longer `seen`.
    ///
    /// # Errors
    /// `Conflict(Rule::UserEmail)` as for inserting.
    async fn update_user(
        &mut self,
        grant: &PlatformGrant<ManageUsers>,
        user: &User,
        seen: Revision,
    ) -> Result<bool, StoreError>;

    /// Writes the user's own profile: name, locale, time zone. False if his revision is no longer `seen`.
    async fn update_profile(
        &mut self,
        grant: &OwnGrant<EditProfile>,
        user: &User,
        seen: Revision,
    ) -> Result<bool, StoreError>;

    /// Replaces the password of a user.
    async fn update_password(
        &mut self,
        grant: &PlatformGrant<ManageUsers>,
        user: UserId,
        password: &PasswordHash,
    ) -> Result<(), StoreError>;

    /// How many active superusers there are besides this one. Locks their rows until the transaction ends, so that two
    /// transactions cannot each remove the other's.
    async fn count_other_superusers(
        &mut self,
        grant: &PlatformGrant<ManageUsers>,
        except: UserId,
    ) -> Result<u64, StoreError>;

    /// Ends all sessions of a user that have not been ended before.
    async fn revoke_sessions_of(
        &mut self,
        grant: &PlatformGrant<ManageUsers>,
        user: UserId,
        at: Instant,
        reason: RevokeReason,
    ) -> Result<(), StoreError>;

    /// Whether this user is the only active admin of an active organization. Locks the admins of his organizations until
    /// the transaction ends, so that two transactions cannot each remove the other's.
    async fn is_only_admin(
        &mut self,
        grant: &PlatformGrant<ManageUsers>,
        user: UserId,
    ) -> Result<bool, StoreError>;
}
