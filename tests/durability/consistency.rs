//! Random reads, writes and changes of rights over three organizations and two nodes, while Redis is restarted, flushed and frozen: what was
//! committed is what is read, at once and everywhere, and nobody sees what is not his.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use sitewatch_tests::{
    client::{Answer, Client},
    harness::is_long_run,
    random::{Random, seed, tell},
    redis::RedisServer,
    world::{Backend, PASSWORD, SHARED_SECRET, SUPERUSER, World},
};
use tokio::task::JoinSet;

const ORGANIZATIONS: usize = 3;
/// Those who write, four in each organization; each has sites and a member of its own, so that it knows what it must read.
const WRITERS: usize = 4 * ORGANIZATIONS;
const SITES: usize = 3;
/// Those who read what others write.
const WATCHERS: usize = 3;
/// Redis fails more often than this, however fast the machine is.
const FAULTS: u64 = 10;

/// How long everybody works on before he signs in again.
const SIGNED_IN_FOR: Duration = Duration::from_mins(8);

/// A caller, at each of the nodes.
type Everywhere = [Client; 2];

/// Somebody who takes part.
trait Party: Send {
    /// Signs everybody in anew; what they had is good for a quarter of an hour.
    fn sign_in_again(&mut self) -> impl Future<Output = ()> + Send;

    /// Does one thing.
    fn step(&mut self, counts: &Counts) -> impl Future<Output = ()> + Send;
}

/// Does one thing after the other for as long as it goes on.
async fn take_part(mut party: impl Party, counts: Arc<Counts>, goes_on: impl Fn() -> bool + Send) {
    let mut signed_in = Instant::now();
    while goes_on() {
        if signed_in.elapsed() > SIGNED_IN_FOR {
            party.sign_in_again().await;
            signed_in = Instant::now();
        }
        party.step(&counts).await;
    }
}

struct Writer {
    number: usize,
    organization: String,
    admin: Everywhere,
    stranger: Everywhere,
    root: Everywhere,
    member: Everywhere,
    member_id: String,
    /// Whether the member sees everything of the organization, for now.
    is_promoted: bool,
    /// The sites with the names that were committed last, and the assignments of the member to them.
    sites: Vec<(String, String, Option<String>)>,
    /// How often each site was renamed, as far as everybody must see it.
    renamed: Vec<Arc<AtomicU64>>,
    random: Random,
}

/// What was done by all of them.
#[derive(Default)]
struct Counts {
    requests: AtomicU64,
    hits: AtomicU64,
    writes: AtomicU64,
}

impl Party for Writer {
    async fn sign_in_again(&mut self) {
        let of = |role: &str, number: usize| format!("{role}{number}@example.org");
        let (own, next) = (self.number % ORGANIZATIONS, (self.number + 1) % ORGANIZATIONS);
        for (who, email, password) in [
            (&mut self.admin, of("admin", own), PASSWORD),
            (&mut self.stranger, of("admin", next), PASSWORD),
            (&mut self.member, of("member", self.number), PASSWORD),
            (&mut self.root, SUPERUSER.0.to_owned(), SUPERUSER.1),
        ] {
            let signed_in = who[0].login(&email, password).await;
            *who = who.each_ref().map(|client| client.with_token(signed_in.token()));
        }
    }

    async fn step(&mut self, counts: &Counts) {
        let site = self.random.below(SITES);
        let path = format!("/api/v1/sites/{}", self.sites[site].0);
        match self.random.below(20) {
            0..=2 => {
                let times = self.renamed[site].load(Ordering::SeqCst) + 1;
                let name = format!("{}-{times}", self.sites[site].1.split('-').next().unwrap());
                let changed = self.at(|writer| &writer.admin).patch(&path, json!({ "name": name })).await;
                counted(changed, counts).expect(200);
                counts.writes.fetch_add(1, Ordering::Relaxed);
                self.sites[site].1 = name;
                self.renamed[site].store(times, Ordering::SeqCst);
            }
            3 if self.random.below(8) == 0 => self.promote(counts).await,
            // What an admin sees does not depend on it.
            3 if !self.is_promoted => self.assign(site, counts).await,
            4..=6 => {
                let found = counted(self.at(|writer| &writer.member).get(&path).await, counts);
                if self.is_promoted || self.sites[site].2.is_some() {
                    assert_eq!(name_in(&found.expect(200)), self.sites[site].1, "the member's");
                } else {
                    found.expect(404);
                }
            }
            7..=8 => drop(counted(self.at(|writer| &writer.stranger).get(&path).await, counts).expect(404)),
            9..=11 => self.list(counts).await,
            12 => {
                let found = counted(self.at(|writer| &writer.root).get(&path).await, counts).expect(200);
                assert_eq!(name_in(&found), self.sites[site].1, "the superuser's");
            }
            _ => {
                let found = counted(self.at(|writer| &writer.admin).get(&path).await, counts).expect(200);
                assert_eq!(name_in(&found), self.sites[site].1, "the admin's");
            }
        }
    }
}

