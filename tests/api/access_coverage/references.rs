//! Ids of other tenants' objects in bodies: unknown, in the very words that are used for ids that nothing has.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};
use sitewatch_domain::access::SCOPES;
use sitewatch_tests::{client::Client, world::Backend};

use super::{
    cast::Who,
    document::{Operation, operations_of, references_in_bodies},
    rows::Rows,
    stage::{RANDOM, Stage},
    table::TABLE,
};

/// An operation's body in which `@` stands for the id in question, and `#` for a number of each call's own.
struct Reference {
    operation: &'static str,
    /// The field as `references_in_bodies` names it; the first of a list holds the id.
    field: &'static str,
    /// Which of B's objects.
    key: &'static str,
    body: Value,
    /// 422 names the field; any other acts on the reference as on one in the path.
    status: u16,
}

pub async fn foreign_ids_in_bodies_are_unknown(backend: Arc<Backend>) {
    let stage = Stage::build(&backend).await;
    let operations = operations_of(&stage.world).await;
    let references = references(&stage);
    let listed: BTreeSet<(String, String)> =
        references.iter().map(|found| (found.operation.to_owned(), found.field.to_owned())).collect();
    assert_eq!(references_in_bodies(&stage.world).await, listed, "each reference of the document is tried");
    let admin = &stage.clients[&Who::Admin];
    let body = json!({ "name": "all", "scopes": SCOPES });
    let made = admin.post("/api/v1/auth/me/api-keys", body).await.expect(201).data();
    let key = admin.with_token(made["secret"].as_str().expect("a secret"));
    let rows = Rows::of(&stage.world).await;
    let (before, rows_before) = (stage.newest_change().await, rows.now().await);
    for reference in &references {
        let operation =
            operations.iter().find(|found| found.name == reference.operation).expect("it is there");
        for client in [admin, &key] {
            is_unknown(&stage, client, operation, reference).await;
        }
    }
    assert_eq!(before, stage.newest_change().await, "a refused call changed something");
    // A row about a module of one's own is kept with the reason why it was not taken.
    let kept = BTreeSet::from(["rejected_readings".to_owned()]);
    assert_eq!(rows.changed_since(&rows_before).await, kept, "a refused call changed something");
}

async fn is_unknown(stage: &Stage, client: &Client, operation: &Operation, reference: &Reference) {
    let row = TABLE.iter().find(|row| row.operation == reference.operation).expect("a row");
    let path = operation.path_to(row, &stage.a);
    let mut answers = Vec::new();
    for id in [&stage.b[reference.key], RANDOM] {
        let body = filled(&reference.body, id, stage.number());
        let answer = client.send(operation.method.clone(), &path, Some(body), &[]).await;
        let place = format!("{} {}", reference.operation, reference.body);
        assert_eq!(answer.status.as_u16(), reference.status, "{place}: {}", answer.text);
        if reference.status == 422 {
            assert_eq!(answer.faults(), [reference.field.replace("[]", "[0]")], "{place}: {}", answer.text);
        }
        answers.push(super::without_request_id(&answer));
    }
    assert_eq!(answers[0], answers[1], "{} {}", reference.operation, reference.body);
}

