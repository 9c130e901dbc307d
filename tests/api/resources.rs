//! Resources: their lives, their rules, who may do what.

use std::sync::Arc;

use serde_json::{Value, json};
use sitewatch_tests::world::{Backend, World};

pub async fn a_site_lives_dies_and_returns(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let body = json!({ "organization_id": org, "name": "S", "latitude": 48.5, "tags": ["a", "b"] });
    let made = world.root.post("/api/v1/sites", body).await.expect(201);
    let path = made.header("location").to_owned();
    assert_eq!(path, format!("/api/v1/sites/{}", made.id()));
    assert_eq!((&made.data()["timezone"], &made.data()["updated_at"]), (&json!("UTC"), &Value::Null));
    let cleared = world.root.patch(&path, json!({ "latitude": null, "code": "x" })).await.expect(200).data();
    assert_eq!(
        (&cleared["latitude"], &cleared["code"], &cleared["tags"]),
        (&Value::Null, &json!("x"), &json!(["a", "b"]))
    );
    assert_eq!(world.root.get("/api/v1/sites?tag=a").await.json()["meta"]["total"], 1);
    assert_eq!(world.root.get("/api/v1/sites?tag=A").await.json()["meta"]["total"], 0);
    assert_eq!(world.root.delete(&path).await.expect(200).data()["is_active"], false);
    world.root.get(&path).await.expect(404);
    world.root.delete(&path).await.expect(404);
    world.root.get(&format!("{path}?include_inactive=true")).await.expect(200);
    assert_eq!(world.root.get("/api/v1/sites").await.json()["meta"]["total"], 0);
    assert_eq!(world.root.get("/api/v1/sites?include_inactive=true").await.json()["meta"]["total"], 1);
    assert_eq!(world.root.act(&format!("{path}/restore")).await.expect(200).data()["is_active"], true);
    world.root.act(&format!("{path}/restore")).await.expect(409);
    world.root.get(&path).await.expect(200);
}

pub async fn archiving_a_site_hides_its_modules_and_stops_their_ingest(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let site = world.site(&org, "S").await;
    let (kept, gone) = (world.module(&site, &kind, "kept").await, world.module(&site, &kind, "gone").await);
    world.root.delete(&format!("/api/v1/modules/{gone}")).await.expect(200);
    world.root.delete(&format!("/api/v1/sites/{site}")).await.expect(200);
    world.root.get(&format!("/api/v1/modules/{kept}")).await.expect(404);
    let rows = json!({ "readings": [{ "metric": "power", "at": "2026-01-01T00:00:00Z", "value": 1 }] });
    world.root.post(&format!("/api/v1/modules/{kept}/readings"), rows).await.expect(404);
    world.root.act(&format!("/api/v1/modules/{kept}/restore")).await.expect(409);
    world.root.act(&format!("/api/v1/sites/{site}/restore")).await.expect(200);
    world.root.get(&format!("/api/v1/modules/{kept}")).await.expect(200);
    world.root.get(&format!("/api/v1/modules/{gone}")).await.expect(404);
    let path = format!("/api/v1/organizations/{org}");
    world.root.delete(&path).await.expect(200);
    world.root.get(&format!("/api/v1/sites/{site}")).await.expect(404);
    world.root.act(&format!("/api/v1/sites/{site}/restore")).await.expect(409);
    world.root.act(&format!("{path}/restore")).await.expect(200);
    world.root.get(&format!("/api/v1/modules/{kept}")).await.expect(200);
    world.root.get(&format!("/api/v1/modules/{gone}")).await.expect(404);
}

