//! Settings: embedded defaults < TOML file < `SITEWATCH_…` environment < flags.
//!
//! One table ([`settings`]) names every setting; [`layers`] collects their texts, [`resolve`] turns the texts into a
//! [`Config`] and holds the values against each other. Whatever is wrong is found in one go and reported together, each fault
//! with its key, its origin, what is wrong and what would be right, and never with the value of a secret. Nothing outside of
//! this module reads the environment.

mod faults;
mod file;
mod layers;
mod mask;
mod overrides;
mod report;
mod resolve;
mod settings;
mod suggest;
#[cfg(test)]
mod tests;
mod types;
mod values;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

pub use faults::{ConfigFaults, Fault, Origin};
pub use mask::masked_url;
pub(crate) use mask::scrubbed;
pub use overrides::Overrides;
pub use types::{
    Cache, Config, Database, DatabaseTarget, Environment, FirstAdmin, Jobs, Limits, Log, LogFormat, Mail,
    Redis, ReportStore, Reports, Security, Server, Storage, Traces,
};

/// The commented settings file that documents every setting and holds the defaults.
pub const DEFAULT_FILE: &str = layers::DEFAULTS;

/// The settings of this process, and where each came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// The settings file that was read, as it was named.
    pub file: Option<PathBuf>,
    entries: resolve::Entries,
}

impl Loaded {
    /// Where the value of `section.key` comes from; `None` if there is no such setting.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.entries.get(key).map(|entry| &entry.origin)
    }
}

impl Config {
    /// Reads the settings from the flags, the given environment, and the files that they name. Relative paths start at
    /// `directory`.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load<K: Into<OsString>, V: Into<OsString>>(
        flags: &Overrides,
        environment: impl IntoIterator<Item = (K, V)>,
        directory: &Path,
    ) -> Result<Loaded, ConfigFaults> {
        let variables = environment.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let collected = layers::collect(flags, variables, directory);
        let file = collected.file.clone();
        let (config, entries) = resolve::resolve(collected, directory)?;
        Ok(Loaded { config, file, entries })
    }

    /// Reads the settings of this process: flags, its environment and its working directory.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load_from_process(flags: &Overrides) -> Result<Loaded, ConfigFaults> {
        // Without a working directory relative paths stay relative, and what cannot be opened then says so itself.
        let directory = std::env::current_dir().unwrap_or_default();
        Self::load(flags, process_environment(), &directory)
    }
}

/// The environment of this process: the only place that reads it.
#[expect(clippy::disallowed_methods, reason = "the one rightful reader of the environment")]
fn process_environment() -> std::env::VarsOs {
    std::env::vars_os()
}
