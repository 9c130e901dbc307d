//! The platform: adapters in, use cases out.

use std::{sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    access::Actor,
    api_keys::ApiKeys,
    assignments::Assignments,
    audit::{Audit, AuditLog, Budget},
    cache::{Cache, CacheTimes},
    device_credentials::DeviceCredentials,
    error::Error,
    housekeeping::Housekeeping,
    idempotency::{Idempotency, PendingChange},
    ids::Id,
    invitations::Invitations,
    jobs::Jobs,
    limits::{Limits, Shares, Thresholds},
    mail::Mail,
    memberships::Memberships,
    metrics::Metrics,
    module_types::ModuleTypes,
    modules::Modules,
    organizations::Organizations,
    passwords::{self, Passwords},
    ports::{
        AnswerCache, Entropy, FileStore, JobQueue, Notary, PasswordHasher, RateLimiter, Reader, Sealer,
        Store, TokenSigner, Tx,
    },
    readings::Readings,
    reports::Reports,
    rollups::Rollups,
    schedules::Schedules,
    sessions::{Confirming, Sessions},
    setup::Setup,
    sites::Sites,
    throttle::{Throttle, Unjudged},
    time::{Clock, Instant},
    users::Users,
};

/// How long the files of reports are kept, unless the settings say otherwise.
const REPORTS_KEPT_FOR: Duration = Duration::from_hours(90 * 24);

/// The adapters that the platform runs on, one a port.
#[derive(Clone)]
pub struct Ports {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The bell of the workers.
    pub queue: Arc<dyn JobQueue>,
    /// The files of reports.
    pub files: Arc<dyn FileStore>,
    /// The buckets of the rate limits.
    pub limiter: Arc<dyn RateLimiter>,
    /// Answers that are given again.
    pub cache: Arc<dyn AnswerCache>,
    /// Password hashing.
    pub passwords: Arc<dyn PasswordHasher>,
    /// Access tokens.
    pub tokens: Arc<dyn TokenSigner>,
    /// Sealing of small secrets.
    pub sealer: Arc<dyn Sealer>,
    /// Seals of the audit log's chains, and signatures of its checkpoints; the store has the same one.
    pub notary: Arc<dyn Notary>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// All use cases over one set of adapters. The adapters cannot be reached from outside, so nothing goes round the use
/// cases and their checks.
#[derive(Clone)]
pub struct Platform {
    ports: Ports,
    budget: Arc<Budget>,
    confirming: Arc<Confirming>,
    unjudged: Arc<Unjudged>,
    reports_kept_for: Duration,
    password_min_length: usize,
    thresholds: Thresholds,
    shares: Arc<Shares>,
    cache_times: CacheTimes,
}

impl Platform {
    /// A platform on these adapters.
    pub fn new(ports: Ports) -> Self {
        Self {
            ports,
            budget: Arc::default(),
            confirming: Arc::default(),
            unjudged: Arc::default(),
            reports_kept_for: REPORTS_KEPT_FOR,
            password_min_length: passwords::DEFAULT_MIN_LENGTH,
            thresholds: Thresholds::default(),
            shares: Arc::default(),
            cache_times: CacheTimes::default(),
        }
    }

    /// The same, where the files of reports are kept for so long.
    #[must_use]
    pub fn keeping_reports_for(self, reports_kept_for: Duration) -> Self {
        Self { reports_kept_for, ..self }
    }

    /// The same, where passwords have at least so many characters.
    #[must_use]
    pub fn requiring_passwords_of(self, password_min_length: usize) -> Self {
        Self { password_min_length, ..self }
    }

    /// The same, where callers and addresses are limited to so many requests.
    #[must_use]
    pub fn limiting_to(self, thresholds: Thresholds) -> Self {
        Self { thresholds, ..self }
    }

    /// The same, where callers of these organizations have other shares of the limits.
    #[must_use]
    pub fn sharing(self, shares: Shares) -> Self {
        Self { shares: Arc::new(shares), ..self }
    }

