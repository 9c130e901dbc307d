//! From a file to users, each with the line that it is in and what is wrong with its form.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, Read},
};

use serde_json::Value;
use sitewatch_domain::{FieldErrors, input::Draft, text::Secret, users::ImportedUser};

/// What a file may tell of a user.
const FIELDS: [&str; 8] =
    ["email", "full_name", "password_hash", "is_superuser", "locale", "timezone", "organization", "role"];

/// Names the line itself in the list of faults.
pub(super) const WHOLE: &str = "the line";

/// A user of a file.
#[derive(Debug)]
pub(super) struct Row {
    /// The line, from 1; the first one of several.
    pub(super) line: u64,
    pub(super) draft: Draft<ImportedUser>,
}

/// Why a file is not read at all.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileFault {
    /// It cannot be read to its end.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// It is in another encoding.
    #[error("line {line} is not UTF-8")]
    Encoding {
        /// The line.
        line: u64,
    },
    /// A column that means nothing here, or the same one twice.
    #[error("the column {column:?} is not one of {known}, or is there twice", known = FIELDS.join(", "))]
    Column {
        /// Its name.
        column: String,
    },
    /// Without addresses there are no users.
    #[error("the file has no column `email`; its first line names the columns")]
    NoEmail,
}

impl From<csv::Error> for FileFault {
    fn from(error: csv::Error) -> Self {
        match error.kind() {
            csv::ErrorKind::Utf8 { pos, .. } => {
                Self::Encoding { line: pos.as_ref().map_or(1, csv::Position::line) }
            }
            _ => Self::Unreadable(error.to_string()),
        }
    }
}

impl From<io::Error> for FileFault {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// The users of a CSV file.
pub(super) fn of_csv(file: impl Read) -> Result<Vec<Row>, FileFault> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let header: Vec<String> = reader.headers()?.iter().map(|column| column.trim().to_owned()).collect();
    for (index, column) in header.iter().enumerate() {
        if !FIELDS.contains(&column.as_str()) || header.iter().take(index).any(|other| other == column) {
            return Err(FileFault::Column { column: column.clone() });
        }
    }
    if !header.iter().any(|column| column == "email") {
        return Err(FileFault::NoEmail);
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record?;
        let line = record.position().map_or(0, csv::Position::line);
        let mut faults = FieldErrors::new();
        if record.len() != header.len() {
            let cells = format!("has {} cells, the first line has {}", record.len(), header.len());
            faults.add(WHOLE, cells);
        }
        // A cell without a text says nothing.
        let cells = header.iter().zip(record.iter().map(str::trim)).filter(|(_, cell)| !cell.is_empty());
        let cells = cells.map(|(column, cell)| (column.clone(), Value::from(cell))).collect();
        rows.push(Row { line, draft: draft_of(cells, faults) });
    }
    Ok(rows)
}

/// The users of a file with a JSON object a line.
pub(super) fn of_json_lines(file: impl BufRead) -> Result<Vec<Row>, FileFault> {
    let mut rows = Vec::new();
    for (text, line) in file.lines().zip(1..) {
        let text = text?;
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            continue;
        }
        let mut faults = FieldErrors::new();
        let object = serde_json::from_str::<serde_json::Map<String, Value>>(text).unwrap_or_else(|_| {
            faults.add(WHOLE, "is not a JSON object");
            serde_json::Map::new()
        });
        let fields: BTreeMap<_, _> = object.into_iter().filter(|(_, value)| !value.is_null()).collect();
        for field in fields.keys().filter(|field| !FIELDS.contains(&field.as_str())) {
            faults.add(field, format!("is not one of {}", FIELDS.join(", ")));
        }
        rows.push(Row { line, draft: draft_of(fields, faults) });
    }
    Ok(rows)
}

