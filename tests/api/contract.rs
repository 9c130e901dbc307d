//! What holds for every endpoint: bodies, lists, conditions, discovery.

use std::{collections::BTreeSet, sync::Arc};

use reqwest::Method;
use serde_json::json;
use sitewatch_tests::world::{Backend, World};

pub async fn every_failure_has_the_one_body(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let root = &world.root;
    let big = vec![b' '; 300 * 1024];
    let json_type = [("content-type", "application/json")];
    for (answer, status, kind) in [
        (root.get("/api/v1/nothing").await, 404, "not_found"),
        (root.get("/elsewhere").await, 404, "not_found"),
        (root.get("/api/v1/sites/not-an-id").await, 404, "not_found"),
        (root.get("/api/v1/sites/018f0000-0000-7000-8000-000000000000").await, 404, "not_found"),
        (root.delete("/api/v1/sites").await, 405, "method_not_allowed"),
        (
            root.raw(Method::POST, "/api/v1/organizations", b"{".to_vec(), &json_type).await,
            400,
            "bad_request",
        ),
        (
            root.raw(
                Method::POST,
                "/api/v1/organizations",
                b"{}".to_vec(),
                &[("content-type", "text/plain")],
            )
            .await,
            415,
            "unsupported_media_type",
        ),
        (root.raw(Method::POST, "/api/v1/organizations", big, &json_type).await, 413, "too_large"),
        (root.post("/api/v1/organizations", json!({})).await, 422, "validation_error"),
        (root.get("/api/v1/sites?page=0").await, 422, "validation_error"),
        (world.anonymous().get("/api/v1/sites").await, 401, "unauthenticated"),
        (world.anonymous().with_token("garbage").get("/api/v1/sites").await, 401, "unauthenticated"),
    ] {
        assert_eq!(answer.clone().expect(status).error_type(), kind);
        assert_eq!(answer.header("x-api-version"), "1");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    let refused = root.delete("/api/v1/sites").await;
    assert_eq!(refused.header("allow"), "GET, HEAD, POST");
    let named = root.send(Method::GET, "/api/v1/nothing", None, &[("x-request-id", "my-request.7")]).await;
    assert_eq!(named.json()["request_id"], "my-request.7");
    let gzip = [("content-type", "application/json"), ("content-encoding", "gzip")];
    root.raw(Method::POST, "/api/v1/organizations", b"x".to_vec(), &gzip).await.expect(415);
}

pub async fn malformed_bodies(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let kind = [("content-type", "application/json")];
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for (body, status) in [
        ("", 400),
        ("nonsense", 400),
        ("{\"name\":\"a\"} x", 400),
        ("{\"name\":\"a\",\"name\":\"b\"}", 400),
        ("{\"name\":NaN}", 400),
        ("{\"name\":\"\\ud800\"}", 400),
        (deep.as_str(), 400),
        ("[]", 422),
        ("null", 422),
        ("{\"name\":7}", 422),
        ("{\"name\":null}", 422),
        ("{\"name\":\"a\\u0000b\"}", 422),
        ("{\"name\":\"a\",\"colour\":1}", 422),
        ("{\"name\":1e999}", 400),
        ("{\"name\":\" \"}", 422),
    ] {
        let answer =
            world.root.raw(Method::POST, "/api/v1/organizations", body.as_bytes().to_vec(), &kind).await;
        answer.clone().expect(status).error_type();
    }
    let broken =
        world.root.raw(Method::POST, "/api/v1/organizations", b"{\"name\":\"\xff\"}".to_vec(), &kind).await;
    broken.expect(400);
    let secret = json!({ "email": "a@b.io", "full_name": "A", "password": "hunter2-canary", "locale": 7, "is_superuser": "canary" });
    let refused = world.root.post("/api/v1/users", secret).await.expect(422);
    assert!(!refused.text.contains("canary"), "rejected values are not echoed: {}", refused.text);
}

pub async fn all_faults_come_at_once(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let body = json!({ "name": "", "timezone": "Mars/Base", "latitude": "north", "longitude": 200, "tags": [1], "colour": "red" });
    let refused = world.root.post(&format!("/api/v1/organizations/{org}/sites"), body).await.expect(422);
    let faults: BTreeSet<String> = refused.faults().into_iter().collect();
    let expected = ["colour", "latitude", "longitude", "name", "tags", "timezone"];
    assert_eq!(faults, expected.iter().map(ToString::to_string).collect());
}

pub async fn lists_are_paged_sorted_and_searched(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    for number in 0..7 {
        world.site(&org, &format!("Site {number} 100%_\\")).await;
    }
    let mut path = "/api/v1/sites?per_page=3&sort=-name".to_owned();
    let mut names = Vec::new();
    loop {
        let page = world.root.get(&path).await.expect(200);
        assert_eq!(page.json()["meta"]["total"], 7);
        names.extend(
            page.data().as_array().unwrap().iter().map(|site| site["name"].as_str().unwrap().to_owned()),
        );
        match page.json()["links"]["next"].as_str() {
            Some(next) => next.clone_into(&mut path),
            None => break,
        }
    }
    let mut sorted = names.clone();
    sorted.sort_by(|a, b| b.cmp(a));
    assert_eq!((names.len(), &names), (7, &sorted));
    let found = async |query: &str| {
        world.root.get(&format!("/api/v1/sites?{query}")).await.expect(200).json()["meta"]["total"].clone()
    };
    assert_eq!(found("q=site%203").await, 1);
    assert_eq!(found("q=100%25_%5C").await, 7);
    assert_eq!(found("q='%20OR%201=1--").await, 0);
    assert_eq!(found("name=Site%203%20100%25_%5C").await, 1);
    assert_eq!(found("page=500&per_page=20").await, 7);
    for bad in
        ["sort=name;drop", "per_page=101", "page=abc", "colour=red", "page=501&per_page=20", "page=1&page=2"]
    {
        world.root.get(&format!("/api/v1/sites?{bad}")).await.expect(422);
    }
}

pub async fn conditional_requests(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let path = format!("/api/v1/sites/{}", world.site(&org, "S").await);
    let first = world.root.get(&path).await.expect(200);
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("\"1-"));
    world.root.send(Method::GET, &path, None, &[("if-none-match", &tag)]).await.expect(304);
    let head = world.root.send(Method::HEAD, &path, None, &[]).await.expect(200);
    assert!(head.text.is_empty() && head.header("etag") == tag);
    let change = |name: &str| Some(json!({ "name": name }));
    world.root.send(Method::PUT, &path, change("T"), &[("if-match", &tag)]).await.expect(200);
    let stale = world.root.send(Method::PUT, &path, change("U"), &[("if-match", &tag)]).await.expect(412);
    assert_eq!(stale.error_type(), "precondition_failed");
    world.root.send(Method::PUT, &path, change("U"), &[("if-match", "\"nonsense\"")]).await.expect(412);
    world.root.send(Method::PUT, &path, change("U"), &[("if-match", "*")]).await.expect(200);
    let now = world.root.get(&path).await.expect(200);
    assert_eq!(now.data()["name"], "U");
    assert!(now.data()["updated_at"].is_string() && now.header("etag").starts_with("\"3-"));
    let echoed = world.root.put(&path, now.data()).await.expect(200);
    assert_eq!(echoed.data()["name"], "U", "an object can be sent back as it came");
}

