//! One way to write a value down, whatever a database made of its spelling: PostgreSQL orders the keys of an object and writes
//! numbers out, SQLite keeps the text as it was.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::Digest;

/// Nobody writes anything that lies as deep; what does is taken as it is spelled.
const DEEPEST: usize = 100;

/// Bytes in which no two lists of fields look alike: each field says how long it is.
#[derive(Debug, Default)]
pub(crate) struct Canonical(Vec<u8>);

impl Canonical {
    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Their SHA-256.
    pub(crate) fn digest(&self) -> Digest {
        Sha256::digest(&self.0).into()
    }

    pub(crate) fn field(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn maybe(&mut self, bytes: Option<&[u8]>) -> &mut Self {
        match bytes {
            None => {
                self.0.push(0);
                self
            }
            Some(bytes) => {
                self.0.push(1);
                self.field(bytes)
            }
        }
    }

    /// A JSON text; one that is none, as it is.
    pub(crate) fn json(&mut self, text: Option<&str>) -> &mut Self {
        let Some(text) = text else { return self.maybe(None) };
        self.0.push(1);
        self.value(text, 0);
        self
    }

    fn count(&mut self, count: usize) {
        self.0.extend_from_slice(&u64::try_from(count).unwrap_or(u64::MAX).to_be_bytes());
    }

    fn value(&mut self, text: &str, depth: usize) {
        if self.try_value(text.trim(), depth).is_none() {
            self.0.push(b'?');
            self.field(text.as_bytes());
        }
    }

    fn try_value(&mut self, text: &str, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match text.as_bytes().first()? {
            b'{' => {
                let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
                self.0.push(b'{');
                self.count(fields.len());
                for (name, value) in fields {
                    self.field(name.as_bytes());
                    self.value(value.get(), depth + 1);
                }
            }
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                self.0.push(b'[');
                self.count(items.len());
                for item in items {
                    self.value(item.get(), depth + 1);
                }
            }
            b'"' => {
                let string: String = serde_json::from_str(text).ok()?;
                self.0.push(b'"');
                self.field(string.as_bytes());
            }
            _ if matches!(text, "null" | "true" | "false") => {
                self.0.push(b'w');
                self.field(text.as_bytes());
            }
            _ => {
                let number = decimal(text)?;
                self.0.push(b'#');
                self.field(number.as_bytes());
            }
        }
        Some(())
    }
}

/// A number as its digits, without zeros at either end, and its power of ten. Read digit by digit: a floating-point number
/// may come back from another spelling as its neighbour.
fn decimal(text: &str) -> Option<String> {
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if whole.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let exponent: i64 = exponent.parse().ok()?;
    let significant = digits.trim_end_matches('0');
    let places = i64::try_from(fraction.len()).ok()?;
    let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
    let power = exponent.checked_sub(places)?.checked_add(zeros)?;
    match significant.trim_start_matches('0') {
        "" => Some("0".to_owned()),
        significant => Some(format!("{sign}{significant}e{power}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        let mut canonical = Canonical::default();
        canonical.json(Some(text));
        canonical.0
    }

    #[test]
    fn spelling_is_no_difference() {
        for (one, other) in [
            (r#"{"b":1,"a":[true,null]}"#, "{ \"a\" : [true,\n null], \"b\": 1 }"),
            ("1e300", &format!("1{}", "0".repeat(300))),
            ("5e-324", &format!("0.{}5", "0".repeat(323))),
            ("1.0", "1"),
            ("-0.0", "0"),
            ("1E+2", "100.00"),
            ("0.30000000000000004", "30000000000000004e-17"),
            (r#""\u00e9\n""#, "\"é\\n\""),
        ] {
            assert_eq!(bytes(one), bytes(other), "{one} {other}");
        }
    }

    #[test]
    fn every_other_difference_is_one() {
        let texts = [
            "null",
            "true",
            "false",
            "0",
            "1",
            "-1",
            "10",
            "0.1",
            r#""""#,
            r#""0""#,
            r#""null""#,
            "[]",
            "[0]",
            "[[]]",
            "[0,1]",
            "[1,0]",
            "[01]",
            "{}",
            r#"{"a":0}"#,
            r#"{"a":1}"#,
            r#"{"b":0}"#,
            r#"{"a":0,"b":0}"#,
            r#"{"a":{"b":0}}"#,
            "0.30000000000000004",
            "0.3",
            "9007199254740993",
            "9007199254740992",
            "1e5",
            "1e",
            ".5",
            "--1",
            "not json",
            "{\"a\":0",
            "",
            "12345678901234567890123",
        ];
        for (index, one) in texts.iter().enumerate() {
            for other in &texts[..index] {
                assert_ne!(bytes(one), bytes(other), "{one} {other}");
            }
        }
        let deep = "[".repeat(100_000);
        assert_ne!(bytes(&deep), bytes(&format!("{deep}{}", "]".repeat(100_000))));
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        let two = |one: &[u8], other: &[u8]| Canonical::default().field(one).field(other).0.clone();
        assert_ne!(two(b"ab", b"c"), two(b"a", b"bc"));
        let (mut none, mut empty) = (Canonical::default(), Canonical::default());
        assert_ne!(none.maybe(None).0, empty.maybe(Some(b"")).0);
    }
}
