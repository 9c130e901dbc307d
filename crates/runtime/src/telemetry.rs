//! Logging: composed once per process, written to standard error so that standard output is for the results of commands.

mod discretion;
mod lines;
mod traces;

use std::{
    fmt::Write as _,
    io::{self, Write},
    panic::{self, PanicHookInfo},
};

use sitewatch_domain::error::BoxError;
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt as _, filter_fn},
    fmt::{self, MakeWriter},
    layer::{Layered, SubscriberExt as _},
    registry,
    util::{SubscriberInitExt as _, TryInitError},
};

use self::{discretion::discreet, lines::JsonLines};
use crate::config::{Config, Log, LogFormat};

/// Libraries that quote requests once they are talkative.
const QUOTING: [&str; 1] = ["actix_http"];

/// What writes the log.
type Lines = Box<dyn Layer<Registry> + Send + Sync>;

/// Begins logging, and logs panics from here on as one event each.
///
/// # Errors
/// If this process logs already.
pub fn start(settings: &Log) -> Result<(), TryInitError> {
    log_of(settings, io::stderr).try_init()?;
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// The same for a program that goes on running, which also sends its traces if the settings say where to.
///
/// # Errors
/// If this process logs already, or cannot send.
pub fn start_program(config: &Config, program: &'static str) -> Result<(), BoxError> {
    let traces = traces::layer(&config.traces, program)?;
    log_of(&config.log, io::stderr).with(traces).try_init()?;
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Sends what is left of traces. Blocks, at most some seconds; to be called when nothing runs any more, while the runtime is still there.
pub fn end() {
    traces::end();
}

fn log_panic(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("a panic without a text");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(panic.message = message, panic.place = place, "panicked");
}

fn log_of<W>(settings: &Log, writer: W) -> Layered<Lines, Registry>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // The settings were checked with the same parser; should they come from elsewhere, what is understood of them is kept.
    let filter = EnvFilter::builder().parse_lossy(&settings.filter).and(filter_fn(quotes_nobody));
    let lines: Lines = match settings.format {
        LogFormat::Json => Box::new(JsonLines(writer).with_filter(filter)),
        LogFormat::Text => {
            // Without internal errors: a closed standard error would make reporting them panic.
            let lines = fmt::layer().with_ansi(false).log_internal_errors(false).with_writer(OneLine(writer));
            Box::new(lines.with_filter(filter))
        }
    };
    registry().with(lines)
}

/// What libraries say of the inside of requests stays unsaid: they quote what they cannot read, which may be anything.
fn quotes_nobody(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO || !QUOTING.iter().any(|library| metadata.target().starts_with(library))
}

/// Writes each event as exactly one line, without what nobody may know. The text format prints messages and `%` fields as they are, so a line break in a
/// name could otherwise forge a whole line of log.
struct OneLine<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for OneLine<W> {
    type Writer = OneLine<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLine(self.0.make_writer())
    }
}

impl<W: Write> Write for OneLine<W> {
    /// Takes one whole event: that is how the formatter hands them over.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = discreet(text.strip_suffix('\n').unwrap_or(&text));
        let mut safe = String::with_capacity(line.len() + 1);
        for c in line.chars() {
            if breaks_lines(c) {
                let _ = write!(safe, "{}", c.escape_default());
            } else {
                safe.push(c);
            }
        }
        safe.push('\n');
        self.0.write_all(safe.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Control characters, Unicode's own line breaks, and marks that turn the direction of the text that follows.
fn breaks_lines(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no test panics while it writes").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, filter: &str, act: impl FnOnce()) -> String {
        let memory = Memory::default();
        let writer = memory.clone();
        let settings = Log { filter: filter.into(), format, slow_request: None, slow_query: None };
        tracing::subscriber::with_default(log_of(&settings, move || writer.clone()), act);
        let bytes = memory.0.lock().expect("no test panics while it writes").clone();
        String::from_utf8(bytes).expect("logs are UTF-8")
    }

    const HOSTILE: &str =
        "Borne\n2026-01-01T00:00:00Z  INFO forged: line\r\u{1b}[2J\u{85}\u{2028}\u{202e}end";

    #[test]
    fn a_hostile_name_stays_on_one_line_of_text() {
        let text = logged(LogFormat::Text, "info", || {
            let _span = tracing::info_span!("request", site = %HOSTILE).entered();
            tracing::info!(name = %HOSTILE, debug = ?HOSTILE, plain = HOSTILE, "met {HOSTILE}");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.trim_end_matches('\n').chars().any(breaks_lines), "{text:?}");
        assert!(text.contains("Borne\\n2026"), "{text}");
    }

    #[test]
    fn each_event_is_one_flat_json_object() {
        let text = logged(LogFormat::Json, "info", || {
            let _outer = tracing::info_span!("outer", site = "Borne", id = "r-0").entered();
            let span = tracing::info_span!("request", id = "r-1", user = tracing::field::Empty);
            span.record("user", "u-1");
            let _span = span.entered();
            tracing::warn!(name = %HOSTILE, bytes = 12, "met");
            tracing::debug!("not asked for");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.starts_with("{\"time\":\"20"), "{text}");
        let event: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let expected = [("level", "WARN"), ("message", "met"), ("name", HOSTILE), ("target", module_path!())];
        for (name, value) in expected {
            assert_eq!(event[name], value);
        }
        assert_eq!(event["bytes"], 12);
        assert_eq!(
            [&event["site"], &event["id"], &event["user"]],
            ["Borne", "r-1", "u-1"],
            "the inner span's"
        );
    }

    #[test]
    fn values_are_short_and_hold_no_secret() {
        let long = "é".repeat(2_000);
        for format in [LogFormat::Json, LogFormat::Text] {
            let text = logged(format, "info", || {
                let _span = tracing::info_span!("request", token = "rt1.AAAAAAAAAAAAAAAAAAAA").entered();
                tracing::warn!(url = "redis://:canary@cache", long, "Bearer canary0123456789");
            });
            assert!(!text.contains("canary") && !text.contains("AAAA"), "{text}");
            assert!(text.contains("redis://:***@cache") && text.contains("rt1.***"), "{text}");
        }
        let text = logged(LogFormat::Json, "info", || tracing::info!(long, "met"));
        assert!(text.len() < 1_300 && text.contains("é…"), "{text}");
    }

    #[test]
    fn exceptions_by_target_are_heeded() {
        let filter = format!("off,{}=debug", module_path!());
        let text = logged(LogFormat::Text, &filter, || {
            tracing::debug!("asked for");
            tracing::error!(target: "elsewhere", "not asked for");
        });
        assert!(text.contains("asked for") && !text.contains("elsewhere"), "{text}");
    }
}
