//! "Did you mean …?" for names that are not settings.

use super::settings::{CONFIG_VARIABLE, PREFIX, SETTINGS, Setting};

/// Below this likeness a suggestion would puzzle more than help.
const ALIKE: f64 = 0.7;

/// The candidate most like the text, if one is like it at all.
pub(super) fn nearest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::normalized_damerau_levenshtein(text, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

/// The file key that somebody meant who wrote `name`: the right word in another section, the environment's word in lower case,
/// or a slip of the pen.
pub(super) fn key(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let word = lower.rsplit('.').next().unwrap_or(&lower);
    let says = |setting: &&&Setting| setting.key == lower || variable_word(setting) == word;
    if let Some(setting) = SETTINGS.iter().find(says) {
        return Some(setting.key.to_owned());
    }
    let mut same_word = SETTINGS.iter().filter(|setting| last_word(setting.key) == word);
    if let (Some(setting), None) = (same_word.next(), same_word.next()) {
        return Some(setting.key.to_owned());
    }
    // A table under a known key, such as `[server.bind]`.
    if let Some(setting) = SETTINGS.iter().find(|setting| lower.starts_with(&format!("{}.", setting.key))) {
        return Some(setting.key.to_owned());
    }
    let spellings = spellings(|setting| setting.key.to_owned(), "_file");
    if let Some(whole) = nearest(&lower, spellings.iter().map(String::as_str)) {
        return Some(whole.to_owned());
    }
    let words = SETTINGS.iter().map(|setting| last_word(setting.key));
    let alike = nearest(word, words)?;
    SETTINGS.iter().find(|setting| last_word(setting.key) == alike).map(|setting| setting.key.to_owned())
}

/// The environment variable that somebody meant who wrote `name`.
pub(super) fn variable(name: &str) -> Option<String> {
    let upper = name.to_uppercase();
    let word = upper.strip_prefix(PREFIX).unwrap_or(&upper);
    // The file's section and key, as many other programs name their variables.
    let sectioned = |setting: &&&Setting| setting.key.replace('.', "_").to_uppercase() == word;
    if let Some(setting) = SETTINGS.iter().find(sectioned) {
        return Some(setting.env.to_owned());
    }
    if let Some(setting) = SETTINGS.iter().find(|setting| upper == format!("{}_FILE", setting.env)) {
        return Some(setting.env.to_owned());
    }
    let mut spellings = spellings(|setting| setting.env.to_owned(), "_FILE");
    spellings.push(CONFIG_VARIABLE.to_owned());
    // The common prefix would make any two names alike.
    let words = spellings.iter().filter_map(|spelling| spelling.strip_prefix(PREFIX));
    nearest(word, words).map(|found| format!("{PREFIX}{found}"))
}

fn spellings(named: fn(&Setting) -> String, suffix: &str) -> Vec<String> {
    let both = |setting: &&'static Setting| {
        let direct = named(setting);
        let by_file = setting.is_secret().then(|| format!("{direct}{suffix}"));
        std::iter::once(direct).chain(by_file)
    };
    SETTINGS.iter().flat_map(both).collect()
}

fn last_word(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

fn variable_word(setting: &Setting) -> String {
    setting.env.strip_prefix(PREFIX).unwrap_or(setting.env).to_lowercase()
}

#[cfg(test)]
mod tests {
    #[test]
    fn slips_and_other_habits_lead_to_the_key() {
        for (written, meant) in [
            ("server.bnd", "server.bind"),
            ("bind", "server.bind"),
            ("database_url", "database.url"),
            ("sever.bind", "server.bind"),
            ("database.smtp_url", "mail.smtp_url"),
            ("Server.Bind", "server.bind"),
            ("server.bind.port", "server.bind"),
            ("security.secret_key_fil", "security.secret_key_file"),
        ] {
            assert_eq!(super::key(written).as_deref(), Some(meant), "{written}");
        }
        assert_eq!(super::key("colour.of_the_sky"), None);
    }

    #[test]
    fn slips_and_other_habits_lead_to_the_variable() {
        for (written, meant) in [
            ("SITEWATCH_BIN", "SITEWATCH_BIND"),
            ("SITEWATCH_SERVER_BIND", "SITEWATCH_BIND"),
            ("SITEWATCH_DATABASE_ULR", "SITEWATCH_DATABASE_URL"),
            ("SITEWATCH_BIND_FILE", "SITEWATCH_BIND"),
            ("SITEWATCH_SECRETKEY_FILE", "SITEWATCH_SECRET_KEY_FILE"),
            ("SITEWATCH_CONFG", "SITEWATCH_CONFIG"),
        ] {
            assert_eq!(super::variable(written).as_deref(), Some(meant), "{written}");
        }
        assert_eq!(super::variable("SITEWATCH_MOON_PHASE"), None);
    }
}
