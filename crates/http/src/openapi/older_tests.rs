use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::downgraded;
use crate::openapi::text;

fn of_schema(schema: Value) -> Value {
    let document = json!({ "openapi": "3.1.0", "components": { "schemas": { "S": schema } } });
    downgraded(&document)["components"]["schemas"]["S"].clone()
}

#[test]
fn each_form_of_null_is_marked_beside_the_type() {
    let reference = json!({ "$ref": "#/components/schemas/T" });
    for (newer, older) in [
        (
            json!({ "type": ["string", "null"], "format": "uuid" }),
            json!({ "type": "string", "format": "uuid", "nullable": true }),
        ),
        (
            json!({ "type": ["string", "integer", "null"] }),
            json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }], "nullable": true }),
        ),
        (
            json!({ "type": ["string", "null"], "enum": ["a"] }),
            json!({ "type": "string", "enum": ["a", null], "nullable": true }),
        ),
        (
            json!({ "oneOf": [{ "$ref": "#/components/schemas/T", "description": "d" }, { "type": "null" }] }),
            json!({ "allOf": [reference], "description": "d", "nullable": true }),
        ),
        (
            json!({ "oneOf": [reference, { "type": "null" }] }),
            json!({ "allOf": [reference], "nullable": true }),
        ),
        (
            json!({ "anyOf": [reference, { "type": "string" }, { "type": "null" }] }),
            json!({ "anyOf": [reference, { "type": "string" }], "nullable": true }),
        ),
        (
            json!({ "type": "object", "properties": { "a": { "type": ["array", "null"], "items": { "type": ["number", "null"] } } } }),
            json!({ "type": "object", "properties": { "a": { "type": "array", "nullable": true, "items": { "type": "number", "nullable": true } } } }),
        ),
    ] {
        assert_eq!(of_schema(newer.clone()), older, "{newer}");
    }
}

#[test]
fn other_words_are_said_as_they_were() {
    for (newer, older) in [
        (json!({ "$ref": "#/components/schemas/T" }), json!({ "$ref": "#/components/schemas/T" })),
        (
            json!({ "$ref": "#/components/schemas/T", "description": "d" }),
            json!({ "allOf": [{ "$ref": "#/components/schemas/T" }], "description": "d" }),
        ),
        (json!({ "const": "a" }), json!({ "enum": ["a"] })),
        (json!({ "type": "string", "examples": ["a", "b"] }), json!({ "type": "string", "example": "a" })),
        (
            json!({ "type": "number", "exclusiveMinimum": 0 }),
            json!({ "type": "number", "minimum": 0, "exclusiveMinimum": true }),
        ),
        (
            json!({ "type": "string", "contentMediaType": "application/octet-stream" }),
            json!({ "type": "string", "format": "binary" }),
        ),
        (
            json!({ "type": "string", "contentEncoding": "base64" }),
            json!({ "type": "string", "format": "byte" }),
        ),
    ] {
        assert_eq!(of_schema(newer.clone()), older, "{newer}");
    }
}

#[test]
fn values_and_names_are_left_alone() {
    let schema = json!({
        "type": "object",
        "properties": { "const": { "type": "string" }, "examples": { "type": "string" }, "type": { "type": "string" } },
        "example": { "type": ["string", "null"], "const": 1 },
        "default": { "oneOf": [{ "type": "null" }] },
    });
    assert_eq!(of_schema(schema.clone()), schema);
}

/// Walks everything that is no value; `look` is given the path and the object.
fn walk(path: &str, value: &Value, look: &mut impl FnMut(&str, &serde_json::Map<String, Value>)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(path, item, look)),
        Value::Object(object) => {
            let is_named = path.ends_with("/properties") || path.ends_with("/schemas");
            if !is_named {
                look(path, object);
            }
            for (word, inner) in object {
                let is_value = !is_named && ["example", "default", "enum"].contains(&word.as_str());
                if !is_value {
                    walk(&format!("{path}/{word}"), inner, look);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn the_whole_document_is_in_the_older_dialect() {
    let newer: Value = serde_json::from_str(text()).expect("JSON");
    let older = downgraded(&newer);
    assert_eq!(older["openapi"], "3.0.3");
    assert!(
        older["info"]["license"].get("identifier").is_none() && older["info"]["license"]["name"].is_string()
    );
    let mut faults = Vec::new();
    let mut marked = 0;
    walk("", &older, &mut |path, object| {
        let strange = [
            "const",
            "examples",
            "contentMediaType",
            "contentEncoding",
            "propertyNames",
            "prefixItems",
            "$defs",
            "if",
        ];
        let is_strange = strange.iter().any(|word| object.contains_key(*word));
        let has_types = object.get("type").is_some_and(|kind| kind.is_array() || kind == "null");
        let has_company = object.get("$ref").is_some_and(Value::is_string) && object.len() > 1;
        let has_bound = object.get("exclusiveMinimum").is_some_and(Value::is_number);
        marked += usize::from(object.get("nullable") == Some(&Value::Bool(true)));
        if is_strange || has_types || has_company || has_bound {
            faults.push(path.to_owned());
        }
    });
    assert!(faults.is_empty(), "{faults:?}");
    assert!(marked > 100, "what may be null is marked: {marked}");
}

#[test]
fn both_documents_tell_the_same_operations() {
    let told = |document: &Value| {
        let paths = document["paths"].as_object().expect("paths").clone();
        let mut told = BTreeSet::new();
        for (path, item) in paths {
            for (method, operation) in item.as_object().expect("an item") {
                let statuses: Vec<&String> =
                    operation["responses"].as_object().expect("answers").keys().collect();
                let parameters = operation["parameters"].as_array().map_or(0, Vec::len);
                told.insert(format!(
                    "{method} {path} {} {statuses:?} {parameters}",
                    operation["operationId"]
                ));
            }
        }
        told
    };
    let newer: Value = serde_json::from_str(text()).expect("JSON");
    assert!(told(&newer).len() > 100);
    assert_eq!(told(&downgraded(&newer)), told(&newer));
    let required = |document: &Value| document["components"]["schemas"]["StampView"]["required"].clone();
    assert_eq!(required(&downgraded(&newer)), required(&newer));
}
