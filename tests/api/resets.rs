//! What a new password by mail does besides: to the places where its user signs in, to his keys, in the log.

use std::sync::Arc;

use reqwest::Method;
use serde_json::json;
use sitewatch_jobs::{WorkerSettings, registry};
use sitewatch_tests::{
    client::Answer,
    smtp::{Arrived, SmtpSink},
    world::{Backend, PASSWORD, World},
};

use crate::jobs::work_with;

const ADA: &str = "ada@example.org";
const NEW: &str = "plum tandem gravel";
const WRONG: &str = "a guess of some length";

/// An installation behind a proxy, whose mails arrive.
struct House {
    world: World,
    sink: SmtpSink,
}

impl House {
    async fn open(backend: &Arc<Backend>) -> Self {
        let sink = SmtpSink::start().await;
        let settings =
            [("SITEWATCH_SMTP_URL", sink.url("")), ("SITEWATCH_TRUSTED_PROXIES", "127.0.0.1/32".to_owned())];
        let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
        Self { world: World::with(backend, &settings).await, sink }
    }

    async fn post(&self, from: &str, path: &str, body: serde_json::Value) -> Answer {
        let headers = [("x-forwarded-for", from)];
        self.world.anonymous().send(Method::POST, path, Some(body), &headers).await
    }

    async fn sign_in(&self, from: &str, password: &str) -> u16 {
        let body = json!({ "email": ADA, "password": password });
        self.post(from, "/api/v1/auth/login", body).await.status.as_u16()
    }

    /// Has all mails sent that wait, and what makes them done.
    async fn work(&self) {
        for kind in ["passwords.send_reset.v1", "mail.send.v1"] {
            let path = format!("/api/v1/jobs?kind={kind}&state=ready");
            let waiting = self.world.root.get(&path).await.expect(200).data();
            for job in waiting.as_array().expect("jobs") {
                let id = job["id"].as_str().expect("an id");
                work_with(&self.world, registry(), WorkerSettings::default(), id, "succeeded").await;
            }
        }
    }

    /// The text of the newest mail to an address that says this: mails that were written together arrive in any order.
    fn newest_to(&self, address: &str, words: &str) -> String {
        let plain = |mail: Arrived| {
            mail.text.replace("=\r\n", "").replace("=\n", "").replace("=3D", "=").replace("\r\n", " ")
        };
        let mails = self.sink.arrived().into_iter().rev().filter(|mail| mail.to == address).map(plain);
        mails.into_iter().find(|text| text.contains(words)).expect("a mail")
    }

    /// From the forgotten password to the new one; the last mail that the user got.
    async fn reset(&self, from: &str, address: &str) -> String {
        self.post(from, "/api/v1/auth/password/forgot", json!({ "email": address })).await.expect(202);
        self.work().await;
        let text = self.newest_to(address, "#token=");
        let (_, rest) = text.split_once("#token=").expect("a link");
        let token: String =
            rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
        let body = json!({ "token": token, "new_password": NEW });
        self.post(from, "/api/v1/auth/password/reset", body).await.expect(204);
        self.work().await;
        self.newest_to(address, "was changed with a link")
    }
}

/// Whoever guesses from elsewhere begins anew, and still keeps nobody out who is at home.
pub async fn a_reset_keeps_the_places_where_its_user_signs_in(backend: Arc<Backend>) {
    let house = House::open(&backend).await;
    let (home, journey, elsewhere) = ("192.0.2.1", "203.0.113.5", "198.51.100.7");
    house.world.user("ada").await;
    assert_eq!(house.sign_in(home, PASSWORD).await, 200);
    let guesses = async || {
        let mut statuses = Vec::new();
        for _ in 0..6 {
            statuses.push(house.sign_in(elsewhere, WRONG).await);
        }
        statuses
    };
    assert_eq!(guesses().await, [401, 401, 401, 401, 401, 429]);
    house.reset(journey, ADA).await;
    assert_eq!(guesses().await, [401, 401, 401, 401, 401, 429]);
    assert_eq!(house.sign_in(home, NEW).await, 200, "at home");
    assert_eq!(house.sign_in(journey, NEW).await, 200, "where the mail was read");
    assert_eq!(house.sign_in(elsewhere, NEW).await, 429);
}

/// Keys stay when the password is replaced. Whoever did that because somebody else was in his account is told how many there are.
pub async fn a_reset_tells_which_keys_are_left(backend: Arc<Backend>) {
    let house = House::open(&backend).await;
    let org = house.world.organization("A").await;
    house.world.member(&org, "ada", "admin").await;
    let told = house.reset("192.0.2.1", ADA).await;
    assert!(told.contains("was changed with a link") && !told.contains("API key"), "{told}");
    let ada = house.world.anonymous().login(ADA, NEW).await;
    let keys = "/api/v1/auth/me/api-keys";
    let make = async |name: &str, more: serde_json::Value| {
        let mut body = more;
        body["name"] = json!(name);
        body["scopes"] = json!(["sites:read"]);
        ada.post(keys, body).await.expect(201)
    };
    let good = make("good", json!({})).await.data()["secret"].as_str().expect("a secret").to_owned();
    make("another", json!({ "expires_at": "2999-01-01T00:00:00Z" })).await;
    let revoked = make("revoked", json!({})).await.id();
    ada.delete(&format!("{keys}/{revoked}")).await.expect(200);
    let told = house.reset("192.0.2.1", ADA).await;
    assert!(told.contains("2 API keys") && told.contains("/api/v1/auth/me/api-keys"), "{told}");
    house.world.anonymous().with_token(good).get("/api/v1/sites").await.expect(200);
}

pub async fn a_superusers_reset_is_marked(backend: Arc<Backend>) {
    let house = House::open(&backend).await;
    let body = json!({ "email": ADA, "full_name": "Ada", "password": PASSWORD, "is_superuser": true });
    let ada = house.world.root.post("/api/v1/users", body).await.expect(201).id();
    house.reset("192.0.2.1", ADA).await;
    let log = house.world.root.get("/api/v1/audit?action=password_reset").await.expect(200).data();
    assert_eq!(
        (&log[0]["actor"]["id"], &log[0]["actor"]["is_superuser"]),
        (&json!(ada), &json!(true)),
        "{log}"
    );
}
