//! Batches of readings as JSON: decoded in one pass, each row by itself, so that a bad row spoils nobody else's.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use sitewatch_domain::{
    Error, FieldErrors,
    ids::OrgId,
    input::{Draft, Input},
    readings::{MAX_BATCH_ROWS, ReadingBatch, ReadingRow, RowField},
    time::Instant,
};

use crate::body::{BodyBytes, syntax};

/// Makes a type that takes any JSON value: each kind of value gives something of the type.
macro_rules! lenient {
    ($type:ident, $visitor:ident; other: $other:expr, null: $null:expr,
     text: $text:expr, number: $number:expr) => {
        struct $visitor;

        impl<'de> Visitor<'de> for $visitor {
            type Value = $type;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<$type, E> {
                Ok($other)
            }

            #[expect(
                clippy::cast_precision_loss,
                clippy::as_conversions,
                reason = "JSON's numbers are no wider"
            )]
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<$type, E> {
                let make: fn(f64) -> $type = $number;
                Ok(make(value as f64))
            }

            #[expect(
                clippy::cast_precision_loss,
                clippy::as_conversions,
                reason = "JSON's numbers are no wider"
            )]
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<$type, E> {
                let make: fn(f64) -> $type = $number;
                Ok(make(value as f64))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<$type, E> {
                let make: fn(f64) -> $type = $number;
                Ok(make(value))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<$type, E> {
                let make: fn(&str) -> $type = $text;
                Ok(make(value))
            }

            fn visit_unit<E: de::Error>(self) -> Result<$type, E> {
                Ok($null)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<$type, A::Error> {
                while items.next_element::<Skipped>()?.is_some() {}
                Ok($other)
            }

            fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<$type, A::Error> {
                skip_map(entries)?;
                Ok($other)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any($visitor)
            }
        }
    };
}

/// The body of a batch, decoded when the use case asks for it.
pub(crate) struct BatchBody(BodyBytes);

impl BatchBody {
    pub(crate) const fn new(bytes: BodyBytes) -> Self {
        Self(bytes)
    }
}

impl Input<ReadingBatch> for BatchBody {
    fn read(self) -> Result<Draft<ReadingBatch>, Error> {
        decode(self.0.read()?)
    }
}

/// Decodes a batch.
pub(crate) fn decode(bytes: &[u8]) -> Result<Draft<ReadingBatch>, Error> {
    let Batch { batch, faults } =
        serde_json::from_slice(bytes).map_err(|error| Error::Malformed(syntax(&error)))?;
    Ok(Draft { value: batch, faults })
}

/// A batch with the faults of its shape.
struct Batch {
    batch: ReadingBatch,
    faults: FieldErrors,
}

impl<'de> Deserialize<'de> for Batch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BatchVisitor)
    }
}

/// Refuses the values of JSON that are not what is expected, with a value of our own for each kind.
macro_rules! refuse {
    ($value:expr; $($method:ident: $type:ty),* $(,)?) => {
        $(fn $method<E: de::Error>(self, _: $type) -> Result<Self::Value, E> { Ok($value) })*
    };
}

struct BatchVisitor;

fn no_batch(field: &str, message: &str) -> Batch {
    Batch { batch: ReadingBatch::default(), faults: FieldErrors::one(field, message) }
}

