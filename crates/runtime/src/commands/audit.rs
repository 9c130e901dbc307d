//! `audit`: holding the audit log against its chains, and against checkpoints that were kept elsewhere.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use serde_json::json;
use sitewatch_domain::{
    Platform,
    audit::{CheckpointFault, Checkpoints, Finding, VerifiedLog},
    ids::OrgId,
};

use super::{CommandError, installation};
use crate::{checkpoints, cli::print, config::Config, work};

/// What is to be done with the audit log.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AuditCommand {
    /// Name every entry that was changed, added, removed or moved since it was written
    Verify(VerifyArgs),
}

/// Arguments of `audit verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// Only the log of this organization, by id
    #[arg(long, value_name = "ID")]
    organization: Option<OrgId>,
    /// Compare with the checkpoints in this file, or these; without it, with those in the data folder, if there are any
    #[arg(long, value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// Print a JSON object for each finding, and one with the totals
    #[arg(long)]
    json: bool,
}

/// Does it, on the database of the settings; a server may be running beside.
pub(crate) async fn run(config: &Config, what: AuditCommand) -> Result<(), CommandError> {
    let AuditCommand::Verify(args) = what;
    let platform = installation(config).await?.platform;
    let mut teller = Teller { as_json: args.json, outcome: Ok(()) };
    let mut known = Checkpoints::default();
    let own = config.storage.data_dir.join(checkpoints::FILE);
    let files = match args.checkpoints.as_slice() {
        [] if own.exists() => vec![own],
        given => given.to_vec(),
    };
    let mut faults = 0;
    for file in &files {
        faults += read(&platform, file, &mut known, &mut teller)?;
    }
    let audit = platform.audit();
    let verified =
        audit.verify(&work::actor(), args.organization, &known, |finding| teller.finding(finding)).await?;
    teller.outcome?;
    let verified = VerifiedLog { faults: verified.faults + faults, ..verified };
    tell_totals(&verified, args.json)?;
    match verified.faults {
        0 => Ok(()),
        faults => Err(CommandError::Refused(format!(
            "{faults} fault(s) in {} entries of {} audit log(s)",
            verified.entries, verified.chains
        ))),
    }
}

/// Prints what is found, at once; the first failure to do so is kept.
struct Teller {
    as_json: bool,
    outcome: Result<(), CommandError>,
}

impl Teller {
    fn tell(&mut self, object: impl FnOnce() -> serde_json::Value, text: impl FnOnce() -> String) {
        if self.outcome.is_ok() {
            self.outcome = if self.as_json { print(&object().to_string()) } else { print(&text()) };
        }
    }

    fn finding(&mut self, finding: &Finding) {
        let object = || {
            json!({
                "organization_id": finding.chain,
                "seq": finding.seq,
                "id": finding.entry,
                "fault": finding.fault.name(),
                "text": finding.to_string(),
            })
        };
        self.tell(object, || finding.to_string());
    }

    fn checkpoint(&mut self, file: &Path, line: usize, fault: CheckpointFault) {
        let text = || format!("{} line {line}: {fault}", file.display());
        let object = || json!({ "file": file, "line": line, "fault": fault.name(), "text": text() });
        self.tell(object, text);
    }
}

/// Reads a file of checkpoints line by line; how many of them are no good.
fn read(
    platform: &Platform,
    file: &Path,
    known: &mut Checkpoints,
    teller: &mut Teller,
) -> Result<u64, CommandError> {
    let refused =
        |error: io::Error| CommandError::Refused(format!("{} cannot be read: {error}", file.display()));
    let lines = BufReader::new(File::open(file).map_err(refused)?).lines();
    let mut faults = 0;
    known.begin_file();
    for (line, number) in lines.zip(1..) {
        let line = line.map_err(refused)?;
        if let Err(fault) = platform.audit().read_checkpoint(known, &line) {
            faults += 1;
            teller.checkpoint(file, number, fault);
        }
    }
    Ok(faults)
}

fn tell_totals(verified: &VerifiedLog, as_json: bool) -> Result<(), CommandError> {
    let VerifiedLog { chains, entries, adopted, faults } = *verified;
    if as_json {
        let totals = json!({ "logs": chains, "entries": entries, "adopted": adopted, "faults": faults });
        return print(&totals.to_string());
    }
    if faults > 0 {
        return Ok(());
    }
    let older = match adopted {
        0 => String::new(),
        adopted => format!("; {adopted} of them are older than their chain, and are as they were found then"),
    };
    print(&format!("{entries} entries of {chains} audit log(s) are as they were written{older}"))
}
