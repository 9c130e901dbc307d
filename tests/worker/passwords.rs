//! From a forgotten password to a new one: over HTTP, through the worker and the mail.

use std::{sync::Arc, time::Duration};

use sea_orm::{ConnectionTrait as _, Database};
use serde_json::json;
use sitewatch_domain::{
    jobs::{Job as _, JobFilter, JobState},
    page::Listing,
    passwords::{RESETS_AN_HOUR, SendPasswordReset},
};
use sitewatch_tests::{
    client::Answer,
    smtp::SmtpSink,
    world::{PASSWORD, World},
};

use crate::{
    housekeeping::count,
    kinds::Entry,
    mail::{AtWork, PATIENCE, post, world},
    plant::{Kind, system},
    secrets::read,
};

const ADA: &str = "ada@example.org";
const NEW: &str = "plum tandem gravel";

/// Entry for `kinds.rs`: asked for once, one token is made.
pub fn send_reset() -> Entry {
    Entry {
        kind: SendPasswordReset::KIND,
        lane: SendPasswordReset::LANE,
        write: |world| Box::pin(async { forget(world, sitewatch_tests::world::SUPERUSER.0).await }),
        effects: |world| Box::pin(count(world, "SELECT count(*) FROM password_resets")),
    }
}

async fn forget(world: &World, email: &str) {
    world.anonymous().post("/api/v1/auth/password/forgot", json!({ "email": email })).await.expect(202);
}

async fn reset(world: &World, token: &str, password: &str) -> Answer {
    let body = json!({ "token": token, "new_password": password });
    world.anonymous().post("/api/v1/auth/password/reset", body).await
}

/// The token of the last mail that has one.
fn token(sink: &SmtpSink) -> String {
    let last = sink.arrived().iter().rev().map(read).find(|text| text.contains("#token=")).expect("a mail");
    let (_, rest) = last.split_once("#token=").expect("a link");
    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect()
}

