//! Answers that are given again: never of another state, never of other rights.

use std::{sync::Arc, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use sitewatch_tests::{
    client::{Answer, Client},
    redis::RedisServer,
    world::{Backend, SHARED_SECRET, World},
};
use tokio::time::Instant;

fn path(site: &str) -> String {
    format!("/api/v1/sites/{site}")
}

/// Reads, and how the answer came about.
async fn read(client: &Client, path: &str) -> (Answer, String) {
    let answer = client.get(path).await.expect(200);
    let outcome = answer.header("x-cache").to_owned();
    (answer, outcome)
}

async fn outcome(client: &Client, path: &str) -> String {
    read(client, path).await.1
}

fn names(list: &Answer) -> Vec<String> {
    let sites = list.data();
    sites
        .as_array()
        .expect("a list")
        .iter()
        .map(|site| site["name"].as_str().expect("a name").to_owned())
        .collect()
}

pub async fn what_was_made_is_given_again_until_it_changes(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (_, admin) = world.member(&org, "adam", "admin").await;
    let site = world.site(&org, "Before").await;
    let (list, own) = (format!("/api/v1/organizations/{org}/sites"), format!("/api/v1/organizations/{org}"));
    for address in
        [path(&site), list.clone(), own.clone(), "/api/v1/sites".into(), "/api/v1/organizations".into()]
    {
        for client in [&admin, &world.root] {
            let (made, first) = read(client, &address).await;
            let (again, second) = read(client, &address).await;
            assert_eq!((first.as_str(), second.as_str()), ("MISS", "HIT"), "{address}");
            assert_eq!(
                (again.text, again.headers["etag"].clone()),
                (made.text, made.headers["etag"].clone())
            );
            let tag = made.headers["etag"].to_str().expect("a tag").to_owned();
            let known =
                client.send(Method::GET, &address, None, &[("if-none-match", &tag)]).await.expect(304);
            assert_eq!((known.header("x-cache"), known.text.as_str()), ("HIT", ""));
            let head = client.send(Method::HEAD, &address, None, &[]).await.expect(200);
            assert_eq!((head.header("x-cache"), head.text.as_str()), ("HIT", ""));
        }
    }
    admin.patch(&path(&site), json!({ "name": "After" })).await.expect(200);
    let (told, how) = read(&admin, &path(&site)).await;
    assert_eq!((told.data()["name"].as_str(), how.as_str()), (Some("After"), "MISS"));
    assert_eq!(names(&admin.get(&list).await.expect(200)), ["After"]);
    assert_eq!(names(&world.root.get("/api/v1/sites").await.expect(200)), ["After"]);
    admin.patch(&own, json!({ "name": "B" })).await.expect(200);
    let embedded = format!("{}?include=organization", path(&site));
    assert_eq!(read(&admin, &embedded).await.0.data()["organization"]["name"], "B");
    assert_eq!(world.root.get(&own).await.expect(200).data()["name"], "B");
    admin.delete(&path(&site)).await.expect(200);
    admin.get(&path(&site)).await.expect(404);
    assert!(names(&admin.get(&list).await.expect(200)).is_empty());
    let archived = format!("{}?include_inactive=true", path(&site));
    assert_eq!(read(&admin, &archived).await.0.data()["is_active"], false);
    admin.act(&format!("{}/restore", path(&site))).await.expect(200);
    assert_eq!(read(&admin, &archived).await.0.data()["is_active"], true);
    assert_eq!(outcome(&admin, &path(&site)).await, "MISS");
}

pub async fn nobody_is_given_what_was_made_for_others(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (a, b) = (world.organization("A").await, world.organization("B").await);
    let (_, admin_of_a) = world.member(&a, "adam", "admin").await;
    let (_, admin_of_b) = world.member(&b, "beth", "admin").await;
    let (user, member) = world.member(&a, "mary", "member").await;
    let (one, two) = (world.site(&a, "One").await, world.site(&a, "Two").await);
    let key = json!({ "name": "k", "scopes": ["sites:read"] });
    let made = world.root.post(&format!("/api/v1/organizations/{a}/api-keys"), key).await.expect(201).data();
    let key = world.anonymous().with_token(made["secret"].as_str().expect("a secret"));
    for client in [&admin_of_a, &world.root, &key] {
        client.get(&path(&one)).await.expect(200);
        assert_eq!(outcome(client, &path(&one)).await, "HIT");
    }
    for stranger in [&admin_of_b, &member] {
        stranger.get(&path(&one)).await.expect(404);
        assert!(names(&stranger.get("/api/v1/sites").await.expect(200)).is_empty());
    }
    let assignment = world.assign(&a, &user, "site_id", &one, "viewer").await;
    member.get(&path(&one)).await.expect(200);
    member.get(&path(&two)).await.expect(404);
    assert_eq!(names(&member.get("/api/v1/sites").await.expect(200)), ["One"]);
    assert_eq!(names(&admin_of_a.get("/api/v1/sites").await.expect(200)), ["One", "Two"]);
    world.root.delete(&format!("/api/v1/organizations/{a}/assignments/{assignment}")).await.expect(200);
    member.get(&path(&one)).await.expect(404);
    let beth = admin_of_b.get("/api/v1/auth/me").await.expect(200).id();
    let joined = json!({ "user_id": beth, "role": "admin" });
    world.root.post(&format!("/api/v1/organizations/{a}/users"), joined).await.expect(201);
    admin_of_b.get(&path(&one)).await.expect(200);
    assert_eq!(outcome(&admin_of_b, &path(&one)).await, "HIT");
    world.root.delete(&format!("/api/v1/organizations/{a}/users/{beth}")).await.expect(200);
    admin_of_b.get(&path(&one)).await.expect(404);
    world.anonymous().get(&path(&one)).await.expect(401);
}

pub async fn what_readings_change_is_made_each_time(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (_, admin) = world.member(&org, "adam", "admin").await;
    let site = world.site(&org, "S").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let module = world.module(&site, &kind, "M").await;
    for parameters in ["include=modules", "incl%75de=summary", "include=organization,summary"] {
        let address = format!("{}?{parameters}", path(&site));
        assert_eq!(outcome(&admin, &address).await, "BYPASS", "{parameters}");
        assert_eq!(outcome(&admin, &address).await, "BYPASS", "{parameters}");
    }
    let embedded = format!("{}?include=modules", path(&site));
    let state = async || read(&admin, &embedded).await.0.data()["modules"][0]["last_seen_at"].clone();
    assert_eq!(state().await, Value::Null);
    admin.act(&format!("/api/v1/modules/{module}/heartbeat")).await.expect(200);
    assert!(state().await.is_string());
    admin.get(&format!("{}?include=nothing", path(&site))).await.expect(422);
    let off =
        World::with(&backend, &[("SITEWATCH_CACHE_OBJECTS_S", "0"), ("SITEWATCH_CACHE_LISTS_S", "0")]).await;
    let org = off.organization("A").await;
    for _ in 0..2 {
        assert_eq!(outcome(&off.root, &format!("/api/v1/organizations/{org}")).await, "BYPASS");
        assert_eq!(outcome(&off.root, "/api/v1/sites").await, "BYPASS");
    }
}

pub async fn lists_of_modules_know_how_long_they_are(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (user, member) = world.member(&org, "mary", "member").await;
    let (_, admin) = world.member(&org, "adam", "admin").await;
    let (site, other) = (world.site(&org, "S").await, world.site(&org, "T").await);
    let kind = world.module_type(&org, "T", &["power"]).await;
    let total = async |client: &Client, conditions: &str| {
        let path = format!("/api/v1/modules?per_page=2&{conditions}");
        let first = client.get(&path).await.expect(200).json()["meta"]["total"].clone();
        let beyond = client.get(&format!("{path}&page=9")).await.expect(200).json()["meta"]["total"].clone();
        assert_eq!(first, beyond);
        first.as_u64().expect("a number")
    };
    let seen = "last_seen_at[gte]=2020-01-01T00:00:00Z";
    assert_eq!((total(&admin, "").await, total(&admin, seen).await), (0, 0));
    let mut modules = Vec::new();
    for number in 1..=5 {
        modules.push(world.module(&site, &kind, &format!("M{number}")).await);
        for client in [&admin, &world.root] {
            assert_eq!(total(client, "").await, number);
            assert_eq!(total(client, "name=M1").await, 1);
            assert_eq!(total(client, &format!("site_id={other}")).await, 0);
        }
        assert_eq!(total(&member, "").await, 0);
    }
    world.assign(&org, &user, "module_id", &modules[0], "viewer").await;
    assert_eq!(total(&member, "").await, 1);
    admin.act(&format!("/api/v1/modules/{}/heartbeat", modules[0])).await.expect(200);
    assert_eq!((total(&admin, seen).await, total(&member, seen).await), (1, 1));
    admin.delete(&path(&site)).await.expect(200);
    assert_eq!((total(&admin, "").await, total(&admin, "include_inactive=true").await), (0, 5));
    admin.act(&format!("{}/restore", path(&site))).await.expect(200);
    assert_eq!(total(&admin, "").await, 5);
}

pub async fn two_nodes_share_what_they_made(backend: Arc<Backend>) {
    let redis = RedisServer::start().await;
    let url = redis.url();
    let settings = [("SITEWATCH_REDIS_URL", url.as_str()), ("SITEWATCH_SECRET_KEY", SHARED_SECRET)];
    let world = World::with(&backend, &settings).await;
    let other = world.another(&settings).await;
    let org = world.organization("A").await;
    let (_, here) = world.member(&org, "adam", "admin").await;
    let there = other.anonymous().with_token(here.token());
    let site = world.site(&org, "Before").await;
    for address in [path(&site), "/api/v1/sites".to_owned()] {
        made_here_is_given_there(&here, &there, &site, &address).await;
    }
    here.patch(&path(&site), json!({ "name": "After" })).await.expect(200);
    assert_eq!(read(&there, &path(&site)).await.0.data()["name"], "After");
    assert_eq!(names(&there.get("/api/v1/sites").await.expect(200)), ["After"]);
    assert_eq!(redis.keys_without_an_end("sitewatch:answer:*"), Vec::<String>::new());
    assert!(
        redis.ask(&["DBSIZE"]).is_some_and(|count| count
            .trim_start_matches(':')
            .parse::<u32>()
            .expect("a number")
            > 2)
    );
    // What somebody else wrote there is given to nobody.
    new_nodes_are_given_it(&world, &settings, here.token(), &path(&site)).await;
    redis.overwrite("sitewatch:answer:*", "{\"data\":{\"name\":\"forged\"}}");
    let last = world.another(&settings).await;
    let elsewhere = last.anonymous().with_token(here.token());
    let (made, how) = read(&elsewhere, &path(&site)).await;
    assert_eq!((made.data()["name"].as_str(), how.as_str()), (Some("After"), "MISS"));
    redis.kill();
    for _ in 0..10 {
        here.patch(&path(&site), json!({ "name": "Alone" })).await.expect(200);
        assert_eq!(read(&there, &path(&site)).await.0.data()["name"], "Alone");
        assert_eq!(read(&here, &path(&site)).await.0.data()["name"], "Alone");
    }
    let ready = there.get("/health/ready").await.expect(200).json();
    assert_eq!((&ready["status"], &ready["degraded"]), (&json!("ready"), &json!(["redis"])));
    redis.start_again().await;
    until_whole(&there).await;
    assert_eq!(read(&there, &path(&site)).await.0.data()["name"], "Alone");
}

pub async fn installations_share_a_redis_and_no_answers(backend: Arc<Backend>) {
    let redis = RedisServer::start().await;
    let url = redis.url();
    let settings = [("SITEWATCH_REDIS_URL", url.as_str())];
    let (one, two) = (World::with(&backend, &settings).await, World::with(&backend, &settings).await);
    one.organization("One").await;
    two.organization("Two").await;
    // Both logs have as many entries: to superusers their states look alike.
    for (world, expected) in [(&one, "One"), (&two, "Two")] {
        let list = world.root.get("/api/v1/organizations").await.expect(200);
        assert_eq!(names(&list), [expected]);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Has an answer made here, of a new state each time, until the other node is given it at its first look: what is made reaches Redis a
/// moment after it was answered.
async fn made_here_is_given_there(here: &Client, there: &Client, site: &str, address: &str) {
    for attempt in 0..50 {
        here.patch(&path(site), json!({ "name": format!("Before {attempt}") })).await.expect(200);
        let (made, how) = read(here, address).await;
        assert_eq!(how, "MISS");
        tokio::time::sleep(Duration::from_millis(10 * attempt)).await;
        let (given, how) = read(there, address).await;
        assert_eq!(given.text, made.text);
        if how == "HIT" {
            return;
        }
    }
    panic!("{address} never came by Redis");
}

/// A server that was just started is given at its first look what others made; one that has not reached Redis in time makes it itself.
async fn new_nodes_are_given_it(
    world: &World,
    settings: &[(&'static str, &str)],
    token: &str,
    address: &str,
) {
    for _ in 0..10 {
        let node = world.another(settings).await;
        let (found, how) = read(&node.anonymous().with_token(token), address).await;
        assert_eq!(found.data()["name"], "After");
        if how == "HIT" {
            return;
        }
    }
    panic!("no new server found {address} in Redis");
}

async fn until_whole(client: &Client) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while client.get("/health/ready").await.expect(200).json()["degraded"] != json!([]) {
        assert!(Instant::now() < give_up, "Redis is back and not used");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn of_many_who_ask_at_once_one_has_it_made(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (_, admin) = world.member(&org, "adam", "admin").await;
    let site = world.site(&org, "S").await;
    for round in 0..10 {
        admin.patch(&path(&site), json!({ "name": format!("S{round}") })).await.expect(200);
        let askers = (0..30).map(|_| {
            let (admin, site) = (admin.clone(), site.clone());
            tokio::spawn(async move { read(&admin, &path(&site)).await })
        });
        let mut misses = 0;
        for asker in askers.collect::<Vec<_>>() {
            let (answer, outcome) = asker.await.expect("an answer");
            assert_eq!(answer.data()["name"], format!("S{round}"));
            misses += usize::from(outcome == "MISS");
        }
        assert_eq!(misses, 1, "round {round}");
    }
}
