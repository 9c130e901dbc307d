//! The command line of `sitewatch-worker`.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand, ValueEnum};
use sitewatch_domain::{
    Error,
    jobs::{Act, JobState, Probe},
};
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

use crate::{
    assemble::{Runtime, assemble},
    cli::print,
    commands::CommandError,
    config::{Config, DatabaseTarget, Overrides},
    exit::StartError,
    telemetry, work,
};

/// Jobs of one transaction.
const CHUNK: u64 = 1_000;

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
    /// Write probes into the ledger, to measure the queue or to see what it survives
    Probe {
        /// How many
        #[arg(long, default_value_t = 1_000)]
        jobs: u64,
        /// What each does
        #[arg(long, value_enum, default_value = "count")]
        act: ProbeAct,
        /// Write one at a time, with so many milliseconds between
        #[arg(long, value_name = "MS")]
        pace_ms: Option<u64>,
        /// Do not wait for their effects
        #[arg(long)]
        no_wait: bool,
    },
    /// Tell what a row of probes has come to
    ProbeReport {
        /// The row, as `probe` printed it
        probe: Uuid,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ProbeAct {
    Nothing,
    Count,
    Fail,
    Panic,
    Abort,
    Spin,
}

impl From<ProbeAct> for Act {
    fn from(act: ProbeAct) -> Self {
        match act {
            ProbeAct::Nothing => Self::Nothing,
            ProbeAct::Count => Self::Count,
            ProbeAct::Fail => Self::Fail,
            ProbeAct::Panic => Self::Panic,
            ProbeAct::Abort => Self::Abort,
            ProbeAct::Spin => Self::Spin,
        }
    }
}

/// Runs the command line of this process to its end.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(execute(cli)),
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
    let _ = telemetry::start(&config.log);
    let command = cli.command.unwrap_or(Command::Run);
    let works = matches!(command, Command::Run | Command::Drain);
    if works && matches!(config.database.target, DatabaseTarget::Sqlite(_)) {
        return Err(CommandError::Refused(
            "on SQLite the server works its jobs off by itself (`sitewatch-api serve`); a worker of its own needs PostgreSQL"
                .into(),
        ));
    }
    let runtime = assemble(&config).await?;
    if !runtime.pending_migrations.is_empty() {
        return Err(StartError::MigrationsPending { pending: runtime.pending_migrations.len() }.into());
    }
    match command {
        Command::Run => until_told(runtime).await,
        Command::Drain => drain(runtime).await,
        Command::Probe { jobs, act, pace_ms, no_wait } => {
            let pace = pace_ms.map(Duration::from_millis);
            probe(&runtime, jobs, act.into(), pace, !no_wait).await
        }
        Command::ProbeReport { probe } => report(&runtime, probe).await,
    }
}

async fn until_told(runtime: Runtime) -> Result<(), CommandError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tracing::info!("working");
    let Runtime { platform, bells, .. } = runtime;
    work::work(platform, bells, async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: finishing what runs");
    })
    .await;
    tracing::info!("stopped");
    Ok(())
}

/// Works until neither anything is due nor anything runs.
async fn drain(runtime: Runtime) -> Result<(), CommandError> {
    let Runtime { platform, bells, .. } = runtime;
    let watched = platform.clone();
    work::work(platform, bells, async move {
        while !is_drained(&watched).await {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
    Ok(())
}

async fn is_drained(platform: &sitewatch_domain::Platform) -> bool {
    let actor = work::actor();
    let Ok(counts) = platform.jobs().count(&actor).await else { return false };
    if counts.iter().any(|count| count.state == JobState::Running) {
        return false;
    }
    let registry = sitewatch_jobs::registry();
    for lane in sitewatch_domain::jobs::Lane::ALL {
        let kinds: Vec<&str> = registry.kinds_of(*lane);
        match platform.jobs().next_due(&actor, *lane, &kinds).await {
            Ok(Some(due)) if due.is_zero() => return false,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    true
}

async fn probe(
    runtime: &Runtime,
    jobs: u64,
    act: Act,
    pace: Option<Duration>,
    wait: bool,
) -> Result<(), CommandError> {
    let actor = work::actor();
    let probe =
        Uuid::parse_str(&runtime.platform.request_id()).map_err(|error| Error::Internal(error.into()))?;
    let began = std::time::Instant::now();
    let chunk = if pace.is_some() { 1 } else { CHUNK };
    let mut first = 0;
    while first < jobs {
        let numbers = first..jobs.min(first + chunk);
        let probes: Vec<Probe> =
            numbers.map(|number| Probe { probe, number, act, organization_id: None }).collect();
        runtime.platform.jobs().enqueue_probes(&actor, &probes).await?;
        first += chunk;
        if let Some(pace) = pace {
            tokio::time::sleep(pace).await;
        }
    }
    print(&format!("probe {probe}: {jobs} jobs written in {:.1} s", began.elapsed().as_secs_f64()))?;
    if !wait || act != Act::Count {
        return Ok(());
    }
    loop {
        if runtime.platform.jobs().probe_report(&actor, probe).await?.distinct == jobs {
            return report(runtime, probe).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn report(runtime: &Runtime, probe: Uuid) -> Result<(), CommandError> {
    let report = runtime.platform.jobs().probe_report(&work::actor(), probe).await?;
    print(&format!(
        "distinct {}\neffects {}\nmedian_ms {:.3}\np99_ms {:.3}\nspan_s {:.3}",
        report.distinct,
        report.effects,
        report.median.as_secs_f64() * 1e3,
        report.p99.as_secs_f64() * 1e3,
        report.span.as_secs_f64()
    ))
}
