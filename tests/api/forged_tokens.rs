//! Forged and odd tokens, some of them signed with the installation's own key: not one is accepted, each is answered 401.

use std::{collections::BTreeMap, sync::Arc};

use aws_lc_rs::{
    hkdf, hmac,
    signature::{Ed25519KeyPair, KeyPair as _},
};
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

/// What is asked for.
const LEAST: usize = 400;

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

    fn odd_algorithms(&mut self) {
        let payload = self.claims.to_string();
        for name in [
            "none", "None", "NONE", "nOnE", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256",
            "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K", "eddsa", "EDDSA", "Ed25519", "Ed448",
            "EdDSA ", " EdDSA", "EdDSA\0", "", "A128KW", "dir",
        ] {
            let header = with(&self.header, "alg", json!(name));
            self.add_signed(format!("alg {name:?}, signed as ever"), &header, &payload);
            let message = format!("{}.{}", encoded(&header), encoded(&payload));
            self.add(format!("alg {name:?}, no signature"), format!("{message}."));
            self.add(format!("alg {name:?}, two parts"), &message);
        }
        for (what, value) in [
            ("null", json!(null)),
            ("a number", json!(1)),
            ("a list", json!(["EdDSA"])),
            ("an object", json!({})),
        ] {
            let header = with(&self.header, "alg", value);
            self.add_signed(format!("alg is {what}"), &header, &payload);
        }
    }

    /// The public key is no secret, and a server that confuses the two takes a MAC with it for a signature.
    fn macs_with_public_things(&mut self, jwks: &str, secret: &str) {
        let public = self.own.public_key().as_ref().to_vec();
        let der = [b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00".as_slice(), &public].concat();
        let pem =
            format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&der));
        let keys: [(&str, Vec<u8>); 10] = [
            ("the public key", public.clone()),
            ("its base64", STANDARD.encode(&public).into_bytes()),
            ("its base64url", encoded(&public).into_bytes()),
            ("its hex", public.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes()),
            ("its DER form", der),
            ("its PEM form", pem.into_bytes()),
            ("the key set", jwks.as_bytes().to_vec()),
            ("the key's name", self.header["kid"].as_str().expect("a name").as_bytes().to_vec()),
            ("the secret itself", STANDARD.decode(secret).expect("base64")),
            ("nothing", Vec::new()),
        ];
        let algorithms =
            [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)];
        for (key_name, key) in &keys {
            for (name, algorithm) in algorithms {
                for said in [name, "EdDSA"] {
                    let header = with(&self.header, "alg", json!(said));
                    let message = format!("{}.{}", encoded(header), encoded(self.claims.to_string()));
                    let tag = hmac::sign(&hmac::Key::new(algorithm, key), message.as_bytes());
                    self.add(
                        format!("{name} with {key_name}, said to be {said}"),
                        format!("{message}.{}", encoded(tag)),
                    );
                }
            }
        }
    }

    fn odd_headers(&mut self) {
        let (payload, header) = (self.claims.to_string(), self.header.to_string());
        let kid = self.header["kid"].as_str().expect("a name").to_owned();
        let strange =
            json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(self.strange.public_key()), "kid": "mine" });
        for name in [
            "JWT",
            "jwt",
            "AT+JWT",
            "at+JWT",
            "application/at+jwt",
            "rt+jwt",
            "dpop+jwt",
            "id_token",
            "secevent+jwt",
            "",
            "at+jwt ",
        ] {
            self.add_signed(format!("typ {name:?}"), &with(&self.header, "typ", json!(name)), &payload);
        }
        for name in [
            "",
            "unknown",
            "../../../dev/null",
            "/dev/null",
            "file:///etc/passwd",
            "http://127.0.0.1/key",
            "' OR '1'='1",
            "a b",
            "\0",
            "\u{202e}",
            "日本",
            "*",
            "%00",
            "0",
            "-1",
            "null",
            "${jndi:ldap://x}",
            "; sleep 5",
            "|id",
        ] {
            self.add_signed(format!("kid {name:?}"), &with(&self.header, "kid", json!(name)), &payload);
        }
        for name in [
            kid.to_uppercase(),
            format!("{kid}\0"),
            format!("{kid} "),
            format!("{kid}{kid}"),
            kid[1..].to_owned(),
            "k".repeat(1000),
        ] {
            self.add_signed(format!("kid {name:.40}"), &with(&self.header, "kid", json!(name)), &payload);
        }
        let known = ["alg", "typ", "kid"];
        for key in known {
            self.add_signed(format!("without {key}"), &without(&self.header, key), &payload);
            for odd in [json!(null), json!(7), json!([self.header[key]]), json!({}), json!(true)] {
                if key != "alg" {
                    self.add_signed(format!("{key} is {odd}"), &with(&self.header, key, odd), &payload);
                }
            }
            let twice = format!(r#"{{"{key}":{},{}"#, self.header[key], &header[1..]);
            self.add_signed(format!("{key} twice"), &twice, &payload);
            let other = format!(r#"{{"{key}":"x",{}"#, &header[1..]);
            self.add_signed(format!("{key} twice, and differs"), &other, &payload);
            let case = header.replace(&format!("\"{key}\""), &format!("\"{}\"", key.to_uppercase()));
            self.add_signed(format!("{key} in capitals"), &case, &payload);
        }
        for key in [
            "crit", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "zip", "enc", "cty", "b64", "url",
            "nonce", "iv", "tag", "p2s", "p2c", "apu", "apv", "epk", "svt", "ppt", "exp", "iss", "aud",
            "other", "",
        ] {
            for (what, value) in [
                ("a URL", json!("https://attacker.example/keys.json")),
                ("a list", json!([key])),
                ("null", json!(null)),
                ("false", json!(false)),
                ("a key", strange.clone()),
            ] {
                self.add_signed(
                    format!("header {key:?} with {what}"),
                    &with(&self.header, key, value),
                    &payload,
                );
            }
        }
        for (what, text) in [
            ("empty", ""),
            ("empty object", "{}"),
            ("null", "null"),
            ("list", "[]"),
            ("text", "\"EdDSA\""),
            ("not JSON", "{alg:EdDSA}"),
            ("open", "{"),
        ] {
            self.add_signed(format!("header {what}"), text, &payload);
        }
        for (what, text) in [
            ("with more behind", format!("{header}x")),
            ("twice", format!("{header}{header}")),
            ("with a mark of UTF-8", format!("\u{feff}{header}")),
            ("with a comment", format!("/**/{header}")),
            ("with a comma at its end", format!("{},}}", header.trim_end_matches('}'))),
        ] {
            self.add_signed(format!("header {what}"), &text, &payload);
        }
    }

    /// Signed by somebody else, who says so or not.
    fn strange_keys(&mut self) {
        let (payload, header) = (self.claims.to_string(), self.header.to_string());
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(self.strange.public_key()), "kid": self.header["kid"] });
        for (what, header) in [
            ("as it is", header),
            ("with his key", with(&self.header, "jwk", jwk)),
            ("with his name", with(&self.header, "kid", json!("mine"))),
            ("with his address", with(&self.header, "jku", json!("https://attacker.example/keys.json"))),
            ("without a name", without(&self.header, "kid")),
        ] {
            let token = signed(&self.strange, &header, &payload);
            self.add(format!("a stranger's signature, header {what}"), token);
        }
    }

    fn odd_claims(&mut self) {
        let (claims, header) = (self.claims.clone(), self.header.to_string());
        let text = claims.to_string();
        let mut add = |what: String, payload: String| self.add_signed(what, &header, &payload);
        for claim in ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "rc"] {
            add(format!("without {claim}"), without(&claims, claim));
            for odd in [
                json!(null),
                json!([]),
                json!({}),
                json!(true),
                json!(""),
                json!([claims[claim]]),
                json!(-1),
                json!("x\0"),
                json!(1.5),
            ] {
                // A counter below zero is a number like others.
                if !(claim == "rc" && odd == json!(-1)) {
                    add(format!("{claim} is {odd}"), with(&claims, claim, odd));
                }
            }
            add(format!("{claim} twice"), format!(r#"{{"{claim}":{},{}"#, claims[claim], &text[1..]));
        }
        for claim in ["iss", "aud"] {
            for odd in
                ["Sitewatch", "sitewatch ", "sitewatch\0", "sitewatch/", "https://sitewatch", "*", "other"]
            {
                add(format!("{claim} {odd:?}"), with(&claims, claim, json!(odd)));
            }
        }
        add("aud is two".into(), with(&claims, "aud", json!(["sitewatch", "other"])));
        for claim in ["sub", "sid"] {
            for odd in [
                "00000000-0000-0000-0000-000000000000",
                "018f0000-0000-7000-8000-000000000000",
                "1",
                "root",
                "' OR 1=1 --",
                "../x",
            ] {
                add(format!("{claim} {odd:?}"), with(&claims, claim, json!(odd)));
            }
        }
        add("sub and sid change places".into(), {
            let swapped: Value =
                serde_json::from_str(&with(&claims, "sub", claims["sid"].clone())).expect("JSON");
            with(&swapped, "sid", claims["sub"].clone())
        });
        let (iat, exp) = (claims["iat"].as_i64().expect("a time"), claims["exp"].as_i64().expect("a time"));
        for (claim, odd) in [
            ("exp", json!(iat)),
            ("exp", json!(iat - 1)),
            ("exp", json!(0)),
            ("exp", json!(iat + 3_601)),
            ("exp", json!(iat + 86_400 * 365)),
            ("exp", json!(i64::MAX)),
            ("exp", json!(u64::MAX)),
            ("exp", json!(1e300)),
            ("exp", json!(exp.to_string())),
            ("exp", json!(exp * 1_000)),
            ("iat", json!(iat + 3_600)),
            ("iat", json!(0)),
            ("iat", json!(exp)),
            ("iat", json!(u64::MAX)),
            ("iat", json!(iat * 1_000)),
            ("nbf", json!(iat + 60)),
            ("nbf", json!(exp)),
            ("nbf", json!(exp + 1)),
            ("nbf", json!(u64::MAX)),
            ("nbf", json!(iat * 1_000)),
        ] {
            add(format!("{claim} at {odd}"), with(&claims, claim, odd));
        }
        for (what, payload) in [
            ("empty", String::new()),
            ("null", "null".into()),
            ("a list", "[]".into()),
            ("a text", "\"x\"".into()),
            ("open", text[..text.len() - 1].to_owned()),
            ("with more behind", format!("{text} x")),
            ("in a list", format!("[{text}]")),
            ("deep", format!("{}{}", "[".repeat(1000), "]".repeat(1000))),
        ] {
            add(format!("payload {what}"), payload);
        }
        let nested = self.token.clone();
        self.add_signed("a token in a token".into(), &header, &nested);
        let cty = with(&self.header, "cty", json!("JWT"));
        self.add_signed("a token in a token that says so".into(), &cty, &nested);
    }

    fn odd_forms(&mut self) {
        let token = self.token.clone();
        let parts: Vec<&str> = token.split('.').collect();
        let (head, body, signature) = (parts[0], parts[1], parts[2]);
        for cut in (0..token.len()).step_by(13) {
            self.add(format!("cut after {cut}"), &token[..cut]);
        }
        for at in (0..token.len()).step_by(17) {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            self.add(format!("changed at {at}"), bytes);
        }
        // The last character has four bits that mean nothing.
        let spare = match signature.as_bytes()[85] {
            b'A' => "B",
            b'Q' => "R",
            b'g' => "h",
            _ => "x",
        };
        for (what, odd) in [
            ("spare bits that are set", format!("{head}.{body}.{}{spare}", &signature[..85])),
            ("padded", format!("{token}=")),
            ("padded twice", format!("{token}==")),
            ("padded inside", format!("{head}=.{body}=.{signature}==")),
            ("a fourth part", format!("{token}.")),
            ("a fourth part with something", format!("{token}.{signature}")),
            ("five parts", format!("{token}..")),
            ("a part before", format!(".{token}")),
            ("two dots", format!("{head}..{body}.{signature}")),
            ("no dots", format!("{head}{body}{signature}")),
            ("nothing but dots", "..".to_owned()),
            ("one dot", ".".to_owned()),
            ("parts in another order", format!("{body}.{head}.{signature}")),
            ("no payload", format!("{head}..{signature}")),
            ("no header", format!(".{body}.{signature}")),
            ("a space inside", format!("{head}. {body}.{signature}")),
            ("a tab inside", format!("{head}.{body}.\t{signature}")),
            ("behind a comma", format!("x, {token}")),
            ("before a comma", format!("{token}, x")),
            ("twice", format!("{token} {token}")),
            ("twice with a comma", format!("{token},{token}")),
            ("in quotation marks", format!("\"{token}\"")),
            ("in angle brackets", format!("<{token}>")),
            ("named", format!("token={token}")),
            ("escaped", token.replace('.', "%2e")),
            ("fullwidth dots", token.replace('.', "\u{ff0e}")),
            ("a zero width space", format!("\u{200b}{token}")),
            (
                "another alphabet",
                format!(
                    "{head}.{body}.{}",
                    STANDARD.encode(URL_SAFE_NO_PAD.decode(signature).expect("base64"))
                ),
            ),
            ("as JSON", json!({ "protected": head, "payload": body, "signature": signature }).to_string()),
            ("encrypted, it says", format!("{head}.{body}.{signature}.{body}.{signature}")),
            ("capitals", token.to_uppercase()),
            ("small letters", token.to_lowercase()),
            ("backwards", token.chars().rev().collect()),
            ("a word", "token".to_owned()),
            ("null", "null".to_owned()),
            ("undefined", "undefined".to_owned()),
            ("emoji", "🌬🌬🌬".to_owned()),
        ] {
            self.add(what, odd);
        }
        for bytes in [&[0xff_u8; 40][..], b"\xc3\x28.\xc3\x28.\xc3\x28", b"\x80"] {
            self.add(format!("no text: {bytes:?}"), bytes);
        }
        for length in [4_097, 8_192, 30_000] {
            self.add(format!("{length} letters"), "A".repeat(length));
            let padded = with(&self.claims, "pad", json!("x".repeat(length)));
            let header = self.header.to_string();
            self.add_signed(format!("signed, with {length} letters of padding"), &header, &padded);
            self.add(
                format!("a signature of {length} letters"),
                format!("{head}.{body}.{}", "A".repeat(length)),
            );
        }
    }

    fn odd_signatures(&mut self) {
        let message = self.token.rsplit_once('.').expect("three parts").0.to_owned();
        let good = self.own.sign(message.as_bytes()).as_ref().to_vec();
        // The same point with the order of the group added to its scalar: a lax check takes both.
        let order = {
            let mut order = [0_u8; 32];
            order[..16].copy_from_slice(&0x14de_f9de_a2f7_9cd6_5812_631a_5cf5_d3ed_u128.to_le_bytes());
            order[31] = 0x10;
            order
        };
        let mut malleable = good.clone();
        let mut carry = 0_u16;
        for (byte, add) in malleable[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        let mut identity = vec![0; 64];
        identity[0] = 1;
        for (what, signature) in [
            ("all zero", vec![0; 64]),
            ("all ones", vec![0xff; 64]),
            ("the point of order one", identity),
            ("with the order added", malleable),
            ("cut by one", good[..63].to_vec()),
            ("longer by one", [good.clone(), vec![0]].concat()),
            ("of the half", good[..32].to_vec()),
            ("twice", good.repeat(2)),
            ("backwards", good.iter().rev().copied().collect()),
            ("of another text", self.own.sign(b"another text").as_ref().to_vec()),
            ("of the bare payload", self.own.sign(self.claims.to_string().as_bytes()).as_ref().to_vec()),
            ("of nothing", self.own.sign(b"").as_ref().to_vec()),
        ] {
            self.add(format!("signature {what}"), format!("{message}.{}", encoded(signature)));
        }
    }

    fn odd_requests(&mut self) {
        let token = self.token.clone();
        for scheme in [
            "",
            "Basic ",
            "Token ",
            "JWT ",
            "Digest ",
            "DPoP ",
            "MAC ",
            "Bearer",
            "Bearer:",
            "Bearer=",
            "Bearer\t",
            "Bearer Bearer ",
            "OAuth ",
            "\"Bearer\" ",
        ] {
            self.add_value(format!("scheme {scheme:?}"), format!("{scheme}{token}"));
        }
        for value in ["", "Bearer", "Bearer ", "Bearer  "] {
            self.add_value(format!("only {value:?}"), value);
        }
        let line = |token: &str| format!("Authorization: Bearer {token}\r\n");
        for (what, lines) in [
            ("the token twice", line(&token).repeat(2)),
            ("a good one and a bad one", format!("{}{}", line(&token), line("x"))),
            ("a bad one and a good one", format!("{}{}", line("x"), line(&token))),
            ("a good one and an empty one", format!("{}Authorization:\r\n", line(&token))),
            ("a good one and another scheme", format!("{}Authorization: Basic eDp5\r\n", line(&token))),
            ("another name", format!("X-Authorization: Bearer {token}\r\n")),
            ("a proxy's", format!("Proxy-Authorization: Bearer {token}\r\n")),
            ("a cookie", format!("Cookie: access_token={token}; Authorization=Bearer {token}\r\n")),
            ("a header of its own", format!("X-Access-Token: {token}\r\nAccess-Token: {token}\r\n")),
            ("none", String::new()),
        ] {
            assert!(self.corpus.insert(what.into(), lines.into_bytes()).is_none(), "{what}");
        }
    }
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
    forger.add("a session's id", forger.claims["sid"].as_str().expect("an id").to_owned());
    forger.add("a user's id", forger.claims["sub"].as_str().expect("an id").to_owned());
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
    forger.add("a token of a session that was ended", client.token().to_owned());
    let (gone, client) = world.user("gone").await;
    world.root.delete(&format!("/api/v1/users/{gone}")).await.expect(200);
    forger.add("a token of an archived user", client.token().to_owned());
    let elsewhere = World::start(&Arc::new(Backend::Sqlite)).await;
    forger.add("a token of another installation", elsewhere.root.token().to_owned());
}
