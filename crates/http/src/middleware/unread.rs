//! Chunked bodies that nobody reads to their end.
//!
//! The protocol layer closes a connection after its answer if a rest of the body is still to come, except for a chunked body
//! that was let go: for the end of that it waits, for ever. So it is not let go before the answer is out.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    HttpMessage, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::{Payload, ServiceRequest},
    web::Bytes,
};
use futures_util::{Stream, stream};

/// The body of a request, if it is chunked, for as long as the request is answered.
pub(crate) struct Unread(Option<Rc<RefCell<Payload>>>);

impl Unread {
    /// Shares the body with whoever reads it.
    pub(crate) fn of(request: &mut ServiceRequest) -> Self {
        if !request.chunked().unwrap_or(false) {
            return Self(None);
        }
        let shared = Rc::new(RefCell::new(request.take_payload()));
        let read = Rc::clone(&shared);
        let body = stream::poll_fn(move |context| Pin::new(&mut *read.borrow_mut()).poll_next(context));
        request.set_payload(Payload::Stream { payload: Box::pin(body) });
        Self(Some(shared))
    }

    /// The answer, which lets the body go at its own end.
    pub(crate) fn held_by(self, response: HttpResponse<BoxBody>) -> HttpResponse<BoxBody> {
        match self.0 {
            Some(request_body) => {
                response.map_body(|_, body| BoxBody::new(Holding { body, _request_body: request_body }))
            }
            None => response,
        }
    }
}

struct Holding {
    body: BoxBody,
    _request_body: Rc<RefCell<Payload>>,
}

impl MessageBody for Holding {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(context)
    }
}
