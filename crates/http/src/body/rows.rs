//! Bodies of many rows, each like the body that makes one object: JSON, or CSV with the names of the fields in its first line.

use serde_aux::serde_introspection::serde_introspect;
use serde_json::{Map, Value};
use sitewatch_domain::{
    Error, FieldErrors,
    bulk::{BulkRow, MOST_ROWS},
    ids::Id,
    input::Input as _,
};

use super::{Body, BodyBytes, COMMON_READ_ONLY, Field, ParsedBody, Strict, parsed, syntax};

/// What separates the items of a list in a cell.
const ITEMS: char = ';';

/// How a cell of CSV is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// As a number.
    Number,
    /// As `true` or `false`.
    Switch,
    /// As a list of texts.
    List,
}

/// A body that can be a row.
pub trait RowBody: Body + Send {
    /// What it belongs to.
    type Parent;
    /// The field that names it.
    const PARENT: &'static str;
    /// The fields that are no text in CSV.
    const CELLS: &'static [(&'static str, Cell)];

    /// Takes the parent out.
    fn take_parent(&mut self) -> Field<Id<Self::Parent>>;
}

/// A row that is read as such a body.
pub type RowOf<B> = BulkRow<Id<<B as RowBody>::Parent>, <B as Body>::Input>;

/// The rows of a body.
pub enum Table {
    /// JSON: an object with a list of objects.
    Json(BodyBytes),
    /// CSV (RFC 4180) in UTF-8.
    Csv(BodyBytes),
}

impl Table {
    /// The rows, which JSON has under this name.
    ///
    /// # Errors
    /// 415 for another type; 400 if it is not JSON or CSV; 422 for what is no list of rows, too many of them, or a column that no row has.
    pub fn rows<B: RowBody>(self, name: &'static str) -> Result<Vec<RowOf<B>>, Error> {
        let rows = match self {
            Self::Json(bytes) => json_rows(bytes.read()?, name)?,
            Self::Csv(bytes) => csv_rows::<B>(bytes.read()?, name)?,
        };
        rows.into_iter().map(row_of::<B>).collect()
    }
}

fn row_of<B: RowBody>(fields: Map<String, Value>) -> Result<RowOf<B>, Error> {
    let ParsedBody { mut body, mut faults } = parsed::<B>(fields)?;
    let parent = match body.take_parent() {
        Field::Value(parent) => Some(parent),
        Field::Absent | Field::Null => {
            faults.add(B::PARENT, "is required");
            None
        }
        Field::Invalid(expected) => {
            faults.add(B::PARENT, expected);
            None
        }
    };
    Ok(BulkRow { parent, draft: ParsedBody { body, faults }.read()? })
}

fn json_rows(bytes: &[u8], name: &'static str) -> Result<Vec<Map<String, Value>>, Error> {
    let Strict(value) = serde_json::from_slice(bytes).map_err(|error| Error::Malformed(syntax(&error)))?;
    let Value::Object(mut fields) = value else {
        return Err(Error::invalid("body", "must be a JSON object"));
    };
    let rows = fields.remove(name);
    if let Some(unknown) = fields.keys().next() {
        let unknown: String = unknown.chars().take(64).collect();
        return Err(Error::invalid(unknown, format!("is not a known field; known is {name}")));
    }
    let Some(Value::Array(rows)) = rows else {
        return Err(Error::invalid(name, "must be a list of objects"));
    };
    limited(rows.len(), name)?;
    let object = |(number, row)| match row {
        Value::Object(fields) => Ok(fields),
        _ => Err(Error::invalid(format!("{name}[{number}]"), "must be a JSON object")),
    };
    rows.into_iter().enumerate().map(object).collect()
}

fn csv_rows<B: RowBody>(bytes: &[u8], name: &'static str) -> Result<Vec<Map<String, Value>>, Error> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(bytes);
    let columns: Vec<String> = reader.headers().map_err(unreadable)?.iter().map(str::to_owned).collect();
    check_columns::<B>(&columns)?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        limited(rows.len() + 1, name)?;
        let cells = columns.iter().zip(record.iter()).filter(|(_, text)| !text.is_empty());
        rows.push(cells.map(|(column, text)| (column.clone(), cell::<B>(column, text))).collect());
    }
    Ok(rows)
}

fn check_columns<B: RowBody>(columns: &[String]) -> Result<(), Error> {
    let known: &[&str] = serde_introspect::<B>();
    let mut faults = FieldErrors::new();
    for (number, column) in columns.iter().enumerate() {
        let is_known =
            [known, COMMON_READ_ONLY, B::READ_ONLY].iter().any(|names| names.contains(&column.as_str()));
        let name: String = column.chars().take(64).collect();
        if !is_known {
            faults.add(name, format!("is not a known column; known are {}", known.join(", ")));
        } else if columns.iter().take(number).any(|before| before == column) {
            faults.add(name, "is a column twice");
        }
    }
    faults.into_result()
}

