//! Where a setting comes from, and what can be wrong with it.

use std::{fmt, path::PathBuf};

/// Where the value of a setting was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The embedded default.
    Default,
    /// A default that was worked out at the start; the text says from what.
    Derived(&'static str),
    /// A settings file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable, by name.
    Variable(String),
    /// A command-line flag, by name.
    Flag(String),
    /// A file of its own that holds a secret.
    SecretFile {
        /// Where the path of the file was found.
        named_by: Box<Origin>,
        /// The file.
        path: PathBuf,
    },
}

impl Origin {
    /// Whether somebody gave the value, rather than that it is a default.
    pub fn is_given(&self) -> bool {
        !matches!(self, Self::Default | Self::Derived(_))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Derived(from) => write!(f, "default: {from}"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
            Self::SecretFile { named_by, path } => write!(f, "{}, named by {named_by}", path.display()),
        }
    }
}

/// One fault in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The setting as `section.key`, or the unknown name as it was written.
    pub key: String,
    /// The offending value where it is no secret, in quotation marks.
    pub value: Option<String>,
    /// Where it was found; `None` if the key itself says so (an environment variable, a flag).
    pub origin: Option<Origin>,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        if let Some(origin) = &self.origin {
            write!(f, " ({origin})")?;
        }
        write!(f, " {}; {}", self.problem, self.remedy)
    }
}

/// Everything that is wrong with the settings, never empty: files first, then environment, flags and what contradicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFaults(pub(super) Vec<Fault>);

impl ConfigFaults {
    /// The faults.
    pub fn faults(&self) -> &[Fault] {
        &self.0
    }
}

impl fmt::Display for ConfigFaults {
    /// A heading and one line a fault.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("1 fault in the settings:")?,
            many => write!(f, "{many} faults in the settings:")?,
        }
        for fault in &self.0 {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigFaults {}
