//! API keys and device credentials: what they open, and when they no longer do.

use std::{sync::Arc, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use sitewatch_domain::{
    Error,
    access::{Actor, RequestContext},
    sites::NewSite,
};
use sitewatch_tests::{
    client::{Answer, Client},
    world::{Backend, World},
};

use crate::own_sessions::notices;

const OWN: &str = "/api/v1/auth/me/api-keys";

/// The secret of a new key, which is nowhere else.
fn secret_of(made: &Answer) -> String {
    made.data()["secret"].as_str().expect("a secret").to_owned()
}

async fn key(owner: &Client, path: &str, scopes: &[&str]) -> (String, Client) {
    let made = owner.post(path, json!({ "name": "a program", "scopes": scopes })).await.expect(201);
    (made.id(), owner.with_token(secret_of(&made)))
}

async fn shown_as(world: &World, headers: &[(&str, &str)]) -> Answer {
    world.anonymous().send(Method::GET, "/api/v1/sites", None, headers).await
}

/// One site with a module that measures `power`, in an organization.
struct Plant {
    org: String,
    kind: String,
    site: String,
    module: String,
}

async fn plant(world: &World, name: &str) -> Plant {
    let org = world.organization(name).await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let site = world.site(&org, "S").await;
    let module = world.module(&site, &kind, &format!("{name}-1")).await;
    Plant { org, kind, site, module }
}

fn reading(minute: u32) -> Value {
    json!({ "metric": "power", "at": format!("2026-01-01T00:{minute:02}:00Z"), "value": 1 })
}

pub async fn a_key_is_shown_once_and_opens_what_its_scopes_name(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let Plant { org, site, .. } = plant(&world, "A").await;
    let (ada, admin) = world.member(&org, "ada", "admin").await;
    let body = json!({ "name": "export", "scopes": ["sites:read", "sites:write", "sites:read"] });
    let made = admin.post(OWN, body).await.expect(201);
    let (id, secret) = (made.id(), secret_of(&made));
    assert_eq!(made.header("location"), format!("{OWN}/{id}"));
    assert_eq!(made.data()["scopes"], json!(["sites:read", "sites:write"]), "each once");
    assert_eq!((secret.len(), &secret[..4]), (64, "swk_"));
    assert_eq!(secret[4..14], *made.data()["prefix"].as_str().unwrap());
    let notice = format!("notice:api_key_created:{id}:{ada}");
    let notice =
        world.platform.mail().find(&crate::jobs::system(), &notice).await.expect("he is told by mail");
    assert_eq!((notice.recipient.as_str(), &notice.params["about"]), ("ada@example.org", &json!("export")));
    assert!(!notice.params.to_string().contains(&secret[15..]));
    let list = admin.get(OWN).await.expect(200);
    assert_eq!(list.data().as_array().unwrap().len(), 1);
    assert_eq!((&list.data()[0]["last_used_at"], &list.data()[0]["user_id"]), (&Value::Null, &json!(ada)));
    let bearer = format!("Bearer {secret}");
    for headers in [
        vec![("authorization", bearer.as_str())],
        vec![("x-api-key", secret.as_str())],
        vec![("x-api-key", secret.as_str()), ("authorization", bearer.as_str())],
    ] {
        assert_eq!(shown_as(&world, &headers).await.expect(200).data()[0]["id"], site);
    }
    let token = format!("Bearer {}", admin.token());
    shown_as(&world, &[("x-api-key", &secret), ("authorization", &token)]).await.expect(400);
    shown_as(&world, &[("x-api-key", admin.token())]).await.expect(401);
    shown_as(&world, &[("x-api-key", "")]).await.expect(401);
    let other = format!("{}x", &secret[..63]);
    shown_as(&world, &[("x-api-key", &other)]).await.expect(401);

    let program = admin.with_token(&secret);
    assert_eq!(program.get("/api/v1/auth/me").await.expect(200).id(), ada, "a key knows whose it is");
    program.patch("/api/v1/auth/me", json!({ "locale": "fr" })).await.expect(403);
    program.act("/api/v1/auth/logout").await.expect(403);
    program.get(OWN).await.expect(403);
    program.post(OWN, json!({ "name": "another", "scopes": ["sites:read"] })).await.expect(403);
    program.get("/api/v1/modules").await.expect(403);
    program.get("/api/v1/sites?include=organization").await.expect(403);
    program.get(&format!("/api/v1/sites?organization_id={org}")).await.expect(200);
    let new =
        program.post(&format!("/api/v1/organizations/{org}/sites"), json!({ "name": "N" })).await.expect(201);
    assert_eq!(new.data()["created_by"], ada, "what a user's key makes is his");
    let log = world.root.get(&format!("/api/v1/audit?resource_id={}", new.id())).await.expect(200);
    assert_eq!(
        log.data()[0]["actor"],
        json!({ "kind": "api_key", "id": ada, "credential_id": id, "is_superuser": false })
    );
    let denied = world.root.get("/api/v1/audit?action=denied&resource=api_key").await.expect(200).data();
    assert!(denied.as_array().unwrap().iter().all(|entry| entry["resource_id"] == id), "{denied}");
    assert!(!denied.as_array().unwrap().is_empty());

    let changed = admin.patch(&format!("{OWN}/{id}"), json!({ "name": "nightly" })).await.expect(200);
    assert_eq!((&changed.data()["name"], &changed.data()["expires_at"]), (&json!("nightly"), &Value::Null));
    let stale = [("if-match", made.header("etag"))];
    admin.send(Method::DELETE, &format!("{OWN}/{id}"), None, &stale).await.expect(412);
    let used =
        until(async || admin.get(&format!("{OWN}/{id}")).await, |key| key["last_used_at"].is_string()).await;
    assert_eq!(used["last_used_ip"], "127.0.0.1");
    let revoked = admin.delete(&format!("{OWN}/{id}")).await.expect(200);
    assert_eq!(revoked.data()["is_active"], false);
    program.get("/api/v1/sites").await.expect(401);
    admin.get(&format!("{OWN}/{id}")).await.expect(404);
    assert_eq!(admin.get(OWN).await.expect(200).data(), json!([]));
    let told = world.root.get("/api/v1/audit?limit=1000").await.expect(200).text;
    let after_prefix = &secret[15..];
    for answer in [&list.text, &changed.text, &revoked.text, &told] {
        assert!(!answer.contains(after_prefix) && !answer.contains("digest"), "{answer}");
    }
}

/// Asks until it is so.
async fn until(ask: impl AsyncFn() -> Answer, is_so: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..100 {
        let found = ask().await.expect(200).data();
        if is_so(&found) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it did not become so: {}", ask().await.text);
}

pub async fn scopes_are_known_and_never_wider_than_their_owner(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (_, member) = world.member(&org, "bob", "member").await;
    let (_, admin) = world.member(&org, "ada", "admin").await;
    let refused =
        async |client: &Client, path: &str, body: Value| client.post(path, body).await.expect(422).faults();
    let scopes =
        json!({ "name": "N", "scopes": ["organizations:read", "sites:eat", "users:write", "jobs:run"] });
    assert_eq!(
        refused(&member, OWN, scopes.clone()).await,
        ["scopes[1]", "scopes[3]"],
        "he may leave: users:write"
    );
    let wide = json!({ "name": "N", "scopes": ["sites:read", "reports:write", "sites:write", "audit:read"] });
    assert_eq!(refused(&member, OWN, wide.clone()).await, ["scopes[0]", "scopes[2]", "scopes[3]"]);
    let site = world.site(&org, "S").await;
    let bob = member.get("/api/v1/auth/me").await.id();
    world.assign(&org, &bob, "site_id", &site, "viewer").await;
    assert_eq!(refused(&member, OWN, wide.clone()).await, ["scopes[2]", "scopes[3]"], "a viewer now");
    admin.post(OWN, wide.clone()).await.expect(201);
    let of_org = format!("/api/v1/organizations/{org}/api-keys");
    admin.post(&of_org, wide).await.expect(201);
    for never in
        ["organizations:administer", "profile:write", "api-keys:own", "api-keys:write", "jobs:run", "*", ""]
    {
        let body = json!({ "name": "N", "scopes": [never] });
        assert_eq!(refused(&world.root, OWN, body.clone()).await, ["scopes[0]"], "{never}");
        assert_eq!(refused(&world.root, &of_org, body).await, ["scopes[0]"], "{never}");
    }
    let past = json!({ "name": "", "scopes": [], "expires_at": "2020-01-01T00:00:00Z" });
    assert_eq!(refused(&admin, OWN, past).await, ["expires_at", "name", "scopes"]);
}

pub async fn a_key_loses_what_its_owner_loses(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let Plant { org, site, module, .. } = plant(&world, "A").await;
    let (ada, admin) = world.member(&org, "ada", "admin").await;
    let (_, program) = key(&admin, OWN, &["modules:read", "modules:write", "modules:annotate"]).await;
    let path = format!("/api/v1/modules/{module}");
    program.patch(&path, json!({ "name": "renamed" })).await.expect(200);
    let member = format!("/api/v1/organizations/{org}/users/{ada}");
    world.member(&org, "second", "admin").await;
    world.root.patch(&member, json!({ "role": "member" })).await.expect(200);
    program.get(&path).await.expect(404);
    let assignment = world.assign(&org, &ada, "site_id", &site, "operator").await;
    program.get(&path).await.expect(200);
    program.patch(&path, json!({ "description": "seen" })).await.expect(200);
    program.patch(&path, json!({ "name": "mine" })).await.expect(403);
    world.root.delete(&format!("/api/v1/organizations/{org}/assignments/{assignment}")).await.expect(200);
    program.get(&path).await.expect(404);
    world.root.delete(&format!("/api/v1/users/{ada}")).await.expect(200);
    program.get(&path).await.expect(401);
    world.root.act(&format!("/api/v1/users/{ada}/restore")).await.expect(200);
    program.get(&path).await.expect(401);

    let (_, brief) = world.member(&org, "bob", "admin").await;
    let soon = world.platform.now().plus(Duration::from_millis(1_500)).to_string();
    let made = brief
        .post(OWN, json!({ "name": "N", "scopes": ["sites:read"], "expires_at": soon }))
        .await
        .expect(201);
    let program = brief.with_token(secret_of(&made));
    program.get("/api/v1/sites").await.expect(200);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(program.get("/api/v1/sites").await.expect(401).error_type(), "token_expired");
}

pub async fn an_organizations_key_acts_as_its_admin(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let a = plant(&world, "A").await;
    let b = plant(&world, "B").await;
    let keys = format!("/api/v1/organizations/{}/api-keys", a.org);
    let (id, program) =
        key(&world.root, &keys, &["sites:write", "sites:read", "reports:write", "reports:read"]).await;
    let new = program
        .post(&format!("/api/v1/organizations/{}/sites", a.org), json!({ "name": "N" }))
        .await
        .expect(201);
    assert_eq!(new.data()["created_by"], Value::Null);
    let log = world.root.get(&format!("/api/v1/audit?resource_id={}", new.id())).await.expect(200);
    assert_eq!(
        log.data()[0]["actor"],
        json!({ "kind": "api_key", "id": null, "credential_id": id, "is_superuser": false })
    );
    assert_eq!(program.get("/api/v1/sites").await.expect(200).json()["meta"]["total"], 2);
    program.get(&format!("/api/v1/sites/{}", b.site)).await.expect(404);
    program.post(&format!("/api/v1/organizations/{}/sites", b.org), json!({ "name": "N" })).await.expect(403);
    program.get("/api/v1/auth/me").await.expect(403);
    program.get(&keys).await.expect(403);
    let body = json!({ "organization_id": a.org, "name": "R", "period": "day", "format": "csv" });
    let report = program.post("/api/v1/reports", body).await.expect(201).id();
    let run = crate::reports::made(&world, &world.root, &report, "2026-01-01").await;
    assert_eq!(run["state"], "succeeded", "an organization's report holds what its admins see: {run}");
    world.root.delete(&format!("/api/v1/organizations/{}", a.org)).await.expect(200);
    program.get("/api/v1/sites").await.expect(401);
    world.root.act(&format!("/api/v1/organizations/{}/restore", a.org)).await.expect(200);
    program.get("/api/v1/sites").await.expect(200);
    world.root.delete(&format!("{keys}/{id}")).await.expect(200);
    program.get("/api/v1/sites").await.expect(401);
}

/// A key that acts for an organization concerns all who answer for it, whoever makes it.
pub async fn all_admins_are_told_of_an_organizations_key(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (org, other) = (world.organization("A").await, world.organization("B").await);
    let (_, ada) = world.member(&org, "ada", "admin").await;
    let (gone, _) = world.member(&org, "gone", "admin").await;
    for (org, name, role) in [(&org, "bob", "admin"), (&org, "eve", "member"), (&other, "max", "admin")] {
        world.member(org, name, role).await;
    }
    world.root.delete(&format!("/api/v1/users/{gone}")).await.expect(200);
    let keys = format!("/api/v1/organizations/{org}/api-keys");
    key(&ada, &keys, &["sites:read"]).await;
    let told = async |name: &str| notices(&world, &format!("{name}@example.org")).await.len();
    let all = async || {
        [
            told("ada").await,
            told("bob").await,
            told("gone").await,
            told("eve").await,
            told("max").await,
            told("root").await,
        ]
    };
    assert_eq!(all().await, [1, 1, 0, 0, 0, 0]);
    // A superuser is told of what he made himself.
    key(&world.root, &keys, &["sites:read"]).await;
    assert_eq!(all().await, [2, 2, 0, 0, 0, 1]);
    // One's own is one's own affair.
    key(&ada, OWN, &["sites:read"]).await;
    assert_eq!(all().await, [3, 2, 0, 0, 0, 1]);
    for number in 0..25 {
        let (user, _) = world.user(&format!("n{number}")).await;
        let body = json!({ "user_id": user, "role": "admin" });
        world.root.post(&format!("/api/v1/organizations/{org}/users"), body).await.expect(201);
    }
    key(&world.root, &keys, &["sites:read"]).await;
    let mut newer = 0;
    for number in 0..25 {
        newer += told(&format!("n{number}")).await;
    }
    assert_eq!((all().await, newer), ([4, 3, 0, 0, 0, 2], 18), "twenty of them, and who made it");
}

/// Whoever has the address of an account has the account, by a new password.
pub async fn no_key_changes_an_address(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (user, _) = world.user("ada").await;
    let body = json!({ "name": "K", "scopes": ["users:write", "users:read"] });
    let made = world.root.post("/api/v1/auth/me/api-keys", body).await.expect(201);
    let key = world.anonymous().with_token(made.data()["secret"].as_str().expect("a secret"));
    let me = world.root.get("/api/v1/auth/me").await.expect(200).id();
    for id in [&user, &me] {
        let path = format!("/api/v1/users/{id}");
        key.patch(&path, json!({ "email": "evil@example.org" })).await.expect(403);
        key.patch(&path, json!({ "locale": "fr" })).await.expect(200);
    }
    world
        .root
        .patch(&format!("/api/v1/users/{user}"), json!({ "email": "new@example.org" }))
        .await
        .expect(200);
    assert_eq!(crate::own_sessions::notices(&world, "ada@example.org").await, ["address_changed"]);
}

pub async fn no_key_makes_a_superuser(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (_, program) = key(&world.root, OWN, &["users:read", "users:write"]).await;
    let body = json!({ "email": "eve@example.org", "full_name": "Eve", "is_superuser": true });
    program.post("/api/v1/users", body).await.expect(403);
    let body = json!({ "email": "bob@example.org", "full_name": "Bob" });
    let bob = program.post("/api/v1/users", body).await.expect(201).id();
    let path = format!("/api/v1/users/{bob}");
    program.patch(&path, json!({ "is_superuser": true })).await.expect(403);
    program.patch(&path, json!({ "full_name": "Robert" })).await.expect(200);
    program.patch("/api/v1/auth/me", json!({ "full_name": "Mallory" })).await.expect(403);
}

pub async fn a_device_sends_for_itself(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let Plant { org, kind, site, module } = plant(&world, "A").await;
    let other = world.module(&site, &kind, "A-2").await;
    let foreign = plant(&world, "B").await;
    let credentials = format!("/api/v1/modules/{module}/credentials");
    let made = world.root.act(&credentials).await.expect(201);
    let (id, secret) = (made.id(), secret_of(&made));
    assert_eq!((secret.len(), &secret[..4]), (64, "mdk_"));
    let device = world.root.with_token(&secret);
    let own = format!("/api/v1/modules/{module}");
    device.post(&format!("{own}/readings"), json!({ "readings": [reading(0)] })).await.expect(200);
    let batch = |name: &str, minute: u32| {
        let mut row = reading(minute);
        row["module"] = json!(name);
        json!({ "readings": [row] })
    };
    device.post("/api/v1/ingest/readings", batch("A-1", 1)).await.expect(200);
    let unknown = [batch("A-2", 1), batch("B-1", 1), batch(&other, 1), batch("nobody", 1)];
    for body in unknown {
        let refused = device.post("/api/v1/ingest/readings", body).await.expect(422);
        assert_eq!(refused.faults(), ["readings[0].module"]);
    }
    assert_eq!(
        device.post(&format!("{own}/heartbeat"), json!({})).await.expect(200).data()["state"],
        "online"
    );
    assert_eq!(device.get(&own).await.expect(200).id(), module);
    assert_eq!(device.get(&format!("{own}/latest")).await.expect(200).data()[0]["value"], 1.0);
    assert_eq!(device.get("/api/v1/modules").await.expect(200).json()["meta"]["total"], 1);
    for hidden in [&other, &foreign.module] {
        device.get(&format!("/api/v1/modules/{hidden}")).await.expect(404);
        let body = json!({ "readings": [reading(0)] });
        device.post(&format!("/api/v1/modules/{hidden}/readings"), body).await.expect(404);
    }
    device.get(&format!("/api/v1/module-types/{kind}")).await.expect(200);
    device.get(&format!("/api/v1/module-types/{}", foreign.kind)).await.expect(404);
    let unused = world.module_type(&org, "unused", &["unused"]).await;
    device.get(&format!("/api/v1/module-types/{unused}")).await.expect(404);
    let metrics = device.get("/api/v1/metrics").await.expect(200).text;
    assert!(metrics.contains("\"power\"") && !metrics.contains("\"unused\""), "{metrics}");
    for beyond in [
        "/api/v1/sites",
        "/api/v1/auth/me",
        "/api/v1/auth/me/permissions",
        "/api/v1/meta/permissions",
        &credentials,
    ] {
        device.get(beyond).await.expect(403);
    }
    device.get(&format!("{own}/readings")).await.expect(403);
    device.patch(&own, json!({ "description": "me" })).await.expect(403);
    let denied = world.root.get("/api/v1/audit?action=denied&limit=1").await.expect(200).data();
    let actor = json!({ "kind": "device", "id": null, "credential_id": id, "is_superuser": false });
    assert_eq!((&denied[0]["actor"], &denied[0]["organization_id"]), (&actor, &json!(org)));

    let second = world.root.act(&format!("{credentials}/{id}/rotate")).await.expect(201);
    world.root.act(&format!("{credentials}/{id}/rotate")).await.expect(409);
    world.root.act(&credentials).await.expect(409);
    let renewed = world.root.with_token(secret_of(&second));
    renewed.get(&own).await.expect(200);
    device.get(&own).await.expect(200);
    world.root.delete(&format!("{credentials}/{id}")).await.expect(200);
    device.get(&own).await.expect(401);
    device.post("/api/v1/ingest/readings", batch("A-1", 2)).await.expect(401);
    renewed.get(&own).await.expect(200);
    let list = world.root.get(&credentials).await.expect(200);
    assert_eq!(list.data().as_array().unwrap().len(), 1);
    assert!(!list.text.contains(&secret_of(&second)[15..]));
    world.root.delete(&own).await.expect(200);
    renewed.get(&own).await.expect(401);
    world.root.act(&format!("{own}/restore")).await.expect(200);
    renewed.get(&own).await.expect(200);
}

pub async fn a_sites_credential_is_for_the_modules_there(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let Plant { org, kind, site, module } = plant(&world, "A").await;
    let elsewhere = world.site(&org, "elsewhere").await;
    let away = world.module(&elsewhere, &kind, "A-2").await;
    let credentials = format!("/api/v1/sites/{site}/credentials");
    let gateway = world.root.with_token(secret_of(&world.root.act(&credentials).await.expect(201)));
    let rows = json!({ "readings": [
        { "module": "A-1", "metric": "power", "at": "2026-01-01T00:00:00Z", "value": 1 },
        { "module": "A-2", "metric": "power", "at": "2026-01-01T00:00:00Z", "value": 1 },
    ] });
    let verdict = gateway.post("/api/v1/ingest/readings", rows.clone()).await.expect(200).data();
    assert_eq!(
        (&verdict["accepted"], &verdict["rejects"][0]["reason"]),
        (&json!(1), &json!("unknown_module"))
    );
    let listed = gateway.get(&format!("/api/v1/modules?site_id={site}")).await.expect(200);
    assert_eq!((&listed.json()["meta"]["total"], &listed.data()[0]["id"]), (&json!(1), &json!(module)));
    let from = json!({ "site_id": site });
    world.root.post(&format!("/api/v1/modules/{away}/move"), from).await.expect(200);
    let verdict = gateway.post("/api/v1/ingest/readings", rows).await.expect(200).data();
    assert_eq!((&verdict["accepted"], &verdict["duplicate"]), (&json!(1), &json!(1)));
    world.root.delete(&format!("/api/v1/sites/{site}")).await.expect(200);
    gateway.get("/api/v1/modules").await.expect(401);
}

/// Whoever was let in before his key was revoked, and writes after it, writes nothing.
pub async fn a_revoked_key_ends_what_it_has_begun(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let Plant { org, module, .. } = plant(&world, "A").await;
    let keys = format!("/api/v1/organizations/{org}/api-keys");
    let (id, program) = key(&world.root, &keys, &["sites:write"]).await;
    let let_in = async |secret: &str| -> Actor {
        world.platform.sessions().authenticate(RequestContext::default(), secret).await.expect("good")
    };
    let new = || NewSite { name: "late".into(), ..NewSite::default() };
    let actor = let_in(program.token()).await;
    world.root.delete(&format!("{keys}/{id}")).await.expect(200);
    let refused = world.platform.sites().create(&actor, org.parse().expect("an id"), new()).await;
    assert!(matches!(refused, Err(Error::Unauthenticated(_))), "{refused:?}");

    let credentials = format!("/api/v1/modules/{module}/credentials");
    let made = world.root.act(&credentials).await.expect(201);
    let device = let_in(&secret_of(&made)).await;
    world.root.delete(&format!("{credentials}/{}", made.id())).await.expect(200);
    let heartbeat = sitewatch_domain::modules::Heartbeat {};
    let refused =
        world.platform.modules().heartbeat(&device, module.parse().expect("an id"), heartbeat).await;
    assert!(matches!(refused, Err(Error::Unauthenticated(_))), "{refused:?}");
}

pub async fn everybody_is_told_what_he_may_do(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let Plant { org, site, .. } = plant(&world, "A").await;
    let path = "/api/v1/auth/me/permissions";
    let (_, admin) = world.member(&org, "ada", "admin").await;
    let (bob, member) = world.member(&org, "bob", "member").await;
    world.assign(&org, &bob, "site_id", &site, "viewer").await;
    let told = member.get(path).await.expect(200).data();
    assert_eq!((&told["is_superuser"], &told["platform"]), (&json!(false), &json!([])));
    let in_org = &told["organizations"][0];
    assert_eq!((&in_org["organization_id"], &in_org["role"]), (&json!(org), &json!("member")));
    assert_eq!(
        in_org["permissions"],
        json!(["modules:read", "organizations:read", "reports:write", "users:read", "users:write"])
    );
    let at = &told["assignments"][0];
    assert_eq!((&at["site_id"], &at["access"]), (&json!(site), &json!("viewer")));
    assert_eq!(at["permissions"], json!(["modules:read", "readings:read", "sites:read"]));
    let held = |told: &Value, list: &str| told[list].as_array().expect("a list").len();
    assert!(held(&world.root.get(path).await.expect(200).data(), "platform") > 20);
    let (_, program) = key(&admin, OWN, &["sites:read", "jobs:read"]).await;
    let told = program.get(path).await.expect(200).data();
    assert_eq!(told["organizations"][0]["permissions"], json!(["jobs:read", "sites:read"]));
    assert_eq!(told["own"], json!(["jobs:read"]));
    let (_, of_org) = key(&admin, &format!("/api/v1/organizations/{org}/api-keys"), &["sites:read"]).await;
    let told = of_org.get(path).await.expect(200).data();
    assert_eq!(
        (&told["own"], &told["organizations"][0]["permissions"]),
        (&json!([]), &json!(["sites:read"]))
    );
}
