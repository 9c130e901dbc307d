//! Ten thousand secrets go through everything that takes them, well and badly, and are nowhere to be seen.

use std::{process::Command, sync::Arc};

use reqwest::Method;
use serde_json::{Value, json};
use sitewatch_tests::{
    client::{Answer, Client},
    processes::{sitewatch_api, sitewatch_worker},
    smtp::{self, SmtpSink},
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinSet};

use crate::{
    Kind,
    installation::{Installation, Passwords},
    planted::Planted,
};

const SECRETS: u64 = 10_000;
/// How many ask at the same time.
const ASKERS: usize = 8;
/// The characters that tokens consist of.
const OF_TOKENS: &str = "-_.";

pub async fn no_secret_is_shown(kind: Arc<Kind>) {
    let planted = Arc::new(Planted::new());
    assert_eq!(planted.found_in(&format!("one {} is seen", planted.secret())).len(), 1);
    failed_starts(&planted);
    let sink = SmtpSink::start().await;
    let passwords = Passwords { postgres: Some(planted.secret()), redis: Some(planted.secret()) };
    let mail = sink.url("").replacen("://", &format!("://mailer:{}@", planted.secret()), 1);
    let settings = [
        ("SITEWATCH_SMTP_URL", mail),
        ("SITEWATCH_ADMIN_PASSWORD", planted.secret()),
        ("SITEWATCH_LOG", "debug".to_owned()),
        ("SITEWATCH_ENV", "development".to_owned()),
        ("SITEWATCH_JOBS_POLL_MS", "50".to_owned()),
    ];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut installation = Installation::with(*kind, &passwords, &settings).await;
    planted.learn(installation.root.token());
    let secret_key = installation.folder().join("data/secret.key");
    planted.learn(std::fs::read_to_string(secret_key).expect("the generated secret").trim());

    let [organization, _site, module] = installation.plant().await;
    lives(&installation, &planted, &sink, &organization, &module).await;
    nonsense(&installation, &planted).await;
    installation.execute("ALTER TABLE sessions RENAME TO sessions_away").await;
    let statuses = abused(&installation, &planted, 3).await;
    assert!(statuses.contains(&503), "{statuses:?}");
    installation.execute("ALTER TABLE sessions_away RENAME TO sessions").await;
    while planted.count() < SECRETS {
        let statuses = abused(&installation, &planted, 8).await;
        assert!(
            [400, 401, 404, 413, 415, 422].iter().all(|status| statuses.contains(status)),
            "{statuses:?}"
        );
    }
    if let Some(postgres) = &installation.postgres {
        postgres.stop_immediately();
        let (mut statuses, root) = (Vec::new(), installation.root.token());
        abuse(&Client::anonymous(&installation.base), root, &planted, &mut statuses).await;
        assert!(statuses.contains(&503), "{statuses:?}");
        postgres.start_again().await;
    }
    assert!(planted.count() >= SECRETS);

    assert_eq!(planted.found_in(&installation.figures().await), [""; 0], "figures");
    installation.server.terminate(std::time::Duration::from_secs(30)).await;
    let log = installation.lines().join("\n");
    assert!(log.contains("\"DEBUG\"") && log.lines().count() > 1_000, "the log is not what it should be");
    assert_eq!(planted.found_in(&log), [""; 0], "the log");
}

/// Starts that come to nothing, and commands that show settings.
fn failed_starts(planted: &Planted) {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |mut command: Command, arguments: &[&str], settings: &[(&str, String)]| {
        command.args(arguments).current_dir(folder.path()).env("SITEWATCH_BIND", "127.0.0.1:0");
        let command =
            command.env("SITEWATCH_LOG", "debug").envs(settings.iter().map(|(name, value)| (name, value)));
        let output = command.output().expect("the program runs");
        let said = [output.stdout, output.stderr].concat();
        assert_eq!(planted.found_in(&String::from_utf8_lossy(&said)), [""; 0], "{arguments:?} {settings:?}");
    };
    let with = |before: &str, after: &str| format!("{before}{}{after}", planted.secret());
    for settings in [
        [("SITEWATCH_DATABASE_URL", with("postgres://app:", "@127.0.0.1:1/x"))],
        [("SITEWATCH_DATABASE_URL", with("postgres://app:", "/x@127.0.0.1:1/x"))],
        [("SITEWATCH_DATABASE_URL", with("postgres://app:", "@[::g]:1/x"))],
        [("SITEWATCH_DATABASE_URL", with("postgres://h/x?password=", ""))],
        [("SITEWATCH_REDIS_URL", with("redis://:", "@127.0.0.1:999999"))],
        [("SITEWATCH_REDIS_URL", with("http://:", "@127.0.0.1"))],
        [("SITEWATCH_SMTP_URL", with("smtp://u:", "@mail.example.org?tls=maybe"))],
        [("SITEWATCH_TRACES_OTLP_URL", with("grpc://u:", "@collector:4317"))],
        [("SITEWATCH_SECRET_KEY", with("", ""))],
        [("SITEWATCH_ADMIN_PASSWORD", with("", ""))],
        [("SITEWATCH_REPORTS_SECRET_ACCESS_KEY", with("", ""))],
    ] {
        run(sitewatch_api(), &["serve"], &settings);
        run(sitewatch_api(), &["config", "check"], &settings);
        run(sitewatch_api(), &["config", "show"], &settings);
        run(sitewatch_worker(), &["run"], &settings);
    }
}