fn cell<B: RowBody>(column: &str, text: &str) -> Value {
    let as_text = || Value::from(text);
    match B::CELLS.iter().find(|(name, _)| *name == column).map(|(_, cell)| cell) {
        Some(Cell::Number) => text.trim().parse().map_or_else(|_| as_text(), Value::Number),
        Some(Cell::Switch) => text.trim().parse().map_or_else(|_| as_text(), Value::Bool),
        Some(Cell::List) => text.split(ITEMS).map(str::trim).filter(|item| !item.is_empty()).collect(),
        None => as_text(),
    }
}

fn limited(rows: usize, name: &'static str) -> Result<(), Error> {
    if rows > MOST_ROWS {
        Err(Error::invalid(name, format!("must be 1 to {MOST_ROWS} rows")))
    } else {
        Ok(())
    }
}

/// Where a text stops being CSV, without quoting it.
fn unreadable(error: csv::Error) -> Error {
    let what = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8",
        csv::ErrorKind::UnequalLengths { .. } => "has more or fewer cells than the first line",
        _ => "is not CSV",
    };
    let line = error.position().map_or(1, csv::Position::line);
    Error::Malformed(format!("the body {what} (line {line})"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use sitewatch_domain::{organizations::Organization, sites::NewSite};

    use super::*;

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct SiteRow {
        organization_id: Field<Id<Organization>>,
        name: Field<String>,
        latitude: Field<f64>,
        tags: Field<Vec<String>>,
    }

    impl Body for SiteRow {
        type Input = NewSite;

        fn into_input(self, faults: &mut FieldErrors) -> NewSite {
            NewSite {
                name: self.name.required("name", faults),
                latitude: self.latitude.optional("latitude", faults),
                tags: self.tags.optional("tags", faults).unwrap_or_default(),
                ..NewSite::default()
            }
        }
    }

    impl RowBody for SiteRow {
        type Parent = Organization;
        const PARENT: &'static str = "organization_id";
        const CELLS: &'static [(&'static str, Cell)] = &[("latitude", Cell::Number), ("tags", Cell::List)];

        fn take_parent(&mut self) -> Field<Id<Organization>> {
            std::mem::take(&mut self.organization_id)
        }
    }

    const ORG: &str = "018f0000-0000-7000-8000-000000000000";

    fn csv(text: &str) -> Result<Vec<BulkRow<Id<Organization>, NewSite>>, Error> {
        Table::Csv(BodyBytes::new(text.as_bytes().to_vec())).rows::<SiteRow>("sites")
    }

    #[test]
    fn csv_says_what_json_says() {
        let text = format!(
            "\u{feff}organization_id,name, latitude,tags,created_at\r\n{ORG},\"A, B\",48.5,x; y;,now\r\n{ORG},C,,,\r\n"
        );
        let rows = csv(&text).expect("rows");
        let json = format!(
            r#"{{"sites":[{{"organization_id":"{ORG}","name":"A, B","latitude":48.5,"tags":["x","y"]}},{{"organization_id":"{ORG}","name":"C"}}]}}"#
        );
        let same = Table::Json(BodyBytes::new(json.into_bytes())).rows::<SiteRow>("sites").expect("rows");
        assert_eq!(format!("{rows:?}"), format!("{same:?}"));
        assert_eq!((rows[0].draft.value.name.as_str(), rows[0].draft.value.latitude), ("A, B", Some(48.5)));
        assert!(rows.iter().all(|row| row.draft.faults.is_empty() && row.parent.is_some()));
    }

    #[test]
    fn faults_of_cells_are_those_of_their_rows() {
        let rows = csv(&format!("name,latitude,organization_id\nA,north,{ORG}\n,1,here\n")).expect("rows");
        let faults = |row: usize| {
            let faults: &FieldErrors = &rows[row].draft.faults;
            faults.iter().map(|fault| fault.field.clone()).collect::<Vec<_>>()
        };
        assert_eq!(
            (faults(0), faults(1)),
            (vec!["latitude".to_owned()], vec!["organization_id".into(), "name".into()])
        );
    }

    #[test]
    fn what_is_no_table_is_refused_as_a_whole() {
        for text in ["name\nA,B\n", "name\n\"A\n", "a\0\n\u{0}"] {
            let refused = csv(text).err();
            assert!(!matches!(refused, Some(Error::Internal(_))), "{text}: {refused:?}");
        }
        for (text, field) in [("colour\nred\n", "colour"), ("name,name\nA,B\n", "name")] {
            match csv(text).expect_err("refused") {
                Error::Invalid(faults) => assert!(faults.names(field), "{faults}"),
                other => panic!("{other:?}"),
            }
        }
        let long = format!("name\n{}", "A\n".repeat(MOST_ROWS + 1));
        assert!(matches!(csv(&long), Err(Error::Invalid(_))));
        assert!(matches!(csv("name\nA,B\n"), Err(Error::Malformed(detail)) if detail.contains("line 2")));
    }
}
