use async_trait::async_trait;

use super::{Invitation, InvitationSort};
use crate::{
    access::{Grant, ManageAssignments, ManageMembers, ManageUsers, OrgGrant, PlatformGrant, ReadMembers},
    ids::{InvitationId, ModuleId, OrgId, SiteId, UserId},
    page::{Listing, Page},
    ports::StoreError,
    stamp::Revision,
    time::Instant,
};

/// Stores invitations.
#[async_trait]
pub trait InvitationRepository {
    /// The invitation, if it belongs to that organization and was not taken back.
    async fn find_invitation(
        &self,
        grant: &Grant<ReadMembers>,
        org: OrgId,
        id: InvitationId,
    ) -> Result<Option<Invitation>, StoreError>;

    /// One page of an organization's invitations that were not taken back.
    async fn list_invitations(
        &self,
        grant: &Grant<ReadMembers>,
        org: OrgId,
        listing: &Listing<(), InvitationSort>,
    ) -> Result<Page<Invitation>, StoreError>;

    /// The invitation of an address into the grant's organization that is over without having been accepted or taken back:
    /// there is one at most.
    async fn find_expired_invitation(
        &self,
        grant: &OrgGrant<ManageMembers>,
        email: &str,
        now: Instant,
    ) -> Result<Option<Invitation>, StoreError>;

    /// Whether an active member of the grant's organization has this address.
    async fn is_member_address(
        &self,
        grant: &OrgGrant<ManageMembers>,
        email: &str,
    ) -> Result<bool, StoreError>;

    /// Adds an invitation into the grant's organization.
    ///
    /// # Errors
    /// `Conflict` with `Invitation` if the address has one that is open.
    async fn insert_invitation(
        &mut self,
        grant: &OrgGrant<ManageMembers>,
        invitation: &Invitation,
    ) -> Result<(), StoreError>;

    /// Writes token, end and state. False if the revision is no longer `seen`.
    async fn update_invitation(
        &mut self,
        grant: &OrgGrant<ManageMembers>,
        invitation: &Invitation,
        seen: Revision,
    ) -> Result<bool, StoreError>;

    /// The invitation whose token has this digest. Reached by whoever brings the token, so no grant guards it; only the
    /// acceptance can reach it.
    async fn find_invitation_by_token(&self, digest: &[u8]) -> Result<Option<Invitation>, StoreError>;

    /// Whether the key that last sent the invitation is still good; true if a person did.
    async fn is_sender_good(&self, id: InvitationId) -> Result<bool, StoreError>;

    /// Marks an open invitation as accepted by a user. False if it is not open any more, or has another token by now: of two that
    /// accept it, one is told true.
    async fn accept_invitation(
        &mut self,
        grant: &PlatformGrant<ManageUsers>,
        id: InvitationId,
        token_digest: &[u8],
        by: UserId,
        now: Instant,
    ) -> Result<bool, StoreError>;

    /// Whether the site or the module of the grant's organization is assigned to this user.
    async fn is_assigned(
        &self,
        grant: &OrgGrant<ManageAssignments>,
        user: UserId,
        site: Option<SiteId>,
        module: Option<ModuleId>,
    ) -> Result<bool, StoreError>;
}
