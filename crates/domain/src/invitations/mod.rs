//! Invitations: how people come into an organization whose accounts its admins cannot see.
//!
//! An invitation is bound to an address, is good once and for 72 hours. Its token goes to that address by mail and
//! nowhere else; whoever brings it has shown that he reads the mail of that address.

mod acceptance;
mod repository;
mod service;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use validator::{Validate, ValidationError, ValidationErrors};

pub use acceptance::{Acceptance, Accepted};
pub use repository::InvitationRepository;
pub use service::Invitations;

use crate::{
    access::{Access, Located},
    audit::Audited,
    error::{Error, FieldErrors},
    ids::{InvitationId, ModuleId, OrgId, SiteId, UserId},
    memberships::MemberRole,
    stamp::Stamp,
    text::{self, EmailAddress},
    time::Instant,
};

/// How long an invitation is good.
pub const INVITATION_LIFETIME: Duration = Duration::from_hours(72);

/// The most assignments of one invitation.
pub const MAX_ASSIGNMENTS: usize = 100;

/// An invitation of an address into an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invitation {
    /// The invitation's id.
    pub id: InvitationId,
    /// The organization.
    pub organization_id: OrgId,
    /// Who is invited.
    pub email: EmailAddress,
    /// The role that he gets.
    pub role: MemberRole,
    /// What is assigned to him when he accepts.
    pub assignments: Vec<InvitedTo>,
    /// The SHA-256 of its token.
    #[serde(skip)]
    pub token_digest: Vec<u8>,
    /// From then on it is good for nothing.
    pub expires_at: Instant,
    /// When it was accepted.
    pub accepted_at: Option<Instant>,
    /// By which user.
    pub accepted_by: Option<UserId>,
    /// Audit columns; an invitation that was taken back is archived.
    pub stamp: Stamp,
}

impl Invitation {
    /// Where it is in its life.
    pub fn state(&self, now: Instant) -> InvitationState {
        if self.accepted_at.is_some() {
            InvitationState::Accepted
        } else if !self.stamp.is_active {
            InvitationState::Revoked
        } else if now >= self.expires_at {
            InvitationState::Expired
        } else {
            InvitationState::Open
        }
    }
}

impl Audited for Invitation {
    const RESOURCE: &'static str = "invitation";

    fn resource_id(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Located for Invitation {
    fn org(&self) -> Option<OrgId> {
        Some(self.organization_id)
    }
}

/// Where an invitation is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitationState {
    /// It can be accepted.
    Open,
    /// It was.
    Accepted,
    /// It was good for too short.
    Expired,
    /// It was taken back.
    Revoked,
}

impl InvitationState {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// What is assigned to whoever accepts. Exactly one of site and module is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitedTo {
    /// A site of the organization.
    pub site_id: Option<SiteId>,
    /// A module of the organization.
    pub module_id: Option<ModuleId>,
    /// What he may do there.
    pub access: Access,
}

/// What a new invitation is made from.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// The address.
    pub email: String,
    /// The name of a [`MemberRole`].
    pub role: String,
    /// What is to be assigned, as far as it could be read.
    pub assignments: Vec<NewInvitedTo>,
}

/// What is to be assigned, as it was sent.
#[derive(Debug, Clone, Default)]
pub struct NewInvitedTo {
    /// A site.
    pub site_id: Option<SiteId>,
    /// A module.
    pub module_id: Option<ModuleId>,
    /// The name of an [`Access`].
    pub access: String,
}

impl Validate for NewInvitation {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let mut errors = ValidationErrors::new();
        if let Err(error) = text::email(&self.email) {
            errors.add("email", error);
        }
        if MemberRole::from_name(&self.role).is_none() {
            errors.add(
                "role",
                ValidationError::new("role").with_message("must be one of: admin, member".into()),
            );
        }
        if self.assignments.len() > MAX_ASSIGNMENTS {
            let error = ValidationError::new("length").with_message("must be at most 100".into());
            errors.add("assignments", error);
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

impl NewInvitation {
    /// The assignments, each with its faults under its own name.
    fn parsed_assignments(&self) -> Result<Vec<InvitedTo>, Error> {
        let mut faults = FieldErrors::new();
        let mut parsed = Vec::with_capacity(self.assignments.len());
        for (index, new) in self.assignments.iter().enumerate() {
            let Some(access) = Access::from_name(&new.access) else {
                faults.add(format!("assignments[{index}].access"), "must be one of: operator, viewer");
                continue;
            };
            if new.site_id.is_some() == new.module_id.is_some() {
                let fault = "exactly one of site_id and module_id must be given";
                faults.add(format!("assignments[{index}].site_id"), fault);
                continue;
            }
            parsed.push(InvitedTo { site_id: new.site_id, module_id: new.module_id, access });
        }
        faults.into_result().map(|()| parsed)
    }
}

/// What invitations can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitationSort {
    /// When they were made.
    CreatedAt,
    /// When they end.
    ExpiresAt,
}
