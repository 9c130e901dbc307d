//! The unit of work: shared `&` reads, exclusive `&mut` writes, and a commit that asks what was done.

use std::ops::Deref;

use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    access::Actor,
    api_keys::ApiKeyRepository,
    assignments::AssignmentRepository,
    audit::{Audit, AuditRepository},
    device_credentials::DeviceCredentialRepository,
    error::{BoxError, Rule},
    housekeeping::HousekeepingRepository,
    invitations::InvitationRepository,
    jobs::{JobRepository, Ticket},
    keys::{KeyRepository, KeyUse},
    mail::MailRepository,
    memberships::MembershipRepository,
    metrics::MetricRepository,
    module_types::ModuleTypeRepository,
    modules::ModuleRepository,
    organizations::OrganizationRepository,
    passwords::PasswordRepository,
    readings::ReadingRepository,
    reports::ReportRepository,
    rollups::RollupRepository,
    schedules::ScheduleRepository,
    sessions::SessionRepository,
    setup::SetupRepository,
    sites::SiteRepository,
    throttle::AttemptRepository,
    time::Instant,
    users::UserRepository,
};

/// Every repository; one session implements them all.
pub trait Repositories:
    UserRepository
    + SessionRepository
    + KeyRepository
    + ApiKeyRepository
    + DeviceCredentialRepository
    + PasswordRepository
    + OrganizationRepository
    + MembershipRepository
    + AssignmentRepository
    + InvitationRepository
    + SiteRepository
    + MetricRepository
    + ModuleTypeRepository
    + ModuleRepository
    + ReadingRepository
    + RollupRepository
    + AuditRepository
    + JobRepository
    + ScheduleRepository
    + MailRepository
    + HousekeepingRepository
    + ReportRepository
    + SetupRepository
    + AttemptRepository
    + Send
    + Sync
{
}

/// A transaction. Dropped without commit, it leaves nothing behind.
#[async_trait]
pub trait Tx: Repositories {
    /// Writes the audit trail, settles the request's idempotency claim and commits, all or nothing. The tickets of the jobs
    /// that were written, to be rung for.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with [`Rule::LeaseLost`] if the actor works on a job whose lease is lost: nothing is kept.
    async fn commit(self: Box<Self>, trail: Audit) -> Result<Vec<Ticket>, StoreError>;
}

/// A session that can only read: it derefs to shared repositories, never to exclusive ones.
pub struct Reader(Box<dyn Repositories>);

impl Reader {
    /// Wraps an adapter's session.
    pub fn new(session: Box<dyn Repositories>) -> Self {
        Self(session)
    }
}

impl Deref for Reader {
    type Target = dyn Repositories;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref()
    }
}

/// Opens sessions. A session is opened *for someone*, so that a database can add walls of its own.
#[async_trait]
pub trait Store: Send + Sync {
    /// A session for reading, outside of any transaction.
    async fn read(&self, who: &Actor) -> Result<Reader, StoreError>;

    /// Notes that a credential was used, at some later moment: nobody waits for it, and it may get lost.
    fn note_use(&self, key_use: KeyUse);

    /// A transaction. If the actor showed a credential, whether it is good is asked again in here: one that was revoked meanwhile is
    /// [`StoreError::Revoked`]. If he carries an idempotency claim, it is taken here: a claim that was taken before is
    /// [`StoreError::Conflict`] with [`Rule::IdempotencyKey`].
    async fn write(&self, who: &Actor) -> Result<Box<dyn Tx>, StoreError>;

    /// Asks the database for a sign of life.
    async fn ping(&self) -> Result<(), StoreError>;

    /// The names of migrations that this program knows and the database lacks.
    async fn pending_migrations(&self) -> Result<Vec<String>, StoreError>;

    /// The kind of database, for banners and health answers: `sqlite` or `postgresql`.
    fn kind(&self) -> &'static str;
}

/// A client's promise that a repeated request is the same request (`Idempotency-Key`). The claim is written in the
/// transaction of the request's own effect, so that key, effect and outcome appear together or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyClaim {
    /// Who promised: the user or key.
    pub principal: Uuid,
    /// Method and route template.
    pub route: String,
    /// SHA-256 of the key that the client sent.
    pub key_digest: [u8; 32],
    /// SHA-256 of the request, to tell a repetition from another use of the key.
    pub fingerprint: [u8; 32],
    /// After this moment the claim is forgotten.
    pub expires_at: Instant,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A rule between rows would be broken.
    #[error("conflict with the rule {}", .0.name())]
    Conflict(Rule),
    /// The credential that the actor showed is not good any more.
    #[error("the credential was revoked")]
    Revoked,
    /// The database is away, too busy, or gave up on a lock. Nothing was changed, unless it was a commit that nobody answered:
    /// whether that was done is not known.
    #[error("the database is unavailable")]
    Unavailable(#[source] BoxError),
    /// A row holds something that no version of this program writes.
    #[error("corrupt data in {table}.{column} of row {row}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key.
        row: String,
    },
    /// Everything else; our own fault.
    #[error("the database refused")]
    Backend(#[source] BoxError),
}
