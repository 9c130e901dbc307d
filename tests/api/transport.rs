//! How requests may arrive: over what, from which pages, how long.

use std::{sync::Arc, time::Duration};

use reqwest::Method;
use serde_json::json;
use sitewatch_tests::{
    client::{Answer, Client},
    world::{Backend, SUPERUSER, World},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const PAGE: &str = "https://dashboard.example.org";

/// Follows no redirects.
async fn asked(world: &World, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
    let policy = reqwest::redirect::Policy::none();
    let http = reqwest::Client::builder().no_proxy().redirect(policy).build().expect("a client");
    let mut request = http.get(format!("{}{path}", world.base));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

fn is_shielded(answer: &Answer) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), value, "{name} of {}", answer.text);
    }
    assert!(answer.header("permissions-policy").contains("camera=()"));
    let policy = answer.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
}

pub async fn every_answer_is_shielded(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let organization = world.organization("A").await;
    for (answer, status) in [
        (world.root.get("/api/v1/sites").await, 200),
        (world.root.post("/api/v1/organizations", json!({})).await, 422),
        (world.root.get(&format!("/api/v1/organizations/{organization}")).await, 200),
        (world.root.delete("/api/v1/sites").await, 405),
        (world.anonymous().get("/api/v1/sites").await, 401),
        (world.anonymous().get("/nowhere").await, 404),
        (world.anonymous().get("/api/v2/sites").await, 404),
        (world.anonymous().get("/health").await, 200),
        (world.anonymous().get("/openapi.json").await, 200),
        (world.anonymous().get("/docs/").await, 200),
        (world.anonymous().get("/redoc").await, 200),
        (world.anonymous().get("/problems/not_found").await, 200),
    ] {
        is_shielded(&answer.clone().expect(status));
        assert_eq!(answer.header("strict-transport-security"), "", "nobody said that there is HTTPS");
        assert_eq!(answer.header("access-control-allow-origin"), "", "no page is allowed for");
    }
}

pub async fn plain_requests_are_refused_where_https_is_required(backend: Arc<Backend>) {
    let settings = [
        ("SITEWATCH_REQUIRE_HTTPS", "on"),
        ("SITEWATCH_TRUSTED_PROXIES", "127.0.0.1"),
        ("SITEWATCH_PUBLIC_URL", "https://watch.example.org:8443"),
    ];
    let world = World::with(&backend, &settings).await;
    let anonymous = world.anonymous();
    for path in ["/api/v1/sites", "/api/sites", "/openapi.json", "/nowhere", "/health/nothing"] {
        let refused = anonymous.get(path).await.expect(403);
        assert_eq!(refused.error_type(), "https_required", "{path}");
        assert_eq!(refused.header("strict-transport-security"), "", "over HTTP it means nothing");
    }
    let body = json!({ "email": SUPERUSER.0, "password": SUPERUSER.1 });
    let login = "/api/v1/auth/login";
    anonymous.post(login, body.clone()).await.expect(403);
    for said in ["http", "https, http", "http, https", "https,", ""] {
        let headers = [("x-forwarded-proto", said)];
        anonymous.send(Method::POST, login, Some(body.clone()), &headers).await.expect(403);
    }
    for path in ["/health", "/health/live", "/health/ready"] {
        anonymous.get(path).await.expect(200);
    }
    for path in ["/", "/docs/", "/redoc", "/problems/not_found?a=b"] {
        let led = asked(&world, path, &[("host", "evil.example")]).await;
        let target = led.headers()["location"].to_str().expect("text").to_owned();
        assert_eq!((led.status().as_u16(), target), (308, format!("https://watch.example.org:8443{path}")));
    }
    anonymous.post("/docs/", json!({})).await.expect(403);
    let over_https = [("x-forwarded-proto", "HTTPS")];
    let signed_in = anonymous.send(Method::POST, login, Some(body), &over_https).await.expect(200);
    assert_eq!(signed_in.header("strict-transport-security"), "max-age=31536000");
    let page = asked(&world, "/redoc", &over_https).await;
    assert_eq!(page.status().as_u16(), 200);
}

pub async fn only_a_trusted_proxy_says_that_it_was_https(backend: Arc<Backend>) {
    let world = World::with(&backend, &[("SITEWATCH_REQUIRE_HTTPS", "on")]).await;
    let headers = [("x-forwarded-proto", "https")];
    let refused = world.anonymous().send(Method::GET, "/api/v1/sites", None, &headers).await.expect(403);
    assert_eq!(refused.error_type(), "https_required");
    // The public address is that of plain HTTP, whose port serves no HTTPS.
    let led = asked(&world, "/docs/", &[]).await;
    assert_eq!(led.headers()["location"], "https://127.0.0.1/docs/");
}

