//! A collector of traces, as small as a test needs it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::KeyValue, common::v1::any_value::Value,
};
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A span that was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    pub service: String,
    pub name: String,
    pub kind: i32,
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub is_error: bool,
    pub attributes: HashMap<String, String>,
}

/// The collector; it ends when it is dropped.
pub struct Collector {
    pub url: String,
    spans: Arc<Mutex<Vec<Sent>>>,
    task: JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Collector {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let spans = Arc::<Mutex<Vec<Sent>>>::default();
        let shared = Arc::clone(&spans);
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                // Whatever a client breaks off is its own business.
                tokio::spawn(take(connection, Arc::clone(&shared)));
            }
        });
        Self { url, spans, task }
    }

    /// All that was sent.
    pub fn spans(&self) -> Vec<Sent> {
        self.spans.lock().expect("no panic while it is locked").clone()
    }

    /// Waits for a span.
    pub async fn wait_for(&self, is_it: impl Fn(&Sent) -> bool) -> Sent {
        let give_up = Instant::now() + Duration::from_mins(1);
        loop {
            if let Some(span) = self.spans().into_iter().find(&is_it) {
                return span;
            }
            assert!(Instant::now() < give_up, "it is not among {:?}", self.spans());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Reads requests, one after another.
async fn take(mut connection: TcpStream, spans: Arc<Mutex<Vec<Sent>>>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let head_ends = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if connection.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8_lossy(&bytes[..head_ends]).to_ascii_lowercase();
        assert!(head.starts_with("post /v1/traces ") && head.contains("application/x-protobuf"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let end = head_ends + length.expect("a length").trim().parse::<usize>().expect("a number");
        while bytes.len() < end {
            if connection.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        }
        let request = ExportTraceServiceRequest::decode(&bytes[head_ends..end]).expect("OTLP");
        spans.lock().expect("no panic while it is locked").extend(sent(request));
        bytes.drain(..end);
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
    }
}

fn sent(request: ExportTraceServiceRequest) -> Vec<Sent> {
    let mut all = Vec::new();
    for of_resource in request.resource_spans {
        let resource = attributes(of_resource.resource.unwrap_or_default().attributes);
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            all.push(Sent {
                service: resource.get("service.name").cloned().unwrap_or_default(),
                name: span.name,
                kind: span.kind,
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                is_error: span.status.is_some_and(|status| status.code == 2),
                attributes: attributes(span.attributes),
            });
        }
    }
    all
}

fn attributes(attributes: Vec<KeyValue>) -> HashMap<String, String> {
    let text = |value: Option<Value>| match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    let pairs = attributes.into_iter().map(|pair| (pair.key, text(pair.value.and_then(|value| value.value))));
    pairs.collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
