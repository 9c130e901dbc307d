//! From the lines of a file to batches, in the order of the file.

use std::{collections::BTreeMap, io::Read};

use csv::StringRecord;
use indicatif::ProgressBar;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sitewatch_domain::time::Instant;

use super::{ImportError, Summary};
use crate::client::{ApiClient, ClientError};

/// Bytes of a batch at most, well below what the server takes.
const BATCH_BYTES: usize = 1_500_000;

/// Stands in no file of text, and between no cells.
const MARK: &str = "\0";
/// What is read behind the end of the file.
const LAST_LINE: &[u8] = b"\n\0\n";

/// Which column means what.
#[derive(Debug, Clone)]
pub(crate) struct Mapping {
    /// The column that names the module.
    pub(crate) module_column: Option<String>,
    /// The module of the whole file.
    pub(crate) module: Option<String>,
    /// The column of the time.
    pub(crate) time_column: String,
    /// Columns and the keys of their metrics; if empty, all others under their own names.
    pub(crate) metrics: Vec<(String, String)>,
    /// Between two cells.
    pub(crate) delimiter: u8,
    /// Readings a batch.
    pub(crate) batch_size: usize,
    /// Where modules are looked for.
    pub(crate) organization: Option<String>,
}

/// The same as positions in a line.
struct Columns {
    module: Option<usize>,
    time: usize,
    metrics: Vec<(usize, String)>,
}

impl Columns {
    /// Whether a cell that matters goes on in the next line, as no name, time or number does.
    fn hold_a_line_break(&self, record: &StringRecord) -> bool {
        let metrics = self.metrics.iter().map(|(index, _)| *index);
        let mut all = self.module.into_iter().chain([self.time]).chain(metrics);
        all.any(|index| record.get(index).is_some_and(breaks))
    }
}

/// A batch that is being filled, with the place of each reading in the file.
#[derive(Default)]
struct Batch {
    readings: Vec<Value>,
    places: Vec<(u64, String)>,
    bytes: usize,
}

/// Sends a file; without a client it is only read.
///
/// # Errors
/// What stops an import. Readings that are refused are counted and do not.
pub(crate) async fn load(
    client: Option<&ApiClient>,
    input: impl Read,
    mapping: &Mapping,
    bar: &ProgressBar,
) -> Result<Summary, ImportError> {
    // A quotation mark that is never closed takes all that follows into its cell: then this line does not come out as a line.
    let input = input.chain(LAST_LINE);
    let mut reader = csv::ReaderBuilder::new().delimiter(mapping.delimiter).flexible(true).from_reader(input);
    let header = reader.headers().map_err(unreadable)?;
    if is_last(header) {
        return Err(ImportError::Empty);
    }
    refuse_open_quote(header, 1)?;
    let width = header.len();
    let columns = columns_of(header, mapping)?;
    let mut summary = Summary::default();
    let mut batch = Batch::default();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(unreadable)? {
        if is_last(&record) {
            break;
        }
        let line = record.position().map_or(0, csv::Position::line);
        refuse_open_quote(&record, line)?;
        summary.rows += 1;
        if columns.hold_a_line_break(&record) || (record.len() != width && record.iter().any(breaks)) {
            let until = line + lines_within(&record);
            summary.reject("a quotation mark that is not closed in its line", || {
                format!("line {line}, whose cell goes on to line {until}")
            });
            continue;
        }
        if record.len() != width {
            // A decimal comma moves every cell after it.
            let place = || format!("line {line} ({} cells, the first line has {width})", record.len());
            summary.reject("another number of cells than the first line", place);
            continue;
        }
        add_line(&record, line, &columns, mapping, &mut batch, &mut summary);
        if batch.readings.len() + columns.metrics.len() > mapping.batch_size || batch.bytes > BATCH_BYTES {
            send(client, std::mem::take(&mut batch), mapping, &mut summary).await?;
            bar.set_position(reader.position().byte());
        }
    }
    send(client, batch, mapping, &mut summary).await?;
    Ok(summary)
}

