//! What is the same for every resource: where it lies, how lists begin and go on, what changes of an object say of it.

use std::{collections::BTreeSet, sync::Arc};

use reqwest::Method;
use serde_json::{Value, json};
use sitewatch_tests::{
    client::{Answer, Client},
    world::{Backend, World},
};

/// Whoever writes them, and whatever, they are the platform's.
const COLUMNS: [&str; 6] = ["id", "created_at", "created_by", "updated_at", "updated_by", "is_active"];

/// What a client may do with an object or a list beside reading and writing it: the last part of an address below it, for POST alone.
const ACTIONS: [&str; 9] =
    ["restore", "move", "heartbeat", "run", "retry", "cancel", "resend", "rotate", "bulk"];

/// First parts of addresses that name no resource: each is a subject of its own, whose parts are told by docs/api.md.
const SUBJECTS: [&str; 5] = ["auth", "meta", "setup", "ingest", "telemetry"];

/// Single things that an object has, and the log of what became of it.
const PARTS: [&str; 4] = ["latest", "summary", "audit", "download"];

pub async fn resources_have_plural_names_and_actions_stand_below_them(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let document = world.anonymous().get("/openapi.json").await.expect(200).json();
    let (mut strange, mut tags) = (Vec::new(), BTreeSet::new());
    for (path, item) in document["paths"].as_object().expect("paths") {
        let methods: Vec<&str> = item.as_object().expect("an item").keys().map(String::as_str).collect();
        for operation in item.as_object().expect("an item").values() {
            tags.extend(operation["tags"][0].as_str().map(ToOwned::to_owned));
        }
        let Some(below) = path.strip_prefix("/api/v1/") else { continue };
        let parts: Vec<&str> = below.split('/').collect();
        if SUBJECTS.contains(&parts[0]) {
            continue;
        }
        for (place, part) in parts.iter().enumerate() {
            let is_last = place + 1 == parts.len();
            let is_action = is_last && place > 0 && ACTIONS.contains(part) && methods == ["post"];
            let is_id = place > 0 && part.starts_with('{') && !parts[place - 1].starts_with('{');
            let is_part = is_last && PARTS.contains(part) && methods == ["get"];
            let is_plural = part.ends_with('s') && !ACTIONS.contains(part);
            if !(is_action || is_id || is_part || is_plural || *part == "me") {
                strange.push(format!("{methods:?} {path}"));
            }
        }
    }
    assert!(strange.is_empty(), "{strange:?}");
    for group in ["auth", "users", "organizations", "sites", "modules"] {
        assert!(tags.contains(group), "{group} is none of {tags:?}");
    }
    let org = world.organization("A").await;
    let site = world.site(&org, "S").await;
    let (user, _) = world.member(&org, "ada", "admin").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let module = world.module(&site, &kind, "M").await;
    for (path, of_rows, id) in [
        (format!("/api/v1/organizations/{org}/users"), "/user/id", &user),
        (format!("/api/v1/organizations/{org}/sites"), "/id", &site),
        (format!("/api/v1/sites/{site}/modules"), "/id", &module),
        (format!("/api/v1/users/{user}/organizations"), "/id", &org),
    ] {
        let rows = world.root.get(&path).await.expect(200).data();
        let ids: Vec<Option<&Value>> =
            rows.as_array().expect("a list").iter().map(|row| row.pointer(of_rows)).collect();
        assert!(ids.contains(&Some(&json!(id))), "{path} has no {id} at {of_rows}: {rows}");
    }
}

