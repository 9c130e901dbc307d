//! Who calls: the authenticated caller and the anonymous visitor, and all that a handler asks of a request.
//!
//! A handler takes exactly one of the two, and asks for path, query and body itself, so that the checks run in one
//! order: authenticate first, then the path, then the rest.

use std::{
    cell::RefCell,
    future::Future,
    ops::Deref,
    pin::{Pin, pin},
    rc::Rc,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, HttpResponse, dev,
    http::{
        header::{self, HeaderMap},
        uri::PathAndQuery,
    },
    web,
};
use futures_util::StreamExt;
use sitewatch_domain::{
    Error, Platform,
    access::{Actor, RequestContext},
    cache::CacheClass,
    error::{Rule, TokenFault},
    idempotency::ClaimedRequest,
    ids::Id,
    keys::is_key,
    page::Inactive,
    stamp::{Precondition, Revision},
};
use tokio::time::timeout;

use crate::{
    body::{Arrival, BodyBytes, Table},
    envelope::Readable,
    error::ApiError,
    limits,
    middleware::idempotency,
    places::{Place, Places},
    query::Query,
    remembered::remembered,
    request_span::note_caller,
    transport::{RequestLimits, Transport},
};

/// The most bytes of a body with credentials.
pub const CREDENTIALS_LIMIT: usize = 16 * 1024;
/// The most bytes of a batch of readings, which no setting for other bodies exceeds.
pub const BATCH_LIMIT: usize = 2 * 1024 * 1024;

/// Where programs show their keys if they cannot write `Authorization`.
const API_KEY: &str = "x-api-key";

/// How long a caller's rights are taken for what they were. Bodies that come with their head are read sooner; whoever lets one trickle must not keep
/// rights with it that he loses meanwhile.
const RIGHTS_GOOD_FOR: Duration = Duration::from_millis(50);

/// A body that has arrived by then was on its way with its head.
const SOON: Duration = Duration::from_millis(20);

const COMPRESSED: &str = "compressed bodies are not accepted here";

/// A request of somebody who has not said who he is.
pub struct Visitor {
    request: HttpRequest,
    payload: Rc<RefCell<dev::Payload>>,
    /// Given back while a body lets one wait.
    place: RefCell<Option<Place>>,
}

/// A request of somebody who has proven who he is. Derefs to the [`Actor`].
pub struct Caller {
    actor: Actor,
    asked_at: Instant,
    visitor: Visitor,
}

impl Deref for Caller {
    type Target = Actor;

    fn deref(&self) -> &Actor {
        &self.actor
    }
}

impl Caller {
    /// The id in the path under this name; `what` it names is told if it is none.
    ///
    /// # Errors
    /// 404 for everything that is not an id: no object has it.
    pub fn id<T>(&self, name: &str, what: &'static str) -> Result<Id<T>, ApiError> {
        let text = self.visitor.request.match_info().get(name).unwrap_or_default();
        Id::from_str(text).map_err(|_| ApiError::not_found(what))
    }

    /// The answer to a request that only reads, perhaps one that was made before: see [`remembered`].
    ///
    /// # Errors
    /// Those of `making`.
    pub(crate) async fn remembered<R: Readable>(
        &self,
        class: CacheClass,
        is_lasting: bool,
        making: impl Future<Output = Result<R, ApiError>>,
    ) -> Result<HttpResponse, ApiError> {
        remembered(&self.visitor.request, &self.actor, class, is_lasting, making).await
    }

    /// The query parameters.
    pub fn query(&self) -> Query {
        Query::parse(self.visitor.request.query_string())
    }

    /// For routes that know no parameter but `include_inactive`.
    ///
    /// # Errors
    /// 422 for any other parameter.
    pub fn inactive(&self) -> Result<Inactive, ApiError> {
        let mut query = self.query();
        let inactive = query.inactive();
        query.finish().map(|()| inactive)
    }

    /// For routes that know no parameters at all.
    ///
    /// # Errors
    /// 422 for any parameter.
    pub fn no_query(&self) -> Result<(), ApiError> {
        self.query().finish()
    }

