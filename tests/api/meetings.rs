//! Requests that meet: whatever their order, the rules between objects hold afterwards.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use sitewatch_tests::{
    client::{Answer, Client},
    harness::is_long_run,
    world::{Backend, PASSWORD, World},
};

/// How often two requests meet; one meeting alone rarely shows anything.
pub fn rounds() -> usize {
    if is_long_run() { 200 } else { 15 }
}

/// Requests that are sent at the same moment; their answers, in their order.
pub async fn together(requests: Vec<(Client, Method, String, Option<Value>)>) -> Vec<Answer> {
    let mut running = Vec::new();
    for (client, method, path, body) in requests {
        running.push(tokio::spawn(async move { client.send(method, &path, body, &[]).await }));
    }
    let mut answers = Vec::new();
    for request in running {
        answers.push(request.await.expect("an answer"));
    }
    for answer in &answers {
        assert!(answer.status.as_u16() < 500, "{}", answer.text);
    }
    answers
}

/// One of them.
pub fn request(
    client: &Client,
    method: Method,
    path: impl Into<String>,
    body: Option<Value>,
) -> (Client, Method, String, Option<Value>) {
    (client.clone(), method, path.into(), body)
}

async fn total(client: &Client, path: &str) -> i64 {
    client.get(path).await.expect(200).json()["meta"]["total"].as_i64().expect("a number")
}

async fn is_active(client: &Client, path: &str) -> bool {
    client.get(&format!("{path}?include_inactive=true")).await.expect(200).data()["is_active"] == true
}

pub async fn an_archived_site_has_no_active_modules(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let haven = world.site(&org, "Haven").await;
    for round in 0..rounds() {
        let site = world.site(&org, &format!("S{round}")).await;
        let (away, back) = (
            world.module(&haven, &kind, &format!("away {round}")).await,
            world.module(&site, &kind, &format!("back {round}")).await,
        );
        world.root.delete(&format!("/api/v1/modules/{back}")).await.expect(200);
        let made = |name: &str| Some(json!({ "name": format!("{name} {round}"), "module_type_id": kind }));
        together(vec![
            request(&world.root, Method::POST, format!("/api/v1/sites/{site}/modules"), made("one")),
            request(&world.root, Method::POST, format!("/api/v1/modules/{back}/restore"), None),
            request(&world.root, Method::DELETE, format!("/api/v1/sites/{site}"), None),
            request(
                &world.root,
                Method::POST,
                format!("/api/v1/modules/{away}/move"),
                Some(json!({ "site_id": site })),
            ),
            request(&world.root, Method::POST, format!("/api/v1/sites/{site}/modules"), made("two")),
        ])
        .await;
        assert!(!is_active(&world.root, &format!("/api/v1/sites/{site}")).await);
        assert_eq!(total(&world.root, &format!("/api/v1/modules?site_id={site}")).await, 0, "round {round}");
    }
}

pub async fn an_archived_organization_has_no_active_sites(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    for round in 0..rounds() {
        let org = world.organization(&format!("A{round}")).await;
        let old = world.site(&org, "Old").await;
        world.root.delete(&format!("/api/v1/sites/{old}")).await.expect(200);
        let sites = format!("/api/v1/organizations/{org}/sites");
        together(vec![
            request(&world.root, Method::POST, &sites, Some(json!({ "name": "one" }))),
            request(&world.root, Method::POST, format!("/api/v1/sites/{old}/restore"), None),
            request(&world.root, Method::DELETE, format!("/api/v1/organizations/{org}"), None),
            request(&world.root, Method::POST, &sites, Some(json!({ "name": "two" }))),
        ])
        .await;
        assert!(!is_active(&world.root, &format!("/api/v1/organizations/{org}")).await);
        assert_eq!(total(&world.root, "/api/v1/sites").await, 0, "round {round}");
    }
}