pub async fn pages_that_are_named_may_ask(backend: Arc<Backend>) {
    let origins = format!("{PAGE}, http://localhost:3000");
    let world = World::with(&backend, &[("SITEWATCH_CORS_ORIGINS", origins.as_str())]).await;
    let preflight = async |origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "PATCH"),
            ("access-control-request-headers", "authorization"),
        ];
        world.anonymous().send(Method::OPTIONS, "/api/v1/sites", None, &headers).await
    };
    let allowed = preflight(PAGE).await.expect(204);
    assert_eq!(allowed.header("access-control-allow-origin"), PAGE);
    assert!(allowed.header("access-control-allow-methods").contains("PATCH"));
    for name in ["authorization", "content-type", "if-match", "idempotency-key", "x-api-version"] {
        assert!(allowed.header("access-control-allow-headers").contains(name), "{name}");
    }
    assert_eq!(allowed.header("access-control-max-age"), "7200");
    for origin in [PAGE, "http://localhost:3000"] {
        for (client, status) in [(&world.root, 200), (&world.anonymous(), 401)] {
            let answer =
                client.send(Method::GET, "/api/v1/sites", None, &[("origin", origin)]).await.expect(status);
            assert_eq!(answer.header("access-control-allow-origin"), origin, "errors can be read too");
            assert!(answer.header("access-control-expose-headers").contains("etag"));
            assert_eq!(answer.header("access-control-allow-credentials"), "");
            assert_eq!(answer.header("vary"), "origin");
        }
    }
    for origin in [
        "https://evil.example",
        "https://dashboard.example.org.evil.example",
        "http://dashboard.example.org",
        "null",
        "HTTPS://DASHBOARD.EXAMPLE.ORG",
    ] {
        let refused = preflight(origin).await.expect(405);
        assert_eq!(refused.header("access-control-allow-origin"), "", "{origin}");
        let answer =
            world.root.send(Method::GET, "/api/v1/sites", None, &[("origin", origin)]).await.expect(200);
        assert_eq!(
            (answer.header("access-control-allow-origin"), answer.header("vary")),
            ("", "origin"),
            "{origin}"
        );
    }
    let plain = world.root.get("/api/v1/sites").await.expect(200);
    assert_eq!(plain.header("vary"), "origin", "what is kept for one is not for another");
}

pub async fn requests_have_their_limits(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let long = |bytes: usize| "x".repeat(bytes);
    let within = world.root.get(&format!("/api/v1/sites?q={}", long(8_000))).await.expect(422);
    assert_eq!(within.faults(), ["q"]);
    let beyond = world.root.get(&format!("/api/v1/sites?q={}", long(8_192))).await.expect(414);
    assert_eq!(beyond.error_type(), "uri_too_long");
    let header = |bytes: usize| [("x-long", long(bytes))];
    let with = async |client: &Client, bytes: usize| {
        let [(name, value)] = header(bytes);
        client.send(Method::GET, "/api/v1/sites", None, &[(name, value.as_str())]).await
    };
    with(&world.root, 60_000).await.expect(200);
    let beyond = with(&world.root, 66_000).await.expect(431);
    assert_eq!(beyond.error_type(), "too_large");
    assert!(beyond.text.contains("65536"), "{}", beyond.text);
}

/// What a raw connection is answered to this, until the server closes it.
async fn raw(world: &World, parts: &[&str]) -> String {
    let mut stream =
        TcpStream::connect(world.base.trim_start_matches("http://")).await.expect("a connection");
    for part in parts {
        stream.write_all(part.as_bytes()).await.expect("sent");
    }
    let mut bytes = Vec::new();
    timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes))
        .await
        .expect("closed in time")
        .expect("read");
    String::from_utf8(bytes).expect("text")
}

pub async fn limits_are_settings(backend: Arc<Backend>) {
    let settings = [
        ("SITEWATCH_MAX_BODY_KIB", "16"),
        ("SITEWATCH_MAX_URI_BYTES", "1024"),
        ("SITEWATCH_MAX_HEAD_KIB", "8"),
        ("SITEWATCH_BODY_TIMEOUT_S", "1"),
    ];
    let world = World::with(&backend, &settings).await;
    let body = vec![b' '; 17 * 1024];
    let kind = [("content-type", "application/json")];
    let refused = world.root.raw(Method::POST, "/api/v1/organizations", body, &kind).await.expect(413);
    assert!(refused.text.contains("16384"), "{}", refused.text);
    let path = format!("/api/v1/sites?q={}", "x".repeat(1_024));
    assert!(world.root.get(&path).await.expect(414).text.contains("1024"));
    let long = "x".repeat(8 * 1024);
    world.root.send(Method::GET, "/api/v1/sites", None, &[("x-long", &long)]).await.expect(431);
    // A slow body is cut, and told so.
    let head = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n";
    let text = raw(&world, &[head, "{"]).await;
    assert!(text.starts_with("HTTP/1.1 408 ") && text.contains("\"type\":\"request_timeout\""), "{text}");
}

pub async fn errors_come_in_the_form_that_is_asked_for(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    for accept in ["application/problem+json", "text/html, Application/Problem+JSON;q=0.9"] {
        for (path, kind, status) in [
            ("/api/v1/nothing", "not_found", 404),
            ("/api/v2/x", "unknown_api_version", 404),
            ("/api/v1/sites?page=0", "validation_error", 422),
        ] {
            let answer = world.root.send(Method::GET, path, None, &[("accept", accept)]).await.expect(status);
            assert_eq!(answer.header("content-type"), "application/problem+json");
            let problem = answer.json();
            assert_eq!((&problem["status"], &problem["status_code"]), (&json!(status), &json!(status)));
            assert_eq!(problem["request_id"], answer.header("x-request-id"));
            assert!(problem["title"].is_string() && problem["detail"].is_string());
            assert_eq!(
                problem["field_errors"].as_array().map(Vec::is_empty),
                Some(kind != "validation_error")
            );
            let page = problem["type"].as_str().expect("an address");
            assert_eq!(page, format!("/problems/{kind}"));
            let page = world.anonymous().get(page).await.expect(200);
            assert!(page.text.contains(&format!("<code>{kind}</code>")), "{}", page.text);
        }
    }
    let plain =
        world.root.send(Method::GET, "/api/v1/nothing", None, &[("accept", "application/json, */*")]).await;
    assert_eq!(
        (plain.error_type().as_str(), plain.header("content-type")),
        ("not_found", "application/json")
    );
}
