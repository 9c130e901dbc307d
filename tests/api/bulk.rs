//! Many sites or modules at once.

use std::{fmt::Write as _, sync::Arc};

use reqwest::Method;
use serde_json::{Value, json};
use sitewatch_tests::{
    client::{Answer, Client},
    world::{Backend, World},
};

const SITES: &str = "/api/v1/sites/bulk";
const MODULES: &str = "/api/v1/modules/bulk";

async fn csv(client: &Client, path: &str, text: &str) -> Answer {
    let headers = [("content-type", "text/csv; charset=utf-8")];
    client.raw(Method::POST, path, text.as_bytes().to_vec(), &headers).await
}

/// How many there are, of whatever the list is about.
async fn total(client: &Client, list: &str) -> u64 {
    client.get(list).await.expect(200).json()["meta"]["total"].as_u64().expect("a number")
}

fn counts(answer: &Answer) -> (u64, u64) {
    let count = |name: &str| answer.data()[name].as_u64().expect("a number");
    (count("accepted"), count("rejected"))
}

pub async fn a_thousand_are_made_at_once(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (a, b) = (world.organization("A").await, world.organization("B").await);
    let kind = world.module_type(&a, "T", &["power"]).await;
    let row = |number: u32| json!({ "organization_id": if number < 990 { &a } else { &b }, "name": format!("Site {number}"), "tags": ["x"] });
    let sites: Vec<Value> = (0..1_000).map(row).collect();
    let made = world.root.post(SITES, json!({ "sites": sites })).await.expect(200);
    assert_eq!(counts(&made), (1_000, 0));
    assert_eq!(made.json()["links"]["self"], SITES);
    let items = made.data()["items"].as_array().expect("a list").clone();
    assert!(items.iter().enumerate().all(|(index, item)| item["index"] == index));
    assert_eq!(total(&world.root, &format!("/api/v1/sites?organization_id={b}")).await, 10);
    let last = items[999]["id"].as_str().expect("an id");
    let site = world.root.get(&format!("/api/v1/sites/{last}")).await.expect(200).data();
    assert_eq!(
        (&site["name"], &site["timezone"], &site["tags"]),
        (&json!("Site 999"), &json!("UTC"), &json!(["x"]))
    );
    assert!(site["created_by"].is_string());

    let site = items[0]["id"].as_str().expect("an id");
    let mut table = "name,serial_number,module_type_id,site_id,expected_interval_s,is_enabled\n".to_owned();
    for number in 0..1_000 {
        writeln!(table, "\"Module, {number}\",SN-{number},{kind},{site},60,false").expect("text");
    }
    let made = csv(&world.root, MODULES, &table).await.expect(200);
    assert_eq!(counts(&made), (1_000, 0));
    let found = world.root.get("/api/v1/modules?serial_number=SN-7").await.expect(200).data();
    let expected =
        json!({ "name": "Module, 7", "expected_interval_s": 60, "is_enabled": false, "state": "disabled" });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&found[0][name], value, "{name}");
    }
    // Each is in the log of its own organization.
    for (org, resource, expected) in [(&a, "site", 990), (&a, "module", 1_000), (&b, "site", 10)] {
        let log = format!("/api/v1/organizations/{org}/audit?resource={resource}&action=created&limit=1000");
        assert_eq!(world.root.get(&log).await.expect(200).data().as_array().expect("a list").len(), expected);
    }
}