/// What an answer gives away although it refuses.
fn judged(planted: &Planted, answer: Answer) -> Answer {
    if !answer.status.is_success() {
        assert_eq!(planted.found_in(&answer.text), [""; 0], "{} with {}", answer.status, answer.text);
        for (name, value) in &answer.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            assert_eq!(planted.found_in(&value), [""; 0], "{name} with {}", answer.status);
        }
    }
    answer
}

/// Secrets that are good for something, used until they are not any more.
async fn lives(
    installation: &Installation,
    planted: &Planted,
    sink: &SmtpSink,
    organization: &str,
    module: &str,
) {
    let (root, anonymous) = (&installation.root, Client::anonymous(&installation.base));
    for number in 0..10 {
        let (email, password) = (format!("user{number}@example.org"), planted.secret());
        let user = json!({ "email": email, "full_name": "Ada", "password": password });
        let user = root.post("/api/v1/users", user).await.expect(201).id();
        let member = json!({ "user_id": user, "role": "admin" });
        root.post(&format!("/api/v1/organizations/{organization}/users"), member).await.expect(201);
        let tokens = anonymous.post("/api/v1/auth/login", json!({ "email": email, "password": password }));
        let tokens = tokens.await.expect(200).data();
        let learnt = |tokens: &Value, name: &str| planted.learn(tokens[name].as_str().expect("a token"));
        let (access, refresh) = (learnt(&tokens, "access_token"), learnt(&tokens, "refresh_token"));
        let user = anonymous.with_token(access);
        let refreshed = json!({ "refresh_token": refresh });
        let tokens = anonymous.post("/api/v1/auth/refresh", refreshed.clone()).await.expect(200).data();
        learnt(&tokens, "access_token");
        learnt(&tokens, "refresh_token");
        let key = json!({ "name": "reader", "scopes": ["sites:read"] });
        let key = user.post("/api/v1/auth/me/api-keys", key).await.expect(201);
        let secret = learnt(&key.data(), "secret");
        let by_key = [("x-api-key", secret.as_str())];
        anonymous.send(Method::GET, "/api/v1/sites", None, &by_key).await.expect(200);
        user.delete(&format!("/api/v1/auth/me/api-keys/{}", key.id())).await.expect(200);
        judged(planted, anonymous.send(Method::GET, "/api/v1/sites", None, &by_key).await.expect(401));
        let new = planted.secret();
        let wrong = json!({ "current_password": planted.secret(), "new_password": new });
        judged(planted, user.post("/api/v1/auth/password/change", wrong).await.expect(422));
        let change = json!({ "current_password": password, "new_password": new });
        assert!(user.post("/api/v1/auth/password/change", change).await.status.is_success());
        user.post("/api/v1/auth/logout", json!({})).await.expect(204);
        judged(planted, anonymous.post("/api/v1/auth/refresh", refreshed).await.expect(401));

        let credentials = format!("/api/v1/modules/{module}/credentials");
        let credential = root.act(&credentials).await.expect(201);
        let device = anonymous.with_token(learnt(&credential.data(), "secret"));
        let readings =
            json!({ "readings": [{ "metric": "power", "at": "2026-03-29T12:00:00Z", "value": 1.0 }] });
        let path = format!("/api/v1/modules/{module}/readings");
        device.post(&path, readings.clone()).await.expect(200);
        root.delete(&format!("{credentials}/{}", credential.id())).await.expect(200);
        judged(planted, device.post(&path, readings).await.expect(401));

        mailed(installation, planted, sink, organization, number).await;
    }
}

