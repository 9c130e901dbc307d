//! The audit log: what a commit writes, who reads it, in which order.

use std::sync::Arc;

use sitewatch_domain::{
    access::{Actor, ManageSites, ReadAudit},
    audit::{Action, Along, Audit, AuditEvent, AuditFilter, AuditKey},
    modules::Module,
    page::Between,
    sites::Site,
};
use sitewatch_tests::world::Backend;
use uuid::Uuid;

use crate::farm::{A, B, Farm, actor, admin_of, id, org, site, start, superuser};

async fn log(
    farm: &Farm,
    by: &Actor,
    filter: &AuditFilter,
    after: Option<AuditKey>,
    limit: u32,
) -> Vec<AuditEvent> {
    let grant = by.grant::<ReadAudit>().expect("a grant");
    let reader = farm.store.read(by).await.expect("a reader");
    reader.list_audit_events(&grant, filter, after, limit).await.expect("a slice")
}

async fn whole(farm: &Farm, by: &Actor, filter: &AuditFilter) -> Vec<AuditEvent> {
    log(farm, by, filter, None, 1_000).await
}

async fn changed(farm: &Farm, before: &Site, by: &Actor) {
    let grant = by.grant_in::<ManageSites>(before.organization_id).expect("an admin");
    let after = Site {
        name: "Changed".into(),
        stamp: before.stamp.touched(grant.author(), start()),
        ..before.clone()
    };
    let mut tx = farm.store.write(by).await.expect("a transaction");
    assert!(tx.update_site(&grant, &after, before.stamp.revision).await.expect("no conflict"));
    let trail = Audit::updated(&grant, before, &after).with(vec![Along::of::<Module>(Uuid::from_u128(200))]);
    tx.commit(trail).await.expect("committed");
}

pub async fn a_commit_says_who_did_what(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    let before = site(100, A, "Site");
    farm.site(&before).await.expect("a site");
    changed(&farm, &before, &admin_of(&[A])).await;
    let filter = AuditFilter { resource_id: Some(before.id.uuid()), ..AuditFilter::default() };
    let events = whole(&farm, &superuser(), &filter).await;
    let actions: Vec<Action> = events.iter().map(|event| event.action).collect();
    assert_eq!(actions, [Action::Updated, Action::Created]);
    let update = &events[0];
    let filter = AuditFilter { resource: Some("module".into()), ..AuditFilter::default() };
    let along = whole(&farm, &superuser(), &filter).await;
    assert_eq!(
        (along.len(), along[0].action, along[0].at),
        (1, Action::Updated, update.at),
        "both of one commit"
    );
    assert_eq!(
        along[0].after.as_ref().map(|after| after["along_with"]["resource"].clone()),
        Some("site".into())
    );
    assert_eq!(
        (update.organization_id, update.actor_id, update.is_superuser),
        (Some(org(A)), Some(id(900)), false)
    );
    assert_eq!((update.resource.as_str(), update.resource_id), ("site", before.id.uuid()));
    let name = |value: &Option<serde_json::Value>| value.as_ref().map(|value| value["name"].clone());
    assert_eq!((name(&update.before), name(&update.after)), (Some("Site".into()), Some("Changed".into())));
    assert!(events[1].is_superuser && events[1].before.is_none(), "a superuser's deed is marked");
    // A transaction that is dropped leaves no word.
    let by = admin_of(&[A]);
    let grant = by.grant_in::<ManageSites>(org(A)).expect("an admin");
    let mut tx = farm.store.write(&by).await.expect("a transaction");
    tx.insert_site(&grant, &site(101, A, "Dropped")).await.expect("a site");
    drop(tx);
    assert_eq!(
        whole(&farm, &superuser(), &AuditFilter::default())
            .await
            .iter()
            .filter(|event| event.resource_id == uuid::Uuid::from_u128(101))
            .count(),
        0
    );
}

