//! Families of refresh tokens, in random histories of tabs, lost answers and a thief.
//!
//! Whoever is honest is never signed out; after a theft both are, with the first refresh that comes after the grace; and of two
//! live successors there are never any.

use std::{
    collections::BTreeMap,
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
    sessions::{Credentials, LOST_ANSWER_GRACE, MOST_GRACE_USES, RefreshToken, TABS_GRACE},
    text::Secret,
    time::{Clock, Instant},
    users::NewUser,
};
use sitewatch_persistence::{SeaStore, StoreSettings};
use sitewatch_runtime::system::OsEntropy;
use sitewatch_tests::{harness::is_long_run, world::Backend};

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

/// The rule, told once more and from outside: what the server must make of each token, by what it was sent so far.
struct Referee {
    newest: i64,
    text_of_newest: String,
    exchanged_at: Instant,
    used_at: Option<Instant>,
    asked_again: u32,
    agent: String,
    is_over: bool,
}

impl Referee {
    fn of(first: &Kept, agent: &str) -> Self {
        Self {
            newest: counter(&first.refresh),
            text_of_newest: first.refresh.clone(),
            exchanged_at: first.since,
            used_at: None,
            asked_again: 0,
            agent: agent.to_owned(),
            is_over: false,
        }
    }

    /// Whether the token before the newest is still taken for one of a lost answer or of another tab.
    fn has_grace(&self, now: Instant, agent: &str) -> bool {
        let age = now.since(self.exchanged_at);
        let in_time = match self.used_at {
            None => age <= LOST_ANSWER_GRACE,
            Some(at) => {
                age <= TABS_GRACE || (now.since(at) <= TABS_GRACE && age <= LOST_ANSWER_GRACE + TABS_GRACE)
            }
        };
        in_time && self.asked_again < MOST_GRACE_USES && agent == self.agent
    }

    /// Sends a token, and checks what comes back.
    async fn refresh(&mut self, platform: &Platform, token: &str, agent: &str) -> Option<Kept> {
        let (shown, now) = (counter(token), platform.now());
        let answer = refresh(platform, token, agent).await;
        if self.is_over {
            assert!(answer.is_none(), "nothing works once the session is ended");
        } else if shown == self.newest {
            let next = answer.as_ref().expect("the newest token is exchanged");
            assert_eq!(counter(&next.refresh), shown + 1);
            (self.newest, self.text_of_newest, self.exchanged_at) = (shown + 1, next.refresh.clone(), now);
            (self.used_at, self.asked_again, self.agent) = (None, 0, agent.to_owned());
        } else if shown + 1 == self.newest && self.has_grace(now, agent) {
            let same = answer.as_ref().expect("whoever lost an answer gets it again");
            assert_eq!(same.refresh, self.text_of_newest, "there is one successor and no other");
            self.asked_again += 1;
        } else {
            assert!(answer.is_none(), "{shown} was used before; {} is the newest", self.newest);
            self.is_over = true;
        }
        answer
    }

    /// Uses an access token, and checks whether that was right.
    async fn call(&mut self, platform: &Platform, of: &Kept) {
        let is_expired = platform.now().since(of.since) >= Duration::from_mins(15);
        assert_eq!(is_let_in(platform, &of.access).await, !self.is_over && !is_expired);
        if counter(&of.refresh) == self.newest && !is_expired && !self.is_over {
            self.used_at.get_or_insert(platform.now());
        }
    }
}

/// What happens next, in the order of its time; the number tells apart what happens at the same.
type Plan = BTreeMap<(Instant, u64), Event>;

enum Event {
    /// A tab looks at what the client keeps, and asks for the next pair if that is old.
    Look,
    /// What it sent reaches the server.
    Reaches(String),
    /// The answer reaches the tab.
    Answers(Kept),
    /// The thief asks for the next pair with what he has.
    Steals,
}

/// One history: a client with tabs that share what it keeps, perhaps a thief who copies it once.
struct History<'a> {
    platform: &'a Platform,
    clock: &'a Set,
    random: &'a mut Random,
    referee: Referee,
    client: Kept,
    client_agent: &'static str,
    thief: Option<(Kept, &'static str)>,
    plan: Plan,
    planned: u64,
    /// Answers that may still be lost before the next exchange.
    losses: u64,
    was_signed_out: bool,
}

