use async_trait::async_trait;

use super::{Assignment, AssignmentFilter, AssignmentSort};
use crate::{
    access::{Grant, ManageAssignments, OrgGrant, ReadAssignments, ReadProfiles},
    ids::{AssignmentId, OrgId, UserId},
    page::{Listing, Page},
    ports::StoreError,
    stamp::Revision,
};

/// Stores assignments.
#[async_trait]
pub trait AssignmentRepository {
    /// The assignment, if it is active and belongs to that organization.
    async fn find_assignment(
        &self,
        grant: &Grant<ReadAssignments>,
        org: OrgId,
        id: AssignmentId,
    ) -> Result<Option<Assignment>, StoreError>;

    /// One page of an organization's active assignments.
    async fn list_assignments(
        &self,
        grant: &Grant<ReadAssignments>,
        org: OrgId,
        listing: &Listing<AssignmentFilter, AssignmentSort>,
    ) -> Result<Page<Assignment>, StoreError>;

    /// The active assignments of a user that lie within the grant: all of them if the grant reaches the user himself or
    /// everywhere, else those of organizations that the caller administers. The newest last, at most 1,000.
    async fn list_user_assignments(
        &self,
        grant: &Grant<ReadProfiles>,
        user: UserId,
    ) -> Result<Vec<Assignment>, StoreError>;

    /// Adds an assignment to the grant's organization.
    ///
    /// # Errors
    /// `Conflict` with `Assignment` if the user is assigned to that spot already, `ReferenceArchived` if he is no member or
    /// the spot is archived.
    async fn insert_assignment(
        &mut self,
        grant: &OrgGrant<ManageAssignments>,
        assignment: &Assignment,
    ) -> Result<(), StoreError>;

    /// Writes access and state. False if the revision is no longer `seen`.
    async fn update_assignment(
        &mut self,
        grant: &OrgGrant<ManageAssignments>,
        assignment: &Assignment,
        seen: Revision,
    ) -> Result<bool, StoreError>;
}
