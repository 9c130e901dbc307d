//! The domain of Sitewatch: values, rules, ports and use cases of a multi-tenant monitoring platform.
//!
//! The crate does no I/O and knows no async runtime, web framework, database or cache. What it needs of the world it
//! asks through [`ports`]; whoever embeds it brings the adapters, builds a [`Platform`] and calls its use cases:
//!
//! ```
//! # use sitewatch_domain::{Error, Platform, access::Actor, ids::OrgId, sites::{NewSite, Site}};
//! # async fn example(platform: &Platform, actor: &Actor, organization: OrgId) -> Result<Site, Error> {
//! let new = NewSite { name: "La Haute Borne".into(), timezone: Some("Europe/Paris".into()), ..NewSite::default() };
//! platform.sites().create(actor, organization, new).await
//! # }
//! ```
//!
//! Where to read on: [`access`] tells who may do what, [`ports`] what an adapter has to bring, [`input`] how a use case
//! takes its input, and each resource's module its entity, its inputs with their rules, its repository and its use
//! cases.
#![forbid(unsafe_code)]

pub mod access;
pub mod api_keys;
pub mod assignments;
pub mod audit;
pub mod bulk;
pub mod cache;
pub mod device_credentials;
pub mod error;
pub mod housekeeping;
pub mod idempotency;
pub mod ids;
pub mod input;
pub mod invitations;
pub mod jobs;
pub mod keys;
pub mod limits;
pub mod mail;
pub mod memberships;
pub mod metrics;
pub mod module_types;
pub mod modules;
pub mod organizations;
pub mod page;
pub mod passwords;
pub mod platform;
pub mod ports;
pub mod readings;
pub mod reports;
pub mod rollups;
pub mod schedules;
pub mod sessions;
pub mod setup;
pub mod sites;
pub mod stamp;
pub mod text;
pub mod throttle;
pub mod time;
pub mod users;

pub use error::{Error, FieldError, FieldErrors, Rule};
pub use platform::{Platform, Ports, Readiness};
