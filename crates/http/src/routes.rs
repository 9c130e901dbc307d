//! The building block of the route table: one address with its methods, each in a class of the limits of requests.

use actix_web::{
    FromRequest, Handler, Resource, Responder, ResponseError, Route,
    dev::HttpServiceFactory,
    guard,
    http::{
        Method,
        header::{self, HeaderValue},
    },
    middleware::from_fn,
    web,
};
use sitewatch_domain::limits::RequestClass;

use crate::{
    deprecations::Deprecation,
    error::ApiError,
    limits::Classes,
    middleware::{idempotency, panic_net},
    request_span::Template,
};

/// One address. `HEAD` comes with `GET`; every other method is 405 and told what is allowed.
pub struct Address {
    path: &'static str,
    entries: Vec<Entry>,
    deprecation: Option<&'static Deprecation>,
}

struct Entry {
    route: Route,
    methods: Vec<Method>,
    /// Of the limits of requests; none: not limited.
    class: Option<RequestClass>,
}

impl Address {
    /// An address without methods yet.
    pub const fn at(path: &'static str) -> Self {
        Self { path, entries: Vec::new(), deprecation: None }
    }

    /// The same, on its way out: its answers say so.
    pub const fn deprecated(mut self, deprecation: &'static Deprecation) -> Self {
        self.deprecation = Some(deprecation);
        self
    }

    /// Reads, and is limited as such.
    pub fn get<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let route = web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to(handler);
        self.with(route, vec![Method::GET, Method::HEAD], RequestClass::Read)
    }

    /// Makes, or acts; limited as writing, as all that follow.
    pub fn post<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::POST, handler)
    }

    /// Changes: given fields change, absent ones stay.
    pub fn put<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::PUT, handler)
    }

    /// Changes (RFC 7396); does the same as `PUT`.
    pub fn patch<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::PATCH, handler)
    }

    /// Archives.
    pub fn delete<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::DELETE, handler)
    }

    /// The method before is of this class instead.
    pub fn limited_as(mut self, class: RequestClass) -> Self {
        if let Some(last) = self.entries.last_mut() {
            last.class = Some(class);
        }
        self
    }

    /// The method before is not limited: what supervisors, load balancers and verifiers of tokens ask.
    pub fn unlimited(mut self) -> Self {
        if let Some(last) = self.entries.last_mut() {
            last.class = None;
        }
        self
    }

    fn on<F, Args>(self, method: Method, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let route = web::route().method(method.clone()).to(handler);
        self.with(route, vec![method], RequestClass::Write)
    }

    fn with(mut self, route: Route, methods: Vec<Method>, class: RequestClass) -> Self {
        self.entries.push(Entry { route, methods, class: Some(class) });
        self
    }

    /// The path, as the OpenAPI document writes it too.
    pub const fn path(&self) -> &'static str {
        self.path
    }

    /// The methods, each with its class of limits, for comparing the route table with the OpenAPI document.
    pub fn methods(&self) -> Vec<(Method, Option<RequestClass>)> {
        let of_entry = |entry: &Entry| {
            let class = entry.class;
            entry.methods.iter().map(move |method| (method.clone(), class)).collect::<Vec<_>>()
        };
        self.entries.iter().flat_map(of_entry).collect()
    }

    /// The framework's resource.
    pub fn into_resource(self) -> impl HttpServiceFactory + 'static {
        let methods = self.methods();
        let allow = methods.iter().map(|(method, _)| method.as_str()).collect::<Vec<_>>().join(", ");
        let refuse = move || {
            let mut response = ApiError::method_not_allowed().error_response();
            if let Ok(value) = HeaderValue::from_str(&allow) {
                response.headers_mut().insert(header::ALLOW, value);
            }
            std::future::ready(response)
        };
        let resource = web::resource(self.path).app_data(Classes(methods)).app_data(Template(self.path));
        let routes = self.entries.into_iter().map(|entry| entry.route);
        let mut resource = routes.fold(resource, Resource::route);
        if let Some(deprecation) = self.deprecation {
            resource = resource.app_data(deprecation);
        }
        resource.default_service(web::to(refuse)).wrap(from_fn(panic_net)).wrap(from_fn(idempotency))
    }
}
