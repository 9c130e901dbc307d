//! Successful answers: data, meta and links, with the entity tag that conditional requests compare.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    http::{
        Method, StatusCode,
        header::{self, HeaderValue},
    },
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use sitewatch_domain::{
    page::{MAX_REACH, Page, Slice},
    stamp::Revision,
};
use utoipa::ToSchema;

use crate::error::ApiError;

/// The shape of every successful answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Envelope<T> {
    /// What was asked for.
    pub data: T,
    /// About the list; null for single objects.
    pub meta: Option<Meta>,
    /// Where to go from here.
    pub links: Links,
}

/// About a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Meta {
    /// About a list in pages.
    Page(PageMeta),
    /// About a time-ordered list.
    Slice(SliceMeta),
}

/// About a list in pages.
#[derive(Debug, Serialize, ToSchema)]
pub struct PageMeta {
    /// How many rows the whole list has, exact up to 10,000.
    #[schema(example = 1)]
    pub total: u32,
    /// Which page this is, from 1.
    #[schema(example = 1)]
    pub page: u32,
    /// Rows a page.
    #[schema(example = 20)]
    pub per_page: u32,
    /// True if there are more rows than `total` says.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub total_is_capped: bool,
}

/// About a time-ordered list.
#[derive(Debug, Serialize, ToSchema)]
pub struct SliceMeta {
    /// The cursor of what follows; null at the end.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// Links, absolute in path and without a host.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Links {
    /// Of a single object.
    One(OneLinks),
    /// Of a list.
    List(ListLinks),
}

/// Links of a single object.
#[derive(Debug, Serialize, ToSchema)]
pub struct OneLinks {
    /// The object itself.
    #[serde(rename = "self")]
    pub this: String,
}

/// Links of a list. What a list does not have is null.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListLinks {
    /// This page.
    #[serde(rename = "self")]
    pub this: String,
    /// The first page.
    #[schema(required)]
    pub first: Option<String>,
    /// The page before.
    #[schema(required)]
    pub prev: Option<String>,
    /// The page after; follow it until it is null.
    #[schema(required)]
    pub next: Option<String>,
    /// The last page.
    #[schema(required)]
    pub last: Option<String>,
}

/// Something with an address of its own.
pub trait Addressed {
    /// Its path, from `/api/v1` on.
    fn path(&self) -> String;

    /// Its revision, for the entity tag; `None` for what cannot be changed conditionally.
    fn revision(&self) -> Option<Revision>;
}

/// A single object: 200, or 304 if the client has it already.
pub struct One<T>(pub T);

/// A new object: 201 with its address.
pub struct Created<T>(pub T);

/// Work that is done later: 202 with the job, whose address is the `Location`.
pub struct Accepted<T>(pub T);

/// An answer without an address of its own: 200, with the request's own path as `self`.
pub struct Plain<T>(pub T);

/// One page of a list.
pub struct List<T>(pub Page<T>);

/// A whole list that is never longer than a page.
pub struct All<T>(pub Vec<T>);

/// A slice of a time-ordered list.
pub struct Stretch<T>(pub Slice<T>);

/// An answer that is read, whether or not the client has it already.
pub(crate) trait Readable {
    /// The whole answer.
    fn render(self, request: &HttpRequest) -> HttpResponse;
}

impl<T: Serialize + Addressed> Readable for One<T> {
    fn render(self, _request: &HttpRequest) -> HttpResponse {
        let (path, revision) = (self.0.path(), self.0.revision());
        json(StatusCode::OK, revision, &single(self.0, path))
    }
}

impl<T: Serialize + Addressed> Responder for One<T> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        unless_unchanged(request, self.render(request))
    }
}

impl<T: Serialize + Addressed> Responder for Created<T> {
    type Body = BoxBody;

    fn respond_to(self, _request: &HttpRequest) -> HttpResponse {
        located(StatusCode::CREATED, self.0)
    }
}

impl<T: Serialize + Addressed> Responder for Accepted<T> {
    type Body = BoxBody;

    fn respond_to(self, _request: &HttpRequest) -> HttpResponse {
        located(StatusCode::ACCEPTED, self.0)
    }
}

impl<T: Serialize> Responder for Plain<T> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        json(StatusCode::OK, None, &single(self.0, own_address(request)))
    }
}

impl<T: Serialize> Responder for List<T> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        unless_unchanged(request, self.render(request))
    }
}

