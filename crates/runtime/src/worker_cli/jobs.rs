//! `jobs`: looking at the ledger, and setting jobs going again.

use clap::{Subcommand, builder::PossibleValuesParser};
use sitewatch_domain::{
    Platform,
    ids::{Id, JobId},
    jobs::{JobFilter, JobRecord, JobSort, JobState, Lane},
    page::{Direction, Listing, PageRequest},
};
use uuid::Uuid;

use crate::{cli::print, commands::CommandError, work};

#[derive(Debug, Clone, Subcommand)]
pub(super) enum JobsCommand {
    /// List jobs, the latest first
    List(ListArgs),
    /// Show one job with all that is known of it
    Show {
        /// Its id
        job: Uuid,
    },
    /// Run dead or cancelled jobs again, with all their tries before them
    Retry {
        /// Their ids
        #[arg(required = true)]
        jobs: Vec<Uuid>,
    },
    /// Take jobs back that are not over
    Cancel {
        /// Their ids
        #[arg(required = true)]
        jobs: Vec<Uuid>,
    },
}

#[derive(Debug, Clone, clap::Args)]
pub(super) struct ListArgs {
    /// In this state
    #[arg(long, value_parser = PossibleValuesParser::new(JobState::ALL.iter().map(|state| state.name())))]
    state: Option<String>,
    /// Of this kind, like jobs.probe.v1
    #[arg(long)]
    kind: Option<String>,
    /// In this lane
    #[arg(long, value_parser = PossibleValuesParser::new(Lane::ALL.iter().map(|lane| lane.name())))]
    lane: Option<String>,
    /// How many at the most, 1 to 100
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// As one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(platform: &Platform, command: JobsCommand) -> Result<(), CommandError> {
    let actor = work::actor();
    match command {
        JobsCommand::List(args) => list(platform, args).await,
        JobsCommand::Show { job } => {
            let job = platform.jobs().find(&actor, id(job)).await.map_err(|error| of_job(job, &error))?;
            print(&serde_json::to_string_pretty(&job).map_err(std::io::Error::other)?)
        }
        JobsCommand::Retry { jobs } => {
            for job in jobs {
                platform.jobs().retry(&actor, id(job)).await.map_err(|error| of_job(job, &error))?;
                print(&format!("{job} is ready"))?;
            }
            Ok(())
        }
        JobsCommand::Cancel { jobs } => {
            for job in jobs {
                platform.jobs().cancel(&actor, id(job)).await.map_err(|error| of_job(job, &error))?;
                print(&format!("{job} is cancelled"))?;
            }
            Ok(())
        }
    }
}

fn id(job: Uuid) -> JobId {
    Id::from_uuid(job)
}

fn of_job(job: Uuid, error: &sitewatch_domain::Error) -> CommandError {
    CommandError::Refused(format!("{job}: {error}"))
}

async fn list(platform: &Platform, args: ListArgs) -> Result<(), CommandError> {
    let filter = JobFilter {
        state: args.state.as_deref().and_then(JobState::from_name),
        lane: args.lane.as_deref().and_then(Lane::from_name),
        kind: args.kind,
        ..JobFilter::default()
    };
    let page = PageRequest::new(1, args.limit)
        .map_err(|_| CommandError::Refused("--limit takes a number from 1 to 100".to_owned()))?;
    let sort = vec![(JobSort::CreatedAt, Direction::Descending)];
    let listing = Listing { filter, sort, page, ..Listing::default() };
    let jobs = platform.jobs().list(&work::actor(), &listing).await?;
    let text = if args.json {
        let lines = jobs.items.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
        lines.map_err(std::io::Error::other)?.join("\n")
    } else {
        table(&jobs.items)
    };
    if text.is_empty() { Ok(()) } else { print(&text) }
}

/// Columns as wide as their widest entry; the error last, which may be of any length.
fn table(jobs: &[JobRecord]) -> String {
    let head = ["ID", "KIND", "LANE", "STATE", "TRIES", "CREATED", "ERROR"].map(str::to_owned);
    let row = |job: &JobRecord| {
        [
            job.id.to_string(),
            job.kind.clone(),
            job.lane.clone(),
            job.state.name().to_owned(),
            format!("{}/{}", job.attempts, job.max_attempts),
            job.created_at.to_string(),
            job.error.as_deref().unwrap_or_default().replace(char::is_control, " "),
        ]
    };
    let rows: Vec<[String; 7]> = std::iter::once(head).chain(jobs.iter().map(row)).collect();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|text| text.chars().count()).max();
    let widths: Vec<usize> = (0..7).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &[String; 7]| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(text, width)| format!("{text:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