impl Writer {
    fn at(&mut self, who: fn(&Self) -> &Everywhere) -> Client {
        let node = self.random.below(2);
        who(self)[node].clone()
    }

    /// Assigns the member to a site, or takes that back.
    async fn assign(&mut self, site: usize, counts: &Counts) {
        let admin = self.at(|writer| &writer.admin);
        let path = format!("/api/v1/organizations/{}/assignments", self.organization);
        counts.writes.fetch_add(1, Ordering::Relaxed);
        if let Some(assignment) = self.sites[site].2.take() {
            counted(admin.delete(&format!("{path}/{assignment}")).await, counts).expect(200);
            return;
        }
        let body = json!({ "user_id": self.member_id, "site_id": self.sites[site].0, "access": "viewer" });
        self.sites[site].2 = Some(counted(admin.post(&path, body).await, counts).expect(201).id());
    }

    /// Makes the member an admin, or an admin a member again.
    async fn promote(&mut self, counts: &Counts) {
        let role = if self.is_promoted { "member" } else { "admin" };
        let path = format!("/api/v1/organizations/{}/users/{}", self.organization, self.member_id);
        let changed = self.at(|writer| &writer.admin).patch(&path, json!({ "role": role })).await;
        counted(changed, counts).expect(200);
        counts.writes.fetch_add(1, Ordering::Relaxed);
        self.is_promoted = !self.is_promoted;
    }

    /// The member's list holds what is assigned to him, and all while he is an admin; the admin's all of his organization, and of no other.
    async fn list(&mut self, counts: &Counts) {
        let list = counted(self.at(|writer| &writer.member).get("/api/v1/sites?per_page=100").await, counts);
        let mut assigned: Vec<&String> = self
            .sites
            .iter()
            .filter(|(.., assignment)| assignment.is_some())
            .map(|(_, name, _)| name)
            .collect();
        assigned.sort_unstable();
        let found = names_in(&list.expect(200));
        if self.is_promoted {
            assert!(self.sites.iter().all(|(_, name, _)| found.contains(name)), "{found:?}");
        } else {
            assert_eq!(found, assigned.into_iter().cloned().collect::<Vec<_>>());
        }
        let list = counted(self.at(|writer| &writer.admin).get("/api/v1/sites?per_page=100").await, counts)
            .expect(200);
        let found = names_in(&list);
        assert!(self.sites.iter().all(|(_, name, _)| found.contains(name)), "{found:?}");
        let of_others =
            list.data().as_array().unwrap().iter().any(|site| site["organization_id"] != self.organization);
        assert!(!of_others, "{}", list.text);
    }
}

/// Somebody who reads what others change at that moment.
struct Watcher {
    root: Everywhere,
    sites: Vec<(String, Arc<AtomicU64>)>,
    random: Random,
}

impl Watcher {
    /// Watches what these write.
    fn of(writers: &[Writer], random: Random) -> Self {
        let sites_of = |writer: &Writer| {
            let sites = writer.sites.iter().zip(&writer.renamed);
            sites
                .map(|((id, ..), renamed)| (format!("/api/v1/sites/{id}"), Arc::clone(renamed)))
                .collect::<Vec<_>>()
        };
        Self { root: writers[0].root.clone(), sites: writers.iter().flat_map(sites_of).collect(), random }
    }
}

impl Party for Watcher {
    /// Reads twice, on whichever nodes: nothing older than was committed before, and the second time nothing older than the first.
    async fn step(&mut self, counts: &Counts) {
        let (path, renamed) = &self.sites[self.random.below(self.sites.len())];
        let mut least = renamed.load(Ordering::SeqCst);
        for _ in 0..2 {
            let found = self.root[self.random.below(2)].get(path).await;
            let name = name_in(&counted(found, counts).expect(200));
            let times = name.split('-').nth(1).and_then(|times| times.parse().ok()).expect("a number");
            assert!(times >= least, "{name} after {least} times");
            least = times;
        }
    }

    async fn sign_in_again(&mut self) {
        let signed_in = self.root[0].login(SUPERUSER.0, SUPERUSER.1).await;
        self.root = self.root.each_ref().map(|client| client.with_token(signed_in.token()));
    }
}

fn counted(answer: Answer, counts: &Counts) -> Answer {
    counts.requests.fetch_add(1, Ordering::Relaxed);
    counts.hits.fetch_add(u64::from(answer.header("x-cache") == "HIT"), Ordering::Relaxed);
    assert!(!answer.status.is_server_error(), "{}", answer.text);
    answer
}

fn name_in(answer: &Answer) -> String {
    answer.data()["name"].as_str().expect("a name").to_owned()
}

