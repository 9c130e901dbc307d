//! Every operation of the OpenAPI document for every principal and every kind of target, with the status that `table.rs`
//! says. An operation without a row there fails.

mod bodies;
mod cast;
mod document;
mod lists;
mod references;
mod rights;
mod rows;
mod stage;
mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::json;
use sitewatch_tests::{
    client::Answer,
    world::{Backend, World},
};

pub use document::heads_answer_as_gets;
pub use lists::{archived_rows_are_for_admins, filters_by_foreign_ids_find_nothing};
pub use references::foreign_ids_in_bodies_are_unknown;

use bodies::body_of;
use cast::{GONE_CANARY, Org, Who};
use document::{Operation, operations_of};
use rows::Rows;
use stage::{Objects, Stage};
use table::{PUBLIC, Row, TABLE, Target};

/// What changes nothing that anybody decided, or is a record of its own.
const NOT_LOGGED: &[&str] = &["createReadings", "ingestReadings", "queryTelemetry", "sendHeartbeat"];

/// What a body that cannot be read looks like.
const BROKEN: &[u8] = b"{";

pub async fn every_operation_for_every_principal(backend: Arc<Backend>) {
    let stage = Stage::build(&backend).await;
    let (calls, wrong) = every_operation(stage, Who::ALL).await;
    assert!(wrong.is_empty(), "{} of {calls} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(calls > 4_000, "{calls} calls");
}

/// The same where PostgreSQL keeps organizations apart by itself: nobody gets less for it.
pub async fn every_operation_for_every_principal_behind_the_wall(backend: Arc<Backend>) {
    let stage = Stage::build_in(World::walled(&backend).await).await;
    let (calls, wrong) = every_operation(stage, Who::ALL).await;
    assert!(wrong.is_empty(), "{} of {calls} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(calls > 4_000, "{calls} calls");
}

/// The same for those who show a key: beside their owner's rights, its scopes decide.
pub async fn every_operation_for_every_key(backend: Arc<Backend>) {
    let mut stage = Stage::build(&backend).await;
    stage.make_keys().await;
    let (calls, wrong) = every_operation(stage, Who::KEYS).await;
    assert!(wrong.is_empty(), "{} of {calls} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(calls > 2_000, "{calls} calls");
}

/// How many calls there were, and what was wrong with them.
async fn every_operation(stage: Stage, cast: &'static [Who]) -> (usize, Vec<String>) {
    let mut operations = operations_of(&stage.world).await;
    // The last one ends the sessions of the whole cast; the one before it, each one of his that is made for it.
    operations.sort_by_key(|operation| operation.name == "logoutAll");
    let known: BTreeSet<&str> =
        TABLE.iter().map(|row| row.operation).chain(PUBLIC.iter().map(|(name, _)| *name)).collect();
    let documented: BTreeSet<&str> = operations.iter().map(|operation| operation.name.as_str()).collect();
    assert_eq!(documented, known, "each operation of the document has its row, and each row its operation");
    let rows = Rows::of(&stage.world).await;
    let mut check = Check { stage, rows, cast, wrong: Vec::new(), calls: 0 };
    check.what_writes_no_entry_is_seen().await;
    for operation in &operations {
        check.public(operation).await;
        for row in TABLE.iter().filter(|row| row.operation == operation.name) {
            check.refused(operation, row).await;
            check.allowed(operation, row).await;
        }
    }
    (check.calls, check.wrong)
}

struct Check {
    stage: Stage,
    rows: Rows,
    cast: &'static [Who],
    wrong: Vec<String>,
    calls: usize,
}

impl Check {
    /// What nothing tells of in the audit log is seen in the database.
    async fn what_writes_no_entry_is_seen(&self) {
        let (module, metric) = (&self.stage.b["module_id"], &self.stage.b["metric"]);
        let (before, rows_before) = (self.stage.newest_change().await, self.rows.now().await);
        let readings =
            json!({ "readings": [{ "metric": metric, "at": "2026-01-02T00:00:00Z", "value": 1 }] });
        let root = &self.stage.world.root;
        root.act(&format!("/api/v1/modules/{module}/heartbeat")).await.expect(200);
        root.post(&format!("/api/v1/modules/{module}/readings"), readings).await.expect(200);
        assert_eq!(before, self.stage.newest_change().await);
        let changed = self.rows.changed_since(&rows_before).await;
        for table in ["modules", "readings"] {
            assert!(changed.contains(table), "{changed:?}");
        }
    }

    /// Operations that need no token do not mind a bad one either.
    async fn public(&mut self, operation: &Operation) {
        let Some((_, expected)) = PUBLIC.iter().find(|(name, _)| *name == operation.name) else { return };
        for who in [Who::Anonymous, Who::Garbage, Who::Expired, Who::OtherAudience, Who::Deactivated] {
            let answer =
                self.stage.clients[&who].send(operation.method.clone(), &operation.path, None, &[]).await;
            self.verify(&format!("{} as {who:?}", operation.name), *expected, &answer);
        }
    }

    /// Everybody who must not: nothing is changed, nothing is told, and a foreign id is as good as none.
    async fn refused(&mut self, operation: &Operation, row: &Row) {
        let (before, rows_before) = (self.stage.newest_change().await, self.rows.now().await);
        let mut answers: BTreeMap<(Who, Target), Answer> = BTreeMap::new();
        for target in row.place.targets() {
            let objects = self.stage.objects(row, *target);
            for who in self.cast {
                let place = format!("{} ({:?}) as {who:?}, {target:?}", row.operation, row.place);
                let expected = row.expected(*who, *target);
                if is_refusal(expected) {
                    let answer = self.send(*who, operation, row, &objects).await;
                    self.verify(&place, expected, &answer);
                    self.look_for_canaries(&place, *who, operation, &answer);
                    answers.insert((*who, *target), answer);
                }
                if operation.has_body {
                    let path = operation.path_to(row, &objects);
                    let json = [("content-type", "application/json")];
                    let client = self.stage.client(*who, row);
                    let answer = client.raw(operation.method.clone(), &path, BROKEN.to_vec(), &json).await;
                    let expected = row.expected_of_a_broken_body(*who, *target);
                    self.verify(&format!("{place}, with a broken body"), expected, &answer);
                }
            }
        }
        for ((who, target), answer) in &answers {
            let Some(twin) = answers.get(&(*who, row.place.twin(*target))) else { continue };
            if row.hides(*who, *target) && without_request_id(answer) != without_request_id(twin) {
                let place = format!("{} as {who:?}", row.operation);
                self.wrong.push(format!(
                    "{place}: {target:?} can be told from nothing: {} {}",
                    answer.text, twin.text
                ));
            }
        }
        if before != self.stage.newest_change().await {
            self.wrong.push(format!("{}: a refused call changed something", row.operation));
        }
        let changed = self.rows.changed_since(&rows_before).await;
        if !changed.is_empty() {
            self.wrong.push(format!("{}: a refused call changed rows of {changed:?}", row.operation));
        }
    }

    /// Everybody who may, each with what he needs; and lists show what he may see and nothing else.
    async fn allowed(&mut self, operation: &Operation, row: &Row) {
        for target in row.place.targets() {
            for who in self.cast {
                let expected = row.expected(*who, *target);
                if is_refusal(expected) {
                    continue;
                }
                let place = format!("{} ({:?}) as {who:?}, {target:?}", row.operation, row.place);
                let mut objects = self.stage.objects_to_use_up(row, *target).await;
                if expected == 409 {
                    objects.remove("newcomer_id");
                }
                let answer = self.send(*who, operation, row, &objects).await;
                self.verify(&place, expected, &answer);
                self.look_for_canaries(&place, *who, operation, &answer);
                if answer.status.is_success() {
                    self.look_at_the_envelope(&place, &answer);
                    self.look_for_the_entry(&place, *who, operation, &answer).await;
                    self.look_for_what_is_shown(&place, *who, row, *target, &answer);
                }
            }
        }
    }

    async fn send(&self, who: Who, operation: &Operation, row: &Row, objects: &Objects) -> Answer {
        let body = body_of(row, objects, self.stage.number());
        let caller = self.stage.caller(who, row).await;
        caller.send(operation.method.clone(), &operation.path_to(row, objects), body, &[]).await
    }

    fn verify(&mut self, place: &str, expected: u16, answer: &Answer) {
        self.calls += 1;
        if answer.status.as_u16() != expected {
            self.wrong.push(format!("{place}: {} instead of {expected}: {}", answer.status, answer.text));
        }
    }

    fn look_for_canaries(&mut self, place: &str, who: Who, operation: &Operation, answer: &Answer) {
        let mut names = who.must_not_see();
        // The audit log tells of what was archived.
        if !operation.name.contains("Audit") {
            names.push(GONE_CANARY);
        }
        for name in names.iter().filter(|name| answer.text.contains(**name)) {
            self.wrong.push(format!("{place}: {name} is told: {}", answer.text));
        }
    }

    /// Whatever is changed stands in the audit log, with who did it and the request that asked for it.
    async fn look_for_the_entry(&mut self, place: &str, who: Who, operation: &Operation, answer: &Answer) {
        if operation.method == "GET" || NOT_LOGGED.contains(&operation.name.as_str()) {
            return;
        }
        let log = self.stage.newest_entries(50).await;
        let request_id = Some(answer.header("x-request-id"));
        let mut entries = log.iter().filter(|entry| entry.request_id.as_deref() == request_id).peekable();
        if entries.peek().is_none() {
            self.wrong.push(format!("{place}: not in the audit log"));
        }
        for entry in entries.filter(|entry| entry.is_superuser != (who == Who::Superuser)) {
            self.wrong.push(format!("{place}: marked wrongly as a superuser's, or not: {entry:?}"));
        }
    }

    /// Every JSON answer has these three parts and no other; a list tells of its length or of what follows.
    fn look_at_the_envelope(&mut self, place: &str, answer: &Answer) {
        if !answer.header("content-type").starts_with("application/json") {
            return;
        }
        let body = answer.json();
        let parts: BTreeSet<&str> =
            body.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let is_paged = ["total", "page", "per_page"].iter().all(|name| body["meta"][name].is_u64());
        let is_slice = body["meta"].get("next_cursor").is_some();
        let is_whole = body["meta"].is_null();
        if parts != BTreeSet::from(["data", "links", "meta"]) || !(is_paged || is_slice || is_whole) {
            self.wrong.push(format!("{place}: no envelope: {}", answer.text));
        }
    }

    fn look_for_what_is_shown(&mut self, place: &str, who: Who, row: &Row, target: Target, answer: &Answer) {
        let Some((key, least)) = row.shows() else { return };
        for org in [Org::A, Org::B] {
            let asked =
                row.place.key().is_none() || org == if target == Target::Foreign { Org::B } else { Org::A };
            let is_its_device = who == Who::Device && org == Org::A;
            let expected = asked && (who.role_in(Some(org)) >= least || is_its_device);
            if answer.text.contains(&self.stage.tenant(org)[key]) != expected {
                let what = if expected { "lacks" } else { "shows" };
                self.wrong.push(format!("{place}: {what} {key} of {org:?}: {}", answer.text));
            }
        }
    }
}

const fn is_refusal(status: u16) -> bool {
    matches!(status, 401 | 403 | 404 | 422)
}

/// All that two answers must have in common. Whether a connection is kept depends on how much of a body had arrived.
fn without_request_id(answer: &Answer) -> (String, Vec<(String, String)>) {
    let text = answer.text.replace(answer.header("x-request-id"), "");
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["x-request-id", "x-cache", "date", "connection"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    headers.sort();
    (text, headers)
}
