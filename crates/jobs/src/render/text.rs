//! Words as all formats show them.

use std::time::Duration;

use sitewatch_domain::{
    reports::{Period, PeriodKind},
    time::{Instant, LocalTime, TimeRange, Zone},
};

/// What stands for a character that has no picture or must not act.
pub(super) const REPLACEMENT: char = '\u{fffd}';

/// Stands where there is no number.
pub(super) const NOTHING: &str = "–";

/// A text in one line, every character of which is seen and changes nothing around it.
///
/// Control characters and those that turn the direction of writing (which make `gpj.exe` look like `exe.jpg`) become
/// visible replacements; so do what Unicode calls no characters, which XML refuses.
pub(super) fn visible(text: &str) -> String {
    text.chars().map(|character| if acts(character) { REPLACEMENT } else { character }).collect()
}

fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fdd0}'..='\u{fdef}')
        || u32::from(character) & 0xfffe == 0xfffe
}

/// A text that no spreadsheet takes for a formula, with an apostrophe before what could be one.
///
/// Their full-width forms count as well: spreadsheets of East Asia read them as the plain ones.
pub(super) fn harmless(text: &str) -> String {
    let shown = visible(text);
    // Judged as it came, since a tab or line break has become a replacement by now.
    let could_act = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', '−']);
    if could_act { format!("'{shown}") } else { shown }
}

/// A UCUM unit as people write it.
pub(super) fn unit(ucum: &str) -> String {
    let known = match ucum {
        "Cel" => "°C",
        "[degF]" => "°F",
        "deg" => "°",
        "W.h" => "Wh",
        "kW.h" => "kWh",
        "MW.h" => "MWh",
        "m2" => "m²",
        "m3" => "m³",
        "m3/h" => "m³/h",
        "W/m2" => "W/m²",
        "Ohm" => "Ω",
        "um" => "µm",
        "1" => "",
        other => other,
    };
    visible(known)
}

/// A name and its unit: `Active power (kW)`.
pub(super) fn with_unit(name: &str, ucum: &str) -> String {
    let unit = unit(ucum);
    if unit.is_empty() { visible(name) } else { format!("{} ({unit})", visible(name)) }
}

/// A length of time in its two largest units: `3 h 55 min`.
pub(super) fn duration(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    let (days, hours, minutes) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "min")];
    let mut shown =
        parts.iter().skip_while(|(amount, _)| *amount == 0).take(2).filter(|(amount, _)| *amount > 0);
    let text: Vec<String> = shown.by_ref().map(|(amount, unit)| format!("{amount} {unit}")).collect();
    if text.is_empty() { format!("{} s", duration.as_secs()) } else { text.join(" ") }
}

/// A moment on the clocks of a zone: `2014-03-30 14:05`, or that there is none.
pub(super) fn moment(at: Option<Instant>, zone: &Zone) -> String {
    at.map_or_else(|| NOTHING.to_owned(), |at| zone.local(at).to_string())
}

/// The name of a period's kind and the period: `Month 2014-03`.
pub(super) fn period_title(period: &Period) -> String {
    let kind = match period.kind() {
        PeriodKind::Day => "Day",
        PeriodKind::Week => "Week",
        PeriodKind::Month => "Month",
    };
    format!("{kind} {}", period.label())
}

/// From when to when, with the zone: `2014-03-01 00:00 to 2014-04-01 00:00, Europe/Paris`.
pub(super) fn range(range: TimeRange, zone: &Zone) -> String {
    format!("{} to {}, {zone}", zone.local(range.from), zone.local(range.to))
}

/// A day and a month: `30 Mar`.
pub(super) fn day_and_month(local: LocalTime) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = usize::try_from(local.month).ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
    format!("{} {}", local.day, month.unwrap_or(&""))
}

/// At most so many characters, the last of them an ellipsis where there were more.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_act_are_seen_instead() {
        assert_eq!(
            visible("a\tb\r\nc\u{202e}exe.gpj\u{ffff}\u{200f}"),
            "a\u{fffd}b\u{fffd}\u{fffd}c\u{fffd}exe.gpj\u{fffd}\u{fffd}"
        );
        let harmless = "Ünïcode Ωмир 👍 ‘=cmd’ مزرعة ../..";
        assert_eq!(visible(harmless), harmless);
    }

    #[test]
    fn durations_have_two_units_at_most() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (14_100, "3 h 55 min"),
            (7_200, "2 h"),
            (345_660, "4 d"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn units_are_written_as_people_do() {
        assert_eq!(with_unit("Outdoor temperature", "Cel"), "Outdoor temperature (°C)");
        assert_eq!(with_unit("Starts", ""), "Starts");
        assert_eq!(with_unit("Speed", "m/s"), "Speed (m/s)");
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert_eq!(shortened("çççç", 4), "çççç");
        assert_eq!(shortened("ççççç", 4), "ççç…");
    }
}
