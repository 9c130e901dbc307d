use async_trait::async_trait;

use super::{Member, MemberFilter, MemberSort, Membership, SearchedFields, UserOrganization};
use crate::{
    access::{Grant, LeaveOrganization, ManageApiKeys, ManageMembers, OrgGrant, ReadMembers, ReadProfiles},
    audit::Along,
    ids::{OrgId, UserId},
    page::{Listing, Page},
    ports::StoreError,
    stamp::Revision,
};

/// Stores memberships. Those of archived users and archived memberships count as absent.
#[async_trait]
pub trait MembershipRepository {
    /// One page of an organization's active members, addresses included; the use case decides who sees them, and
    /// what is searched.
    async fn list_members(
        &self,
        grant: &Grant<ReadMembers>,
        org: OrgId,
        listing: &Listing<MemberFilter, MemberSort>,
        searched: SearchedFields,
    ) -> Result<Page<Member>, StoreError>;

    /// The member, if the user is an active one of that organization.
    async fn find_member(
        &self,
        grant: &Grant<ReadMembers>,
        org: OrgId,
        user: UserId,
    ) -> Result<Option<Member>, StoreError>;

    /// The active organizations of a user that lie within the grant: all of them if the grant reaches the user himself
    /// or everywhere, else those that the caller administers. By name, at most 1,000.
    async fn list_user_organizations(
        &self,
        grant: &Grant<ReadProfiles>,
        user: UserId,
    ) -> Result<Vec<UserOrganization>, StoreError>;

    /// Adds a member to the grant's organization.
    ///
    /// # Errors
    /// `Conflict` with `Membership` if he is one already, `ParentArchived` or `ReferenceArchived` if the organization or the
    /// user is archived.
    async fn insert_membership(
        &mut self,
        grant: &OrgGrant<ManageMembers>,
        membership: &Membership,
    ) -> Result<(), StoreError>;

    /// Writes the role. False if the revision is no longer `seen`.
    async fn update_membership(
        &mut self,
        grant: &OrgGrant<ManageMembers>,
        membership: &Membership,
        seen: Revision,
    ) -> Result<bool, StoreError>;

    /// Ends a membership and the user's assignments in the organization: those. `None` if the revision is no longer `seen`.
    async fn archive_membership(
        &mut self,
        grant: &OrgGrant<ManageMembers>,
        membership: &Membership,
        seen: Revision,
    ) -> Result<Option<Vec<Along>>, StoreError>;

    /// The same, for the user himself who leaves.
    async fn leave_organization(
        &mut self,
        grant: &OrgGrant<LeaveOrganization>,
        membership: &Membership,
        seen: Revision,
    ) -> Result<Option<Vec<Along>>, StoreError>;

    /// How many active admins the organization has besides this user. Locks their rows until the transaction ends, so
    /// that two transactions cannot each remove the other's.
    async fn count_other_admins(
        &mut self,
        grant: &OrgGrant<LeaveOrganization>,
        except: UserId,
    ) -> Result<u64, StoreError>;

    /// The active admins of the grant's organization, those who have been members for the longest first, at most so many.
    async fn list_admins(
        &self,
        grant: &OrgGrant<ManageApiKeys>,
        most: u32,
    ) -> Result<Vec<UserId>, StoreError>;
}
