//! Rollups: figures of buckets as they are kept.

use actix_web::web;
use serde::Serialize;
use sitewatch_domain::{
    Platform,
    ids::ModuleId,
    rollups::{Grain, Rollup, RollupRequest},
    time::Instant,
};
use utoipa::{IntoParams, ToSchema};

use super::views::SliceParameters;
use crate::{
    caller::Caller,
    envelope::{Envelope, Stretch},
    error::ApiError,
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/api/v1/sites/{site_id}/rollups").get(list_of_site),
        Address::at("/api/v1/modules/{module_id}/rollups").get(list),
    ]
}

/// The figures of a bucket of one metric of a module.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rollup)]
pub(crate) struct RollupView {
    /// The module.
    #[schema(value_type = uuid::Uuid)]
    module_id: ModuleId,
    /// The key of the metric.
    #[schema(example = "power")]
    metric: String,
    /// The start of the bucket.
    #[schema(value_type = String, format = DateTime)]
    at: Instant,
    /// How many readings.
    count: u64,
    /// Their sum.
    sum: f64,
    /// The smallest value.
    min: f64,
    /// The largest value.
    max: f64,
    /// The earliest value.
    first: f64,
    /// The latest value.
    last: f64,
    /// When the earliest was measured.
    #[schema(value_type = String, format = DateTime)]
    first_at: Instant,
    /// When the latest was measured.
    #[schema(value_type = String, format = DateTime)]
    last_at: Instant,
}

impl From<Rollup> for RollupView {
    fn from(rollup: Rollup) -> Self {
        let figures = rollup.figures;
        Self {
            module_id: rollup.module_id,
            metric: rollup.metric,
            at: rollup.at,
            count: figures.count,
            sum: figures.sum,
            min: figures.min,
            max: figures.max,
            first: figures.first,
            last: figures.last,
            first_at: figures.first_at,
            last_at: figures.last_at,
        }
    }
}

/// What is asked of rollups.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters that `request_of` reads")]
pub(crate) struct RollupParameters {
    /// The length of the buckets: `PT5M`, `PT1H` or `P1D`.
    #[param(example = "PT1H")]
    interval: String,
    /// Only this metric.
    metric: Option<String>,
    /// Buckets that start at this moment or later.
    from: Option<String>,
    /// Buckets that start before this moment.
    to: Option<String>,
}

fn request_of(caller: &Caller) -> Result<RollupRequest, ApiError> {
    const INTERVAL: &str = "must be PT5M, PT1H or P1D";
    let mut query = caller.query();
    query.require("interval", INTERVAL);
    let grain = query.chosen("interval", INTERVAL, Grain::from_name);
    let request = RollupRequest {
        grain: grain.unwrap_or(Grain::Hour),
        metric: query.text("metric"),
        from: query.instant("from"),
        to: query.instant("to"),
        slice: query.slice(),
    };
    query.finish().map(|()| request)
}

/// The rollups of a module as they are kept, metric by metric, then by time. What was sent in the last seconds may not be in them yet;
/// `POST /telemetry/query` always has it.
#[utoipa::path(get, path = "/api/v1/modules/{module_id}/rollups", tag = "readings", operation_id = "listRollups",
    params(("module_id" = uuid::Uuid, Path), RollupParameters, SliceParameters),
    responses((status = 200, description = "A slice of them", body = Envelope<Vec<RollupView>>)))]
pub(crate) async fn list(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Stretch<RollupView>, ApiError> {
    let module = caller.id("module_id", "module")?;
    let request = request_of(&caller)?;
    let rollups = platform.rollups().list_of_module(&caller, module, &request).await?;
    Ok(Stretch(rollups.map(RollupView::from)))
}

/// The rollups of a site's modules as they are kept, module by module and metric by metric, then by time.
#[utoipa::path(get, path = "/api/v1/sites/{site_id}/rollups", tag = "readings", operation_id = "listSiteRollups",
    params(("site_id" = uuid::Uuid, Path), RollupParameters, SliceParameters),
    responses((status = 200, description = "A slice of them", body = Envelope<Vec<RollupView>>)))]
pub(crate) async fn list_of_site(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Stretch<RollupView>, ApiError> {
    let site = caller.id("site_id", "site")?;
    let request = request_of(&caller)?;
    let rollups = platform.rollups().list_of_site(&caller, site, &request).await?;
    Ok(Stretch(rollups.map(RollupView::from)))
}
