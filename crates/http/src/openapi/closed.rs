//! What the derives leave open and is not: which links and meta an answer has, and texts of which there are only some.

use serde_json::Value;
use utoipa::{
    Number,
    openapi::{
        Components, Content, ObjectBuilder, Ref, RefOr, Schema, Type,
        path::Operation,
        schema::{AdditionalProperties, Array, ArrayItems, Object, OneOfBuilder, SchemaType},
    },
};

/// Fields and parameters with few values, by their names.
const CHOICES: &[(&str, &[&str])] = &[
    ("role", &["admin", "member"]),
    ("access", &["operator", "viewer"]),
    ("format", &["csv", "xlsx", "html", "pdf"]),
];
/// The same in bodies alone, where other answers give the name another meaning.
const CHOICES_OF_BODIES: &[(&str, &str, &[&str])] = &[
    ("CreateReportBody", "period", PERIODS),
    ("UpdateReportBody", "period", PERIODS),
    ("CreateMetricBody", "kind", KINDS),
];
/// The same in the query of one operation.
const CHOICES_OF_QUERIES: &[(&str, &str, &[&str])] = &[
    ("listReports", "period", PERIODS),
    ("listMetrics", "kind", KINDS),
    ("listRollups", "interval", INTERVALS),
    ("listSiteRollups", "interval", INTERVALS),
];
const PERIODS: &[&str] = &["day", "week", "month"];
const KINDS: &[&str] = &["gauge", "counter"];
const INTERVALS: &[&str] = &["PT5M", "PT1H", "P1D"];
/// Texts that may be left out and not be empty.
const NOT_EMPTY: &[&str] =
    &["code", "external_id", "address", "description", "serial_number", "firmware", "manufacturer", "model"];

/// What a text of one line is.
const ONE_LINE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";
/// The same with something in it.
const NAME: &str =
    r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$";
/// What a text is that may have line breaks and tabs.
const MANY_LINES: &str = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$";

/// Says in the schemas what there is no more of.
pub fn close(components: &mut Components) {
    for (name, schema) in &mut components.schemas {
        let RefOr::T(Schema::Object(object)) = schema else { continue };
        if name.starts_with("Envelope_") {
            close_envelope(object);
        } else if name.ends_with("Body") || name.ends_with("Row") {
            close_body(name, object);
        }
    }
}

/// The same of the parameters and the body of an operation.
pub fn close_operation(operation: &mut Operation) {
    let name = operation.operation_id.clone().unwrap_or_default();
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        for content in body.content.values_mut() {
            if let RefOr::T(Content { schema: Some(schema), .. }) = content {
                forget_null(schema);
            }
        }
    }
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        let found = choice(&parameter.name, &name, CHOICES_OF_QUERIES);
        if let (Some(values), Some(schema)) = (found, &mut parameter.schema) {
            choose(schema, values);
        }
    }
}

/// A list has the links and the meta of a list, and a single object its own.
fn close_envelope(envelope: &mut Object) {
    let is_list = matches!(envelope.properties.get("data"), Some(RefOr::T(Schema::Array(_))));
    let (links, meta) = if is_list {
        let metas = OneOfBuilder::new()
            .item(Ref::from_schema_name("PageMeta"))
            .item(Ref::from_schema_name("SliceMeta"))
            .build();
        ("ListLinks", Schema::OneOf(metas))
    } else {
        // Always null, which OpenAPI 3.0 has no type of its own for.
        let none = SchemaType::Array(vec![Type::Object, Type::Null]);
        ("OneLinks", Schema::Object(ObjectBuilder::new().schema_type(none).build()))
    };
    envelope.properties.insert("links".to_owned(), Ref::from_schema_name(links).into());
    envelope.properties.insert("meta".to_owned(), meta.into());
    envelope.required.push("meta".to_owned());
}

fn close_body(name: &str, body: &mut Object) {
    // What is not known is refused.
    body.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    for (field, schema) in &mut body.properties {
        if let Some(values) = choice(field, name, CHOICES_OF_BODIES) {
            choose(schema, values);
        }
        if let RefOr::T(Schema::Object(object)) = &mut *schema {
            close_text(field, object);
        }
        match schema {
            RefOr::T(Schema::Object(object)) if NOT_EMPTY.contains(&field.as_str()) => {
                object.min_length = Some(1);
            }
            RefOr::T(Schema::Object(object)) if field == "max_rate" => {
                object.exclusive_minimum = Some(Number::UInt(0));
            }
            RefOr::T(Schema::Array(array)) if field == "tags" => close_tags(array),
            _ => {}
        }
    }
}

/// Which characters a text may have. Those with a form of their own have said so, and those of any length are no texts but names of things.
fn close_text(field: &str, text: &mut Object) {
    if text.max_length.is_none() || text.format.is_some() || text.pattern.is_some() {
        return;
    }
    let pattern = match field {
        "name" | "full_name" => NAME,
        "address" | "description" => MANY_LINES,
        _ => ONE_LINE,
    };
    text.pattern = Some(pattern.to_owned());
}

fn close_tags(tags: &mut Array) {
    tags.max_items = Some(32);
    if let ArrayItems::RefOrSchema(items) = &mut tags.items
        && let RefOr::T(Schema::Object(tag)) = items.as_mut()
    {
        tag.min_length = Some(1);
        tag.max_length = Some(64);
        tag.pattern = Some(NAME.to_owned());
    }
}

/// The values of a field: wherever it is, or in this one place.
fn choice(
    field: &str,
    place: &str,
    of_places: &[(&str, &str, &'static [&'static str])],
) -> Option<&'static [&'static str]> {
    let anywhere = CHOICES.iter().find(|(known, _)| *known == field).map(|(_, values)| *values);
    let here = || of_places.iter().find(|(known, name, _)| *known == place && *name == field);
    anywhere.or_else(|| here().map(|(.., values)| *values))
}

/// A body that may be left out is not null.
fn forget_null(body: &mut RefOr<Schema>) {
    let RefOr::T(Schema::OneOf(choices)) = body else { return };
    let is_null = |choice: &RefOr<Schema>| matches!(choice, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null));
    choices.items.retain(|choice| !is_null(choice));
    if let [only] = choices.items.as_slice() {
        *body = only.clone();
    }
}

fn choose(schema: &mut RefOr<Schema>, values: &[&str]) {
    let RefOr::T(Schema::Object(object)) = schema else { return };
    let may_be_null = matches!(&object.schema_type, SchemaType::Array(types) if types.contains(&Type::Null));
    let values = values.iter().map(|value| Value::from(*value));
    object.enum_values = Some(values.chain(may_be_null.then_some(Value::Null)).collect());
}
