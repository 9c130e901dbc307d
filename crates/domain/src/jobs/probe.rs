//! Probes: jobs that do next to nothing, or misbehave, to measure a queue and to see what it survives.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Job;
use crate::ids::OrgId;

/// A probe.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Probe {
    /// The row that it belongs to.
    pub probe: Uuid,
    /// Its number in the row.
    pub number: u64,
    /// What it does.
    pub act: Act,
    /// The tenant that it is done for.
    pub organization_id: Option<OrgId>,
}

/// What a probe does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Nothing.
    Nothing,
    /// Leaves a row, in the transaction that also settles it.
    Count,
    /// Fails.
    Fail,
    /// Panics.
    Panic,
    /// Ends the whole process.
    Abort,
    /// Never gives way.
    Spin,
}

impl Job for Probe {
    const KIND: &'static str = "jobs.probe.v1";
    const MAX_ATTEMPTS: u16 = 3;
    const TIMEOUT: Duration = Duration::from_secs(5);

    fn organization(&self) -> Option<OrgId> {
        self.organization_id
    }
}

/// What a row of probes has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProbeReport {
    /// Effects of different probes.
    pub distinct: u64,
    /// All effects; more than `distinct` if a probe had two.
    pub effects: u64,
    /// Half of them began within this time of being due.
    pub median: Duration,
    /// All but one of a hundred did.
    pub p99: Duration,
    /// From the first to the last effect.
    pub span: Duration,
}
