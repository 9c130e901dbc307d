//! The API server of Sitewatch and its tools.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    sitewatch_runtime::cli::run()
}
