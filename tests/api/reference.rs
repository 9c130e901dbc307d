//! The OpenAPI document in both its forms, its examples, and the pages about errors.

use std::{collections::BTreeSet, sync::Arc};

use reqwest::Method;
use serde_json::{Map, Value, json};
use sitewatch_tests::world::{Backend, World};

/// The id that examples have.
const SOME_ID: &str = "01890000-0000-7000-8000-000000000000";

async fn document(world: &World, path: &str) -> Value {
    world.anonymous().get(path).await.expect(200).json()
}

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            found.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    found
}

/// The schema that a reference names, or that is named beside null.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let choices = schema["oneOf"].as_array().into_iter().flatten();
    let reference = choices.chain([schema]).find_map(|choice| choice["$ref"].as_str());
    reference.map_or(schema, |reference| {
        document
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("{reference} is nowhere"))
    })
}

/// The example of the body of an operation.
fn example(document: &Value, name: &str) -> Value {
    let (_, _, operation) = operations(document)
        .into_iter()
        .find(|(_, _, operation)| operation["operationId"] == name)
        .expect(name);
    let content = operation["requestBody"]["content"].as_object().expect("a body").clone();
    resolved(document, &content.values().next().expect("a form")["schema"])["example"].clone()
}

pub async fn every_operation_names_what_it_takes_and_answers(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let document = document(&world, "/openapi.json").await;
    for (method, path, operation) in operations(&document) {
        let place = format!("{method} {path}");
        let answers = operation["responses"].as_object().expect("answers");
        for answer in answers.values() {
            let answer = resolved(&document, answer);
            assert!(answer["description"].as_str().is_some_and(|text| !text.is_empty()), "{place}: {answer}");
        }
        let names = |status: &str| answers.contains_key(status);
        let is_open = operation["security"].as_array().is_some_and(Vec::is_empty);
        if path.starts_with("/api/") {
            assert!(["400", "422", "429", "500", "503"].into_iter().all(names), "{place}");
            assert!(is_open || names("401") && names("403"), "{place}");
            assert!(!path.contains('{') || names("404"), "{place}");
        }
        let Some(body) = operation["requestBody"]["content"].as_object() else { continue };
        assert!(["408", "413", "415"].into_iter().all(names), "{place}");
        for (kind, form) in body {
            if kind == "text/csv" {
                assert!(form["example"].as_str().is_some_and(|table| table.lines().count() > 1), "{place}");
                continue;
            }
            let schema = resolved(&document, &form["schema"]);
            let example = schema["example"].as_object().unwrap_or_else(|| panic!("{place} has no example"));
            let known = schema["properties"].as_object().cloned().unwrap_or_default();
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            // The organization or the site may stand in the path instead.
            let lacking: Vec<&str> = required
                .filter(|name| !example.contains_key(*name) && !path.contains(&format!("{{{name}}}")))
                .collect();
            let strange: Vec<&String> = example.keys().filter(|name| !known.contains_key(*name)).collect();
            assert!(lacking.is_empty() && strange.is_empty(), "{place}: lacks {lacking:?}, has {strange:?}");
        }
    }
    let schemes: BTreeSet<&String> =
        document["components"]["securitySchemes"].as_object().expect("schemes").keys().collect();
    assert_eq!(schemes.into_iter().collect::<Vec<_>>(), ["bearer", "key", "password"]);
}

/// The example of an operation's body, with what it refers to.
fn filled(example: &Value, ids: &[(&str, &str)]) -> Value {
    let mut filled: Map<String, Value> = example.as_object().expect("an object").clone();
    filled.extend(ids.iter().map(|(name, id)| ((*name).to_owned(), json!(id))));
    Value::Object(filled)
}

/// The examples of what makes many objects, as JSON and as CSV.
async fn tables_are_accepted(world: &World, document: &Value, ids: [&str; 3]) {
    let [organization, site, kind] = ids;
    for (name, path, parents) in [
        ("createSitesInBulk", "/api/v1/sites/bulk", [organization, ""]),
        ("createModulesInBulk", "/api/v1/modules/bulk", [site, kind]),
    ] {
        // The first id that a row names is its parent's, the second the module type's.
        let table = &document["paths"][path]["post"]["requestBody"]["content"]["text/csv"]["example"];
        let table = table.as_str().expect("a table").replacen(SOME_ID, parents[0], 1);
        let table = table.replace(SOME_ID, parents[1]);
        let headers = [("content-type", "text/csv")];
        world.root.raw(Method::POST, path, table.into_bytes(), &headers).await.expect(200);
        let rows = example(document, name)
            .to_string()
            .replace(&format!("_type_id\":\"{SOME_ID}"), &format!("_type_id\":\"{}", parents[1]));
        let rows = rows.replace(SOME_ID, parents[0]);
        world.root.post(path, rows.parse().expect("JSON")).await.expect(200);
    }
}