    /// The same, where answers are kept for so long.
    #[must_use]
    pub fn caching_for(self, cache_times: CacheTimes) -> Self {
        Self { cache_times, ..self }
    }

    /// Signing in and out; authentication.
    pub const fn sessions(&self) -> Sessions<'_> {
        Sessions::new(self)
    }

    /// Limits of requests.
    pub const fn limits(&self) -> Limits<'_> {
        Limits::new(self)
    }

    /// Answers that were given before.
    pub const fn cache(&self) -> Cache<'_> {
        Cache::new(self)
    }

    /// Throttling of those who have not proven who they are.
    pub const fn throttle(&self) -> Throttle<'_> {
        Throttle::new(self)
    }

    /// Passwords.
    pub const fn passwords(&self) -> Passwords<'_> {
        Passwords::new(self)
    }

    /// Users.
    pub const fn users(&self) -> Users<'_> {
        Users::new(self)
    }

    /// Organizations.
    pub const fn organizations(&self) -> Organizations<'_> {
        Organizations::new(self)
    }

    /// Members of organizations.
    pub const fn memberships(&self) -> Memberships<'_> {
        Memberships::new(self)
    }

    /// Invitations into organizations.
    pub const fn invitations(&self) -> Invitations<'_> {
        Invitations::new(self)
    }

    /// Assignments of members to sites and modules.
    pub const fn assignments(&self) -> Assignments<'_> {
        Assignments::new(self)
    }

    /// API keys of users and organizations.
    pub const fn api_keys(&self) -> ApiKeys<'_> {
        ApiKeys::new(self)
    }

    /// Credentials of devices.
    pub const fn device_credentials(&self) -> DeviceCredentials<'_> {
        DeviceCredentials::new(self)
    }

    /// Sites.
    pub const fn sites(&self) -> Sites<'_> {
        Sites::new(self)
    }

    /// Metrics.
    pub const fn metrics(&self) -> Metrics<'_> {
        Metrics::new(self)
    }

    /// Module types.
    pub const fn module_types(&self) -> ModuleTypes<'_> {
        ModuleTypes::new(self)
    }

    /// Modules.
    pub const fn modules(&self) -> Modules<'_> {
        Modules::new(self)
    }

    /// Readings.
    pub const fn readings(&self) -> Readings<'_> {
        Readings::new(self)
    }

    /// Rollups.
    pub const fn rollups(&self) -> Rollups<'_> {
        Rollups::new(self)
    }

    /// Jobs.
    pub const fn jobs(&self) -> Jobs<'_> {
        Jobs::new(self)
    }

    /// Schedules of jobs.
    pub const fn schedules(&self) -> Schedules<'_> {
        Schedules::new(self)
    }

    /// Mail.
    pub const fn mail(&self) -> Mail<'_> {
        Mail::new(self)
    }

    /// Reports, their runs and files.
    pub const fn reports(&self) -> Reports<'_> {
        Reports::new(self)
    }

    /// Requests that may be sent again.
    pub const fn idempotency(&self) -> Idempotency<'_> {
        Idempotency::new(self)
    }

    /// Housekeeping.
    pub const fn housekeeping(&self) -> Housekeeping<'_> {
        Housekeeping::new(self)
    }

    /// The audit log.
    pub const fn audit(&self) -> AuditLog<'_> {
        AuditLog::new(self)
    }

    /// The first set-up.
    pub const fn setup(&self) -> Setup<'_> {
        Setup::new(self)
    }

    /// The current moment.
    pub fn now(&self) -> Instant {
        self.ports.clock.now()
    }

    /// A fresh name for a request that came without one.
    pub fn request_id(&self) -> String {
        self.mint::<Self>().to_string()
    }

    /// The public keys of access tokens as a JSON Web Key Set.
    pub fn jwks(&self) -> String {
        self.ports.tokens.jwks()
    }

    /// Whether the platform can serve: the database answers and has every migration.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the database does not answer.
    pub async fn readiness(&self) -> Result<Readiness, Error> {
        self.ports.store.ping().await?;
        let pending_migrations = self.ports.store.pending_migrations().await?;
        Ok(Readiness { database: self.ports.store.kind(), pending_migrations })
    }

    /// The services that the platform does without for now; it serves all the same.
    pub fn degraded(&self) -> Vec<&'static str> {
        let is_degraded = self.ports.limiter.is_degraded() || self.ports.cache.is_degraded();
        if is_degraded { vec!["redis"] } else { Vec::new() }
    }

    pub(crate) const fn cache_times(&self) -> CacheTimes {
        self.cache_times
    }

    pub(crate) fn shares(&self) -> &Shares {
        &self.shares
    }

    pub(crate) const fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    pub(crate) const fn reports_kept_for(&self) -> Duration {
        self.reports_kept_for
    }

    pub(crate) const fn password_min_length(&self) -> usize {
        self.password_min_length
    }

    pub(crate) const fn ports(&self) -> &Ports {
        &self.ports
    }

    /// What is left of the audit entries that refusals may cause.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The tokens whose first use is being noted.
    pub(crate) fn confirming(&self) -> &Confirming {
        &self.confirming
    }

    /// The guesses at passwords that are to be taken back.
    pub(crate) fn unjudged(&self) -> &Unjudged {
        &self.unjudged
    }

    pub(crate) async fn read(&self, actor: &Actor) -> Result<Reader, Error> {
        Ok(self.ports.store.read(actor).await?)
    }

    pub(crate) async fn write(&self, actor: &Actor) -> Result<Box<dyn Tx>, Error> {
        if actor.keyed_request().is_some_and(|request| request.has_change()) {
            // It would wait for the first one, which waits for the answer.
            return Err(Error::Internal("a request with an idempotency key makes a second change".into()));
        }
        Ok(self.ports.store.write(actor).await?)
    }

    /// Commits, or puts that off until the answer is known, if the request came with an idempotency key.
    pub(crate) async fn commit(&self, mut tx: Box<dyn Tx>, trail: Audit) -> Result<(), Error> {
        match tx.take_keyed_request() {
            Some(request) => {
                request.put_off(PendingChange { tx, trail });
                Ok(())
            }
            None => self.commit_now(tx, trail).await,
        }
    }

    pub(crate) async fn commit_now(&self, tx: Box<dyn Tx>, trail: Audit) -> Result<(), Error> {
        let tickets = tx.commit(trail).await?;
        if !tickets.is_empty() {
            self.ports.queue.ring(&tickets);
        }
        Ok(())
    }

    pub(crate) fn mint<T>(&self) -> Id<T> {
        Id::mint(self.now(), self.random())
    }

    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.ports.entropy.fill(&mut bytes);
        bytes
    }

    /// An opaque cursor that only the same list with the same conditions opens again. It names a place in an order and
    /// opens nothing that its bearer could not read without it.
    pub(crate) fn seal_cursor(&self, list: &str, key: &impl Serialize) -> Result<String, Error> {
        let plain = serde_json::to_vec(key).map_err(|error| Error::Internal(error.into()))?;
        let sealed =
            self.ports.sealer.seal(cursor_context(list).as_bytes(), &plain).map_err(Error::Internal)?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The key inside a cursor.
    pub(crate) fn open_cursor<K: DeserializeOwned>(
        &self,
        list: &str,
        cursor: Option<&str>,
    ) -> Result<Option<K>, Error> {
        let Some(cursor) = cursor else { return Ok(None) };
        let refused = || Error::invalid("cursor", "is not a cursor of this list; start again without one");
        let sealed = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| refused())?;
        let plain =
            self.ports.sealer.open(cursor_context(list).as_bytes(), &sealed).map_err(|_| refused())?;
        serde_json::from_slice(plain.expose()).map(Some).map_err(|_| refused())
    }
}

fn cursor_context(list: &str) -> String {
    format!("cursor:{list}")
}

/// How the platform is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// The kind of database.
    pub database: &'static str,
    /// Migrations that the database lacks; it serves only when there are none.
    pub pending_migrations: Vec<String>,
}
