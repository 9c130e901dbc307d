use uuid::Uuid;

use super::*;
use crate::{ids::Id, modules::Rhythm, readings::MetricBounds};

const NOW: Instant = Instant::from_secs(1_700_000_000);

fn target(number: u128, serial_number: &str, external_id: Option<&str>) -> IngestTarget {
    let metric = |number, key: &str, min, max| TargetMetric {
        id: Id::from_uuid(Uuid::from_u128(number)),
        key: key.into(),
        bounds: MetricBounds { min, max },
    };
    IngestTarget {
        module_id: Id::from_uuid(Uuid::from_u128(number)),
        organization_id: Id::from_uuid(Uuid::from_u128(1)),
        site_id: Id::from_uuid(Uuid::from_u128(2)),
        serial_number: Some(serial_number.into()),
        external_id: external_id.map(Into::into),
        last_seen_at: None,
        rhythm: Rhythm { expected_interval_s: 60, offline_after_s: 600 },
        metrics: vec![metric(100, "power", None, None), metric(101, "temperature", Some(-60.0), Some(60.0))],
    }
}

fn row(module: &str, metric: &str, at: Instant, value: f64) -> ReadingRow {
    ReadingRow {
        module: Some(Ok(module.into())),
        metric: Ok(metric.into()),
        at: Ok(at),
        value: Ok(value),
        shape: None,
    }
}

fn judged(targets: &[IngestTarget], rows: &[ReadingRow]) -> Judged {
    judge(rows, &Addressing::Named(Directory::of(targets)), NOW)
}

fn reasons(judged: &Judged) -> Vec<(usize, &str, &'static str)> {
    judged.verdict.rejects.iter().map(|reject| (reject.index, reject.field.name(), reject.reason)).collect()
}

#[test]
fn good_rows_are_kept_and_each_bad_one_is_named() {
    let targets = [target(10, "SN-1", None)];
    let old = Instant::from_secs(1_000);
    let ahead = NOW.plus(Duration::from_secs(301));
    let rows = [
        row("SN-1", "power", NOW, 1.5),
        row("SN-9", "power", NOW, 1.0),
        row("SN-1", "colour", NOW, 1.0),
        row("SN-1", "power", old, 1.0),
        row("SN-1", "power", ahead, 1.0),
        row("SN-1", "power", NOW, f64::NAN),
        row("SN-1", "temperature", NOW, -273.2),
        row("SN-1", "temperature", NOW, 61.0),
        row("SN-1", "power", NOW, -1.7e308),
        ReadingRow { value: Err("not_a_number"), ..row("SN-1", "power", NOW, 0.0) },
        ReadingRow { shape: Some((RowField::Row, "not_an_object")), ..row("SN-1", "power", NOW, 0.0) },
        ReadingRow { module: None, ..row("SN-1", "power", NOW, 0.0) },
        row("SN-1", "power", NOW.plus(Duration::from_mins(5)), 2.0),
    ];
    let judged = judged(&targets, &rows);
    assert_eq!(judged.batch.readings().len(), 2);
    assert_eq!(
        reasons(&judged),
        [
            (1, "module", "unknown_module"),
            (2, "metric", "unknown_metric"),
            (3, "at", "before_year_2000"),
            (4, "at", "in_the_future"),
            (5, "value", "not_finite"),
            (6, "value", "below_minimum"),
            (7, "value", "above_maximum"),
            (8, "value", "too_large"),
            (9, "value", "not_a_number"),
            (10, "row", "not_an_object"),
            (11, "module", "missing"),
        ]
    );
}

#[test]
fn a_name_is_an_id_first_then_a_serial_number_then_an_external_id() {
    let by_id = target(10, "SN-1", None);
    let targets = [
        by_id.clone(),
        target(11, &by_id.module_id.to_string(), Some("SN-1")),
        target(12, "SN-2", Some("X")),
    ];
    let rows = [
        row(&by_id.module_id.to_string(), "power", NOW, 1.0),
        row("SN-1", "power", NOW, 2.0),
        row("X", "power", NOW, 3.0),
    ];
    let judged = judged(&targets, &rows);
    // The second row means the first module again, and by the same moment repeats its reading with another value.
    let found: Vec<_> = judged.batch.readings().iter().map(ResolvedReading::module_id).collect();
    assert_eq!(found, [targets[0].module_id, targets[2].module_id]);
    assert_eq!(judged.verdict.conflict, 1);
}

#[test]
fn a_name_of_two_modules_is_ambiguous() {
    let targets = [target(10, "SN-1", None), target(11, "SN-1", None)];
    assert_eq!(
        reasons(&judged(&targets, &[row("SN-1", "power", NOW, 1.0)])),
        [(0, "module", "ambiguous_module")]
    );
}

#[test]
fn of_rows_for_one_moment_the_first_counts() {
    let targets = [target(10, "SN-1", None)];
    let rows = [
        row("SN-1", "power", NOW, 1.0),
        row("SN-1", "power", NOW, 1.0),
        row("SN-1", "power", NOW, 2.0),
        row("SN-1", "temperature", NOW, 0.0),
        row("SN-1", "temperature", NOW, -0.0),
    ];
    let judged = judged(&targets, &rows);
    let values: Vec<f64> = judged.batch.readings().iter().map(ResolvedReading::value).collect();
    assert_eq!(values, [1.0, 0.0]);
    assert_eq!((judged.verdict.duplicate, judged.verdict.conflict), (2, 1));
}

#[test]
fn history_makes_nothing_online() {
    let targets = [target(10, "SN-1", None), target(11, "SN-2", None)];
    let rows = [
        row("SN-1", "power", NOW.minus(Duration::from_secs(601)), 1.0),
        row("SN-2", "power", NOW.minus(Duration::from_mins(10)), 1.0),
    ];
    assert_eq!(judged(&targets, &rows).batch.seen(), [targets[1].module_id]);
}

#[test]
fn the_path_names_the_module_and_a_row_must_not() {
    let target = target(10, "SN-1", None);
    let rows = [ReadingRow { module: None, ..row("", "power", NOW, 1.0) }, row("SN-1", "power", NOW, 1.0)];
    let judged = judge(&rows, &Addressing::Module(&target), NOW);
    assert_eq!(judged.batch.readings().len(), 1);
    assert_eq!(reasons(&judged), [(1, "module", "module_is_named_by_the_path")]);
}
