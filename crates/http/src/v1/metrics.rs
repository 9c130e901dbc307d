//! Metrics: bodies, views, handlers.

use actix_web::web;
use serde::{Deserialize, Serialize};
use sitewatch_domain::{
    FieldErrors, Platform,
    ids::{MetricId, OrgId},
    metrics::{Metric, MetricChanges, MetricFilter, MetricKind, MetricSort, NewMetric},
    stamp::Revision,
};
use utoipa::{IntoParams, ToSchema};

use super::{
    bounds::CreatedAt,
    views::{IfMatch, InactiveParameter, ListParameters, StampView},
};
use crate::{
    body::{Body, Field},
    caller::Caller,
    envelope::{Addressed, Created, Envelope, List, One},
    error::ApiError,
    query::Query,
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/api/v1/metrics").get(list).post(create),
        Address::at("/api/v1/metrics/{metric_id}").get(get).put(update).patch(patch).delete(archive),
        Address::at("/api/v1/metrics/{metric_id}/restore").post(restore),
    ]
}

/// A metric as it is made.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"key": "power", "name": "Active power", "unit": "kW", "kind": "gauge"}))]
pub(crate) struct CreateMetricBody {
    /// The owning organization; without one, a superuser makes a built-in metric.
    #[schema(value_type = Option<uuid::Uuid>)]
    organization_id: Field<OrgId>,
    /// The key that readings name it by.
    #[schema(value_type = String, required = true, pattern = "^[A-Za-z0-9_.:-]{1,100}$")]
    key: Field<String>,
    /// The name to show.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 200)]
    name: Field<String>,
    /// The unit in UCUM notation; empty for plain numbers.
    #[schema(value_type = Option<String>, max_length = 32, example = "kW")]
    unit: Field<String>,
    /// `gauge` or `counter`; `gauge` if not given.
    #[schema(value_type = Option<String>, example = "gauge")]
    kind: Field<String>,
    /// Readings below are rejected.
    #[schema(value_type = Option<f64>)]
    min: Field<f64>,
    /// Readings above are rejected.
    #[schema(value_type = Option<f64>)]
    max: Field<f64>,
    /// The fastest plausible change, in units a second.
    #[schema(value_type = Option<f64>)]
    max_rate: Field<f64>,
}

impl Body for CreateMetricBody {
    type Input = NewMetric;

    fn into_input(self, faults: &mut FieldErrors) -> NewMetric {
        NewMetric {
            key: self.key.required("key", faults),
            name: self.name.required("name", faults),
            unit: self.unit.optional("unit", faults).unwrap_or_default(),
            kind: self.kind.optional("kind", faults),
            min: self.min.optional("min", faults),
            max: self.max.optional("max", faults),
            max_rate: self.max_rate.optional("max_rate", faults),
        }
    }
}

/// Changes of a metric. Absent fields stay; null empties. Key and kind stay for ever.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"max": 2500}))]
pub(crate) struct UpdateMetricBody {
    /// The name to show.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: Field<String>,
    /// The unit.
    #[schema(value_type = String, max_length = 32)]
    unit: Field<String>,
    /// Readings below are rejected.
    #[schema(value_type = Option<f64>)]
    min: Field<f64>,
    /// Readings above are rejected.
    #[schema(value_type = Option<f64>)]
    max: Field<f64>,
    /// The fastest plausible change, in units a second.
    #[schema(value_type = Option<f64>)]
    max_rate: Field<f64>,
}

impl Body for UpdateMetricBody {
    type Input = MetricChanges;

    const READ_ONLY: &'static [&'static str] = &["organization_id", "key", "kind"];

    fn into_input(self, faults: &mut FieldErrors) -> MetricChanges {
        MetricChanges {
            name: self.name.change("name", faults),
            unit: self.unit.change("unit", faults),
            min: self.min.clearable("min", faults),
            max: self.max.clearable("max", faults),
            max_rate: self.max_rate.clearable("max_rate", faults),
        }
    }
}

/// Something that can be measured.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Metric)]
pub(crate) struct MetricView {
    /// The metric's id.
    #[schema(value_type = uuid::Uuid)]
    id: MetricId,
    /// The owning organization; null for built-in metrics.
    #[schema(value_type = Option<uuid::Uuid>)]
    organization_id: Option<OrgId>,
    /// The key that readings name it by.
    key: String,
    /// The name to show.
    name: String,
    /// The unit in UCUM notation.
    unit: String,
    /// `gauge` or `counter`.
    #[schema(example = "gauge")]
    kind: &'static str,
    /// Readings below are rejected.
    min: Option<f64>,
    /// Readings above are rejected.
    max: Option<f64>,
    /// The fastest plausible change, in units a second.
    max_rate: Option<f64>,
    #[serde(flatten)]
    stamp: StampView,
    #[serde(skip)]
    revision: Revision,
}

impl From<Metric> for MetricView {
    fn from(metric: Metric) -> Self {
        Self {
            id: metric.id,
            organization_id: metric.organization_id,
            key: metric.key,
            name: metric.name,
            unit: metric.unit,
            kind: metric.kind.name(),
            min: metric.min,
            max: metric.max,
            max_rate: metric.max_rate,
            stamp: StampView::from(&metric.stamp),
            revision: metric.stamp.revision,
        }
    }
}

