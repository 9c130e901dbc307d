//! The same document in OpenAPI 3.0, for tools that read nothing newer.
//!
//! 3.0 has its own dialect of JSON Schema: what may be null is marked beside its type, a reference has nothing beside it, and some
//! words do not exist. Nothing else differs.

use serde_json::{Map, Value, json};

/// The version whose dialect this is.
const VERSION: &str = "3.0.3";

/// The document in the older dialect.
pub(super) fn downgraded(document: &Value) -> Value {
    let mut older = document.clone();
    if let Value::Object(root) = &mut older {
        root.insert("openapi".to_owned(), json!(VERSION));
        root.remove("jsonSchemaDialect");
        // The identifier of a licence came with 3.1.
        if let Some(Value::Object(license)) = root.get_mut("info").and_then(|info| info.get_mut("license")) {
            license.remove("identifier");
        }
    }
    convert(&mut older);
    older
}

fn convert(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(convert),
        Value::Object(object) => {
            for (word, inner) in &mut *object {
                convert_below(word, inner);
            }
            convert_type(object);
            convert_choices(object, "oneOf");
            convert_choices(object, "anyOf");
            convert_reference(object);
            convert_words(object);
        }
        _ => {}
    }
}

fn convert_below(word: &str, inner: &mut Value) {
    match (word, inner) {
        // Values, which may look like anything.
        ("example" | "examples" | "default" | "enum" | "const", _) => {}
        // Names of one's own choice, which may look like words of the dialect.
        ("properties" | "schemas", Value::Object(named)) => named.values_mut().for_each(convert),
        (_, inner) => convert(inner),
    }
}

/// `type: [T, null]` is `type: T` and `nullable`.
fn convert_type(object: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = object.get("type") else { return };
    let named: Vec<Value> = types.iter().filter(|kind| *kind != "null").cloned().collect();
    let is_nullable = named.len() < types.len();
    object.remove("type");
    if let [one] = named.as_slice() {
        object.insert("type".to_owned(), one.clone());
    } else if !named.is_empty() {
        let choices = named.into_iter().map(|kind| json!({ "type": kind })).collect();
        object.insert("anyOf".to_owned(), Value::Array(choices));
    }
    if is_nullable {
        permit_null(object);
    }
}

/// A choice between null and others is a choice between the others, and `nullable`.
fn convert_choices(object: &mut Map<String, Value>, word: &str) {
    let Some(Value::Array(choices)) = object.get_mut(word) else { return };
    let before = choices.len();
    choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
    if choices.len() == before {
        return;
    }
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        object.remove(word);
        if only.contains_key("$ref") {
            object.insert("allOf".to_owned(), json!([only]));
        } else {
            for (word, value) in only {
                object.entry(word).or_insert(value);
            }
        }
    }
    permit_null(object);
}

fn permit_null(object: &mut Map<String, Value>) {
    object.insert("nullable".to_owned(), Value::Bool(true));
    if let Some(Value::Array(values)) = object.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

/// What stands beside a reference is not heeded in 3.0, so the reference moves into a list of its own.
fn convert_reference(object: &mut Map<String, Value>) {
    let is_schema = object
        .get("$ref")
        .and_then(Value::as_str)
        .is_some_and(|target| target.starts_with("#/components/schemas/"));
    if !is_schema || object.len() == 1 {
        return;
    }
    if let Some(target) = object.remove("$ref") {
        object.insert("allOf".to_owned(), json!([{ "$ref": target }]));
    }
}

/// Words that 3.0 does not know, in its own.
fn convert_words(object: &mut Map<String, Value>) {
    if let Some(value) = object.remove("const") {
        object.insert("enum".to_owned(), json!([value]));
    }
    // A list of examples is one of a schema; that of a body is an object, and stays.
    if let Some(Value::Array(examples)) = object.get("examples") {
        let first = examples.first().cloned();
        object.remove("examples");
        if let Some(first) = first {
            object.entry("example").or_insert(first);
        }
    }
    for (exclusive, inclusive) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if let Some(bound @ Value::Number(_)) = object.get(exclusive).cloned() {
            object.insert(inclusive.to_owned(), bound);
            object.insert(exclusive.to_owned(), Value::Bool(true));
        }
    }
    let is_binary = object.remove("contentMediaType").is_some();
    match object.remove("contentEncoding") {
        Some(encoding) if encoding == "base64" => {
            object.insert("format".to_owned(), json!("byte"));
        }
        _ if is_binary => {
            object.insert("format".to_owned(), json!("binary"));
        }
        _ => {}
    }
    object.remove("propertyNames");
    object.remove("$schema");
}

#[cfg(test)]
#[path = "older_tests.rs"]
mod tests;
