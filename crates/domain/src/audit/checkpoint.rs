//! Checkpoints: the ends of all chains, signed, and kept where whoever has the database cannot reach them. They tell of a log that
//! was cut back together with its end, which is sealed all right, since it was so once.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::chain::{ChainHead, Digest};
use crate::{
    error::BoxError,
    ids::OrgId,
    ports::{Notary, Signature},
    time::Instant,
};

/// A place in a chain that a checkpoint named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// The number of the entry.
    pub seq: i64,
    /// Its hash.
    pub hash: Digest,
    /// The line that names it, from 1 on.
    pub line: usize,
}

/// What is wrong with a line of checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointFault {
    /// It is no checkpoint.
    Unreadable,
    /// It is not signed with a key of this installation, or was changed since.
    NotSigned,
    /// The line before it is missing, or another one.
    Unconnected,
    /// A chain ends earlier in it, or otherwise, than in a line before.
    Backwards,
}

impl CheckpointFault {
    /// The name for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "checkpoint_unreadable",
            Self::NotSigned => "checkpoint_not_signed",
            Self::Unconnected => "checkpoint_unconnected",
            Self::Backwards => "checkpoint_backwards",
        }
    }
}

impl fmt::Display for CheckpointFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "is no checkpoint",
            Self::NotSigned => "is not signed with a key of this installation, or was changed since",
            Self::Unconnected => "does not follow the line before it",
            Self::Backwards => "names an end of a log that lies before one that was named earlier",
        })
    }
}

/// What a series of checkpoints comes to: the last known end of each chain.
#[derive(Debug, Clone, Default)]
pub struct Checkpoints {
    anchors: BTreeMap<Option<OrgId>, Anchor>,
    lines: usize,
    last: Option<Digest>,
}

/// A line of checkpoints.
#[derive(Serialize, Deserialize)]
struct Line {
    checkpoint: Box<RawValue>,
    key: String,
    signature: String,
}

#[derive(Serialize, Deserialize)]
struct Checkpoint {
    at: Instant,
    /// SHA-256 of the line before.
    previous: Option<String>,
    /// Ends that have moved since the line before.
    heads: Vec<Named>,
}

#[derive(Serialize, Deserialize)]
struct Named {
    organization: Option<OrgId>,
    seq: i64,
    hash: String,
}

impl Checkpoints {
    /// The last known end of a chain.
    pub fn anchor(&self, chain: Option<OrgId>) -> Option<Anchor> {
        self.anchors.get(&chain).copied()
    }

    /// The chains that are named.
    pub fn chains(&self) -> impl Iterator<Item = Option<OrgId>> {
        self.anchors.keys().copied()
    }

    /// Begins another file, whose first line follows none.
    pub fn begin_file(&mut self) {
        (self.lines, self.last) = (0, None);
    }

    /// Reads the next line of a file. A line that is unreadable or not signed tells nothing; others do, whatever is wrong.
    pub(super) fn read(&mut self, text: &str, notary: &dyn Notary) -> Result<(), CheckpointFault> {
        self.lines += 1;
        let line: Line = serde_json::from_str(text).map_err(|_| CheckpointFault::Unreadable)?;
        let signature = URL_SAFE_NO_PAD.decode(&line.signature).map_err(|_| CheckpointFault::Unreadable)?;
        let signature = Signature { key: line.key, bytes: signature };
        if !notary.has_signed(&signed_text(line.checkpoint.get()), &signature) {
            return Err(CheckpointFault::NotSigned);
        }
        let checkpoint: Checkpoint =
            serde_json::from_str(line.checkpoint.get()).map_err(|_| CheckpointFault::Unreadable)?;
        let before = self.last.replace(Sha256::digest(text.as_bytes()).into());
        // The first line of a file may follow one of a file that was put away.
        let is_connected = before.is_none_or(|digest| checkpoint.previous.as_ref() == Some(&hex(&digest)));
        let mut goes_on = true;
        for named in checkpoint.heads {
            let hash = unhex(&named.hash).ok_or(CheckpointFault::Unreadable)?;
            let anchor = Anchor { seq: named.seq, hash, line: self.lines };
            let known = self.anchor(named.organization);
            let is_back =
                |known: Anchor| known.seq > anchor.seq || (known.seq == anchor.seq && known.hash != hash);
            if known.is_some_and(is_back) {
                goes_on = false;
            } else {
                self.anchors.insert(named.organization, anchor);
            }
        }
        match (is_connected, goes_on) {
            (_, false) => Err(CheckpointFault::Backwards),
            (false, true) => Err(CheckpointFault::Unconnected),
            (true, true) => Ok(()),
        }
    }

    /// The ends of chains that lie before those that are known, or elsewhere: the log was cut or changed meanwhile.
    pub(super) fn setbacks<'a>(&self, heads: &'a [ChainHead]) -> Vec<&'a ChainHead> {
        let is_back = |head: &&ChainHead| {
            let known = self.anchor(head.chain);
            known.is_some_and(|known| {
                known.seq > head.seq || (known.seq == head.seq && known.hash != head.hash)
            })
        };
        heads.iter().filter(is_back).collect()
    }

    /// The next line, with the ends that have moved; none if none has.
    pub(super) fn next_line(
        &self,
        heads: &[ChainHead],
        at: Instant,
        notary: &dyn Notary,
    ) -> Result<Option<String>, BoxError> {
        let has_moved = |head: &&ChainHead| self.anchor(head.chain).map_or(0, |known| known.seq) < head.seq;
        let named =
            |head: &ChainHead| Named { organization: head.chain, seq: head.seq, hash: hex(&head.hash) };
        let heads: Vec<Named> = heads.iter().filter(has_moved).map(named).collect();
        if heads.is_empty() {
            return Ok(None);
        }
        let checkpoint = Checkpoint { at, previous: self.last.as_ref().map(hex), heads };
        let checkpoint = serde_json::value::to_raw_value(&checkpoint)?;
        let Signature { key, bytes } = notary.sign(&signed_text(checkpoint.get()))?;
        let line = Line { checkpoint, key, signature: URL_SAFE_NO_PAD.encode(bytes) };
        Ok(Some(serde_json::to_string(&line)?))
    }
}

fn signed_text(checkpoint: &str) -> Vec<u8> {
    [b"sitewatch audit checkpoint v1\n", checkpoint.as_bytes()].concat()
}

fn hex(digest: &Digest) -> String {
    digest.map(|byte| format!("{byte:02x}")).concat()
}

fn unhex(text: &str) -> Option<Digest> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut digest = [0; 32];
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(digest)
}
