//! How many requests a caller and an address may make, and how they are told.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};
use sitewatch_domain::limits::{RequestClass, Thresholds};
use sitewatch_tests::{
    client::{Answer, Client},
    redis::RedisServer,
    world::{Backend, PASSWORD, SHARED_SECRET, World},
};

use crate::{clocked::Clocked, throttling::expect_limited};

/// Five at once of a caller, one each three seconds; ten of an address.
const FEW: Thresholds =
    Thresholds { auth: 1_000, read: 20, write: 20, ingest: 20, export: 20, address_factor: 2 };
const OF_CALLER: usize = 5;
const OF_ADDRESS: usize = 10;

const ME: &str = "/api/v1/auth/me";
const HOME: &str = "192.0.2.1";
const ELSEWHERE: &str = "198.51.100.7";

async fn get(client: &Client, from: &str, path: &str) -> Answer {
    client.send(Method::GET, path, None, &[("x-forwarded-for", from)]).await
}

async fn gets(client: &Client, from: &str, path: &str, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(get(client, from, path).await.status.as_u16());
    }
    statuses
}

/// The stage, and users who are signed in.
async fn stage<const N: usize>(backend: &Backend) -> (Clocked, [Client; N]) {
    let stage = Clocked::limited_to(backend, FEW).await;
    let mut users = Vec::new();
    for number in 0..N {
        let email = format!("{number}@example.org");
        stage.user(&email, Some(PASSWORD)).await;
        users.push(stage.visitor.login(&email, PASSWORD).await);
    }
    (stage, users.try_into().expect("as many as were asked for"))
}

pub async fn one_user_meets_his_own_limit_from_everywhere(backend: Arc<Backend>) {
    let (stage, [ada, bob]) = stage(&backend).await;
    let first = get(&ada, HOME, ME).await.expect(200);
    assert_eq!(first.header("ratelimit-policy"), "\"read\";q=20;w=60, \"read-address\";q=40;w=60");
    assert_eq!(first.header("ratelimit"), "\"read\";r=4;t=3, \"read-address\";r=9;t=2");
    for from in [ELSEWHERE, HOME, ELSEWHERE, "2001:db8::1"] {
        get(&ada, from, ME).await.expect(200);
    }
    let refused = get(&ada, "2001:db8:7::1", ME).await;
    expect_limited(&refused, 3);
    assert_eq!(refused.header("ratelimit"), "\"read\";r=0;t=15, \"read-address\";r=10;t=0");
    // Whatever is wrong with the request.
    expect_limited(&get(&ada, HOME, "/api/v1/sites/nonsense?odd=1").await, 3);
    // Others, and another class of requests, are apart.
    get(&bob, HOME, ME).await.expect(200);
    let changed = ada.patch(ME, json!({ "full_name": "Ada" })).await.expect(200);
    assert!(changed.header("ratelimit").starts_with("\"write\";r=4;t=3, \"write-address\";"), "{changed:?}");
    stage.forward(Duration::from_secs(3));
    get(&ada, HOME, ME).await.expect(200);
    expect_limited(&get(&ada, ELSEWHERE, ME).await, 3);
    stage.forward(Duration::from_secs(15));
    assert_eq!(gets(&ada, HOME, ME, OF_CALLER + 1).await, [200, 200, 200, 200, 200, 429]);
}

pub async fn all_of_an_address_meet_its_limit(backend: Arc<Backend>) {
    let (stage, [ada, bob, eve]) = stage(&backend).await;
    // What she is refused is taken from nobody else.
    assert_eq!(gets(&ada, HOME, ME, OF_CALLER).await, [200; OF_CALLER]);
    assert_eq!(gets(&ada, HOME, ME, 20).await, [429; 20]);
    assert_eq!(gets(&bob, HOME, ME, OF_CALLER).await, [200; OF_CALLER]);
    let refused = get(&eve, HOME, ME).await;
    expect_limited(&refused, 2);
    assert_eq!(refused.header("ratelimit"), "\"read\";r=5;t=0, \"read-address\";r=0;t=15");
    let elsewhere = get(&eve, ELSEWHERE, ME).await.expect(200);
    assert_eq!(elsewhere.header("ratelimit"), "\"read\";r=4;t=3, \"read-address\";r=9;t=2");
    stage.forward(Duration::from_millis(1_500));
    get(&eve, HOME, ME).await.expect(200);
    expect_limited(&get(&eve, HOME, ME).await, 2);
}

