//! The one error of every use case, and the faults of an input.

use std::{fmt, time::Duration};

use validator::{ValidationErrors, ValidationErrorsKind};

use crate::{access::PermissionKind, ports::StoreError};

/// A boxed source, for faults whose type belongs to an adapter.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Why a use case did not do what it was asked: few variants, each a class that a program can act on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller did not say who he is, or what he showed is not good any more.
    #[error("not authenticated: {0}")]
    Unauthenticated(TokenFault),
    /// The caller may see the thing (or it is no secret) but lacks this right.
    #[error("the permission {0} is missing")]
    Forbidden(PermissionKind),
    /// There is no such thing within the caller's reach; whether it exists elsewhere is not told.
    #[error("{what} not found")]
    NotFound {
        /// The kind of thing, in the words of the API: `site`, `user`.
        what: &'static str,
    },
    /// The thing was there once and is used up, like a one-time token.
    #[error("{what} is no longer available")]
    Gone {
        /// The kind of thing.
        what: &'static str,
    },
    /// The object was changed since the caller read it (`If-Match`).
    #[error("the object was changed by someone else")]
    Stale,
    /// The change would break a rule that concerns other objects.
    #[error("conflict: {0}")]
    Conflict(Rule),
    /// The input could not be read at all. The text says why, without quoting it.
    #[error("malformed input: {0}")]
    Malformed(String),
    /// The input is of a form that is not read at all. The text names the form that is.
    #[error("unsupported form of input: {0}")]
    UnsupportedForm(&'static str),
    /// The input has faults; all of them are listed.
    #[error("{0}")]
    Invalid(FieldErrors),
    /// Too much was asked in too short a time.
    #[error("rate limited")]
    Limited {
        /// When to try again.
        retry_after: Duration,
    },
    /// A part that is needed is away or too busy; nothing was changed, unless what went unanswered was the commit itself.
    #[error("temporarily unavailable")]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
        /// The cause, for the log alone.
        #[source]
        source: Option<BoxError>,
    },
    /// Our own fault. The source is for the log, never for the caller.
    #[error("internal error")]
    Internal(#[source] BoxError),
}

impl Error {
    /// A fault in one named field.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(FieldErrors::one(field, message))
    }

    /// Busy: try again in a second.
    pub fn busy(source: impl Into<BoxError>) -> Self {
        Self::Unavailable { retry_after: Duration::from_secs(1), source: Some(source.into()) }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(rule) => Self::Conflict(rule),
            StoreError::Revoked => Self::Unauthenticated(TokenFault::Invalid),
            StoreError::Unavailable(source) => Self::busy(source),
            StoreError::Corrupt { .. } => Self::Internal(Box::new(error)),
            StoreError::Backend(source) => Self::Internal(source),
        }
    }
}

impl From<FieldErrors> for Error {
    fn from(faults: FieldErrors) -> Self {
        Self::Invalid(faults)
    }
}

/// What was wrong with the proof of identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// None was shown.
    #[error("no token")]
    Missing,
    /// The token is malformed, forged, revoked or its owner is gone: which of them is not told.
    #[error("invalid token")]
    Invalid,
    /// The token was good and its time is over.
    #[error("expired token")]
    Expired,
    /// E-mail and password do not belong together.
    #[error("wrong credentials")]
    Credentials,
}

macro_rules! rules {
    ($($(#[$meta:meta])* $variant:ident = $name:literal, $message:literal;)*) => {
        /// A rule between objects that a change would have broken.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Rule { $($(#[$meta])* $variant,)* }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The rule's stable name; for a unique index it is the index's name in the database.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// What the rule says, for people.
            pub const fn message(self) -> &'static str {
                match self { $(Self::$variant => $message),* }
            }
        }
    };
}

