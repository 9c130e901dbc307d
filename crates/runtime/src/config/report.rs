//! What `config show` and `config check` print.

use std::fmt::Write as _;

use super::{
    Loaded,
    settings::{SETTINGS, Setting},
};

impl Loaded {
    /// Every setting with its value and origin, secrets masked, in the order and notation of the settings file.
    pub fn show(&self) -> String {
        let file = self.file.as_ref().map_or_else(|| "none".to_owned(), |path| path.display().to_string());
        let mut text = format!("# settings file: {file}\n");
        let mut section = "";
        for setting in SETTINGS {
            let Some((its_section, name)) = setting.key.split_once('.') else { continue };
            if its_section != section {
                section = its_section;
                let _ = writeln!(text, "\n[{section}]");
            }
            let _ = writeln!(text, "{}", self.line(setting, name));
        }
        text
    }

    fn line(&self, setting: &Setting, name: &str) -> String {
        let entry = self.entries.get(setting.key);
        let origin = entry.map_or_else(|| "not set".to_owned(), |entry| entry.origin.to_string());
        let left = match entry.and_then(|entry| entry.shown.as_ref()) {
            Some(shown) => format!("{name} = {shown}"),
            None => format!("# {name} is not set"),
        };
        format!("{left:<44} # {origin}; {}", setting.doc)
    }

    /// What is legal and hardly meant: settings that leave nobody in; one sentence each.
    pub fn notes(&self) -> Vec<String> {
        let server = &self.config.server;
        let shuts_out = server.require_https && server.trusted_proxies.is_empty();
        let shut_out = shuts_out.then(|| {
            "server.require_https refuses every request, since HTTPS comes through a proxy and server.trusted_proxies names none"
                .to_owned()
        });
        shut_out.into_iter().collect()
    }

    /// That the settings are in order, followed by the notes; one line each.
    pub fn check(&self) -> String {
        let mut text = "ok: the settings are in order\n".to_owned();
        for note in self.notes() {
            let _ = writeln!(text, "note: {note}");
        }
        text
    }
}
