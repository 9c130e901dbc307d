//! Modules by their names: serial numbers and external ids in batches.

use std::sync::Arc;

use serde_json::{Value, json};
use sitewatch_tests::{
    client::Client,
    world::{Backend, World},
};

async fn module(client: &Client, site: &str, kind: &str, names: Value) -> String {
    let mut body = json!({ "module_type_id": kind });
    body.as_object_mut().expect("an object").extend(names.as_object().expect("names").clone());
    client.post(&format!("/api/v1/sites/{site}/modules"), body).await.expect(201).id()
}

async fn send(client: &Client, module: &str, minute: u32, organization: Option<&str>) -> (u16, Value) {
    let row = json!({ "module": module, "metric": "power", "at": format!("2026-01-01T00:{minute:02}:00Z"), "value": minute });
    let body = json!({ "organization_id": organization, "readings": [row] });
    let answer = client.post("/api/v1/ingest/readings", body).await;
    (answer.status.as_u16(), answer.json())
}

async fn count(client: &Client, module: &str) -> usize {
    let readings = client.get(&format!("/api/v1/modules/{module}/readings")).await.expect(200);
    readings.data().as_array().expect("a list").len()
}

pub async fn modules_are_found_by_external_id_and_never_guessed(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (a, b) = (world.organization("A").await, world.organization("B").await);
    let root = &world.root;
    let (kind_a, kind_b) =
        (world.module_type(&a, "T", &["power"]).await, world.module_type(&b, "T", &["power"]).await);
    let (site_a, site_b) = (world.site(&a, "S").await, world.site(&b, "S").await);
    let names = |name: &str, serial: &str, external: &str| json!({ "name": name, "serial_number": serial, "external_id": external });
    let one = module(root, &site_a, &kind_a, names("one", "SN-1", "ext-1")).await;
    let other = module(root, &site_b, &kind_b, names("other", "SN-1", "ext-2")).await;
    // Its external id is the serial number of another one, which comes first.
    let shadowed = module(root, &site_a, &kind_a, names("shadowed", "SN-3", "SN-4")).await;
    let shadowing = module(root, &site_a, &kind_a, names("shadowing", "SN-4", "ext-4")).await;

    assert_eq!(send(root, "ext-1", 1, None).await.1["data"]["accepted"], 1);
    assert_eq!((count(root, &one).await, count(root, &other).await), (1, 0));
    assert_eq!(send(root, "SN-4", 2, None).await.1["data"]["accepted"], 1);
    assert_eq!((count(root, &shadowed).await, count(root, &shadowing).await), (0, 1));
    assert_eq!(send(root, &one.to_uppercase(), 3, None).await.1["data"]["accepted"], 1, "an id in capitals");

    let (status, refused) = send(root, "SN-1", 4, None).await;
    assert_eq!(status, 422);
    let fault = &refused["field_errors"][0];
    assert_eq!(
        (&fault["field"], &fault["message"]),
        (&json!("readings[0].module"), &json!("ambiguous_module"))
    );
    assert_eq!(send(root, "SN-1", 5, Some(&b)).await.1["data"]["accepted"], 1, "one of B's own");
    assert_eq!((count(root, &one).await, count(root, &other).await), (2, 1));
    let rows = json!([
        { "module": "SN-1", "metric": "power", "at": "2026-01-01T00:06:00Z", "value": 1 },
        { "module": "ext-2", "metric": "power", "at": "2026-01-01T00:06:00Z", "value": 1 },
    ]);
    let mixed = root.post("/api/v1/ingest/readings", json!({ "readings": rows })).await.expect(200).data();
    assert_eq!(mixed["accepted"], 1);
    assert_eq!(mixed["rejects"], json!([{ "index": 0, "field": "module", "reason": "ambiguous_module" }]));
    let (_, admin) = world.member(&a, "ada", "admin").await;
    assert_eq!(send(&admin, "SN-1", 7, None).await.1["data"]["accepted"], 1, "within A's reach there is one");
    assert_eq!(send(&admin, "ext-2", 8, None).await.1["field_errors"][0]["message"], "unknown_module");
}
