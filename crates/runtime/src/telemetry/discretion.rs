//! What no line of the log shows, whoever wrote it: keys, tokens, and the passwords of URLs.
//!
//! The second wall. The first is that nobody logs them: secrets are of types that do not show themselves.

use std::borrow::Cow;

/// What stands in their place.
const MASK: &str = "***";
/// What keys and tokens of ours begin with, JSON Web Tokens included.
const TOKENS: [&str; 5] = ["swk_", "mdk_", "rt1.", "inv_", "eyJ"];
/// What follows these is shown to a server by whoever knows it.
const SCHEMES: [&str; 2] = ["bearer ", "basic "];
/// A text that begins like a token and goes on for less is none.
const SHORTEST: usize = 16;

/// A text without what nobody else may know.
pub(super) fn discreet(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((secret, shown_instead)) = next_secret(rest) {
        let (before, from) = rest.split_at(secret.start);
        shown.push_str(before);
        shown.push_str(shown_instead);
        shown.push_str(MASK);
        rest = from.get(secret.end - secret.start..).unwrap_or_default();
    }
    if shown.is_empty() && rest.len() == text.len() {
        return Cow::Borrowed(text);
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// Where the first secret of a text lies, and what of it may be seen.
fn next_secret(text: &str) -> Option<(std::ops::Range<usize>, &str)> {
    let found = [next_token(text), next_shown(text), next_password(text)];
    found.into_iter().flatten().min_by_key(|(range, _)| range.start)
}

fn next_token(text: &str) -> Option<(std::ops::Range<usize>, &str)> {
    let starts = TOKENS.into_iter().flat_map(|mark| text.match_indices(mark));
    let tokens = starts.filter_map(|(start, mark)| {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let goes_on = text.as_bytes().get(..start)?.last().is_some_and(is_word);
        let length = run(text.get(start + mark.len()..)?, |byte| is_word(&byte) || b"-.+/=".contains(&byte));
        let is_token = !goes_on && length >= SHORTEST;
        is_token.then_some((start..start + mark.len() + length, mark))
    });
    tokens.min_by_key(|(range, _)| range.start)
}

fn next_shown(text: &str) -> Option<(std::ops::Range<usize>, &str)> {
    let schemes = SCHEMES.into_iter().flat_map(|scheme| {
        let ends = scheme.len()..=text.len();
        ends.filter(move |end| {
            text.as_bytes()
                .get(end - scheme.len()..*end)
                .is_some_and(|word| word.eq_ignore_ascii_case(scheme.as_bytes()))
        })
    });
    let shown = schemes.filter_map(|start| {
        let length = run(text.get(start..)?, |byte| byte.is_ascii_graphic() && byte != b'"');
        (length >= SHORTEST).then_some((start..start + length, ""))
    });
    shown.min_by_key(|(range, _)| range.start)
}

/// The password of a URL.
fn next_password(text: &str) -> Option<(std::ops::Range<usize>, &str)> {
    text.match_indices("://").find_map(|(at, mark)| {
        let start = at + mark.len();
        let authority = text.get(start..)?;
        let length = run(authority, |byte| !byte.is_ascii_whitespace() && !b"/?#\"'".contains(&byte));
        let (user, _host) = authority.get(..length)?.rsplit_once('@')?;
        let (name, password) = user.split_once(':')?;
        let start = start + name.len() + 1;
        (!password.is_empty() && password != MASK).then_some((start..start + password.len(), ""))
    })
}

fn run(text: &str, belongs: impl Fn(u8) -> bool) -> usize {
    text.bytes().position(|byte| !belongs(byte)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_where_they_stand() {
        for (text, shown) in [
            ("key swk_0123456789_abcdefghijklmnop!", "key swk_***!"),
            ("token=eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "token=eyJ***"),
            ("rt1.AAAAAAAAAAAAAAAAAAAA and inv_BBBBBBBBBBBBBBBBBBBB", "rt1.*** and inv_***"),
            ("authorization: BEARER 0123456789abcdef", "authorization: BEARER ***"),
            ("Basic dXNlcjpwYXNzd29yZA==", "Basic ***"),
            ("Basic dXNlcjpwYXNzd29yZA== then Bearer 0123456789abcdef", "Basic *** then Bearer ***"),
            ("at postgres://app:s3cr@t@db/x?a=b of", "at postgres://app:***@db/x?a=b of"),
            ("redis://:hidden@cache and smtp://u:p@m", "redis://:***@cache and smtp://u:***@m"),
        ] {
            assert_eq!(discreet(text), shown);
        }
    }

    #[test]
    fn what_is_no_secret_stays_as_it_is() {
        for text in [
            "",
            "/api/v1/sites/{site_id}",
            "swk_short",
            "keyJungle_0123456789abcdef",
            "postgres://app@db/x",
            "postgres://app:***@db/x",
            "basic facts",
            "é://à:",
            "the bearer of bad news",
        ] {
            assert!(matches!(discreet(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }
}
