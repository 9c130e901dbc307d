//! From the lines of a file to batches, in the order of the file.

use std::{collections::BTreeMap, io::Read};

use csv::StringRecord;
use indicatif::ProgressBar;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{ImportError, Summary};
use crate::client::{ApiClient, ClientError};

/// Bytes of a batch at most, well below what the server takes.
const BATCH_BYTES: usize = 1_500_000;

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
    pub(crate) metrics: BTreeMap<String, String>,
    /// Between two cells.
    pub(crate) delimiter: char,
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
    let delimiter = u8::try_from(mapping.delimiter).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(input);
    let unreadable =
        |error: csv::Error| ImportError::File { path: "the input".into(), reason: error.to_string() };
    let columns = columns_of(reader.headers().map_err(unreadable)?, mapping)?;
    let mut summary = Summary::default();
    let mut batch = Batch::default();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(unreadable)? {
        summary.rows += 1;
        let line = record.position().map_or(0, csv::Position::line);
        add_line(&record, line, &columns, mapping, &mut batch, &mut summary);
        if batch.readings.len() + columns.metrics.len() > mapping.batch_size || batch.bytes > BATCH_BYTES {
            send(client, std::mem::take(&mut batch), mapping, &mut summary).await?;
            bar.set_position(reader.position().byte());
        }
    }
    send(client, batch, mapping, &mut summary).await?;
    Ok(summary)
}

fn columns_of(header: &StringRecord, mapping: &Mapping) -> Result<Columns, ImportError> {
    let find = |name: &str| {
        header.iter().position(|column| column.trim() == name).ok_or_else(|| ImportError::Column {
            column: name.to_owned(),
            columns: header.iter().collect::<Vec<_>>().join(", "),
        })
    };
    let module = mapping.module_column.as_deref().map(find).transpose()?;
    let time = find(&mapping.time_column)?;
    let metrics = if mapping.metrics.is_empty() {
        let others = header.iter().enumerate().filter(|(index, _)| *index != time && Some(*index) != module);
        others.map(|(index, name)| (index, name.trim().to_owned())).collect()
    } else {
        let mut metrics = Vec::new();
        for (column, metric) in &mapping.metrics {
            metrics.push((find(column)?, metric.clone()));
        }
        metrics
    };
    Ok(Columns { module, time, metrics })
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
    for (index, metric) in &columns.metrics {
        let text = cell(*index);
        if text.is_empty() {
            summary.empty += 1;
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
            if faults.first().is_some_and(|(field, _)| field.starts_with("readings[")) =>
        {
            let reason = faults.first().map(|(_, message)| message.clone()).unwrap_or_default();
            for index in 0..sent {
                summary.reject(&reason, || place(index));
            }
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping() -> Mapping {
        Mapping {
            module_column: Some("turbine".into()),
            module: None,
            time_column: "time".into(),
            metrics: BTreeMap::new(),
            delimiter: ',',
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
}
