//! What became of a file.

use std::{collections::BTreeMap, fmt};

use serde_json::{Value, json};

/// How many examples of each reason are shown.
const EXAMPLES: usize = 3;

/// What became of the cells of a file.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Summary {
    /// Lines with data.
    pub rows: u64,
    /// Cells without a value.
    pub empty: u64,
    /// Readings sent.
    pub sent: u64,
    /// New readings.
    pub accepted: u64,
    /// Stored before, with the same value.
    pub duplicate: u64,
    /// Stored before with another value, which stays.
    pub conflict: u64,
    /// Not stored, by reason, with where the first of them stand.
    pub rejected: BTreeMap<String, (u64, Vec<String>)>,
}

impl Summary {
    /// Counts a reading that was not stored.
    pub(super) fn reject(&mut self, reason: &str, place: impl FnOnce() -> String) {
        let (count, examples) = self.rejected.entry(reason.to_owned()).or_default();
        *count += 1;
        if examples.len() < EXAMPLES {
            examples.push(place());
        }
    }

    /// Counts the answer to a batch.
    pub(super) fn add(&mut self, answer: &Value) {
        let count = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
        self.accepted += count("accepted");
        self.duplicate += count("duplicate");
        self.conflict += count("conflict");
    }

    /// Whether there was something to store and none of it is.
    pub(super) fn is_empty_handed(&self) -> bool {
        self.accepted + self.duplicate + self.conflict == 0 && !self.rejected.is_empty()
    }

    /// The summary for machines.
    pub fn json(&self) -> Value {
        let rejected: BTreeMap<&str, u64> =
            self.rejected.iter().map(|(reason, (count, _))| (reason.as_str(), *count)).collect();
        json!({
            "rows": self.rows, "empty": self.empty, "sent": self.sent, "accepted": self.accepted,
            "duplicate": self.duplicate, "conflict": self.conflict, "rejected": rejected,
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "rows       {:>9}", self.rows)?;
        writeln!(f, "empty      {:>9}  cells without a value", self.empty)?;
        writeln!(f, "accepted   {:>9}  new readings", self.accepted)?;
        writeln!(f, "duplicate  {:>9}  stored before, with the same value", self.duplicate)?;
        write!(f, "conflict   {:>9}  stored before with another value, which stays", self.conflict)?;
        for (reason, (count, examples)) in &self.rejected {
            write!(f, "\nrejected   {count:>9}  {reason}, like {}", examples.join("; "))?;
        }
        Ok(())
    }
}
