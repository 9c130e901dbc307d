//! The command-line flags that change settings.

use std::{convert::Infallible, path::PathBuf, process::Command};

use sitewatch_domain::text::Secret;

use super::settings;

/// Flags that win over environment, file and defaults. All are global, so they may stand before or after the command.
///
/// Values are kept as text, so that their faults are reported together with those of the file and the environment.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Settings")]
pub struct Overrides {
    /// Settings file, instead of `sitewatch.toml` in the working directory
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address and port of the API, like 127.0.0.1:8080
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    pub bind: Option<String>,
    /// Folder for the SQLite database, secrets and report files
    #[arg(long, global = true, value_name = "FOLDER")]
    pub data_dir: Option<String>,
    /// Database: postgres://… or sqlite:path
    #[arg(long, global = true, value_name = "URL", value_parser = secret)]
    pub database_url: Option<Secret<String>>,
    /// What is logged, like info or info,sitewatch_http=debug
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,
    /// How log lines are written: json or text
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// Any other setting by its file key; may be repeated
    #[arg(long, global = true, value_name = "SECTION.KEY=VALUE", value_parser = secret)]
    pub set: Vec<Secret<String>>,
}

impl Overrides {
    /// Hands the same settings to another process of this program. Those that may be secret go through its environment, since
    /// anybody can read the arguments of a process.
    pub(crate) fn hand_on(&self, command: &mut Command) {
        let plain = [
            ("--bind", &self.bind),
            ("--data-dir", &self.data_dir),
            ("--log", &self.log),
            ("--log-format", &self.log_format),
        ];
        if let Some(path) = &self.config {
            command.arg("--config").arg(path);
        }
        for (flag, value) in plain {
            if let Some(value) = value {
                command.arg(flag).arg(value);
            }
        }
        let url =
            self.database_url.as_ref().map(|url| (settings::DATABASE_URL.setting.key, url.expose().as_str()));
        let set = self.set.iter().filter_map(|setting| setting.expose().split_once('='));
        for (key, value) in url.into_iter().chain(set) {
            let Some(found) = settings::by_key(key) else { continue };
            // The variable and its twin that names a file exclude each other, and what a flag says wins over both.
            for variable in found.variables() {
                command.env_remove(variable);
            }
            command.env(found.variable(), value);
        }
    }

    /// Adds a setting as `--set` does.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.set.push(Secret::new(format!("{key}={value}")));
        self
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the signature is clap's; refusing a text here would print it")]
fn secret(text: &str) -> Result<Secret<String>, Infallible> {
    Ok(Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;

    #[test]
    fn another_process_gets_secrets_through_its_environment() {
        let flags = Overrides { bind: Some("127.0.0.1:0".into()), ..Overrides::default() };
        let flags = flags.with("security.secret_key", "a secret").with("admin.password_file", "a file");
        let mut command = Command::new("sitewatch-api");
        flags.hand_on(&mut command);
        let arguments: Vec<_> = command.get_args().collect();
        assert_eq!(arguments, ["--bind", "127.0.0.1:0"]);
        let mut variables: Vec<_> = command.get_envs().map(|(name, value)| (name.to_str(), value)).collect();
        variables.sort_unstable();
        let value = |text: &'static str| Some(std::ffi::OsStr::new(text));
        let expected = [
            (Some("SITEWATCH_ADMIN_PASSWORD"), None),
            (Some("SITEWATCH_ADMIN_PASSWORD_FILE"), value("a file")),
            (Some("SITEWATCH_SECRET_KEY"), value("a secret")),
            (Some("SITEWATCH_SECRET_KEY_FILE"), None),
        ];
        assert_eq!(variables, expected);
    }

    #[test]
    fn flags_stand_before_or_after_a_command() {
        let command = || {
            Overrides::augment_args(clap::Command::new("sitewatch-api"))
                .subcommand(clap::Command::new("serve"))
        };
        command().debug_assert();
        let parsed = |line: &str| {
            let matches = command().try_get_matches_from(line.split(' ')).expect("legal flags");
            Overrides::from_arg_matches(&matches).expect("flags")
        };
        let flags =
            parsed("sitewatch-api --bind 127.0.0.1:0 --set log.filter=warn --set admin.email=a@b serve");
        assert_eq!(flags.bind.as_deref(), Some("127.0.0.1:0"));
        assert_eq!(flags.set.len(), 2);
        let flags =
            parsed("sitewatch-api serve --database-url sqlite:x.db --config a.toml --log-format json");
        assert_eq!(flags.database_url.expect("given").expose(), "sqlite:x.db");
        assert_eq!((flags.config, flags.log_format.as_deref()), (Some("a.toml".into()), Some("json")));
    }
}