pub async fn what_is_in_use_is_not_archived(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let site = world.site(&org, "S").await;
    for round in 0..rounds() {
        let (metric, name) = (format!("metric_{round}"), format!("T{round}"));
        let body = json!({ "organization_id": org, "key": metric, "name": metric });
        let metric_path =
            format!("/api/v1/metrics/{}", world.root.post("/api/v1/metrics", body).await.expect(201).id());
        let body = json!({ "organization_id": org, "name": name, "metrics": [metric] });
        let answers = together(vec![
            request(&world.root, Method::POST, "/api/v1/module-types", Some(body)),
            request(&world.root, Method::DELETE, &metric_path, None),
        ])
        .await;
        let made = answers[0].status.as_u16() == 201;
        assert!(
            !made || is_active(&world.root, &metric_path).await,
            "round {round}: a type without its metric"
        );

        let body = json!({ "organization_id": org, "name": format!("Plain {name}"), "metrics": [] });
        let kind = world.root.post("/api/v1/module-types", body).await.expect(201).id();
        let module = |suffix: &str| {
            Some(json!({ "name": format!("M{round} {suffix}"), "module_type_id": kind.clone() }))
        };
        let modules = format!("/api/v1/sites/{site}/modules");
        let kind_path = format!("/api/v1/module-types/{kind}");
        let old = world.root.send(Method::POST, &modules, module("old"), &[]).await.expect(201).id();
        world.root.delete(&format!("/api/v1/modules/{old}")).await.expect(200);
        together(vec![
            request(&world.root, Method::POST, &modules, module("new")),
            request(&world.root, Method::DELETE, &kind_path, None),
            request(&world.root, Method::POST, format!("/api/v1/modules/{old}/restore"), None),
        ])
        .await;
        let used = total(&world.root, &format!("/api/v1/modules?module_type_id={kind}")).await;
        assert!(
            used == 0 || is_active(&world.root, &kind_path).await,
            "round {round}: {used} without a type"
        );
    }
}

/// What is brought back finds what it refers to, or stays in the archive.
pub async fn nothing_is_restored_without_what_it_refers_to(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let site = world.site(&org, "S").await;
    let module = world.module(&site, &kind, "M").await;
    let (kind, module) = (format!("/api/v1/module-types/{kind}"), format!("/api/v1/modules/{module}"));
    let metric = world.root.get(&format!("/api/v1/metrics?organization_id={org}")).await.data();
    let metric = format!("/api/v1/metrics/{}", metric[0]["id"].as_str().expect("an id"));
    world.root.delete(&format!("/api/v1/sites/{site}")).await.expect(200);
    let refused = world.root.delete(&kind).await.expect(409);
    assert_eq!(refused.error_type(), "conflict", "its module returns with the site");
    world.root.act(&format!("/api/v1/sites/{site}/restore")).await.expect(200);
    world.root.delete(&module).await.expect(200);
    world.root.delete(&kind).await.expect(200);
    world.root.act(&format!("{module}/restore")).await.expect(409);
    world.root.delete(&metric).await.expect(200);
    world.root.act(&format!("{kind}/restore")).await.expect(409);
    for path in [metric, kind, module] {
        world.root.act(&format!("{path}/restore")).await.expect(200);
    }
}

/// An assignment that outlived its membership would be back with the next one.
pub async fn who_leaves_takes_no_assignment_along(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (user, _) = world.user("ada").await;
    let members = format!("/api/v1/organizations/{org}/users");
    let assignments = format!("/api/v1/organizations/{org}/assignments");
    for round in 0..rounds() {
        let sites =
            [world.site(&org, &format!("S{round}")).await, world.site(&org, &format!("T{round}")).await];
        world.root.post(&members, json!({ "user_id": user, "role": "member" })).await.expect(201);
        let assigned =
            |site: &String| Some(json!({ "user_id": user, "site_id": site, "access": "operator" }));
        together(vec![
            request(&world.root, Method::POST, &assignments, assigned(&sites[0])),
            request(&world.root, Method::DELETE, format!("{members}/{user}"), None),
            request(&world.root, Method::POST, &assignments, assigned(&sites[1])),
        ])
        .await;
        assert_eq!(total(&world.root, &assignments).await, 0, "round {round}");
    }
}

