//! Rows as sea-orm sees them, private to the crate.
#![expect(clippy::disallowed_methods, reason = "sea-orm's derives call what only `scope` may call")]
#![expect(missing_docs, unreachable_pub, reason = "sea-orm asks for public rows; what a column means its entity of the domain says")]

pub(crate) mod assignment;
pub(crate) mod audit_event;
pub(crate) mod membership;
pub(crate) mod metric;
pub(crate) mod module;
pub(crate) mod module_type;
pub(crate) mod organization;
pub(crate) mod session;
pub(crate) mod site;
pub(crate) mod user;