pub async fn all_are_made_or_none_unless_it_is_asked_for(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (_, admin) = world.member(&org, "ada", "admin").await;
    world.site(&org, "Taken").await;
    let rows = json!({ "sites": [
        { "organization_id": org, "name": "Taken" },
        { "organization_id": org, "name": "New", "external_id": "E" },
        { "organization_id": org, "name": "New", "latitude": 1 },
        { "organization_id": org, "name": "", "latitude": 95, "colour": "red" },
        { "name": "Nowhere" },
        { "organization_id": org, "name": "Other", "external_id": "E" },
        { "organization_id": org, "name": "Other" },
    ] });
    let faults = [
        "sites[0].name",
        "sites[2].name",
        "sites[3].colour",
        "sites[3].latitude",
        "sites[3].name",
        "sites[4].organization_id",
        "sites[5].external_id",
    ];
    for path in [SITES.to_owned(), format!("{SITES}?dry_run=true"), format!("{SITES}?atomic=true")] {
        let refused = admin.post(&path, rows.clone()).await.expect(422);
        let mut told = refused.faults();
        told.sort();
        assert_eq!(told, faults, "{path}");
    }
    assert_eq!(total(&admin, "/api/v1/sites").await, 1);
    for (query, left) in [("atomic=false&dry_run=true", 1), ("atomic=false", 3)] {
        let verdict = admin.post(&format!("{SITES}?{query}"), rows.clone()).await.expect(200);
        assert_eq!(counts(&verdict), (2, 5), "{}", verdict.text);
        let rejects = verdict.data()["rejects"].as_array().expect("a list").clone();
        let told = rejects.iter().map(|reject| {
            format!("sites[{}].{}", reject["index"], reject["field"].as_str().expect("a name"))
        });
        let mut told: Vec<String> = told.collect();
        told.sort();
        assert_eq!(told, faults, "{query}");
        let indices = verdict.data()["items"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|item| item["index"].clone())
            .collect::<Vec<_>>();
        assert_eq!(indices, if left == 3 { vec![json!(1), json!(6)] } else { Vec::new() }, "{query}");
        assert_eq!(total(&admin, "/api/v1/sites").await, left, "{query}");
    }
    // Nothing good is left of it.
    admin.post(&format!("{SITES}?atomic=false"), rows).await.expect(422);
}

pub async fn modules_stand_where_their_maker_may_make_them(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (a, b) = (world.organization("A").await, world.organization("B").await);
    let (kind, foreign_kind) = (world.module_type(&a, "T", &[]).await, world.module_type(&b, "T", &[]).await);
    let (site, second) = (world.site(&a, "S").await, world.site(&a, "S2").await);
    let foreign = world.site(&b, "S").await;
    let gateway = world.module(&site, &kind, "Gateway").await;
    let (ada, admin) = world.member(&a, "ada", "admin").await;
    let (bob, operator) = world.member(&a, "bob", "member").await;
    world.assign(&a, &bob, "site_id", &site, "operator").await;
    let row = |name: &str, extra: Value| {
        let mut row = json!({ "site_id": site, "name": name, "module_type_id": kind });
        for (field, value) in extra.as_object().expect("an object") {
            row[field] = value.clone();
        }
        row
    };
    let rows = json!({ "modules": [
        row("M", json!({ "parent_module_id": gateway })),
        row("N", json!({ "site_id": second, "parent_module_id": gateway })),
        row("O", json!({ "site_id": foreign })),
        row("P", json!({ "module_type_id": foreign_kind })),
        row("Gateway", json!({})),
        row("Gateway", json!({ "site_id": second })),
        row("Q", json!({ "serial_number": "Gateway" })),
    ] });
    let verdict = admin.post(&format!("{MODULES}?atomic=false"), rows).await.expect(200);
    assert_eq!(counts(&verdict), (2, 5), "{}", verdict.text);
    let rejects = verdict.data()["rejects"].as_array().expect("a list").clone();
    let told: Vec<(u64, &str)> = rejects
        .iter()
        .map(|reject| {
            (reject["index"].as_u64().expect("a number"), reject["field"].as_str().expect("a name"))
        })
        .collect();
    let expected =
        [(1, "parent_module_id"), (2, "site_id"), (3, "module_type_id"), (4, "name"), (6, "serial_number")];
    assert_eq!(told, expected);
    let made = verdict.data()["items"][0]["id"].as_str().expect("an id").to_owned();
    let made = world.root.get(&format!("/api/v1/modules/{made}")).await.expect(200).data();
    assert_eq!((&made["parent_module_id"], &made["created_by"]), (&json!(gateway), &json!(ada)));

    // Whoever sees a place and may not make anything there is told so.
    let one = json!({ "modules": [row("R", json!({}))] });
    operator.post(MODULES, one).await.expect(403);
    let sites =
        json!({ "sites": [{ "organization_id": a, "name": "X" }, { "organization_id": b, "name": "X" }] });
    admin.post(SITES, sites.clone()).await.expect(403);
    assert_eq!(counts(&world.root.post(SITES, sites).await.expect(200)), (2, 0));
}

