//! What a module is doing: a pure function of when it was last heard of.

use std::time::Duration;

use serde::Serialize;

use crate::time::Instant;

/// How often a module reports and how long its silence may last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// Seconds between two reports.
    pub expected_interval_s: i32,
    /// Seconds of silence after which it is offline.
    pub offline_after_s: i32,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { expected_interval_s: 300, offline_after_s: 900 }
    }
}

impl Rhythm {
    /// The module's own setting, else the type's, else the default.
    pub fn resolve(own: (Option<i32>, Option<i32>), of_type: (Option<i32>, Option<i32>)) -> Self {
        let default = Self::default();
        Self {
            expected_interval_s: own.0.or(of_type.0).unwrap_or(default.expected_interval_s),
            offline_after_s: own.1.or(of_type.1).unwrap_or(default.offline_after_s),
        }
    }

    /// How far apart its reports should be.
    pub fn expected_interval(self) -> Duration {
        seconds(self.expected_interval_s)
    }

    /// How long a silence leaves the module online: two intervals, and never longer than until it is offline.
    pub fn online_within(self) -> Duration {
        seconds(self.expected_interval_s).saturating_mul(2).min(self.offline_after())
    }

    /// How long a silence leaves it late rather than offline.
    pub fn offline_after(self) -> Duration {
        seconds(self.offline_after_s)
    }
}

fn seconds(count: i32) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or(0))
}

/// What a module is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ModuleState {
    /// It was never heard of.
    New,
    /// It reports as it should.
    Online,
    /// It is overdue.
    Late,
    /// It has been silent for too long.
    Offline,
    /// It is switched off by setting.
    Disabled,
}

impl ModuleState {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Online => "online",
            Self::Late => "late",
            Self::Offline => "offline",
            Self::Disabled => "disabled",
        }
    }

    /// The state that follows from the last report.
    pub fn of(is_enabled: bool, last_seen_at: Option<Instant>, rhythm: Rhythm, now: Instant) -> Self {
        let Some(last_seen_at) = last_seen_at.filter(|_| is_enabled) else {
            return if is_enabled { Self::New } else { Self::Disabled };
        };
        let silence = now.since(last_seen_at);
        if silence <= rhythm.online_within() {
            Self::Online
        } else if silence <= rhythm.offline_after() {
            Self::Late
        } else {
            Self::Offline
        }
    }
}

/// How many modules are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateCounts {
    /// Never heard of.
    pub new: u32,
    /// Reporting.
    pub online: u32,
    /// Overdue.
    pub late: u32,
    /// Silent.
    pub offline: u32,
    /// Switched off.
    pub disabled: u32,
}

impl StateCounts {
    /// Counts one module.
    pub fn add(&mut self, state: ModuleState) {
        let count = match state {
            ModuleState::New => &mut self.new,
            ModuleState::Online => &mut self.online,
            ModuleState::Late => &mut self.late,
            ModuleState::Offline => &mut self.offline,
            ModuleState::Disabled => &mut self.disabled,
        };
        *count = count.saturating_add(1);
    }

    /// All of them.
    pub const fn total(&self) -> u32 {
        self.new + self.online + self.late + self.offline + self.disabled
    }

    /// The site's own state: that of its worst switched-on module; a site without any is new.
    pub const fn worst(&self) -> ModuleState {
        if self.offline > 0 {
            ModuleState::Offline
        } else if self.late > 0 {
            ModuleState::Late
        } else if self.online > 0 {
            ModuleState::Online
        } else if self.new == 0 && self.disabled > 0 {
            ModuleState::Disabled
        } else {
            ModuleState::New
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_follows_from_the_silence() {
        let now = Instant::from_secs(100_000);
        let seen = |ago: i64| Some(Instant::from_secs(100_000 - ago));
        let rhythm = Rhythm { expected_interval_s: 60, offline_after_s: 600 };
        for (last_seen, state) in [
            (None, ModuleState::New),
            (seen(0), ModuleState::Online),
            (seen(120), ModuleState::Online),
            (seen(121), ModuleState::Late),
            (seen(600), ModuleState::Late),
            (seen(601), ModuleState::Offline),
            (seen(-5), ModuleState::Online),
        ] {
            assert_eq!(ModuleState::of(true, last_seen, rhythm, now), state, "{last_seen:?}");
        }
        assert_eq!(ModuleState::of(false, seen(0), rhythm, now), ModuleState::Disabled);
    }

    #[test]
    fn a_short_patience_leaves_no_room_for_online() {
        let rhythm = Rhythm { expected_interval_s: 600, offline_after_s: 300 };
        let now = Instant::from_secs(10_000);
        assert_eq!(ModuleState::of(true, Some(Instant::from_secs(9_699)), rhythm, now), ModuleState::Offline);
    }

    #[test]
    fn a_site_is_as_well_as_its_worst_module() {
        let mut counts = StateCounts::default();
        assert_eq!(counts.worst(), ModuleState::New);
        for (state, worst) in [
            (ModuleState::Disabled, ModuleState::Disabled),
            (ModuleState::Online, ModuleState::Online),
            (ModuleState::Late, ModuleState::Late),
            (ModuleState::Offline, ModuleState::Offline),
        ] {
            counts.add(state);
            assert_eq!(counts.worst(), worst);
        }
        assert_eq!(counts.total(), 4);
    }
}
