//! Holding what is kept against the readings.

use std::fmt;

use super::{Compared, Figures, Grain, SeriesName};
use crate::time::Instant;

/// How far two sums may be apart, as a part of the size of what was added: they are added in another order.
const LAST_DIGITS: f64 = 1e-12;

/// A figure that is kept and is not what the readings come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Whose it is.
    pub of: SeriesName,
    /// The length of the bucket.
    pub grain: Grain,
    /// The start of the bucket.
    pub at: Instant,
    /// The figure; `bucket` if there is none, or should be none.
    pub field: &'static str,
    /// What is kept.
    pub stored: String,
    /// What the readings come to.
    pub computed: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, grain, at, field, stored, computed } = self;
        let (module, metric, grain) = (of.module_id, &of.metric, grain.name());
        write!(
            f,
            "module {module} metric {metric} interval {grain} at {at}: {field} is {stored}, computed {computed}"
        )
    }
}

/// What came of verifying.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verified {
    /// How many series were looked at.
    pub series: u64,
    /// How many figures differ.
    pub differences: u64,
}

/// The figures that differ.
pub(super) fn differences(of: &SeriesName, grain: Grain, compared: &Compared) -> Vec<Difference> {
    let difference = |field, stored: String, computed: String| Difference {
        of: of.clone(),
        grain,
        at: compared.at,
        field,
        stored,
        computed,
    };
    let (stored, computed) = match (&compared.stored, &compared.computed) {
        (Some(stored), Some(computed)) => (stored, computed),
        (stored, computed) => {
            let told = |figures: &Option<Figures>| {
                figures
                    .map_or_else(|| "missing".to_owned(), |figures| format!("of {} readings", figures.count))
            };
            return vec![difference("bucket", told(stored), told(computed))];
        }
    };
    let mut found = Vec::new();
    if stored.count != computed.count {
        found.push(difference("count", stored.count.to_string(), computed.count.to_string()));
    }
    if !is_same_sum(stored, computed) {
        found.push(difference("sum", stored.sum.to_string(), computed.sum.to_string()));
    }
    for (field, stored, computed) in [
        ("min", stored.min, computed.min),
        ("max", stored.max, computed.max),
        ("first", stored.first, computed.first),
        ("last", stored.last, computed.last),
    ] {
        // Of equal values, zero and minus zero, a database may choose either.
        if !(stored.total_cmp(&computed).is_eq() || (stored == 0.0 && computed == 0.0)) {
            found.push(difference(field, stored.to_string(), computed.to_string()));
        }
    }
    for (field, stored, computed) in
        [("first_at", stored.first_at, computed.first_at), ("last_at", stored.last_at, computed.last_at)]
    {
        if stored != computed {
            found.push(difference(field, stored.to_string(), computed.to_string()));
        }
    }
    found
}

fn is_same_sum(stored: &Figures, computed: &Figures) -> bool {
    let largest = computed.min.abs().max(computed.max.abs());
    let count = f64::from(u32::try_from(computed.count).unwrap_or(u32::MAX));
    (stored.sum - computed.sum).abs() <= LAST_DIGITS * largest * count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ids::Id, readings::SeriesId};

    const WHOLE: Figures = Figures {
        count: 3,
        sum: 0.6,
        min: 0.1,
        max: 0.3,
        first: 0.1,
        last: 0.3,
        first_at: Instant::from_micros(1),
        last_at: Instant::from_micros(3),
    };

    fn fields(stored: Option<Figures>, computed: Option<Figures>) -> Vec<&'static str> {
        let of = SeriesName {
            series: SeriesId(1),
            module_id: Id::from_uuid(uuid::Uuid::nil()),
            metric: "power".into(),
        };
        let compared = Compared { at: Instant::from_micros(0), stored, computed };
        differences(&of, Grain::Hour, &compared).iter().map(|difference| difference.field).collect()
    }

    #[test]
    fn each_figure_that_differs_is_named() {
        let odd = Figures { count: 4, min: 0.0, last_at: Instant::from_micros(4), ..WHOLE };
        assert_eq!(fields(Some(odd), Some(WHOLE)), ["count", "min", "last_at"]);
        assert_eq!(fields(Some(Figures { sum: -0.6, ..WHOLE }), Some(WHOLE)), ["sum"]);
        assert_eq!(fields(Some(Figures { sum: f64::NAN, ..WHOLE }), Some(WHOLE)), ["sum"]);
        assert_eq!(fields(None, Some(WHOLE)), ["bucket"]);
        assert_eq!(fields(Some(WHOLE), None), ["bucket"]);
    }

    #[test]
    fn the_last_digits_of_a_sum_are_a_matter_of_order() {
        let other = Figures { sum: 0.1 + 0.2 + 0.3, ..WHOLE };
        assert!(other.sum.total_cmp(&WHOLE.sum).is_ne());
        assert_eq!(fields(Some(other), Some(WHOLE)), [""; 0]);
        let zero = Figures { sum: 0.0, min: 0.0, max: 0.0, first: 0.0, last: 0.0, ..WHOLE };
        assert_eq!(fields(Some(Figures { min: -0.0, ..zero }), Some(zero)), [""; 0]);
    }
}
