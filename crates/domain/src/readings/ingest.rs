//! Judging the rows of a batch: which module and metric each means, and whether it can be stored.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    time::Duration,
};

use super::{
    BatchVerdict, IngestTarget, ReadingRow, RejectedRow, RejectedRows, ResolvedBatch, ResolvedReading,
    RowField, TargetMetric,
};
use crate::{
    ids::{MetricId, ModuleId},
    time::Instant,
};

/// How far ahead of the server's clock a reading may lie.
const FUTURE_TOLERANCE: Duration = Duration::from_mins(5);

/// The largest size of a value. No physical quantity comes near it, and the sum of as many as an installation can hold
/// stays finite: beyond that a database refuses to add, and every figure of the series would be lost.
const LARGEST_VALUE: f64 = 1e290;

/// A reason why a row is not stored: the field at fault and a word for it.
type Reason = (RowField, &'static str);

/// Where rows without a module of their own belong, or how the modules that rows name are found.
pub(super) enum Addressing<'a> {
    /// The path names the module.
    Module(&'a IngestTarget),
    /// Each row names its own.
    Named(Directory<'a>),
}

/// Modules by the names that rows may use: id first, then serial number, then external id.
pub(super) struct Directory<'a> {
    ids: HashMap<String, &'a IngestTarget>,
    serial_numbers: HashMap<&'a str, Vec<&'a IngestTarget>>,
    external_ids: HashMap<&'a str, Vec<&'a IngestTarget>>,
}

impl<'a> Directory<'a> {
    pub(super) fn of(targets: &'a [IngestTarget]) -> Self {
        let mut directory =
            Self { ids: HashMap::new(), serial_numbers: HashMap::new(), external_ids: HashMap::new() };
        for target in targets {
            directory.ids.insert(target.module_id.to_string(), target);
            if let Some(serial_number) = &target.serial_number {
                directory.serial_numbers.entry(serial_number).or_default().push(target);
            }
            if let Some(external_id) = &target.external_id {
                directory.external_ids.entry(external_id).or_default().push(target);
            }
        }
        directory
    }

    fn find(&self, name: &str) -> Result<&'a IngestTarget, Reason> {
        let by_id = || self.ids.get(name).or_else(|| self.ids.get(&name.to_ascii_lowercase())).copied();
        if let Some(target) = by_id() {
            return Ok(target);
        }
        let by_name = self.serial_numbers.get(name).or_else(|| self.external_ids.get(name));
        match by_name.map(Vec::as_slice) {
            Some([target]) => Ok(target),
            Some(_) => Err((RowField::Module, "ambiguous_module")),
            None => Err((RowField::Module, "unknown_module")),
        }
    }
}

/// A batch after judging.
#[derive(Default)]
pub(super) struct Judged {
    /// What is to be stored.
    pub(super) batch: ResolvedBatch,
    /// What is known already: rejects, and rows that repeat an earlier row of the same batch.
    pub(super) verdict: BatchVerdict,
    /// The rejects whose modules are known.
    pub(super) rejects: RejectedRows,
}

/// Judges every row. Of rows for the same module, metric and moment the first counts.
pub(super) fn judge(rows: &[ReadingRow], addressing: &Addressing<'_>, now: Instant) -> Judged {
    let mut judged = Judged::default();
    let mut first: HashMap<(ModuleId, MetricId, Instant), f64> = HashMap::with_capacity(rows.len());
    let mut seen: HashSet<ModuleId> = HashSet::new();
    let mut rejected: HashMap<ModuleId, usize> = HashMap::new();
    let latest = now.plus(FUTURE_TOLERANCE);
    for (index, row) in rows.iter().enumerate() {
        let target = target_of(row, addressing);
        let (reading, target) = match resolve(row, target.as_ref(), latest) {
            Ok(resolved) => resolved,
            Err((field, reason)) => {
                if let Ok(target) = target {
                    let known = rejected.entry(target.module_id).or_default();
                    judged.rejects.add(target, known, row, (&field, reason));
                }
                judged.verdict.rejects.push(RejectedRow { index, field, reason });
                continue;
            }
        };
        match first.entry((reading.module_id, reading.metric_id, reading.at)) {
            Entry::Vacant(entry) => {
                entry.insert(reading.value);
            }
            Entry::Occupied(earlier) => {
                if same_value(*earlier.get(), reading.value) {
                    judged.verdict.duplicate += 1;
                } else {
                    judged.verdict.conflict += 1;
                }
                continue;
            }
        }
        // History that is imported makes nothing online: only a module that reports about right now was seen.
        if now.since(reading.at) <= target.rhythm.offline_after() && seen.insert(reading.module_id) {
            judged.batch.seen.push(reading.module_id);
        }
        judged.batch.readings.push(reading);
    }
    judged
}

/// Zero and minus zero are one value, as they are to both databases.
fn same_value(a: f64, b: f64) -> bool {
    a.total_cmp(&b).is_eq() || (a == 0.0 && b == 0.0)
}

fn target_of<'a>(row: &ReadingRow, addressing: &Addressing<'a>) -> Result<&'a IngestTarget, Reason> {
    match (addressing, &row.module) {
        (Addressing::Module(target), None) => Ok(target),
        (Addressing::Module(_), Some(_)) => Err((RowField::Module, "module_is_named_by_the_path")),
        (Addressing::Named(_), None) => Err((RowField::Module, "missing")),
        (Addressing::Named(directory), Some(name)) => {
            directory.find(name.as_deref().map_err(|reason| (RowField::Module, *reason))?)
        }
    }
}

fn resolve<'a>(
    row: &ReadingRow,
    target: Result<&&'a IngestTarget, &Reason>,
    latest: Instant,
) -> Result<(ResolvedReading, &'a IngestTarget), Reason> {
    if let Some(reason) = &row.shape {
        return Err(reason.clone());
    }
    let target = *target.map_err(Clone::clone)?;
    let key = row.metric.as_deref().map_err(|reason| (RowField::Metric, *reason))?;
    let metric =
        target.metrics.iter().find(|metric| metric.key == key).ok_or((RowField::Metric, "unknown_metric"))?;
    let at = row.at.map_err(|reason| (RowField::At, reason))?;
    if at < Instant::YEAR_2000 {
        return Err((RowField::At, "before_year_2000"));
    }
    if at > latest {
        return Err((RowField::At, "in_the_future"));
    }
    let value = row.value.map_err(|reason| (RowField::Value, reason))?;
    check_value(value, metric)?;
    let reading = ResolvedReading {
        organization_id: target.organization_id,
        module_id: target.module_id,
        metric_id: metric.id,
        at,
        value,
    };
    Ok((reading, target))
}

fn check_value(value: f64, metric: &TargetMetric) -> Result<(), Reason> {
    if !value.is_finite() {
        return Err((RowField::Value, "not_finite"));
    }
    if value.abs() > LARGEST_VALUE {
        return Err((RowField::Value, "too_large"));
    }
    if metric.bounds.min.is_some_and(|min| value < min) {
        return Err((RowField::Value, "below_minimum"));
    }
    if metric.bounds.max.is_some_and(|max| value > max) {
        return Err((RowField::Value, "above_maximum"));
    }
    Ok(())
}

#[cfg(test)]
#[path = "ingest_tests.rs"]
mod tests;
