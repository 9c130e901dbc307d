//! Invitations: an address is invited by mail, and whoever reads that mail joins, once.

use std::sync::Arc;

use sea_orm::{ConnectionTrait as _, Database, Statement};
use serde_json::{Value, json};
use sitewatch_jobs::{WorkerSettings, registry};
use sitewatch_tests::{
    client::{Answer, Client},
    smtp::SmtpSink,
    world::{Backend, World},
};

use crate::jobs::work_with;

const PASSWORD: &str = "correct horse battery staple 9";

/// An installation whose mails arrive.
struct Office {
    world: World,
    sink: SmtpSink,
    organization: String,
}

impl Office {
    async fn open(backend: &Arc<Backend>) -> Self {
        let sink = SmtpSink::start().await;
        let world = World::with(backend, &[("SITEWATCH_SMTP_URL", &sink.url(""))]).await;
        let organization = world.organization("A & <B>").await;
        Self { world, sink, organization }
    }

    fn path(&self) -> String {
        format!("/api/v1/organizations/{}/invitations", self.organization)
    }

    async fn invite(&self, by: &Client, body: Value) -> Answer {
        by.post(&self.path(), body).await
    }

    /// Has all mails sent that wait; the token of the newest one to this address.
    async fn token(&self, address: &str) -> String {
        let waiting =
            self.world.root.get("/api/v1/jobs?kind=mail.send.v1&state=ready").await.expect(200).data();
        for job in waiting.as_array().expect("jobs") {
            let id = job["id"].as_str().expect("an id");
            work_with(&self.world, registry(), WorkerSettings::default(), id, "succeeded").await;
        }
        let mails = self.sink.arrived();
        let mail = mails.iter().rev().find(|mail| mail.to == address).expect("a mail");
        let text = mail.text.replace("=\r\n", "").replace("=\n", "").replace("=3D", "=");
        let (_, rest) = text.split_once("/invitation#token=").expect("a link");
        rest.split(|sign: char| !(sign.is_ascii_alphanumeric() || "-_".contains(sign)))
            .next()
            .expect("a token")
            .to_owned()
    }

    async fn accept(&self, body: Value) -> Answer {
        self.world.anonymous().post("/api/v1/auth/invitations/accept", body).await
    }
}

pub async fn a_stranger_joins_with_the_token_of_his_mail(backend: Arc<Backend>) {
    let office = Office::open(&backend).await;
    let (_, admin) = office.world.member(&office.organization, "boss", "admin").await;
    let site = office.world.site(&office.organization, "S").await;
    let module_type = office.world.module_type(&office.organization, "T", &["power"]).await;
    let module = office.world.module(&site, &module_type, "SN-1").await;
    let body = json!({ "email": "New@Example.org", "role": "member", "assignments": [
        { "site_id": site, "access": "viewer" }, { "module_id": module, "access": "operator" },
    ] });
    let made = office.invite(&admin, body).await.expect(201);
    assert_eq!(made.header("location"), format!("{}/{}", office.path(), made.id()));
    assert!(!made.text.contains("inv_") && !made.text.contains("digest"), "{}", made.text);
    let told = made.data();
    assert_eq!((&told["email"], &told["state"]), (&json!("new@example.org"), &json!("open")));
    let token = office.token("new@example.org").await;
    // An account of his own, with a name and a password.
    let missing = office.accept(json!({ "token": token })).await.expect(422);
    assert_eq!(missing.faults(), ["full_name", "password"]);
    let body = json!({ "token": token, "full_name": "New One", "password": PASSWORD });
    let accepted = office.accept(body.clone()).await.expect(200).data();
    assert_eq!((&accepted["is_new"], &accepted["user"]["full_name"]), (&json!(true), &json!("New One")));
    let new = office.world.anonymous().login("new@example.org", PASSWORD).await;
    let me = new.get("/api/v1/auth/me").await.expect(200).data();
    assert_eq!(me["memberships"].as_array().expect("a list").len(), 1);
    assert_eq!(me["assignments"].as_array().expect("a list").len(), 2);
    new.get(&format!("/api/v1/modules/{module}")).await.expect(200);
    new.post(&office.path(), json!({})).await.expect(403);
    // Once.
    assert_eq!(office.accept(body).await.expect(410).error_type(), "gone");
    let listed = admin.get(&office.path()).await.expect(200).data();
    assert_eq!(
        (&listed[0]["state"], &listed[0]["accepted_by"]),
        (&json!("accepted"), &accepted["user"]["id"])
    );
    let path = format!("{}/{}", office.path(), made.id());
    admin.delete(&path).await.expect(410);
    admin.act(&format!("{path}/resend")).await.expect(410);
    // Members see no addresses.
    let seen = new.get(&office.path()).await.expect(200);
    assert!(seen.data()[0]["email"].is_null() && !seen.text.contains("new@"), "{}", seen.text);
    // The log tells that he came, and by what.
    let log = admin.get(&format!("/api/v1/organizations/{}/audit", office.organization)).await.expect(200);
    assert!(!log.text.contains(&token), "no token in the log");
    let by_him = |resource: &str| {
        let log = log.data();
        let mut entries = log.as_array().expect("a list").iter();
        entries.any(|entry| entry["resource"] == resource && entry["actor"]["id"] == accepted["user"]["id"])
    };
    let made = office.world.root.get("/api/v1/audit?resource=user&action=created").await.expect(200).data();
    assert_eq!(made[0]["resource_id"], accepted["user"]["id"], "an account was made");
    assert!(by_him("invitation") && by_him("membership") && by_him("assignment"), "{}", log.text);
}

