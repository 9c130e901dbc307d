//! `probe` and `probe-report`: jobs that only tell that they were done.

use std::time::Duration;

use clap::ValueEnum;
use sitewatch_domain::{
    Error, Platform,
    jobs::{Act, Probe},
};
use uuid::Uuid;

use crate::{cli::print, commands::CommandError, work};

/// Jobs of one transaction.
const CHUNK: u64 = 1_000;

#[derive(Debug, Clone, clap::Args)]
pub(super) struct ProbeArgs {
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

pub(super) async fn probe(platform: &Platform, args: ProbeArgs) -> Result<(), CommandError> {
    let ProbeArgs { jobs, act, pace_ms, no_wait } = args;
    let act = Act::from(act);
    let actor = work::actor();
    let probe = Uuid::parse_str(&platform.request_id()).map_err(|error| Error::Internal(error.into()))?;
    let began = std::time::Instant::now();
    let chunk = if pace_ms.is_some() { 1 } else { CHUNK };
    let mut first = 0;
    while first < jobs {
        let numbers = first..jobs.min(first + chunk);
        let probes: Vec<Probe> =
            numbers.map(|number| Probe { probe, number, act, organization_id: None }).collect();
        platform.jobs().enqueue_probes(&actor, &probes).await?;
        first += chunk;
        if let Some(pause) = pace_ms {
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }
    print(&format!("probe {probe}: {jobs} jobs written in {:.1} s", began.elapsed().as_secs_f64()))?;
    if no_wait || act != Act::Count {
        return Ok(());
    }
    loop {
        if platform.jobs().probe_report(&actor, probe).await?.distinct == jobs {
            return report(platform, probe).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub(super) async fn report(platform: &Platform, probe: Uuid) -> Result<(), CommandError> {
    let report = platform.jobs().probe_report(&work::actor(), probe).await?;
    print(&format!(
        "distinct {}\neffects {}\nmedian_ms {:.3}\np99_ms {:.3}\nspan_s {:.3}",
        report.distinct,
        report.effects,
        report.median.as_secs_f64() * 1e3,
        report.p99.as_secs_f64() * 1e3,
        report.span.as_secs_f64()
    ))
}