impl<T: Serialize> Readable for List<T> {
    fn render(self, request: &HttpRequest) -> HttpResponse {
        let Page { items, total, request: asked } = self.0;
        let (page, per_page) = (asked.page(), asked.per_page());
        // Paging ends within its reach: a page that reaches beyond is refused, so no link leads there.
        let last = total.count.div_ceil(per_page).clamp(1, MAX_REACH / per_page);
        let at = |page: u32| with_parameter(request, "page", &page.to_string());
        let links = ListLinks {
            this: own_address(request),
            first: Some(at(1)),
            prev: (page > 1).then(|| at((page - 1).min(last))),
            next: (page < last).then(|| at(page + 1)),
            last: Some(at(last)),
        };
        let meta = PageMeta { total: total.count, page, per_page, total_is_capped: total.is_capped };
        let envelope = Envelope { data: items, meta: Some(Meta::Page(meta)), links: Links::List(links) };
        json(StatusCode::OK, None, &envelope)
    }
}

impl<T: Serialize> Responder for All<T> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let count = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let this = own_address(request);
        let links =
            ListLinks { first: Some(this.clone()), prev: None, next: None, last: Some(this.clone()), this };
        let meta = PageMeta { total: count, page: 1, per_page: count.max(1), total_is_capped: false };
        let envelope = Envelope { data: self.0, meta: Some(Meta::Page(meta)), links: Links::List(links) };
        unless_unchanged(request, json(StatusCode::OK, None, &envelope))
    }
}

impl<T: Serialize> Responder for Stretch<T> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let Slice { items, next_cursor } = self.0;
        let links = ListLinks {
            this: own_address(request),
            first: None,
            prev: None,
            next: next_cursor.as_deref().map(|cursor| with_parameter(request, "cursor", cursor)),
            last: None,
        };
        let meta = Some(Meta::Slice(SliceMeta { next_cursor }));
        let envelope = Envelope { data: items, meta, links: Links::List(links) };
        unless_unchanged(request, json(StatusCode::OK, None, &envelope))
    }
}

/// An answer that says where its object is found from now on.
fn located<T: Serialize + Addressed>(status: StatusCode, object: T) -> HttpResponse {
    let (path, revision) = (object.path(), object.revision());
    let location = HeaderValue::from_str(&path);
    let mut response = json(status, revision, &single(object, path));
    if let Ok(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn single<T>(data: T, path: String) -> Envelope<T> {
    Envelope { data, meta: None, links: Links::One(OneLinks { this: path }) }
}

/// The request's own address: path and query, whatever host the request names.
pub(crate) fn own_address(request: &HttpRequest) -> String {
    request.uri().path_and_query().map_or_else(|| request.path().to_owned(), ToString::to_string)
}

/// The request's own address with one parameter replaced; all others are kept.
fn with_parameter(request: &HttpRequest, name: &str, value: &str) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    for (other, kept) in url::form_urlencoded::parse(request.query_string().as_bytes()) {
        if other != name {
            pairs.append_pair(&other, &kept);
        }
    }
    pairs.append_pair(name, value);
    format!("{}?{}", request.path(), pairs.finish())
}

/// The answer, or 304 if the client has it already.
pub(crate) fn unless_unchanged(request: &HttpRequest, response: HttpResponse) -> HttpResponse {
    let matches = |tag: &HeaderValue| {
        let asked = request.headers().get_all(header::IF_NONE_MATCH);
        asked.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|given| {
            let given = given.trim();
            // Weak comparison is what GET asks for (RFC 9110, 13.1.2).
            given == "*" || given.strip_prefix("W/").unwrap_or(given).as_bytes() == tag.as_bytes()
        })
    };
    // Only what is read can be unchanged: an object that was just written is told.
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match response.headers().get(header::ETAG) {
        Some(tag) if reads && matches(tag) => {
            HttpResponse::NotModified().insert_header((header::ETAG, tag.clone())).finish()
        }
        _ => response,
    }
}

fn json<T: Serialize>(status: StatusCode, revision: Option<Revision>, envelope: &T) -> HttpResponse {
    let body = match serde_json::to_vec(envelope) {
        Ok(body) => body,
        Err(error) => {
            return actix_web::ResponseError::error_response(&ApiError::internal(error.to_string()));
        }
    };
    let tag = entity_tag(revision.unwrap_or(Revision(0)), &body);
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .insert_header((header::ETAG, tag))
        .body(body)
}

/// `"<revision>-<hash>"`: `If-Match` compares the revision, `If-None-Match` the whole, so that live figures that change
/// without a revision are never taken for unchanged.
fn entity_tag(revision: Revision, body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    let hash: Vec<String> = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let hash = hash.concat();
    format!("\"{}-{hash}\"", revision.0)
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
