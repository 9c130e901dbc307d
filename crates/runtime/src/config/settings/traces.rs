//! `[traces]`.

use sitewatch_domain::text::Secret;

use super::{Key, Secrecy, Shape, values};

pub(in crate::config) static TRACES_URL: Key<Secret<String>> = Key::new(
    "traces.otlp_url",
    "SITEWATCH_TRACES_OTLP_URL",
    values::otlp_url,
    "collector of traces that speaks OTLP over HTTP",
)
.secrecy(Secrecy::Url)
.empty_is_off();
pub(in crate::config) static TRACES_SAMPLE: Key<u32> = Key::new(
    "traces.sample_percent",
    "SITEWATCH_TRACES_SAMPLE_PERCENT",
    values::percent,
    "of a hundred traces, how many are kept",
)
.shape(Shape::Number);
