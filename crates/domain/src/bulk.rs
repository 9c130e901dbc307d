//! Making many objects at once: each row is judged by itself, and its faults are told under its number.

use validator::Validate;

use crate::{
    error::{Error, FieldError, FieldErrors},
    input::Draft,
};

/// The most rows of a request.
pub const MOST_ROWS: usize = 1_000;
/// The most organizations that they may be of.
pub const MOST_ORGANIZATIONS: usize = 20;
/// The most faults that are told.
const MOST_FAULTS: usize = 1_000;

/// Whether good rows are made beside bad ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Atomicity {
    /// All rows are good, or none is made.
    AllOrNothing,
    /// Every good row is made.
    RowByRow,
}

/// Whether anything is made at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rehearsal {
    /// What is good is made.
    Real,
    /// Everything is judged, and nothing is made.
    Dry,
}

/// How rows are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkMode {
    /// Whether good ones are made beside bad ones.
    pub atomicity: Atomicity,
    /// Whether any are.
    pub rehearsal: Rehearsal,
}

/// A row: what it belongs to (`None` if that could not be read, which is among its faults), and what it says.
#[derive(Debug)]
pub struct BulkRow<P, T> {
    /// The parent.
    pub parent: Option<P>,
    /// The value.
    pub draft: Draft<T>,
}

/// A fault of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// The row, from 0.
    pub row: usize,
    /// The field.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// What became of the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkVerdict<T> {
    /// How many were good.
    pub accepted: usize,
    /// How many were not.
    pub rejected: usize,
    /// What was made, by row; nothing in a rehearsal.
    pub made: Vec<(usize, T)>,
    /// What was wrong with the others, by row; at most a thousand faults.
    pub faults: Vec<RowFault>,
}

/// Rows on their way: those that are good so far, and the faults of the others.
pub(crate) struct Rows<T> {
    /// What the request calls them.
    name: &'static str,
    pub(crate) good: Vec<(usize, T)>,
    bad: Vec<(usize, FieldErrors)>,
}

impl<P, T: Validate> Rows<(P, T)> {
    /// The rows of a request, each checked against the rules of its own.
    ///
    /// # Errors
    /// `Invalid` for none, or too many of them.
    pub(crate) fn of(name: &'static str, rows: Vec<BulkRow<P, T>>) -> Result<Self, Error> {
        if rows.is_empty() || rows.len() > MOST_ROWS {
            return Err(Error::invalid(name, format!("must be 1 to {MOST_ROWS} rows")));
        }
        let (mut good, mut bad) = (Vec::with_capacity(rows.len()), Vec::new());
        for (number, BulkRow { parent, draft }) in rows.into_iter().enumerate() {
            match (parent, draft.checked()) {
                (Some(parent), Ok(value)) => good.push((number, (parent, value))),
                (_, Err(Error::Invalid(faults))) => bad.push((number, faults)),
                (_, Err(error)) => return Err(error),
                (None, Ok(_)) => bad.push((number, FieldErrors::one("", "says not what it belongs to"))),
            }
        }
        Ok(Self { name, good, bad })
    }
}

impl<T> Rows<T> {
    /// Looks at each good row again, and keeps those that have no fault.
    pub(crate) fn judge(&mut self, mut faults_of: impl FnMut(&T) -> FieldErrors) {
        for (number, row) in std::mem::take(&mut self.good) {
            let faults = faults_of(&row);
            if faults.is_empty() {
                self.good.push((number, row));
            } else {
                self.bad.push((number, faults));
            }
        }
    }

    /// The good rows with what they belong to, or what they become; a row for which there is none has a fault.
    pub(crate) fn resolve<U>(self, mut resolve: impl FnMut(T) -> Result<U, FieldErrors>) -> Rows<U> {
        let Self { name, good, mut bad } = self;
        let mut resolved = Vec::with_capacity(good.len());
        for (number, row) in good {
            match resolve(row) {
                Ok(row) => resolved.push((number, row)),
                Err(faults) => bad.push((number, faults)),
            }
        }
        Rows { name, good: resolved, bad }
    }

    /// That there is something to make.
    ///
    /// # Errors
    /// `Invalid` with all faults if no row is good, or one is not and all have to be.
    pub(crate) fn check(&mut self, atomicity: Atomicity) -> Result<(), Error> {
        if self.bad.is_empty() || (!self.good.is_empty() && atomicity == Atomicity::RowByRow) {
            return Ok(());
        }
        let mut faults = FieldErrors::new();
        for RowFault { row, field, message } in self.faults() {
            let dot = if field.is_empty() { "" } else { "." };
            faults.add(format!("{}[{row}]{dot}{field}", self.name), message);
        }
        Err(Error::Invalid(faults))
    }

    /// The verdict; in a rehearsal nothing was made.
    pub(crate) fn into_verdict(mut self, rehearsal: Rehearsal) -> BulkVerdict<T> {
        BulkVerdict {
            accepted: self.good.len(),
            rejected: self.bad.len(),
            faults: self.faults(),
            made: if rehearsal == Rehearsal::Real { self.good } else { Vec::new() },
        }
    }

    fn faults(&mut self) -> Vec<RowFault> {
        self.bad.sort_by_key(|(row, _)| *row);
        let all =
            self.bad.iter().flat_map(|(row, faults)| faults.iter().map(move |fault| (*row, fault.clone())));
        let told = all.map(|(row, FieldError { field, message })| RowFault { row, field, message });
        told.take(MOST_FAULTS).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::sites::NewSite;

    fn row(name: &str) -> BulkRow<u8, NewSite> {
        let value = NewSite { name: name.into(), ..NewSite::default() };
        BulkRow { parent: Some(1), draft: Draft { value, faults: FieldErrors::new() } }
    }

    fn faults(error: Error) -> Vec<String> {
        match error {
            Error::Invalid(faults) => faults.iter().map(|fault| fault.field.clone()).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rows_are_one_to_a_thousand() {
        let many = |count: usize| Rows::of("sites", (0..count).map(|_| row("S")).collect());
        assert!(many(1).is_ok() && many(MOST_ROWS).is_ok());
        for count in [0, MOST_ROWS + 1] {
            assert_eq!(faults(many(count).err().expect("refused")), ["sites"]);
        }
    }

    #[test]
    fn all_faults_are_told_under_their_rows() {
        let rows = || {
            let mut rows = Rows::of("sites", vec![row("A"), row(""), row("B"), row("A")]).expect("rows");
            let mut names = BTreeSet::new();
            rows.judge(|(_, site)| {
                let is_new = names.insert(site.name.clone());
                if is_new { FieldErrors::new() } else { FieldErrors::one("name", "is taken") }
            });
            rows
        };
        let refused = rows().check(Atomicity::AllOrNothing).expect_err("two bad rows");
        assert_eq!(faults(refused), ["sites[1].name", "sites[3].name"]);
        let mut some = rows();
        some.check(Atomicity::RowByRow).expect("two good rows");
        let verdict = some.resolve(|(_, site)| Ok(site.name)).into_verdict(Rehearsal::Real);
        assert_eq!((verdict.accepted, verdict.rejected), (2, 2));
        assert_eq!(verdict.made, [(0, "A".to_owned()), (2, "B".to_owned())]);
        assert_eq!(verdict.faults.iter().map(|fault| fault.row).collect::<Vec<_>>(), [1, 3]);
        assert!(rows().into_verdict(Rehearsal::Dry).made.is_empty());
        let mut bad = Rows::of("sites", vec![row("")]).expect("rows");
        assert_eq!(faults(bad.check(Atomicity::RowByRow).expect_err("no good row")), ["sites[0].name"]);
    }
}