impl History<'_> {
    fn plan(&mut self, after_ms: u64, event: Event) {
        self.planned += 1;
        self.plan.insert((self.clock.now().plus(Duration::from_millis(after_ms)), self.planned), event);
    }

    /// Everything until nobody waits any more.
    async fn go_on(&mut self) {
        while let Some(((at, _), event)) = self.plan.pop_first() {
            self.clock.to(at);
            match event {
                Event::Look if self.was_signed_out => {}
                Event::Look => {
                    if self.clock.now().since(self.client.since) >= Duration::from_secs(ACCESS_S) {
                        let (token, on_the_way) = (self.client.refresh.clone(), self.random.below(2_000));
                        self.plan(on_the_way, Event::Reaches(token));
                    } else if self.random.below(2) == 0 {
                        let kept = self.client.clone();
                        self.referee.call(self.platform, &kept).await;
                    }
                }
                Event::Reaches(token) => self.reaches(token).await,
                Event::Answers(next) => {
                    // A late answer never replaces a newer one: tabs compare what they keep.
                    if counter(&next.refresh) >= counter(&self.client.refresh) {
                        self.client = next;
                    }
                    self.plan(1, Event::Look);
                }
                Event::Steals => {
                    let (kept, agent) = self.thief.clone().expect("a thief");
                    if let Some(next) = self.referee.refresh(self.platform, &kept.refresh, agent).await {
                        self.referee.call(self.platform, &next).await;
                        self.thief = Some((next, agent));
                    }
                }
            }
        }
    }

    async fn reaches(&mut self, token: String) {
        let before = self.referee.newest;
        let answer = self.referee.refresh(self.platform, &token, self.client_agent).await;
        match answer {
            None => {
                assert!(self.thief.is_some(), "an honest client is never signed out");
                self.was_signed_out = true;
            }
            Some(_) if self.losses > 0 && self.random.below(3) == 0 => {
                self.losses -= 1;
                // Out of patience, the tab looks again, and sees what the others have got meanwhile. The last one to do so finds a
                // network that works again while the grace lasts.
                let left = 45_u64.saturating_sub(self.clock.now().since(self.referee.exchanged_at).as_secs());
                let patience = 3_000 + self.random.below(1 + left * 1_000 / (self.losses + 1));
                self.plan(patience, Event::Look);
            }
            Some(next) => {
                let on_the_way = self.random.below(2_000);
                self.plan(on_the_way, Event::Answers(next));
            }
        }
        if self.referee.newest > before {
            // All tabs together never ask for the same pair more often than it is given.
            self.losses = u64::from(MOST_GRACE_USES).saturating_sub(TABS);
        }
    }

    /// The access token grows old; the tabs notice within a few seconds of each other.
    async fn round(&mut self) {
        let began = self.client.since.max(self.clock.now());
        self.clock.to(began);
        let tabs = 1 + self.random.below(TABS);
        for _ in 0..tabs {
            let after = ACCESS_S * 1_000 + self.random.below(4_000);
            self.plan(after, Event::Look);
        }
        if self.thief.is_some() && self.random.below(3) > 0 {
            let after = self.random.below((ACCESS_S + 120) * 1_000);
            self.plan(after, Event::Steals);
        }
        self.go_on().await;
    }

    /// Sooner or later one of the two shows a token that the other has used.
    async fn ends_for_both(&mut self) {
        let Some((mut stolen, agent)) = self.thief.clone() else { return };
        let exchanges = self.referee.newest + 4;
        while !self.referee.is_over {
            let later = self.clock.now().plus(LOST_ANSWER_GRACE + TABS_GRACE + Duration::from_secs(1));
            self.clock.to(later);
            if let Some(next) = self.referee.refresh(self.platform, &stolen.refresh, agent).await {
                stolen = next;
            }
            let later = self.clock.now().plus(LOST_ANSWER_GRACE + TABS_GRACE + Duration::from_secs(1));
            self.clock.to(later);
            let own = self.client.refresh.clone();
            if let Some(next) = self.referee.refresh(self.platform, &own, self.client_agent).await {
                self.client = next;
            }
            assert!(self.referee.newest <= exchanges, "two who have the same token are found out");
        }
        for kept in [&stolen, &self.client] {
            assert!(refresh(self.platform, &kept.refresh, self.client_agent).await.is_none(), "both are out");
        }
        for kept in [&stolen, &self.client] {
            assert!(!is_let_in(self.platform, &kept.access).await, "both are out");
        }
    }
}

async fn history(platform: &Platform, clock: &Set, random: &mut Random) -> bool {
    let client_agent = "Mozilla/5.0 Firefox/128.0";
    let client = sign_in(platform, client_agent).await;
    let mut history = History {
        platform,
        clock,
        referee: Referee::of(&client, client_agent),
        client,
        client_agent,
        thief: None,
        plan: Plan::new(),
        planned: 0,
        losses: u64::from(MOST_GRACE_USES).saturating_sub(TABS),
        was_signed_out: false,
        random,
    };
    let theft = history.random.below(4);
    for round in 0..2 {
        if theft == round {
            let agent = if history.random.below(3) == 0 { "curl/8.5.0" } else { client_agent };
            history.thief = Some((history.client.clone(), agent));
        }
        history.round().await;
    }
    history.ends_for_both().await;
    history.thief.is_some()
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
            for _ in 0..histories / shards {
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
