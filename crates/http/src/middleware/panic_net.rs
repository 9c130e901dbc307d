//! Catches what a handler drops: a panic becomes an answer like any other fault of ours.

use std::panic::AssertUnwindSafe;

use actix_web::{
    Error, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
};
use futures_util::FutureExt;

use crate::{error::ApiError, request_span::note_route};

/// Stands around the handlers of one address. Not further out: the router wants to be the only owner of the request.
pub(crate) async fn panic_net<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let kept = request.request().clone();
    // Here it is known first.
    note_route(&kept);
    // Nothing of a panicking handler is used afterwards: its transaction rolls back when it is dropped.
    match AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(answer) => answer.map(ServiceResponse::map_into_boxed_body),
        Err(panic) => {
            let error = ApiError::internal(format!("panic: {}", text_of(panic.as_ref())));
            Ok(ServiceResponse::new(kept, error.error_response()))
        }
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("of unknown kind")
}

#[cfg(test)]
#[path = "panic_net_tests.rs"]
mod tests;
