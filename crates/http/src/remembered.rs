//! Answers that are given again, and the requests that wait for the first one to be made: see [`sitewatch_domain::cache`].

use std::{
    collections::{HashMap, hash_map::Entry},
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::MessageBody,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
    web::{self, Bytes},
};
use sitewatch_domain::{
    Platform,
    access::Actor,
    cache::CacheClass,
    ports::{CacheKey, CachedAnswer},
};
use tokio::sync::watch;

use crate::{
    envelope::{Readable, own_address, unless_unchanged},
    error::ApiError,
};

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// What was made to be answered.
pub(crate) struct Made<R> {
    /// The answer.
    pub(crate) answer: R,
    /// Whether all that it shows changes with entries of the audit log alone, so that it may be given again.
    pub(crate) is_lasting: bool,
}

/// How an answer came about.
#[derive(Clone, Copy)]
enum Outcome {
    /// It was there.
    Hit,
    /// It was made, and is there for the next one.
    Miss,
    /// It is made each time.
    Bypass,
}

impl Outcome {
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Hit => ("HIT", "hit"),
            Self::Miss => ("MISS", "miss"),
            Self::Bypass => ("BYPASS", "bypass"),
        }
    }
}

/// The answers that are being made. Shared by all threads of a server.
#[derive(Clone, Default)]
pub(crate) struct Flights(Arc<Mutex<HashMap<CacheKey, watch::Receiver<()>>>>);

enum Place {
    First(Flight),
    Later(watch::Receiver<()>),
}

/// An answer that is being made; those who wait for it are woken when it ends, whatever became of it.
struct Flight {
    flights: Flights,
    key: CacheKey,
    _landing: watch::Sender<()>,
}

impl Flights {
    fn board(&self, key: CacheKey) -> Place {
        match self.held().entry(key) {
            Entry::Occupied(under_way) => Place::Later(under_way.get().clone()),
            Entry::Vacant(free) => {
                let (landing, waiting) = watch::channel(());
                free.insert(waiting);
                Place::First(Flight { flights: self.clone(), key, _landing: landing })
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<CacheKey, watch::Receiver<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.held().remove(&self.key);
    }
}

/// The answer to a request: one that was made for the same rights and the same state, or what `making` comes to. Of many who ask for the
/// same at once one makes it.
pub(crate) async fn remembered<R: Readable>(
    request: &HttpRequest,
    actor: &Actor,
    class: CacheClass,
    making: impl Future<Output = Result<Made<R>, ApiError>>,
) -> Result<HttpResponse, ApiError> {
    let parts = (request.app_data::<web::Data<Platform>>(), request.app_data::<web::Data<Flights>>());
    let (Some(platform), Some(flights)) = parts else {
        return Err(ApiError::internal("the cache is not wired into the server"));
    };
    let cache = platform.cache();
    let Some(key) = cache.key(actor, class, &own_address(request)) else {
        let made = making.await?.answer.render(request);
        return Ok(told(request, class, Outcome::Bypass, made));
    };
    if let Some(found) = cache.get(&key).await {
        return Ok(told(request, class, Outcome::Hit, again(found)));
    }
    let _flight = match flights.board(key) {
        Place::First(flight) => {
            // The one before may have landed between the look and the boarding.
            if let Some(found) = cache.get(&key).await {
                return Ok(told(request, class, Outcome::Hit, again(found)));
            }
            Some(flight)
        }
        Place::Later(mut landing) => {
            // It ends by being dropped, never by a message.
            let _landed = landing.changed().await;
            if let Some(found) = cache.get(&key).await {
                return Ok(told(request, class, Outcome::Hit, again(found)));
            }
            None
        }
    };
    let Made { answer, is_lasting } = making.await?;
    let response = answer.render(request);
    let Some(tag) = tag_of(&response).filter(|_| is_lasting) else {
        return Ok(told(request, class, Outcome::Bypass, response));
    };
    let body = response.into_body().try_into_bytes();
    let body = body.map_err(|_| ApiError::internal("an answer that is to be kept has no end yet"))?;
    let answer = Arc::new(CachedAnswer { tag, body: body.to_vec() });
    cache.put(key, class, &answer);
    Ok(told(request, class, Outcome::Miss, again(answer)))
}

/// The entity tag of an answer that went well.
fn tag_of(response: &HttpResponse) -> Option<String> {
    let tag = response.headers().get(header::ETAG)?.to_str().ok()?;
    (response.status() == StatusCode::OK).then(|| tag.to_owned())
}

/// The body of an answer that is kept, which nobody copies.
struct Body(Arc<CachedAnswer>);

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.0.body
    }
}

fn again(answer: Arc<CachedAnswer>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/json")));
    response.insert_header((header::ETAG, answer.tag.as_str()));
    response.body(Bytes::from_owner(Body(answer)))
}

fn told(request: &HttpRequest, class: CacheClass, outcome: Outcome, response: HttpResponse) -> HttpResponse {
    let (word, label) = outcome.names();
    metrics::counter!("cache_requests_total", "cache" => class.name(), "result" => label).increment(1);
    let mut response = unless_unchanged(request, response);
    response.headers_mut().insert(X_CACHE, HeaderValue::from_static(word));
    response
}
