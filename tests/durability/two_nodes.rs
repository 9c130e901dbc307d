//! Two servers on one database: what one of them takes away is gone at the other with the next call.

use std::{
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};
use sitewatch_auth::SecretKeys;
use sitewatch_runtime::system::OsEntropy;
use sitewatch_tests::{client::Client, ports::free_port, processes::Process, world::PASSWORD};
use tokio::task::JoinSet;

use crate::{
    Kind,
    start::{Installation, PATIENCE},
};

/// Revocations of all kinds together.
const ROUNDS: usize = 1_000;
/// What is revoked in turn: sessions, accounts, roles, keys, assignments.
const KINDS: usize = 5;
/// Users who are revoked at the same time, each by one task.
const USERS: usize = 8;

/// A second server on the installation's database.
struct Second {
    _process: Process,
    client: Client,
}

async fn second(installation: &Installation) -> Second {
    let base = format!("http://127.0.0.1:{}", free_port());
    let mut command: Command = installation.command();
    let folder: PathBuf = installation.path("second");
    command.env("SITEWATCH_BIND", base.trim_start_matches("http://")).env("SITEWATCH_DATA_DIR", &folder);
    let mut process = Process::spawn("the second server", command, &installation.path("second.log"));
    process.wait_for_http(&format!("{base}/health/ready"), PATIENCE).await;
    Second { _process: process, client: Client::anonymous(base) }
}

async fn nodes(kind: &Kind) -> (Installation, Second, [Client; 2]) {
    let mut installation = Installation::new(kind).await;
    installation.set("SITEWATCH_SECRET_KEY", SecretKeys::generate(&OsEntropy).expose());
    // Nothing is killed here whose data would matter.
    let database = Database::connect(installation.database()).await.expect("a connection");
    for statement in ["ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"] {
        database.execute_unprepared(statement).await.expect(statement);
    }
    database.close().await.expect("closed");
    let first = installation.start().await;
    let second = second(&installation).await;
    let roots = [first.clone(), second.client.with_token(first.token())];
    (installation, second, roots)
}

/// What one user has, and loses again and again.
struct Plant {
    roots: [Client; 2],
    visitors: [Client; 2],
    org: String,
    site: String,
    module: String,
    email: String,
    user: String,
}

impl Plant {
    async fn new(roots: [Client; 2], number: usize) -> Self {
        let root = &roots[0];
        let org = root
            .post("/api/v1/organizations", json!({ "name": format!("O{number}") }))
            .await
            .expect(201)
            .id();
        let site = root
            .post(&format!("/api/v1/organizations/{org}/sites"), json!({ "name": "S" }))
            .await
            .expect(201)
            .id();
        let body = json!({ "organization_id": org, "name": "T" });
        let kind = root.post("/api/v1/module-types", body).await.expect(201).id();
        let body = json!({ "name": "M", "module_type_id": kind });
        let module = root.post(&format!("/api/v1/sites/{site}/modules"), body).await.expect(201).id();
        let email = format!("user{number}@example.org");
        let body = json!({ "email": email, "full_name": "U", "password": PASSWORD });
        let user = root.post("/api/v1/users", body).await.expect(201).id();
        let body = json!({ "user_id": user, "role": "member" });
        let members = format!("/api/v1/organizations/{org}/users");
        root.post(&members, body).await.expect(201);
        // An organization keeps one admin.
        let me = root.get("/api/v1/auth/me").await.expect(200).id();
        root.post(&members, json!({ "user_id": me, "role": "admin" })).await.expect(201);
        let visitors = [0, 1].map(|node: usize| Client::anonymous(roots[node].base()));
        Self { roots, visitors, org, site, module, email, user }
    }

    /// The user's clients on the node that revokes and on the other one.
    async fn sign_in(&self, revoking: usize) -> (Client, Client) {
        let here = self.visitors[revoking].login(&self.email, PASSWORD).await;
        let there = self.visitors[1 - revoking].with_token(here.token());
        (here, there)
    }

    async fn round(&self, number: usize) {
        let revoking = number % 2;
        match number / 2 % KINDS {
            0 => self.session(revoking).await,
            1 => self.account(revoking).await,
            2 => self.role(revoking).await,
            3 => self.key(number).await,
            _ => self.assignment(revoking).await,
        }
    }

    async fn session(&self, revoking: usize) {
        let (here, there) = self.sign_in(revoking).await;
        there.get("/api/v1/auth/me").await.expect(200);
        here.act("/api/v1/auth/logout").await.expect(204);
        there.get("/api/v1/auth/me").await.expect(401);
    }

    async fn account(&self, revoking: usize) {
        let (_, there) = self.sign_in(revoking).await;
        there.get("/api/v1/auth/me").await.expect(200);
        let path = format!("/api/v1/users/{}", self.user);
        self.roots[revoking].delete(&path).await.expect(200);
        there.get("/api/v1/auth/me").await.expect(401);
        self.roots[revoking].act(&format!("{path}/restore")).await.expect(200);
    }