pub async fn lists_begin_with_twenty_and_their_links_lead_to_every_row_once(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    for number in 0..45 {
        world.site(&org, &format!("Site {number:02}")).await;
    }
    let first = world.root.get("/api/v1/sites?q=Site&sort=-name").await.expect(200);
    assert_eq!(first.json()["meta"], json!({ "total": 45, "page": 1, "per_page": 20 }));
    let address = |page: u32| format!("/api/v1/sites?q=Site&sort=-name&page={page}");
    let (mut seen, mut pages) = (BTreeSet::new(), 0);
    let mut answer = first;
    loop {
        pages += 1;
        let rows = answer.data();
        seen.extend(rows.as_array().expect("a list").iter().map(|row| row["id"].to_string()));
        let links = answer.json()["links"].clone();
        let names: BTreeSet<&String> = links.as_object().expect("links").keys().collect();
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["first", "last", "next", "prev", "self"]);
        for (name, leads_to) in [
            ("first", Some(1)),
            ("last", Some(3)),
            ("prev", (pages > 1).then(|| pages - 1)),
            ("next", (pages < 3).then(|| pages + 1)),
        ] {
            let Some(page) = leads_to else {
                assert_eq!(links[name], Value::Null, "{name} of page {pages}");
                continue;
            };
            let link = links[name].as_str().unwrap_or_else(|| panic!("{name} of page {pages}: {links}"));
            let (there, named) = (world.root.get(link).await, world.root.get(&address(page)).await);
            assert_eq!(there.expect(200).data(), named.expect(200).data(), "{name} of page {pages}: {link}");
        }
        match links["next"].as_str() {
            Some(next) => answer = world.root.get(next).await.expect(200),
            None => break,
        }
    }
    assert_eq!((pages, seen.len()), (3, 45));
    for (question, parameter) in [
        ("per_page=101", "per_page"),
        ("per_page=0", "per_page"),
        ("page=0", "page"),
        ("page=abc", "page"),
        ("colour=red", "colour"),
    ] {
        let refused = world.root.get(&format!("/api/v1/sites?{question}")).await.expect(422);
        assert_eq!(refused.faults(), [parameter], "{question}");
        if parameter == "colour" {
            let told = refused.json()["field_errors"][0]["message"].to_string();
            assert!(["page", "per_page", "sort", "q"].iter().all(|known| told.contains(known)), "{told}");
        }
    }
}

/// Makes an object by a body that claims these columns too; its address and how it was answered.
async fn made(client: &Client, path: &str, mut body: Value, claimed: &Value) -> (String, Value) {
    for (name, value) in claimed.as_object().expect("columns") {
        body[name] = value.clone();
    }
    let answer = client.post(path, body).await.expect(201);
    (answer.header("location").to_owned(), answer.data())
}

fn columns(answer: &Answer) -> Value {
    let data = answer.data();
    COLUMNS.iter().map(|name| ((*name).to_owned(), data[name].clone())).collect()
}

pub async fn what_clients_say_of_the_columns_of_a_change_is_not_stored(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let root = &world.root;
    let me = root.get("/api/v1/auth/me").await.expect(200).id();
    let other = world.user("eve").await.0;
    let long_ago = "2001-01-01T00:00:00.000Z";
    let claimed = json!({ "id": other, "created_at": long_ago, "created_by": other, "updated_at": long_ago, "updated_by": other,
        "is_active": false });
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let site = world.site(&org, "S").await;
    let own = |more: Value| {
        let mut body = json!({ "organization_id": org, "name": "N" });
        body.as_object_mut().expect("a body").extend(more.as_object().expect("more").clone());
        body
    };
    for (path, body) in [
        ("/api/v1/organizations".to_owned(), json!({ "name": "B" })),
        ("/api/v1/users".to_owned(), json!({ "email": "new@example.org", "full_name": "N" })),
        ("/api/v1/metrics".to_owned(), own(json!({ "key": "speed", "unit": "m/s" }))),
        ("/api/v1/module-types".to_owned(), own(json!({ "metrics": ["power"] }))),
        ("/api/v1/sites".to_owned(), own(json!({}))),
        (format!("/api/v1/sites/{site}/modules"), json!({ "name": "N", "module_type_id": kind })),
    ] {
        let (address, new) = made(root, &path, body, &claimed).await;
        assert!(new["id"].as_str().is_some_and(|id| id != other && id.as_bytes()[14] == b'7'), "{new}");
        assert_eq!(
            (&new["created_by"], &new["updated_at"], &new["updated_by"], &new["is_active"]),
            (&json!(me), &Value::Null, &Value::Null, &json!(true)),
            "{path}"
        );
        assert!(new["created_at"].as_str().is_some_and(|at| at > "2020"), "{new}");
        for method in [Method::PUT, Method::PATCH] {
            let before = columns(&root.get(&address).await.expect(200));
            let name = if path.ends_with("/users") { "full_name" } else { "name" };
            let mut body = claimed.clone();
            body[name] = json!(format!("by {method}"));
            let answer = root.send(method.clone(), &address, Some(body), &[]).await.expect(200);
            let after = columns(&answer);
            for kept in ["id", "created_at", "created_by", "is_active"] {
                assert_eq!(after[kept], before[kept], "{kept} after {method} {address}");
            }
            assert_eq!(after["updated_by"], json!(me), "{method} {address}");
            let is_later = after["updated_at"].as_str() >= before["created_at"].as_str();
            assert!(is_later && after["updated_at"] != before["updated_at"], "{after} after {before}");
            assert_eq!(answer.data()[name], json!(format!("by {method}")));
        }
    }
}