pub async fn the_last_admin_and_the_last_superuser_stay(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (ada, admin) = world.member(&org, "ada", "admin").await;
    let path = format!("/api/v1/organizations/{org}/users/{ada}");
    admin.put(&path, json!({ "role": "member" })).await.expect(409);
    admin.delete(&path).await.expect(409);
    let account = format!("/api/v1/users/{ada}");
    world.root.delete(&account).await.expect(409);
    let (bob, _) = world.member(&org, "bob", "admin").await;
    world.root.delete(&format!("/api/v1/users/{bob}")).await.expect(200);
    world.root.delete(&account).await.expect(409);
    world.root.act(&format!("/api/v1/users/{bob}/restore")).await.expect(200);
    admin.put(&path, json!({ "role": "member" })).await.expect(200);
    admin.delete(&path).await.expect(200);
    admin.get(&format!("/api/v1/organizations/{org}")).await.expect(403);
    let root = world.root.get("/api/v1/auth/me").await.id();
    world.root.delete(&format!("/api/v1/users/{root}")).await.expect(409);
    world.root.put(&format!("/api/v1/users/{root}"), json!({ "is_superuser": false })).await.expect(409);
}

pub async fn operators_annotate_and_nothing_more(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let site = world.site(&org, "S").await;
    let module = world.module(&site, &kind, "M").await;
    let path = format!("/api/v1/modules/{module}");
    let (ada, operator) = world.member(&org, "ada", "member").await;
    operator.get(&path).await.expect(404);
    let assignment = world.assign(&org, &ada, "module_id", &module, "viewer").await;
    operator.get(&path).await.expect(200);
    operator.get(&format!("/api/v1/sites/{site}")).await.expect(404);
    operator.patch(&path, json!({ "description": "x" })).await.expect(403);
    let assignment = format!("/api/v1/organizations/{org}/assignments/{assignment}");
    world.root.patch(&assignment, json!({ "access": "operator" })).await.expect(200);
    operator.patch(&path, json!({ "description": "x", "tags": ["t"], "name": "M" })).await.expect(200);
    operator.patch(&path, json!({ "name": "N" })).await.expect(403);
    operator.delete(&path).await.expect(403);
    operator.act(&format!("{path}/heartbeat")).await.expect(403);
    world.root.delete(&assignment).await.expect(200);
    operator.get(&path).await.expect(404);
}

pub async fn includes_embed(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let site = world.site(&org, "S").await;
    let module = world.module(&site, &kind, "M").await;
    let path = format!("/api/v1/sites/{site}");
    assert!(world.root.get(&path).await.expect(200).data().get("modules").is_none());
    let full =
        world.root.get(&format!("{path}?include=modules,organization,summary")).await.expect(200).data();
    assert_eq!((&full["modules"][0]["id"], &full["organization"]["id"]), (&json!(module), &json!(org)));
    assert_eq!(full["summary"]["modules"]["new"], 1);
    world.root.get(&format!("{path}?include=secrets")).await.expect(422);
    let embedded =
        world.root.get(&format!("/api/v1/modules/{module}?include=module_type")).await.expect(200).data();
    assert_eq!(embedded["module_type"]["metrics"], json!(["power"]));
}