rules! {
    /// One account per address, archived accounts included.
    UserEmail = "users_email", "A user with this e-mail address already exists.";
    /// Active organizations have different names.
    OrganizationName = "organizations_name", "An organization with this name already exists.";
    /// Active organizations have different slugs.
    OrganizationSlug = "organizations_slug", "An organization with this slug already exists.";
    /// A user is a member of an organization once.
    Membership = "memberships_user", "The user is already a member of this organization.";
    /// An address has one open invitation into an organization.
    Invitation = "invitations_address", "The address is invited already; send that invitation once more, or take it back.";
    /// A user is assigned to a thing once.
    Assignment = "assignments_spot", "The user is already assigned to this site or module.";
    /// Active sites of an organization have different names.
    SiteName = "sites_name", "A site with this name already exists in the organization.";
    /// Active sites of an organization have different external ids.
    SiteExternalId = "sites_external_id", "A site with this external id already exists in the organization.";
    /// Active module types of an owner have different names.
    ModuleTypeName = "module_types_name", "A module type with this name already exists.";
    /// Active metrics of an owner have different keys.
    MetricKey = "metrics_key", "A metric with this key already exists.";
    /// Active modules of a site have different names.
    ModuleName = "modules_name", "A module with this name already exists at the site.";
    /// Active modules of an organization have different serial numbers.
    ModuleSerialNumber = "modules_serial_number", "A module with this serial number already exists in the organization.";
    /// Active modules of an organization have different external ids.
    ModuleExternalId = "modules_external_id", "A module with this external id already exists in the organization.";
    /// An organization keeps at least one admin.
    LastAdmin = "last_admin", "The organization would be left without an admin.";
    /// The installation keeps at least one superuser.
    LastSuperuser = "last_superuser", "The installation would be left without a superuser.";
    /// A thing cannot be active below an archived parent.
    ParentArchived = "parent_archived", "The parent is archived; restore it first.";
    /// A thing cannot be active while what it refers to is archived.
    ReferenceArchived = "reference_archived", "Something that it refers to is archived; restore that first.";
    /// Two writes without a precondition met, and the other one was faster.
    ChangedMeanwhile = "changed_meanwhile", "Somebody else changed it at the same moment; try again.";
    /// Two refreshes of one session met.
    RefreshInFlight = "refresh_in_flight", "Another refresh of this session is under way; keep the tokens, and try again.";
    /// A thing that others refer to cannot be archived.
    InUse = "in_use", "It is still in use by objects that are active or return with their parent.";
    /// A thing that is already active cannot be restored.
    NotArchived = "not_archived", "It is not archived.";
    /// A device has two credentials at most, which is what rotating takes.
    TwoCredentials = "two_credentials", "There are two active credentials already; revoke one of them first.";
    /// The same idempotency key was used before.
    IdempotencyKey = "idempotency_keys_claim", "The idempotency key has already been used.";
    /// A request with the same idempotency key has not come to its end.
    IdempotencyInFlight = "idempotency_in_flight", "Another request with this idempotency key is under way; try again.";
    /// A job that is run again has come to an end without success.
    JobNotOver = "job_not_over", "Only a dead or cancelled job can be run again.";
    /// A job that is taken back has not come to an end.
    JobOver = "job_over", "The job has come to an end already.";
    /// A file is asked for that is not there yet.
    ReportNotMade = "report_not_made", "The report has not been made, or could not be.";
    /// A worker whose lease ran out writes nothing any more.
    LeaseLost = "job_lease_lost", "The lease of the job is lost.";
    /// A unique rule whose name the store did not tell.
    Unique = "unique", "An object with these values already exists.";
}

impl Rule {
    /// Whether the rule is about this very moment: the same request may succeed if it is sent again.
    pub const fn is_passing(self) -> bool {
        matches!(
            self,
            Self::ChangedMeanwhile | Self::RefreshInFlight | Self::IdempotencyInFlight | Self::LeaseLost
        )
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

/// One fault of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The path of the field as the caller wrote it: `name`, `thresholds[0].value`.
    pub field: String,
    /// What is wrong and what would be right. Never contains the rejected value, which may be a secret.
    pub message: String,
}

/// All faults of an input, in the order of its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// No faults yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Exactly one fault.
    pub fn one(field: impl Into<String>, message: impl Into<String>) -> Self {
        let mut faults = Self::new();
        faults.add(field, message);
        faults
    }

    /// Notes a fault. Only the first fault of a field is kept: the later ones usually follow from it.
    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        let field = field.into();
        if !self.names(&field) {
            self.0.push(FieldError { field, message: message.into() });
        }
    }

    /// Adds the faults of another check.
    pub fn merge(&mut self, other: Self) {
        for fault in other.0 {
            self.add(fault.field, fault.message);
        }
    }

    /// Whether this field has a fault already.
    pub fn names(&self, field: &str) -> bool {
        self.0.iter().any(|fault| fault.field == field)
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults.
    pub fn iter(&self) -> std::slice::Iter<'_, FieldError> {
        self.0.iter()
    }

    /// `Ok` if nothing is wrong.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all faults.
    pub fn into_result(self) -> Result<(), Error> {
        if self.is_empty() { Ok(()) } else { Err(Error::Invalid(self)) }
    }
}

impl<'a> IntoIterator for &'a FieldErrors {
    type Item = &'a FieldError;
    type IntoIter = std::slice::Iter<'a, FieldError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", fault.field, fault.message)?;
        }
        Ok(())
    }
}

impl From<ValidationErrors> for FieldErrors {
    /// Flattens the derive's tree into paths. Drops its parameters, since they hold the rejected values.
    fn from(errors: ValidationErrors) -> Self {
        let mut faults = Self::new();
        flatten("", &errors, &mut faults);
        faults.0.sort_by(|a, b| a.field.cmp(&b.field));
        faults
    }
}

fn flatten(prefix: &str, errors: &ValidationErrors, faults: &mut FieldErrors) {
    let path = |field: &str| if prefix.is_empty() { field.to_owned() } else { format!("{prefix}.{field}") };
    for (field, kind) in errors.errors() {
        match kind {
            ValidationErrorsKind::Field(list) => {
                for error in list {
                    let message = error.message.as_deref().unwrap_or("is not valid");
                    // A rule over several fields: its code names the one to look at.
                    let field = if field == "__all__" { error.code.as_ref() } else { field };
                    faults.add(path(field), message);
                }
            }
            ValidationErrorsKind::Struct(inner) => flatten(&path(field), inner, faults),
            ValidationErrorsKind::List(items) => {
                for (index, inner) in items {
                    flatten(&format!("{}[{index}]", path(field)), inner, faults);
                }
            }
        }
    }
}
