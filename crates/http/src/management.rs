//! The port for whoever runs the installation: signs of life and figures, apart from the API and without its accounts. It belongs
//! on an address that only he reaches.

use std::{net::TcpListener, sync::Arc, time::Duration};

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::{Server, ServerHandle},
    http::StatusCode,
    web,
};
use async_trait::async_trait;
use serde::Serialize;

use crate::server::ServeError;

/// How long a request may still take once the port closes.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// How many connections are open at the same time: those of a supervisor and of whoever collects figures.
const CONNECTIONS: usize = 64;

/// Who knows how the process does.
#[async_trait]
pub trait ManagementSource: Send + Sync {
    /// Whether it can work.
    async fn readiness(&self) -> ManagementReadiness;

    /// The figures in Prometheus' text form.
    async fn metrics(&self) -> String;
}

/// Whether a process can work, and what its parts say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ManagementReadiness {
    /// `up` or `down`; it works only while it is up.
    pub database: &'static str,
    /// `up`, `down`, `unknown`, or `off` without one; it works without, and finds jobs later.
    pub redis: &'static str,
}

#[derive(Serialize)]
struct Report {
    status: &'static str,
    #[serde(flatten)]
    parts: ManagementReadiness,
}

/// Serves on a socket that is bound already, in one thread. The server runs when the first value is awaited, until the second one
/// stops it.
///
/// # Errors
/// If the socket cannot be used.
pub fn serve_management(
    listener: TcpListener,
    source: Arc<dyn ManagementSource>,
) -> Result<(Server, ServerHandle), ServeError> {
    let source = web::Data::from(source);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(source.clone())
            .service(web::resource("/health/live").get(live))
            .service(web::resource("/health/ready").get(ready))
            .service(web::resource("/metrics").get(metrics))
    })
    .workers(1)
    .max_connections(CONNECTIONS)
    .shutdown_timeout(SHUTDOWN_TIMEOUT.as_secs())
    .disable_signals()
    .listen(listener)
    .map_err(ServeError)?
    .run();
    let handle = server.handle();
    Ok((server, handle))
}

async fn live() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "OK" }))
}

async fn ready(source: web::Data<dyn ManagementSource>) -> HttpResponse {
    let parts = source.readiness().await;
    let (code, status) = match parts.database {
        "up" => (StatusCode::OK, "ready"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
    };
    HttpResponse::build(code).json(Report { status, parts })
}

async fn metrics(source: web::Data<dyn ManagementSource>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(source.metrics().await)
}