/// Waits until every request so far was worked off.
async fn worked_off(world: &World) {
    let give_up = tokio::time::Instant::now() + PATIENCE;
    loop {
        let filter = JobFilter { state: Some(JobState::Ready), ..JobFilter::default() };
        let listing = Listing { filter, ..Listing::default() };
        let ready = world.platform.jobs().list(&system(), &listing).await.expect("jobs").total.count;
        let filter = JobFilter { state: Some(JobState::Running), ..JobFilter::default() };
        let listing = Listing { filter, ..Listing::default() };
        let running = world.platform.jobs().list(&system(), &listing).await.expect("jobs").total.count;
        if ready + running == 0 {
            return;
        }
        assert!(tokio::time::Instant::now() < give_up, "{ready} wait, {running} run");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn run(world: &World, sql: &str) {
    let database = Database::connect(world.database_url()).await.expect("a connection");
    assert!(database.execute_unprepared(sql).await.expect(sql).rows_affected() > 0, "{sql}");
}

pub async fn a_forgotten_password_is_replaced_once(kind: Arc<Kind>) {
    let (world, sink) = (world(*kind).await, SmtpSink::start().await);
    let (user, client) = world.user("ada").await;
    let worker = AtWork::on(&world, post(&sink, ""));
    for email in ["nobody@example.org", "ADA@example.org"] {
        forget(&world, email).await;
    }
    sink.wait_for(1, PATIENCE).await;
    worked_off(&world).await;
    assert_eq!(sink.arrived().into_iter().map(|mail| mail.to).collect::<Vec<_>>(), [ADA]);
    let first = token(&sink);
    assert_eq!(first.len(), 43, "256 bits");
    // What is asked for again does not close what was sent before.
    forget(&world, ADA).await;
    sink.wait_for(2, PATIENCE).await;
    let second = token(&sink);
    assert_ne!(first, second);

    assert_eq!(reset(&world, &first, "passwordpassword").await.expect(422).faults(), ["new_password"]);
    client.get("/api/v1/auth/me").await.expect(200);
    reset(&world, &first, NEW).await.expect(204);
    client.get("/api/v1/auth/me").await.expect(401);
    for used in [&first, &second] {
        reset(&world, used, "gravel tandem plum").await.expect(401);
    }
    let login = json!({ "email": ADA, "password": PASSWORD });
    world.anonymous().post("/api/v1/auth/login", login).await.expect(401);
    world.anonymous().login(ADA, NEW).await;
    sink.wait_for(3, PATIENCE).await;
    assert_eq!(sink.arrived()[2].header("Subject"), "Your Sitewatch password was reset");
    let log =
        world.root.get(&format!("/api/v1/audit?action=password_reset&resource_id={user}")).await.expect(200);
    assert_eq!(log.data()[0]["actor"]["id"], user);
    worker.stop().await;
}

pub async fn a_token_is_good_for_its_time_its_address_and_its_user(kind: Arc<Kind>) {
    let (world, sink) = (world(*kind).await, SmtpSink::start().await);
    let (user, _) = world.user("ada").await;
    let worker = AtWork::on(&world, post(&sink, ""));
    forget(&world, ADA).await;
    sink.wait_for(1, PATIENCE).await;
    let token = token(&sink);
    let path = format!("/api/v1/users/{user}");
    // Whoever reads the mail of an address that is not his any more gets nothing.
    world.root.put(&path, json!({ "email": "new@example.org" })).await.expect(200);
    reset(&world, &token, NEW).await.expect(401);
    world.root.put(&path, json!({ "email": ADA })).await.expect(200);
    world.root.delete(&path).await.expect(200);
    reset(&world, &token, NEW).await.expect(401);
    world.root.act(&format!("{path}/restore")).await.expect(200);
    run(&world, "UPDATE password_resets SET expires_at = expires_at - 1800000000").await;
    reset(&world, &token, NEW).await.expect(401);
    run(&world, "UPDATE password_resets SET expires_at = expires_at + 1800000000").await;
    reset(&world, &token, NEW).await.expect(204);
    worker.stop().await;
}

pub async fn who_is_made_without_a_password_is_sent_the_way_to_one(kind: Arc<Kind>) {
    let (world, sink) = (world(*kind).await, SmtpSink::start().await);
    let body = json!({ "email": ADA, "full_name": "Ada" });
    world.root.post("/api/v1/users", body).await.expect(201);
    let worker = AtWork::on(&world, post(&sink, ""));
    sink.wait_for(1, PATIENCE).await;
    worker.stop().await;
    let told = read(&sink.arrived()[0]);
    assert!(told.contains("There is an account for you") && told.contains("72 hours"), "{told}");
    // As one would who read it the next day.
    run(&world, "UPDATE password_resets SET created_at = created_at - 86400000000").await;
    reset(&world, &token(&sink), "plum tandem gravel nine").await.expect(204);
    world.anonymous().login(ADA, "plum tandem gravel nine").await.get("/api/v1/auth/me").await.expect(200);
}

pub async fn a_new_password_begins_the_count_of_wrong_ones_anew(kind: Arc<Kind>) {
    let (world, sink) = (world(*kind).await, SmtpSink::start().await);
    world.user("ada").await;
    run(&world, "DELETE FROM attempts").await;
    let worker = AtWork::on(&world, post(&sink, ""));
    forget(&world, ADA).await;
    sink.wait_for(1, PATIENCE).await;
    worker.stop().await;
    let sign_in = async |password: &str| {
        let body = json!({ "email": ADA, "password": password });
        world.anonymous().post("/api/v1/auth/login", body).await
    };
    let mut last = sign_in("a wrong one").await;
    for _ in 0..20 {
        if last.status == 429 {
            break;
        }
        last = sign_in("a wrong one").await;
    }
    last.expect(429);
    reset(&world, &token(&sink), "plum tandem gravel nine").await.expect(204);
    sign_in("plum tandem gravel nine").await.expect(200);
}

pub async fn nobody_is_sent_more_than_a_few_an_hour(kind: Arc<Kind>) {
    let (world, sink) = (world(*kind).await, SmtpSink::start().await);
    world.user("ada").await;
    let worker = AtWork::on(&world, post(&sink, ""));
    for _ in 0..RESETS_AN_HOUR + 3 {
        forget(&world, ADA).await;
        // As if each had come from elsewhere at another time: the door has a count of its own.
        run(&world, "DELETE FROM attempts").await;
    }
    worked_off(&world).await;
    assert_eq!(sink.arrived().len(), RESETS_AN_HOUR as usize);
    // An hour later there are more. What still opens something, as a welcome does for days, is not forgotten for that.
    run(&world, "UPDATE password_resets SET created_at = created_at - 3600000000").await;
    forget(&world, ADA).await;
    sink.wait_for(RESETS_AN_HOUR as usize + 1, PATIENCE).await;
    let kept = count(&world, "SELECT count(*) FROM password_resets").await;
    assert_eq!(kept, u64::from(RESETS_AN_HOUR) + 1);
    run(&world, "UPDATE password_resets SET created_at = created_at - 3600000000, expires_at = expires_at - 3600000000")
        .await;
    forget(&world, ADA).await;
    sink.wait_for(RESETS_AN_HOUR as usize + 2, PATIENCE).await;
    assert_eq!(
        count(&world, "SELECT count(*) FROM password_resets").await,
        1,
        "what is past its time is forgotten"
    );
    worker.stop().await;
}
