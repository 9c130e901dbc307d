//! IANA time zones by name, from the database compiled into the program.

use std::{fmt, str::FromStr};

use jiff::tz::TimeZone;

/// An IANA time zone, like `Europe/Paris`.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// A text that names no IANA time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an IANA time zone name, like Europe/Paris")]
pub struct NotAZone;

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The zone's IANA name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// A name as the database of zones spells it, which takes any case; other texts stay as they are.
    pub fn spelled(name: String) -> String {
        name.parse::<Self>().map_or(name, |zone| zone.name().to_owned())
    }

    pub(crate) const fn inner(&self) -> &TimeZone {
        &self.0
    }
}

impl FromStr for Zone {
    type Err = NotAZone;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        // The library accepts POSIX rules and its own "unknown" zone elsewhere; only database names are ours.
        if name.is_empty() || name.len() > 64 {
            return Err(NotAZone);
        }
        let zone = TimeZone::get(name).map_err(|_| NotAZone)?;
        // The database's own placeholder for "not set yet" is no place's time.
        if zone.iana_name().is_none_or(|name| name == "Factory") { Err(NotAZone) } else { Ok(Self(zone)) }
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl serde::Serialize for Zone {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
