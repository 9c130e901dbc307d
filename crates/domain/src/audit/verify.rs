//! Holding the log against its chains, their seals, and checkpoints that were kept elsewhere.

use std::fmt;

use uuid::Uuid;

use super::{
    chain::{ChainHead, ChainLink, ChainState, Digest},
    checkpoint::Anchor,
};
use crate::ids::OrgId;

/// What is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// An entry, or its hash, is not the one that was written there.
    Changed,
    /// Entries are missing.
    Missing {
        /// The first of them.
        from: i64,
        /// The last of them.
        to: i64,
    },
    /// A second entry bears a number, or one bears a number that none has.
    Misplaced,
    /// An entry follows the last one that the chain knows of.
    BeyondEnd,
    /// An entry has no place in the chain.
    Outside,
    /// The chain has entries and no end.
    EndMissing,
    /// The end of the chain was not sealed with a key of this installation.
    EndNotSealed,
    /// The last entry is not the one that the end of the chain names.
    EndDiffers,
    /// When the log was written on after this entry, the end of the chain was not sealed with a key of that node.
    SealMissed,
    /// The entry is another one than at the time of a checkpoint.
    NotAsCheckpointed {
        /// The line of the checkpoint.
        line: usize,
    },
    /// The log ends before an entry that a checkpoint names.
    ShorterThanCheckpoint {
        /// The line of the checkpoint.
        line: usize,
    },
}

impl Fault {
    /// The name for programs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing { .. } => "missing",
            Self::Misplaced => "misplaced",
            Self::BeyondEnd => "beyond_end",
            Self::Outside => "outside",
            Self::EndMissing => "end_missing",
            Self::EndNotSealed => "end_not_sealed",
            Self::EndDiffers => "end_differs",
            Self::SealMissed => "seal_missed",
            Self::NotAsCheckpointed { .. } => "not_as_checkpointed",
            Self::ShorterThanCheckpoint { .. } => "shorter_than_checkpoint",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str("is not what was written, or does not follow the entry before it"),
            Self::Missing { from, to } if from == to => write!(f, "entry {from} is missing"),
            Self::Missing { from, to } => write!(f, "entries {from} to {to} are missing"),
            Self::Misplaced => f.write_str("bears a number that is another entry's, or nobody's"),
            Self::BeyondEnd => f.write_str("follows the last entry that the chain knows of"),
            Self::Outside => {
                f.write_str("stands outside of the chain: written past it, or by an older version of the program")
            }
            Self::EndMissing => f.write_str("the end of the chain is missing"),
            Self::EndNotSealed => {
                f.write_str("the end of the chain is not sealed with a key of this installation")
            }
            Self::EndDiffers => f.write_str("is not the one that the end of the chain names"),
            Self::SealMissed => f.write_str(
                "was the end of the chain, without a seal, when the log was written on: what stands before cannot be vouched for",
            ),
            Self::NotAsCheckpointed { line } => {
                write!(f, "is another one than at the checkpoint of line {line}")
            }
            Self::ShorterThanCheckpoint { line } => {
                write!(f, "is named by the checkpoint of line {line}, and the log ends before it")
            }
        }
    }
}

/// A broken link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// In whose log; `None` for the installation's own.
    pub chain: Option<OrgId>,
    /// The number of the entry that it is about.
    pub seq: Option<i64>,
    /// That entry's id.
    pub entry: Option<Uuid>,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.chain {
            Some(org) => write!(f, "organization {org}")?,
            None => f.write_str("installation")?,
        }
        if let Some(seq) = self.seq {
            write!(f, " entry {seq}")?;
        }
        if let Some(id) = self.entry {
            write!(f, " ({id})")?;
        }
        write!(f, ": {}", self.fault)
    }
}

/// What came of verifying.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VerifiedLog {
    /// How many logs were looked at.
    pub chains: u64,
    /// How many entries.
    pub entries: u64,
    /// How many of them are older than their chain: they are as they were found then.
    pub adopted: u64,
    /// How many faults were found.
    pub faults: u64,
}