    async fn role(&self, revoking: usize) {
        let (_, there) = self.sign_in(revoking).await;
        let path = format!("/api/v1/organizations/{}/users/{}", self.org, self.user);
        let audit = format!("/api/v1/organizations/{}/audit?limit=1", self.org);
        let root = &self.roots[revoking];
        there.get(&audit).await.expect(403);
        root.put(&path, json!({ "role": "admin" })).await.expect(200);
        there.get(&audit).await.expect(200);
        root.put(&path, json!({ "role": "member" })).await.expect(200);
        there.get(&audit).await.expect(403);
    }

    /// An organization's key, a user's, a device credential in turn.
    async fn key(&self, number: usize) {
        let revoking = number % 2;
        let organization = format!("/api/v1/organizations/{}", self.org);
        let module = format!("/api/v1/modules/{}", self.module);
        let body = json!({ "name": "K", "scopes": ["organizations:read"] });
        let root = &self.roots[revoking];
        match number / 2 / KINDS % 3 {
            0 => self.revoked(revoking, root, &format!("{organization}/api-keys"), body, &organization).await,
            1 => {
                let (here, _) = self.sign_in(revoking).await;
                self.revoked(revoking, &here, "/api/v1/auth/me/api-keys", body, &organization).await;
            }
            _ => self.revoked(revoking, root, &format!("{module}/credentials"), json!({}), &module).await,
        }
    }

    /// A key that is made and revoked on one node, and read with on the other.
    async fn revoked(&self, revoking: usize, owner: &Client, keys: &str, body: Value, readable: &str) {
        let made = owner.post(keys, body).await.expect(201);
        let there = self.visitors[1 - revoking].with_token(made.data()["secret"].as_str().expect("a secret"));
        there.get(readable).await.expect(200);
        owner.delete(&format!("{keys}/{}", made.id())).await.expect(200);
        there.get(readable).await.expect(401);
    }

    async fn assignment(&self, revoking: usize) {
        let (_, there) = self.sign_in(revoking).await;
        let site = format!("/api/v1/sites/{}", self.site);
        let assignments = format!("/api/v1/organizations/{}/assignments", self.org);
        let root = &self.roots[revoking];
        there.get(&site).await.expect(404);
        let body = json!({ "user_id": self.user, "site_id": self.site, "access": "viewer" });
        let id = root.post(&assignments, body).await.expect(201).id();
        there.get(&site).await.expect(200);
        root.delete(&format!("{assignments}/{id}")).await.expect(200);
        there.get(&site).await.expect(404);
    }
}

pub async fn a_revocation_is_seen_by_the_next_call_elsewhere(kind: Arc<Kind>) {
    let (_installation, _second, roots) = nodes(&kind).await;
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for number in 0..USERS {
        let (roots, next) = (roots.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            let plant = Plant::new(roots, number).await;
            let mut done = 0;
            loop {
                let round = next.fetch_add(1, Ordering::Relaxed);
                if round >= ROUNDS {
                    return done;
                }
                plant.round(round).await;
                done += 1;
            }
        });
    }
    let done: usize = tasks.join_all().await.into_iter().sum();
    assert_eq!(done, ROUNDS);
}

/// What failed on one server counts on the other, and after a restart.
pub async fn failed_sign_ins_count_on_every_node(kind: Arc<Kind>) {
    let (mut installation, second, roots) = nodes(&kind).await;
    let root = &roots[0];
    let body = json!({ "email": "ada@example.org", "full_name": "Ada", "password": PASSWORD });
    root.post("/api/v1/users", body).await.expect(201);
    let guess = json!({ "email": "ada@example.org", "password": "a guess of some length" });
    let anonymous = [Client::anonymous(root.base()), second.client.clone()];
    for number in 0..5 {
        anonymous[number % 2].post("/api/v1/auth/login", guess.clone()).await.expect(401);
    }
    // A longer delay than this takes.
    let database = Database::connect(installation.database()).await.expect("a connection");
    let sql = "UPDATE attempts SET failures = 25, next_at = next_at + 3000000000 WHERE failures = 5";
    let counted = database.execute_unprepared(sql).await.expect("a delay").rows_affected();
    assert_eq!(counted, 1, "five on two nodes");
    database.close().await.expect("closed");
    for node in &anonymous {
        node.post("/api/v1/auth/login", guess.clone()).await.expect(429);
    }
    installation.kill();
    let restarted = installation.start().await;
    let limited = Client::anonymous(restarted.base()).post("/api/v1/auth/login", guess).await.expect(429);
    assert_eq!(limited.error_type(), "rate_limited");
}
