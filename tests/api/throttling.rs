//! Whoever guesses passwords is slowed down, and keeps nobody out.

use std::{collections::BTreeSet, sync::Arc};

use reqwest::Method;
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};
use sitewatch_domain::{access::RequestContext, error::Error};
use sitewatch_tests::{
    client::Answer,
    world::{Backend, PASSWORD, World},
};

/// Requests tell their address as if a proxy had.
const BEHIND: (&str, &str) = ("SITEWATCH_TRUSTED_PROXIES", "127.0.0.1");
/// Wrong guesses in a row that are looked at without a delay.
const FREE: usize = 5;
const WRONG: &str = "a guess of some length";

/// A sign-in from an address.
async fn sign_in(world: &World, from: &str, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "password": password });
    let headers = [("x-forwarded-for", from)];
    world.anonymous().send(Method::POST, "/api/v1/auth/login", Some(body), &headers).await
}

async fn guesses(world: &World, from: &str, email: &str, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(sign_in(world, from, email, WRONG).await.status.as_u16());
    }
    statuses
}

/// All delays are over.
async fn later(world: &World) {
    let database = Database::connect(world.database_url()).await.expect("a connection");
    database.execute_unprepared("UPDATE attempts SET next_at = 0").await.expect("later");
    database.close().await.expect("closed");
}

fn expect_limited(answer: &Answer, at_most: u64) {
    assert_eq!((answer.status.as_u16(), answer.error_type().as_str()), (429, "rate_limited"));
    let seconds: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..=at_most).contains(&seconds), "{seconds} s");
}

pub async fn failures_delay_the_next_guess_and_keep_nobody_out(backend: Arc<Backend>) {
    let world = World::with(&backend, &[BEHIND]).await;
    let (home, elsewhere, ada) = ("127.0.0.1", "198.51.100.7", "ada@example.org");
    // Signs in from here, which makes it a place where she does.
    world.user("ada").await;
    assert_eq!(guesses(&world, elsewhere, ada, FREE).await, [401; FREE]);
    for (from, password) in [(elsewhere, WRONG), (elsewhere, PASSWORD), ("198.51.100.8", PASSWORD)] {
        expect_limited(&sign_in(&world, from, ada, password).await, 6);
    }
    sign_in(&world, home, ada, PASSWORD).await.expect(200);
    expect_limited(&sign_in(&world, elsewhere, ada, PASSWORD).await, 6);
    // Each failure doubles the delay, and what was not looked at did not count.
    later(&world).await;
    sign_in(&world, elsewhere, ada, WRONG).await.expect(401);
    let again = sign_in(&world, elsewhere, ada, WRONG).await;
    expect_limited(&again, 12);
    assert!(again.header("retry-after").parse::<u64>().expect("seconds") > 6, "{:?}", again.headers);
    // Whoever waits and knows it is in, and from then on at home there as well.
    later(&world).await;
    sign_in(&world, elsewhere, ada, PASSWORD).await.expect(200);
    assert_eq!(guesses(&world, "198.51.100.9", ada, FREE + 1).await, [401, 401, 401, 401, 401, 429]);
    sign_in(&world, elsewhere, ada, PASSWORD).await.expect(200);
    // A neighbour of hers does not guess on without an end either.
    assert_eq!(guesses(&world, home, ada, FREE + 1).await, [401, 401, 401, 401, 401, 429]);
    sign_in(&world, elsewhere, ada, PASSWORD).await.expect(200);
}

pub async fn nobodys_address_is_limited_like_an_account(backend: Arc<Backend>) {
    let world = World::with(&backend, &[BEHIND]).await;
    world.user("ada").await;
    let mut told = Vec::new();
    for email in ["ada@example.org", "nobody@example.org", "no address"] {
        let mut answers = Vec::new();
        for _ in 0..=FREE + 1 {
            let answer = sign_in(&world, "198.51.100.7", email, WRONG).await;
            let mut body = answer.json();
            body["request_id"] = Value::Null;
            let headers: BTreeSet<String> = answer.headers.keys().map(ToString::to_string).collect();
            answers.push((answer.status, headers, body));
        }
        told.push(answers);
    }
    assert!(told[0].iter().any(|(status, ..)| *status == 429), "{told:?}");
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], told[2]);
}

pub async fn guesses_at_the_same_moment_count_each(backend: Arc<Backend>) {
    let world = World::with(&backend, &[BEHIND]).await;
    world.user("ada").await;
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..60 {
        let client = world.anonymous();
        let from = format!("198.51.100.{number}");
        let body = json!({ "email": "ada@example.org", "password": WRONG });
        asking.spawn(async move {
            let headers = [("x-forwarded-for", from.as_str())];
            client.send(Method::POST, "/api/v1/auth/login", Some(body), &headers).await.status.as_u16()
        });
    }
    let statuses = asking.join_all().await;
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    // Some find all hashing threads taken, and are not counted.
    assert_eq!(count(401) + count(429) + count(503), 60, "{statuses:?}");
    assert!((1..=FREE).contains(&count(401)), "{statuses:?}");
}

pub async fn an_address_has_a_rate_of_its_own(backend: Arc<Backend>) {
    let world = World::with(&backend, &[BEHIND, ("SITEWATCH_RATE_LIMITS", "on")]).await;
    let someone = |number: usize| format!("{number}@example.org");
    for number in 0..5 {
        sign_in(&world, "198.51.100.7", &someone(number), WRONG).await.expect(401);
    }
    expect_limited(&sign_in(&world, "198.51.100.7", &someone(5), WRONG).await, 3);
    // Before anything else is looked at.
    let headers = [("x-forwarded-for", "198.51.100.7"), ("content-type", "application/json")];
    let odd = world.anonymous().raw(Method::POST, "/api/v1/auth/login", b"{".to_vec(), &headers).await;
    expect_limited(&odd, 3);
    let headers =
        [("x-forwarded-for", "198.51.100.7"), ("content-type", "application/x-www-form-urlencoded")];
    let form = b"grant_type=password&username=x&password=y".to_vec();
    let token = world.anonymous().raw(Method::POST, "/api/v1/auth/token", form, &headers).await;
    expect_limited(&token, 3);
    sign_in(&world, "198.51.100.8", &someone(6), WRONG).await.expect(401);
    // A customer has a whole network of addresses.
    for number in 0..5 {
        sign_in(&world, &format!("2001:db8:1:2::{number}"), &someone(10 + number), WRONG).await.expect(401);
    }
    expect_limited(&sign_in(&world, "2001:db8:1:2:ffff::9", &someone(20), WRONG).await, 3);
    sign_in(&world, "2001:db8:1:3::1", &someone(21), WRONG).await.expect(401);
    world.root.get("/api/v1/auth/me").await.expect(200);
}

pub async fn letters_to_an_address_are_few(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let [ada, eve] = ["ada@example.org", "eve@example.org"].map(|email| email.parse().expect("an address"));
    let request = RequestContext::default();
    for _ in 0..3 {
        world.platform.throttle().letter(&request, &ada).await.expect("a letter");
    }
    let refused = world.platform.throttle().letter(&request, &ada).await;
    assert!(
        matches!(&refused, Err(Error::Limited { retry_after }) if retry_after.as_secs() > 50),
        "{refused:?}"
    );
    world.platform.throttle().letter(&request, &eve).await.expect("a letter");
    later(&world).await;
    world.platform.throttle().letter(&request, &ada).await.expect("a letter");
    // Who has had all his letters can still sign in.
    let admitted = world.platform.throttle().guess(&request, &ada).await;
    assert!(admitted.is_ok());
}