impl Addressed for MetricView {
    fn path(&self) -> String {
        format!("/api/v1/metrics/{}", self.id)
    }

    fn revision(&self) -> Option<Revision> {
        Some(self.revision)
    }
}

/// Filters of metrics.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters that `filter_of` reads")]
pub(crate) struct MetricParameters {
    /// Of this organization, without built-in ones.
    #[param(value_type = Option<uuid::Uuid>)]
    organization_id: Option<OrgId>,
    /// Exactly this key.
    key: Option<String>,
    /// `gauge` or `counter`.
    kind: Option<String>,
}

pub(crate) const SORT_KEYS: &[(&str, MetricSort)] = &[
    ("created_at", MetricSort::CreatedAt),
    ("updated_at", MetricSort::UpdatedAt),
    ("key", MetricSort::Key),
    ("name", MetricSort::Name),
];

fn filter_of(query: &mut Query) -> MetricFilter {
    MetricFilter {
        organization: query.id("organization_id"),
        key: query.text("key"),
        kind: query.chosen("kind", "must be one of: gauge, counter", MetricKind::from_name),
        created_at: query.between(CreatedAt::NAMES),
    }
}

/// The built-in metrics and those of your organizations.
#[utoipa::path(get, path = "/api/v1/metrics", tag = "metrics", operation_id = "listMetrics",
    params(ListParameters, CreatedAt, MetricParameters),
    responses((status = 200, description = "One page", body = Envelope<Vec<MetricView>>)))]
pub(crate) async fn list(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<List<MetricView>, ApiError> {
    let mut query = caller.query();
    let filter = filter_of(&mut query);
    let listing = query.listing(filter, SORT_KEYS);
    query.finish()?;
    Ok(List(platform.metrics().list(&caller, &listing).await?.map(MetricView::from)))
}

/// Makes a metric of an organization; without one, a superuser makes a built-in one.
#[utoipa::path(post, path = "/api/v1/metrics", tag = "metrics", operation_id = "createMetric",
    request_body = CreateMetricBody,
    responses((status = 201, description = "The new metric", body = Envelope<MetricView>)))]
pub(crate) async fn create(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Created<MetricView>, ApiError> {
    caller.no_query()?;
    let mut body = caller.body().await?.parse::<CreateMetricBody>()?;
    let owner = body.optional_owner(|body| std::mem::take(&mut body.organization_id))?;
    Ok(Created(platform.metrics().create(&caller, owner, body).await?.into()))
}

/// A metric.
#[utoipa::path(get, path = "/api/v1/metrics/{metric_id}", tag = "metrics", operation_id = "getMetric",
    params(("metric_id" = uuid::Uuid, Path), InactiveParameter),
    responses((status = 200, description = "The metric", body = Envelope<MetricView>)))]
pub(crate) async fn get(platform: web::Data<Platform>, caller: Caller) -> Result<One<MetricView>, ApiError> {
    let id = caller.id("metric_id", "metric")?;
    let inactive = caller.inactive()?;
    Ok(One(platform.metrics().find(&caller, id, inactive).await?.into()))
}

/// Changes a metric; fields that are not given stay.
#[utoipa::path(put, path = "/api/v1/metrics/{metric_id}", tag = "metrics", operation_id = "updateMetric",
    params(("metric_id" = uuid::Uuid, Path), IfMatch), request_body = UpdateMetricBody,
    responses((status = 200, description = "The changed metric", body = Envelope<MetricView>)))]
pub(crate) async fn update(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<MetricView>, ApiError> {
    let id = caller.id("metric_id", "metric")?;
    caller.no_query()?;
    let body = caller.body().await?.json::<UpdateMetricBody>();
    Ok(One(platform.metrics().update(&caller, id, body, caller.if_match()).await?.into()))
}

/// Changes a metric (RFC 7396); does the same as `PUT`.
#[utoipa::path(patch, path = "/api/v1/metrics/{metric_id}", tag = "metrics", operation_id = "patchMetric",
    params(("metric_id" = uuid::Uuid, Path), IfMatch),
    request_body(content = UpdateMetricBody, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The changed metric", body = Envelope<MetricView>)))]
pub(crate) async fn patch(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<MetricView>, ApiError> {
    update(platform, caller).await
}

/// Archives a metric that nothing active uses.
#[utoipa::path(delete, path = "/api/v1/metrics/{metric_id}", tag = "metrics", operation_id = "archiveMetric",
    params(("metric_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The archived metric", body = Envelope<MetricView>)))]
pub(crate) async fn archive(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<MetricView>, ApiError> {
    let id = caller.id("metric_id", "metric")?;
    caller.no_query()?;
    Ok(One(platform.metrics().archive(&caller, id, caller.if_match()).await?.into()))
}

/// Brings an archived metric back.
#[utoipa::path(post, path = "/api/v1/metrics/{metric_id}/restore", tag = "metrics", operation_id = "restoreMetric",
    params(("metric_id" = uuid::Uuid, Path), IfMatch),
    responses((status = 200, description = "The restored metric", body = Envelope<MetricView>)))]
pub(crate) async fn restore(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<One<MetricView>, ApiError> {
    let id = caller.id("metric_id", "metric")?;
    caller.no_query()?;
    Ok(One(platform.metrics().restore(&caller, id, caller.if_match()).await?.into()))
}