/// The tokens that mails bring.
async fn mailed(
    installation: &Installation,
    planted: &Planted,
    sink: &SmtpSink,
    organization: &str,
    number: usize,
) {
    let anonymous = Client::anonymous(&installation.base);
    let email = format!("guest{number}@example.org");
    let before = sink.arrived().len();
    sink.script(&email, &[smtp::Answer::ToMail("451 4.3.0 try again later")]);
    let invitation = json!({ "email": email, "role": "member" });
    let path = format!("/api/v1/organizations/{organization}/invitations");
    installation.root.post(&path, invitation).await.expect(201);
    // The first that arrives is refused after it was read: its token is known, and not worth less.
    let token = token_of(planted, sink, &email, before).await;
    let body = json!({ "token": token, "full_name": "Guest", "password": planted.secret() });
    assert!(anonymous.post("/api/v1/auth/invitations/accept", body.clone()).await.status.is_success());
    judged(planted, anonymous.post("/api/v1/auth/invitations/accept", body).await.expect(410));

    let before = sink.arrived().len();
    anonymous.post("/api/v1/auth/password/forgot", json!({ "email": email })).await.expect(202);
    let token = token_of(planted, sink, &email, before).await;
    let body = json!({ "token": token, "new_password": planted.secret() });
    anonymous.post("/api/v1/auth/password/reset", body.clone()).await.expect(204);
    judged(planted, anonymous.post("/api/v1/auth/password/reset", body).await);
}

