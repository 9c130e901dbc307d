//! JSON bodies: read strictly, all faults at once, and only when the use case asks.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned, MapAccess, SeqAccess, Visitor},
};
use serde_aux::serde_introspection::serde_introspect;
use serde_json::{Map, Number, Value};
use sitewatch_domain::{
    Error, FieldErrors,
    ids::{Id, OrgId},
    input::{Draft, Input},
    text::Secret,
    time::Instant,
};

/// The bytes of a body, not yet looked at; or why their form is not read. Like every fault of a body that is told only
/// when its turn has come, after the object was found and the right was checked.
pub struct BodyBytes(Result<Vec<u8>, &'static str>);

impl BodyBytes {
    pub(crate) const fn new(bytes: Vec<u8>) -> Self {
        Self(Ok(bytes))
    }

    /// A body of a form that is not read.
    pub(crate) const fn unsupported(detail: &'static str) -> Self {
        Self(Err(detail))
    }

    /// Whether nothing was sent.
    pub fn is_empty(&self) -> bool {
        self.0.as_ref().is_ok_and(Vec::is_empty)
    }

    /// The bytes.
    ///
    /// # Errors
    /// 415 if their form is not read.
    pub fn read(&self) -> Result<&[u8], Error> {
        self.0.as_deref().map_err(|detail| Error::UnsupportedForm(detail))
    }

    /// The body as an input of a use case, to be read as a `B` when its turn has come.
    pub const fn json<B: Body>(self) -> JsonBody<B> {
        JsonBody { bytes: self, body: PhantomData }
    }

    /// The body as an input that may be empty, which is as good as an object without fields.
    pub fn optional<B: Body>(self) -> JsonBody<B> {
        if self.is_empty() { Self::new(b"{}".to_vec()).json() } else { self.json() }
    }

    /// Reads the body at once, for what has to be known before a use case can be called (`organization_id`).
    ///
    /// # Errors
    /// 415 or 400 if it is not JSON, 422 if it is not an object.
    pub fn parse<B: Body>(self) -> Result<ParsedBody<B>, Error> {
        parse(self.read()?)
    }
}

/// The shape of a body: its fields, each a [`Field`], and how it becomes an input of the domain.
pub trait Body: DeserializeOwned + Default {
    /// What the domain takes.
    type Input;

    /// Fields of the answer that clients send back; they are ignored.
    const READ_ONLY: &'static [&'static str] = &[];

    /// Takes the fields apart, noting what is wrong with their shape.
    fn into_input(self, faults: &mut FieldErrors) -> Self::Input;
}

/// Fields of every resource that clients send back.
const COMMON_READ_ONLY: &[&str] =
    &["id", "created_at", "created_by", "updated_at", "updated_by", "is_active"];

/// A body that is read when the use case asks for it.
pub struct JsonBody<B> {
    bytes: BodyBytes,
    body: PhantomData<fn() -> B>,
}

/// A body whose JSON has been read and whose fields have not been judged.
pub struct ParsedBody<B> {
    /// The fields.
    pub body: B,
    /// Unknown fields.
    pub faults: FieldErrors,
}

impl<B: Body + Send> Input<B::Input> for JsonBody<B> {
    fn read(self) -> Result<Draft<B::Input>, Error> {
        parse::<B>(self.bytes.read()?)?.read()
    }
}

impl<B: Body + Send> Input<B::Input> for ParsedBody<B> {
    fn read(self) -> Result<Draft<B::Input>, Error> {
        let Self { body, mut faults } = self;
        let value = body.into_input(&mut faults);
        Ok(Draft { value, faults })
    }
}

impl<B: Body> ParsedBody<B> {
    /// Takes the owning organization out, which has to be known before the use case can be called.
    ///
    /// # Errors
    /// 422 with all faults of the body's shape if it is missing or no uuid.
    pub fn owner(&mut self, take: impl FnOnce(&mut B) -> Field<OrgId>) -> Result<OrgId, Error> {
        self.parent("organization_id", take)
    }

    /// Takes the parent out, which has to be found before the use case can read the rest.
    ///
    /// # Errors
    /// 422 with all faults of the body's shape if it is missing or no uuid.
    pub fn parent<T>(
        &mut self,
        name: &str,
        take: impl FnOnce(&mut B) -> Field<Id<T>>,
    ) -> Result<Id<T>, Error> {
        match take(&mut self.body) {
            Field::Value(parent) => Ok(parent),
            Field::Absent | Field::Null => Err(self.with_fault(name, "is required")),
            Field::Invalid(expected) => Err(self.with_fault(name, expected)),
        }
    }

    /// Takes the owning organization out, where it may be left out.
    ///
    /// # Errors
    /// 422 with all faults of the body's shape if it is no uuid.
    pub fn optional_owner(
        &mut self,
        take: impl FnOnce(&mut B) -> Field<OrgId>,
    ) -> Result<Option<OrgId>, Error> {
        match take(&mut self.body) {
            Field::Value(org) => Ok(Some(org)),
            Field::Absent | Field::Null => Ok(None),
            Field::Invalid(expected) => Err(self.with_fault("organization_id", expected)),
        }
    }

    fn with_fault(&mut self, field: &str, message: &str) -> Error {
        let mut faults = FieldErrors::one(field, message);
        faults.merge(std::mem::take(&mut self.faults));
        std::mem::take(&mut self.body).into_input(&mut faults);
        Error::Invalid(faults)
    }

