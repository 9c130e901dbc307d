use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    ids::OrgId,
    jobs::{Job, Lane, Once},
};

/// Works off the marks of an organization. Stands for all like it that have not begun.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RedoRollups {
    /// The organization.
    pub organization_id: OrgId,
}

impl Job for RedoRollups {
    const KIND: &'static str = "rollups.redo.v1";
    const LANE: Lane = Lane::Telemetry;
    const TIMEOUT: Duration = Duration::from_mins(10);

    fn once(&self) -> Once {
        Once::UntilStarted(format!("rollups.redo:{}", self.organization_id))
    }

    fn organization(&self) -> Option<OrgId> {
        Some(self.organization_id)
    }
}

/// Looks for marks that nobody works off. A batch that commits while the job that it relied on is just ending leaves such.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SweepRollups {}

impl Job for SweepRollups {
    const KIND: &'static str = "rollups.sweep.v1";
    const LANE: Lane = Lane::Telemetry;
}
