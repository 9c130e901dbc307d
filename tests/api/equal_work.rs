//! An account that does not exist costs what one costs that does, so that the time of an answer tells nothing.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use serde_json::json;
use sitewatch_auth::{AccessTokens, BcryptHasher, KeyRingNotary, KeyRingSealer, SecretKeys};
use sitewatch_domain::{
    Error, Platform, Ports,
    access::RequestContext,
    error::TokenFault,
    ports::{HashError, Notary, PasswordHash, PasswordHasher, PasswordVerdict},
    sessions::Credentials,
    text::Secret,
    users::NewUser,
};
use sitewatch_ephemeral::Unlimited;
use sitewatch_files::FolderStore;
use sitewatch_jobs::Bells;
use sitewatch_persistence::{SeaStore, StoreSettings};
use sitewatch_runtime::system::{OsEntropy, SystemClock};
use sitewatch_tests::world::{Backend, PASSWORD, World};

use crate::jobs::system;

/// Counts what it is asked.
struct Counting {
    inner: BcryptHasher,
    hashed: AtomicUsize,
    verified: AtomicUsize,
}

#[async_trait]
impl PasswordHasher for Counting {
    fn has_room(&self) -> bool {
        self.inner.has_room()
    }

    fn adopt(&self, hash: Secret<String>) -> Result<PasswordHash, HashError> {
        self.inner.adopt(hash)
    }

    async fn hash(&self, password: Secret<String>) -> Result<PasswordHash, HashError> {
        self.hashed.fetch_add(1, Ordering::Relaxed);
        self.inner.hash(password).await
    }

    async fn verify(
        &self,
        password: Secret<String>,
        stored: Option<PasswordHash>,
    ) -> Result<PasswordVerdict, HashError> {
        self.verified.fetch_add(1, Ordering::Relaxed);
        self.inner.verify(password, stored).await
    }
}

/// A platform over a database of its own, with a hasher that counts.
async fn counted(database: &str) -> (Platform, Arc<Counting>) {
    let keys: SecretKeys = SecretKeys::generate(&OsEntropy).expose().parse().expect("a key");
    let inner = BcryptHasher::new(&keys, 4).expect("a hasher");
    let counting = Arc::new(Counting { inner, hashed: AtomicUsize::new(0), verified: AtomicUsize::new(0) });
    let url = Secret::new(database.to_owned());
    let settings = match database.strip_prefix("sqlite://") {
        Some(path) => StoreSettings::sqlite(path.as_ref()),
        None => StoreSettings::postgres(url.clone(), url),
    };
    SeaStore::migrate_up(&settings).await.expect("a schema");
    let notary: Arc<dyn Notary> = Arc::new(KeyRingNotary::new(&keys).expect("a notary"));
    let store =
        SeaStore::connect(settings, Arc::new(SystemClock), Arc::new(OsEntropy), Arc::clone(&notary)).await;
    let platform = Platform::new(Ports {
        store: Arc::new(store.expect("a store")),
        queue: Arc::new(Bells::default()),
        files: Arc::new(FolderStore::new("no reports".into())),
        limiter: Arc::new(Unlimited),
        passwords: Arc::clone(&counting) as Arc<dyn PasswordHasher>,
        tokens: Arc::new(AccessTokens::new(&keys, "sitewatch", "sitewatch").expect("a signer")),
        sealer: Arc::new(KeyRingSealer::new(&keys).expect("a sealer")),
        notary,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
    });
    (platform, counting)
}

pub async fn each_failed_sign_in_checks_one_hash(backend: Arc<Backend>) {
    let folder = tempfile::tempdir().expect("a folder");
    let database = backend.database().await;
    let file = format!("sqlite://{}", folder.path().join("test.db").display());
    let url = database.as_ref().map_or(file, sitewatch_tests::postgres::DatabaseCopy::url);
    let (platform, counting) = counted(&url).await;
    for (email, password) in [
        ("ada@example.org", Some(PASSWORD)),
        ("none@example.org", None),
        ("gone@example.org", Some(PASSWORD)),
    ] {
        let new = NewUser {
            email: email.into(),
            full_name: "A".into(),
            password: password.map(|password| Secret::new(password.to_owned())),
            locale: None,
            timezone: None,
            is_superuser: false,
        };
        let user = platform.users().create(&system(), new).await.expect("a user");
        if email.starts_with("gone") {
            let seen = sitewatch_domain::stamp::Precondition::None;
            platform.users().archive(&system(), user.id, seen).await.expect("archived");
        }
    }
    for email in
        ["ada@example.org", "nobody@example.org", "none@example.org", "gone@example.org", "no address", ""]
    {
        for password in ["a guess of some length", "", &"x".repeat(5_000)] {
            let before = (counting.hashed.load(Ordering::Relaxed), counting.verified.load(Ordering::Relaxed));
            let credentials =
                Credentials { email: email.to_owned(), password: Secret::new(password.to_owned()) };
            let refused = platform.sessions().login(RequestContext::default(), credentials).await;
            // The empty address and the one that is none are the same nobody, who has tried five times at last.
            let is_limited = matches!(refused, Err(Error::Limited { .. }));
            let is_refused = matches!(refused, Err(Error::Unauthenticated(TokenFault::Credentials)));
            assert!(is_refused || (is_limited && email.is_empty()), "{email:?}");
            let hashes = usize::from(is_refused);
            let after = (counting.hashed.load(Ordering::Relaxed), counting.verified.load(Ordering::Relaxed));
            assert_eq!(after, (before.0, before.1 + hashes), "{email:?} {password:.9}");
        }
    }
}

/// The same statements in the same order, as PostgreSQL noted them.
pub async fn each_failed_sign_in_asks_the_same_of_the_database(backend: Arc<Backend>) {
    let database = backend.database().await.expect("a database that notes statements");
    database.note_statements().await;
    let world = World::on(Some(database)).await;
    let database = world.database.as_ref().expect("the database");
    world.user("ada").await;
    let body = json!({ "email": "none@example.org", "full_name": "No password" });
    world.root.post("/api/v1/users", body).await.expect(201);
    let (gone, _) = world.user("gone").await;
    world.root.delete(&format!("/api/v1/users/{gone}")).await.expect(200);
    let noted = async |email: &str, status: u16| {
        let before = database.noted_statements().len();
        let guess = json!({ "email": email, "password": "a guess of some length" });
        world.anonymous().post("/api/v1/auth/login", guess).await.expect(status);
        // What was given up is rolled back some time after the answer.
        let statements = database.noted_statements().split_off(before);
        statements.into_iter().filter(|statement| statement != "ROLLBACK").collect::<Vec<_>>()
    };
    let emails =
        ["ada@example.org", "nobody@example.org", "none@example.org", "gone@example.org", "no address"];
    // Every first look at a table is preceded by the driver's own questions.
    noted("first@example.org", 401).await;
    let mut told = Vec::new();
    for email in emails {
        told.push(noted(email, 401).await);
    }
    assert!(told[0].len() >= 5, "{:?}", told[0]);
    for (email, statements) in emails.iter().zip(&told) {
        assert_eq!(statements, &told[0], "{email}");
    }
    // Refused guesses too; the last one of each address has a delay.
    let mut told = Vec::new();
    for email in ["ada@example.org", "nobody@example.org"] {
        for _ in 0..4 {
            noted(email, 401).await;
        }
        told.push(noted(email, 429).await);
    }
    assert_eq!(told[0], told[1]);
}