pub async fn the_catalogue_is_shared_and_owned(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (a, b) = (world.organization("A").await, world.organization("B").await);
    let (_, admin) = world.member(&a, "ada", "admin").await;
    let (_, other) = world.member(&b, "bob", "admin").await;
    world
        .root
        .post("/api/v1/metrics", json!({ "key": "wind", "name": "Wind", "unit": "m/s" }))
        .await
        .expect(201);
    admin.post("/api/v1/metrics", json!({ "key": "x", "name": "X" })).await.expect(403);
    let own = admin
        .post("/api/v1/metrics", json!({ "organization_id": a, "key": "own", "name": "Own" }))
        .await
        .expect(201)
        .id();
    admin
        .post("/api/v1/metrics", json!({ "organization_id": a, "key": "own", "name": "Own" }))
        .await
        .expect(409);
    admin
        .post("/api/v1/metrics", json!({ "organization_id": b, "key": "own", "name": "Own" }))
        .await
        .expect(403);
    let bounds = json!({ "organization_id": a, "key": "odd", "name": "Odd", "min": 5, "max": 1 });
    admin.post("/api/v1/metrics", bounds).await.expect(422);
    other.get(&format!("/api/v1/metrics/{own}")).await.expect(404);
    let body = json!({ "organization_id": a, "name": "T", "metrics": ["own", "wind"] });
    let kind = admin.post("/api/v1/module-types", body).await.expect(201);
    assert_eq!(kind.data()["metrics"], json!(["own", "wind"]));
    let refused = other
        .post(
            "/api/v1/module-types",
            json!({ "organization_id": b, "name": "T", "metrics": ["wind", "own"] }),
        )
        .await
        .expect(422);
    assert_eq!(refused.faults(), ["metrics[1]"]);
    admin.delete(&format!("/api/v1/metrics/{own}")).await.expect(409);
    let site = world.site(&b, "S").await;
    let foreign = json!({ "name": "M", "module_type_id": kind.id() });
    let refused = other.post(&format!("/api/v1/sites/{site}/modules"), foreign).await.expect(422);
    assert_eq!(refused.faults(), ["module_type_id"]);
}

pub async fn modules_move_and_report(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let (one, two) = (world.site(&org, "One").await, world.site(&org, "Two").await);
    let module = world.module(&one, &kind, "M").await;
    let path = format!("/api/v1/modules/{module}");
    assert_eq!(world.root.get(&path).await.data()["state"], "new");
    let beat = world.root.post(&format!("{path}/heartbeat"), json!({})).await.expect(200).data();
    assert_eq!(beat["state"], "online");
    let summary = world.root.get(&format!("/api/v1/sites/{one}/summary")).await.expect(200).data();
    assert_eq!((&summary["state"], &summary["modules"]["online"]), (&json!("online"), &json!(1)));
    let moved = world.root.post(&format!("{path}/move"), json!({ "site_id": two })).await.expect(200).data();
    assert_eq!(moved["site_id"], two);
    let elsewhere = world.site(&world.organization("B").await, "Three").await;
    let refused = world.root.post(&format!("{path}/move"), json!({ "site_id": elsewhere })).await.expect(422);
    assert_eq!(refused.faults(), ["site_id"]);
    let disabled = world
        .root
        .patch(&path, json!({ "is_enabled": false, "expected_interval_s": 60 }))
        .await
        .expect(200)
        .data();
    assert_eq!(
        (&disabled["state"], &disabled["effective_expected_interval_s"]),
        (&json!("disabled"), &json!(60))
    );
    let refused = world.root.patch(&path, json!({ "parent_module_id": module })).await.expect(422);
    assert_eq!(refused.faults(), ["parent_module_id"]);
    let now = sitewatch_domain::time::Clock::now(&sitewatch_runtime::system::SystemClock).to_string();
    let rows = json!({ "readings": [{ "metric": "power", "at": now, "value": 1 }] });
    world.root.patch(&path, json!({ "is_enabled": true })).await.expect(200);
    world.root.post(&format!("{path}/readings"), rows).await.expect(200);
    assert_eq!(world.root.get(&path).await.data()["state"], "online");
}

pub async fn the_audit_log_tells_who_did_what(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (ada, admin) = world.member(&org, "ada", "admin").await;
    let made =
        admin.post(&format!("/api/v1/organizations/{org}/sites"), json!({ "name": "S" })).await.expect(201);
    let path = format!("/api/v1/sites/{}", made.id());
    admin.put(&path, json!({ "name": "T" })).await.expect(200);
    let log = admin.get(&format!("/api/v1/organizations/{org}/audit?resource=site")).await.expect(200).data();
    let actions: Vec<&str> =
        log.as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["updated", "created"], "the newest first");
    assert_eq!((&log[0]["before"]["name"], &log[0]["after"]["name"]), (&json!("S"), &json!("T")));
    assert_eq!(
        (&log[0]["actor"]["id"], &log[1]["request_id"]),
        (&json!(ada), &json!(made.header("x-request-id")))
    );
    let whole = world.root.get("/api/v1/audit?limit=1000").await.expect(200);
    assert!(!whole.text.contains("$2b$") && !whole.text.contains("password"));
    let mut next = Some("/api/v1/audit?limit=2".to_owned());
    let mut count = 0;
    while let Some(path) = next {
        let slice = world.root.get(&path).await.expect(200);
        count += slice.data().as_array().unwrap().len();
        next = slice.json()["links"]["next"].as_str().map(str::to_owned);
    }
    assert_eq!(count, whole.data().as_array().unwrap().len());
}