fn references(stage: &Stage) -> Vec<Reference> {
    [
        of_people(stage),
        of_modules(stage),
        of_rows(stage),
        of_telemetry(stage),
        of_reports(stage),
        of_organizations(stage),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// One that a 422 names.
const fn unknown(operation: &'static str, field: &'static str, key: &'static str, body: Value) -> Reference {
    Reference { operation, field, key, body, status: 422 }
}

fn of_people(stage: &Stage) -> Vec<Reference> {
    let a = &stage.a;
    let assignment =
        |user: &str, spot: &str, id: &str| json!({ "user_id": user, spot: id, "access": "viewer" });
    let invitation = |spot: &str| {
        let to = json!([{ spot: "@", "access": "viewer" }]);
        // Letters to one address are few.
        json!({ "email": "new#@example.org", "role": "member", "assignments": to })
    };
    vec![
        unknown("createMember", "user_id", "user_id", json!({ "user_id": "@", "role": "member" })),
        unknown("createAssignment", "user_id", "user_id", assignment("@", "site_id", &a["site_id"])),
        unknown("createAssignment", "site_id", "site_id", assignment(&a["user_id"], "site_id", "@")),
        unknown("createAssignment", "module_id", "module_id", assignment(&a["user_id"], "module_id", "@")),
        unknown("createInvitation", "assignments[].site_id", "site_id", invitation("site_id")),
        unknown("createInvitation", "assignments[].module_id", "module_id", invitation("module_id")),
    ]
}

fn of_modules(stage: &Stage) -> Vec<Reference> {
    let a = &stage.a;
    let new = |field: &str| {
        let mut body = json!({ "name": "N", "module_type_id": a["module_type_id"] });
        body[field] = json!("@");
        body
    };
    let at_the_site = |field: &str| {
        let mut body = new(field);
        body["site_id"] = json!(a["site_id"]);
        body
    };
    let mut found = vec![
        Reference { status: 404, ..unknown("createModule", "site_id", "site_id", new("site_id")) },
        // The path names the site.
        unknown("createSiteModule", "site_id", "site_id", new("site_id")),
        unknown("moveModule", "site_id", "site_id", json!({ "site_id": "@" })),
    ];
    for (field, key) in [("module_type_id", "module_type_id"), ("parent_module_id", "module_id")] {
        found.push(unknown("createModule", field, key, at_the_site(field)));
        found.push(unknown("createSiteModule", field, key, new(field)));
        for operation in ["updateModule", "patchModule"] {
            found.push(unknown(operation, field, key, json!({ field: "@" })));
        }
    }
    // By its key and by its id.
    for key in ["metric", "metric_id"] {
        let named = json!({ "organization_id": a["organization_id"], "name": "N", "metrics": ["@"] });
        found.push(unknown("createModuleType", "metrics[]", key, named));
        for operation in ["updateModuleType", "patchModuleType"] {
            found.push(unknown(operation, "metrics[]", key, json!({ "metrics": ["@"] })));
        }
    }
    found
}

/// Rows of requests that make many objects.
fn of_rows(stage: &Stage) -> Vec<Reference> {
    let a = &stage.a;
    let module = |field: &str| {
        let mut row = json!({ "site_id": a["site_id"], "name": "N", "module_type_id": a["module_type_id"] });
        row[field] = json!("@");
        json!({ "modules": [row] })
    };
    let operation = "createModulesInBulk";
    let site = json!({ "sites": [{ "organization_id": "@", "name": "N" }] });
    vec![
        unknown(operation, "modules[].site_id", "site_id", module("site_id")),
        unknown(operation, "modules[].module_type_id", "module_type_id", module("module_type_id")),
        unknown(operation, "modules[].parent_module_id", "module_id", module("parent_module_id")),
        Reference {
            status: 403,
            ..unknown("createSitesInBulk", "sites[].organization_id", "organization_id", site)
        },
    ]
}

fn of_telemetry(stage: &Stage) -> Vec<Reference> {
    let a = &stage.a;
    let at = "2026-01-01T00:00:00Z";
    let row = |module: &str, metric: &str| json!({ "readings": [{ "module": module, "metric": metric, "at": at, "value": 1 }] });
    let of_one = json!({ "readings": [{ "metric": "@", "at": at, "value": 1 }] });
    let question = |modules: Value, metrics: Value| json!({ "modules": modules, "metrics": metrics, "from": at, "to": "2026-01-02T00:00:00Z" });
    let (module, metric) = (&a["module_id"], &a["metric"]);
    vec![
        unknown("ingestReadings", "readings[].module", "module_id", row("@", metric)),
        unknown("ingestReadings", "readings[].metric", "metric", row(module, "@")),
        unknown("createReadings", "readings[].metric", "metric", of_one),
        unknown("queryTelemetry", "modules[]", "module_id", question(json!(["@", module]), json!([metric]))),
        unknown("queryTelemetry", "metrics[]", "metric", question(json!([module]), json!(["@", metric]))),
    ]
}

fn of_reports(stage: &Stage) -> Vec<Reference> {
    let mut found = Vec::new();
    for (field, key, value) in [
        ("site_id", "site_id", json!("@")),
        ("module_id", "module_id", json!("@")),
        ("recipients", "user_id", json!(["@"])),
    ] {
        let name = if field == "recipients" { "recipients[]" } else { field };
        let mut new = json!({
            "organization_id": stage.a["organization_id"], "name": "N", "period": "day", "format": "csv",
        });
        for operation in ["updateReport", "patchReport"] {
            found.push(unknown(operation, name, key, json!({ field: value })));
        }
        new[field] = value;
        found.push(unknown("createReport", name, key, new));
    }
    found
}

/// Organizations, in which nobody may do anything who is not told of them.
fn of_organizations(stage: &Stage) -> Vec<Reference> {
    let a = &stage.a;
    let reading =
        json!({ "module": a["module_id"], "metric": a["metric"], "at": "2026-01-01T00:00:00Z", "value": 1 });
    let at = |operation: &'static str, status: u16, mut body: Value| {
        body["organization_id"] = json!("@");
        Reference { status, ..unknown(operation, "organization_id", "organization_id", body) }
    };
    vec![
        at("createSite", 403, json!({ "name": "N" })),
        at("createModuleType", 403, json!({ "name": "N" })),
        at("createMetric", 403, json!({ "key": "new", "name": "N" })),
        at("createReport", 403, json!({ "name": "N", "period": "day", "format": "csv" })),
        at("ingestReadings", 403, json!({ "readings": [reading] })),
        // The path names the organization.
        at("createOrganizationSite", 422, json!({ "name": "N" })),
    ]
}

fn filled(body: &Value, id: &str, number: usize) -> Value {
    let text = body.to_string().replace('#', &number.to_string());
    serde_json::from_str(&text.replace("\"@\"", &json!(id).to_string())).expect("JSON")
}