pub async fn an_account_that_there_is_joins_as_it_is(backend: Arc<Backend>) {
    let office = Office::open(&backend).await;
    let (id, ada) = office.world.user("ada").await;
    let address =
        ada.get("/api/v1/auth/me").await.expect(200).data()["email"].as_str().expect("one").to_owned();
    let known =
        office.invite(&office.world.root, json!({ "email": address, "role": "admin" })).await.expect(201);
    let unknown =
        office.invite(&office.world.root, json!({ "email": "no@example.org", "role": "admin" })).await;
    // Whether there is an account cannot be told from the answer.
    let shape = |answer: &Answer| {
        let mut data = answer.data();
        for field in ["id", "email", "created_at", "expires_at"] {
            data[field] = Value::Null;
        }
        data
    };
    assert_eq!(shape(&known), shape(&unknown.expect(201)));
    let token = office.token(&address).await;
    let with_password = json!({ "token": token, "full_name": "X", "password": PASSWORD });
    assert_eq!(office.accept(with_password).await.expect(422).faults(), ["password"]);
    let accepted = office.accept(json!({ "token": token })).await.expect(200).data();
    assert_eq!((&accepted["is_new"], &accepted["user"]["id"]), (&json!(false), &json!(id)));
    ada.post(&office.path(), json!({ "email": "third@example.org", "role": "member" })).await.expect(201);
    let again = office.invite(&ada, json!({ "email": address, "role": "member" })).await.expect(409);
    assert!(again.text.contains("already a member"), "{}", again.text);
}

