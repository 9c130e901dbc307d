//! Rows as sea-orm sees them, private to the crate.

pub(crate) mod api_key;
pub(crate) mod assignment;
pub(crate) mod audit_event;
pub(crate) mod device_credential;
pub(crate) mod invitation;
pub(crate) mod job;
pub(crate) mod membership;
pub(crate) mod metric;
pub(crate) mod module;
#[expect(clippy::struct_field_names, reason = "a maker's model is the field's own word")]
pub(crate) mod module_type;
pub(crate) mod organization;
pub(crate) mod rejected_reading;
pub(crate) mod report;
pub(crate) mod report_run;
pub(crate) mod series;
pub(crate) mod session;
pub(crate) mod site;
pub(crate) mod user;
