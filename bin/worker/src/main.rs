//! The worker of Sitewatch.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    sitewatch_runtime::worker_cli::run()
}
