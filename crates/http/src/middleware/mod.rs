//! What happens to every request before and after its route.

mod panic_net;
mod request_scope;
mod unread;

pub(crate) use panic_net::panic_net;
pub(crate) use request_scope::request_scope;
