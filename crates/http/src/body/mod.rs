//! JSON bodies: read strictly, all faults at once, and only when the use case asks.

mod arrival;
mod field;
mod rows;
mod strict;

use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde_aux::serde_introspection::serde_introspect;
use serde_json::{Map, Value};
use sitewatch_domain::{
    Error, FieldErrors,
    ids::{Id, OrgId},
    input::{Draft, Input},
};

pub(crate) use self::arrival::Arrival;
pub use self::field::{Field, FieldType};
pub use self::rows::{Cell, RowBody, RowOf, Table};
use self::strict::Strict;
pub(crate) use self::strict::syntax;

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

/// A body below a parent that the path names: it may name the parent again, and no other.
pub struct NestedBody<B, F> {
    body: JsonBody<B>,
    agree: F,
}

impl<B: Body> JsonBody<B> {
    /// The body, with a further look at how it agrees with the path.
    pub const fn agreeing<F: FnOnce(&B, &mut FieldErrors)>(self, agree: F) -> NestedBody<B, F> {
        NestedBody { body: self, agree }
    }
}

impl<B: Body + Send, F: FnOnce(&B, &mut FieldErrors) + Send> Input<B::Input> for NestedBody<B, F> {
    fn read(self) -> Result<Draft<B::Input>, Error> {
        let mut parsed = parse::<B>(self.body.bytes.read()?)?;
        (self.agree)(&parsed.body, &mut parsed.faults);
        parsed.read()
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
    let Value::Object(fields) = value else {
        return Err(Error::invalid("body", "must be a JSON object"));
    };
    parsed(fields)
}

/// The fields of a body, with those among its faults that it does not have.
fn parsed<B: Body>(mut fields: Map<String, Value>) -> Result<ParsedBody<B>, Error> {
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

#[cfg(test)]
mod tests {
    use serde::Deserialize;
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
