//! The building block of the route table: one address with its methods.

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

use crate::{error::ApiError, middleware::panic_net};

/// One address. `HEAD` comes with `GET`; every other method is 405 and told what is allowed.
pub struct Address {
    path: &'static str,
    routes: Vec<Route>,
    allowed: Vec<Method>,
}

impl Address {
    /// An address without methods yet.
    pub const fn at(path: &'static str) -> Self {
        Self { path, routes: Vec::new(), allowed: Vec::new() }
    }

    /// Reads.
    pub fn get<F, Args>(mut self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.routes.push(web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to(handler));
        self.allowed.extend([Method::GET, Method::HEAD]);
        self
    }

    /// Makes, or acts.
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

    fn on<F, Args>(mut self, method: Method, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.routes.push(web::route().method(method.clone()).to(handler));
        self.allowed.push(method);
        self
    }

    /// The address with its methods, for comparing the route table with the OpenAPI document.
    pub fn methods(&self) -> (&'static str, &[Method]) {
        (self.path, &self.allowed)
    }

    /// The framework's resource.
    pub fn into_resource(self) -> impl HttpServiceFactory + 'static {
        let allow = self.allowed.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        let refuse = move || {
            let mut response = ApiError::method_not_allowed().error_response();
            if let Ok(value) = HeaderValue::from_str(&allow) {
                response.headers_mut().insert(header::ALLOW, value);
            }
            std::future::ready(response)
        };
        let resource = self.routes.into_iter().fold(web::resource(self.path), Resource::route);
        resource.default_service(web::to(refuse)).wrap(from_fn(panic_net))
    }
}
