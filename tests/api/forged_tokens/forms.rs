//! Tokens, signatures and requests of another form.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::json;

use super::{Forger, encoded, with};

impl Forger {
    pub(super) fn odd_forms(&mut self) {
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

    pub(super) fn odd_signatures(&mut self) {
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

    pub(super) fn odd_requests(&mut self) {
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