    /// The value, if its shape has no fault; for inputs without rules of their own.
    ///
    /// # Errors
    /// 422 with all faults of the body's shape.
    pub fn shape(self) -> Result<B::Input, Error> {
        let Self { body, mut faults } = self;
        let value = body.into_input(&mut faults);
        faults.into_result().map(|()| value)
    }
}

fn parse<B: Body>(bytes: &[u8]) -> Result<ParsedBody<B>, Error> {
    let Strict(value) = serde_json::from_slice(bytes).map_err(|error| Error::Malformed(syntax(&error)))?;
    let Value::Object(mut fields) = value else {
        return Err(Error::invalid("body", "must be a JSON object"));
    };
    let known: &[&str] = serde_introspect::<B>();
    let mut faults = FieldErrors::new();
    fields.retain(|name, _| {
        if known.contains(&name.as_str()) {
            return true;
        }
        if !COMMON_READ_ONLY.contains(&name.as_str()) && !B::READ_ONLY.contains(&name.as_str()) {
            // The name is the client's own text: cut, so that an error cannot be made as long as a body.
            let name: String = name.chars().take(64).collect();
            faults.add(name, format!("is not a known field; known are {}", known.join(", ")));
        }
        false
    });
    // Every field takes any value and remembers what is wrong with it, so that this cannot fail.
    let body = B::deserialize(Value::Object(fields)).map_err(|error| Error::Malformed(error.to_string()))?;
    Ok(ParsedBody { body, faults })
}

/// Where a text stops being JSON. The library's own message would quote what the client sent.
pub(crate) fn syntax(error: &serde_json::Error) -> String {
    let duplicate =
        error.to_string().starts_with(DUPLICATE_KEY) || error.to_string().starts_with("duplicate field");
    let what = if duplicate { "the body holds a key twice" } else { "the body is not valid JSON" };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

const DUPLICATE_KEY: &str = "duplicate key";

/// Any JSON value in which no object holds a key twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let Strict(value) = entries.next_value()?;
            if map.insert(key, value).is_some() {
                return Err(de::Error::custom(DUPLICATE_KEY));
            }
        }
        Ok(Value::Object(map))
    }
}

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

field_type!(String, "must be a string", Self::new(), text);
field_type!(Secret<String>, "must be a string", Self::new(String::new()), |value| text(value).map(Self::new));
field_type!(bool, "must be true or false", false, |value| value.as_bool());
field_type!(f64, "must be a number", 0.0, |value| value.as_f64());
field_type!(i32, "must be a whole number", 1, |value| value
    .as_i64()
    .and_then(|number| number.try_into().ok()));
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
    use sitewatch_domain::sites::NewSite;

    use super::*;

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct SiteBody {
        name: Field<String>,
        latitude: Field<f64>,
        tags: Field<Vec<String>>,
    }

    impl Body for SiteBody {
        type Input = NewSite;

        const READ_ONLY: &'static [&'static str] = &["state"];

        fn into_input(self, faults: &mut FieldErrors) -> NewSite {
            NewSite {
                name: self.name.required("name", faults),
                latitude: self.latitude.optional("latitude", faults),
                tags: self.tags.optional("tags", faults).unwrap_or_default(),
                ..NewSite::default()
            }
        }
    }

    fn read(body: &str) -> Result<NewSite, Error> {
        BodyBytes::new(body.as_bytes().to_vec()).json::<SiteBody>().read()?.checked()
    }

    fn faults(body: &str) -> Vec<String> {
        match read(body) {
            Err(Error::Invalid(faults)) => faults.iter().map(|fault| fault.field.clone()).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn faults_of_shape_and_of_rules_come_together() {
        let body = r#"{"name":7,"latitude":95,"tags":["a",1],"colour":"red"}"#;
        assert_eq!(faults(body), ["colour", "name", "tags", "latitude"]);
        assert_eq!(faults("{}"), ["name"]);
        assert_eq!(faults(r#"{"name":null}"#), ["name"]);
    }

    #[test]
    fn what_a_client_sends_back_is_ignored() {
        let site =
            read(r#"{"name":"S","id":"x","created_at":1,"state":"online","latitude":null}"#).expect("read");
        assert_eq!((site.name.as_str(), site.latitude), ("S", None));
    }

    #[test]
    fn a_body_that_is_not_json_is_malformed_and_not_quoted() {
        for body in
            ["", "secret", r#"{"name":"secret","name":"b"}"#, "{\"name\":\"secret", r#"{"a":{"b":1,"b":2}}"#]
        {
            match read(body) {
                Err(Error::Malformed(detail)) => assert!(!detail.contains("secret"), "{detail}"),
                other => panic!("{body}: {other:?}"),
            }
        }
    }

    #[test]
    fn absent_null_and_value_are_three_things() {
        let clearable = |body: &str| {
            let body: SiteBody = serde_json::from_str(body).expect("JSON");
            body.latitude.clearable("latitude", &mut FieldErrors::new())
        };
        assert_eq!(clearable("{}"), None);
        assert_eq!(clearable(r#"{"latitude":null}"#), Some(None));
        assert_eq!(clearable(r#"{"latitude":1}"#), Some(Some(1.0)));
    }
}