/// The token of a mail to an address that arrives after so many others.
async fn token_of(planted: &Planted, sink: &SmtpSink, address: &str, before: usize) -> String {
    for _ in 0..600 {
        let mails = sink.arrived();
        let mails = mails.iter().skip(before).filter(|mail| mail.to == address);
        let texts = mails.map(|mail| mail.text.replace("=\r\n", "").replace("=\n", "").replace("=3D", "="));
        let mut tokens = texts.filter_map(|text| {
            let (_, rest) = text.split_once("#token=")?;
            let belongs = |c: &char| c.is_ascii_alphanumeric() || OF_TOKENS.contains(*c);
            Some(rest.chars().take_while(belongs).collect::<String>())
        });
        if let Some(token) = tokens.next_back() {
            return planted.learn(&token);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("no mail with a token to {address}");
}

/// Bytes that are hardly HTTP.
async fn nonsense(installation: &Installation, planted: &Planted) {
    let authority = installation.base.trim_start_matches("http://");
    for head in [
        "GET /{} HTTP/9.9\r\n\r\n",
        "GET /?token={} HTTP/1.1\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
        "{} / HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\n{}\r\n\r\n",
        "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{}\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{}",
    ] {
        let mut text = head.to_owned();
        while text.contains("{}") {
            text = text.replacen("{}", &planted.secret(), 1);
        }
        let mut connection = TcpStream::connect(authority).await.expect("a connection");
        connection.write_all(text.as_bytes()).await.expect("sent");
        connection.shutdown().await.expect("an end");
    }
}

/// Asks for everything that takes a secret with wrong ones, at least so many times; the statuses that came of it.
async fn abused(installation: &Installation, planted: &Arc<Planted>, rounds: usize) -> Vec<u16> {
    let mut askers = JoinSet::new();
    for _ in 0..ASKERS {
        let (base, token, planted) =
            (installation.base.clone(), installation.root.token().to_owned(), Arc::clone(planted));
        askers.spawn(async move {
            let mut statuses = Vec::new();
            for _ in 0..rounds.div_ceil(ASKERS) {
                abuse(&Client::anonymous(&base), &token, &planted, &mut statuses).await;
            }
            statuses
        });
    }
    askers.join_all().await.concat()
}

async fn abuse(anonymous: &Client, token: &str, planted: &Planted, statuses: &mut Vec<u16>) {
    let secret = || planted.secret();
    let (s, root) = (secret, format!("Bearer {token}"));
    let json_bodies: [(&str, Value); 9] = [
        ("/api/v1/auth/login", json!({ "email": format!("{}@example.org", s()), "password": s() })),
        ("/api/v1/auth/login", json!({ "email": "ada@example.org", "password": [s()] })),
        ("/api/v1/auth/login", json!({ "email": { "x": s() }, "password": s(), "extra": s() })),
        ("/api/v1/auth/refresh", json!({ "refresh_token": format!("rt1.{}", s()) })),
        ("/api/v1/auth/password/reset", json!({ "token": s(), "new_password": s() })),
        ("/api/v1/auth/password/reset", json!({ "token": s(), "new_password": "short", "password": s() })),
        ("/api/v1/auth/password/forgot", json!({ "email": s() })),
        (
            "/api/v1/auth/invitations/accept",
            json!({ "token": format!("inv_{}", s()), "full_name": "A", "password": s() }),
        ),
        ("/api/v1/setup", json!({ "token": s(), "email": "a@b.example", "password": s(), "full_name": "A" })),
    ];
    for (path, body) in json_bodies {
        let body = serde_json::to_vec(&body).expect("JSON");
        ask(anonymous, planted, statuses, Method::POST, path, body, &[("content-type", "application/json")])
            .await;
    }
    let raw_bodies = [
        (
            "/api/v1/auth/login",
            "application/json",
            format!("{{\"email\": \"a@b.example\", \"password\": \"{}", s()),
        ),
        ("/api/v1/auth/login", "application/json", format!("{{\"password\": {}}}", s())),
        ("/api/v1/auth/login", "text/plain", s()),
        ("/api/v1/auth/login", "application/json", format!("\"{}{}\"", s(), "x".repeat(20_000))),
        (
            "/api/v1/auth/token",
            "application/x-www-form-urlencoded",
            format!("grant_type=password&username=a@b.example&password={}&client_secret={}", s(), s()),
        ),
        (
            "/api/v1/auth/token",
            "application/x-www-form-urlencoded",
            format!("grant_type={}&username={}&password={}", s(), s(), s()),
        ),
        ("/api/v1/auth/token", "application/json", format!("{{\"password\": \"{}\"}}", s())),
    ];
    for (path, kind, body) in raw_bodies {
        ask(anonymous, planted, statuses, Method::POST, path, body.into_bytes(), &[("content-type", kind)])
            .await;
    }
    let (bearer, key, device) =
        (format!("Bearer {}", s()), format!("swk_{}", s()), format!("Bearer mdk_{}", s()));
    let jwt = format!("Bearer eyJhbGciOiJFZERTQSJ9.{}.{}", s(), s());
    for headers in [
        [("authorization", bearer.as_str())],
        [("x-api-key", &key)],
        [("authorization", &device)],
        [("authorization", &jwt)],
        [("authorization", &planted.basic())],
    ] {
        ask(anonymous, planted, statuses, Method::GET, "/api/v1/sites", Vec::new(), &headers).await;
    }
    let paths = [
        format!("/{}", s()),
        format!("/api/v1/sites/{}", s()),
        format!("/api/{}/sites", s()),
        format!("/problems/{}", s()),
        format!("/docs/{}", s()),
        format!("/api/v1/sites?access_token={}", s()),
        format!("/api/v1/sites?page={}&sort={}", s(), s()),
        format!("/api/v1/sites?q={}", s()),
        format!("/api/v1/users?token={}#token={}", s(), s()),
        format!("/invitation?token={}", s()),
    ];
    for path in paths {
        ask(anonymous, planted, statuses, Method::GET, &path, Vec::new(), &[("authorization", &root)]).await;
    }
    let change = json!({ "current_password": s(), "new_password": s() });
    let user = json!({ "email": s(), "full_name": "A", "password": s() });
    for (path, body) in [("/api/v1/auth/password/change", change), ("/api/v1/users", user)] {
        let body = serde_json::to_vec(&body).expect("JSON");
        let headers = [("authorization", root.as_str()), ("content-type", "application/json")];
        ask(anonymous, planted, statuses, Method::POST, path, body, &headers).await;
    }
}

/// Asks with secrets in all headers that may bring some.
async fn ask(
    client: &Client,
    planted: &Planted,
    statuses: &mut Vec<u16>,
    method: Method,
    path: &str,
    body: Vec<u8>,
    headers: &[(&str, &str)],
) {
    let s = || planted.secret();
    let more = [
        ("cookie", format!("session={}", s())),
        ("referer", format!("https://example.org/reset?token={}", s())),
        ("x-forwarded-for", s()),
        ("proxy-authorization", planted.basic()),
        ("x-auth-token", s()),
        ("user-agent", s()),
    ];
    let more = more.iter().map(|(name, value)| (*name, value.as_str()));
    let headers: Vec<_> = headers.iter().copied().chain(more).collect();
    let answer = judged(planted, client.raw(method, path, body, &headers).await);
    statuses.push(answer.status.as_u16());
}
