//! The API within another program's actix-web application, beside routes of its own.

use std::{net::TcpListener, sync::Arc};

use actix_web::{App, HttpResponse, HttpServer, web};
use reqwest::Method;
use serde_json::json;
use sitewatch_http::{Api, Draining};
use sitewatch_tests::{
    client::Client,
    world::{Backend, World},
};

async fn own() -> HttpResponse {
    HttpResponse::Ok().body("of its own")
}

pub async fn another_application_serves_the_api_beside_its_own(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    world.organization("A").await;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a listener");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let api = Api::new(world.platform.clone(), Draining::default());
    let server = HttpServer::new(move || {
        App::new().route("/own", web::get().to(own)).service(api.clone().into_service())
    });
    let server = server.workers(1).disable_signals().listen(listener).expect("a server").run();
    let handle = server.handle();
    let server = tokio::spawn(server);
    let root = Client::anonymous(&base).with_token(world.root.token());

    let answer = root.get("/own").await.expect(200);
    assert_eq!((answer.text.as_str(), answer.header("x-request-id")), ("of its own", ""));
    assert_eq!(root.get("/health").await.expect(200).text, "{\"status\":\"OK\"}");
    let there = root.get("/api/v1/organizations").await.expect(200);
    let here = world.root.get("/api/v1/organizations").await.expect(200);
    assert_eq!(there.json(), here.json());
    let by_header = [("x-api-version", "1")];
    let versioned = root.send(Method::GET, "/api/organizations", None, &by_header).await.expect(200);
    assert_eq!(versioned.data(), here.data());
    // All that a server of ours says of an answer is said here as well.
    for (path, status) in [
        ("/api/v1/organizations", 200),
        ("/api/v1/organizations?page=0", 422),
        ("/nothing", 404),
        ("/api/v9/sites", 404),
    ] {
        let (there, here) = (root.get(path).await.expect(status), world.root.get(path).await.expect(status));
        for (name, value) in &here.headers {
            if !["date", "x-request-id", "x-cache"].contains(&name.as_str()) {
                assert_eq!(there.headers.get(name), Some(value), "{name} of {path}");
            }
        }
        assert!(!there.header("x-request-id").is_empty());
    }
    let refused = root.delete("/api/v1/organizations").await.expect(405);
    assert_eq!(
        (refused.error_type().as_str(), refused.header("allow")),
        ("method_not_allowed", "GET, HEAD, POST")
    );
    Client::anonymous(&base).get("/api/v1/organizations").await.expect(401).error_type();
    root.post("/api/v1/organizations", json!({ "name": "x".repeat(300 * 1024) }))
        .await
        .expect(413)
        .error_type();
    handle.stop(false).await;
    server.await.expect("no panic").expect("it ends when it is told to");
}
