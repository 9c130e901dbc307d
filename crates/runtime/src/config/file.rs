//! Reads the TOML of a settings file.

use std::collections::BTreeSet;

use sitewatch_domain::text::Secret;
use toml::de::{DeTable, DeValue};

use super::{
    faults::Origin,
    layers::Layer,
    settings::{self, Shape},
};

/// Puts every setting of the file into the layer; `origin` tells where a line is.
pub(super) fn read(text: &str, origin: &dyn Fn(usize) -> Origin, layer: &mut Layer<'_>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut broken = BTreeSet::new();
    for error in &errors {
        let line = line_of(text, error.span().map_or(0, |span| span.start));
        if broken.insert(line) {
            // Not the error's Display: it quotes the line, which may hold a secret.
            let problem = format!("is not TOML here ({})", error.message().escape_debug());
            layer.fault("settings file", Some(origin(line)), problem, "mend the line".into());
        }
    }
    let mut reader = Reader { text, origin, layer, broken };
    reader.table("", table.get_ref());
}

struct Reader<'a, 'l> {
    text: &'a str,
    origin: &'a dyn Fn(usize) -> Origin,
    layer: &'a mut Layer<'l>,
    /// Lines with a syntax error: what was recovered from them is a guess, and a second fault would only confuse.
    broken: BTreeSet<usize>,
}

impl Reader<'_, '_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let line = line_of(self.text, key.span().start);
            if self.broken.contains(&line) {
                continue;
            }
            let name = if prefix.is_empty() {
                key.get_ref().to_string()
            } else {
                format!("{prefix}.{}", key.get_ref())
            };
            match value.get_ref() {
                DeValue::Table(inner) if !inner.is_empty() || settings::is_section(&name) => {
                    self.table(&name, inner);
                }
                value => self.value(&name, value, (self.origin)(line)),
            }
        }
    }

    fn value(&mut self, name: &str, value: &DeValue<'_>, origin: Origin) {
        let Some(found) = settings::by_key(name) else {
            self.layer.unknown_key(name, origin);
            return;
        };
        let shape = if found.by_file { Shape::Text } else { found.setting.shape };
        if let Some(text) = as_text(shape, value) {
            self.layer.put(found, Secret::new(text), origin);
        } else {
            let problem = format!("has the wrong type ({})", value.type_str());
            self.layer.fault(name, Some(origin), problem, shape.expected().into());
        }
    }
}

/// The value as it would be written in an environment variable; `None` if the type is wrong.
fn as_text(shape: Shape, value: &DeValue<'_>) -> Option<String> {
    match (shape, value) {
        (Shape::Text | Shape::Toggle | Shape::List, DeValue::String(text)) => Some(text.to_string()),
        (Shape::Number, DeValue::Integer(number)) if number.radix() == 10 => Some(number.as_str().to_owned()),
        (Shape::Toggle, DeValue::Boolean(on)) => Some(on.to_string()),
        (Shape::List, DeValue::Array(items)) => {
            let items = items.iter().map(|item| item.get_ref().as_str()).collect::<Option<Vec<_>>>()?;
            Some(items.join(","))
        }
        _ => None,
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