fn is_last(record: &StringRecord) -> bool {
    record.len() == 1 && record.get(0) == Some(MARK)
}

fn refuse_open_quote(record: &StringRecord, line: u64) -> Result<(), ImportError> {
    let is_open = record.iter().any(|cell| cell.contains(MARK));
    if is_open { Err(ImportError::OpenQuote { line }) } else { Ok(()) }
}

fn breaks(cell: &str) -> bool {
    cell.contains('\n')
}

fn lines_within(record: &StringRecord) -> u64 {
    let breaks = record.iter().flat_map(str::bytes).filter(|byte| *byte == b'\n').count();
    u64::try_from(breaks).unwrap_or(u64::MAX)
}

fn unreadable(error: csv::Error) -> ImportError {
    match error.kind() {
        csv::ErrorKind::Utf8 { pos, .. } => {
            ImportError::Encoding { line: pos.as_ref().map_or(1, csv::Position::line) }
        }
        _ => ImportError::Csv(error.to_string()),
    }
}

fn columns_of(header: &StringRecord, mapping: &Mapping) -> Result<Columns, ImportError> {
    let find = |name: &str| {
        let mut found = header.iter().enumerate().filter(|(_, column)| column.trim() == name);
        match (found.next(), found.next()) {
            (Some((index, _)), None) => Ok(index),
            (Some(_), Some(_)) => Err(ImportError::ColumnTwice(name.to_owned())),
            _ => Err(ImportError::Column {
                column: name.to_owned(),
                columns: header.iter().collect::<Vec<_>>().join(", "),
            }),
        }
    };
    let module = mapping.module_column.as_deref().map(find).transpose()?;
    let time = find(&mapping.time_column)?;
    let others = header.iter().map(str::trim).enumerate();
    let others = others.filter(|(index, _)| *index != time && Some(*index) != module);
    let wanted: Vec<(String, String)> = if mapping.metrics.is_empty() {
        others.map(|(_, name)| (name.to_owned(), name.to_owned())).collect()
    } else {
        mapping.metrics.clone()
    };
    let metrics: Result<_, ImportError> =
        wanted.into_iter().map(|(column, metric)| Ok((find(&column)?, metric))).collect();
    Ok(Columns { module, time, metrics: metrics? })
}

fn add_line(
    record: &StringRecord,
    line: u64,
    columns: &Columns,
    mapping: &Mapping,
    batch: &mut Batch,
    summary: &mut Summary,
) {
    let cell = |index: usize| record.get(index).map(str::trim).unwrap_or_default();
    let module = columns.module.map_or_else(|| mapping.module.as_deref().unwrap_or_default(), cell);
    let at = cell(columns.time);
    let fault = match at.parse::<Instant>() {
        Ok(moment) if moment < Instant::YEAR_2000 => Some("before_year_2000"),
        Ok(_) => None,
        Err(_) => Some("not_a_time"),
    };
    for (index, metric) in &columns.metrics {
        let text = cell(*index);
        if text.is_empty() {
            summary.empty += 1;
            continue;
        }
        if let Some(fault) = fault {
            summary.reject(fault, || format!("line {line}, {metric}"));
            continue;
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => {
                batch.readings.push(json!({ "module": module, "metric": metric, "at": at, "value": value }));
                batch.places.push((line, metric.clone()));
                // Names, quotes and a number of 17 digits.
                batch.bytes += module.len() + metric.len() + at.len() + 72;
            }
            _ => summary.reject("not a number", || format!("line {line}, {metric}")),
        }
    }
}

