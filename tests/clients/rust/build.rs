//! Makes the client of the document that `SITEWATCH_DOCUMENT` names.

use std::{env, fs, path::Path};

use serde_json::{Map, Value, json};

fn main() {
    let path = env::var("SITEWATCH_DOCUMENT").expect("the path of an OpenAPI 3.0 document");
    println!("cargo:rerun-if-changed={path}");
    println!("cargo:rerun-if-env-changed=SITEWATCH_DOCUMENT");
    let text = fs::read_to_string(path).expect("a document");
    let mut document: Value = serde_json::from_str(&text).expect("JSON");
    for operation in document["paths"].as_object_mut().expect("paths").values_mut().flat_map(operations) {
        if let Some(content) = operation.pointer_mut("/requestBody/content").and_then(Value::as_object_mut) {
            keep_one(content);
        }
        let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { continue };
        // What has no status of its own could be a success to progenitor.
        responses.retain(|status, response| {
            status.starts_with('2') || (status != "default" && is_the_one_error(response))
        });
        for response in responses.values_mut() {
            if let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) {
                keep_one(content);
            }
        }
    }
    let document = serde_json::from_value(document).expect("OpenAPI 3.0");
    let mut settings = progenitor::GenerationSettings::default();
    settings.with_interface(progenitor::InterfaceStyle::Builder);
    let client = progenitor::Generator::new(&settings).generate_tokens(&document).expect("a client");
    let place = Path::new(&env::var("OUT_DIR").expect("a folder")).join("client.rs");
    fs::write(place, client.to_string()).expect("written");
}

fn operations(item: &mut Value) -> impl Iterator<Item = &mut Value> {
    item.as_object_mut().into_iter().flatten().map(|(_, operation)| operation).filter(|one| one.is_object())
}

/// progenitor knows one type of failure of an operation.
fn is_the_one_error(response: &Value) -> bool {
    let schema = response.pointer("/content/application~1json/schema/$ref");
    response.get("$ref").is_some() || schema.is_some_and(|schema| schema == "#/components/schemas/Error")
}

/// progenitor knows one type of content each, and of JSON's only the plain one.
fn keep_one(content: &mut Map<String, Value>) {
    let is_json = |name: &&String| name.ends_with("json");
    let Some(name) = content.keys().find(is_json).or_else(|| content.keys().next()).cloned() else { return };
    let kept = content.remove(&name).expect("it is there");
    content.clear();
    let (name, kept) = match name.as_str() {
        "application/x-www-form-urlencoded" => (name, kept),
        _ if name.ends_with("json") => ("application/json".to_owned(), kept),
        _ => ("application/octet-stream".to_owned(), json!({ "schema": { "type": "string", "format": "binary" } })),
    };
    content.insert(name, kept);
}
