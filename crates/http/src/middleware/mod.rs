//! What happens to every request before and after its route.

mod request_scope;

pub(crate) use request_scope::request_scope;
