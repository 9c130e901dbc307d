//! Clients that begin a request and do not go on with it: they cost themselves their connection, and nobody else his turn.

use std::{sync::Arc, time::Duration};

use sitewatch_tests::client::Client;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use crate::{Kind, start::Installation};

/// More than a process with [`FEW_FILES`] can hold.
const CROWD: usize = 300;
const FEW_FILES: u32 = 256;
/// How long the server waits for a client that sends nothing, and a little more for a busy machine.
const SILENCE: Duration = Duration::from_secs(20);

/// A request whose body does not come.
const HALF: &str = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                    Content-Length: 50\r\n\r\n{\"e";

/// A connection that has sent this, and stays open.
async fn begun(installation: &Installation, text: &str) -> TcpStream {
    let address = installation.base().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(text.as_bytes()).await.expect("sent");
    stream
}

/// All that the server sends until it closes the connection.
async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(SILENCE, stream.read_to_end(&mut bytes)).await;
    read.expect("the server closes the connection").expect("read");
    String::from_utf8(bytes).expect("text")
}

/// The answer to a request for a sign of life, and how long it took.
async fn health(installation: &Installation) -> Duration {
    let began = Instant::now();
    timeout(SILENCE, Client::anonymous(installation.base()).get("/health"))
        .await
        .expect("an answer in time")
        .expect(200);
    began.elapsed()
}

/// Bodies that somebody reads.
async fn half_bodies(installation: &Installation, token: &str) {
    let chunked = HALF
        .replace("Content-Length: 50", "Transfer-Encoding: chunked")
        .replace("\r\n\r\n{\"e", "\r\n\r\n3\r\n{\"e\r\n");
    let signed_in = format!(
        "POST /api/v1/organizations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 9\r\n\r\n{{"
    );
    let began = Instant::now();
    let mut streams = Vec::new();
    for half in [HALF, &chunked, &signed_in] {
        streams.push(begun(installation, half).await);
    }
    for mut stream in streams {
        let text = answer(&mut stream).await;
        assert!(text.starts_with("HTTP/1.1 408 ") && text.contains("connection: close"), "{text}");
        assert!(text.contains(r#""type":"request_timeout""#) && text.contains("request_id"), "{text}");
        assert!(began.elapsed() > Duration::from_secs(8), "too soon for a slow line: {:?}", began.elapsed());
    }
}

/// Bodies that nobody reads, and a head.
async fn half_of_what_is_not_read(installation: &Installation) {
    let mut streams = Vec::new();
    for (head, status) in [("GET /health", 200), ("GET /api/v1/nowhere", 404), ("GET /api/v1/sites", 401)] {
        for rest in ["Content-Length: 50\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"e\r\n"] {
            let request = format!("{head} HTTP/1.1\r\nHost: x\r\n{rest}");
            streams.push((begun(installation, &request).await, status));
        }
    }
    streams.push((begun(installation, "GET /health HTTP/1.1\r\nHost: x\r\nX-").await, 408));
    for (mut stream, status) in streams {
        let text = answer(&mut stream).await;
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
    }
}

/// A client that is slow and goes on is waited for.
async fn a_slow_body(installation: &Installation) {
    let mut stream = begun(installation, HALF).await;
    for _ in 0..4 {
        sleep(Duration::from_secs(3)).await;
        stream.write_all(b" ").await.expect("sent");
    }
    stream.write_all(&[b' '; 43]).await.expect("sent");
    let mut head = [0; 12];
    timeout(SILENCE, stream.read_exact(&mut head)).await.expect("an answer").expect("read");
    assert_eq!(&head, b"HTTP/1.1 400");
}

/// A chunked body that comes whole costs nobody his connection.
async fn whole_bodies(installation: &Installation) {
    let whole = HALF
        .replace("Content-Length: 50", "Transfer-Encoding: chunked")
        .replace("\r\n\r\n{\"e", "\r\n\r\n3\r\n{\"e\r\n0\r\n\r\n");
    let mut stream = begun(installation, &whole.repeat(2)).await;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.expect("sent");
    let text = answer(&mut stream).await;
    let statuses: Vec<_> = text.match_indices("HTTP/1.1 ").map(|(at, _)| &text[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["400", "400", "200"], "{text}");
}

pub async fn unfinished_requests_come_to_an_end(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    let client = installation.start().await;
    tokio::join!(
        half_bodies(&installation, client.token()),
        half_of_what_is_not_read(&installation),
        a_slow_body(&installation),
        whole_bodies(&installation),
    );
}

pub async fn a_process_with_few_files_serves_on(kind: Arc<Kind>) {
    // What the system allows is taken: a low soft limit is no limit.
    let mut installation = Installation::new(&kind).await;
    installation.limit_files("-S", FEW_FILES);
    installation.start().await;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(begun(&installation, HALF).await);
    }
    let took = health(&installation).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    drop(crowd);
    // And a hard one is kept: who comes then waits until those before him are given up.
    let mut installation = Installation::new(&kind).await;
    installation.limit_files("", FEW_FILES);
    let client = installation.start().await;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(begun(&installation, HALF).await);
    }
    // The database needs files too.
    let me = client.get("/api/v1/auth/me");
    timeout(SILENCE, me).await.expect("an answer in time").expect(200);
    health(&installation).await;
    assert!(answer(&mut crowd[0]).await.starts_with("HTTP/1.1 408 "));
    let log = std::fs::read_to_string(installation.path("log")).expect("a log");
    assert!(!log.contains("Too many open files"), "{log}");
}

/// The time that a head may take is that of a connection's first one: the next ones have none.
pub async fn connections_that_are_kept_leave_room(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    installation.limit_files("", FEW_FILES);
    let client = installation.start().await;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut stream = begun(&installation, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let mut head = [0; 12];
        timeout(SILENCE, stream.read_exact(&mut head)).await.expect("an answer in time").expect("read");
        assert_eq!(&head, b"HTTP/1.1 200");
        // Later than the answer, as the head of another request.
        sleep(Duration::from_millis(20)).await;
        // The server may have closed it by now.
        let _closed = stream.write_all(b"GET /hea").await;
        crowd.push(stream);
    }
    // Longer than a connection is kept without a request.
    sleep(Duration::from_secs(7)).await;
    let me = client.get("/api/v1/auth/me");
    timeout(SILENCE, me).await.expect("an answer in time").expect(200);
    assert!(health(&installation).await < Duration::from_secs(2));
}

impl Installation {
    /// Bounds the open files of further servers, as `ulimit` does: the soft limit alone (`-S`) or both (no flag).
    fn limit_files(&mut self, which: &str, files: u32) {
        self.start_by(format!("ulimit {which} -n {files}"));
    }
}

/// Who does not read what he asked for is cut off, and holds no connection with it.
pub async fn who_does_not_read_is_cut_off(kind: Arc<Kind>) {
    let mut installation = Installation::new(&kind).await;
    installation.start().await;
    let asked = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(40);
    let document = Client::anonymous(installation.base()).get("/openapi.json").await.expect(200).bytes.len();
    let mut stalled = begun(&installation, &asked).await;
    // What the server has not written by now it never will, whatever lies in the buffers of both sides.
    sleep(SILENCE + Duration::from_secs(10)).await;
    let mut bytes = Vec::new();
    // Ended or broken off, with whatever was on its way.
    let _broken_off =
        timeout(SILENCE, stalled.read_to_end(&mut bytes)).await.expect("the connection is over");
    assert!(bytes.len() < 40 * document, "all {} bytes were kept for somebody who did not read", bytes.len());
    health(&installation).await;
}
