//! Doing work later: the bell, the workers that claim jobs from the ledger, and what each kind of job does.
//!
//! The ledger (`sitewatch_domain::jobs`) is the truth. A [`Worker`] claims due jobs in batches, runs each by the handler that
//! its kind is registered with, keeps the leases alive, and settles what came of them in batches. [`Bells`] only make
//! it look earlier.
#![forbid(unsafe_code)]

mod bell;
mod handlers;
mod held;
mod lane;
mod registry;
mod settle;
mod worker;

pub use bell::Bells;
pub use handlers::{Tools, registry};
pub use registry::{Handler, JobFailure, Registry};
pub use worker::{LaneSettings, Worker, WorkerSettings};
