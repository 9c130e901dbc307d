//! The operations of the OpenAPI document, and what holds for all of its GETs.

use std::{collections::BTreeSet, sync::Arc};

use reqwest::Method;
use serde_json::{Value, json};
use sitewatch_tests::world::{Backend, World};

use super::{
    cast::Who,
    stage::{Objects, Stage},
    table::{Place, Row, TABLE},
    without_request_id,
};

/// An operation of the document.
pub struct Operation {
    pub name: String,
    pub method: Method,
    pub path: String,
    pub has_body: bool,
    /// The names of its query parameters.
    pub parameters: BTreeSet<String>,
    /// Those of them without which it is not answered.
    pub required: BTreeSet<String>,
}

/// A value of a parameter that has to be given.
fn value_of(parameter: &str) -> &'static str {
    match parameter {
        "interval" => "PT1H",
        "from" => "2026-01-01T00:00:00Z",
        "to" => "2026-01-02T00:00:00Z",
        other => panic!("a value for {other}"),
    }
}

impl Operation {
    /// Its address for these objects; lists in one page.
    pub fn path_to(&self, row: &Row, objects: &Objects) -> String {
        let mut path = self.path.clone();
        for (name, id) in objects {
            path = path.replace(&format!("{{{name}}}"), id);
        }
        if let Some(key) = row.place.key().filter(|key| key.ends_with("_credential_id")) {
            path = path.replace("{credential_id}", &objects[key]);
        }
        let mut query = Vec::new();
        if row.place == Place::OrganizationInQuery {
            query.push(format!("organization_id={}", objects["organization_id"]));
        }
        if self.parameters.contains("per_page") {
            query.push("per_page=100".to_owned());
        }
        query.extend(self.required.iter().map(|name| format!("{name}={}", value_of(name))));
        if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
    }
}

pub async fn operations_of(world: &World) -> Vec<Operation> {
    let document = world.anonymous().get("/openapi.json").await.expect(200).json();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let in_query: Vec<_> = parameters.filter(|parameter| parameter["in"] == "query").collect();
            let required = in_query.iter().filter(|parameter| parameter["required"] == true);
            let name_of = |parameter: &&serde_json::Value| parameter["name"].as_str().unwrap().to_owned();
            operations.push(Operation {
                name: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                has_body: operation.get("requestBody").is_some(),
                required: required.map(name_of).collect(),
                parameters: in_query.iter().map(name_of).collect(),
            });
        }
    }
    operations
}

/// What a body may name by a word of its own instead of an id.
const NAMED: &[&str] = &["metric", "metrics[]", "module"];

/// The fields of bodies that refer to something, each with its operation: `readings[].module` of `ingestReadings`.
pub async fn references_in_bodies(world: &World) -> BTreeSet<(String, String)> {
    let document = world.anonymous().get("/openapi.json").await.expect(200).json();
    let mut found = BTreeSet::new();
    let items = document["paths"].as_object().unwrap().values();
    for operation in items.flat_map(|item| item.as_object().unwrap().values()) {
        let name = operation["operationId"].as_str().unwrap();
        for content in
            operation["requestBody"]["content"].as_object().into_iter().flat_map(|all| all.values())
        {
            let mut fields = BTreeSet::new();
            find_references(&document, &content["schema"], "", &mut fields);
            found.extend(fields.into_iter().map(|field| (name.to_owned(), field)));
        }
    }
    found
}

fn find_references(document: &Value, schema: &Value, field: &str, found: &mut BTreeSet<String>) {
    let schema = schema["$ref"].as_str().map_or(schema, |place| {
        document
            .pointer(place.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("{place} is in the document"))
    });
    for parts in ["allOf", "anyOf", "oneOf"] {
        for part in schema[parts].as_array().into_iter().flatten() {
            find_references(document, part, field, found);
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let below = if field.is_empty() { name.clone() } else { format!("{field}.{name}") };
        find_references(document, property, &below, found);
    }
    for (of, sign) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[of].is_object() {
            find_references(document, &schema[of], &format!("{field}{sign}"), found);
        }
    }
    let is_text = schema["type"] == "string"
        || schema["type"].as_array().is_some_and(|all| all.contains(&json!("string")));
    let is_named = NAMED.contains(&field.rsplit('.').next().unwrap_or_default());
    if schema["format"] == "uuid" || (is_text && is_named) {
        found.insert(field.to_owned());
    }
}

/// HEAD for each GET of the document: the same status and headers, and no body. So for what is there and for what is not.
pub async fn heads_answer_as_gets(backend: Arc<Backend>) {
    let stage = Stage::build(&backend).await;
    let mut gets = 0;
    for operation in operations_of(&stage.world).await.iter().filter(|found| found.method == Method::GET) {
        let nameless =
            Row { operation: "", place: Place::Nowhere, least: super::cast::Role::Nobody, success: 200 };
        let row = TABLE.iter().find(|row| row.operation == operation.name).unwrap_or(&nameless);
        for target in row.place.targets() {
            for who in [Who::Superuser, Who::Outsider, Who::Anonymous] {
                let client = &stage.clients[&who];
                let path = operation.path_to(row, &stage.objects(row, *target));
                let get = client.get(&path).await;
                let head = client.send(Method::HEAD, &path, None, &[]).await;
                let place = format!("HEAD {path} as {who:?}");
                assert_eq!(head.status, get.status, "{place}");
                assert_eq!(without_request_id(&head).1, without_request_id(&get).1, "{place}");
                assert_eq!(head.text, "", "{place}");
                gets += 1;
            }
        }
    }
    assert!(gets > 200, "{gets} GETs");
}
