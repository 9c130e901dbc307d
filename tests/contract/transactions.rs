//! Transactions: all or nothing, and a request's claim with them.

use std::{sync::Arc, time::Duration};

use sitewatch_domain::{
    Rule,
    access::{Actor, AdministerOrganizations, ReadOrganizations, RequestContext},
    audit::Audit,
    idempotency::IdempotencyClaim,
    ids::Id,
    organizations::Organization,
    ports::{Store as _, StoreError},
    stamp::Stamp,
    time::{Clock as _, Instant},
};
use sitewatch_runtime::system::SystemClock;
use sitewatch_tests::world::Backend;
use uuid::Uuid;

use crate::EmptyDatabase;

#[expect(clippy::disallowed_methods, reason = "the store is asked without anybody signed in")]
fn system() -> Actor {
    Actor::system(RequestContext::default())
}

fn claim(expires_at: Instant) -> IdempotencyClaim {
    IdempotencyClaim {
        principal: Uuid::from_u128(7),
        route: "POST /api/v1/organizations".into(),
        key_digest: [1; 32],
        fingerprint: [2; 32],
        expires_at,
    }
}

fn organization(name: &str) -> Organization {
    let now = SystemClock.now();
    Organization {
        id: Id::from_uuid(Uuid::from_u128(name.len() as u128)),
        name: name.into(),
        slug: name.into(),
        timezone: "UTC".into(),
        stamp: Stamp::new(system().author(), now),
    }
}

pub async fn a_dropped_transaction_leaves_nothing(backend: Arc<Backend>) {
    let database = EmptyDatabase::new(&backend).await;
    let store = database.store().await;
    let actor = system();
    let grant = actor.grant_platform::<AdministerOrganizations>().expect("the system");
    let mut tx = store.write(&actor).await.expect("a transaction");
    tx.insert_organization(&grant, &organization("a")).await.expect("inserted");
    drop(tx);
    let mut tx = store.write(&actor).await.expect("a transaction");
    let kept = organization("bb");
    tx.insert_organization(&grant, &kept).await.expect("inserted");
    tx.commit(Audit::created(&grant, &kept)).await.expect("committed");
    let read = actor.grant::<ReadOrganizations>().expect("the system");
    let reader = store.read(&actor).await.expect("a reader");
    let page =
        reader.list_organizations(&read, &sitewatch_domain::page::Listing::default()).await.expect("a page");
    assert_eq!(page.items.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(), ["bb"]);
    let twin = Organization { id: Id::from_uuid(Uuid::from_u128(99)), slug: "other".into(), ..kept };
    let mut tx = store.write(&actor).await.expect("a transaction");
    let refused = tx.insert_organization(&grant, &twin).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Rule::OrganizationName))), "{refused:?}");
}

pub async fn a_claim_is_taken_once(backend: Arc<Backend>) {
    let database = EmptyDatabase::new(&backend).await;
    let store = database.store().await;
    let tomorrow = SystemClock.now().plus(Duration::from_hours(24));
    let actor = system().with_claim(claim(tomorrow));
    // What a first try took is gone with it.
    drop(store.write(&actor).await.expect("the first claim"));
    let tx = store.write(&actor).await.expect("the claim of the second try");
    tx.commit(Audit::none("only the claim is of interest")).await.expect("committed");
    let refused = store.write(&actor).await.map(drop);
    assert!(matches!(refused, Err(StoreError::Conflict(Rule::IdempotencyKey))), "{refused:?}");
    let other = system().with_claim(IdempotencyClaim { key_digest: [3; 32], ..claim(tomorrow) });
    drop(store.write(&other).await.expect("another key"));
    let past =
        IdempotencyClaim { key_digest: [4; 32], ..claim(SystemClock.now().minus(Duration::from_secs(1))) };
    let actor = system().with_claim(past);
    for _ in 0..2 {
        let tx = store.write(&actor).await.expect("an expired claim is replaced");
        tx.commit(Audit::none("only the claim is of interest")).await.expect("committed");
    }
}
