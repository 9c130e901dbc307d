//! Versions of the API, and what is on its way out.

use std::sync::{Arc, OnceLock};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use reqwest::Method;
use serde_json::json;
use sitewatch_tests::world::{Backend, World};

const ALIAS: &str = "/api/v1/users/me";

/// What this process counts; the servers of its tests are within it.
fn figures() -> &'static PrometheusHandle {
    static FIGURES: OnceLock<PrometheusHandle> = OnceLock::new();
    FIGURES.get_or_init(|| PrometheusBuilder::new().install_recorder().expect("nobody else collects"))
}

/// How often the alias was asked for by such a caller.
fn counted(caller: &str) -> u64 {
    let text = figures().render();
    let line = text.lines().find(|line| {
        let is_it = line.starts_with("http_deprecated_requests_total{");
        is_it
            && line.contains(&format!("caller=\"{caller}\""))
            && line.contains(&format!("route=\"{ALIAS}\""))
    });
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

pub async fn a_version_is_named_by_the_path_or_a_header(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let root = &world.root;
    let ask = async |path: &str, version: &str| {
        root.send(Method::GET, path, None, &[("x-api-version", version)]).await
    };
    let plain = root.get("/api/v1/users?per_page=1").await.expect(200);
    for answer in [root.get("/api/users?per_page=1").await, ask("/api/users?per_page=1", "1").await] {
        let answer = answer.expect(200);
        assert_eq!(answer.json(), plain.json(), "links name the version");
        assert_eq!((answer.header("x-api-version"), answer.header("vary")), ("1", "x-api-version"));
    }
    assert_eq!(plain.header("vary"), "", "a path with a version means the same to everybody");
    ask("/api/v1/users", "1").await.expect(200);
    for (path, version, status, kind) in [
        ("/api/v2/users", "1", 404, "unknown_api_version"),
        ("/api/users", "9", 400, "unsupported_api_version"),
        ("/api/v1/users", "9", 400, "unsupported_api_version"),
        ("/api/users", "v1", 400, "unsupported_api_version"),
        ("/api/nothing", "1", 404, "not_found"),
    ] {
        let refused = ask(path, version).await.expect(status);
        assert_eq!((refused.error_type().as_str(), refused.header("x-api-version")), (kind, "1"), "{path}");
        let names_the_known = refused.json()["detail"].as_str().expect("a text").ends_with("known: 1");
        assert_eq!(names_the_known, kind != "not_found", "{}", refused.text);
    }
    // It is known before anybody is asked who he is.
    world.anonymous().get("/api/v2/users").await.expect(404);
    world.anonymous().get("/api/users").await.expect(401);
    world.anonymous().send(Method::GET, "/health", None, &[("x-api-version", "9")]).await.expect(200);
}

pub async fn writes_without_a_version_are_those_of_the_first(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let body = json!({ "name": "A" });
    let made = world.root.post("/api/organizations", body).await.expect(201);
    let path = made.header("location").to_owned();
    assert!(path.starts_with("/api/v1/organizations/"), "{path}");
    let short = path.replace("/api/v1/", "/api/");
    assert_eq!(world.root.get(&short).await.expect(200).json(), made.json());
    let refused = world.root.delete("/api/sites").await.expect(405);
    assert_eq!(refused.header("allow"), "GET, HEAD, POST");
}

pub async fn what_is_deprecated_says_so(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let listed = world.anonymous().get("/api/v1/meta/deprecations").await.expect(200).data();
    let alias = &listed[0];
    assert_eq!((&alias["method"], &alias["route"]), (&json!("GET"), &json!(ALIAS)));
    let me = world.root.get("/api/v1/auth/me").await.expect(200);
    assert_eq!(me.header("deprecation"), "");
    let before = (counted("user"), counted("nobody"));
    let answer = world.root.get(ALIAS).await.expect(200);
    assert_eq!(answer.data(), me.data());
    let refused = world.anonymous().get(ALIAS).await.expect(401);
    let by_header = world.root.get("/api/users/me").await.expect(200);
    for answer in [&answer, &refused, &by_header] {
        assert_eq!(answer.header("deprecation"), "@1793491200");
        assert_eq!(answer.header("sunset"), "Mon, 01 Nov 2027 00:00:00 GMT");
        let links = answer.header("link");
        let replacement = alias["replacement"].as_str().expect("a path");
        assert!(links.contains(&format!("<{replacement}>; rel=\"successor-version\"")), "{links}");
        assert!(links.contains("</api/v1/meta/deprecations>; rel=\"deprecation\""), "{links}");
    }
    assert!(counted("user") >= before.0 + 2 && counted("nobody") > before.1, "{}", figures().render());
    let document = world.anonymous().get("/openapi.json").await.expect(200).json();
    let mut marked = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            if operation["deprecated"] == true {
                marked.push((method.to_uppercase(), path.clone()));
            }
        }
    }
    assert_eq!(marked, [("GET".to_owned(), ALIAS.to_owned())], "as many as are listed");
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
}
