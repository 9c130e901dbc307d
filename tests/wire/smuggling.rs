//! Requests whose length can be read in two ways, and what is no request at all.

use std::sync::Arc;

use crate::{
    Sqlite,
    server::{Server, statuses},
};

/// What a proxy would take for a body, and a server that reads the length in another way for the next request.
const HIDDEN: &str = "GET /problems/not_found HTTP/1.1\r\nHost: x\r\n\r\n";

pub async fn conflicting_lengths_hide_no_request(_sqlite: Arc<Sqlite>) {
    let server = Server::start().await;
    let length = HIDDEN.len();
    let chunked = format!("{length:x}\r\n{HIDDEN}\r\n0\r\n\r\n");
    for (headers, body) in [
        (format!("Content-Length: {}\r\nTransfer-Encoding: chunked", chunked.len()), chunked.clone()),
        ("Content-Length: 0\r\nTransfer-Encoding: chunked".to_owned(), chunked.clone()),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0".to_owned(), chunked.clone()),
        ("Transfer-Encoding: xchunked\r\nContent-Length: 0".to_owned(), HIDDEN.to_owned()),
        ("Transfer-Encoding: chunked, identity\r\nContent-Length: 0".to_owned(), HIDDEN.to_owned()),
        (format!("Content-Length: 0\r\nContent-Length: {length}"), HIDDEN.to_owned()),
        (format!("Content-Length: {length}\r\nContent-Length: 0"), HIDDEN.to_owned()),
        (format!("Content-Length: 0, {length}"), HIDDEN.to_owned()),
        (format!("Content-Length: +{length}"), HIDDEN.to_owned()),
        ("Content-Length: 0x0".to_owned(), HIDDEN.to_owned()),
        ("Content-Length : 0".to_owned(), HIDDEN.to_owned()),
    ] {
        for target in ["GET /health", "POST /api/v1/auth/login", "GET /nowhere"] {
            let request = format!("{target} HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n{body}");
            let answer = server.ask(request.as_bytes()).await.expect("an end");
            let text = String::from_utf8_lossy(&answer);
            assert!(statuses(&answer).len() <= 1, "{headers} lets the hidden request through: {text}");
            assert!(!text.contains("problems"), "{headers}: {text}");
        }
    }
}

pub async fn what_is_no_request_is_refused(_sqlite: Arc<Sqlite>) {
    let server = Server::start().await;
    for request in [
        "GET /health HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET /health HTTP/1.1\r\nA B: x\r\n\r\n",
        "GET /health HTTP/3.0\r\n\r\n",
        "GET  /health\r\n\r\n",
        "GET /health HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
    ] {
        let answer = server.ask(request.as_bytes()).await.expect("an end");
        assert_eq!(statuses(&answer), [400], "{request:?}: {}", String::from_utf8_lossy(&answer));
    }
    server.client.get("/api/v1/auth/me").await.expect(200);
}
