use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_800_000_000;
const USER: &str = "018f0000-0000-7000-8000-000000000001";
const SESSION: &str = "018f0000-0000-7000-8000-000000000002";
const TOKEN: &str = "018f0000-0000-7000-8000-000000000003";

fn ring(seeds: &[u8]) -> SecretKeys {
    let list: Vec<_> = seeds.iter().map(|seed| STANDARD.encode([*seed; 32])).collect();
    list.join(",").parse().expect("a ring")
}

fn tokens(seeds: &[u8]) -> AccessTokens {
    AccessTokens::new(&ring(seeds), "sitewatch", "sitewatch").expect("a signer")
}

fn claims() -> AccessClaims {
    AccessClaims {
        user: USER.parse().expect("an id"),
        session: SESSION.parse().expect("an id"),
        issued_at: Instant::from_secs(NOW),
        expires_at: Instant::from_secs(NOW + 600),
        token_id: TOKEN.parse().expect("a uuid"),
        refresh_counter: 3,
    }
}

fn at(offset: i64) -> Instant {
    Instant::from_secs(NOW + offset)
}

fn verify(token: &str) -> Result<AccessClaims, TokenFault> {
    tokens(&[1]).verify(token, at(1))
}

/// Signs any header and payload, as only the owner of the key can.
fn forge(header: &str, payload: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = key_pair(ring(&[1]).first()).expect("a key").sign(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn kid() -> String {
    ring(&[1]).first().fingerprint().to_owned()
}

fn header() -> Value {
    json!({"alg": "EdDSA", "typ": "at+jwt", "kid": kid()})
}

fn payload() -> Value {
    json!({
        "iss": "sitewatch", "aud": "sitewatch", "sub": USER, "sid": SESSION, "jti": TOKEN,
        "iat": NOW, "nbf": NOW, "exp": NOW + 600, "rc": 3,
    })
}

fn with(mut object: Value, key: &str, value: Value) -> String {
    object[key] = value;
    object.to_string()
}

fn without(mut object: Value, key: &str) -> String {
    object.as_object_mut().expect("an object").remove(key).expect("the key");
    object.to_string()
}

#[test]
fn a_signed_token_gives_its_claims_back() {
    let tokens = tokens(&[1]);
    let token = tokens.sign(&claims()).expect("signed");
    for _ in 0..2 {
        assert_eq!(tokens.verify(token.expose(), at(1)), Ok(claims()));
    }
    // What `forge` makes must be good itself, or the refusals below would prove nothing.
    assert_eq!(verify(&forge(&header().to_string(), &payload().to_string())), Ok(claims()));
}

#[test]
fn the_wire_form_is_as_documented() {
    let token = tokens(&[1]).sign(&claims()).expect("signed");
    let part = |index: usize| -> Value {
        let part = token.expose().split('.').nth(index).expect("a part");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("json")
    };
    assert_eq!((part(0), part(1)), (header(), payload()));
}

#[test]
fn times_are_checked_on_every_call() {
    let tokens = tokens(&[1]);
    let token = tokens.sign(&claims()).expect("signed");
    for (offset, expected) in [
        (0, Ok(claims())),
        (600, Err(TokenFault::Expired)),
        (599, Ok(claims())),
        (10_000, Err(TokenFault::Expired)),
        (-5, Ok(claims())),
        (-6, Err(TokenFault::Invalid)),
    ] {
        assert_eq!(tokens.verify(token.expose(), at(offset)), expected, "{offset} s after issue");
    }
}

#[test]
fn a_rotated_ring_still_checks_old_tokens() {
    let old = tokens(&[1]).sign(&claims()).expect("signed");
    let new = tokens(&[2, 1]).sign(&claims()).expect("signed");
    assert_eq!(tokens(&[2, 1]).verify(old.expose(), at(1)), Ok(claims()));
    assert_eq!(tokens(&[1, 2]).verify(new.expose(), at(1)), Ok(claims()));
    assert_eq!(tokens(&[2]).verify(old.expose(), at(1)), Err(TokenFault::Invalid));
    assert_eq!(tokens(&[1]).verify(new.expose(), at(1)), Err(TokenFault::Invalid));
}

#[test]
fn the_header_has_three_keys_and_nothing_else() {
    let header_text = header().to_string();
    let kid = kid();
    let mut headers = vec![
        with(header(), "alg", json!("none")),
        with(header(), "alg", json!("eddsa")),
        with(header(), "alg", json!("HS256")),
        with(header(), "typ", json!("JWT")),
        with(header(), "typ", json!("at+JWT")),
        with(header(), "typ", json!(null)),
        without(header(), "alg"),
        without(header(), "typ"),
        without(header(), "kid"),
        header_text.replacen('{', r#"{"alg":"EdDSA","#, 1),
        header_text.replacen('{', &format!(r#"{{"kid":"{kid}","#), 1),
        format!(r#"["EdDSA","at+jwt","{kid}"]"#),
        format!("{header_text}{{}}"),
        String::new(),
    ];
    for key in ["crit", "jku", "jwk", "x5u", "x5c", "x5t", "zip", "enc", "cty", "b64", "other"] {
        headers.push(with(header(), key, json!([])));
        headers.push(with(header(), key, json!("DEF")));
        headers.push(with(header(), key, json!(null)));
    }
    for kid in ["", "unknown", "../key", "a b", "a'--", "\0", &kid.to_uppercase(), &"k".repeat(33)] {
        headers.push(with(header(), "kid", json!(kid)));
    }
    headers.push(with(header(), "kid", json!(7)));
    for header in headers {
        assert_eq!(verify(&forge(&header, &payload().to_string())), Err(TokenFault::Invalid), "{header}");
    }
}

#[test]
fn every_claim_is_required_whole_and_single() {
    let text = payload().to_string();
    let mut payloads = vec![
        with(payload(), "iss", json!("elsewhere")),
        with(payload(), "aud", json!("elsewhere")),
        with(payload(), "aud", json!(["sitewatch"])),
        with(payload(), "sub", json!("nobody")),
        with(payload(), "exp", json!(NOW)),
        with(payload(), "exp", json!(NOW + 3601)),
        with(payload(), "exp", json!(u64::MAX)),
        with(payload(), "exp", json!(i64::MAX)),
        with(payload(), "iat", json!(NOW + 7)),
        with(payload(), "nbf", json!(NOW + 7)),
        with(payload(), "nbf", json!(NOW + 601)),
        with(payload(), "rc", json!("3")),
        format!("{text} x"),
        String::new(),
        "[]".to_owned(),
    ];
    for claim in ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "rc"] {
        payloads.push(without(payload(), claim));
        payloads.push(with(payload(), claim, json!(null)));
        payloads.push(text.replacen('{', &format!(r#"{{"{claim}":{},"#, payload()[claim]), 1));
    }
    for time in ["iat", "nbf", "exp"] {
        let value = payload()[time].as_i64().expect("a time");
        for odd in [json!(-1), json!(value.to_string()), json!([value]), json!(true)] {
            payloads.push(with(payload(), time, odd));
        }
        payloads.push(text.replace(&format!(r#""{time}":{value}"#), &format!(r#""{time}":{value}.0"#)));
        payloads.push(text.replace(&format!(r#""{time}":{value}"#), &format!(r#""{time}":1.8e9"#)));
    }
    for payload in payloads {
        let token = forge(&header().to_string(), &payload);
        assert_eq!(verify(&token), Err(TokenFault::Invalid), "{payload}");
    }
}

#[test]
fn only_a_token_in_perfect_order_is_merely_expired() {
    let expired =
        |payload: Value| tokens(&[1]).verify(&forge(&header().to_string(), &payload.to_string()), at(700));
    assert_eq!(expired(payload()), Err(TokenFault::Expired));
    let mut foreign = payload();
    foreign["iss"] = json!("elsewhere");
    assert_eq!(expired(foreign), Err(TokenFault::Invalid));
    let mut immortal = payload();
    immortal["iat"] = json!(NOW - 7200);
    assert_eq!(expired(immortal), Err(TokenFault::Invalid));
}

#[test]
fn a_claim_of_a_later_version_does_no_harm() {
    let token = forge(&header().to_string(), &with(payload(), "org", json!("x")));
    assert_eq!(verify(&token), Ok(claims()));
}

#[test]
fn a_changed_token_is_refused() {
    let tokens = tokens(&[1]);
    let signed = tokens.sign(&claims()).expect("signed");
    let good = signed.expose();
    assert!(tokens.verify(good, at(1)).is_ok());
    let (message, signature) = good.rsplit_once('.').expect("three parts");
    let (head, body) = message.split_once('.').expect("three parts");
    let swapped = URL_SAFE_NO_PAD.encode(with(payload(), "sub", json!(SESSION)));
    for changed in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        format!("{message}."),
        message.to_owned(),
        good[..good.len() - 2].to_owned(),
        format!("{good}A"),
        format!("{good}="),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{head}.{swapped}.{signature}"),
        format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode([0; 64])),
        format!("{}.{body}.{signature}", URL_SAFE_NO_PAD.encode(with(header(), "alg", json!("none")))),
        format!("{message}.{}", "A".repeat(MAX_LENGTH)),
    ] {
        assert_eq!(tokens.verify(&changed, at(1)), Err(TokenFault::Invalid), "{changed}");
    }
}

#[test]
fn the_public_key_is_no_secret_of_another_algorithm() {
    let key = key_pair(ring(&[1]).first()).expect("a key");
    let secret = EncodingKey::from_secret(key.public_key().as_ref());
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some(kid());
    let token = jsonwebtoken::encode(&header, &payload(), &secret).expect("a forgery");
    assert_eq!(verify(&token), Err(TokenFault::Invalid));
    // The same, with a header that claims the right algorithm.
    let (_, rest) = token.split_once('.').expect("three parts");
    let head = URL_SAFE_NO_PAD.encode(self::header().to_string());
    assert_eq!(verify(&format!("{head}.{rest}")), Err(TokenFault::Invalid));
}

#[test]
fn a_long_token_is_not_even_read() {
    let token = forge(&header().to_string(), &with(payload(), "pad", json!("x".repeat(MAX_LENGTH))));
    assert_eq!(verify(&token), Err(TokenFault::Invalid));
}

#[test]
fn another_issuer_or_audience_is_another_installation() {
    let token = tokens(&[1]).sign(&claims()).expect("signed");
    for (issuer, audience) in [("other", "sitewatch"), ("sitewatch", "other")] {
        let elsewhere = AccessTokens::new(&ring(&[1]), issuer, audience).expect("a signer");
        assert_eq!(elsewhere.verify(token.expose(), at(1)), Err(TokenFault::Invalid));
    }
}

#[test]
fn only_well_signed_tokens_are_remembered() {
    let tokens = tokens(&[1]);
    let good = tokens.sign(&claims()).expect("signed");
    for _ in 0..3 {
        assert!(tokens.verify(good.expose(), at(1)).is_ok());
        assert!(tokens.verify(&format!("{}A", good.expose()), at(1)).is_err());
    }
    tokens.verified.run_pending_tasks();
    assert_eq!(tokens.verified.entry_count(), 1);
}

#[test]
fn a_time_before_1970_cannot_be_signed() {
    let before = AccessClaims { issued_at: Instant::from_secs(-1), ..claims() };
    assert!(tokens(&[1]).sign(&before).is_err());
}

#[test]
fn the_key_set_holds_the_public_half_of_every_key() {
    let set: Value = serde_json::from_str(&tokens(&[2, 1]).jwks()).expect("json");
    let expected: Vec<Value> = ring(&[2, 1])
        .iter()
        .map(|key| {
            let public = key_pair(key).expect("a key").public_key().as_ref().to_vec();
            json!({
                "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
                "kid": key.fingerprint(), "x": URL_SAFE_NO_PAD.encode(public),
            })
        })
        .collect();
    assert_eq!(set, json!({"keys": expected}));
}
