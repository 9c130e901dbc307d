//! What the clocks of a time zone show.

use std::fmt;

use super::{Instant, Zone};

/// A moment as the clocks of a time zone show it.
///
/// Displays as `2014-03-30 14:05`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// The year, -9999 to 9999.
    pub year: i16,
    /// The month, 1 to 12.
    pub month: i8,
    /// The day of the month, 1 to 31.
    pub day: i8,
    /// The hour, 0 to 23.
    pub hour: i8,
    /// The minute, 0 to 59.
    pub minute: i8,
    /// The second, 0 to 59.
    pub second: i8,
    /// Seconds east of UTC.
    pub offset_s: i32,
}

impl Zone {
    /// What this zone's clocks show at a moment.
    pub fn local(&self, at: Instant) -> LocalTime {
        let timestamp = at.timestamp();
        let civil = self.inner().to_datetime(timestamp);
        LocalTime {
            year: civil.year(),
            month: civil.month(),
            day: civil.day(),
            hour: civil.hour(),
            minute: civil.minute(),
            second: civil.second(),
            offset_s: self.inner().to_offset(timestamp).seconds(),
        }
    }
}

impl LocalTime {
    /// The day: `2014-03-30`.
    pub fn date(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// Hour and minute: `14:05`.
    pub fn time(&self) -> String {
        format!("{:02}:{:02}", self.hour, self.minute)
    }

    /// The distance from UTC: `+02:00`.
    pub fn offset(&self) -> String {
        let sign = if self.offset_s < 0 { '-' } else { '+' };
        let minutes = self.offset_s.unsigned_abs() / 60;
        format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }

    /// All of it, in RFC 3339: `2014-03-30T14:05:00+02:00`.
    pub fn rfc3339(&self) -> String {
        format!("{}T{}:{:02}{}", self.date(), self.time(), self.second, self.offset())
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.date(), self.time())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_show_local_time_with_its_offset() {
        let at: Instant = "2014-03-30T01:00:00Z".parse().expect("a moment");
        let just_before = Instant::from_micros(at.as_micros() - 1);
        let paris: Zone = "Europe/Paris".parse().expect("a zone");
        assert_eq!(paris.local(at).rfc3339(), "2014-03-30T03:00:00+02:00");
        assert_eq!(paris.local(just_before).rfc3339(), "2014-03-30T01:59:59+01:00");
        let newfoundland: Zone = "America/St_Johns".parse().expect("a zone");
        assert_eq!(newfoundland.local(at).rfc3339(), "2014-03-29T22:30:00-02:30");
        assert_eq!(paris.local(at).to_string(), "2014-03-30 03:00");
    }
}
