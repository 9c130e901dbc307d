//! Signs of life.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Serialize;
use sitewatch_domain::Platform;
use utoipa::ToSchema;

use crate::routes::Address;

/// Whether the server is about to stop. Shared with whoever stops it.
#[derive(Debug, Clone, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// From now on the server says that it is not ready, so that nobody sends it new work.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether the server still prepares what it needs before it serves. Shared with whoever prepares it.
#[derive(Debug, Clone, Default)]
pub struct Preparing(Arc<AtomicBool>);

impl Preparing {
    /// From now on the server says that it is not ready.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// All is there.
    pub fn end(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether it has begun and not ended.
    pub fn is_going_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The server runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// Always `OK`.
    #[schema(example = "OK")]
    status: &'static str,
}

/// Whether the server can serve, and what its parts say.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReadinessReport {
    /// `ready` or `not_ready`.
    #[schema(example = "ready")]
    status: &'static str,
    /// Why it is not ready: `draining`, `database`, `pending_migrations`, `preparing`.
    reasons: Vec<&'static str>,
    /// The services that it does without for now, while it serves all the same: `redis`.
    degraded: Vec<&'static str>,
    /// The database.
    database: DatabaseReport,
}

/// What the database says.
#[derive(Debug, Serialize, ToSchema)]
pub struct DatabaseReport {
    /// `up` or `down`.
    #[schema(example = "up")]
    status: &'static str,
    /// `sqlite` or `postgresql`.
    #[schema(example = "sqlite")]
    kind: Option<&'static str>,
    /// Migrations that it lacks.
    pending_migrations: Vec<String>,
}

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/health").get(health).unlimited(),
        Address::at("/health/live").get(live).unlimited(),
        Address::at("/health/ready").get(ready).unlimited(),
    ]
}

/// The server runs. Asks no other part.
#[utoipa::path(get, path = "/health", tag = "health", operation_id = "getHealth",
    responses((status = 200, description = "The server runs", body = Health)))]
pub(crate) async fn health() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "OK" })
}

/// The server runs. Asks no other part.
#[utoipa::path(get, path = "/health/live", tag = "health", operation_id = "getHealthLive",
    responses((status = 200, description = "The server runs", body = Health)))]
pub(crate) async fn live() -> HttpResponse {
    health().await
}

/// Whether the server can serve requests now.
#[utoipa::path(get, path = "/health/ready", tag = "health", operation_id = "getHealthReady",
    responses(
        (status = 200, description = "It can", body = ReadinessReport),
        (status = 503, description = "It cannot, for the reasons given", body = ReadinessReport),
    ))]
pub(crate) async fn ready(
    platform: web::Data<Platform>,
    draining: web::Data<Draining>,
    preparing: web::Data<Preparing>,
) -> HttpResponse {
    let mut reasons = Vec::new();
    // Looked at before the schema: it ends after the schema is whole.
    let is_preparing = preparing.is_going_on();
    if draining.has_begun() {
        reasons.push("draining");
    }
    let database = match platform.readiness().await {
        Ok(readiness) => {
            if !readiness.pending_migrations.is_empty() {
                reasons.push("pending_migrations");
            } else if is_preparing {
                reasons.push("preparing");
            }
            let kind = Some(readiness.database);
            DatabaseReport { status: "up", kind, pending_migrations: readiness.pending_migrations }
        }
        Err(error) => {
            tracing::warn!(error = %error, "the database gives no sign of life");
            reasons.push("database");
            DatabaseReport { status: "down", kind: None, pending_migrations: Vec::new() }
        }
    };
    let (status, word) = if reasons.is_empty() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not_ready")
    };
    HttpResponse::build(status).json(ReadinessReport {
        status: word,
        reasons,
        degraded: platform.degraded(),
        database,
    })
}