pub async fn an_admin_and_a_superuser_stay(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let members = format!("/api/v1/organizations/{org}/users");
    let (ada, first) = world.member(&org, "ada", "admin").await;
    let (bob, second) = world.member(&org, "bob", "admin").await;
    let superusers: Vec<(String, Client)> = vec![world.user("sue").await, world.user("tom").await];
    let root = format!("/api/v1/users/{}", world.root.get("/api/v1/auth/me").await.id());
    for round in 0..rounds() {
        let demoted = || Some(json!({ "role": "member" }));
        together(vec![
            request(&first, Method::PUT, format!("{members}/{ada}"), demoted()),
            request(&second, Method::PUT, format!("{members}/{bob}"), demoted()),
        ])
        .await;
        assert!(total(&world.root, &format!("{members}?role=admin")).await >= 1, "round {round}");
        for user in [&ada, &bob] {
            world.root.put(&format!("{members}/{user}"), json!({ "role": "admin" })).await.expect(200);
        }

        together(vec![
            request(&world.root, Method::DELETE, format!("/api/v1/users/{ada}"), None),
            request(&second, Method::PUT, format!("{members}/{bob}"), demoted()),
        ])
        .await;
        world.root.act(&format!("/api/v1/users/{ada}/restore")).await;
        let admins = world.root.get(&format!("{members}?role=admin")).await.expect(200).data();
        assert!(admins.as_array().is_some_and(|admins| !admins.is_empty()), "round {round}");

        for (user, _) in &superusers {
            world
                .root
                .put(&format!("/api/v1/users/{user}"), json!({ "is_superuser": true }))
                .await
                .expect(200);
        }
        world.root.put(&root, json!({ "is_superuser": false })).await.expect(200);
        let demotions = superusers.iter().map(|(user, client)| {
            let body = Some(json!({ "is_superuser": false }));
            request(client, Method::PUT, format!("/api/v1/users/{user}"), body)
        });
        together(demotions.collect()).await;
        let mut left = None;
        for (_, client) in &superusers {
            if client.get("/api/v1/auth/me").await.expect(200).data()["is_superuser"] == true {
                left = Some(client);
            }
        }
        let left = left.unwrap_or_else(|| panic!("round {round}: no superuser is left"));
        left.put(&root, json!({ "is_superuser": true })).await.expect(200);
    }
}

/// Who sends no `If-Match` promised nothing: 412 is not for him.
pub async fn only_a_precondition_fails_as_one(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let site = format!("/api/v1/sites/{}", world.site(&org, "S").await);
    let mut refused = 0;
    for _ in 0..rounds() {
        let writes = (0..6).map(|number| {
            let body = Some(json!({ "code": format!("c{number}") }));
            request(&world.root, Method::PATCH, &site, body)
        });
        for answer in together(writes.collect()).await {
            match answer.status.as_u16() {
                200 => {}
                409 => {
                    refused += 1;
                    assert_eq!(answer.error_type(), "conflict");
                    assert!(answer.text.contains("try again"), "{}", answer.text);
                }
                _ => panic!("{}", answer.text),
            }
        }
    }
    assert!(refused > 0, "no two writes met");
    let seen = world.root.get(&site).await.header("etag").to_owned();
    world.root.patch(&site, json!({ "code": "later" })).await.expect(200);
    let late = world
        .root
        .send(Method::PATCH, &site, Some(json!({ "code": "x" })), &[("if-match", seen.as_str())])
        .await;
    late.expect(412);
}

pub async fn a_setup_token_makes_one_superuser(backend: Arc<Backend>) {
    for round in 0..4 {
        let (world, token) = World::unclaimed(&backend).await;
        let attempts = (0..6).map(|number| {
            let body = json!({
                "token": token, "email": format!("u{number}@example.org"), "full_name": "U", "password": PASSWORD,
            });
            request(&world.anonymous(), Method::POST, "/api/v1/setup", Some(body))
        });
        let answers = together(attempts.collect()).await;
        let made = answers.iter().filter(|answer| answer.status.as_u16() == 201).count();
        let gone = answers.iter().filter(|answer| answer.status.as_u16() == 410).count();
        assert_eq!((made, gone), (1, 5), "round {round}");
    }
}

pub async fn a_guess_at_the_setup_token_is_told(backend: Arc<Backend>) {
    let (world, token) = World::unclaimed(&backend).await;
    let body = |token: &str| json!({ "token": token, "email": "u@example.org", "full_name": "U", "password": PASSWORD });
    let guess = world.anonymous().post("/api/v1/setup", body("a-guess-of-mine")).await.expect(401);
    world.anonymous().post("/api/v1/setup", body(&token)).await.expect(201);
    let root = world.anonymous().login("u@example.org", PASSWORD).await;
    let log = root.get("/api/v1/audit?action=sign_in_failed").await.expect(200);
    assert_eq!(log.data().as_array().expect("a list").len(), 1, "{}", log.text);
    assert_eq!(log.data()[0]["request_id"], guess.header("x-request-id"));
    assert!(!log.text.contains("guess"));
}

/// Of two nodes that meet at an empty database with secrets of their own, one is refused.
pub async fn a_database_adopts_one_secret(backend: Arc<Backend>) {
    for round in 0..15 {
        let answers = World::two_nodes_with_secrets_of_their_own(&backend).await;
        assert_eq!(answers.iter().filter(|adopted| **adopted).count(), 1, "round {round}");
    }
}
