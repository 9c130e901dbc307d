//! Loading readings from a CSV file through the public API.

mod load;
mod summary;

use std::{
    fs::File,
    io::{BufReader, Write as _},
    path::PathBuf,
};

use indicatif::{ProgressBar, ProgressStyle};
use sitewatch_domain::text::Secret;

use crate::client::{ApiClient, ClientError};

pub(crate) use load::{Mapping, load};
pub use summary::Summary;

/// Arguments of `import`.
///
/// The same file can be imported again at any time: what is stored already is counted as a duplicate and changes
/// nothing, so an import that broke off is resumed by starting it again.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// The CSV file; its first line names the columns
    file: PathBuf,
    /// The server; the one of the settings if not given
    #[arg(long)]
    url: Option<String>,
    /// An access token
    #[arg(long, env = "SITEWATCH_TOKEN", hide_env_values = true, value_parser = secret)]
    token: Option<Secret<String>>,
    /// Sign in with this e-mail address instead of a token
    #[arg(long, requires = "password_file")]
    email: Option<String>,
    /// The file that holds the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The column that names the module: its id, serial number or external id
    #[arg(long, value_name = "COLUMN", conflicts_with = "module")]
    module_column: Option<String>,
    /// The module, for a file of one module
    #[arg(long, value_name = "MODULE")]
    module: Option<String>,
    /// The column that holds the time, RFC 3339 with an offset
    #[arg(long, value_name = "COLUMN")]
    time_column: String,
    /// A column and the key of its metric; repeatable. Without any, every other column is named by the key of its metric
    #[arg(long = "map", value_name = "COLUMN=METRIC", value_parser = pair)]
    metrics: Vec<(String, String)>,
    /// The character between two cells: one ASCII character, or the word tab
    #[arg(long, default_value = ",", value_parser = delimiter)]
    delimiter: u8,
    /// Readings a request, at most 10,000
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    batch_size: u16,
    /// Look for modules in this organization only
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    /// Read and check the file without sending anything
    #[arg(long)]
    dry_run: bool,
    /// Print the summary as one line of JSON
    #[arg(long)]
    json: bool,
}

/// Why an import stopped.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be opened or read.
    #[error("the file {path} cannot be read: {reason}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// A line of the file cannot be read.
    #[error("the file cannot be read any further: {0}")]
    Csv(String),
    /// A quotation mark is never closed, so that nobody knows where its cell ends.
    #[error(
        "the quotation mark that opens in line {line} is never closed, so that all lines after it would be one cell; close it, \
         or remove it, and import again: what is stored already counts as a duplicate"
    )]
    OpenQuote {
        /// Where the line begins that it is in.
        line: u64,
    },
    /// The file is written in another encoding.
    #[error("line {line} is not UTF-8 text; convert the file, as with `iconv -f LATIN1 -t UTF-8`")]
    Encoding {
        /// Where.
        line: u64,
    },
    /// There is not even a first line.
    #[error("the file is empty; its first line names the columns")]
    Empty,
    /// The file lacks a column.
    #[error("the file has no column {column}; its columns are {columns}")]
    Column {
        /// What is missing.
        column: String,
        /// What there is.
        columns: String,
    },
    /// A column that is needed is there more than once.
    #[error("the file has the column {0} twice, so it is not clear which one is meant")]
    ColumnTwice(String),
    /// The token has grown old on the way.
    #[error(
        "the token is no longer accepted; import again with a fresh one, or with --email and --password-file: \
         what is stored already counts as a duplicate"
    )]
    TokenExpired,
    /// Neither a token nor an e-mail address was given, or the module is not named.
    #[error("{0}")]
    Arguments(String),
    /// The server did not take it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Nothing of the file could be stored; the summary has been printed.
    #[error("nothing of the file was stored")]
    NothingStored,
    /// The summary cannot be written.
    #[error("the summary cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

impl ImportArgs {
    /// Whether the settings have to say which server it is.
    pub(crate) const fn wants_server(&self) -> bool {
        self.url.is_none() && !self.dry_run
    }
}

