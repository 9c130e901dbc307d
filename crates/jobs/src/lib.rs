//! Doing work later: the bell, the workers that claim jobs from the ledger, and what each kind of job does.
//!
//! The ledger (`sitewatch_domain::jobs`) is the truth. A [`Worker`] claims due jobs in batches, runs each by the handler that
//! its kind is registered with, keeps the leases alive, and settles what came of them in batches. [`Bells`] only make
//! it look earlier.
#![forbid(unsafe_code)]

mod bell;
pub mod deliver;
mod handlers;
mod health;
mod held;
mod lane;
mod name;
mod queue_redis;
mod registry;
mod render;
mod schedules;
mod settle;
mod threads;
mod worker;

pub use bell::Bells;
pub use handlers::{ReportFiles, Tools, registry};
pub use health::RedisHealth;
pub use queue_redis::{RedisBell, RedisUrlError};
pub use registry::{Handler, JobFailure, Registry};
pub use render::{RenderError, RenderOptions, render};
pub use schedules::{BUILT_IN, BuiltIn};
pub use worker::{Ended, LaneSettings, Worker, WorkerSettings};
