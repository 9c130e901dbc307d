//! Modules: reach by organization, site and module; archive, order, search; the rules that the database keeps.

use std::{sync::Arc, time::Duration};

use sitewatch_domain::{
    Rule,
    access::{Actor, AnnotateModules, ManageModules, ReadModules, SendReadings},
    audit::Audit,
    modules::{Module, ModuleFilter, ModuleSort},
    page::{Direction, Listing, PageRequest},
    ports::StoreError,
};
use sitewatch_tests::world::Backend;

use crate::farm::{
    A, B, Farm, actor, admin_of, assigned_to, id, module, site, spot_of_module, spot_of_site, start,
    superuser,
};

type Modules = Listing<ModuleFilter, ModuleSort>;

fn numbers(modules: &[Module]) -> Vec<u128> {
    modules.iter().map(|module| module.id.uuid().as_u128()).collect()
}

async fn listed(farm: &Farm, by: &Actor, listing: &Modules) -> Vec<u128> {
    let grant = by.grant::<ReadModules>().expect("a grant");
    let page = farm.store.read(by).await.expect("a reader").list_modules(&grant, listing).await;
    numbers(&page.expect("a page").items)
}

/// The numbers of all modules that this actor sees.
pub async fn all(farm: &Farm, by: &Actor) -> Vec<u128> {
    listed(farm, by, &Modules::default()).await
}

async fn planted(backend: &Arc<Backend>) -> Farm {
    let farm = Farm::new(backend).await;
    for (number, org) in [(100, A), (101, A), (102, B)] {
        farm.site(&site(number, org, &format!("Site {number}"))).await.expect("a site");
        for offset in [0, 1] {
            let made = module(number * 2 + offset, org, number, &format!("M{offset}"));
            farm.module(&made).await.expect("a module");
        }
    }
    farm
}

pub async fn modules_lie_within_reach_or_are_not_there(backend: Arc<Backend>) {
    let farm = planted(&backend).await;
    let cases = [
        (superuser(), vec![200, 201, 202, 203, 204, 205]),
        (admin_of(&[A]), vec![200, 201, 202, 203]),
        (admin_of(&[B]), vec![204, 205]),
        (assigned_to(&[spot_of_site(100)]), vec![200, 201]),
        (assigned_to(&[spot_of_module(202)]), vec![202]),
        (assigned_to(&[spot_of_site(100), spot_of_module(203)]), vec![200, 201, 203]),
        (assigned_to(&[]), vec![]),
        (actor(900, &[], &[]), vec![]),
    ];
    for (by, expected) in cases {
        assert_eq!(all(&farm, &by).await, expected, "{:?}", by.standing());
        let grant = by.grant::<ReadModules>().expect("a grant");
        let reader = farm.store.read(&by).await.expect("a reader");
        for number in 200..206 {
            let found = reader.find_module(&grant, id(number)).await.expect("an answer");
            assert_eq!(found.is_some(), expected.contains(&number), "module {number}: {:?}", by.standing());
        }
        let filter = ModuleFilter { sites: vec![id(100), id(101), id(102)], ..ModuleFilter::default() };
        let embedded = reader.list_modules_of_sites(&grant, &filter, 100).await.expect("modules");
        assert_eq!(numbers(&embedded), expected, "by site, then by name");
        let few = reader.list_modules_of_sites(&grant, &filter, 1).await.expect("modules");
        assert_eq!(few.len(), expected.len().min(1));
    }
}

pub async fn archived_modules_are_hidden_and_their_sites_bind_them(backend: Arc<Backend>) {
    let farm = planted(&backend).await;
    let gone = module(200, A, 100, "M0");
    farm.archive_module(&gone).await;
    let admin = admin_of(&[A]);
    assert_eq!(all(&farm, &admin).await, [201, 202, 203]);
    for (by, expected) in [(&admin, true), (&admin_of(&[B]), false), (&superuser(), true)] {
        let grant = by.grant_with_archived::<ReadModules, ManageModules>().expect("a grant");
        let reader = farm.store.read(by).await.expect("a reader");
        assert_eq!(reader.find_module(&grant, id(200)).await.expect("an answer").is_some(), expected);
        let page = reader.list_modules(&grant, &Modules::default()).await.expect("a page");
        assert_eq!(numbers(&page.items).contains(&200), expected);
    }
    assert!(farm.archive_site(&site(100, A, "Site 100"), &admin).await);
    let grant = admin.grant_in::<ManageModules>(id(A)).expect("an admin");
    let archived = gone.stamp.archived(grant.author(), start());
    let restored = Module { stamp: archived.restored(grant.author(), start()), ..gone };
    let mut tx = farm.store.write(&admin).await.expect("a transaction");
    let refused = tx.update_module(&grant, &restored, archived.revision).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Rule::ParentArchived))), "{refused:?}");
}

