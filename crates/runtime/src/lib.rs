//! The composition root of Sitewatch: settings, start-up and the commands of its binaries.
//!
//! It knows every adapter and puts them together; nothing depends on it but the binaries. It is the only crate that reads the
//! environment ([`config`]), the wall clock and the system's randomness ([`system`]), and that decides where logs go
//! ([`telemetry`]). What stops a start is an [`exit::StartError`].
#![forbid(unsafe_code)]

pub mod assemble;
mod checkpoints;
pub mod cli;
mod client;
mod commands;
pub mod config;
pub mod data_folder;
pub mod demo;
pub mod exit;
mod first_user;
pub mod import;
mod management;
mod metrics;
mod open_files;
pub mod serve;
mod server_lock;
pub mod system;
pub mod telemetry;
mod work;
pub mod worker_cli;
