//! An installation whose clock stands still until a test moves it, and which counts the hashes that it makes and checks.

use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use sitewatch_auth::{AccessTokens, BcryptHasher, KeyRingNotary, KeyRingSealer, SecretKeys};
use sitewatch_domain::{
    Platform, Ports,
    limits::Thresholds,
    ports::{HashError, HashRoom, Notary, PasswordHash, PasswordHasher, PasswordVerdict, RateLimiter},
    text::Secret,
    time::{Clock, Instant},
    users::NewUser,
};
use sitewatch_ephemeral::{LocalCache, LocalLimiter, Unlimited};
use sitewatch_files::FolderStore;
use sitewatch_http::{Api, Draining, HttpSettings};
use sitewatch_jobs::Bells;
use sitewatch_persistence::{SeaStore, StoreSettings};
use sitewatch_runtime::system::{OsEntropy, SystemClock};
use sitewatch_tests::{
    client::Client,
    postgres::DatabaseCopy,
    world::{Backend, PASSWORD},
};

use crate::jobs::system;

/// Stands still until it is moved.
pub struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Instant {
        Instant::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Counts what it is asked.
pub struct Counting {
    inner: BcryptHasher,
    hashed: AtomicUsize,
    verified: AtomicUsize,
    gate: tokio::sync::Mutex<()>,
}

impl Counting {
    /// Keeps back what checks have come to, until this is dropped.
    pub async fn hold(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.gate.lock().await
    }

    /// Hashes that were made, and hashes that were checked.
    pub fn calls(&self) -> (usize, usize) {
        (self.hashed.load(Ordering::SeqCst), self.verified.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl PasswordHasher for Counting {
    fn room(&self) -> Result<HashRoom, HashError> {
        self.inner.room()
    }

    fn adopt(&self, hash: Secret<String>) -> Result<PasswordHash, HashError> {
        self.inner.adopt(hash)
    }

    async fn hash(&self, password: Secret<String>) -> Result<PasswordHash, HashError> {
        self.hashed.fetch_add(1, Ordering::SeqCst);
        self.inner.hash(password).await
    }

    async fn verify_within(
        &self,
        room: HashRoom,
        password: Secret<String>,
        stored: Option<PasswordHash>,
    ) -> Result<PasswordVerdict, HashError> {
        let verdict = self.inner.verify_within(room, password, stored).await;
        self.verified.fetch_add(1, Ordering::SeqCst);
        let _gate = self.gate.lock().await;
        verdict
    }
}

/// The installation, serving behind a proxy on this machine. Everything ends when it is dropped.
pub struct Clocked {
    pub platform: Platform,
    pub hasher: Arc<Counting>,
    pub visitor: Client,
    pub database: Option<DatabaseCopy>,
    clock: Arc<TestClock>,
    server: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Drop for Clocked {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Clocked {
    /// Without limits of requests.
    pub async fn start(backend: &Backend) -> Self {
        Self::on(backend.database().await, |_| Arc::new(Unlimited)).await
    }

    /// With the limits that installations have.
    pub async fn limited(backend: &Backend) -> Self {
        Self::on(backend.database().await, |clock| Arc::new(LocalLimiter::new(clock))).await
    }

    /// With limits of the test's choice.
    pub async fn limited_to(backend: &Backend, thresholds: Thresholds) -> Self {
        let limiter = |clock: Arc<TestClock>| -> Arc<dyn RateLimiter> { Arc::new(LocalLimiter::new(clock)) };
        Self::with(backend.database().await, limiter, thresholds).await
    }

    /// On a database of the test's choice.
    pub async fn on(
        database: Option<DatabaseCopy>,
        limiter: impl FnOnce(Arc<TestClock>) -> Arc<dyn RateLimiter>,
    ) -> Self {
        Self::with(database, limiter, Thresholds::default()).await
    }

    async fn with(
        database: Option<DatabaseCopy>,
        limiter: impl FnOnce(Arc<TestClock>) -> Arc<dyn RateLimiter>,
        thresholds: Thresholds,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = match &database {
            None => StoreSettings::sqlite(&folder.path().join("test.db")),
            Some(database) => {
                let url = Secret::new(database.url());
                StoreSettings::postgres(url.clone(), url)
            }
        };
        SeaStore::migrate_up(&settings).await.expect("a schema");
        let clock = Arc::new(TestClock(AtomicI64::new(SystemClock.now().as_micros())));
        let keys: SecretKeys = SecretKeys::generate(&OsEntropy).expose().parse().expect("a key");
        let notary: Arc<dyn Notary> = Arc::new(KeyRingNotary::new(&keys).expect("a notary"));
        let told = Arc::clone(&clock) as Arc<dyn Clock>;
        let store = SeaStore::connect(settings, told, Arc::new(OsEntropy), Arc::clone(&notary)).await;
        let inner = BcryptHasher::new(&keys, 4).expect("a hasher");
        let hasher = Arc::new(Counting {
            inner,
            hashed: AtomicUsize::new(0),
            verified: AtomicUsize::new(0),
            gate: tokio::sync::Mutex::default(),
        });
        let platform = Platform::new(Ports {
            store: Arc::new(store.expect("a store")),
            queue: Arc::new(Bells::default()),
            files: Arc::new(FolderStore::new("no reports".into())),
            limiter: limiter(Arc::clone(&clock)),
            cache: Arc::new(LocalCache::new(1 << 20)),
            passwords: Arc::clone(&hasher) as Arc<dyn PasswordHasher>,
            tokens: Arc::new(AccessTokens::new(&keys, "sitewatch", "sitewatch").expect("a signer")),
            sealer: Arc::new(KeyRingSealer::new(&keys).expect("a sealer")),
            notary,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy: Arc::new(OsEntropy),
        });
        let platform = platform.limiting_to(thresholds);
        let (server, base) = serving(&platform);
        let visitor = Client::anonymous(base);
        Self { platform, hasher, visitor, database, clock, server, _folder: folder }
    }

    /// Moves the clock on.
    pub fn forward(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).expect("a short time");
        self.clock.0.fetch_add(micros, Ordering::SeqCst);
    }

    /// Makes a user, with the usual password or without one.
    pub async fn user(&self, email: &str, password: Option<&str>) -> sitewatch_domain::ids::UserId {
        self.platform.users().create(&system(), new_user(email, password)).await.expect("a user").id
    }

    /// Makes a superuser and signs him in.
    pub async fn superuser(&self, email: &str) -> Client {
        let new = NewUser { is_superuser: true, ..new_user(email, Some(PASSWORD)) };
        self.platform.users().create(&system(), new).await.expect("a superuser");
        self.visitor.login(email, PASSWORD).await
    }

    /// Accounts of which none can be signed in to with a guess: with a password, without one, archived, none at all, not even an address.
    pub async fn accounts(&self) -> [&'static str; 5] {
        self.user("ada@example.org", Some(PASSWORD)).await;
        self.user("none@example.org", None).await;
        let gone = self.user("gone@example.org", Some(PASSWORD)).await;
        let seen = sitewatch_domain::stamp::Precondition::None;
        self.platform.users().archive(&system(), gone, seen).await.expect("archived");
        ["ada@example.org", "none@example.org", "gone@example.org", "nobody@example.org", "no address"]
    }
}

fn new_user(email: &str, password: Option<&str>) -> NewUser {
    NewUser {
        email: email.to_owned(),
        full_name: "A user".into(),
        password: password.map(|password| Secret::new(password.to_owned())),
        locale: None,
        timezone: None,
        is_superuser: false,
    }
}

fn serving(platform: &Platform) -> (tokio::task::JoinHandle<()>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a listener");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let settings = HttpSettings { workers: 1, connections: 1024, shutdown_timeout: Duration::from_secs(1) };
    let proxy = "127.0.0.1/32".parse().expect("a network");
    let api = Api::new(platform.clone(), Draining::default()).behind(vec![proxy]);
    let (server, _stop) = api.serve(listener, &settings).expect("a server");
    let server = tokio::spawn(async move {
        let _ended = server.await;
    });
    (server, base)
}
