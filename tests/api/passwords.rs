//! Passwords: which ones are taken, and changing one's own.

use std::sync::Arc;

use serde_json::{Value, json};
use sitewatch_tests::world::{Backend, PASSWORD, World};

use crate::own_sessions::notices;

const CHANGE: &str = "/api/v1/auth/password/change";
const NEW: &str = "plum tandem gravel";

fn change(current: &str, new: &str) -> Value {
    json!({ "current_password": current, "new_password": new })
}

pub async fn a_password_is_changed_by_who_knows_it(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (user, client) = world.user("ada").await;
    let other = world.anonymous().login("ada@example.org", PASSWORD).await;
    for (body, field) in [
        (change("not my password", NEW), "current_password"),
        (change("", NEW), "current_password"),
        (change(PASSWORD, "short"), "new_password"),
        (change(PASSWORD, "passwordpassword"), "new_password"),
        (change(PASSWORD, PASSWORD), "new_password"),
        (json!({ "new_password": NEW }), "current_password"),
    ] {
        assert_eq!(client.post(CHANGE, body).await.expect(422).faults(), [field]);
    }
    other.get("/api/v1/auth/me").await.expect(200);
    client.post(CHANGE, change(PASSWORD, NEW)).await.expect(204);
    client.get("/api/v1/auth/me").await.expect(200);
    other.get("/api/v1/auth/me").await.expect(401);
    let login = json!({ "email": "ada@example.org", "password": PASSWORD });
    world.anonymous().post("/api/v1/auth/login", login).await.expect(401);
    world.anonymous().login("ada@example.org", NEW).await;
    assert_eq!(notices(&world, "ada@example.org").await, ["password_changed"]);
    let log = world
        .root
        .get(&format!("/api/v1/audit?action=password_changed&resource_id={user}"))
        .await
        .expect(200);
    assert_eq!(log.data().as_array().expect("a list").len(), 1);
    assert!(!log.text.contains("$2b$") && !log.text.contains(NEW));
}

/// Whoever took a token does not guess faster with it, and what he tries is told.
pub async fn guesses_at_the_old_password_are_slowed_down(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (user, client) = world.user("ada").await;
    let mut looked_at = 0;
    let refused = loop {
        let answer = client.post(CHANGE, change("a wrong guess", NEW)).await;
        if answer.status == 429 || looked_at > 20 {
            break answer;
        }
        answer.expect(422);
        looked_at += 1;
    };
    refused.expect(429);
    assert_eq!(looked_at, 5);
    client.post(CHANGE, change(PASSWORD, NEW)).await.expect(429);
    let log =
        world.root.get(&format!("/api/v1/audit?action=sign_in_failed&resource_id={user}")).await.expect(200);
    assert_eq!(log.data().as_array().expect("a list").len(), 5);
}

/// Two who change it at once, each knowing the old one: one wins.
pub async fn a_password_is_changed_once(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (_, one) = world.user("ada").await;
    let (first, second) = tokio::join!(
        one.post(CHANGE, change(PASSWORD, NEW)),
        one.post(CHANGE, change(PASSWORD, "gravel tandem plum"))
    );
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert!(statuses[0] == 204 && [409, 422].contains(&statuses[1]), "{} {}", first.text, second.text);
}

pub async fn passwords_are_long_and_hard_to_guess(backend: Arc<Backend>) {
    let world = World::with(&backend, &[("SITEWATCH_PASSWORD_MIN_LENGTH", "16")]).await;
    let org = world.organization("Quarkwerke Nordheim").await;
    let make = async |name: &str, password: &str| {
        let body = json!({ "email": format!("{name}@example.org"), "full_name": "Wilhelmina Bergstrasse", "password": password });
        world.root.post("/api/v1/users", body).await
    };
    for bad in [
        "x8#kQ!pz2vL@",
        "aaaaaaaaaaaaaaaaaaaa",
        "passwordpassword12",
        "WilhelminaBergstrasse",
        "sitewatchsitewatch",
    ] {
        let refused = make("a", bad).await.expect(422);
        assert_eq!(refused.faults(), ["password"], "{bad}");
        assert!(!refused.text.contains(bad), "{}", refused.text);
    }
    // However its letters are typed.
    let (composed, decomposed) =
        ("übermäßig späte Ölmühle", "u\u{308}berma\u{308}ßig spa\u{308}te O\u{308}lmu\u{308}hle");
    let user = make("wil", decomposed).await.expect(201).id();
    let client = world.anonymous().login("wil@example.org", composed).await;
    // The names of his organizations are known to everybody there.
    client.post(CHANGE, change(composed, "QuarkwerkeNordheim")).await.expect(204);
    let body = json!({ "user_id": user, "role": "member" });
    world.root.post(&format!("/api/v1/organizations/{org}/users"), body).await.expect(201);
    client.post(CHANGE, change("QuarkwerkeNordheim", composed)).await.expect(204);
    let refused = client.post(CHANGE, change(composed, "QuarkwerkeNordheim")).await.expect(422);
    assert_eq!(refused.faults(), ["new_password"]);
}

pub async fn a_token_that_nobody_was_sent_opens_nothing(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let body = json!({ "token": "nonsense", "new_password": NEW });
    world.anonymous().post("/api/v1/auth/password/reset", body).await.expect(401);
}