    /// The body of a JSON request.
    ///
    /// # Errors
    /// 413, 408 if it takes too long, or 400 if the client breaks off; 401 or 409 if the caller lost his session or some of his rights
    /// while it arrived. What the bytes are is judged when they are read.
    pub async fn body(&self) -> Result<BodyBytes, ApiError> {
        let body = self.visitor.body(limits_of(&self.visitor.request).body).await?;
        self.ask_again().await.map(|()| body)
    }

    /// The body of a request with credentials.
    ///
    /// # Errors
    /// As [`Caller::body`].
    pub async fn credentials(&self) -> Result<BodyBytes, ApiError> {
        let body = self.visitor.credentials().await?;
        self.ask_again().await.map(|()| body)
    }

    /// The body of a batch of readings.
    ///
    /// # Errors
    /// As [`Caller::body`].
    pub async fn batch(&self) -> Result<BodyBytes, ApiError> {
        let body = self.visitor.body(BATCH_LIMIT).await?;
        self.ask_again().await.map(|()| body)
    }

    /// Asks once more what the caller may do, if the body took its time.
    async fn ask_again(&self) -> Result<(), ApiError> {
        if self.asked_at.elapsed() < RIGHTS_GOOD_FOR {
            return Ok(());
        }
        let now = authenticated(&self.visitor, shown(self.visitor.request.headers())?).await?;
        // What he was given meanwhile is no reason to turn him away: he goes on with what he had.
        let has_it_still = match (now.standing(), self.actor.standing()) {
            (Some(now), Some(then)) => then.is_within(now),
            (now, then) => now.is_none() && then.is_none(),
        };
        if has_it_still { Ok(()) } else { Err(Error::Conflict(Rule::ChangedMeanwhile).into()) }
    }

    /// The caller with a claim to the idempotency key of his request, if it has one. It is about the whole request, so the body is read for
    /// it, and is there to be read once more.
    async fn claiming_its_key(self) -> Result<Self, ApiError> {
        let Self { actor, visitor, .. } = &self;
        let request = &visitor.request;
        let Some((route, key)) = idempotency::key_of(request)? else { return Ok(self) };
        let body = visitor.bytes(BATCH_LIMIT).await?;
        let asked_at = Instant::now();
        self.ask_again().await?;
        let path = request.uri().path_and_query().map_or(request.path(), PathAndQuery::as_str);
        let method = request.method().as_str();
        let claimed = ClaimedRequest { key, method, route: &route, path, body: &body };
        let actor = platform_of(request)?.idempotency().claim(actor.clone(), claimed);
        *visitor.payload.borrow_mut() = dev::Payload::from(body);
        if let Some(keyed) = actor.keyed_request() {
            let mut extensions = request.extensions_mut();
            extensions.insert(Arc::clone(keyed));
            // The change is not over when the handler is.
            extensions.insert(visitor.place.take());
        }
        Ok(Self { actor, asked_at, visitor: self.visitor })
    }

    /// The rows of a request that makes many objects.
    ///
    /// # Errors
    /// As [`Caller::body`].
    pub async fn table(&self) -> Result<Table, ApiError> {
        let is_csv = self.visitor.request.content_type().eq_ignore_ascii_case("text/csv");
        let table = if is_csv {
            Table::Csv(self.visitor.plain(BATCH_LIMIT).await?)
        } else {
            Table::Json(self.visitor.body(BATCH_LIMIT).await?)
        };
        self.ask_again().await.map(|()| table)
    }

    /// What the caller last saw of the object, from `If-Match`.
    pub fn if_match(&self) -> Precondition {
        precondition(self.visitor.request.headers())
    }
}

impl Visitor {
    /// Where the request came from.
    pub fn context(&self) -> RequestContext {
        context_of(&self.request)
    }

    /// For routes that know no parameters at all.
    ///
    /// # Errors
    /// 422 for any parameter.
    pub fn no_query(&self) -> Result<(), ApiError> {
        Query::parse(self.request.query_string()).finish()
    }

    /// The body of a request with credentials.
    ///
    /// # Errors
    /// As [`Caller::body`].
    pub async fn credentials(&self) -> Result<BodyBytes, ApiError> {
        self.body(CREDENTIALS_LIMIT).await
    }

