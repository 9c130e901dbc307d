//! Sites: what a grant reaches, what an archive hides, in which order they come, which rules the database keeps.

use std::sync::Arc;

use sitewatch_domain::{
    Rule,
    access::{Actor, ManageSites, ReadSites},
    ids::SiteId,
    page::{Direction, Listing, PageRequest},
    ports::StoreError,
    sites::{Site, SiteFilter, SiteSort},
};
use sitewatch_tests::world::Backend;

use crate::farm::{
    A, B, Farm, actor, admin_of, assigned_to, id, module, site, spot_of_module, spot_of_site, superuser,
};

type Sites = Listing<SiteFilter, SiteSort>;

/// The numbers of the sites that this actor lists; each of them, and no other, can be found as well.
async fn seen(farm: &Farm, by: &Actor, listing: &Sites, archived: bool) -> Vec<u128> {
    let grant =
        if archived { by.grant_with_archived::<ReadSites, ManageSites>() } else { by.grant::<ReadSites>() };
    let grant = grant.expect("a grant");
    let reader = farm.store.read(by).await.expect("a reader");
    let page = reader.list_sites(&grant, listing).await.expect("a page");
    let numbers: Vec<u128> = page.items.iter().map(|site| site.id.uuid().as_u128()).collect();
    for number in 100..120 {
        let found = reader.find_site(&grant, id(number)).await.expect("an answer");
        if listing.filter.name.is_none() && listing.search.is_none() && page.total.count < 20 {
            assert_eq!(found.is_some(), numbers.contains(&number), "site {number}");
        }
    }
    numbers
}

async fn all(farm: &Farm, by: &Actor) -> Vec<u128> {
    seen(farm, by, &Sites::default(), false).await
}

pub async fn sites_lie_within_reach_or_are_not_there(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    for (number, org) in [(100, A), (101, A), (102, B), (103, B)] {
        farm.site(&site(number, org, &format!("Site {number}"))).await.expect("a site");
        farm.module(&module(number + 100, org, number, "M")).await.expect("a module");
    }
    assert_eq!(all(&farm, &superuser()).await, [100, 101, 102, 103]);
    assert_eq!(all(&farm, &admin_of(&[A])).await, [100, 101]);
    assert_eq!(all(&farm, &admin_of(&[A, B])).await, [100, 101, 102, 103]);
    assert_eq!(all(&farm, &assigned_to(&[spot_of_site(101)])).await, [101]);
    assert_eq!(all(&farm, &assigned_to(&[spot_of_module(200)])).await, [0; 0], "a module is not its site");
    assert_eq!(all(&farm, &actor(900, &[], &[])).await, [0; 0]);
    let within = superuser();
    let grant = within.grant_within::<ReadSites>(id(B)).expect("a superuser");
    let reader = farm.store.read(&within).await.expect("a reader");
    let page = reader.list_sites(&grant, &Sites::default()).await.expect("a page");
    assert_eq!(page.items.len(), 2, "a superuser who looks into one organization");
    assert!(reader.find_site(&grant, id(100)).await.expect("an answer").is_none());
}

pub async fn a_site_is_changed_by_its_own_organization_alone(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    let before = site(100, A, "Site");
    farm.site(&before).await.expect("a site");
    let stamp = before.stamp.touched(superuser().author(), crate::farm::start());
    let after = Site { name: "Changed".into(), stamp, ..before.clone() };
    let stranger = admin_of(&[B]);
    let grant = stranger.grant_in::<ManageSites>(id(B)).expect("an admin");
    let mut tx = farm.store.write(&stranger).await.expect("a transaction");
    assert!(!tx.update_site(&grant, &after, before.stamp.revision).await.expect("no conflict"));
    let done = tx.archive_site(&grant, &after, before.stamp.revision).await.expect("no conflict");
    assert!(done.is_none());
    drop(tx);
    let admin = admin_of(&[A]);
    let grant = admin.grant_in::<ManageSites>(id(A)).expect("an admin");
    let mut tx = farm.store.write(&admin).await.expect("a transaction");
    assert!(
        !tx.update_site(&grant, &after, before.stamp.revision.next()).await.expect("no conflict"),
        "stale"
    );
    assert!(tx.update_site(&grant, &after, before.stamp.revision).await.expect("no conflict"));
    assert!(
        !tx.update_site(&grant, &after, before.stamp.revision).await.expect("no conflict"),
        "stale by now"
    );
}

