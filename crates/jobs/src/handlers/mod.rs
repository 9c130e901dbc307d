//! What each kind of job does.

mod housekeeping;
mod mail;
mod passwords;
mod probe;
mod reports;
mod rollups;

use sitewatch_domain::{
    Platform,
    housekeeping::{
        ForgetDeliveries, ForgetIdempotencyKeys, ForgetJobs, ForgetRejects, ForgetReports, ForgetSessions,
        MakeReadingMonths,
    },
    jobs::Probe,
    mail::SendMail,
    passwords::SendPasswordReset,
    readings::DeleteReadings,
    reports::{BuildReport, StartReport},
    rollups::{RedoRollups, SweepRollups},
};

pub use reports::ReportFiles;

use crate::{deliver::Post, registry::Registry};

/// What handlers work with.
pub struct Tools {
    /// The use cases.
    pub platform: Platform,
    /// The post.
    pub post: Post,
}

/// Every kind that this version can do.
pub fn registry() -> Registry {
    Registry::default()
        .with::<Probe>()
        .with::<SendMail>()
        .with::<SendPasswordReset>()
        .with::<ForgetSessions>()
        .with::<ForgetIdempotencyKeys>()
        .with::<ForgetJobs>()
        .with::<MakeReadingMonths>()
        .with::<DeleteReadings>()
        .with::<RedoRollups>()
        .with::<SweepRollups>()
        .with::<StartReport>()
        .with::<BuildReport>()
        .with::<ForgetRejects>()
        .with::<ForgetDeliveries>()
        .with::<ForgetReports>()
}
