//! Two at the same time: rules that hold between requests hold for requests side by side.

use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::json;
use sitewatch_tests::{
    client::{Answer, Client},
    harness::is_long_run,
    world::{Backend, PASSWORD, World},
};

fn rounds() -> usize {
    if is_long_run() { 200 } else { 25 }
}

/// Of two rivals one wins; the other is too late, by whichever check told him.
fn one_wins(round: usize, answers: [Answer; 2]) -> usize {
    let wins = answers.each_ref().map(|answer| answer.status == StatusCode::OK);
    for answer in answers.iter().filter(|answer| answer.status != StatusCode::OK) {
        let status = answer.status.as_u16();
        assert!([401, 403, 404, 409, 412].contains(&status), "round {round}: {status} {}", answer.text);
    }
    assert_ne!(wins[0], wins[1], "round {round}: {} {}", answers[0].text, answers[1].text);
    usize::from(wins[1])
}

/// Two admins remove each other, or each makes the other a regular member: one is left.
pub async fn an_admin_is_left_when_two_remove_each_other(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let rivals = [world.member(&org, "ada", "admin").await, world.member(&org, "bob", "admin").await];
    let members = format!("/api/v1/organizations/{org}/users");
    for round in 0..rounds() {
        let strike = async |by: usize| {
            let path = format!("{members}/{}", rivals[1 - by].0);
            match round % 2 {
                0 => rivals[by].1.delete(&path).await,
                _ => rivals[by].1.put(&path, json!({ "role": "member" })).await,
            }
        };
        let (ada, bob) = tokio::join!(strike(0), strike(1));
        let winner = one_wins(round, [ada, bob]);
        let admins = world.root.get(&format!("{members}?role=admin")).await.expect(200);
        assert_eq!(admins.json()["meta"]["total"], 1, "round {round}");
        assert_eq!(admins.data()[0]["user"]["id"], rivals[winner].0, "round {round}");
        let loser = &rivals[1 - winner].0;
        match round % 2 {
            0 => world.root.post(&members, json!({ "user_id": loser, "role": "admin" })).await.expect(201),
            _ => world.root.put(&format!("{members}/{loser}"), json!({ "role": "admin" })).await.expect(200),
        };
    }
}

/// Two admins of an organization lose their accounts at once, or one his account and the other his role: one is left.
pub async fn an_admin_is_left_when_accounts_are_archived(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let ada = world.member(&org, "ada", "admin").await.0;
    let bob = world.member(&org, "bob", "admin").await.0;
    for round in 0..rounds() {
        let role = format!("/api/v1/organizations/{org}/users/{bob}");
        let other = async || match round % 2 {
            0 => world.root.delete(&format!("/api/v1/users/{bob}")).await,
            _ => world.root.put(&role, json!({ "role": "member" })).await,
        };
        let account = format!("/api/v1/users/{ada}");
        let (first, second) = tokio::join!(world.root.delete(&account), other());
        let winner = one_wins(round, [first, second]);
        match (winner, round % 2) {
            (0, _) => drop(world.root.act(&format!("/api/v1/users/{ada}/restore")).await.expect(200)),
            (_, 0) => drop(world.root.act(&format!("/api/v1/users/{bob}/restore")).await.expect(200)),
            _ => drop(world.root.put(&role, json!({ "role": "admin" })).await.expect(200)),
        }
    }
}

/// Two superusers archive each other, or each takes the other's right: one is left.
pub async fn a_superuser_is_left_when_two_remove_each_other(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let body = json!({ "email": "second@example.org", "full_name": "Second", "password": PASSWORD, "is_superuser": true });
    let second = world.root.post("/api/v1/users", body).await.expect(201).id();
    let first = world.root.get("/api/v1/auth/me").await.expect(200).id();
    let rivals = [
        (first, world.root.clone()),
        (second, world.anonymous().login("second@example.org", PASSWORD).await),
    ];
    for round in 0..rounds() {
        let strike = async |by: usize| {
            let path = format!("/api/v1/users/{}", rivals[1 - by].0);
            match round % 2 {
                0 => rivals[by].1.delete(&path).await,
                _ => rivals[by].1.put(&path, json!({ "is_superuser": false })).await,
            }
        };
        let (first, second) = tokio::join!(strike(0), strike(1));
        let winner = one_wins(round, [first, second]);
        let left = rivals[winner].1.get("/api/v1/users?is_superuser=true").await.expect(200);
        assert_eq!(left.json()["meta"]["total"], 1, "round {round}");
        let loser = format!("/api/v1/users/{}", rivals[1 - winner].0);
        match round % 2 {
            0 => rivals[winner].1.act(&format!("{loser}/restore")).await.expect(200),
            _ => rivals[winner].1.put(&loser, json!({ "is_superuser": true })).await.expect(200),
        };
    }
}

/// One refresh token, many requests: it gets one successor, and never do two live.
pub async fn one_refresh_token_has_one_successor(backend: Arc<Backend>) {
    const RIVALS: usize = 12;
    let world = World::start(&backend).await;
    world.user("ada").await;
    let anonymous = world.anonymous();
    for round in 0..rounds() {
        let login = json!({ "email": "ada@example.org", "password": PASSWORD });
        let tokens = anonymous.post("/api/v1/auth/login", login).await.expect(200).data();
        let body = json!({ "refresh_token": tokens["refresh_token"] });
        let mut rivals = tokio::task::JoinSet::new();
        for _ in 0..RIVALS {
            let (client, body): (Client, _) = (anonymous.clone(), body.clone());
            rivals.spawn(async move { client.post("/api/v1/auth/refresh", body).await });
        }
        let answers = rivals.join_all().await;
        let successors: Vec<_> =
            answers.iter().filter(|answer| answer.status == StatusCode::OK).map(Answer::data).collect();
        // As tabs of one client that ask at once: all are told the same one, and nobody is signed out.
        assert_eq!(successors.len(), RIVALS, "round {round}: {answers:?}");
        for successor in &successors {
            assert_eq!(successor["refresh_token"], successors[0]["refresh_token"], "round {round}");
            let access = successor["access_token"].as_str().expect("a token");
            anonymous.with_token(access).get("/api/v1/auth/me").await.expect(200);
        }
        let next = json!({ "refresh_token": successors[0]["refresh_token"] });
        anonymous.post("/api/v1/auth/refresh", next).await.expect(200);
    }
}
