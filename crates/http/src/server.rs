//! The server: every route, the order of the middleware, limits, and how it starts and stops.

use std::{net::TcpListener, time::Duration};

use actix_web::{
    App, HttpServer, ResponseError,
    dev::{HttpServiceFactory, Server, ServerHandle},
    middleware::from_fn,
    web,
};
use ipnet::IpNet;
use sitewatch_domain::Platform;
use tokio::net::TcpStream;

use crate::{
    client_address::TrustedProxies,
    crowd::Crowd,
    docs,
    error::ApiError,
    health::{self, Draining, Preparing},
    middleware::{SlowFrom, admission, request_scope},
    pages,
    places::Places,
    remembered::Flights,
    routes::Address,
    transport::{RequestLimits, Transport},
    v1,
};

/// How long the head of a request may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How the server runs.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Threads that serve requests.
    pub workers: usize,
    /// How many connections are open at the same time, over all threads; further ones wait until one ends. Beyond half of
    /// them none is kept after its answer.
    pub connections: usize,
    /// How long running requests may take once the server stops.
    pub shutdown_timeout: Duration,
}

/// The API over a platform.
#[derive(Clone)]
pub struct Api {
    platform: Platform,
    draining: Draining,
    preparing: Preparing,
    proxies: TrustedProxies,
    transport: Transport,
    flights: Flights,
    places: Places,
    slow: SlowFrom,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
#[error("the server cannot listen")]
pub struct ServeError(#[source] pub(crate) std::io::Error);

impl Api {
    /// The API over this platform; `draining` is the switch of whoever stops the server.
    pub fn new(platform: Platform, draining: Draining) -> Self {
        Self {
            platform,
            draining,
            preparing: Preparing::default(),
            proxies: TrustedProxies::default(),
            transport: Transport::default(),
            flights: Flights::default(),
            places: Places::of_at_most(RequestLimits::default().at_once),
            slow: SlowFrom::default(),
        }
    }

    /// The same, not ready while that goes on.
    pub fn not_ready_while(self, preparing: Preparing) -> Self {
        Self { preparing, ..self }
    }

    /// The same; the log tells of requests that take longer.
    pub fn telling_of_requests_over(self, limit: Option<Duration>) -> Self {
        Self { slow: SlowFrom(limit), ..self }
    }

    /// The same, asked by these rules.
    pub fn asked_by(self, transport: Transport) -> Self {
        Self { places: Places::of_at_most(transport.limits().at_once), transport, ..self }
    }

    /// The same behind proxies in these networks, whose word on their clients is taken: their addresses, and what they asked over.
    pub fn behind(self, trusted_proxies: Vec<IpNet>) -> Self {
        Self { proxies: TrustedProxies::within(trusted_proxies), ..self }
    }

    /// The API as one service of another actix-web application, with all that happens to a request before and after its route:
    /// limits, versions, request ids, headers, the log. It answers every address that no service before it answers, so it
    /// is registered last. How many connections there are, and how long heads may take, is for that application's server to say.
    pub fn into_service(self) -> impl HttpServiceFactory + 'static {
        web::scope("")
            .configure(move |config| self.configure(config))
            .wrap(from_fn(admission))
            .wrap(from_fn(request_scope))
    }

    /// Adds every route.
    fn configure(&self, config: &mut web::ServiceConfig) {
        config
            .app_data(web::Data::new(self.platform.clone()))
            .app_data(web::Data::new(self.draining.clone()))
            .app_data(web::Data::new(self.preparing.clone()))
            .app_data(web::Data::new(self.proxies.clone()))
            .app_data(web::Data::new(self.transport.clone()))
            .app_data(web::Data::new(self.flights.clone()))
            .app_data(web::Data::new(self.places.clone()))
            .app_data(web::Data::new(self.slow));
        for address in addresses() {
            config.service(address.into_resource());
        }
        docs::configure(config);
        pages::configure(config);
        config.default_service(web::to(async || ApiError::unknown_route().error_response()));
    }

    /// Serves on a socket that is bound already. The server runs when the first value is awaited, until the second one
    /// stops it; it listens to no signals by itself.
    ///
    /// # Errors
    /// If the socket cannot be used.
    pub fn serve(
        self,
        listener: TcpListener,
        settings: &HttpSettings,
    ) -> Result<(Server, ServerHandle), ServeError> {
        Places::begin_count();
        let crowd = Crowd::of_at_most(settings.connections, self.proxies.clone());
        let api = self;
        let server = HttpServer::new(move || {
            let api = api.clone();
            App::new()
                .configure(move |config| api.configure(config))
                .wrap(from_fn(admission))
                .wrap(from_fn(request_scope))
        })
        .on_connect(move |connection, extensions| {
            if let Some(connection) = connection.downcast_ref::<TcpStream>() {
                extensions.insert(crowd.take_in(connection));
            }
        })
        .workers(settings.workers)
        .max_connections((settings.connections / settings.workers.max(1)).max(1))
        .client_request_timeout(HEAD_TIMEOUT)
        .shutdown_timeout(settings.shutdown_timeout.as_secs())
        .disable_signals()
        .listen(listener)
        .map_err(ServeError)?
        .run();
        let handle = server.handle();
        Ok((server, handle))
    }
}

/// Every address of the server, the pages of the documentation excepted.
pub(crate) fn addresses() -> Vec<Address> {
    health::addresses().into_iter().chain(docs::addresses()).chain(v1::addresses()).collect()
}

/// The route table as text, `METHOD path` a line, for comparing it with the OpenAPI document.
pub fn route_table() -> Vec<String> {
    let mut table = Vec::new();
    for address in addresses() {
        let methods = address.methods().into_iter();
        table.extend(methods.map(|(method, _)| format!("{method} {}", address.path())));
    }
    table.sort();
    table
}
