//! What happens to every request before and after its route.

mod admission;
pub(crate) mod idempotency;
mod panic_net;
mod request_line;
mod request_scope;
mod shield;
mod unread;

pub(crate) use admission::admission;
pub(crate) use idempotency::idempotency;
pub(crate) use panic_net::panic_net;
pub(crate) use request_line::SlowFrom;
pub(crate) use request_scope::request_scope;
