//! How long a session lives, by a clock that the tests set on.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use sitewatch_tests::{
    client::Answer,
    world::{Backend, PASSWORD},
};

use crate::clocked::Clocked;

const EMAIL: &str = "ada@example.org";
const ME: &str = "/api/v1/auth/me";
/// In seconds.
const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

fn pass(stage: &Clocked, seconds: u64) {
    stage.forward(Duration::from_secs(seconds));
}

/// A session that has just begun; its tokens.
async fn sign_in(stage: &Clocked) -> Value {
    let login = json!({ "email": EMAIL, "password": PASSWORD });
    stage.visitor.post("/api/v1/auth/login", login).await.expect(200).data()
}

async fn refresh(stage: &Clocked, tokens: &Value) -> Answer {
    stage.visitor.post("/api/v1/auth/refresh", json!({ "refresh_token": tokens["refresh_token"] })).await
}

/// The status of a call with the access token.
async fn status(stage: &Clocked, tokens: &Value) -> u16 {
    let client = stage.visitor.with_token(tokens["access_token"].as_str().expect("a token"));
    client.get(ME).await.status.as_u16()
}

/// Thirty days without a refresh end a session, be it the first of them or a later one.
pub async fn a_session_that_is_not_used_ends_after_thirty_days(backend: Arc<Backend>) {
    let stage = Clocked::start(&backend).await;
    stage.user(EMAIL, Some(PASSWORD)).await;
    let first = sign_in(&stage).await;
    pass(&stage, 29 * DAY);
    let second = refresh(&stage, &first).await.expect(200).data();
    pass(&stage, 30 * DAY - 1);
    let third = refresh(&stage, &second).await.expect(200).data();
    assert_eq!(status(&stage, &third).await, 200);
    pass(&stage, 30 * DAY);
    assert_eq!(refresh(&stage, &third).await.expect(401).error_type(), "unauthenticated");
    let fresh = sign_in(&stage).await;
    pass(&stage, 30 * DAY);
    refresh(&stage, &fresh).await.expect(401);
}

/// Ninety days end a session however often it is refreshed.
pub async fn a_session_that_is_used_ends_after_ninety_days(backend: Arc<Backend>) {
    let stage = Clocked::start(&backend).await;
    stage.user(EMAIL, Some(PASSWORD)).await;
    let mut tokens = sign_in(&stage).await;
    for _ in 0..4 {
        pass(&stage, 20 * DAY);
        tokens = refresh(&stage, &tokens).await.expect(200).data();
    }
    pass(&stage, 9 * DAY);
    tokens = refresh(&stage, &tokens).await.expect(200).data();
    pass(&stage, DAY);
    assert_eq!(refresh(&stage, &tokens).await.expect(401).error_type(), "unauthenticated");
    stage.visitor.login(EMAIL, PASSWORD).await.get(ME).await.expect(200);
}

/// An access token is good for 15 minutes, and not a moment longer than its session.
pub async fn an_access_token_ends_with_its_session(backend: Arc<Backend>) {
    let stage = Clocked::start(&backend).await;
    stage.user(EMAIL, Some(PASSWORD)).await;
    let mut tokens = sign_in(&stage).await;
    assert_eq!(tokens["expires_in"], 900);
    pass(&stage, 15 * MINUTE - 1);
    assert_eq!(status(&stage, &tokens).await, 200);
    pass(&stage, 1);
    assert_eq!(status(&stage, &tokens).await, 401);
    let left = 5 * MINUTE;
    for wait in [29 * DAY, 29 * DAY, 29 * DAY, 3 * DAY - 15 * MINUTE - left] {
        pass(&stage, wait);
        tokens = refresh(&stage, &tokens).await.expect(200).data();
    }
    assert_eq!(tokens["expires_in"], left);
    pass(&stage, left - 1);
    assert_eq!(status(&stage, &tokens).await, 200);
    pass(&stage, 1);
    assert_eq!(status(&stage, &tokens).await, 401, "ten minutes before a token usually ends");
}