pub async fn conflicts_of_modules_are_named(backend: Arc<Backend>) {
    let farm = planted(&backend).await;
    let named = |number, org, site, name: &str, serial: &str, external: &str| Module {
        serial_number: Some(serial.into()),
        external_id: Some(external.into()),
        ..module(number, org, site, name)
    };
    farm.module(&named(300, A, 100, "N", "SN", "ext")).await.expect("a module");
    for (twin, rule) in [
        (named(301, A, 100, "N", "SN-2", "ext-2"), Rule::ModuleName),
        (named(301, A, 101, "N", "SN", "ext-2"), Rule::ModuleSerialNumber),
        (named(301, A, 101, "N", "SN-2", "ext"), Rule::ModuleExternalId),
    ] {
        let refused = farm.module(&twin).await;
        assert!(matches!(refused, Err(StoreError::Conflict(found)) if found == rule), "{refused:?}");
    }
    farm.module(&named(302, B, 102, "N", "SN", "ext")).await.expect("another organization's");
    // The same names at another site of the organization: the name is the site's, the numbers are the organization's.
    farm.module(&named(303, A, 101, "N", "SN-3", "ext-3")).await.expect("a name at another site");
    let stray = farm.module(&module(304, B, 100, "stray")).await;
    assert!(stray.is_err(), "a module of B at a site of A");
}

pub async fn modules_are_ordered_and_searched(backend: Arc<Backend>) {
    let farm = planted(&backend).await;
    let admin = admin_of(&[A]);
    for (number, minutes) in [(201, 5), (202, 5), (203, 1)] {
        let grant = admin.grant_in::<SendReadings>(id(A)).expect("an admin");
        for at in [minutes, 0] {
            let mut tx = farm.store.write(&admin).await.expect("a transaction");
            let at = start().plus(Duration::from_mins(at));
            tx.record_heartbeat(&grant, id(number), at).await.expect("a heartbeat");
            tx.commit(Audit::none("only the heartbeat is of interest")).await.expect("committed");
        }
    }
    let by_report = |direction, page| Modules {
        sort: vec![(ModuleSort::LastSeenAt, direction)],
        page: PageRequest::new(page, 3).expect("a page"),
        ..Modules::default()
    };
    // Never heard of is the smallest; a later heartbeat is not undone by an earlier one.
    assert_eq!(listed(&farm, &admin, &by_report(Direction::Ascending, 1)).await, [200, 203, 201]);
    assert_eq!(listed(&farm, &admin, &by_report(Direction::Ascending, 2)).await, [202]);
    assert_eq!(listed(&farm, &admin, &by_report(Direction::Descending, 1)).await, [202, 201, 203]);
    assert_eq!(listed(&farm, &admin, &by_report(Direction::Descending, 2)).await, [200]);
    let found = Module {
        serial_number: Some("SN_%".into()),
        external_id: Some("Ext".into()),
        ..module(300, A, 100, "Turbine")
    };
    farm.module(&found).await.expect("a module");
    for (text, expected) in [
        ("turb", vec![300]),
        ("sn_%", vec![300]),
        ("EXT", vec![300]),
        ("_", vec![300]),
        ("m0", vec![200, 202]),
    ] {
        let listing = Modules { search: Some(text.into()), ..Modules::default() };
        assert_eq!(listed(&farm, &admin, &listing).await, expected, "{text}");
    }
    let filter = ModuleFilter { site: Some(id(102)), ..ModuleFilter::default() };
    assert_eq!(
        listed(&farm, &admin, &Modules { filter, ..Modules::default() }).await,
        [0; 0],
        "a filter widens nothing"
    );
}

pub async fn a_module_is_changed_by_its_own_organization_alone(backend: Arc<Backend>) {
    let farm = planted(&backend).await;
    let before = module(200, A, 100, "M0");
    let after = Module { name: "changed".into(), description: Some("noted".into()), ..before.clone() };
    let (admin, stranger) = (admin_of(&[A]), admin_of(&[B]));
    let seen = before.stamp.revision;
    let grant = stranger.grant_in::<ManageModules>(id(B)).expect("an admin");
    let mut tx = farm.store.write(&stranger).await.expect("a transaction");
    assert!(!tx.update_module(&grant, &after, seen).await.expect("no conflict"));
    let notes = stranger.grant_in::<AnnotateModules>(id(B)).expect("an admin");
    assert!(!tx.annotate_module(&notes, &after, seen).await.expect("no conflict"));
    let beats = stranger.grant_in::<SendReadings>(id(B)).expect("an admin");
    tx.record_heartbeat(&beats, id(200), start()).await.expect("nothing to do");
    tx.commit(Audit::none("nothing was changed")).await.expect("committed");
    let notes = admin.grant_in::<AnnotateModules>(id(A)).expect("an admin");
    let mut tx = farm.store.write(&admin).await.expect("a transaction");
    assert!(tx.annotate_module(&notes, &after, seen).await.expect("no conflict"));
    tx.commit(Audit::updated(&notes, &before, &after)).await.expect("committed");
    let grant = admin.grant::<ReadModules>().expect("an admin");
    let reader = farm.store.read(&admin).await.expect("a reader");
    let stored = reader.find_module(&grant, id(200)).await.expect("an answer").expect("the module");
    assert_eq!(
        (stored.name.as_str(), stored.description.as_deref()),
        ("M0", Some("noted")),
        "a note is a note"
    );
    assert_eq!(stored.last_seen_at, None, "a foreign heartbeat is none");
}