pub async fn archived_sites_take_their_modules_along(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    let (kept, gone) = (site(100, A, "Kept"), site(101, A, "Gone"));
    for site in [&kept, &gone, &site(102, B, "Foreign")] {
        farm.site(site).await.expect("a site");
    }
    let (earlier, later) = (module(201, A, 101, "earlier"), module(202, A, 101, "later"));
    for module in [&module(200, A, 100, "M"), &earlier, &later] {
        farm.module(module).await.expect("a module");
    }
    farm.archive_module(&earlier).await;
    assert!(farm.archive_site(&gone, &admin_of(&[A])).await);
    let admin = admin_of(&[A]);
    assert_eq!(all(&farm, &admin).await, [100]);
    assert_eq!(seen(&farm, &admin, &Sites::default(), true).await, [100, 101]);
    assert_eq!(seen(&farm, &admin_of(&[B]), &Sites::default(), true).await, [102], "A's archive is A's");
    assert_eq!(seen(&farm, &superuser(), &Sites::default(), true).await, [100, 101, 102]);
    assert_eq!(crate::modules::all(&farm, &admin).await, [200]);
    // Back come the site and exactly the module that went with it.
    let grant = admin.grant_in::<ManageSites>(id(A)).expect("an admin");
    let archived = gone.stamp.archived(grant.author(), crate::farm::start());
    let restored = Site { stamp: archived.restored(grant.author(), crate::farm::start()), ..gone.clone() };
    let mut tx = farm.store.write(&admin).await.expect("a transaction");
    let done = tx.restore_site(&grant, &restored, archived.revision).await.expect("no conflict");
    assert!(done.is_some());
    tx.commit(sitewatch_domain::audit::Audit::updated(&grant, &gone, &restored)).await.expect("committed");
    assert_eq!(all(&farm, &admin).await, [100, 101]);
    assert_eq!(crate::modules::all(&farm, &admin).await, [200, 202]);
}

/// Of equal keys the order is that of the ids, so that pages neither repeat nor lose a row; and backwards it is the reverse.
pub async fn sites_are_paged_in_one_order(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    for (number, code) in
        [(100, Some("b")), (101, None), (102, Some("a")), (103, Some("b")), (104, None), (105, Some("c"))]
    {
        let made = Site { code: code.map(str::to_owned), ..site(number, A, &format!("Site {number}")) };
        farm.site(&made).await.expect("a site");
    }
    let by = superuser();
    for direction in [Direction::Ascending, Direction::Descending] {
        let listing = |page| Sites {
            sort: vec![(SiteSort::Code, direction)],
            page: PageRequest::new(page, 2).expect("a page"),
            ..Sites::default()
        };
        let mut paged: Vec<u128> = Vec::new();
        for page in 1..=3 {
            paged.extend(
                seen(&farm, &by, &Sites { search: Some("Site".into()), ..listing(page) }, false).await,
            );
        }
        if direction == Direction::Descending {
            paged.reverse();
        }
        // Empty ones are the smallest.
        assert_eq!(paged, [101, 104, 102, 100, 103, 105], "{direction:?}");
    }
    let grant = by.grant::<ReadSites>().expect("a superuser");
    let reader = farm.store.read(&by).await.expect("a reader");
    let beyond = Sites { page: PageRequest::new(9, 2).expect("a page"), ..Sites::default() };
    let page = reader.list_sites(&grant, &beyond).await.expect("a page");
    assert_eq!((page.items.len(), page.total.count), (0, 6), "the size is told beyond the end as well");
    let same = Sites { sort: vec![(SiteSort::CreatedAt, Direction::Descending)], ..Sites::default() };
    assert_eq!(
        seen(&farm, &by, &same, false).await,
        [105, 104, 103, 102, 101, 100],
        "made in the same moment"
    );
}

