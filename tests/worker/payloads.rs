//! Every form in which a payload was ever written, by whatever version: workers read all of them. Lines are added, never changed.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::Value;
use sitewatch_domain::{
    ids::Id,
    jobs::{ClaimedJob, Lane},
    time::Instant,
};
use sitewatch_jobs::{JobFailure, Registry, Tools, registry};
use sitewatch_tests::world::{Backend, World};

use crate::plant::Kind;

const NOBODY: &str = "01900000-0000-7000-8000-000000000001";

/// Kinds and payloads; `ID` stands for an id.
const FORMS: &[(&str, &str)] = &[
    ("jobs.probe.v1", r#"{"probe": "ID", "number": 1, "act": "nothing", "organization_id": null}"#),
    ("mail.send.v1", r#"{"delivery": "ID"}"#),
    ("passwords.send_reset.v1", r#"{"sealed_address": "AAAA"}"#),
    ("passwords.send_reset.v1", r#"{"sealed_address": "AAAA", "is_welcome": false}"#),
    ("housekeeping.sessions.v1", "{}"),
    ("housekeeping.idempotency_keys.v1", "{}"),
    ("housekeeping.jobs.v1", "{}"),
    ("housekeeping.rejects.v1", "{}"),
    ("housekeeping.deliveries.v1", "{}"),
    ("housekeeping.reports.v1", "{}"),
    ("housekeeping.reading_months.v1", "{}"),
    ("rollups.redo.v1", r#"{"organization_id": "ID"}"#),
    ("rollups.sweep.v1", "{}"),
    (
        "readings.delete.v1",
        r#"{"organization_id": "ID", "module_id": "ID", "metric_id": null, "from": 0, "to": 1}"#,
    ),
    ("reports.start.v1", r#"{"report": "ID"}"#),
    ("reports.start.v1", r#"{"report": "ID", "slot": "2027-01-01T00:00:00.000000Z"}"#),
    ("reports.build.v1", r#"{"run": "ID"}"#),
];

fn payload(form: &str) -> Value {
    serde_json::from_str(&form.replace("ID", NOBODY)).expect("a payload")
}

fn keys(payload: &Value) -> BTreeSet<&String> {
    payload.as_object().expect("an object").keys().collect()
}

/// A payload that is written today must have a form that stands here: whoever changes it adds a line.
pub fn assert_known(kind: &str, written: &Value) {
    let known = FORMS.iter().any(|(of, form)| *of == kind && keys(&payload(form)) == keys(written));
    assert!(known, "{kind}: add this form to tests/worker/payloads.rs: {written}");
}

async fn call(registry: &Registry, world: &World, kind: &str, payload: Value) -> Result<(), JobFailure> {
    let job = ClaimedJob {
        id: Id::from_uuid(uuid::Uuid::from_u128(1)),
        organization_id: None,
        kind: kind.to_owned(),
        payload,
        lane: Lane::Default,
        attempt: 1,
        max_attempts: 1,
        lapses: 0,
        token: 1,
        run_at: Instant::from_secs(0),
        started_at: Instant::from_secs(0),
        request_id: None,
        created_by: None,
    };
    let tools = Arc::new(Tools { platform: world.platform.clone(), post: world.post.clone() });
    registry.call(tools, job).await.map(drop)
}

fn is_unread(failure: &JobFailure) -> bool {
    let (JobFailure::Retry(why) | JobFailure::GiveUp(why)) = failure;
    why == "the payload cannot be read"
}

pub async fn every_form_that_was_ever_written_is_read(_: Arc<Kind>) {
    let world = World::start(&Arc::new(Backend::Sqlite)).await;
    let registry = registry();
    let with_form: BTreeSet<&str> = FORMS.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(registry.kinds().collect::<BTreeSet<_>>(), with_form, "each kind needs its form here");
    for (kind, form) in FORMS {
        // What it is about is not there: that is another failure, or none.
        let called = call(&registry, &world, kind, payload(form)).await;
        assert!(!called.is_err_and(|failure| is_unread(&failure)), "{kind}: {form}");
        let odd = call(&registry, &world, kind, Value::from(1)).await;
        assert!(odd.is_err_and(|failure| is_unread(&failure)), "{kind}: a number is no payload of it");
    }
}
