//! What of a URL may be shown.

use percent_encoding::percent_decode_str;
use url::Url;

/// What stands in place of a secret.
pub(super) const MASK: &str = "***";

/// So many characters are a piece of no other word by chance.
const LONG_SECRET: usize = 8;

/// Parameters of URLs that hold no secret and help whoever reads the line.
const HARMLESS: [&str; 11] = [
    "host",
    "port",
    "dbname",
    "user",
    "sslmode",
    "mode",
    "application_name",
    "tls",
    "timeout_s",
    "node",
    "db",
];

/// A URL fit for logs, banners and errors: password, unknown parameters and fragment are masked or left out; a text that is
/// not safely a URL is masked as a whole.
pub fn masked_url(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else { return MASK.to_owned() };
    if may_hide_a_password(&url) {
        return MASK.to_owned();
    }
    url.set_fragment(None);
    if url.password().is_some() && url.set_password(Some(MASK)).is_err() {
        return MASK.to_owned();
    }
    let query = url.query_pairs().map(masked_pair).collect::<Vec<_>>().join("&");
    url.set_query((!query.is_empty()).then_some(&query));
    url.into()
}

fn masked_pair((name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)) -> String {
    let shown = if HARMLESS.contains(&name.as_ref()) { value.as_ref() } else { MASK };
    format!("{name}={shown}")
}

/// Whether an `@` stands behind the host: then an unescaped `/`, `?` or `#` of a password has ended the host too early, and
/// what looks like host, port and path is a part of the password.
pub(super) fn may_hide_a_password(url: &Url) -> bool {
    url.path().contains('@')
        || url.query().is_some_and(|query| query.contains('@'))
        || url.fragment().is_some_and(|fragment| fragment.contains('@'))
}

/// A text from elsewhere, such as a driver's error, without the secrets of the URL it was about.
pub(crate) fn scrubbed(text: &str, url: &str) -> String {
    let mut clean = text.replace(url, &masked_url(url));
    let Ok(url) = Url::parse(url) else { return MASK.to_owned() };
    let mut secrets: Vec<String> = url
        .query_pairs()
        .filter(|(name, _)| !HARMLESS.contains(&name.as_ref()))
        .map(|(_, value)| value.into_owned())
        .collect();
    if let Some(password) = url.password() {
        secrets.push(password.to_owned());
        secrets.push(percent_decode_str(password).decode_utf8_lossy().into_owned());
    }
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        clean = without(&clean, secret);
    }
    clean
}

/// The text without a secret. One that is as short as the pieces of other words is looked for as a word of its own.
fn without(text: &str, secret: &str) -> String {
    let is_long = secret.chars().count() >= LONG_SECRET;
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(secret) {
        clean.push_str(before);
        let is_word = !(continues(clean.chars().next_back(), secret.chars().next())
            || continues(secret.chars().next_back(), after.chars().next()));
        clean.push_str(if is_long || is_word { MASK } else { secret });
        rest = after;
    }
    clean.push_str(rest);
    clean
}

/// Whether two characters side by side belong to one word.
fn continues(left: Option<char>, right: Option<char>) -> bool {
    left.zip(right).is_some_and(|(left, right)| left.is_alphanumeric() && right.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_masked_and_the_rest_is_told() {
        let shown = masked_url(
            "postgres://bob:hun%40ter2@db.example.org:5433/sw?sslmode=require&sslpassword=hunter2",
        );
        assert_eq!(shown, "postgres://bob:***@db.example.org:5433/sw?sslmode=require&sslpassword=***");
        assert_eq!(masked_url("postgres:///sw?host=/run/postgresql"), "postgres:///sw?host=/run/postgresql");
        assert_eq!(masked_url("redis://:hunter2@cache"), "redis://:***@cache");
    }

    #[test]
    fn an_unescaped_password_is_not_shown_in_parts() {
        for odd in [
            "postgres://u:12/34@h/db",
            "postgres://u:12?34@h/db",
            "postgres://u:12#34@h/db",
            "hunter2",
            "postgres://u:a/b@h/db",
        ] {
            assert_eq!(masked_url(odd), MASK, "{odd}");
        }
    }

    #[test]
    fn a_drivers_words_lose_the_password_in_every_spelling() {
        let url = "postgres://bob:hun%40ter2@h/db?sslpassword=other";
        let clean = scrubbed(&format!("{url}: hun@ter2, hun%40ter2 and other were refused"), url);
        assert_eq!(clean, "postgres://bob:***@h/db?sslpassword=***: ***, *** and *** were refused");
        assert_eq!(scrubbed("bad u:12/34@h", "not a url"), MASK);
    }

    #[test]
    fn a_short_password_is_masked_where_it_stands_alone() {
        let url = "postgres://bob:a@h/db";
        assert_eq!(
            scrubbed("password \"a\" of bob was rejected, a=a", url),
            "password \"***\" of bob was rejected, ***=***"
        );
        let url = "postgres://bob:refuse@h/db";
        assert_eq!(scrubbed("connection refused: refuse", url), "connection refused: ***");
        let url = "postgres://bob:longpassword@h/db";
        assert_eq!(scrubbed("xlongpasswordx", url), "x***x");
    }
}