fn names_in(answer: &Answer) -> Vec<String> {
    let mut names: Vec<String> = answer
        .data()
        .as_array()
        .expect("a list")
        .iter()
        .map(|site| site["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort_unstable();
    names
}

async fn plant(one: &World, two: &World, random: &mut Random) -> Vec<Writer> {
    let everywhere = |client: &Client| [client.clone(), two.anonymous().with_token(client.token())];
    let mut organizations = Vec::new();
    for number in 0..ORGANIZATIONS {
        let organization = one.organization(&format!("O{number}")).await;
        let admin = one.member(&organization, &format!("admin{number}"), "admin").await.1;
        organizations.push((organization, everywhere(&admin)));
    }
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        let (organization, admin) = organizations[number % ORGANIZATIONS].clone();
        let (member_id, member) = one.member(&organization, &format!("member{number}"), "member").await;
        let mut sites = Vec::new();
        for site in 0..SITES {
            let name = format!("{number}.{site}-0");
            sites.push((one.site(&organization, &name).await, name, None));
        }
        writers.push(Writer {
            number,
            organization,
            admin,
            stranger: organizations[(number + 1) % ORGANIZATIONS].1.clone(),
            root: everywhere(&one.root),
            member: everywhere(&member),
            member_id,
            is_promoted: false,
            renamed: sites.iter().map(|_| Arc::default()).collect(),
            sites,
            random: random.child(),
        });
    }
    writers
}

/// Restarts, flushes and freezes Redis until it is told to stop; how often.
async fn trouble(
    redis: Arc<RedisServer>,
    is_over: Arc<AtomicBool>,
    faults: Arc<AtomicU64>,
    mut random: Random,
) -> [u64; 3] {
    let mut times = [0; 3];
    while !is_over.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(200 + random.below(800) as u64)).await;
        let kind = random.below(3);
        match kind {
            0 => {
                redis.kill();
                tokio::time::sleep(Duration::from_millis(random.below(500) as u64)).await;
                redis.start_again().await;
            }
            1 => drop(redis.ask(&["FLUSHALL"])),
            _ => {
                redis.freeze();
                tokio::time::sleep(Duration::from_millis(random.below(1_500) as u64)).await;
                redis.thaw();
            }
        }
        times[kind] += 1;
        faults.fetch_add(1, Ordering::Relaxed);
    }
    times
}

pub async fn what_is_read_is_what_was_committed() {
    let wanted: u64 = if is_long_run() { 1_000_000 } else { 50_000 };
    let seed = seed();
    tell(&format!("{wanted} reads, writes and changes of rights, seed {seed}"));
    let mut random = Random::new(seed);
    let redis = Arc::new(RedisServer::start().await);
    let url = redis.url();
    let settings = [
        ("SITEWATCH_REDIS_URL", url.as_str()),
        ("SITEWATCH_SECRET_KEY", SHARED_SECRET),
        ("SITEWATCH_RATE_LIMITS", "on"),
        ("SITEWATCH_RATE_LIMIT_READ", "1000000"),
        ("SITEWATCH_RATE_LIMIT_WRITE", "1000000"),
        ("SITEWATCH_RATE_LIMIT_AUTH", "1000000"),
    ];
    let backend = Arc::new(Backend::Postgres(sitewatch_tests::postgres::SharedPostgres::default()));
    let one = World::with(&backend, &settings).await;
    let two = one.another(&settings).await;
    let writers = plant(&one, &two, &mut random).await;
    let (counts, is_over) = (Arc::new(Counts::default()), Arc::new(AtomicBool::new(false)));
    let faults = Arc::new(AtomicU64::new(0));
    let troubled = trouble(Arc::clone(&redis), Arc::clone(&is_over), Arc::clone(&faults), random.child());
    let troubled = tokio::spawn(troubled);
    let mut running = JoinSet::new();
    let goes_on = {
        let (counts, faults) = (Arc::clone(&counts), Arc::clone(&faults));
        move || counts.requests.load(Ordering::Relaxed) < wanted || faults.load(Ordering::Relaxed) <= FAULTS
    };
    for _ in 0..WATCHERS {
        let watcher = Watcher::of(&writers, random.child());
        running.spawn(take_part(watcher, Arc::clone(&counts), goes_on.clone()));
    }
    for writer in writers {
        running.spawn(take_part(writer, Arc::clone(&counts), goes_on.clone()));
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("nothing foreign, nothing stale, no failure");
    }
    is_over.store(true, Ordering::Relaxed);
    let [restarts, flushes, freezes] = troubled.await.expect("trouble");
    let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
    let (hits, writes) = (count(&counts.hits), count(&counts.writes));
    tell(&format!(
        "{} requests, {hits} of them hits, {writes} writes; Redis was restarted {restarts} times, flushed {flushes} times, frozen {freezes} times",
        count(&counts.requests)
    ));
    assert!(hits > wanted / 20 && writes > wanted / 20 && restarts + flushes + freezes > FAULTS);
}
