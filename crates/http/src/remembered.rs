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
    cache::{Cache, CacheClass},
    ports::{CacheKey, CachedAnswer},
};
use tokio::sync::watch;

use crate::{
    envelope::{Readable, own_address, unless_unchanged},
    error::ApiError,
};

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

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

/// Where those who wait for an answer are given it; nothing if it could not be made.
type Landing = watch::Receiver<Option<Arc<CachedAnswer>>>;

/// The answers that are being made. Shared by all threads of a server.
#[derive(Clone, Default)]
pub(crate) struct Flights(Arc<Mutex<HashMap<CacheKey, Landing>>>);

enum Place {
    First(Flight),
    Later(Landing),
}

/// An answer that is being made; those who wait for it are woken when it ends, whatever became of it.
struct Flight {
    flights: Flights,
    key: CacheKey,
    landing: watch::Sender<Option<Arc<CachedAnswer>>>,
}

impl Flights {
    fn board(&self, key: CacheKey) -> Place {
        match self.held().entry(key) {
            Entry::Occupied(under_way) => Place::Later(under_way.get().clone()),
            Entry::Vacant(free) => {
                let (landing, waiting) = watch::channel(None);
                free.insert(waiting);
                Place::First(Flight { flights: self.clone(), key, landing })
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<CacheKey, Landing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.held().remove(&self.key);
    }
}

/// The answer to a request: one that was made for the same rights and the same state, or what `making` comes to. Of many who ask for the
/// same at once one makes it. `is_lasting`: all that it shows changes with entries of the audit log alone, so that it may be given again.
pub(crate) async fn remembered<R: Readable>(
    request: &HttpRequest,
    actor: &Actor,
    class: CacheClass,
    is_lasting: bool,
    making: impl Future<Output = Result<R, ApiError>>,
) -> Result<HttpResponse, ApiError> {
    let parts = (request.app_data::<web::Data<Platform>>(), request.app_data::<web::Data<Flights>>());
    let (Some(platform), Some(flights)) = parts else {
        return Err(ApiError::internal("the cache is not wired into the server"));
    };
    let cache = platform.cache();
    let key = if is_lasting { cache.key(actor, class, &own_address(request)) } else { None };
    let Some(key) = key else {
        let response = making.await?.render(request);
        return Ok(told(request, class, Outcome::Bypass, response));
    };
    let (flight, found) = look(&cache, flights, key).await;
    if let Some(found) = found {
        return Ok(told(request, class, Outcome::Hit, again(found)));
    }
    let response = making.await?.render(request);
    let Some(tag) = tag_of(&response) else {
        return Ok(told(request, class, Outcome::Bypass, response));
    };
    let body = response.into_body().try_into_bytes();
    let body = body.map_err(|_| ApiError::internal("an answer that is to be kept has no end yet"))?;
    let answer = Arc::new(CachedAnswer { tag, body: body.to_vec() });
    let is_kept = cache.put(key, class, &answer);
    if let Some(flight) = flight {
        flight.landing.send_replace(Some(Arc::clone(&answer)));
    }
    let outcome = if is_kept { Outcome::Miss } else { Outcome::Bypass };
    Ok(told(request, class, outcome, again(answer)))
}

/// What is kept, or the flight of the one who is to make it. Of many who look at once one asks other nodes, and the others wait for what he
/// finds or makes; if that is nothing, each makes his own.
async fn look(
    cache: &Cache<'_>,
    flights: &Flights,
    key: CacheKey,
) -> (Option<Flight>, Option<Arc<CachedAnswer>>) {
    if let Some(found) = cache.at_hand(&key) {
        return (None, Some(found));
    }
    match flights.board(key) {
        Place::First(flight) => {
            // The one before may have landed between the look and the boarding.
            let found = match cache.at_hand(&key) {
                Some(found) => Some(found),
                None => cache.get(&key).await,
            };
            if let Some(found) = &found {
                flight.landing.send_replace(Some(Arc::clone(found)));
            }
            (Some(flight), found)
        }
        Place::Later(mut landing) => {
            // It may end without an answer.
            let _landed = landing.changed().await;
            let found = landing.borrow().clone();
            (None, found)
        }
    }
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
