//! The log: what each line holds, and what is told of requests, failures and slowness.

use std::{collections::HashMap, sync::Arc};

use reqwest::Method;
use serde_json::{Value, json};
use sitewatch_tests::client::{Answer, Client};

use crate::{
    Kind,
    installation::{Installation, PATIENCE},
};

async fn asked(client: &Client, id: &str, path: &str) -> Answer {
    client.send(Method::GET, path, None, &[("x-request-id", id)]).await
}

pub async fn each_line_says_what_it_belongs_to(kind: Arc<Kind>) {
    let installation = Installation::start(*kind, &[("SITEWATCH_LOG", "debug")]).await;
    let [organization, site, _module] = installation.plant().await;
    let root = &installation.root;
    let me = root.get("/api/v1/auth/me").await.expect(200).id();
    let key = json!({ "name": "reader", "scopes": ["sites:read"] });
    let key = root.post(&format!("/api/v1/organizations/{organization}/api-keys"), key).await.expect(201);
    let (credential, key) = (key.id(), key.data()["secret"].as_str().expect("a key").to_owned());
    let by_key = Client::anonymous(&installation.base).with_token(key);

    let answer = asked(root, "as-root", &format!("/api/v1/sites/{site}")).await.expect(200);
    asked(&by_key, "by-key", "/api/v1/sites").await.expect(200);
    asked(root, "in-path", &format!("/api/v1/organizations/{organization}/sites")).await.expect(200);
    asked(&by_key, "refused", &format!("/api/v1/organizations/{organization}/users")).await.expect(403);
    asked(root, "nowhere", "/api/v2/nowhere/secret").await.expect(404);
    root.send(Method::HEAD, "/api/v1/sites", None, &[("x-request-id", "head")]).await.expect(200);
    let client = json!("127.0.0.1");
    for (id, expected) in [
        (
            "as-root",
            json!({ "route": "/api/v1/sites/{site_id}", "status": 200, "bytes": answer.bytes.len(), "user": me }),
        ),
        (
            "by-key",
            json!({ "route": "/api/v1/sites", "organization": organization, "credential": credential }),
        ),
        ("in-path", json!({ "organization": organization, "user": me })),
        ("refused", json!({ "status": 403, "organization": organization, "credential": credential })),
        ("nowhere", json!({ "route": "unknown", "status": 404, "method": "GET" })),
        ("head", json!({ "method": "HEAD", "bytes": 0 })),
    ] {
        let of_request = [("request_id", json!(id)), ("target", json!("sitewatch::access"))];
        let lines = installation.lines_with(&of_request).await;
        let [line] = lines.as_slice() else { panic!("{id} has {} lines: {lines:?}", lines.len()) };
        for (name, value) in expected.as_object().expect("fields") {
            assert_eq!(&line[name], value, "{name} of {line}");
        }
        assert!(line["duration_ms"].is_number() && line["client_address"] == client, "{line}");
    }

    let lines = installation.lines();
    let mut targets = HashMap::<String, usize>::new();
    for line in &lines {
        let parsed: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"));
        for field in ["time", "level", "target"] {
            assert!(parsed[field].is_string(), "{field} in {line}");
        }
        *targets.entry(parsed["target"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    assert!(targets.len() > 2, "libraries say something too: {targets:?}");
}

pub async fn a_line_of_text_says_each_thing_once(kind: Arc<Kind>) {
    let installation = Installation::start(*kind, &[("SITEWATCH_LOG_FORMAT", "text")]).await;
    asked(&installation.root, "routed", "/api/v1/sites").await.expect(200);
    asked(&installation.root, "lost", "/api/v2/nowhere").await.expect(404);
    for (id, route) in [("routed", "/api/v1/sites"), ("lost", "unknown")] {
        let line = access_line(&installation, id).await;
        assert_eq!(line.matches(&format!("route=\"{route}\"")).count(), 1, "{line}");
        for field in ["route=", "request_id=", "status=", "method="] {
            assert_eq!(line.matches(field).count(), 1, "{field} in {line}");
        }
    }
}

/// The line of the access log of a request, as text, as soon as it is written.
async fn access_line(installation: &Installation, id: &str) -> String {
    let id = format!("request_id=\"{id}\"");
    let give_up = std::time::Instant::now() + PATIENCE;
    loop {
        let is_it = |line: &String| line.contains(&id) && line.contains("sitewatch::access");
        if let Some(line) = installation.lines().into_iter().find(is_it) {
            return line;
        }
        assert!(std::time::Instant::now() < give_up, "no line of {id}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

pub async fn failures_are_told_once(kind: Arc<Kind>) {
    let installation = Installation::start(*kind, &[]).await;
    let [_organization, site, _module] = installation.plant().await;
    let root = &installation.root;
    installation.execute("UPDATE sites SET tags = 'Mars'").await;
    let mut fingerprints = Vec::new();
    for id in ["broken-1", "broken-2"] {
        let answer = asked(root, id, &format!("/api/v1/sites/{site}")).await.expect(500);
        assert!(!answer.text.contains("Mars") && !answer.text.contains("tags"), "{}", answer.text);
        assert!(answer.text.contains(id), "{}", answer.text);
        installation.lines_with(&[("request_id", json!(id)), ("message", json!("request"))]).await;
        let lines = installation.lines_with(&[("request_id", json!(id)), ("level", json!("ERROR"))]).await;
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(line["route"], "/api/v1/sites/{site_id}");
        assert!(line["error.cause"].as_str().expect("a cause").contains("tags"), "{line}");
        fingerprints.push(line["error.fingerprint"].as_str().expect("a fingerprint").to_owned());
    }
    assert_eq!(fingerprints[0], fingerprints[1]);
    let counted = format!(
        "http_server_errors_total{{error_type=\"internal\",fingerprint=\"{}\"}} 2\n",
        fingerprints[0]
    );
    let figures = installation.figures().await;
    assert!(figures.contains(&counted), "{counted} in {figures}");
    // What a client does wrong is no failure of ours.
    asked(root, "not-ours", "/api/v1/sites?page=0").await.expect(422);
    installation.lines_with(&[("request_id", json!("not-ours"))]).await;
    assert!(installation.lines().iter().all(|line| !line.contains("not-ours") || line.contains("INFO")));
}

pub async fn slow_ones_are_told(kind: Arc<Kind>) {
    let settings = [("SITEWATCH_LOG_SLOW_REQUEST_MS", "200"), ("SITEWATCH_LOG_SLOW_QUERY_MS", "200")];
    let installation = Installation::start(*kind, &settings).await;
    let [organization, site, _module] = installation.plant().await;
    let root = &installation.root;
    let body = json!({ "name": "canary of a name" });
    let headers = [("x-request-id", "waited")];
    let path = format!("/api/v1/sites/{site}");
    let waiting = root.send(Method::PATCH, &path, Some(body), &headers);
    installation.while_locked(waiting).await.expect(200);
    let of_request = [("request_id", json!("waited")), ("target", json!("sitewatch::slow"))];
    installation.lines_with(&[("request_id", json!("waited")), ("message", json!("a slow request"))]).await;
    let lines = installation.lines_with(&of_request).await;
    let slow: Vec<&Value> = lines.iter().filter(|line| line["message"] == "the database took long").collect();
    assert!(!slow.is_empty(), "{lines:?}");
    for line in slow {
        assert!(line["duration_ms"].as_f64().expect("a duration") >= 200.0, "{line}");
        assert_eq!(line["route"], "/api/v1/sites/{site_id}");
        match *kind {
            Kind::Postgres => {
                let statement = line["statement"].as_str().expect("a statement");
                assert!(statement.contains("sites") && statement.contains('$'), "{line}");
            }
            Kind::Sqlite => assert_eq!(line["operation"], "BEGIN"),
        }
    }
    let lines = installation.lines();
    assert!(
        !lines
            .iter()
            .any(|line| line.contains("canary") || line.contains(&organization) && line.contains("slow"))
    );

    let quick = Installation::start(
        *kind,
        &[("SITEWATCH_LOG_SLOW_REQUEST_MS", ""), ("SITEWATCH_LOG_SLOW_QUERY_MS", "")],
    );
    let quick = quick.await;
    let [_organization, site, _module] = quick.plant().await;
    let body = Some(json!({ "name": "Borne" }));
    let path = format!("/api/v1/sites/{site}");
    let waiting = quick.root.send(Method::PATCH, &path, body, &headers);
    quick.while_locked(waiting).await.expect(200);
    quick.lines_with(&[("request_id", json!("waited"))]).await;
    assert!(!quick.lines().iter().any(|line| line.contains("sitewatch::slow")), "it is switched off");
}

pub async fn what_jobs_say_bears_their_request(kind: Arc<Kind>) {
    let installation = Installation::start(*kind, &[("SITEWATCH_JOBS_POLL_MS", "50")]).await;
    let user = json!({ "email": "ada@example.org", "full_name": "Ada" });
    let headers = [("x-request-id", "made-ada")];
    installation.root.send(Method::POST, "/api/v1/users", Some(user), &headers).await.expect(201);
    let lines = installation.lines_with(&[("message", json!("a mail was handed over"))]).await;
    assert_eq!(lines[0]["request_id"], "made-ada", "{lines:?}");
    assert!(lines[0]["job.id"].is_string() && lines[0]["job.kind"].is_string(), "{lines:?}");
    assert!(!installation.lines().iter().any(|line| line.contains("ada@example.org")), "nobody is named");
}
