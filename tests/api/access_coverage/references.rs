//! Ids of other tenants' objects in bodies: unknown, in the very words that are used for ids that nothing has.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use sitewatch_tests::world::Backend;

use super::{
    cast::Who,
    stage::{RANDOM, Stage},
};

/// A body in which `@` stands for the id in question.
struct Reference {
    method: Method,
    path: String,
    body: Value,
    /// Which of B's objects.
    key: &'static str,
    /// The field that is named by a 422; none where the reference acts as one in the path.
    field: Option<&'static str>,
    status: u16,
}

pub async fn foreign_ids_in_bodies_are_unknown(backend: Arc<Backend>) {
    let stage = Stage::build(&backend).await;
    let admin = &stage.clients[&Who::Admin];
    let before = stage.newest_change().await;
    for reference in references(&stage) {
        let mut answers = Vec::new();
        for id in [&stage.b[reference.key], RANDOM] {
            let body = filled(&reference.body, id);
            let answer = admin.send(reference.method.clone(), &reference.path, Some(body), &[]).await;
            let place = format!("{} {} {}", reference.method, reference.path, reference.body);
            assert_eq!(answer.status.as_u16(), reference.status, "{place}: {}", answer.text);
            if let Some(field) = reference.field {
                assert_eq!(answer.faults(), [field], "{place}: {}", answer.text);
            }
            answers.push(super::without_request_id(&answer));
        }
        assert_eq!(answers[0], answers[1], "{} {}", reference.path, reference.body);
    }
    assert_eq!(before, stage.newest_change().await, "a refused call changed something");
}

fn references(stage: &Stage) -> Vec<Reference> {
    let a = &stage.a;
    let organization = format!("/api/v1/organizations/{}", a["organization_id"]);
    let (site, module) =
        (format!("/api/v1/sites/{}", a["site_id"]), format!("/api/v1/modules/{}", a["module_id"]));
    let unknown = |method: Method, path: &str, body: Value, key: &'static str, field: &'static str| {
        Reference { method, path: path.to_owned(), body, key, field: Some(field), status: 422 }
    };
    let new_module = |extra: (&str, &str)| {
        let mut body = json!({ "name": "N", "module_type_id": a["module_type_id"] });
        body[extra.0] = json!(extra.1);
        body
    };
    let assignment =
        |user: &str, spot: &str, id: &str| json!({ "user_id": user, spot: id, "access": "viewer" });
    let row = json!({ "module": "@", "metric": a["metric"], "at": "2026-01-01T00:00:00Z", "value": 1 });
    let question = json!({
        "modules": [a["module_id"], "@"], "metrics": [a["metric"]], "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z",
    });
    let mut references = vec![
        unknown(
            Method::POST,
            &format!("{organization}/users"),
            json!({ "user_id": "@", "role": "member" }),
            "user_id",
            "user_id",
        ),
        unknown(
            Method::POST,
            &format!("{organization}/assignments"),
            assignment("@", "site_id", &a["site_id"]),
            "user_id",
            "user_id",
        ),
        unknown(
            Method::POST,
            &format!("{organization}/assignments"),
            assignment(&a["user_id"], "site_id", "@"),
            "site_id",
            "site_id",
        ),
        unknown(
            Method::POST,
            &format!("{organization}/assignments"),
            assignment(&a["user_id"], "module_id", "@"),
            "module_id",
            "module_id",
        ),
        unknown(
            Method::POST,
            &format!("{site}/modules"),
            new_module(("module_type_id", "@")),
            "module_type_id",
            "module_type_id",
        ),
        unknown(
            Method::POST,
            &format!("{site}/modules"),
            new_module(("parent_module_id", "@")),
            "module_id",
            "parent_module_id",
        ),
        unknown(Method::POST, &format!("{module}/move"), json!({ "site_id": "@" }), "site_id", "site_id"),
        unknown(
            Method::POST,
            "/api/v1/ingest/readings",
            json!({ "readings": [row] }),
            "module_id",
            "readings[0].module",
        ),
        unknown(Method::POST, "/api/v1/telemetry/query", question, "module_id", "modules[1]"),
    ];
    for (field, value, key, fault) in [
        ("site_id", json!("@"), "site_id", "site_id"),
        ("module_id", json!("@"), "module_id", "module_id"),
        ("recipients", json!(["@"]), "user_id", "recipients[0]"),
    ] {
        let mut new =
            json!({ "organization_id": a["organization_id"], "name": "N", "period": "day", "format": "csv" });
        let report = format!("/api/v1/reports/{}", a["report_id"]);
        references.push(unknown(Method::PATCH, &report, json!({ field: value }), key, fault));
        new[field] = value;
        references.push(unknown(Method::POST, "/api/v1/reports", new, key, fault));
    }
    for method in [Method::PUT, Method::PATCH] {
        let (kind, gateway) = (json!({ "module_type_id": "@" }), json!({ "parent_module_id": "@" }));
        references.push(unknown(method.clone(), &module, kind, "module_type_id", "module_type_id"));
        references.push(unknown(method, &module, gateway, "module_id", "parent_module_id"));
    }
    let named = json!({ "organization_id": a["organization_id"], "name": "N", "metrics": ["@"] });
    references.push(unknown(Method::POST, "/api/v1/module-types", named, "metric", "metrics[0]"));
    let kind = format!("/api/v1/module-types/{}", a["module_type_id"]);
    references.push(unknown(Method::PATCH, &kind, json!({ "metrics": ["@"] }), "metric", "metrics[0]"));
    references.push(Reference {
        method: Method::POST,
        path: "/api/v1/modules".to_owned(),
        body: new_module(("site_id", "@")),
        key: "site_id",
        field: None,
        status: 404,
    });
    references
}

fn filled(body: &Value, id: &str) -> Value {
    serde_json::from_str(&body.to_string().replace("\"@\"", &json!(id).to_string())).expect("JSON")
}
