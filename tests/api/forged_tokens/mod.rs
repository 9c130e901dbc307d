//! Forged and odd tokens, some of them signed with the installation's own key: not one is accepted, each is answered 401.

mod contents;
mod forms;

use std::{collections::BTreeMap, sync::Arc};

use aws_lc_rs::{hkdf, signature::Ed25519KeyPair};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Map, Value, json};
use sitewatch_auth::SecretKeys;
use sitewatch_tests::world::{Backend, SUPERUSER, World};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// So many there are at least.
const LEAST: usize = 600;

/// The header lines of requests, by what is wrong with them.
type Corpus = BTreeMap<String, Vec<u8>>;

/// All that a thief of the installation's secret would have, and a good token to start from.
struct Forger {
    own: Ed25519KeyPair,
    strange: Ed25519KeyPair,
    token: String,
    header: Value,
    claims: Value,
    corpus: Corpus,
}

struct Seed;

impl hkdf::KeyType for Seed {
    fn len(&self) -> usize {
        32
    }
}

/// The signing key, derived from the secret file as the server does.
fn signing_key(secret: &str) -> Ed25519KeyPair {
    let secret = STANDARD.decode(secret).expect("base64");
    let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"sitewatch secret key v1").extract(&secret);
    let mut seed = [0; 32];
    root.expand(&[b"access token ed25519 seed"], Seed).expect("derived").fill(&mut seed).expect("derived");
    Ed25519KeyPair::from_seed_unchecked(&seed).expect("a key")
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
}

fn with(object: &Value, key: &str, value: Value) -> String {
    let mut object = object.clone();
    object[key] = value;
    object.to_string()
}

fn without(object: &Value, key: &str) -> String {
    let mut object: Map<String, Value> = object.as_object().expect("an object").clone();
    object.remove(key);
    Value::from(object).to_string()
}

fn signed(key: &Ed25519KeyPair, header: &str, payload: &str) -> String {
    let message = format!("{}.{}", encoded(header), encoded(payload));
    format!("{message}.{}", encoded(key.sign(message.as_bytes())))
}

impl Forger {
    fn new(secret: &str, token: &str) -> Self {
        let parts: Vec<&str> = token.split('.').collect();
        Self {
            own: signing_key(secret),
            strange: Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key"),
            token: token.to_owned(),
            header: decoded(parts[0]),
            claims: decoded(parts[1]),
            corpus: Corpus::new(),
        }
    }

    /// A request with this as its `Authorization`.
    fn add_value(&mut self, what: impl Into<String>, value: impl AsRef<[u8]>) {
        let line = [b"Authorization: ".as_slice(), value.as_ref(), b"\r\n"].concat();
        assert!(self.corpus.insert(what.into(), line).is_none(), "two of one name");
    }

    fn add(&mut self, what: impl Into<String>, token: impl AsRef<[u8]>) {
        self.add_value(what, [b"Bearer ".as_slice(), token.as_ref()].concat());
    }

    /// Signed with the installation's own key: only what was changed is wrong.
    fn add_signed(&mut self, what: String, header: &str, payload: &str) {
        let token = signed(&self.own, header, payload);
        self.add(what, token);
    }
}

/// The token with one claim changed, signed with the installation's own key: nothing else is wrong with it.
pub fn with_claim(world: &World, token: &str, claim: &str, value: Value) -> String {
    let secret = std::fs::read_to_string(world.folder().join("secret.key")).expect("the secret");
    let forger = Forger::new(secret.trim(), token);
    signed(&forger.own, &forger.header.to_string(), &with(&forger.claims, claim, value))
}

/// The status, the challenge and the body of the answer to a request with these header lines.
async fn asked(base: &str, lines: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(base.trim_start_matches("http://")).await.expect("a connection");
    let head = b"GET /api/v1/auth/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    stream.write_all(&[head.as_slice(), lines, b"\r\n"].concat()).await.expect("sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("an answer");
    let text = String::from_utf8(bytes).expect("text");
    let status = text.get(9..12).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no answer: {text:?}")), text)
}

pub async fn no_forged_token_is_accepted(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let secret =
        std::fs::read_to_string(world.folder().join("secret.key")).expect("the secret").trim().to_owned();
    let jwks = world.anonymous().get("/.well-known/jwks.json").await.expect(200).text;
    let ring: SecretKeys = secret.parse().expect("a ring");
    let mut forger = Forger::new(&secret, world.root.token());
    assert_eq!(forger.header["kid"], ring.first().fingerprint());
    // What is forged has to be good but for what is wrong with it, or the refusals would prove nothing.
    let good = signed(&forger.own, &forger.header.to_string(), &forger.claims.to_string());
    assert_eq!(good, forger.token, "a signature by Ed25519 is always the same");
    forger.odd_algorithms();
    forger.macs_with_public_things(&jwks, &secret);
    forger.odd_headers();
    forger.strange_keys();
    forger.odd_claims();
    forger.odd_forms();
    forger.odd_signatures();
    forger.odd_requests();
    real_things(&world, &mut forger).await;
    assert!(forger.corpus.len() >= LEAST, "only {}", forger.corpus.len());
    let mut wrong = Vec::new();
    for (what, lines) in &forger.corpus {
        let (status, text) = asked(&world.base, lines).await;
        if status != 401 || !text.contains("www-authenticate: Bearer") || !text.contains("\"request_id\"") {
            wrong.push(format!("{what}: {status} {}", text.lines().last().unwrap_or_default()));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), forger.corpus.len(), wrong.join("\n"));
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let line = format!("Authorization: {scheme} {}\r\n", forger.token);
        assert_eq!(asked(&world.base, line.as_bytes()).await.0, 200, "the good one still is");
    }
}

/// Things that are good for something, and not for this.
async fn real_things(world: &World, forger: &mut Forger) {
    let login = json!({ "email": SUPERUSER.0, "password": SUPERUSER.1 });
    let tokens = world.anonymous().post("/api/v1/auth/login", login).await.expect(200).data();
    forger.add("a refresh token", tokens["refresh_token"].as_str().expect("a token"));
    let own = forger.claims.clone();
    forger.add("a session's id", own["sid"].as_str().expect("an id"));
    forger.add("a user's id", own["sub"].as_str().expect("an id"));
    forger.add("a password", SUPERUSER.1);
    forger.add_value(
        "a user's name and password",
        format!("Basic {}", STANDARD.encode(format!("{}:{}", SUPERUSER.0, SUPERUSER.1))),
    );
    let (user, client) = world.user("ada").await;
    let claims = with(&forger.claims, "sub", json!(user));
    let header = forger.header.to_string();
    forger.add_signed("another user in the superuser's session".into(), &header, &claims);
    let ada = decoded(client.token().split('.').nth(1).expect("a part"));
    let claims = with(&ada, "sub", forger.claims["sub"].clone());
    forger.add_signed("the superuser in another user's session".into(), &header, &claims);
    client.act("/api/v1/auth/logout").await.expect(204);
    forger.add("a token of a session that was ended", client.token());
    let (gone, client) = world.user("gone").await;
    world.root.delete(&format!("/api/v1/users/{gone}")).await.expect(200);
    forger.add("a token of an archived user", client.token());
    let elsewhere = World::start(&Arc::new(Backend::Sqlite)).await;
    forger.add("a token of another installation", elsewhere.root.token());
}