    /// The body of a form with credentials.
    ///
    /// # Errors
    /// 413, 415, 408 if it takes too long, or 400 if the client breaks off.
    pub async fn form(&self) -> Result<Vec<u8>, ApiError> {
        let content_type = self.request.content_type();
        if !content_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(ApiError::unsupported_media_type(
                "the body must be of the type application/x-www-form-urlencoded",
            ));
        }
        if self.is_encoded() {
            return Err(ApiError::unsupported_media_type(COMPRESSED));
        }
        self.bytes(CREDENTIALS_LIMIT).await
    }

    async fn body(&self, limit: usize) -> Result<BodyBytes, ApiError> {
        let content_type = self.request.content_type();
        let is_json = content_type.is_empty()
            || content_type.eq_ignore_ascii_case("application/json")
            || content_type.eq_ignore_ascii_case("application/merge-patch+json");
        let body = self.plain(limit).await?;
        Ok(if is_json {
            body
        } else {
            BodyBytes::unsupported("the body must be of the type application/json")
        })
    }

    /// A body of whichever type, if it is not compressed.
    async fn plain(&self, limit: usize) -> Result<BodyBytes, ApiError> {
        let bytes = self.bytes(limit).await?;
        Ok(if self.is_encoded() { BodyBytes::unsupported(COMPRESSED) } else { BodyBytes::new(bytes) })
    }

    fn is_encoded(&self) -> bool {
        let encoding = self.request.headers().get(header::CONTENT_ENCODING);
        encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
    }

    /// A place among the requests that are worked on, if the class has to have one.
    async fn enter(&self) -> Result<(), ApiError> {
        let Some(class) = limits::class_of(&self.request)? else { return Ok(()) };
        let places = self.request.app_data::<web::Data<Places>>();
        let places = places.ok_or_else(|| ApiError::internal("the places are not wired into the server"))?;
        let place = places.enter(class).await?;
        self.place.replace(Some(place));
        Ok(())
    }

    async fn bytes(&self, limit: usize) -> Result<Vec<u8>, ApiError> {
        let mut arriving = pin!(self.arriving(limit));
        if let Ok(bytes) = timeout(SOON, &mut arriving).await {
            return bytes;
        }
        // Nobody else waits for a body that is on its way.
        self.place.replace(None);
        let bytes = arriving.await?;
        self.enter().await?;
        Ok(bytes)
    }

    async fn arriving(&self, limit: usize) -> Result<Vec<u8>, ApiError> {
        // Taken out, so that no borrow lives across an await; a body is read once.
        let mut payload = self.payload.replace(dev::Payload::None);
        let mut bytes = Vec::new();
        let arrival = Arrival::begins(limits_of(&self.request).body_time);
        while let Some(chunk) = arrival.of(payload.next(), bytes.len()).await? {
            let chunk =
                chunk.map_err(|_| ApiError::bad_request("the body ended before its announced length"))?;
            if bytes.len().saturating_add(chunk.len()) > limit {
                return Err(ApiError::too_large(limit));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// The address and names of a request, as the outermost middleware noted them.
pub(crate) fn context_of(request: &HttpRequest) -> RequestContext {
    request.extensions().get::<RequestContext>().cloned().unwrap_or_default()
}

/// How long the bodies of a request may be, and how long they may take.
fn limits_of(request: &HttpRequest) -> RequestLimits {
    request.app_data::<web::Data<Transport>>().map(|transport| transport.limits()).unwrap_or_default()
}

fn precondition(headers: &HeaderMap) -> Precondition {
    let mut revisions = Vec::new();
    let mut given = false;
    for header in headers.get_all(header::IF_MATCH) {
        given = true;
        let text = header.to_str().unwrap_or_default();
        if text.trim() == "*" {
            return Precondition::None;
        }
        // Weak tags and tags that we never gave match nothing (RFC 9110, 13.1.1).
        revisions.extend(text.split(',').filter_map(|tag| revision_of(tag.trim())));
    }
    if given { Precondition::OneOf(revisions) } else { Precondition::None }
}

fn revision_of(tag: &str) -> Option<Revision> {
    let inner = tag.strip_prefix('"')?.strip_suffix('"')?;
    let (revision, _) = inner.split_once('-')?;
    revision.parse().ok().map(Revision)
}

/// What the caller shows: a bearer token, or a key in either of two headers.
fn shown(headers: &HeaderMap) -> Result<&str, ApiError> {
    let in_authorization = bearer(headers);
    let mut keys = headers.get_all(API_KEY);
    let Some(key) = keys.next() else { return Ok(in_authorization.map_err(Error::Unauthenticated)?) };
    let key = key.to_str().ok().map(str::trim).filter(|key| is_key(key));
    let key = key.ok_or(Error::Unauthenticated(TokenFault::Invalid))?;
    match in_authorization {
        _ if keys.next().is_some() => Err(ApiError::bad_request("X-API-Key must be given once")),
        Ok(token) if token != key => {
            Err(ApiError::bad_request("Authorization and X-API-Key say different things; give one of them"))
        }
        Err(TokenFault::Missing) | Ok(_) => Ok(key),
        Err(fault) => Err(Error::Unauthenticated(fault).into()),
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, TokenFault> {
    let mut values = headers.get_all(header::AUTHORIZATION);
    let value = values.next().ok_or(TokenFault::Missing)?;
    if values.next().is_some() {
        // Whoever stands between might have looked at the other one.
        return Err(TokenFault::Invalid);
    }
    let text = value.to_str().map_err(|_| TokenFault::Invalid)?;
    let (scheme, token) = text.split_once(' ').ok_or(TokenFault::Missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(TokenFault::Missing) }
}

impl FromRequest for Visitor {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let visitor = visitor(request, payload);
        Box::pin(async move {
            limits::count_visitor(&visitor.request, platform_of(&visitor.request)?).await?;
            visitor.enter().await?;
            Ok(visitor)
        })
    }
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let visitor = visitor(request, payload);
        Box::pin(async move {
            let request = &visitor.request;
            refuse_announced(request)?;
            let platform = platform_of(request)?;
            let token = match shown(request.headers()) {
                Ok(token) => token,
                // Whoever shows nothing that could let him in takes nobody's place.
                Err(refused) => {
                    limits::count_visitor(request, platform).await?;
                    return Err(refused);
                }
            };
            visitor.enter().await?;
            let asked_at = Instant::now();
            let actor = match authenticated(&visitor, token).await {
                Ok(actor) => actor,
                Err(refused) => {
                    // Where it is not known who asks, the address alone answers for it.
                    if refused.status().is_client_error() {
                        limits::count_visitor(request, platform).await?;
                    }
                    return Err(refused);
                }
            };
            note_caller(request, &actor);
            request.extensions_mut().insert(actor.clone());
            limits::count_caller(request, platform, &actor).await?;
            Self { actor, asked_at, visitor }.claiming_its_key().await
        })
    }
}

fn platform_of(request: &HttpRequest) -> Result<&Platform, ApiError> {
    let platform = request.app_data::<web::Data<Platform>>();
    platform
        .map(web::Data::get_ref)
        .ok_or_else(|| ApiError::internal("the platform is not wired into the server"))
}

/// Who shows what he shows, with the rights that he has at this moment.
async fn authenticated(visitor: &Visitor, token: &str) -> Result<Actor, ApiError> {
    Ok(platform_of(&visitor.request)?.sessions().authenticate(visitor.context(), token).await?)
}

/// Refuses what announces more than any route takes before anything else is looked at; what is sent is counted again later.
fn refuse_announced(request: &HttpRequest) -> Result<(), ApiError> {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let is_too_large =
        length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| length > BATCH_LIMIT);
    if is_too_large { Err(ApiError::too_large(BATCH_LIMIT)) } else { Ok(()) }
}

fn visitor(request: &HttpRequest, payload: &mut dev::Payload) -> Visitor {
    Visitor {
        request: request.clone(),
        payload: Rc::new(RefCell::new(payload.take())),
        place: RefCell::default(),
    }
}

/// Who called, once he has proven it; left with the request for its log line and for what he was denied.
pub(crate) fn actor_of(request: &HttpRequest) -> Option<Actor> {
    request.extensions().get::<Actor>().cloned()
}
