//! What a good password is: long enough, and not among those that are tried first.

use unicode_normalization::UnicodeNormalization as _;
use zxcvbn::{Score, zxcvbn};

use super::MAX_LENGTH;
use crate::text::Secret;

/// The word that everybody tries here.
const OWN_NAME: &str = "sitewatch";
/// Shorter parts of names tell nothing.
const SHORTEST_WORD: usize = 3;

/// The password in the form in which it is hashed and compared.
pub(super) fn normalized(password: &Secret<String>) -> Secret<String> {
    Secret::new(password.expose().nfc().collect())
}

/// What is wrong with a password, if anything is. `about` are names and addresses of its user: they and their parts count as guessed.
///
/// The estimate is that of zxcvbn: fewer than 10⁸ guesses are too few.
pub(super) fn fault(password: &Secret<String>, min_length: usize, about: &[&str]) -> Option<String> {
    let password = normalized(password);
    if !(min_length..=MAX_LENGTH).contains(&password.expose().chars().count()) {
        return Some(format!("must be {min_length} to {MAX_LENGTH} characters long"));
    }
    let words = words_of(about);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let estimate = zxcvbn(password.expose(), &words);
    if estimate.score() >= Score::Three {
        return None;
    }
    let warning = estimate.feedback().and_then(zxcvbn::feedback::Feedback::warning);
    let why = warning.map(|warning| format!(" ({})", warning.to_string().trim_end_matches('.')));
    Some(format!(
        "is too easy to guess{}; add words that have nothing to do with each other or with you",
        why.unwrap_or_default()
    ))
}

/// Names as they are, and their parts.
fn words_of(about: &[&str]) -> Vec<String> {
    let mut words = vec![OWN_NAME.to_owned()];
    for text in about {
        let text = text.to_lowercase();
        let parts = text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned);
        let local = text.rsplit_once('@').map_or_else(String::new, |(local, _)| local.to_owned());
        let joined: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
        words.extend(
            parts.chain([joined, local, text.clone()]).filter(|word| word.chars().count() >= SHORTEST_WORD),
        );
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_of(password: &str, about: &[&str]) -> Option<String> {
        fault(&Secret::new(password.to_owned()), 12, about)
    }

    #[test]
    fn long_and_odd_enough_is_good() {
        for good in [
            "correct horse battery",
            "plum tandem gravel",
            "x8#kQ!pz2vL@",
            "Übermäßig späte Ölmühle",
            "日本語でパスワードを書く人",
        ] {
            assert_eq!(fault_of(good, &["ada@example.org", "Ada Lovelace"]), None, "{good}");
        }
    }

    #[test]
    fn what_is_tried_first_is_not() {
        for bad in [
            "passwordpassword",
            "aaaaaaaaaaaaaaaa",
            "123456789012",
            "qwertyuiop12",
            "sitewatch2026",
            "sitewatchsitewatch",
        ] {
            let fault = fault_of(bad, &[]).unwrap_or_else(|| panic!("{bad}"));
            assert!(fault.contains("too easy to guess") && !fault.contains(bad), "{fault}");
        }
        let about = ["wilhelmina.bergstrasse", "Wilhelmina Bergstraße", "Quarkwerke Nordheim"];
        for bad in ["wilhelmina.bergstrasse", "bergstrasse12", "quarkwerke2026", "NordheimQuarkwerke"] {
            assert!(fault_of(bad, &about).is_some(), "{bad}");
        }
    }

    #[test]
    fn length_is_counted_in_letters_however_they_are_typed() {
        let composed = "é".repeat(11);
        let decomposed = "e\u{301}".repeat(11);
        assert_eq!(fault_of(&composed, &[]), fault_of(&decomposed, &[]));
        assert!(fault_of(&decomposed, &[]).expect("11 letters").contains("12 to 1024"));
        assert!(fault_of(&"plum tandem gravel ".repeat(60), &[]).expect("too long").contains("12 to 1024"));
        assert_eq!(normalized(&Secret::new(decomposed)), normalized(&Secret::new(composed)),);
    }
}