pub async fn strangers_are_counted_by_their_address(backend: Arc<Backend>) {
    let (stage, [ada]) = stage(&backend).await;
    let (stranger, version) = (&stage.visitor, "/api/v1/meta/version");
    assert_eq!(gets(stranger, HOME, version, OF_ADDRESS).await, [200; OF_ADDRESS]);
    let refused = get(stranger, HOME, version).await;
    expect_limited(&refused, 2);
    assert_eq!(refused.header("ratelimit-policy"), "\"read-address\";q=40;w=60");
    // Nor is anybody from there heard who says something wrong, or nothing, about who he is.
    expect_limited(&get(stranger, HOME, ME).await, 2);
    expect_limited(&get(&ada, HOME, ME).await, 2);
    let liar = stranger.with_token("nonsense");
    assert_eq!(gets(&liar, ELSEWHERE, ME, OF_ADDRESS / 2).await, [401; OF_ADDRESS / 2]);
    assert_eq!(gets(stranger, ELSEWHERE, ME, OF_ADDRESS / 2).await, [401; OF_ADDRESS / 2]);
    expect_limited(&get(&liar, ELSEWHERE, ME).await, 2);
    // Signs of life are for everybody.
    for _ in 0..=OF_ADDRESS {
        let health = get(stranger, HOME, "/health").await.expect(200);
        assert_eq!((health.header("ratelimit"), health.header("ratelimit-policy")), ("", ""));
    }
}

pub async fn a_key_is_counted_for_itself(backend: Arc<Backend>) {
    let stage = Clocked::limited_to(&backend, FEW).await;
    let ada = stage.superuser("ada@example.org").await;
    let body = json!({ "name": "a program", "scopes": ["sites:read"] });
    let made = ada.post("/api/v1/auth/me/api-keys", body).await.expect(201).data();
    let program = ada.with_token(made["secret"].as_str().expect("a secret"));
    let sites = "/api/v1/sites";
    assert_eq!(gets(&ada, HOME, sites, OF_CALLER + 1).await, [200, 200, 200, 200, 200, 429]);
    assert_eq!(gets(&program, HOME, sites, OF_CALLER).await, [200; OF_CALLER]);
    expect_limited(&get(&program, ELSEWHERE, sites).await, 3);
}

/// Each operation is limited by the class that the document names, whoever asks; but for those that are open to all machines.
pub async fn every_operation_has_a_class(backend: Arc<Backend>) {
    let stage = Clocked::limited_to(&backend, FEW).await;
    let document = stage.visitor.get("/openapi.json").await.expect(200).json();
    let classes: BTreeSet<&str> = RequestClass::ALL.iter().map(|class| class.name()).collect();
    let (mut asked, mut unlimited) = (0_u32, BTreeSet::new());
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let name = operation["operationId"].as_str().expect("a name").to_owned();
            let class = operation["x-rate-limit-class"].as_str().unwrap_or_default();
            asked += 1;
            // Each from an address of its own.
            let from = format!("203.0.{}.{}", asked / 250, asked % 250);
            let method = method.to_uppercase().parse::<Method>().expect("a method");
            let headers = [("x-forwarded-for", from.as_str())];
            let answer = stage.visitor.raw(method, &filled(path), Vec::new(), &headers).await;
            let policy = answer.header("ratelimit-policy");
            if class == "none" {
                assert_eq!(policy, "", "{name}");
                unlimited.insert(name);
            } else {
                assert!(classes.contains(class), "{name} has no class: {class:?}");
                assert!(policy.starts_with(&format!("\"{class}-address\";q=")), "{name}: {policy:?}");
            }
        }
    }
    assert!(asked > 100, "{asked}");
    let open = ["getHealth", "getHealthLive", "getHealthReady", "getKeySet", "getOpenApi", "getOpenApi30"];
    assert_eq!(unlimited, open.map(ToOwned::to_owned).into());
}

