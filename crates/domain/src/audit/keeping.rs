//! Use cases of the log's own keeping: taking over, verifying, checkpoints.

use super::{AuditLog, CheckpointFault, Checkpoints, Fault, Finding, VerifiedLog, verify::Walk};
use crate::{
    access::{Actor, PlatformGrant, ReadAudit, RunJobs},
    audit::Audit,
    error::Error,
    ids::OrgId,
    ports::Reader,
};

/// Entries that are read or taken over at a time.
const BATCH: u32 = 1_000;

const OWN_KEEPING: Audit = Audit::none("how the log is kept is no change of what it tells");

/// What a checkpoint came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointMade {
    /// The line to be kept; none if no log has moved since the last one.
    pub line: Option<String>,
    /// Logs that end before the last checkpoint, or whose end is not sealed: somebody changed them.
    pub suspects: Vec<Option<OrgId>>,
}

impl AuditLog<'_> {
    /// Prepares the chains for a start: entries that are older than their chain are taken over into it as they are, ends are
    /// sealed with the newest key, and an end that lies before the entries of its log is put behind them and marked. How many
    /// entries were taken over.
    ///
    /// # Errors
    /// `Forbidden` for everybody but superusers and the system; `Unavailable`.
    pub async fn take_up(&self, actor: &Actor) -> Result<u64, Error> {
        let grant = actor.grant_platform::<RunJobs>()?;
        let mut taken = 0;
        loop {
            let mut tx = self.platform.write(actor).await?;
            let adopted = tx.adopt_audit_events(&grant, BATCH).await?;
            if adopted == 0 {
                break;
            }
            self.platform.commit(tx, OWN_KEEPING).await?;
            taken += adopted;
        }
        let stale = self.platform.read(actor).await?.chains_to_mend(&grant).await?;
        for chain in stale {
            let mut tx = self.platform.write(actor).await?;
            tx.mend_chain(&grant, chain).await?;
            self.platform.commit(tx, OWN_KEEPING).await?;
        }
        Ok(taken)
    }

    /// Holds the log, or that of one organization, against its chains and against checkpoints. Tells each broken link. What is
    /// written meanwhile is not looked at.
    ///
    /// # Errors
    /// `Forbidden` for everybody but superusers and the system; `NotFound` if there is no log of that organization, nor a
    /// checkpoint of it; `Unavailable`.
    pub async fn verify(
        &self,
        actor: &Actor,
        only: Option<OrgId>,
        checkpoints: &Checkpoints,
        mut tell: impl FnMut(&Finding),
    ) -> Result<VerifiedLog, Error> {
        let grant = actor.grant_platform::<ReadAudit>()?;
        let reader = self.platform.read(actor).await?;
        let mut chains = reader.list_audit_chains(&grant).await?;
        chains.extend(checkpoints.chains());
        chains.sort_unstable();
        chains.dedup();
        if only.is_some() {
            chains.retain(|chain| *chain == only);
            if chains.is_empty() {
                return Err(Error::NotFound { what: "audit log" });
            }
        }
        let mut verified = VerifiedLog::default();
        for chain in chains {
            verify_chain(&reader, &grant, chain, checkpoints, &mut verified, &mut tell).await?;
        }
        Ok(verified)
    }

    /// Reads a line of checkpoints.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read_checkpoint(&self, known: &mut Checkpoints, line: &str) -> Result<(), CheckpointFault> {
        known.read(line, self.platform.ports().notary.as_ref())
    }

    /// A checkpoint of the ends that have moved since those that are known.
    ///
    /// # Errors
    /// `Forbidden` for everybody but superusers and the system; `Unavailable`.
    pub async fn checkpoint(&self, actor: &Actor, known: &Checkpoints) -> Result<CheckpointMade, Error> {
        let grant = actor.grant_platform::<ReadAudit>()?;
        let heads = self.platform.read(actor).await?.list_chain_heads(&grant).await?;
        let mut suspects: Vec<Option<OrgId>> =
            heads.iter().filter(|(_, is_sealed)| !is_sealed).map(|(head, _)| head.chain).collect();
        let sealed: Vec<_> =
            heads.into_iter().filter_map(|(head, is_sealed)| is_sealed.then_some(head)).collect();
        suspects.extend(known.setbacks(&sealed).iter().map(|head| head.chain));
        let notary = self.platform.ports().notary.as_ref();
        let line = known.next_line(&sealed, self.platform.now(), notary).map_err(Error::Internal)?;
        Ok(CheckpointMade { line, suspects })
    }
}

async fn verify_chain(
    reader: &Reader,
    grant: &PlatformGrant<ReadAudit>,
    chain: Option<OrgId>,
    checkpoints: &Checkpoints,
    verified: &mut VerifiedLog,
    tell: &mut impl FnMut(&Finding),
) -> Result<(), Error> {
    let mut told = |found: Vec<Finding>| {
        found.iter().for_each(&mut *tell);
        u64::try_from(found.len()).unwrap_or(u64::MAX)
    };
    let state = reader.chain_state(grant, chain).await?;
    let end = state.head.as_ref().map_or(0, |(head, _)| head.seq).max(state.last_seq.unwrap_or(0));
    let mut walk = Walk::begin(chain, &state, checkpoints.anchor(chain));
    let mut after = None;
    loop {
        let links = reader.list_chain_links(grant, chain, after, end, BATCH).await?;
        let Some(last) = links.last() else { break };
        after = Some((last.seq, last.row.id));
        verified.entries += u64::try_from(links.len()).unwrap_or(0);
        for link in &links {
            verified.faults += told(walk.step(link));
        }
    }
    verified.faults += told(walk.end());
    let mut after = None;
    loop {
        let outside = reader.list_outside_chain(grant, chain, after, BATCH).await?;
        let Some(last) = outside.last() else { break };
        after = Some(*last);
        let finding = |id| Finding { chain, seq: None, entry: Some(id), fault: Fault::Outside };
        verified.faults += told(outside.iter().copied().map(finding).collect());
    }
    verified.chains += 1;
    let adopted = state.head.map_or(0, |(head, _)| head.adopted);
    verified.adopted += u64::try_from(adopted).unwrap_or(0);
    Ok(())
}
