//! `rollups`: holding what is kept against the readings, and making it anew.

use sitewatch_domain::{
    ids::{ModuleId, OrgId},
    rollups::RollupScope,
};

use super::{CommandError, installation};
use crate::{cli::print, config::Config, work};

/// What is to be done with rollups.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum RollupsCommand {
    /// Compute all rollups anew from the readings
    Rebuild(ScopeArgs),
    /// Compare all rollups with what the readings come to, and name each figure that differs
    Verify(ScopeArgs),
}

/// Whose rollups.
#[derive(Debug, clap::Args)]
pub(crate) struct ScopeArgs {
    /// Only those of this organization, by id
    #[arg(long, value_name = "ID")]
    organization: Option<OrgId>,
    /// Only those of this module, by id
    #[arg(long, value_name = "ID")]
    module: Option<ModuleId>,
}

impl From<ScopeArgs> for RollupScope {
    fn from(args: ScopeArgs) -> Self {
        Self { organization: args.organization, module: args.module }
    }
}

/// Does it, on the database of the settings; a server may be running beside.
pub(crate) async fn run(config: &Config, what: RollupsCommand) -> Result<(), CommandError> {
    let runtime = installation(config).await?;
    let (rollups, actor) = (runtime.platform.rollups(), work::actor());
    match what {
        RollupsCommand::Rebuild(scope) => {
            let orgs = rollups.rebuild(&actor, scope.into()).await?;
            for org in &orgs {
                // A worker may help.
                while rollups.redo_some(&actor, *org).await? {}
            }
            print(&format!("computed the rollups of {} organization(s) anew", orgs.len()))
        }
        RollupsCommand::Verify(scope) => {
            let mut told = Ok(());
            let verified = rollups
                .verify(&actor, scope.into(), |difference| {
                    if told.is_ok() {
                        told = print(&difference.to_string());
                    }
                })
                .await?;
            told?;
            match verified.differences {
                0 if verified.series == 0 => print("there are no readings here to hold rollups against"),
                0 => print(&format!(
                    "the rollups of {} series are what their readings come to",
                    verified.series
                )),
                differences => Err(CommandError::Refused(format!(
                    "{differences} figure(s) of {} series differ; `rollups rebuild` computes them anew",
                    verified.series
                ))),
            }
        }
    }
}
