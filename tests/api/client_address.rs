//! Which address a request counts as, behind a proxy and without one.

use std::sync::Arc;

use reqwest::Method;
use serde_json::json;
use sitewatch_tests::world::{Backend, World};

/// The address that the audit log has of a failed sign-in with these headers.
async fn noted(world: &World, headers: &[(&str, &str)]) -> String {
    // A new one each time, for failures of one account are slowed down.
    let email = format!("{}@example.org", world.platform.request_id());
    let body = json!({ "email": email, "password": "a guess" });
    let path = "/api/v1/auth/login";
    world.anonymous().send(Method::POST, path, Some(body), headers).await.expect(401);
    let log = world.root.get("/api/v1/audit?action=sign_in_failed&limit=1").await.expect(200);
    log.data()[0]["client"].as_str().expect("an address").to_owned()
}

pub async fn nobody_is_believed_by_default(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    for headers in [
        &[("x-forwarded-for", "203.0.113.9")][..],
        &[("forwarded", "for=203.0.113.9")],
        &[("x-real-ip", "203.0.113.9"), ("x-forwarded-for", "203.0.113.9, 127.0.0.1")],
    ] {
        assert_eq!(noted(&world, headers).await, "127.0.0.1", "{headers:?}");
    }
}

pub async fn a_trusted_proxy_tells_who_asks(backend: Arc<Backend>) {
    let world = World::with(&backend, &[("SITEWATCH_TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8")]).await;
    for (headers, expected) in [
        (&[("x-forwarded-for", "203.0.113.9")][..], "203.0.113.9"),
        (&[("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.1.2.3")], "203.0.113.9"),
        (&[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "[2001:db8::1]:80")], "2001:db8::1"),
        (&[("x-forwarded-for", "203.0.113.9, nonsense")], "127.0.0.1"),
        (&[("forwarded", "for=203.0.113.9"), ("x-real-ip", "203.0.113.9")], "127.0.0.1"),
        (&[], "127.0.0.1"),
    ] {
        assert_eq!(noted(&world, headers).await, expected, "{headers:?}");
    }
}
