//! The command line of `sitewatch-worker`.

mod jobs;
mod probe;
mod run;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use uuid::Uuid;

use crate::{
    assemble::assemble,
    commands::CommandError,
    config::{Config, DatabaseTarget, Overrides},
    exit::StartError,
    management::{self, Management},
    serve, telemetry,
};

/// The worker of Sitewatch: does the jobs that the API writes into the ledger.
#[derive(Debug, Parser)]
#[command(name = "sitewatch-worker", version, about, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    settings: Overrides,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Work until told to stop (the default)
    Run,
    /// Work until nothing is due any more
    Drain,
    /// Look at jobs, run them again, take them back
    Jobs {
        #[command(subcommand)]
        what: jobs::JobsCommand,
    },
    /// Write probes into the ledger, to measure the queue or to see what it survives
    Probe(probe::ProbeArgs),
    /// Tell what a row of probes has come to
    ProbeReport {
        /// The row, as `probe` printed it
        probe: Uuid,
    },
}

/// Runs the command line of this process to its end.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let outcome = runtime.block_on(execute(cli));
            telemetry::end();
            // Not waiting for its threads: one that a job never gave back would hold up the end for ever.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(CommandError::Output(error)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be told where standard error is closed; the exit code still says it.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

async fn execute(cli: Cli) -> Result<(), CommandError> {
    let config = Config::load_from_process(&cli.settings)?.config;
    let command = cli.command.unwrap_or(Command::Run);
    match command {
        Command::Run => {
            telemetry::start_program(&config, "sitewatch-worker").map_err(StartError::Internal)?;
        }
        // Only a second start in one process fails.
        _ => drop(telemetry::start(&config.log)),
    }
    let works = matches!(command, Command::Run | Command::Drain);
    if works && matches!(config.database.target, DatabaseTarget::Sqlite(_)) {
        return Err(CommandError::Refused(
            "database.url is SQLite, on which the server works its jobs off by itself (`sitewatch-api serve`); a worker of its \
             own needs PostgreSQL"
                .into(),
        ));
    }
    let management = match command {
        Command::Run => Management::bind(management::WORKER, config.jobs.management_bind)?,
        _ => None,
    };
    let runtime = assemble(&config).await?;
    if !runtime.pending_migrations.is_empty() {
        return Err(StartError::MigrationsPending { pending: runtime.pending_migrations.len() }.into());
    }
    serve::adopt(&runtime).await?;
    match command {
        Command::Run => run::until_told(runtime, config.jobs, management).await,
        Command::Drain => run::drain(runtime, config.jobs).await,
        Command::Jobs { what } => jobs::run(&runtime.platform, what).await,
        Command::Probe(args) => probe::probe(&runtime.platform, args).await,
        Command::ProbeReport { probe } => probe::report(&runtime.platform, probe).await,
    }
}