/// Runs the command, on the server of the settings if its arguments name none.
///
/// # Errors
/// What stopped it; a row that is refused does not.
pub async fn run(args: ImportArgs, server: Option<String>) -> Result<(), ImportError> {
    let failed = |error: std::io::Error| ImportError::File {
        path: args.file.display().to_string(),
        reason: error.to_string(),
    };
    let file = File::open(&args.file).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let mapping = mapping(&args)?;
    let client = if args.dry_run { None } else { Some(sign_in(&args, server).await?) };
    let bar = progress_bar(size);
    let loaded = load(client.as_ref(), BufReader::new(file), &mapping, &bar).await;
    bar.finish_and_clear();
    let summary = loaded?;
    let text = if args.json { summary.json().to_string() } else { summary.to_string() };
    writeln!(std::io::stdout(), "{text}")?;
    if !args.dry_run && summary.is_empty_handed() { Err(ImportError::NothingStored) } else { Ok(()) }
}

fn mapping(args: &ImportArgs) -> Result<Mapping, ImportError> {
    let wrong = |text: String| Err(ImportError::Arguments(text));
    if args.module.is_none() && args.module_column.is_none() {
        return wrong("say which module: --module-column COLUMN, or --module MODULE".to_owned());
    }
    let taken = [Some(&args.time_column), args.module_column.as_ref()];
    for (index, (column, metric)) in args.metrics.iter().enumerate() {
        let earlier = args.metrics.iter().take(index);
        if taken.contains(&Some(column)) {
            return wrong(format!("--map {column}={metric}: the column holds the time or the module"));
        }
        if earlier.clone().any(|(other, _)| other == column) {
            return wrong(format!("--map names the column {column} twice"));
        }
        if earlier.clone().any(|(_, other)| other == metric) {
            return wrong(format!("--map gives the metric {metric} two columns"));
        }
    }
    Ok(Mapping {
        module_column: args.module_column.clone(),
        module: args.module.clone(),
        time_column: args.time_column.clone(),
        metrics: args.metrics.clone(),
        delimiter: args.delimiter,
        batch_size: usize::from(args.batch_size),
        organization: args.organization.clone(),
    })
}

/// A bar over the bytes of a file; nothing where standard error is not a terminal.
pub(crate) fn progress_bar(bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {bytes_per_sec}  {msg}");
    ProgressBar::new(bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

async fn sign_in(args: &ImportArgs, server: Option<String>) -> Result<ApiClient, ImportError> {
    let url = args.url.clone().or(server);
    let url = url.ok_or_else(|| ImportError::Arguments("say which server: --url URL".to_owned()))?;
    if let (Some(email), Some(path)) = (&args.email, &args.password_file) {
        let text = std::fs::read_to_string(path).map_err(|error| ImportError::File {
            path: path.display().to_string(),
            reason: error.to_string(),
        })?;
        let password = Secret::new(text.trim_end_matches(['\r', '\n']).to_owned());
        return Ok(ApiClient::login(&url, email, &password).await?);
    }
    let token = args.token.clone();
    let token = token.ok_or(ImportError::Arguments(
        "give a token (--token or SITEWATCH_TOKEN), or --email and --password-file".to_owned(),
    ))?;
    Ok(ApiClient::new(&url, token)?)
}

#[expect(clippy::unnecessary_wraps, reason = "the signature is clap's; refusing a text here would print it")]
fn secret(text: &str) -> Result<Secret<String>, std::convert::Infallible> {
    Ok(Secret::new(text.to_owned()))
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((column, metric)) if !column.is_empty() && !metric.is_empty() => {
            Ok((column.to_owned(), metric.to_owned()))
        }
        _ => Err("write it as COLUMN=METRIC".to_owned()),
    }
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [one] if one.is_ascii() && !matches!(one, b'"' | b'\n' | b'\r') => Ok(*one),
        _ => Err("write one ASCII character that is no quotation mark, or the word tab".to_owned()),
    }
}