fn draft_of(mut fields: BTreeMap<String, Value>, mut faults: FieldErrors) -> Draft<ImportedUser> {
    let is_line_whole = faults.is_empty();
    let is_superuser = match fields.remove("is_superuser") {
        None => false,
        Some(value) => truth_of(&value).unwrap_or_else(|| {
            faults.add("is_superuser", "must be true or false");
            false
        }),
    };
    let mut text = |field: &str| {
        let Value::String(text) = fields.remove(field)? else {
            faults.add(field, "must be a text");
            return None;
        };
        Some(text)
    };
    let (email, full_name) = (text("email"), text("full_name"));
    let value = ImportedUser {
        password_hash: text("password_hash").map(Secret::new),
        is_superuser,
        locale: text("locale"),
        timezone: text("timezone"),
        organization: text("organization"),
        role: text("role"),
        email: email.clone().unwrap_or_default(),
        full_name: full_name.clone().unwrap_or_default(),
    };
    for (field, given) in [("email", email), ("full_name", full_name)] {
        if given.is_none() && is_line_whole {
            faults.add(field, "is required");
        }
    }
    Draft { value, faults }
}

/// As JSON says it, or as databases print it.
fn truth_of(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "1" => Some(true),
            "false" | "f" | "no" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(rows: Result<Vec<Row>, FileFault>) -> Vec<(u64, String, String)> {
        let rows = rows.expect("a file that can be read").into_iter();
        rows.map(|row| (row.line, row.draft.value.email, row.draft.faults.to_string())).collect()
    }

    fn fault(file: &[u8]) -> String {
        of_csv(file).expect_err("a file that cannot be read").to_string()
    }

    #[test]
    fn cells_are_told_by_their_columns() {
        let file = "\u{feff}full_name, email ,is_superuser,role\nAda,ada@example.org,t,\n\"Eve\nof two lines\",eve@example.org,,admin\nBob,bob@example.org,no,member\n";
        let rows = of_csv(file.as_bytes()).expect("read");
        let told: Vec<_> = rows
            .iter()
            .map(|row| (row.line, row.draft.value.is_superuser, row.draft.value.role.as_deref()))
            .collect();
        assert_eq!(told, [(2, true, None), (3, false, Some("admin")), (5, false, Some("member"))]);
        assert!(
            rows.iter().all(|row| row.draft.faults.is_empty() && row.draft.value.password_hash.is_none())
        );
    }

    #[test]
    fn faults_of_form_are_of_their_line() {
        let file =
            "email,full_name,is_superuser\nada@example.org,Ada\n,Nobody,no\nbob@example.org,Bob,maybe\n";
        assert_eq!(
            told(of_csv(file.as_bytes())),
            [
                (2, "ada@example.org".into(), "the line: has 2 cells, the first line has 3".into()),
                (3, String::new(), "email: is required".into()),
                (4, "bob@example.org".into(), "is_superuser: must be true or false".to_owned()),
            ]
        );
    }

    #[test]
    fn a_file_with_other_columns_is_not_guessed_at() {
        assert!(
            fault(b"email,full_name,hashed_password\n").contains("\"hashed_password\" is not one of email,")
        );
        assert!(fault(b"email,email,full_name\n").contains("twice"));
        assert!(fault(b"full_name,role\n").contains("no column `email`"));
        assert!(fault(b"").contains("no column `email`"));
        assert!(fault(b"email,full_name\na@example.org,M\xfcller\n").contains("line 2 is not UTF-8"));
    }

    #[test]
    fn each_line_is_an_object_of_its_own() {
        let file = r#"{"email":"ada@example.org","full_name":"Ada","is_superuser":true,"role":null}

not JSON
["a list"]
{"email":"bob@example.org","full_name":7,"password":"x"}
{"full_name":"Nobody"}"#;
        let rows = told(of_json_lines(file.as_bytes()));
        assert_eq!(rows[0], (1, "ada@example.org".into(), String::new()));
        assert_eq!(rows[1], (3, String::new(), "the line: is not a JSON object".into()));
        assert_eq!(rows[2].0, 4);
        assert!(
            rows[3].2.contains("password: is not one of") && rows[3].2.contains("full_name: must be a text"),
            "{rows:?}"
        );
        assert_eq!(rows[4], (6, String::new(), "email: is required".into()));
    }
}
