//! The unit of work: shared `&` reads, exclusive `&mut` writes, and a commit that asks what was done.

use std::{ops::Deref, sync::Arc};

use async_trait::async_trait;

use crate::{
    access::Actor,
    api_keys::ApiKeyRepository,
    assignments::AssignmentRepository,
    audit::{Audit, AuditRepository},
    device_credentials::DeviceCredentialRepository,
    error::{BoxError, Rule},
    housekeeping::HousekeepingRepository,
    idempotency::{IdempotencyRepository, KeyedRequest},
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
    + IdempotencyRepository
    + Send
    + Sync
{
}

/// A transaction. Dropped without commit, it leaves nothing behind.
#[async_trait]
pub trait Tx: Repositories {
    /// The request with an idempotency key whose claim the transaction took. Given once: the request holds the transaction from then
    /// on, and they must not hold each other.
    fn take_keyed_request(&mut self) -> Option<Arc<KeyedRequest>>;

    /// Has this sealed answer kept with the request's claim.
    fn keep_answer(&mut self, sealed: Vec<u8>);

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
    /// [`StoreError::Conflict`] with [`Rule::IdempotencyKey`], one that another transaction is about to take and does not let go within
    /// a second is one with [`Rule::IdempotencyInFlight`].
    async fn write(&self, who: &Actor) -> Result<Box<dyn Tx>, StoreError>;

    /// Asks the database for a sign of life.
    async fn ping(&self) -> Result<(), StoreError>;

    /// The names of migrations that this program knows and the database lacks.
    async fn pending_migrations(&self) -> Result<Vec<String>, StoreError>;

    /// The kind of database, for banners and health answers: `sqlite` or `postgresql`.
    fn kind(&self) -> &'static str;
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
