//! The audit log: whole for the tenant, and bounded where strangers could fill it.

use std::sync::Arc;

use serde_json::{Value, json};
use sitewatch_tests::{
    client::Client,
    world::{Backend, PASSWORD, SUPERUSER, World},
};

async fn log(client: &Client, path: &str) -> Vec<Value> {
    client.get(path).await.expect(200).data().as_array().expect("a list").clone()
}

/// Resource and id of the entries, in a certain order.
fn named(entries: &[Value]) -> Vec<(String, String)> {
    let text = |entry: &Value, name: &str| entry[name].as_str().expect("a text").to_owned();
    let mut named: Vec<_> =
        entries.iter().map(|entry| (text(entry, "resource"), text(entry, "resource_id"))).collect();
    named.sort();
    named
}

fn expected(ids: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut expected: Vec<_> = ids.iter().map(|(kind, id)| ((*kind).to_owned(), (*id).to_owned())).collect();
    expected.sort();
    expected
}

pub async fn what_goes_with_its_parent_is_told(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (_, admin) = world.member(&org, "ada", "admin").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let (site, other) = (world.site(&org, "S").await, world.site(&org, "O").await);
    let (one, two) = (world.module(&site, &kind, "one").await, world.module(&site, &kind, "two").await);
    let gone = world.module(&site, &kind, "gone").await;
    world.root.delete(&format!("/api/v1/modules/{gone}")).await.expect(200);
    let audit = format!("/api/v1/organizations/{org}/audit");
    let since = async |action: &str, known: usize| {
        let entries = log(&admin, &format!("{audit}?action={action}&limit=1000")).await;
        entries[..entries.len() - known].to_vec()
    };

    let path = format!("/api/v1/sites/{site}");
    for (verb, action, known) in [("delete", "archived", 1), ("restore", "restored", 0)] {
        let answer = match verb {
            "delete" => world.root.delete(&path).await,
            _ => world.root.act(&format!("{path}/restore")).await,
        };
        let request = answer.expect(200).header("x-request-id").to_owned();
        let entries = since(action, known).await;
        assert_eq!(
            named(&entries),
            expected(&[("site", &site), ("module", &one), ("module", &two)]),
            "{action}"
        );
        assert!(entries.iter().all(|entry| entry["request_id"] == request), "{action}");
        let module = entries.iter().find(|entry| entry["resource"] == "module").expect("a module");
        assert_eq!(module["after"], json!({ "along_with": { "resource": "site", "id": site } }));
    }

    let path = format!("/api/v1/organizations/{org}");
    world.root.delete(&path).await.expect(200);
    world.root.act(&format!("{path}/restore")).await.expect(200);
    let all = [
        ("organization", org.as_str()),
        ("site", &site),
        ("site", &other),
        ("module", &one),
        ("module", &two),
    ];
    for (action, known) in [("archived", 4), ("restored", 3)] {
        assert_eq!(named(&since(action, known).await), expected(&all), "{action}");
    }
}

pub async fn assignments_end_with_their_membership(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (user, _) = world.member(&org, "bob", "member").await;
    let (site, other) = (world.site(&org, "S").await, world.site(&org, "O").await);
    let assignments = [
        world.assign(&org, &user, "site_id", &site, "viewer").await,
        world.assign(&org, &user, "site_id", &other, "operator").await,
    ];
    world.root.delete(&format!("/api/v1/organizations/{org}/users/{user}")).await.expect(200);
    let entries = log(&world.root, &format!("/api/v1/organizations/{org}/audit?action=archived")).await;
    let membership = entries.iter().find(|entry| entry["resource"] == "membership").expect("a membership");
    let id = membership["resource_id"].as_str().expect("an id");
    assert_eq!(
        named(&entries),
        expected(&[("membership", id), ("assignment", &assignments[0]), ("assignment", &assignments[1])])
    );
}

pub async fn failed_sign_ins_are_told_and_bounded(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (user, _) = world.user("ada").await;
    let failed = "/api/v1/audit?action=sign_in_failed&limit=1000";
    let try_once = async |email: &str| {
        let body = json!({ "email": email, "password": "wrong" });
        world.anonymous().post("/api/v1/auth/login", body).await.expect(401);
    };
    try_once("ada@example.org").await;
    try_once("my-secret-phrase@nowhere.example").await;
    try_once("my secret phrase").await;
    let entries = log(&world.root, failed).await;
    let nobody = "00000000-0000-0000-0000-000000000000";
    let ids: Vec<&str> = entries.iter().map(|entry| entry["resource_id"].as_str().unwrap()).collect();
    assert_eq!(ids, [nobody, nobody, &user]);
    let shape = |entry: &Value| {
        let mut keys: Vec<String> = entry.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        (
            keys,
            entry["actor"].clone(),
            entry["resource"].clone(),
            entry["before"].clone(),
            entry["after"].clone(),
        )
    };
    assert!(entries.iter().all(|entry| shape(entry) == shape(&entries[0])), "{entries:?}");
    assert_eq!(entries[0]["actor"]["kind"], "anonymous");
    assert!(entries.iter().all(|entry| entry["client"] == "127.0.0.1" && entry["request_id"].is_string()));
    assert!(!world.root.get(failed).await.text.contains("secret"));
    // Of one account so many would not even be looked at.
    for number in 0..30 {
        try_once(&format!("{number}@example.org")).await;
    }
    let kept = log(&world.root, failed).await.len();
    assert!((10..=20).contains(&kept), "at most ten a minute, and the minute may have changed: {kept}");
    let good = json!({ "email": SUPERUSER.0, "password": SUPERUSER.1 });
    world.anonymous().post("/api/v1/auth/login", good).await.expect(200);
}

pub async fn denials_are_told_and_bounded(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (ada, member) = world.member(&org, "ada", "member").await;
    let (_, stranger) = world.user("eve").await;
    let path = format!("/api/v1/organizations/{org}");
    let refused = member.patch(&path, json!({ "name": "Mine" })).await.expect(403);
    stranger.get(&path).await.expect(403);
    member.get("/api/v1/sites/018f0000-0000-7000-8000-000000000000").await.expect(404);
    world.anonymous().get(&path).await.expect(401);
    let own = log(&world.root, &format!("{path}/audit?action=denied")).await;
    assert_eq!(own.len(), 1, "only a member's denial stands in the organization's log: {own:?}");
    assert_eq!((&own[0]["actor"]["id"], &own[0]["actor"]["kind"]), (&json!(ada), &json!("user")));
    assert_eq!(own[0]["request_id"], refused.header("x-request-id"));
    assert_eq!(own[0]["after"]["permission"], "organizations:write");
    assert_eq!(own[0]["after"]["asked"], "PATCH /api/v1/organizations/{organization_id}");
    assert_eq!(log(&world.root, "/api/v1/audit?action=denied").await.len(), 2);
    for _ in 0..30 {
        member.get("/api/v1/users").await.expect(403);
    }
    let kept =
        log(&world.root, &format!("/api/v1/audit?action=denied&actor_id={ada}&limit=1000")).await.len();
    assert!((10..=20).contains(&kept), "at most ten a minute, and the minute may have changed: {kept}");
    let (_, other) = world.member(&org, "bob", "member").await;
    let body = json!({ "email": "x@example.org", "full_name": "X", "password": PASSWORD });
    other.post("/api/v1/users", body).await.expect(403);
    assert_eq!(log(&world.root, "/api/v1/audit?action=denied&limit=1").await[0]["actor"]["kind"], "user");
    assert_eq!(
        log(&world.root, &format!("{path}/audit?action=denied&limit=1")).await[0]["after"]["permission"],
        "users:write"
    );
}