async fn send(
    client: Option<&ApiClient>,
    batch: Batch,
    mapping: &Mapping,
    summary: &mut Summary,
) -> Result<(), ImportError> {
    let Some(client) = client.filter(|_| !batch.readings.is_empty()) else { return Ok(()) };
    let sent = u64::try_from(batch.readings.len()).unwrap_or(u64::MAX);
    summary.sent += sent;
    let mut body = json!({ "readings": batch.readings });
    if let (Some(organization), Some(body)) = (&mapping.organization, body.as_object_mut()) {
        body.insert("organization_id".into(), organization.clone().into());
    }
    let place = |index: u64| {
        let found = usize::try_from(index).ok().and_then(|index| batch.places.get(index));
        found.map_or_else(String::new, |(line, metric)| format!("line {line}, {metric}"))
    };
    match client.post("/api/v1/ingest/readings", &body).await {
        Ok(answer) => {
            summary.add(&answer);
            for reject in answer.get("rejects").and_then(Value::as_array).into_iter().flatten() {
                let reason = reject.get("reason").and_then(Value::as_str).unwrap_or_default();
                let index = reject.get("index").and_then(Value::as_u64).unwrap_or_default();
                summary.reject(reason, || place(index));
            }
            Ok(())
        }
        // Every row was refused: the rest of the file may still be good.
        Err(ClientError::Refused { status: StatusCode::UNPROCESSABLE_ENTITY, faults, .. })
            if faults.first().is_some_and(|(field, _)| row_of(field).is_some()) =>
        {
            let reasons: BTreeMap<u64, &String> =
                faults.iter().rev().filter_map(|(field, reason)| Some((row_of(field)?, reason))).collect();
            for index in 0..sent {
                // The answer names the first hundred faults.
                let reason =
                    reasons.get(&index).map_or("refused with the rest of its batch", |reason| reason);
                summary.reject(reason, || place(index));
            }
            Ok(())
        }
        Err(ClientError::Unauthenticated) => Err(ImportError::TokenExpired),
        Err(error) => Err(error.into()),
    }
}