pub async fn the_examples_are_accepted(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let document = document(&world, "/openapi.json").await;
    let of = |name: &str| example(&document, name);
    let post = async |path: &str, body: Value| world.root.post(path, body).await.expect(201).id();
    let user = post("/api/v1/users", of("createUser")).await;
    world.anonymous().post("/api/v1/auth/login", of("login")).await.expect(200);
    world.anonymous().post("/api/v1/auth/password/forgot", of("forgotPassword")).await.expect(202);
    let organization = post("/api/v1/organizations", of("createOrganization")).await;
    let org = [("organization_id", organization.as_str())];
    let below = format!("/api/v1/organizations/{organization}");
    world
        .root
        .post(&format!("{below}/users"), filled(&of("createMember"), &[("user_id", &user)]))
        .await
        .expect(201);
    let metric = post("/api/v1/metrics", filled(&of("createMetric"), &org)).await;
    let mut kind = filled(&of("createModuleType"), &org);
    kind["metrics"] = json!(["power"]);
    let kind = post("/api/v1/module-types", kind).await;
    let site = post(&format!("{below}/sites"), of("createOrganizationSite")).await;
    let other = post("/api/v1/sites", filled(&json!({ "name": "Elsewhere" }), &org)).await;
    let module = filled(&of("createSiteModule"), &[("module_type_id", &kind)]);
    let module = post(&format!("/api/v1/sites/{site}/modules"), module).await;
    tables_are_accepted(&world, &document, [&organization, &site, &kind]).await;
    let assignment = filled(&of("createAssignment"), &[("user_id", &user), ("site_id", &site)]);
    let assignment = post(&format!("{below}/assignments"), assignment).await;
    post(&format!("{below}/invitations"), of("createInvitation")).await;
    post(&format!("{below}/api-keys"), of("createOrganizationApiKey")).await;
    post(&format!("/api/v1/modules/{module}/credentials"), of("createModuleCredential")).await;
    let report = post("/api/v1/reports", filled(&of("createReport"), &org)).await;
    let key = post("/api/v1/auth/me/api-keys", of("createApiKey")).await;
    for (name, path) in [
        ("patchUser", format!("/api/v1/users/{user}")),
        ("patchOrganization", below.clone()),
        ("patchMetric", format!("/api/v1/metrics/{metric}")),
        ("patchModuleType", format!("/api/v1/module-types/{kind}")),
        ("patchSite", format!("/api/v1/sites/{site}")),
        ("patchModule", format!("/api/v1/modules/{module}")),
        ("patchMember", format!("{below}/users/{user}")),
        ("patchAssignment", format!("{below}/assignments/{assignment}")),
        ("patchReport", format!("/api/v1/reports/{report}")),
        ("patchApiKey", format!("/api/v1/auth/me/api-keys/{key}")),
    ] {
        world.root.patch(&path, of(name)).await.expect(200);
    }
    let readings = format!("/api/v1/modules/{module}/readings");
    for (path, body, status) in [
        (readings.as_str(), of("createReadings"), 200),
        ("/api/v1/ingest/readings", of("ingestReadings"), 200),
        (&format!("/api/v1/modules/{module}/heartbeat"), of("sendHeartbeat"), 200),
        (&format!("/api/v1/modules/{module}/move"), filled(&of("moveModule"), &[("site_id", &other)]), 200),
        (&format!("/api/v1/reports/{report}/run"), of("runReport"), 202),
    ] {
        world.root.post(path, body).await.expect(status);
    }
    let mut question = of("queryTelemetry");
    question["modules"] = json!([module]);
    question["metrics"] = json!(["power"]);
    world.root.post("/api/v1/telemetry/query", question).await.expect(200);
    let form = of("createToken");
    let fields = form.as_object().expect("an object").iter();
    let form: Vec<String> = fields
        .map(|(name, value)| {
            format!("{name}={}", value.as_str().expect("text").replace(' ', "+").replace('@', "%40"))
        })
        .collect();
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let body = form.join("&").into_bytes();
    world.anonymous().raw(reqwest::Method::POST, "/api/v1/auth/token", body, &kind).await.expect(200);
}

pub async fn the_older_document_tells_the_same(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (newer, older) =
        (document(&world, "/openapi.json").await, document(&world, "/openapi-3.0.json").await);
    assert_eq!((&newer["openapi"], &older["openapi"]), (&json!("3.1.0"), &json!("3.0.3")));
    let names = |document: &Value| -> Vec<Value> {
        operations(document).into_iter().map(|(_, _, operation)| operation["operationId"].clone()).collect()
    };
    assert_eq!(names(&older), names(&newer));
    // One field that may be null, and one reference with a description beside it.
    let field = &older["components"]["schemas"]["OneLinks"];
    assert!(field.is_object(), "shapes keep their names");
    let text = older.to_string();
    assert!(text.contains("\"nullable\":true") && !text.contains("[\"string\",\"null\"]"));
}

pub async fn every_type_of_error_has_its_page(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let document = document(&world, "/openapi.json").await;
    let kinds = document["components"]["schemas"]["ErrorType"]["enum"].as_array().expect("a list").clone();
    let list = world.anonymous().get("/problems").await.expect(200);
    assert!(list.header("content-type").starts_with("text/html"));
    let mut pages = BTreeSet::new();
    for kind in &kinds {
        let kind = kind.as_str().expect("a word");
        assert!(list.text.contains(&format!("href=\"/problems/{kind}\"")), "{kind} is listed");
        let page = world.anonymous().get(&format!("/problems/{kind}")).await.expect(200);
        assert!(
            page.text.contains(&format!("<code>{kind}</code>")) && page.text.contains("What to do"),
            "{}",
            page.text
        );
        pages.insert(page.text);
    }
    assert_eq!(pages.len(), kinds.len(), "each has words of its own");
    assert!(kinds.len() > 20);
    let nothing = world.anonymous().get("/problems/nothing").await.expect(404);
    assert_eq!(nothing.error_type(), "not_found");
    world.anonymous().get("/pages/nothing.js").await.expect(404);
    world.anonymous().post("/problems", json!({})).await.expect(405);
}