pub async fn health_and_discovery(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let anonymous = world.anonymous();
    assert_eq!(anonymous.get("/health").await.expect(200).text, "{\"status\":\"OK\"}");
    anonymous.get("/health/live").await.expect(200);
    assert_eq!(anonymous.get("/health/ready").await.expect(200).json()["status"], "ready");
    let keys = anonymous.get("/.well-known/jwks.json").await.expect(200).json();
    assert_eq!(keys["keys"][0]["crv"], "Ed25519");
    assert!(keys["keys"][0]["d"].is_null(), "no private key");
    assert_eq!(anonymous.get("/openapi.json").await.expect(200).json()["openapi"], "3.1.0");
    assert_eq!(anonymous.get("/api/v1/meta/version").await.expect(200).data()["name"], "sitewatch");
    anonymous.get("/api/v1/meta/permissions").await.expect(401);
    assert!(
        world.root.get("/api/v1/meta/permissions").await.expect(200).data().as_array().unwrap().len() > 10
    );
    let page = anonymous.get("/docs/").await.expect(200);
    assert!(page.text.contains("swagger-ui"));
}

pub async fn the_document_and_the_route_table_agree(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let document = world.anonymous().get("/openapi.json").await.expect(200).json();
    let mut documented = BTreeSet::new();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            documented.insert(format!("{} {path}", method.to_uppercase()));
            let name = operation["operationId"].as_str().expect("an operation id");
            assert!(names.insert(name.to_owned()), "{name} twice");
        }
    }
    let routed: BTreeSet<String> =
        sitewatch_http::route_table().into_iter().filter(|route| !route.starts_with("HEAD ")).collect();
    assert_eq!(documented, routed);
}
