//! The fields of a body, each judged on its own.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sitewatch_domain::{FieldErrors, ids::Id, text::Secret, time::Instant};

/// One field of a body: absent, null, a value, or something of the wrong type.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Field<T> {
    /// Not in the body.
    #[default]
    Absent,
    /// In the body as `null`.
    Null,
    /// A value.
    Value(T),
    /// Something else; the text says what was expected.
    Invalid(&'static str),
}

/// What a field can hold.
pub trait FieldType: Sized {
    /// What is expected, for the error.
    const EXPECTED: &'static str;

    /// The value, if the JSON is of the right type.
    fn from_json(value: Value) -> Option<Self>;

    /// Stands in for a value that could not be read, so that the other fields can be judged.
    fn placeholder() -> Self;
}

impl<'de, T: FieldType> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::Null => Self::Null,
            value => T::from_json(value).map_or(Self::Invalid(T::EXPECTED), Self::Value),
        })
    }
}

impl<T> Serialize for Field<T> {
    /// Null: utoipa's derive asks for the default of every field as JSON, and that of all of them is to be absent.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}

impl<T: FieldType> Field<T> {
    /// A field that must be there.
    pub fn required(self, name: &str, faults: &mut FieldErrors) -> T {
        match self {
            Self::Value(value) => return value,
            Self::Invalid(expected) => faults.add(name, expected),
            Self::Absent | Self::Null => faults.add(name, "is required"),
        }
        T::placeholder()
    }

    /// A field that may be left out or null.
    pub fn optional(self, name: &str, faults: &mut FieldErrors) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
            Self::Invalid(expected) => {
                faults.add(name, expected);
                None
            }
        }
    }

    /// A change of a field that cannot be empty: `None` leaves it as it is.
    pub fn change(self, name: &str, faults: &mut FieldErrors) -> Option<T> {
        match self {
            Self::Value(value) => return Some(value),
            Self::Absent => {}
            Self::Null => faults.add(name, "must not be null"),
            Self::Invalid(expected) => faults.add(name, expected),
        }
        None
    }

    /// A change of a field that can be emptied: `None` leaves it as it is, `Some(None)` empties it.
    pub fn clearable(self, name: &str, faults: &mut FieldErrors) -> Option<Option<T>> {
        match self {
            Self::Value(value) => Some(Some(value)),
            Self::Null => Some(None),
            Self::Absent => None,
            Self::Invalid(expected) => {
                faults.add(name, expected);
                None
            }
        }
    }
}

impl<T: PartialEq> Field<T> {
    /// A field that the path names already: it may be left out or say the same.
    pub fn agrees_with(&self, name: &str, path: &T, faults: &mut FieldErrors) {
        match self {
            Self::Absent | Self::Null => {}
            Self::Value(value) if value == path => {}
            Self::Value(_) => faults.add(name, "is another one than the path names"),
            Self::Invalid(expected) => faults.add(name, *expected),
        }
    }
}

macro_rules! field_type {
    ($type:ty, $expected:literal, $placeholder:expr, $read:expr) => {
        impl FieldType for $type {
            const EXPECTED: &'static str = $expected;

            fn from_json(value: Value) -> Option<Self> {
                let read: fn(Value) -> Option<Self> = $read;
                read(value)
            }

            fn placeholder() -> Self {
                $placeholder
            }
        }
    };
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// Also one with a fraction of zero: to JSON Schema `60.0` is a whole number, and some languages write all numbers so.
fn whole_number(value: Value) -> Option<i32> {
    if let Some(number) = value.as_i64() {
        return number.try_into().ok();
    }
    let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
    format!("{number:.0}").parse().ok()
}

field_type!(String, "must be a string", Self::new(), text);
field_type!(Secret<String>, "must be a string", Self::new(String::new()), |value| text(value).map(Self::new));
field_type!(bool, "must be true or false", false, |value| value.as_bool());
field_type!(f64, "must be a number", 0.0, |value| value.as_f64());
field_type!(i32, "must be a whole number", 1, whole_number);
field_type!(
    Instant,
    "must be an RFC 3339 time with an offset, like 2026-03-29T12:00:00+02:00",
    Self::YEAR_2000,
    |value| text(value)?.parse().ok()
);
field_type!(Vec<String>, "must be a list of strings", Self::new(), |value| match value {
    Value::Array(items) => items.into_iter().map(text).collect(),
    _ => None,
});

impl<T> FieldType for Id<T> {
    const EXPECTED: &'static str = "must be a uuid";

    fn from_json(value: Value) -> Option<Self> {
        text(value)?.parse().ok()
    }

    fn placeholder() -> Self {
        Self::from_uuid(uuid::Uuid::nil())
    }
}

impl<T> FieldType for Vec<Id<T>> {
    const EXPECTED: &'static str = "must be a list of uuids";

    fn from_json(value: Value) -> Option<Self> {
        match value {
            Value::Array(items) => items.into_iter().map(Id::from_json).collect(),
            _ => None,
        }
    }

    fn placeholder() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_is_whole_however_it_is_written() {
        for (given, expected) in [(json!(60), 60), (json!(60.0), 60), (json!(-0.0), 0), (json!(6e1), 60)] {
            assert_eq!(i32::from_json(given), Some(expected));
        }
        for odd in
            [json!(60.5), json!("60"), json!(3e9), json!(-2_147_483_649_i64), json!(null), json!(1e300)]
        {
            assert_eq!(i32::from_json(odd), None);
        }
    }
}
