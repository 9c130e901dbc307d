//! Tokens that say something wrong, or that somebody else has signed.

use aws_lc_rs::{hmac, signature::KeyPair as _};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Forger, encoded, signed, with, without};

impl Forger {
    pub(super) fn odd_algorithms(&mut self) {
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
    pub(super) fn macs_with_public_things(&mut self, jwks: &str, secret: &str) {
        let public = self.own.public_key().as_ref().to_vec();
        let der = [b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00".as_slice(), &public].concat();
        let pem =
            format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&der));
        let keys: [(&str, Vec<u8>); 10] = [
            ("the public key", public.clone()),
            ("its base64", STANDARD.encode(&public).into_bytes()),
            ("its base64url", encoded(&public).into_bytes()),
            ("its bytes in words", format!("{public:02x?}").into_bytes()),
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

    pub(super) fn odd_headers(&mut self) {
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
    pub(super) fn strange_keys(&mut self) {
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

    pub(super) fn odd_claims(&mut self) {
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
}
