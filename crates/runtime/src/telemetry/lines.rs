//! The log as JSON: each event is one flat object on one line, with the fields of the spans that it happened in.

use std::{
    fmt::Debug,
    io::{self, Write as _},
};

use serde_json::Value;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    fmt::{
        MakeWriter,
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    layer::Context,
    registry::{LookupSpan, Scope},
};

use super::discretion::discreet;

/// The most bytes of a value.
const LONGEST: usize = 1024;

/// Writes them.
pub(super) struct JsonLines<W>(pub(super) W);

/// Fields and their values, each once, in the order in which they came.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    /// The value of a field, which replaces an earlier one.
    fn put(&mut self, name: &'static str, value: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(known, _)| *known == name)?;
        Some(self.0.remove(at).1)
    }

    fn write(&self, line: &mut Vec<u8>) -> io::Result<()> {
        for (number, (name, value)) in self.0.iter().enumerate() {
            line.push(if number == 0 { b'{' } else { b',' });
            serde_json::to_writer(&mut *line, name)?;
            line.push(b':');
            serde_json::to_writer(&mut *line, value)?;
        }
        line.write_all(b"}\n")
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), shown(value).into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field.name(), shown(&format!("{value:?}")).into());
    }
}

/// A text as the log shows it.
fn shown(text: &str) -> String {
    let mut shown = discreet(text).into_owned();
    if shown.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| shown.is_char_boundary(*end)).unwrap_or(0);
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

fn now() -> String {
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut own = Fields::default();
        event.record(&mut own);
        // Events of libraries that use `log` say so in their fields.
        let target = own.take("log.target").unwrap_or_else(|| event.metadata().target().into());
        own.0.retain(|(name, _)| !name.starts_with("log."));
        let mut line = Fields::default();
        line.put("time", now().into());
        line.put("level", event.metadata().level().as_str().into());
        line.put("target", target);
        if let Some(message) = own.take("message") {
            line.put("message", message);
        }
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(fields) = span.extensions().get::<Fields>() {
                fields.0.iter().for_each(|(name, value)| line.put(name, value.clone()));
            }
        }
        own.0.into_iter().for_each(|(name, value)| line.put(name, value));
        let mut bytes = Vec::with_capacity(512);
        // A closed standard error is no reason to stop.
        let _ =
            line.write(&mut bytes).and_then(|()| self.0.make_writer_for(event.metadata()).write_all(&bytes));
    }
}