pub async fn entries_lie_within_reach_or_are_not_there(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    for (number, of) in [(100, A), (101, B)] {
        farm.site(&site(number, of, "Site")).await.expect("a site");
    }
    let orgs = async |by: &Actor, filter: &AuditFilter| {
        let mut orgs: Vec<Option<u128>> = whole(&farm, by, filter)
            .await
            .iter()
            .map(|event| event.organization_id.map(|org| org.uuid().as_u128()))
            .collect();
        orgs.sort_unstable();
        orgs.dedup();
        orgs
    };
    let plain = AuditFilter::default();
    assert_eq!(
        orgs(&superuser(), &plain).await,
        [None, Some(A), Some(B)],
        "the installation's own among them"
    );
    assert_eq!(orgs(&admin_of(&[A]), &plain).await, [Some(A)]);
    assert_eq!(orgs(&admin_of(&[B]), &plain).await, [Some(B)]);
    let of_b = AuditFilter { organization: Some(org(B)), ..AuditFilter::default() };
    assert_eq!(orgs(&superuser(), &of_b).await, [Some(B)]);
    assert_eq!(orgs(&admin_of(&[A]), &of_b).await, [], "a filter widens nothing");
    assert!(actor(900, &[], &[]).grant::<ReadAudit>().is_err());
}

pub async fn the_log_is_read_backwards_in_slices(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    for number in 100..107 {
        let made = site(number, A, &format!("Site {number}"));
        farm.site(&made).await.expect("a site");
        // Two entries of one moment: a slice may end between them.
        changed(&farm, &made, &superuser()).await;
        rename(&farm, number).await;
    }
    let by = admin_of(&[A]);
    let everything = whole(&farm, &by, &AuditFilter::default()).await;
    assert!(everything.len() > 21, "{}", everything.len());
    let newest_first = everything.windows(2).all(|pair| (pair[0].at, pair[0].id) > (pair[1].at, pair[1].id));
    assert!(newest_first);
    for limit in [1, 2, 3, 100] {
        let (mut read, mut after) = (Vec::new(), None);
        loop {
            let slice = log(&farm, &by, &AuditFilter::default(), after, limit).await;
            assert!(slice.len() <= limit as usize);
            let Some(last) = slice.last() else { break };
            after = Some(AuditKey { at: last.at.as_micros(), id: last.id.uuid() });
            read.extend(slice);
        }
        assert_eq!(read, everything, "in slices of {limit}");
    }
    let count = async |filter: AuditFilter| whole(&farm, &by, &filter).await.len();
    assert_eq!(count(AuditFilter { resource: Some("module".into()), ..AuditFilter::default() }).await, 7);
    assert_eq!(
        count(AuditFilter {
            action: Some(Action::Created),
            resource: Some("site".into()),
            ..AuditFilter::default()
        })
        .await,
        7
    );
    assert_eq!(count(AuditFilter { resource: Some("sites".into()), ..AuditFilter::default() }).await, 0);
    assert_eq!(count(AuditFilter { actor: Some(id(3)), ..AuditFilter::default() }).await, everything.len());
    assert_eq!(count(AuditFilter { actor: Some(id(900)), ..AuditFilter::default() }).await, 0);
    let middle = everything[10].at;
    let until = Between { lte: Some(middle), ..Between::default() };
    let since = Between { gt: Some(middle), ..Between::default() };
    let parts = (
        count(AuditFilter { at: until, ..AuditFilter::default() }).await,
        count(AuditFilter { at: since, ..AuditFilter::default() }).await,
    );
    assert_eq!(parts.0 + parts.1, everything.len());
    assert!(parts.0 > 0 && parts.1 > 0, "{parts:?}");
}

/// Names are unique, so that the next one can be called `Changed` as well.
async fn rename(farm: &Farm, number: u128) {
    let by = superuser();
    let grant = by.grant_in::<ManageSites>(org(A)).expect("a superuser");
    let before = site(number, A, "Changed");
    let stamp = before.stamp.touched(grant.author(), start());
    let seen = stamp.revision;
    let after =
        Site { name: format!("Renamed {number}"), stamp: stamp.touched(grant.author(), start()), ..before };
    let mut tx = farm.store.write(&by).await.expect("a transaction");
    assert!(tx.update_site(&grant, &after, seen).await.expect("no conflict"));
    tx.commit(Audit::none("only the name is of interest")).await.expect("committed");
}
