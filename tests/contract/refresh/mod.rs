//! Families of refresh tokens, in random histories of tabs, lost answers and a thief.
//!
//! Whoever is honest is never signed out; after a theft both are, with the first refresh that comes after the grace; and of two
//! live successors there are never any.

mod history;
mod referee;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use sitewatch_domain::{
    Error, Platform, Ports,
    access::RequestContext,
    error::TokenFault,
    ports::{HashError, HashRoom, PasswordHash, PasswordHasher, PasswordVerdict, Store},
    sessions::{Credentials, RefreshToken, TABS_GRACE},
    text::Secret,
    time::{Clock, Instant},
    users::NewUser,
};
use sitewatch_persistence::{SeaStore, StoreSettings};
use sitewatch_runtime::system::OsEntropy;
use sitewatch_tests::{harness::is_long_run, world::Backend};

use self::history::history;
use crate::{
    EmptyDatabase,
    farm::{self, start, superuser},
    rollups_plant::{Random, random},
};

const EMAIL: &str = "ada@example.org";
const PASSWORD: &str = "plum tandem gravel";
/// How long a client uses an access token before it asks for the next.
const ACCESS_S: u64 = 14 * 60;
const TABS: u64 = 5;

/// A clock that stands until it is set on.
#[derive(Clone)]
struct Set(Arc<AtomicI64>);

impl Set {
    fn at_the_start() -> Self {
        Self(Arc::new(AtomicI64::new(start().as_micros())))
    }