impl<'de> Visitor<'de> for BatchVisitor {
    type Value = Batch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a batch of readings")
    }

    refuse! { no_batch("body", "must be a JSON object");
    visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str }

    fn visit_unit<E: de::Error>(self) -> Result<Batch, E> {
        Ok(no_batch("body", "must be a JSON object"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Batch, A::Error> {
        while items.next_element::<Skipped>()?.is_some() {}
        Ok(no_batch("body", "must be a JSON object"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Batch, A::Error> {
        let mut readings: Option<Rows> = None;
        let mut organization: Option<Text> = None;
        let mut faults = FieldErrors::new();
        while let Some(key) = entries.next_key::<String>()? {
            match key.as_str() {
                "readings" if readings.is_some() => return Err(de::Error::custom("duplicate key")),
                "readings" => readings = Some(entries.next_value()?),
                "organization_id" if organization.is_some() => {
                    return Err(de::Error::custom("duplicate key"));
                }
                "organization_id" => organization = Some(entries.next_value()?),
                _ => {
                    entries.next_value::<Skipped>()?;
                    let name: String = key.chars().take(64).collect();
                    faults.add(name, "is not a known field; known are readings, organization_id");
                }
            }
        }
        let readings = match readings {
            Some(Rows::List(rows)) => rows,
            Some(Rows::Other) => {
                faults.add("readings", "must be a list");
                Vec::new()
            }
            None => {
                faults.add("readings", "is required");
                Vec::new()
            }
        };
        let organization_id = organization_of(organization, &mut faults);
        Ok(Batch { batch: ReadingBatch { organization_id, readings }, faults })
    }
}

fn organization_of(given: Option<Text>, faults: &mut FieldErrors) -> Option<OrgId> {
    let parsed = match given {
        None | Some(Text::Null) => return None,
        Some(Text::Is(text)) => text.parse().ok(),
        Some(Text::Other) => None,
    };
    if parsed.is_none() {
        faults.add("organization_id", "must be a uuid");
    }
    parsed
}

/// The list of rows, or something else.
enum Rows {
    List(Vec<ReadingRow>),
    Other,
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RowsVisitor)
    }
}

struct RowsVisitor;

impl<'de> Visitor<'de> for RowsVisitor {
    type Value = Rows;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of readings")
    }

    refuse! { Rows::Other; visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str }

    fn visit_unit<E: de::Error>(self) -> Result<Rows, E> {
        Ok(Rows::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Rows, A::Error> {
        skip_map(entries)?;
        Ok(Rows::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Rows, A::Error> {
        let mut rows = Vec::with_capacity(items.size_hint().unwrap_or(0).min(MAX_BATCH_ROWS));
        while let Some(row) = items.next_element_seed(RowSeed)? {
            // One more than is allowed is enough to be refused; the rest is only checked for being JSON.
            if rows.len() > MAX_BATCH_ROWS {
                while items.next_element::<Skipped>()?.is_some() {}
                break;
            }
            rows.push(row);
        }
        Ok(Rows::List(rows))
    }
}

struct RowSeed;

impl<'de> DeserializeSeed<'de> for RowSeed {
    type Value = ReadingRow;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<ReadingRow, D::Error> {
        deserializer.deserialize_any(RowVisitor)
    }
}

struct RowVisitor;

const MISSING: &str = "missing";

fn empty_row() -> ReadingRow {
    ReadingRow { module: None, metric: Err(MISSING), at: Err(MISSING), value: Err(MISSING), shape: None }
}

fn no_row() -> ReadingRow {
    ReadingRow { shape: Some((RowField::Row, "not_an_object")), ..empty_row() }
}

impl<'de> Visitor<'de> for RowVisitor {
    type Value = ReadingRow;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reading")
    }

    refuse! { no_row(); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str }

    fn visit_unit<E: de::Error>(self) -> Result<ReadingRow, E> {
        Ok(no_row())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<ReadingRow, A::Error> {
        while items.next_element::<Skipped>()?.is_some() {}
        Ok(no_row())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<ReadingRow, A::Error> {
        let mut row = empty_row();
        let mut seen = [false; 4];
        while let Some(key) = entries.next_key::<RowKey>()? {
            let place = match key {
                RowKey::Module => 0,
                RowKey::Metric => 1,
                RowKey::At => 2,
                RowKey::Value => 3,
                RowKey::Other(_) => 4,
            };
            if let Some(slot) = seen.get_mut(place)
                && std::mem::replace(slot, true)
            {
                return Err(de::Error::custom("duplicate key"));
            }
            match key {
                RowKey::Module => row.module = Some(entries.next_value::<Text>()?.required()),
                RowKey::Metric => row.metric = entries.next_value::<Text>()?.required(),
                RowKey::At => row.at = entries.next_value::<Moment>()?.0,
                RowKey::Value => row.value = entries.next_value::<Quantity>()?.0,
                RowKey::Other(name) => {
                    entries.next_value::<Skipped>()?;
                    row.shape = Some((RowField::Unknown(name), "unknown_field"));
                }
            }
        }
        Ok(row)
    }
}

/// The fields of a row.
enum RowKey {
    Module,
    Metric,
    At,
    Value,
    Other(String),
}

impl<'de> Deserialize<'de> for RowKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl Visitor<'_> for KeyVisitor {
            type Value = RowKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<RowKey, E> {
                Ok(match name {
                    "module" => RowKey::Module,
                    "metric" => RowKey::Metric,
                    "at" => RowKey::At,
                    "value" => RowKey::Value,
                    // The client's own text: cut, so that an error cannot be made as long as a body.
                    other => RowKey::Other(other.chars().take(64).collect()),
                })
            }
        }

        deserializer.deserialize_str(KeyVisitor)
    }
}

/// Any value, thrown away. Not serde's own `IgnoredAny`, for which the parser does not count how deep values are nested.
struct Skipped;

lenient! { Skipped, SkippedVisitor; other: Skipped, null: Skipped, text: |_| Skipped, number: |_| Skipped }

fn skip_map<'de, A: MapAccess<'de>>(mut entries: A) -> Result<(), A::Error> {
    while entries.next_entry::<Skipped, Skipped>()?.is_some() {}
    Ok(())
}

/// A text, null, or something else.
enum Text {
    Is(String),
    Null,
    Other,
}

impl Text {
    fn required(self) -> Result<String, &'static str> {
        match self {
            Self::Is(text) => Ok(text),
            Self::Null => Err(MISSING),
            Self::Other => Err("not_a_string"),
        }
    }
}

lenient! { Text, TextVisitor; other: Text::Other, null: Text::Null,
text: |text| Text::Is(text.to_owned()), number: |_| Text::Other }

/// A moment, or why it is none.
struct Moment(Result<Instant, &'static str>);

lenient! { Moment, MomentVisitor; other: Moment(Err("not_a_time")), null: Moment(Err(MISSING)),
text: |text| Moment(text.parse().map_err(|_| "not_a_time")), number: |_| Moment(Err("not_a_time")) }

/// A number, or why it is none.
struct Quantity(Result<f64, &'static str>);

lenient! { Quantity, QuantityVisitor; other: Quantity(Err("not_a_number")), null: Quantity(Err(MISSING)),
text: |_| Quantity(Err("not_a_number")), number: |value| Quantity(Ok(value)) }

#[cfg(test)]
#[path = "ingest_rows_tests.rs"]
mod tests;
