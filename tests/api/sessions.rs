//! Signing in, staying signed in, signing out.

use std::sync::Arc;

use reqwest::Method;
use serde_json::json;
use sitewatch_tests::world::{Backend, PASSWORD, SUPERUSER, World};

pub async fn login_and_me(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (user, client) = world.member(&org, "ada", "member").await;
    let me = client.get("/api/v1/auth/me").await.expect(200);
    assert_eq!(me.data()["id"], user);
    assert_eq!(me.data()["memberships"][0]["role"], "member");
    assert!(me.data()["last_login_at"].is_string());
    assert!(!me.text.contains("password") && !me.text.contains("$2b$"));
    let renamed = client.patch("/api/v1/auth/me", json!({ "full_name": "Ada King" })).await.expect(200);
    assert_eq!(renamed.data()["full_name"], "Ada King");
    client.patch("/api/v1/auth/me", json!({ "is_superuser": true })).await.expect(403);
    let anonymous = world.anonymous();
    for (email, password) in
        [("ada@example.org", "wrong"), ("nobody@example.org", PASSWORD), ("no address", "x"), ("", "")]
    {
        let refused =
            anonymous.post("/api/v1/auth/login", json!({ "email": email, "password": password })).await;
        assert_eq!(refused.clone().expect(401).error_type(), "unauthenticated");
        assert_eq!(refused.json()["detail"], "wrong e-mail address or password", "the same words for all");
    }
    let upper = json!({ "email": "ADA@Example.org", "password": PASSWORD });
    anonymous.post("/api/v1/auth/login", upper).await.expect(200);
}

/// Who signs in is in the log with the rights that he has.
pub async fn a_superusers_sign_in_is_marked(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (ada, _) = world.user("ada").await;
    let log = world.root.get("/api/v1/audit?action=signed_in").await.expect(200).data();
    for entry in log.as_array().expect("a list") {
        assert_eq!(entry["actor"]["is_superuser"], entry["actor"]["id"] != ada.as_str(), "{entry}");
    }
    assert_eq!(log.as_array().expect("a list").len(), 2);
}

pub async fn refresh_rotates_and_reuse_ends_the_session(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let anonymous = world.anonymous();
    let login = json!({ "email": SUPERUSER.0, "password": SUPERUSER.1 });
    let first = anonymous.post("/api/v1/auth/login", login).await.expect(200).data();
    let refresh =
        async |token: &str| anonymous.post("/api/v1/auth/refresh", json!({ "refresh_token": token })).await;
    let second = refresh(first["refresh_token"].as_str().unwrap()).await.expect(200).data();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    // A tab that was a moment late, or a client that lost the answer.
    let again = refresh(first["refresh_token"].as_str().unwrap()).await.expect(200).data();
    assert_eq!(again["refresh_token"], second["refresh_token"], "there is one successor");
    let third = refresh(second["refresh_token"].as_str().unwrap()).await.expect(200).data();
    let client = anonymous.with_token(third["access_token"].as_str().unwrap());
    client.get("/api/v1/auth/me").await.expect(200);
    refresh(first["refresh_token"].as_str().unwrap()).await.expect(401);
    client.get("/api/v1/auth/me").await.expect(401);
    for dead in [&second, &third] {
        refresh(dead["refresh_token"].as_str().unwrap()).await.expect(401);
    }
    let log = world.root.get("/api/v1/audit?action=token_reused").await.expect(200);
    assert_eq!(log.data().as_array().unwrap().len(), 1);
    assert_eq!(log.data()[0]["actor"]["is_superuser"], true);
    for odd in ["", "rt1.", "rt1.AAAA", "nonsense"] {
        refresh(odd).await.expect(401);
    }
}

pub async fn logout_ends_the_session_at_once(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (_, client) = world.user("ada").await;
    client.act("/api/v1/auth/logout").await.expect(204);
    let refused = client.get("/api/v1/auth/me").await.expect(401);
    assert_eq!(refused.header("www-authenticate"), "Bearer error=\"invalid_token\"");
}

pub async fn a_deactivated_user_is_out_with_the_next_call(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (user, client) = world.user("ada").await;
    client.get("/api/v1/auth/me").await.expect(200);
    world.root.delete(&format!("/api/v1/users/{user}")).await.expect(200);
    client.get("/api/v1/auth/me").await.expect(401);
    let login = json!({ "email": "ada@example.org", "password": PASSWORD });
    world.anonymous().post("/api/v1/auth/login", login).await.expect(401);
    world.root.act(&format!("/api/v1/users/{user}/restore")).await.expect(200);
    // What was ended does not return with the account: it may be what the account was archived for.
    client.get("/api/v1/auth/me").await.expect(401);
    world.anonymous().login("ada@example.org", PASSWORD).await.get("/api/v1/auth/me").await.expect(200);
}

pub async fn the_token_endpoint_speaks_oauth2(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let form = |text: &str| text.as_bytes().to_vec();
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let good = format!("grant_type=password&username={}&password=correct+horse+battery", SUPERUSER.0);
    let anonymous = world.anonymous();
    let answer =
        anonymous.raw(Method::POST, "/api/v1/auth/token", form(&good), &kind).await.expect(200).json();
    assert!(
        answer["access_token"].is_string() && answer["token_type"] == "bearer" && answer["data"].is_null()
    );
    for (body, error) in [
        ("grant_type=password&username=x&password=y", "invalid_grant"),
        ("grant_type=password&username=x", "invalid_request"),
        ("grant_type=client_credentials", "unsupported_grant_type"),
    ] {
        let refused = anonymous.raw(Method::POST, "/api/v1/auth/token", form(body), &kind).await.expect(400);
        assert_eq!(refused.json()["error"], error);
    }
}

pub async fn setup_works_once(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let body = json!({ "token": "x", "email": "a@example.org", "full_name": "A", "password": PASSWORD });
    let refused = world.anonymous().post("/api/v1/setup", body).await.expect(410);
    assert_eq!(refused.error_type(), "gone");
}
