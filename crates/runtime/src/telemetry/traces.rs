//! Traces: what requests, jobs and the database took, sent to a collector that speaks OTLP over HTTP.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use opentelemetry::{KeyValue, global, trace::TracerProvider as _};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider},
};
use sitewatch_domain::error::BoxError;
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use crate::{assemble::choose_cryptography, config::Traces};

/// The target of all spans that are sent.
const TARGET: &str = "sitewatch::trace";
/// How often what has come together is sent.
const SENT_EVERY: Duration = Duration::from_secs(2);
/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the end of the process waits for the last ones.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Whoever has spans left to send.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// The layer that sends spans, for a program of this name, if the settings say where to; from here on requests that say so go on with the
/// traces of others.
///
/// # Errors
/// If there can be no client.
pub(super) fn layer<S>(
    settings: &Traces,
    program: &'static str,
) -> Result<Option<impl Layer<S> + Send + Sync + use<S>>, BoxError>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let Some(url) = &settings.otlp_url else { return Ok(None) };
    choose_cryptography();
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let carrier = Carrier { client, runtime: Handle::try_current()?, is_failing: AtomicBool::new(false) };
    let endpoint = format!("{}/v1/traces", url.expose().trim_end_matches('/'));
    let exporter =
        SpanExporter::builder().with_http().with_http_client(carrier).with_endpoint(endpoint).build()?;
    let config = BatchConfigBuilder::default().with_scheduled_delay(SENT_EVERY).build();
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let provider = SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(config).build())
        // Whether the one who asks keeps his part of the trace is his own business.
        .with_sampler(Sampler::TraceIdRatioBased(f64::from(settings.sample_percent) / 100.0))
        .with_resource(Resource::builder_empty().with_service_name(program).with_attribute(version).build())
        .build();
    global::set_text_map_propagator(TraceContextPropagator::new());
    let tracer = provider.tracer("sitewatch");
    // Only one start of a process succeeds.
    let _started_before = PROVIDER.set(provider);
    let layer = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false);
    let is_ours = filter_fn(|metadata| metadata.is_span() && metadata.target() == TARGET);
    Ok(Some(layer.with_filter(is_ours)))
}

/// Sends what is left. Blocks, so never within the runtime.
pub(super) fn end() {
    if let Some(provider) = PROVIDER.get() {
        // What cannot be delivered has been told.
        let _undelivered = provider.shutdown_with_timeout(LAST_WORDS);
    }
}

/// Carries spans to the collector. The exporter has a thread of its own, without the runtime that connections need.
#[derive(Debug)]
struct Carrier {
    client: reqwest::Client,
    runtime: Handle,
    is_failing: AtomicBool,
}

#[async_trait]
impl HttpClient for Carrier {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let sending = self.client.request(head.method, head.uri.to_string()).headers(head.headers).body(body);
        let sent = self.runtime.spawn(async move { sending.send().await?.error_for_status()?.bytes().await });
        match sent.await? {
            Ok(body) => {
                if self.is_failing.swap(false, Ordering::Relaxed) {
                    tracing::info!("traces are delivered again");
                }
                Ok(Response::new(body))
            }
            Err(error) => {
                if !self.is_failing.swap(true, Ordering::Relaxed) {
                    // Without the URL, which may hold a password.
                    let reason = error.without_url().to_string();
                    tracing::warn!(reason, "traces cannot be delivered, and are lost until they can");
                    return Err(reason.into());
                }
                Err("the collector does not take it".into())
            }
        }
    }
}
