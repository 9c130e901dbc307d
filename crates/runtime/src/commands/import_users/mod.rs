//! `import-users`: users of another platform, with the password hashes that they have there.

mod rows;

use std::{
    fmt::Write as _,
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use sitewatch_domain::{
    FieldErrors,
    access::{Actor, RequestContext},
    users::{Imported, Keep},
};

use super::{CommandError, installation};
use crate::{cli::print, config::Config};

/// Arguments of `import-users`.
///
/// The same file can be imported again at any time: users whose address is there already stay as they are.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportUsersArgs {
    /// The file: CSV whose first line names the columns, or a JSON object a line
    file: PathBuf,
    /// What the file is; by the end of its name if not given
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Make all users, or none if one of them is refused
    #[arg(long)]
    atomic: bool,
    /// Look at all of them and make none
    #[arg(long)]
    dry_run: bool,
}

/// How the file is written.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// Cells between commas
    Csv,
    /// A JSON object a line
    Jsonl,
}

impl ImportUsersArgs {
    fn format(&self) -> Result<Format, CommandError> {
        let end = self.file.extension().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
        let by_name = match end.to_ascii_lowercase().as_str() {
            "csv" => Some(Format::Csv),
            "jsonl" | "ndjson" => Some(Format::Jsonl),
            _ => None,
        };
        self.format.or(by_name).ok_or_else(|| {
            CommandError::Refused(format!(
                "what is in {} cannot be told by its name; say --format csv or --format jsonl",
                self.file.display()
            ))
        })
    }

    fn keep(&self) -> Keep {
        match (self.dry_run, self.atomic) {
            (true, _) => Keep::Nothing,
            (false, true) => Keep::AllOrNothing,
            (false, false) => Keep::Good,
        }
    }
}

/// Imports the file into the database of the settings; a server may be running beside.
#[expect(clippy::disallowed_methods, reason = "whoever can open the database acts for the system")]
pub(crate) async fn run(config: &Config, args: ImportUsersArgs) -> Result<(), CommandError> {
    let rows = read(&args.file, args.format()?)?;
    let (lines, drafts): (Vec<_>, Vec<_>) = rows.into_iter().map(|row| (row.line, row.draft)).unzip();
    let emails: Vec<String> = drafts.iter().map(|draft| draft.value.email.clone()).collect();
    let runtime = installation(config).await?;
    let system = Actor::system(RequestContext::default());
    let outcomes = runtime.platform.users().import(&system, drafts, args.keep()).await?;
    let mut report = String::new();
    for ((line, email), outcome) in lines.iter().zip(&emails).zip(&outcomes) {
        // Writing to a text cannot fail.
        let _ = match outcome {
            Imported::Made | Imported::Good => continue,
            Imported::Exists => writeln!(report, "line {line}: {email} exists already and stays as it is"),
            Imported::Refused(faults) => writeln!(report, "line {line}: {}", told(faults)),
        };
    }
    let count = |wanted: fn(&Imported) -> bool| outcomes.iter().filter(|outcome| wanted(outcome)).count();
    let made = count(|outcome| matches!(outcome, Imported::Made));
    let good = count(|outcome| matches!(outcome, Imported::Good));
    let refused = count(|outcome| matches!(outcome, Imported::Refused(_)));
    let existing = count(|outcome| matches!(outcome, Imported::Exists));
    let _ = write!(report, "{} read: {made} made", outcomes.len());
    if good > 0 {
        let _ = write!(report, ", {good} good and not made");
    }
    let _ = writeln!(report, ", {existing} there already, {refused} refused");
    print(&report)?;
    match refused {
        0 => Ok(()),
        refused => Err(CommandError::Refused(format!(
            "{refused} user(s) were refused; correct those lines and import the file again"
        ))),
    }
}

/// What is wrong; where the line itself cannot be read, nothing of what is missing then.
fn told(faults: &FieldErrors) -> String {
    match faults.iter().find(|fault| fault.field == rows::WHOLE) {
        Some(fault) => fault.message.clone(),
        None => faults.to_string(),
    }
}

fn read(path: &Path, format: Format) -> Result<Vec<rows::Row>, CommandError> {
    let refused = |reason: String| CommandError::Refused(format!("{}: {reason}", path.display()));
    let file = File::open(path).map_err(|error| refused(error.to_string()))?;
    let rows = match format {
        Format::Csv => rows::of_csv(file),
        Format::Jsonl => rows::of_json_lines(BufReader::new(file)),
    };
    rows.map_err(|error| refused(error.to_string()))
}
