//! Rights that are lost while a request is under way.

use std::{sync::Arc, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use sitewatch_domain::text::Secret;
use sitewatch_ephemeral::LocalLimiter;
use sitewatch_tests::world::{Backend, PASSWORD, World};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{clocked::Clocked, jobs::system};

const ADA: &str = "ada@example.org";
const NEW: &str = "plum gravel tandem";

/// A request of which all has been sent but the last byte.
struct HeldBack {
    connection: TcpStream,
    last: u8,
}

impl HeldBack {
    async fn begin(world: &World, method: Method, path: &str, token: &str, body: &Value) -> Self {
        let mut body = body.to_string().into_bytes();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        let last = body.pop().expect("a body");
        let mut connection =
            TcpStream::connect(world.base.trim_start_matches("http://")).await.expect("a connection");
        connection.write_all(&[head.into_bytes(), body].concat()).await.expect("sent");
        // Longer than rights are taken for what they were.
        tokio::time::sleep(Duration::from_millis(300)).await;
        Self { connection, last }
    }

    /// The status that it is answered with.
    async fn end(mut self) -> u16 {
        self.connection.write_all(&[self.last]).await.expect("sent");
        let mut answer = String::new();
        self.connection.read_to_string(&mut answer).await.expect("an answer");
        answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
    }
}

pub async fn a_body_that_trickles_keeps_no_rights(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (ada, admin) = world.member(&org, "ada", "admin").await;
    world.member(&org, "eve", "admin").await;
    let (bob, _) = world.user("bob").await;
    let members = format!("/api/v1/organizations/{org}/users");
    let add = json!({ "user_id": bob, "role": "member" });
    let held = HeldBack::begin(&world, Method::POST, &members, world.root.token(), &add).await;
    assert_eq!(held.end().await, 201, "who keeps his rights takes his time");

    // Nor is he turned away for what he is given meanwhile.
    let (other, sites) = (world.organization("B").await, format!("/api/v1/organizations/{org}/sites"));
    let site = json!({ "name": "S" });
    let held = HeldBack::begin(&world, Method::POST, &sites, admin.token(), &site).await;
    let given = json!({ "user_id": ada, "role": "admin" });
    world.root.post(&format!("/api/v1/organizations/{other}/users"), given).await.expect(201);
    assert_eq!(held.end().await, 201, "who has more than before");

    // He makes himself what he is no more.
    let mine = format!("{members}/{ada}");
    let held =
        HeldBack::begin(&world, Method::PATCH, &mine, admin.token(), &json!({ "role": "admin" })).await;
    world.root.patch(&mine, json!({ "role": "member" })).await.expect(200);
    assert_eq!(held.end().await, 409);
    let all = world.root.get(&members).await.expect(200).data();
    let found = all.as_array().expect("a list").iter().find(|member| member.to_string().contains(&ada));
    assert_eq!(found.expect("a member")["role"], "member");

    // A key outlives the session that it is asked for with.
    let keys = "/api/v1/auth/me/api-keys";
    let key = json!({ "name": "K", "scopes": ["sites:read"] });
    let held = HeldBack::begin(&world, Method::POST, keys, admin.token(), &key).await;
    world.root.delete(&format!("/api/v1/users/{ada}/sessions")).await.expect(204);
    assert_eq!(held.end().await, 401);
    let again = world.anonymous().login(ADA, PASSWORD).await;
    assert_eq!(again.get(keys).await.expect(200).data(), json!([]));
}

/// Whoever signs in with the old password at that very moment has no session afterwards, and does not bring it back.
pub async fn a_replaced_password_lets_nobody_in_any_more(backend: Arc<Backend>) {
    let stage = Clocked::start(&backend).await;
    let ada = stage.user(ADA, Some(PASSWORD)).await;
    let held = stage.hasher.hold().await;
    let visitor = stage.visitor.clone();
    let login = tokio::spawn(async move {
        visitor.post("/api/v1/auth/login", json!({ "email": ADA, "password": PASSWORD })).await
    });
    while stage.hasher.calls().1 == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let replaced = stage.platform.users().set_password(&system(), ada, Secret::new(NEW.to_owned())).await;
    replaced.expect("a new password");
    drop(held);
    login.await.expect("an answer").expect(401);
    stage.visitor.login(ADA, NEW).await.get("/api/v1/auth/me").await.expect(200);
}

/// A token that was good once opens no transaction, and whoever goes on waits.
pub async fn tokens_of_ended_sessions_are_limited(backend: Arc<Backend>) {
    let stage = Clocked::on(backend.database().await, |clock| Arc::new(LocalLimiter::new(clock))).await;
    stage.user(ADA, Some(PASSWORD)).await;
    let login = json!({ "email": ADA, "password": PASSWORD });
    let tokens = stage.visitor.post("/api/v1/auth/login", login).await.expect(200).data();
    let access = tokens["access_token"].as_str().expect("a token");
    stage.visitor.with_token(access).act("/api/v1/auth/logout").await.expect(204);
    stage.forward(Duration::from_mins(1));
    let mut statuses = Vec::new();
    for _ in 0..7 {
        let body = json!({ "refresh_token": tokens["refresh_token"] });
        let headers = [("x-forwarded-for", "198.51.100.7")];
        let answer = stage.visitor.send(Method::POST, "/api/v1/auth/refresh", Some(body), &headers).await;
        statuses.push(answer.status.as_u16());
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429]);
}