pub async fn sites_are_searched_as_written(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    let described = [
        (100, "La Haute Borne", Some("LHB"), Some("Vaudeville")),
        (101, "100%_\\ wind", None, None),
        (102, "Éolienne Ångström", None, Some("5 Rue d'École")),
        (103, "Other", Some("lhb-2"), None),
    ];
    for (number, name, code, address) in described {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let made = Site {
            code: text(code),
            address: text(address),
            tags: vec![format!("t{number}")],
            ..site(number, A, name)
        };
        farm.site(&made).await.expect("a site");
    }
    farm.site(&site(104, B, "La Haute Borne")).await.expect("a site");
    let by = admin_of(&[A]);
    let search = async |text: &str| {
        seen(&farm, &by, &Sites { search: Some(text.into()), ..Sites::default() }, false).await
    };
    assert_eq!(search("haute").await, [100]);
    assert_eq!(search("lhb").await, [100, 103]);
    assert_eq!(search("VAUDEVILLE").await, [100]);
    assert_eq!(search("%").await, [101]);
    assert_eq!(search("_\\").await, [101]);
    assert_eq!(search("Éolienne").await, [102]);
    // SQLite knows the case of ASCII letters alone.
    assert_eq!(search("D'ÉCOLE").await, [102]);
    assert_eq!(search("' OR 1=1 --").await, [0; 0]);
    let filtered = async |filter: SiteFilter| {
        seen(&farm, &by, &Sites { filter, search: Some("o".into()), ..Sites::default() }, false).await
    };
    assert_eq!(filtered(SiteFilter { tag: Some("t100".into()), ..SiteFilter::default() }).await, [100]);
    assert_eq!(filtered(SiteFilter { tag: Some("T100".into()), ..SiteFilter::default() }).await, [0; 0]);
    assert_eq!(filtered(SiteFilter { code: Some("LHB".into()), ..SiteFilter::default() }).await, [100]);
    assert_eq!(
        filtered(SiteFilter { organization: Some(id(B)), ..SiteFilter::default() }).await,
        [0; 0],
        "a filter widens nothing"
    );
}

pub async fn conflicts_of_sites_are_named(backend: Arc<Backend>) {
    let farm = Farm::new(&backend).await;
    let first = Site { external_id: Some("ext".into()), ..site(100, A, "Name") };
    farm.site(&first).await.expect("a site");
    let refused = farm.site(&site(101, A, "Name")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Rule::SiteName))), "{refused:?}");
    let twin = Site { external_id: Some("ext".into()), ..site(101, A, "Other") };
    let refused = farm.site(&twin).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Rule::SiteExternalId))), "{refused:?}");
    farm.site(&Site { external_id: Some("ext".into()), ..site(102, B, "Name") })
        .await
        .expect("another organization's");
    let by = admin_of(&[A]);
    assert!(farm.archive_site(&first, &by).await);
    farm.site(&twin).await.expect("what is archived is in nobody's way");
    farm.site(&site(103, A, "Name")).await.expect("nor is its name");
    let grant = by.grant_in::<ManageSites>(id(A)).expect("an admin");
    let archived = first.stamp.archived(grant.author(), crate::farm::start());
    let restored = Site { stamp: archived.restored(grant.author(), crate::farm::start()), ..first };
    let mut tx = farm.store.write(&by).await.expect("a transaction");
    let refused = tx.restore_site(&grant, &restored, archived.revision).await;
    assert!(
        matches!(refused, Err(StoreError::Conflict(Rule::SiteName | Rule::SiteExternalId))),
        "{refused:?}"
    );
    drop(tx);
    let gone: SiteId = id(100);
    let grant = by.grant::<ReadSites>().expect("an admin");
    assert!(
        farm.store
            .read(&by)
            .await
            .expect("a reader")
            .find_site(&grant, gone)
            .await
            .expect("an answer")
            .is_none()
    );
}
