//! Traces, as a collector gets them.

use std::sync::Arc;

use reqwest::Method;
use serde_json::json;

use crate::{Kind, collector::Collector, installation::Installation};

/// Numbers of OTLP.
const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const CONSUMER: i32 = 5;

pub async fn requests_statements_and_jobs_are_traced(kind: Arc<Kind>) {
    let collector = Collector::start().await;
    // The log says little; traces do not depend on it.
    let settings = [
        ("SITEWATCH_TRACES_OTLP_URL", collector.url.as_str()),
        ("SITEWATCH_JOBS_POLL_MS", "50"),
        ("SITEWATCH_LOG", "warn"),
    ];
    let installation = Installation::start(*kind, &settings).await;
    let [_organization, site, _module] = installation.plant().await;
    let (trace, caller) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let parent = format!("00-{trace}-{caller}-01");
    let headers = [("traceparent", parent.as_str()), ("x-request-id", "traced")];
    let path = format!("/api/v1/sites/{site}");
    installation.root.send(Method::GET, &path, None, &headers).await.expect(200);
    let request = collector.wait_for(|span| span.trace == trace && span.kind == SERVER).await;
    assert_eq!(request.service, "sitewatch-api");
    assert_eq!(request.name, "GET /api/v1/sites/{site_id}");
    assert_eq!((request.parent.as_str(), request.is_error), (caller, false));
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/api/v1/sites/{site_id}"),
        ("http.response.status_code", "200"),
        ("request_id", "traced"),
    ] {
        assert_eq!(request.attributes.get(name).map(String::as_str), Some(value), "{name} of {request:?}");
    }
    let statement = collector.wait_for(|span| span.trace == trace && span.kind == CLIENT).await;
    assert_eq!((statement.name.as_str(), &statement.parent), ("SELECT", &request.id));
    assert_eq!(statement.attributes["db.operation.name"], "SELECT");

    let user = json!({ "email": "ada@example.org", "full_name": "Ada" });
    installation
        .root
        .send(Method::POST, "/api/v1/users", Some(user), &[("x-request-id", "mailed")])
        .await
        .expect(201);
    let job = collector.wait_for(|span| span.name == "mail.send.v1").await;
    assert_eq!((job.kind, job.attributes["request_id"].as_str(), job.is_error), (CONSUMER, "mailed", false));
    let of_worker = if *kind == Kind::Postgres { "sitewatch-worker" } else { "sitewatch-api" };
    assert_eq!(job.service, of_worker);

    installation.execute("UPDATE sites SET tags = 'Mars'").await;
    installation.root.send(Method::GET, &path, None, &[("x-request-id", "failed")]).await.expect(500);
    let failed =
        collector.wait_for(|span| span.attributes.get("request_id").is_some_and(|id| id == "failed")).await;
    assert!(failed.is_error && failed.parent.is_empty() && failed.trace != trace, "{failed:?}");
    let shown = format!("{:?}", collector.spans());
    assert!(!shown.contains(&site) && !shown.contains("ada@example.org"), "no path and no name");
}

pub async fn a_stopping_server_sends_its_last_spans(kind: Arc<Kind>) {
    let collector = Collector::start().await;
    let settings = [("SITEWATCH_TRACES_OTLP_URL", collector.url.as_str())];
    let mut installation = Installation::start(*kind, &settings).await;
    let headers = [("x-request-id", "last")];
    installation.root.send(Method::GET, "/api/v1/sites", None, &headers).await.expect(200);
    installation.server.terminate(std::time::Duration::from_secs(30)).await;
    let is_there = |id: Option<&String>| id.is_some_and(|id| id == "last");
    assert!(collector.spans().iter().any(|span| is_there(span.attributes.get("request_id"))));
}

pub async fn a_collector_that_is_away_holds_nobody_up(kind: Arc<Kind>) {
    let away = "http://user:c4n4ry@127.0.0.1:9";
    let mut installation = Installation::start(*kind, &[("SITEWATCH_TRACES_OTLP_URL", away)]).await;
    for _ in 0..20 {
        installation.root.get("/api/v1/sites").await.expect(200);
    }
    let told = [("message", json!("traces cannot be delivered, and are lost until they can"))];
    installation.lines_with(&told).await;
    installation.server.terminate(std::time::Duration::from_secs(30)).await;
    assert!(installation.lines().iter().all(|line| !line.contains("c4n4ry")));
}