pub async fn names_are_unique_among_the_active(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    world.root.post("/api/v1/organizations", json!({ "name": "A" })).await.expect(409);
    let first = world.site(&org, "S").await;
    let sites = format!("/api/v1/organizations/{org}/sites");
    let refused = world.root.post(&sites, json!({ "name": "S" })).await.expect(409);
    assert_eq!(refused.json()["detail"], "A site with this name already exists in the organization.");
    world.root.delete(&format!("/api/v1/sites/{first}")).await.expect(200);
    world.root.post(&sites, json!({ "name": "S" })).await.expect(201);
    world.root.act(&format!("/api/v1/sites/{first}/restore")).await.expect(409);
    world.user("ada").await;
    let twin = json!({ "email": "ADA@example.org", "full_name": "Ada" });
    world.root.post("/api/v1/users", twin).await.expect(409);
}

pub async fn members_and_assignments(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (ada, admin) = world.member(&org, "ada", "admin").await;
    let (bob, member) = world.member(&org, "bob", "member").await;
    let members = format!("/api/v1/organizations/{org}/users");
    let seen = admin.get(&format!("{members}?sort=full_name")).await.expect(200).data();
    assert_eq!(seen[0]["user"]["email"], "ada@example.org");
    assert_eq!(member.get(&members).await.expect(200).data()[0]["user"]["email"], Value::Null);
    assert_eq!(admin.get(&format!("{members}?role=member")).await.data()[0]["user"]["id"], bob);
    member.get("/api/v1/users").await.expect(403);
    member.get(&format!("/api/v1/users/{ada}")).await.expect(404);
    member.get(&format!("/api/v1/users/{bob}")).await.expect(200);
    admin.get(&format!("/api/v1/users/{bob}")).await.expect(200);
    let (carl, _) = world.user("carl").await;
    let unseen = json!({ "user_id": carl, "role": "member" });
    assert_eq!(admin.post(&members, unseen).await.expect(422).faults(), ["user_id"]);
    let odd = json!({ "user_id": bob, "role": "owner" });
    assert_eq!(admin.post(&members, odd).await.expect(422).faults(), ["role"]);
    let site = world.site(&org, "S").await;
    let assignments = format!("/api/v1/organizations/{org}/assignments");
    let both = json!({ "user_id": bob, "site_id": site, "module_id": site, "access": "viewer" });
    admin.post(&assignments, both).await.expect(422);
    let stranger = json!({ "user_id": carl, "site_id": site, "access": "viewer" });
    assert_eq!(admin.post(&assignments, stranger).await.expect(422).faults(), ["user_id"]);
    let good = json!({ "user_id": bob, "site_id": site, "access": "viewer" });
    admin.post(&assignments, good.clone()).await.expect(201);
    admin.post(&assignments, good).await.expect(409);
    member.get(&assignments).await.expect(403);
    assert_eq!(member.get("/api/v1/sites").await.json()["meta"]["total"], 1);
    assert_eq!(member.get("/api/v1/auth/me").await.data()["assignments"][0]["site_id"], site);
    admin.delete(&format!("{members}/{bob}")).await.expect(200);
    assert_eq!(member.get("/api/v1/sites").await.json()["meta"]["total"], 0);
    assert_eq!(admin.get(&assignments).await.json()["meta"]["total"], 0);
}