pub async fn what_is_past_sent_again_or_taken_back_is_dead(backend: Arc<Backend>) {
    let office = Office::open(&backend).await;
    let root = &office.world.root;
    let invited = |address: &str| json!({ "email": address, "role": "member" });
    let body_of = |token: &str| json!({ "token": token, "full_name": "N", "password": PASSWORD });
    // Sent again: the first token is dead.
    let first = office.invite(root, invited("one@example.org")).await.expect(201).id();
    let old = office.token("one@example.org").await;
    root.act(&format!("{}/{first}/resend", office.path())).await.expect(200);
    let new = office.token("one@example.org").await;
    assert_ne!(old, new);
    office.accept(body_of(&old)).await.expect(410);
    // Taken back: so is the second; the address can be invited again.
    root.delete(&format!("{}/{first}", office.path())).await.expect(200);
    office.accept(body_of(&new)).await.expect(410);
    root.get(&format!("{}/{first}", office.path())).await.expect(404);
    office.invite(root, invited("one@example.org")).await.expect(201);
    // Over.
    office.invite(root, invited("two@example.org")).await.expect(201);
    let late = office.token("two@example.org").await;
    let database = Database::connect(office.world.database_url()).await.expect("a connection");
    let sql = "UPDATE invitations SET expires_at = 1";
    let statement = Statement::from_string(database.get_database_backend(), sql);
    database.execute_raw(statement).await.expect(sql);
    office.accept(body_of(&late)).await.expect(410);
    let again = office.invite(root, invited("two@example.org")).await.expect(201);
    // What was over went with it, and the log tells so: nobody took it back.
    let log =
        format!("/api/v1/organizations/{}/audit?resource=invitation&action=archived", office.organization);
    let log = root.get(&log).await.expect(200).data();
    let (gone, actor) = (&log[0], &log[0]["actor"]);
    assert_eq!(
        (&gone["before"]["email"], &actor["kind"]),
        (&json!("two@example.org"), &json!("system")),
        "{gone}"
    );
    assert!(gone["resource_id"] != again.id().as_str() && actor["id"].is_null(), "{gone}");
    assert_eq!(
        (&gone["before"]["stamp"]["is_active"], &gone["after"]["stamp"]["is_active"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(gone["request_id"], again.header("x-request-id"));
    // Of somebody who may not invite any more.
    let (boss_id, boss) = office.world.member(&office.organization, "boss", "admin").await;
    office.invite(&boss, invited("three@example.org")).await.expect(201);
    let of_boss = office.token("three@example.org").await;
    let member = format!("/api/v1/organizations/{}/users/{boss_id}", office.organization);
    office.world.member(&office.organization, "other", "admin").await;
    root.patch(&member, json!({ "role": "member" })).await.expect(200);
    office.accept(body_of(&of_boss)).await.expect(410);
    // With a key that was revoked since: an organization's own, and one of a user.
    let keys = format!("/api/v1/organizations/{}/api-keys", office.organization);
    for keys in [keys.as_str(), "/api/v1/auth/me/api-keys"] {
        let body = json!({ "name": "K", "scopes": ["users:write"] });
        let key = root.post(keys, body).await.expect(201);
        let by = office.world.anonymous().with_token(key.data()["secret"].as_str().expect("a secret"));
        office.invite(&by, invited("four@example.org")).await.expect(201);
        let of_key = office.token("four@example.org").await;
        root.delete(&format!("{keys}/{}", key.id())).await.expect(200);
        office.accept(body_of(&of_key)).await.expect(410);
        let id = root.get(&format!("{}?sort=-created_at", office.path())).await.expect(200).data();
        let id = id[0]["id"].as_str().expect("an id").to_owned();
        root.delete(&format!("{}/{id}", office.path())).await.expect(200);
    }
    // Nonsense.
    for token in ["", "inv_", "nonsense", "inv_\u{0}"] {
        office.accept(body_of(token)).await.expect(410);
    }
}

pub async fn two_who_bring_the_same_token_make_one_account(backend: Arc<Backend>) {
    let office = Office::open(&backend).await;
    let body = json!({ "email": "twice@example.org", "role": "member" });
    office.invite(&office.world.root, body).await.expect(201);
    let token = office.token("twice@example.org").await;
    let body = json!({ "token": token, "full_name": "N", "password": PASSWORD });
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (client, body) = (office.world.anonymous(), body.clone());
        calls.spawn(async move { client.post("/api/v1/auth/invitations/accept", body).await });
    }
    let answers = calls.join_all().await;
    let accepted = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| matches!(answer.status.as_u16(), 409 | 410 | 422)).count();
    assert_eq!(
        (accepted, refused),
        (1, 7),
        "{:?}",
        answers.iter().map(|answer| answer.status).collect::<Vec<_>>()
    );
    let users = office.world.root.get("/api/v1/users?email=twice@example.org").await.expect(200).data();
    assert_eq!(users.as_array().expect("a list").len(), 1);
}

pub async fn what_cannot_be_invited_to_is_told(backend: Arc<Backend>) {
    let office = Office::open(&backend).await;
    let elsewhere = office.world.organization("Elsewhere").await;
    let foreign = office.world.site(&elsewhere, "F").await;
    let (_, admin) = office.world.member(&office.organization, "boss", "admin").await;
    for (more, faults) in [
        (json!({ "email": "nobody" }), vec!["email"]),
        (json!({ "email": "a@example.org\r\nBcc: x@example.org" }), vec!["email"]),
        (json!({ "role": "superuser" }), vec!["role"]),
        (json!({ "assignments": "all" }), vec!["assignments"]),
        (
            json!({ "assignments": [{ "site_id": foreign, "access": "viewer", "odd": 1 }] }),
            vec!["assignments"],
        ),
        (
            json!({ "assignments": [{ "site_id": foreign, "access": "viewer" }] }),
            vec!["assignments[0].site_id"],
        ),
        (json!({ "assignments": [{ "access": "viewer" }] }), vec!["assignments[0].site_id"]),
        (
            json!({ "assignments": [{ "site_id": foreign, "access": "owner" }] }),
            vec!["assignments[0].access"],
        ),
    ] {
        let mut body = json!({ "email": "new@example.org", "role": "member" });
        for (key, value) in more.as_object().expect("an object") {
            body[key] = value.clone();
        }
        assert_eq!(office.invite(&admin, body).await.expect(422).faults(), faults, "{more}");
    }
    assert!(office.sink.arrived().is_empty());
    let body = json!({ "email": "once@example.org", "role": "member" });
    let made = office.invite(&admin, body.clone()).await.expect(201).id();
    office.invite(&admin, body).await.expect(409);
    // A few letters to an address, and then none for a while.
    let resend = format!("{}/{made}/resend", office.path());
    admin.act(&resend).await.expect(200);
    assert!(!admin.act(&resend).await.expect(429).header("retry-after").is_empty());
}
