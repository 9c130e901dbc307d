//! Questions about telemetry over many modules and metrics.

use actix_web::web;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use sitewatch_domain::{
    FieldErrors, Platform,
    ids::ModuleId,
    limits::RequestClass,
    readings::{Aggregate, QueryAnswer, SeriesAnswer, TelemetryQuery, Values},
    time::Instant,
};
use utoipa::ToSchema;

use crate::{
    body::{Body, Field},
    caller::Caller,
    envelope::{Envelope, Plain},
    error::ApiError,
    routes::Address,
};

pub(crate) fn addresses() -> Vec<Address> {
    vec![Address::at("/api/v1/telemetry/query").post(query).limited_as(RequestClass::Read)]
}

/// A question about telemetry.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"modules": ["01890000-0000-7000-8000-000000000000"], "metrics": ["P_avg"],
    "from": "2014-03-28T00:00:00+01:00", "to": "2014-04-03T00:00:00+02:00", "interval": "P1D",
    "timezone": "Europe/Paris", "aggregates": ["avg"]}))]
pub(crate) struct QueryBody {
    /// The modules, 1 to 100.
    #[schema(value_type = Vec<uuid::Uuid>, required = true, min_items = 1, max_items = 100)]
    modules: Field<Vec<ModuleId>>,
    /// The keys of the metrics, 1 to 100.
    #[schema(value_type = Vec<String>, required = true, min_items = 1, max_items = 100)]
    metrics: Field<Vec<String>>,
    /// The first moment.
    #[schema(value_type = String, format = DateTime, required = true)]
    from: Field<Instant>,
    /// The first moment after.
    #[schema(value_type = String, format = DateTime, required = true)]
    to: Field<Instant>,
    /// The length of the buckets: `PT1M` to `PT30M`, `PT1H` to `PT12H`, `P1D`, `P1W`, `P1M`. Without it, raw readings.
    #[schema(value_type = Option<String>, example = "P1D")]
    interval: Field<String>,
    /// The IANA time zone of the buckets; the site's, if all modules share one, when not given.
    #[schema(value_type = Option<String>)]
    timezone: Field<String>,
    /// Some of `avg`, `min`, `max`, `sum`, `count`, `first`, `last`; `avg` when not given.
    #[schema(value_type = Option<Vec<String>>)]
    aggregates: Field<Vec<String>>,
}

impl Body for QueryBody {
    type Input = TelemetryQuery;

    fn into_input(self, faults: &mut FieldErrors) -> TelemetryQuery {
        TelemetryQuery {
            modules: self.modules.required("modules", faults),
            metrics: self.metrics.required("metrics", faults),
            from: self.from.required("from", faults),
            to: self.to.required("to", faults),
            interval: self.interval.optional("interval", faults),
            timezone: self.timezone.optional("timezone", faults),
            aggregates: self.aggregates.optional("aggregates", faults).unwrap_or_default(),
        }
    }
}

/// An answer: one entry a module and metric.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QueryAnswer)]
pub(crate) struct QueryAnswerView {
    /// The series, modules in the order of the question, then metrics likewise.
    #[schema(value_type = Vec<SeriesDocument>)]
    series: Vec<SeriesView>,
}

/// One series. Raw readings come as `at` and `value`; buckets as `at` (their starts) and one list for each figure that
/// was asked for, with null for buckets without readings (and 0 as their count).
#[derive(ToSchema)]
#[schema(as = Series)]
#[expect(dead_code, reason = "documents what `SeriesView` serializes")]
pub(crate) struct SeriesDocument {
    /// The module.
    module: uuid::Uuid,
    /// The key of the metric.
    metric: String,
    /// The unit.
    unit: String,
    /// The moments, or the starts of the buckets.
    at: Vec<String>,
    /// Raw values.
    value: Option<Vec<f64>>,
    /// Means.
    avg: Option<Vec<Option<f64>>>,
    /// Smallest values.
    min: Option<Vec<Option<f64>>>,
    /// Largest values.
    max: Option<Vec<Option<f64>>>,
    /// Sums.
    sum: Option<Vec<Option<f64>>>,
    /// Numbers of readings.
    count: Option<Vec<u64>>,
    /// Earliest values.
    first: Option<Vec<Option<f64>>>,
    /// Latest values.
    last: Option<Vec<Option<f64>>>,
}

#[derive(Debug)]
struct SeriesView(SeriesAnswer);

impl Serialize for SeriesView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("module", &self.0.module_id)?;
        map.serialize_entry("metric", &self.0.metric)?;
        map.serialize_entry("unit", &self.0.unit)?;
        match &self.0.values {
            Values::Raw(raw) => {
                map.serialize_entry("at", &raw.at)?;
                map.serialize_entry("value", &raw.value)?;
            }
            Values::Buckets(buckets) => {
                map.serialize_entry("at", &buckets.at)?;
                for (aggregate, figures) in &buckets.figures {
                    if *aggregate == Aggregate::Count {
                        map.serialize_entry(aggregate.name(), &Counts(figures))?;
                    } else {
                        map.serialize_entry(aggregate.name(), figures)?;
                    }
                }
            }
        }
        map.end()
    }
}

/// Counts are whole numbers and look like them.
struct Counts<'a>(&'a [Option<f64>]);

impl Serialize for Counts<'_> {
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count is a whole number of at most 32 bits"
    )]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|count| count.unwrap_or(0.0) as u64))
    }
}

impl From<QueryAnswer> for QueryAnswerView {
    fn from(answer: QueryAnswer) -> Self {
        Self { series: answer.series.into_iter().map(SeriesView).collect() }
    }
}

/// Raw readings, or figures of calendar buckets, of many modules and metrics.
#[utoipa::path(post, path = "/api/v1/telemetry/query", tag = "readings", operation_id = "queryTelemetry",
    request_body = QueryBody,
    responses((status = 200, description = "The answer", body = Envelope<QueryAnswerView>)))]
pub(crate) async fn query(
    platform: web::Data<Platform>,
    caller: Caller,
) -> Result<Plain<QueryAnswerView>, ApiError> {
    caller.no_query()?;
    let body = caller.body().await?.json::<QueryBody>();
    Ok(Plain(platform.readings().query(&caller, body).await?.into()))
}