    fn to(&self, at: Instant) {
        assert!(at >= self.now(), "time goes on");
        self.0.store(at.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for Set {
    fn now(&self) -> Instant {
        Instant::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Takes every password for the right one: no history is about passwords.
struct Trusting;

#[async_trait]
impl PasswordHasher for Trusting {
    fn room(&self) -> Result<HashRoom, HashError> {
        Ok(HashRoom::held_by(()))
    }

    fn adopt(&self, hash: Secret<String>) -> Result<PasswordHash, HashError> {
        Ok(PasswordHash { scheme: "none".into(), pepper_id: String::new(), hash })
    }

    async fn hash(&self, _password: Secret<String>) -> Result<PasswordHash, HashError> {
        Ok(PasswordHash {
            scheme: "none".into(),
            pepper_id: String::new(),
            hash: Secret::new("none".to_owned()),
        })
    }

    async fn verify_within(
        &self,
        _room: HashRoom,
        _password: Secret<String>,
        _stored: Option<PasswordHash>,
    ) -> Result<PasswordVerdict, HashError> {
        Ok(PasswordVerdict::Correct)
    }
}

fn platform(store: &Arc<dyn Store>, clock: &Set) -> Platform {
    let ports = farm::ports(Arc::clone(store), Arc::new(clock.clone()));
    Platform::new(Ports { passwords: Arc::new(Trusting), ..ports })
}

async fn with_user(platform: Platform) -> Platform {
    let new = NewUser {
        email: EMAIL.into(),
        full_name: "A".into(),
        password: Some(Secret::new(PASSWORD.into())),
        locale: None,
        timezone: None,
        is_superuser: false,
    };
    platform.users().create(&superuser(), new).await.expect("a user");
    platform
}

/// Two tokens as a client keeps them, and since when.
#[derive(Debug, Clone)]
struct Kept {
    refresh: String,
    access: String,
    since: Instant,
}

/// What a client of this kind sends along.
fn from(agent: &str) -> RequestContext {
    RequestContext { user_agent: Some(agent.into()), ..RequestContext::default() }
}

async fn sign_in(platform: &Platform, agent: &str) -> Kept {
    let credentials = Credentials { email: EMAIL.into(), password: Secret::new(PASSWORD.into()) };
    let tokens = platform.sessions().login(from(agent), credentials).await.expect("signed in");
    kept(&tokens, platform.now())
}

fn kept(tokens: &sitewatch_domain::sessions::SessionTokens, since: Instant) -> Kept {
    Kept {
        refresh: tokens.refresh_token.expose().clone(),
        access: tokens.access_token.expose().clone(),
        since,
    }
}

fn counter(refresh: &str) -> i64 {
    RefreshToken::parse(refresh).expect("a token").counter()
}

/// Whether an access token is taken.
async fn is_let_in(platform: &Platform, access: &str) -> bool {
    match platform.sessions().authenticate(RequestContext::default(), access).await {
        Ok(_) => true,
        Err(Error::Unauthenticated(_)) => false,
        Err(error) => panic!("{error:?}"),
    }
}

/// The next pair; `None` if the token is refused.
async fn refresh(platform: &Platform, refresh: &str, agent: &str) -> Option<Kept> {
    loop {
        match platform.sessions().refresh(from(agent), refresh).await {
            Ok(tokens) => return Some(kept(&tokens, platform.now())),
            Err(Error::Unauthenticated(TokenFault::Invalid)) => return None,
            Err(Error::Conflict(sitewatch_domain::Rule::RefreshInFlight)) => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// As many histories as it says, on files that nobody syncs: in memory, where the machine has such a folder.
#[expect(clippy::print_stderr, reason = "the seed belongs to the run's output")]
pub async fn honest_clients_stay_and_thieves_are_found_out(_backend: Arc<Backend>) {
    let histories: u64 = if is_long_run() { 100_000 } else { 10_000 };
    let shards = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(8) as u64;
    let seed = random();
    let began = tokio::time::Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for shard in 0..shards {
        let mut random = Random(seed.0.wrapping_add(shard << 40));
        // What cannot be shared out evenly is the first one's.
        let its_own = histories / shards + if shard == 0 { histories % shards } else { 0 };
        running.spawn(async move {
            let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
            let settings = StoreSettings::sqlite(&folder.path().join("histories.db"));
            SeaStore::migrate_up(&settings).await.expect("migrations run");
            let clock = Set::at_the_start();
            let store = SeaStore::connect(
                settings,
                Arc::new(clock.clone()),
                Arc::new(OsEntropy),
                Arc::new(farm::notary()),
            )
            .await;
            let store: Arc<dyn Store> = Arc::new(store.expect("a store"));
            let platform = with_user(platform(&store, &clock)).await;
            let mut thefts = 0_u64;
            for _ in 0..its_own {
                thefts += u64::from(history(&platform, &clock, &mut random).await);
            }
            thefts
        });
    }
    let thefts: u64 = running.join_all().await.into_iter().sum();
    eprintln!("refresh: {histories} histories, {thefts} of them with a thief, in {:?}", began.elapsed());
    assert!(thefts > histories / 4 && thefts < histories * 3 / 4);
}

/// Tabs that really ask at the same time, on either database.
pub async fn tabs_at_the_same_time_have_one_successor(backend: Arc<Backend>) {
    let database = EmptyDatabase::new(&backend).await;
    let store: Arc<dyn Store> = Arc::new(database.store().await);
    let clock = Set::at_the_start();
    with_user(platform(&store, &clock)).await;
    let mut random = random();
    for _ in 0..200 {
        // Each with a clock of its own.
        let clock = Set::at_the_start();
        let platform = platform(&store, &clock);
        let mut client = sign_in(&platform, "a").await;
        for _ in 0..2 {
            clock.to(clock.now().plus(Duration::from_secs(ACCESS_S)));
            let answers = at_once(&platform, &client.refresh, 2 + random.below(TABS - 1)).await;
            let first = answers[0].clone().expect("nobody is signed out");
            for answer in answers {
                let answer = answer.expect("nobody is signed out");
                assert_eq!(answer.refresh, first.refresh, "there is one successor");
                assert!(is_let_in(&platform, &answer.access).await);
            }
            client = first;
        }
        if random.below(2) == 0 {
            continue;
        }
        let stolen = client.clone();
        clock.to(clock.now().plus(Duration::from_secs(ACCESS_S)));
        let thief = refresh(&platform, &stolen.refresh, "a").await.expect("the thief is quicker");
        assert!(is_let_in(&platform, &thief.access).await);
        clock.to(clock.now().plus(TABS_GRACE + Duration::from_secs(1)));
        let answers = at_once(&platform, &client.refresh, 3).await;
        assert!(answers.iter().all(Option::is_none), "what was used is used");
        assert!(!is_let_in(&platform, &thief.access).await);
        assert!(refresh(&platform, &thief.refresh, "a").await.is_none(), "both are out");
    }
}

async fn at_once(platform: &Platform, token: &str, tabs: u64) -> Vec<Option<Kept>> {
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..tabs {
        let (platform, token) = (platform.clone(), token.to_owned());
        running.spawn(async move { refresh(&platform, &token, "a").await });
    }
    running.join_all().await
}