/// A path with some id in each of its places.
fn filled(path: &str) -> String {
    let mut filled = String::new();
    for part in path.split_inclusive('}') {
        let (before, is_place) = part.split_once('{').map_or((part, false), |(before, _)| (before, true));
        filled.push_str(before);
        if is_place {
            filled.push_str("01890000-0000-7000-8000-000000000000");
        }
    }
    filled
}

pub async fn organizations_have_their_shares(backend: Arc<Backend>) {
    let secret = [("SITEWATCH_SECRET_KEY", SHARED_SECRET)];
    let world = World::with(&backend, &secret).await;
    let (rich, poor, plain) = (
        world.organization("Rich").await,
        world.organization("Poor").await,
        world.organization("Plain").await,
    );
    let shares = format!("{rich}=300, {poor}=10");
    let node = world
        .another(&[
            secret[0],
            ("SITEWATCH_RATE_LIMITS", "on"),
            ("SITEWATCH_RATE_LIMIT_READ", "20"),
            ("SITEWATCH_RATE_LIMIT_ADDRESS_FACTOR", "1000"),
            ("SITEWATCH_RATE_LIMIT_ORGANIZATIONS", &shares),
        ])
        .await;
    let there = |client: &Client| node.anonymous().with_token(client.token());
    let (user, both) = world.member(&poor, "both", "member").await;
    let joined = json!({ "user_id": user, "role": "member" });
    world.root.post(&format!("/api/v1/organizations/{rich}/users"), joined).await.expect(201);
    for (client, quota) in [
        (world.member(&rich, "rita", "member").await.1, 60),
        (world.member(&poor, "paul", "member").await.1, 2),
        (world.member(&plain, "pia", "member").await.1, 20),
        (both, 60),
        (world.root.clone(), 20),
    ] {
        let began = Instant::now();
        let first = there(&client).get(ME).await.expect(200);
        assert!(
            first.header("ratelimit-policy").starts_with(&format!("\"read\";q={quota};w=60")),
            "{first:?}"
        );
        // A quarter at once, the first among them, and what comes back meanwhile.
        let mut given = 1;
        loop {
            let answer = there(&client).get(ME).await;
            if answer.status == 429 {
                break;
            }
            answer.expect(200);
            given += 1;
        }
        let (at_once, back) = ((quota / 4).max(1), quota * (1 + began.elapsed().as_secs()) / 60);
        assert!((at_once..=at_once + back + 1).contains(&given), "{given} of {quota}");
    }
}

pub async fn without_redis_the_api_answers(backend: Arc<Backend>) {
    let redis = RedisServer::start().await;
    let url = redis.url();
    let settings = [("SITEWATCH_RATE_LIMITS", "on"), ("SITEWATCH_REDIS_URL", url.as_str())];
    let world = World::with(&backend, &settings).await;
    let told = world.root.get(ME).await.expect(200);
    assert!(told.header("ratelimit").starts_with("\"read\";r="), "{told:?}");
    degraded(&world, &json!([])).await;
    redis.kill();
    for _ in 0..10 {
        let told = world.root.get(ME).await.expect(200);
        assert!(told.header("ratelimit").starts_with("\"read\";r="), "{told:?}");
    }
    degraded(&world, &json!(["redis"])).await;
    redis.start_again().await;
    degraded(&world, &json!([])).await;
    world.root.get(ME).await.expect(200);
}

/// Waits until the server tells that it does without these, ready all the while.
async fn degraded(world: &World, expected: &Value) {
    let give_up = Instant::now() + Duration::from_secs(20);
    loop {
        let told = world.anonymous().get("/health/ready").await.expect(200).json();
        assert_eq!((told["status"].as_str(), &told["reasons"]), (Some("ready"), &json!([])));
        if told["degraded"] == *expected {
            return;
        }
        assert!(Instant::now() < give_up, "{told}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
