//! The REST API of Sitewatch on actix-web.
//!
//! Knows: routes, bodies, views, status codes, headers, the OpenAPI document. Must not know: SQL, tokens' cryptography,
//! settings files, or any rule of the domain; a handler takes a request apart, calls one use case and wraps its answer.
#![forbid(unsafe_code)]

pub mod body;
mod caller;
mod client_address;
mod cors;
mod crowd;
mod deprecations;
mod docs;
pub mod envelope;
mod error;
mod error_types;
mod failures;
mod health;
mod limits;
mod management;
mod middleware;
mod openapi;
mod pages;
mod places;
mod problems;
mod query;
mod remembered;
mod request_span;
mod routes;
mod server;
mod transport;
mod v1;
mod versions;

pub use error::{ApiError, ErrorBody, FieldFault};
pub use health::{Draining, Preparing};
pub use management::{ManagementReadiness, ManagementSource, serve_management};
pub use openapi::{document, text as document_text};
pub use server::{Api, HttpSettings, ServeError, route_table};
pub use transport::{RequestLimits, Transport};