/// The index in a field like `readings[12].value`.
fn row_of(field: &str) -> Option<u64> {
    field.strip_prefix("readings[")?.split_once(']')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping() -> Mapping {
        Mapping {
            module_column: Some("turbine".into()),
            module: None,
            time_column: "time".into(),
            metrics: Vec::new(),
            delimiter: b',',
            batch_size: 100,
            organization: None,
        }
    }

    #[tokio::test]
    async fn cells_without_a_value_are_counted_and_words_are_refused() {
        let file = "turbine,time,power\nT1,2026-01-01T00:00:00Z,1.5\nT1,2026-01-01T00:10:00Z,\nT1,2026-01-01T00:20:00Z,n/a\n";
        let summary = load(None, file.as_bytes(), &mapping(), &ProgressBar::hidden()).await.expect("read");
        assert_eq!((summary.rows, summary.empty, summary.sent), (3, 1, 0));
        assert_eq!(summary.rejected["not a number"], (1, vec!["line 4, power".to_owned()]));
    }

    #[tokio::test]
    async fn a_missing_column_is_named_with_what_there_is() {
        let error = load(None, "a,b\n1,2\n".as_bytes(), &mapping(), &ProgressBar::hidden())
            .await
            .expect_err("missing");
        assert_eq!(error.to_string(), "the file has no column turbine; its columns are a, b");
    }
    async fn read(file: &[u8], mapping: &Mapping) -> Result<Summary, ImportError> {
        load(None, file, mapping, &ProgressBar::hidden()).await
    }

    #[tokio::test]
    async fn a_file_in_another_encoding_is_told_with_its_line() {
        let file = b"turbine,time,power\nT1,2026-01-01T00:00:00Z,1\nM\xfcnchen,2026-01-01T00:00:00Z,1\n";
        let error = read(file, &mapping()).await.expect_err("not UTF-8");
        assert!(matches!(error, ImportError::Encoding { line: 3 }), "{error}");
        let marked = "\u{feff}turbine,time,power\nT1,2026-01-01T00:00:00Z,1\n";
        assert_eq!(
            read(marked.as_bytes(), &mapping()).await.expect("a mark of UTF-8 is none of the name").rows,
            1
        );
    }

    #[tokio::test]
    async fn times_are_looked_at_without_a_server() {
        let file =
            "turbine,time,power\nT1,01.02.2026,1\nT1,1999-12-31T23:59:59Z,1\nT1,2026-01-01T00:00:00Z,1\n";
        let summary = read(file.as_bytes(), &mapping()).await.expect("read");
        assert_eq!(summary.rejected["not_a_time"], (1, vec!["line 2, power".to_owned()]));
        assert_eq!(summary.rejected["before_year_2000"], (1, vec!["line 3, power".to_owned()]));
        assert_eq!((summary.rows, summary.rejected.len()), (3, 2));
    }

    #[tokio::test]
    async fn a_quotation_mark_that_is_never_closed_is_told_with_its_line() {
        let good = "T1,2026-01-01T00:00:00Z,1,fine\n";
        for (file, line) in [
            (format!("turbine,time,power,note\n{good}T1,2026-01-01T00:00:00Z,1,\"open\n{good}{good}"), 3),
            (format!("turbine,time,power,note\n{good}\"T1,2026-01-01T00:00:00Z,1,open\n{good}{good}"), 3),
            (format!("turbine,time,power,\"note\n{good}"), 1),
            ("turbine,time,power,note\n\"T1,2026-01-01T00:00:00Z,1,".to_owned(), 2),
        ] {
            let error = read(file.as_bytes(), &mapping()).await.expect_err("open");
            assert!(
                matches!(error, ImportError::OpenQuote { line: told } if told == line),
                "{error}: {file}"
            );
        }
    }

    #[tokio::test]
    async fn lines_that_a_quotation_mark_swallowed_are_told() {
        let rows = "T1,2026-01-01T00:00:00Z,1,fine\n\"T1,2026-01-01T00:10:00Z,1,fine\nT1,2026-01-01T00:20:00Z,1,fine\nT1\",2026-01-01T00:30:00Z,1,fine\n";
        let file = format!("turbine,time,power,note\n{rows}");
        let summary = read(file.as_bytes(), &mapping()).await.expect("read");
        let place = "line 3, whose cell goes on to line 5".to_owned();
        assert_eq!(summary.rejected["a quotation mark that is not closed in its line"], (1, vec![place]));
        let note = "turbine,time,power,note\nT1,2026-01-01T00:00:00Z,1,\"a note\nof two lines\"\nT1,2026-01-01T00:10:00Z,1,";
        let mapping = Mapping { metrics: vec![("power".into(), "power".into())], ..mapping() };
        let summary = read(note.as_bytes(), &mapping).await.expect("read");
        assert!(summary.rows == 2 && summary.rejected.is_empty(), "{summary}");
    }

    #[tokio::test]
    async fn an_empty_file_is_told() {
        let error = read(b"", &mapping()).await.expect_err("empty");
        assert!(matches!(error, ImportError::Empty), "{error}");
    }

    #[tokio::test]
    async fn a_column_that_is_there_twice_is_refused_where_it_matters() {
        let file = "turbine,time,power,power,note,note\nT1,2026-01-01T00:00:00Z,1,2,,\n".as_bytes();
        let error = read(file, &mapping()).await.expect_err("which power?");
        assert!(matches!(error, ImportError::ColumnTwice(column) if column == "power"));
        let file = "turbine,time,power,note,note\nT1,2026-01-01T00:00:00Z,1,,\n".as_bytes();
        let mapping = Mapping { metrics: vec![("power".into(), "P".into())], ..mapping() };
        assert_eq!(read(file, &mapping).await.expect("notes are not wanted").rows, 1);
    }

    #[test]
    fn rows_are_found_in_the_names_of_fields() {
        assert_eq!(
            [row_of("readings[12].value"), row_of("readings"), row_of("readings[x].at")],
            [Some(12), None, None]
        );
    }
}
