//! Numbers as all formats show them.

use sitewatch_domain::reports::{Comparison, Coverage, Figures, MetricContent};

/// Numbers from here on are written with an exponent.
const HUGE: f64 = 1e15;

/// A number, rounded once and for all formats.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Number {
    digits: String,
    value: f64,
    decimals: usize,
}

impl Number {
    /// Rounds to so many decimals. Of the two zeros only the one without a sign comes out.
    pub(super) fn new(value: f64, decimals: Decimals) -> Self {
        let decimals = decimals.0;
        let digits =
            if value.abs() < HUGE { format!("{value:.decimals$}") } else { format!("{value:.decimals$e}") };
        let rounded = digits.parse().unwrap_or(value);
        if rounded == 0.0 {
            return Self { digits: format!("{:.decimals$}", 0.0), value: 0.0, decimals };
        }
        Self { digits, value: rounded, decimals }
    }

    /// The number for programs: `-12345.67`.
    pub(super) fn plain(&self) -> &str {
        &self.digits
    }

    /// The number for people: the same digits, in groups of three with a narrow space between.
    pub(super) fn grouped(&self) -> String {
        let (sign, unsigned) = self.digits.strip_prefix('-').map_or(("", self.plain()), |rest| ("-", rest));
        let (whole, rest) = unsigned.split_at(unsigned.find('.').unwrap_or(unsigned.len()));
        let mut text = String::from(sign);
        for (position, digit) in whole.chars().enumerate() {
            if position > 0 && (whole.len() - position).is_multiple_of(3) {
                text.push(NARROW_SPACE);
            }
            text.push(digit);
        }
        text + rest
    }

    /// The same with a plus before what is more than zero.
    pub(super) fn signed(&self) -> String {
        if self.value > 0.0 { format!("+{}", self.grouped()) } else { self.grouped() }
    }

    /// The rounded value.
    pub(super) const fn value(&self) -> f64 {
        self.value
    }

    /// How a spreadsheet has to show the value, so that it shows the same digits.
    pub(super) fn spreadsheet_format(&self) -> String {
        let decimals =
            if self.decimals == 0 { String::new() } else { format!(".{}", "0".repeat(self.decimals)) };
        if self.value.abs() < HUGE { format!("#,##0{decimals}") } else { format!("0{decimals}E+00") }
    }
}

/// Between groups of digits: U+202F, which breaks no line.
pub(super) const NARROW_SPACE: char = '\u{202f}';

/// How many decimals the numbers of a column have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimals(usize);

impl Decimals {
    /// For shares in percent.
    pub(super) const PERCENT: Self = Self(1);

    /// For a column whose largest number is this, whatever its sign: five digits or more tell it from the next.
    pub(super) fn for_magnitude(largest: f64) -> Self {
        let largest = largest.abs();
        Self(match largest {
            _ if largest >= HUGE => 6,
            _ if largest >= 10_000.0 => 1,
            _ if largest >= 1.0 || largest == 0.0 => 2,
            _ if largest >= 0.01 => 4,
            _ if largest >= 0.000_1 => 6,
            _ => 12,
        })
    }

    /// For numbers that are so far apart.
    pub(super) fn for_step(step: f64) -> Self {
        let mut decimals = 0;
        let mut rest = step.abs();
        // Not quite one, since a tenth times ten is not exactly one either.
        while rest < 0.999 && decimals < 12 {
            rest *= 10.0;
            decimals += 1;
        }
        Self(decimals)
    }
}

/// How the numbers of a metric are rounded: alike in the totals, in every slice and in every format.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounding {
    level: Decimals,
    sum: Decimals,
    headline: Decimals,
}

impl Rounding {
    /// The rounding of a metric; it follows from its figures over the whole period.
    pub(super) fn of(metric: &MetricContent) -> Self {
        let figures = metric.figures.or(metric.previous);
        let magnitude = |of: fn(&Figures) -> f64| Decimals::for_magnitude(figures.as_ref().map_or(0.0, of));
        let headline = figures.as_ref().and_then(|figures| metric.headline.of(figures));
        let level = magnitude(|figures| figures.min.abs().max(figures.max.abs()));
        let is_level = metric.headline == sitewatch_domain::reports::Headline::Mean;
        Self {
            level,
            sum: magnitude(|figures| figures.sum),
            headline: if is_level { level } else { Decimals::for_magnitude(headline.unwrap_or(0.0)) },
        }
    }