/// One walk along a chain.
pub(super) struct Walk {
    chain: Option<OrgId>,
    head: Option<(ChainHead, bool)>,
    anchor: Option<Anchor>,
    expected: i64,
    /// The hash of the entry before the expected one, unless that is missing.
    previous: Option<Digest>,
    at_end: Option<(Uuid, Vec<u8>)>,
}

impl Walk {
    pub(super) fn begin(chain: Option<OrgId>, state: &ChainState, anchor: Option<Anchor>) -> Self {
        let begin = ChainHead::begin(chain);
        Self {
            chain,
            head: state.head.clone(),
            anchor,
            expected: 1,
            previous: Some(begin.hash),
            at_end: None,
        }
    }

    fn finding(&self, seq: Option<i64>, entry: Option<Uuid>, fault: Fault) -> Finding {
        Finding { chain: self.chain, seq, entry, fault }
    }

    /// The next entry, in the order of their numbers.
    pub(super) fn step(&mut self, link: &ChainLink) -> Vec<Finding> {
        let (seq, id) = (link.seq, link.row.id);
        let at = |walk: &Self, fault| walk.finding(Some(seq), Some(id), fault);
        if seq < self.expected {
            return vec![at(self, Fault::Misplaced)];
        }
        let mut found = Vec::new();
        if seq > self.expected {
            let missing = Fault::Missing { from: self.expected, to: seq - 1 };
            found.push(self.finding(None, None, missing));
            self.previous = None;
        }
        let hash = Digest::try_from(link.hash.as_slice()).ok();
        let is_whole = match (self.previous, hash) {
            (Some(previous), Some(hash)) => link.row.hash(&previous, seq) == hash,
            // There is nothing to compare it with.
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if !is_whole {
            found.push(at(self, Fault::Changed));
        }
        if let Some((head, _)) = &self.head {
            if seq > head.seq {
                found.push(at(self, Fault::BeyondEnd));
            }
            if seq == head.seq {
                self.at_end = Some((id, link.hash.clone()));
            }
        }
        if let Some(anchor) = self.anchor.filter(|anchor| anchor.seq == seq && Some(anchor.hash) != hash) {
            found.push(at(self, Fault::NotAsCheckpointed { line: anchor.line }));
        }
        self.expected = seq.saturating_add(1);
        self.previous = hash;
        found
    }

    /// After the last entry.
    pub(super) fn end(self) -> Vec<Finding> {
        let last = self.expected - 1;
        let mut found = Vec::new();
        match &self.head {
            None if last > 0 => found.push(self.finding(None, None, Fault::EndMissing)),
            None => {}
            Some((head, is_sealed)) => {
                if !is_sealed {
                    found.push(self.finding(Some(head.seq), None, Fault::EndNotSealed));
                }
                if let Some(seq) = head.broken_at {
                    found.push(self.finding(Some(seq), None, Fault::SealMissed));
                }
                if head.seq > last {
                    let missing = Fault::Missing { from: self.expected, to: head.seq };
                    found.push(self.finding(None, None, missing));
                }
                let begin = ChainHead::begin(self.chain);
                let (id, hash) = match &self.at_end {
                    Some((id, hash)) => (Some(*id), Some(hash.as_slice())),
                    None => (None, (head.seq == 0).then_some(begin.hash.as_slice())),
                };
                if hash.is_some_and(|hash| hash != head.hash) {
                    found.push(self.finding(Some(head.seq), id, Fault::EndDiffers));
                }
            }
        }
        if let Some(anchor) = self.anchor.filter(|anchor| anchor.seq > last) {
            let shorter = Fault::ShorterThanCheckpoint { line: anchor.line };
            found.push(self.finding(Some(anchor.seq), None, shorter));
        }
        found
    }
}