pub async fn what_is_no_table_is_told(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let row = json!({ "organization_id": org, "name": "S" });
    for (body, fault) in [
        (json!({ "sites": [] }), "sites"),
        (json!({ "sites": {} }), "sites"),
        (json!({ "sites": vec![row.clone(); 1_001] }), "sites"),
        (json!({ "sites": [row, 7] }), "sites[1]"),
        (json!({ "sites": [], "modules": [] }), "modules"),
        (json!([]), "body"),
    ] {
        assert_eq!(world.root.post(SITES, body).await.expect(422).faults(), [fault]);
    }
    for (text, status) in [
        ("", 422),
        ("organization_id,name\n", 422),
        ("organization_id,name,colour\n", 422),
        ("organization_id,name\nx\n", 400),
        ("organization_id,name\nx,\u{0}\n", 422),
    ] {
        csv(&world.root, SITES, text).await.expect(status).error_type();
    }
    let headers = [("content-type", "text/csv")];
    world.root.raw(Method::POST, SITES, b"name\n\xff\n".to_vec(), &headers).await.expect(400);
    let headers = [("content-type", "text/csv"), ("content-encoding", "gzip")];
    world.root.raw(Method::POST, SITES, b"name\nS\n".to_vec(), &headers).await.expect(415);
    world
        .root
        .raw(Method::POST, SITES, b"name\nS\n".to_vec(), &[("content-type", "text/plain")])
        .await
        .expect(415);
    assert_eq!(
        world.root.post(&format!("{SITES}?atomic=1"), json!({})).await.expect(422).faults(),
        ["atomic"]
    );
    world.root.get(SITES).await.expect(405);
    assert_eq!(total(&world.root, "/api/v1/sites").await, 0);
}

/// A file that is sent again is made once, as long as its key is the same.
pub async fn a_table_is_sent_again_under_its_key(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let send = async |path: &str, text: &str| {
        let headers = [("content-type", "text/csv"), ("idempotency-key", "k")];
        world.root.raw(Method::POST, path, text.as_bytes().to_vec(), &headers).await
    };
    let text = format!("organization_id,name,tags\n{org},S,a; b\n{org},T,\n");
    let dry = format!("{SITES}?dry_run=true");
    for _ in 0..2 {
        let judged = send(&dry, &text).await.expect(200);
        assert_eq!(
            (judged.headers.get("idempotent-replayed"), total(&world.root, "/api/v1/sites").await),
            (None, 0)
        );
    }
    let odd = [("content-type", "text/csv"), ("idempotency-key", "")];
    world.root.raw(Method::POST, &dry, text.as_bytes().to_vec(), &odd).await.expect(400);
    let first = send(SITES, &text).await.expect(200);
    let again = send(SITES, &text).await.expect(200);
    assert_eq!((again.header("idempotent-replayed"), &again.text), ("true", &first.text));
    assert_eq!(send(&dry, &text).await.expect(422).error_type(), "validation_error", "judged anew");
    let other = send(SITES, &format!("organization_id,name\n{org},U\n")).await.expect(422);
    assert_eq!(other.error_type(), "idempotency_mismatch");
    assert_eq!(total(&world.root, "/api/v1/sites").await, 2);
}