    /// A smallest, largest or mean value.
    pub(super) fn level(self, value: f64) -> Number {
        Number::new(value, self.level)
    }

    /// A sum of values.
    pub(super) fn sum(self, value: f64) -> Number {
        Number::new(value, self.sum)
    }

    /// An energy or an increase; a mean, where that is the metric's headline.
    pub(super) fn headline(self, value: f64) -> Number {
        Number::new(value, self.headline)
    }

    /// The decimals of the headline.
    pub(super) const fn headline_decimals(self) -> Decimals {
        self.headline
    }
}

/// A count.
pub(super) fn count(count: u64) -> Number {
    // Whole numbers of a report are far below 2^53, so that the value is exact.
    let digits = count.to_string();
    let value = digits.parse().unwrap_or(f64::MAX);
    Number { digits, value, decimals: 0 }
}

/// A share in percent, rounded down: only what is complete is 100.0.
pub(super) fn percent(coverage: Coverage) -> Option<Number> {
    let tenths = coverage.arrived.saturating_mul(1_000).checked_div(coverage.expected)?;
    let value = count(tenths).value() / 10.0;
    Some(Number::new(value, Decimals::PERCENT))
}

/// The change in percent.
pub(super) fn change_percent(comparison: &Comparison) -> Option<Number> {
    Some(Number::new(comparison.change_percent?, Decimals::PERCENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_to_write_a_number_have_the_same_digits() {
        for value in
            [0.0, -0.0, 0.5, -1.005, 999.995, 1_234.5, -12_345.678, 9_876_543.21, 1e14, 2.5e300, -1e-9]
        {
            let number = Number::new(value, Decimals::for_magnitude(value));
            let ungrouped: String = number.grouped().chars().filter(|c| *c != NARROW_SPACE).collect();
            assert_eq!(ungrouped, number.plain());
            assert_eq!(number.plain().parse::<f64>(), Ok(number.value()));
            // Half of the last decimal, of the smallest number that has so few.
            let tolerance = value.abs() * 0.005;
            assert!((number.value() - value).abs() <= tolerance, "{value} became {}", number.plain());
        }
    }

    #[test]
    fn digits_stand_in_groups_of_three() {
        let grouped = |value: f64| Number::new(value, Decimals::for_magnitude(value)).grouped();
        assert_eq!(grouped(-999.0), "-999.00");
        assert_eq!(grouped(1_000.0), "1\u{202f}000.00");
        assert_eq!(grouped(-1_234_567.89), "-1\u{202f}234\u{202f}567.9");
        assert_eq!(grouped(0.012_345), "0.0123");
    }

    #[test]
    fn a_number_that_rounds_to_zero_has_no_sign() {
        let number = Number::new(-0.001, Decimals(2));
        assert_eq!((number.plain(), number.signed().as_str()), ("0.00", "0.00"));
        assert_eq!(Number::new(0.126, Decimals(2)).signed(), "+0.13");
    }

    #[test]
    fn a_spreadsheet_shows_as_many_decimals() {
        assert_eq!(Number::new(1.5, Decimals(2)).spreadsheet_format(), "#,##0.00");
        assert_eq!(count(7).spreadsheet_format(), "#,##0");
        assert_eq!(Number::new(2e20, Decimals(6)).spreadsheet_format(), "0.000000E+00");
    }

    #[test]
    fn what_is_not_complete_is_never_a_hundred_percent() {
        let shown = |arrived, expected| {
            percent(Coverage { arrived, expected }).map(|number| number.plain().to_owned())
        };
        assert_eq!(shown(4_463, 4_464).as_deref(), Some("99.9"));
        assert_eq!(shown(4_464, 4_464).as_deref(), Some("100.0"));
        assert_eq!(shown(1, 3).as_deref(), Some("33.3"));
        assert_eq!(shown(0, 0), None);
    }
}
