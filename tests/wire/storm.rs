//! Tens of thousands of mutated requests: none is answered with a 5xx, none panics, none hangs, none stays in memory.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sitewatch_tests::harness::is_long_run;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, sleep, timeout},
};

use sitewatch_tests::random::{Random, number, seed, tell};

use crate::{
    Sqlite,
    mutations::mutated,
    requests::Corpus,
    server::{PATIENCE, Server, statuses},
};

/// How many requests are under way at a time.
const ABREAST: u64 = 8;
/// After these the server has made what it keeps for good.
const WARM_UP: u64 = 3_000;
const GROWTH_KIB: u64 = 32 * 1024;
/// Connections that send a byte now and then while the storm lasts.
const SLOW: usize = 12;
/// Connections that are left open after what is sent over them.
const STAYING: u64 = 200;
/// How long a head may take in all, and how long a body may be silent, and a little more for a busy machine.
const SLOW_END: Duration = Duration::from_mins(1);

pub async fn mutated_requests_are_answered(_sqlite: Arc<Sqlite>) {
    let usual = if is_long_run() { 1_000_000 } else { 50_000 };
    let (requests, seed) = (number("SITEWATCH_TEST_REQUESTS").unwrap_or(usual), seed());
    tell(&format!("{requests} requests, SITEWATCH_TEST_SEED={seed}"));
    let server = Arc::new(Server::start().await);
    let corpus = Arc::new(Corpus::new(server.client.token(), &server.organization, &server.module));
    rain(&server, &corpus, seed, 0..WARM_UP).await;
    let before = server.memory_kib();
    let began = Instant::now();
    let slow: Vec<_> = (0..SLOW).map(|number| tokio::spawn(trickle(Arc::clone(&server), number))).collect();
    let end = WARM_UP + requests;
    let (seen, ()) =
        tokio::join!(rain(&server, &corpus, seed, WARM_UP..end), stay(&server, &corpus, seed, end));
    for connection in slow {
        connection.await.expect("a slow connection that ends");
    }
    let growth = server.memory_kib().saturating_sub(before);
    tell(&format!(
        "{requests} requests in {:?}, {growth} KiB more memory, statuses {seen:?}",
        began.elapsed()
    ));
    assert!(growth < GROWTH_KIB, "{growth} KiB more than after {WARM_UP} requests, seed {seed}");
    assert!(seen.keys().any(|status| (200..300).contains(status)), "some mutations are harmless: {seen:?}");
    assert!(!server.process.log().contains("panic"), "seed {seed}");
    // The session may have met a mutated sign-out; the server is asked as by anybody.
    server.client.get("/health").await.expect(200);
    server.client.get("/api/v1/auth/me").await.expect(200);
}

/// Sends the requests of these numbers; how often each status came, 0 for connections that were closed without any.
async fn rain(
    server: &Arc<Server>,
    corpus: &Arc<Corpus>,
    seed: u64,
    numbers: std::ops::Range<u64>,
) -> BTreeMap<u16, u64> {
    let next = Arc::new(AtomicU64::new(numbers.start));
    let mut senders = Vec::new();
    for _ in 0..ABREAST {
        let (server, corpus, next) = (Arc::clone(server), Arc::clone(corpus), Arc::clone(&next));
        senders.push(tokio::spawn(async move {
            let mut seen = BTreeMap::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= numbers.end {
                    return seen;
                }
                for status in drop_of(&server, &corpus, seed, number).await {
                    *seen.entry(status).or_insert(0) += 1;
                }
            }
        }));
    }
    let mut seen = BTreeMap::new();
    for sender in senders {
        for (status, count) in sender.await.expect("a sender that ends") {
            *seen.entry(status).or_insert(0) += count;
        }
    }
    seen
}

/// Clients that send some more and wait, without saying that nothing follows: all are told something, or closed.
async fn stay(server: &Arc<Server>, corpus: &Arc<Corpus>, seed: u64, from: u64) {
    let waiting = (from..from + STAYING).map(|number| {
        let (server, corpus) = (Arc::clone(server), Arc::clone(corpus));
        tokio::spawn(async move {
            let request = of_number(&corpus, seed, number);
            let began = Instant::now();
            let answer = server.ask_and_stay(&request).await;
            let told = String::from_utf8_lossy(&request[..request.len().min(600)]);
            let is_over = began.elapsed() < PATIENCE;
            assert!(is_over || !answer.is_empty(), "request {number} of seed {seed} hangs: {told:?}");
            assert!(
                statuses(&answer).iter().all(|status| *status < 500),
                "request {number} of seed {seed}: {told:?}"
            );
        })
    });
    for client in waiting.collect::<Vec<_>>() {
        client.await.expect("a client that is told something");
    }
}

/// Each from the seed and its number alone, whatever the others take.
fn of_number(corpus: &Corpus, seed: u64, number: u64) -> Vec<u8> {
    let mut random = Random::new(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    random.below(2);
    mutated(corpus.any(&mut random), &mut random)
}

/// The statuses that one request is answered with.
async fn drop_of(server: &Server, corpus: &Corpus, seed: u64, number: u64) -> Vec<u16> {
    let request = of_number(corpus, seed, number);
    let told = || String::from_utf8_lossy(&request[..request.len().min(600)]).into_owned();
    let Some(answer) = server.ask(&request).await else {
        panic!("request {number} of seed {seed} hangs: {:?}", told());
    };
    let seen = statuses(&answer);
    let is_fault = seen.iter().any(|status| *status >= 500);
    assert!(
        !is_fault,
        "request {number} of seed {seed}: {seen:?}\n{:?}\n{:?}",
        told(),
        String::from_utf8_lossy(&answer)
    );
    if seen.is_empty() { vec![0] } else { seen }
}

/// Sends a head or a body a byte at a time, more and more slowly, until the server has had enough.
async fn trickle(server: Arc<Server>, number: usize) {
    let head = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n";
    let is_slow_head = number.is_multiple_of(2);
    let mut stream = server.connect().await;
    let began = Instant::now();
    if !is_slow_head {
        stream.write_all(head.as_bytes()).await.expect("sent");
    }
    let mut bytes = head.bytes().cycle();
    let mut pause = Duration::from_millis(200 + 50 * number as u64);
    let mut answer = Vec::new();
    while began.elapsed() < SLOW_END {
        let byte = bytes.next().expect("a cycle");
        if stream.write_all(&[byte]).await.is_err() {
            return;
        }
        let mut buffer = [0; 1024];
        match timeout(pause, stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return,
            Ok(Ok(count)) => answer.extend_from_slice(&buffer[..count]),
            Err(_elapsed) => pause = (pause * 2).min(PATIENCE),
        }
        assert!(statuses(&answer).iter().all(|status| *status < 500), "{}", String::from_utf8_lossy(&answer));
        if !answer.is_empty() {
            // It has been told that it is too slow; nothing more is read from it.
            sleep(Duration::from_millis(100)).await;
        }
    }
    panic!("a slow {} is not cut", if is_slow_head { "head" } else { "body" });
}
