//! The second wall, through the sessions that the code uses: grants that reach everything stand for statements whose filter was forgotten.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use sitewatch_domain::{
    access::{Actor, Grant, ManageModules, ManageSites, ReadModules, ReadSites},
    ids::Id,
    page::Listing,
    ports::Repositories,
    sites::Site,
};
use sitewatch_tests::world::Backend;

use crate::farm::{A, B, Farm, actor, admin_of, id, module, site, start, superuser};

/// Two tenants with a site (A's 100, B's 101) and a module each (200, 201).
async fn planted(farm: Farm) -> Farm {
    for (number, org) in [(100, A), (101, B)] {
        farm.site(&site(number, org, "Site")).await.expect("a site");
        farm.module(&module(number + 100, org, number, "M")).await.expect("a module");
    }
    farm
}

fn number<T>(id: Id<T>) -> u128 {
    id.uuid().as_u128()
}

/// The sites and modules that statements without a filter meet.
async fn met(session: &dyn Repositories) -> Vec<u128> {
    let everything: Grant<ReadSites> = superuser().grant().expect("a superuser");
    let sites = session.list_sites(&everything, &Listing::default()).await.expect("a page");
    let everything: Grant<ReadModules> = superuser().grant().expect("a superuser");
    let modules = session.list_modules(&everything, &Listing::default()).await.expect("a page");
    let sites = sites.items.iter().map(|site| number(site.id));
    let mut met: Vec<u128> = sites.chain(modules.items.iter().map(|module| number(module.id))).collect();
    met.sort_unstable();
    met
}

pub async fn a_statement_without_a_filter_meets_no_row_of_others(backend: Arc<Backend>) {
    let nobody = actor(900, &[], &[]);
    let open = planted(Farm::new(&backend).await).await;
    let reader = open.store.read(&nobody).await.expect("a reader");
    assert_eq!(
        met(&*reader).await,
        [100, 101, 200, 201],
        "without the wall nothing but the filter stands between"
    );
    let farm = planted(Farm::walled(&backend).await).await;
    for (who, expected) in [
        (admin_of(&[A]), vec![100, 200]),
        (admin_of(&[B]), vec![101, 201]),
        (admin_of(&[A, B]), vec![100, 101, 200, 201]),
        (nobody, vec![]),
        (superuser(), vec![100, 101, 200, 201]),
    ] {
        let reader = farm.store.read(&who).await.expect("a reader");
        assert_eq!(met(&*reader).await, expected, "read by {:?}", who.horizon());
        let tx = farm.store.write(&who).await.expect("a transaction");
        assert_eq!(met(&*tx).await, expected, "in a transaction of {:?}", who.horizon());
    }
}

pub async fn a_statement_without_a_filter_changes_no_row_of_others(backend: Arc<Backend>) {
    let farm = planted(Farm::walled(&backend).await).await;
    let theirs = site(101, B, "Site");
    let (grant, of_modules) = (
        superuser().grant_in::<ManageSites>(id(B)).unwrap(),
        superuser().grant_in::<ManageModules>(id(B)).unwrap(),
    );
    let archived = Site { stamp: theirs.stamp.archived(grant.author(), start()), ..theirs.clone() };
    for who in [admin_of(&[A]), actor(900, &[], &[])] {
        let mut tx = farm.store.write(&who).await.expect("a transaction");
        assert!(tx.archive_site(&grant, &archived, theirs.stamp.revision).await.expect("no row").is_none());
        let changed = module(201, B, 101, "Changed");
        let updated = tx.update_module(&of_modules, &changed, changed.stamp.revision).await;
        assert!(!matches!(updated, Ok(true)), "{updated:?}");
        assert!(tx.insert_site(&grant, &site(102, B, "Another")).await.is_err(), "a row of others");
    }
    assert!(farm.archive_site(&theirs, &admin_of(&[B])).await, "it is there, as it was");
}

/// How many sessions on the database have a transaction and do nothing.
async fn idle_in_transaction(farm: &Farm) -> i64 {
    let connection = Database::connect(&farm.database.url).await.expect("a connection");
    let sql = "SELECT count(*) AS sessions FROM pg_stat_activity \
               WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    let row = connection.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
    let sessions = row.expect("an answer").expect("a row").try_get("", "sessions").expect("a number");
    connection.close().await.expect("closed");
    sessions
}

/// The same, when what is under way has had a second to end.
async fn left_in_transaction(farm: &Farm) -> i64 {
    let mut left = idle_in_transaction(farm).await;
    for _ in 0..20 {
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        left = idle_in_transaction(farm).await;
    }
    left
}

/// More readers than there are connections, all in the middle of what they read: they hold none, so nobody waits for them, and no
/// limit on idle transactions meets them.
pub async fn readers_hold_no_connection(backend: Arc<Backend>) {
    let farm = planted(Farm::walled(&backend).await).await;
    let who: Actor = admin_of(&[A]);
    let grant = who.grant::<ReadSites>().expect("an admin");
    let mut readers = Vec::new();
    for _ in 0..50 {
        let reader = farm.store.read(&who).await.expect("a reader");
        assert!(reader.find_site(&grant, id(100)).await.expect("an answer").is_some());
        readers.push(reader);
    }
    let write = async {
        let tx = farm.store.write(&who).await.expect("a transaction");
        tx.find_site(&grant, id(100)).await.expect("an answer")
    };
    assert!(
        tokio::time::timeout(Duration::from_secs(1), write).await.expect("nobody is waited for").is_some()
    );
    assert_eq!(left_in_transaction(&farm).await, 0, "transactions wait for their readers");
    for reader in &readers {
        assert!(reader.find_site(&grant, id(100)).await.expect("an answer").is_some());
    }
}

/// The answer, unless it takes longer than so many looks at it; it is given up then.
async fn within_looks<T>(looks: usize, answer: impl Future<Output = T>) -> Option<T> {
    let (mut answer, mut left) = (pin!(answer), looks);
    poll_fn(|context| {
        left -= 1;
        match answer.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Callers who break off, at whatever moment, leave nothing of what they may see to those who have their connection next.
pub async fn who_breaks_off_leaves_his_view_to_nobody(backend: Arc<Backend>) {
    let farm = planted(Farm::walled(&backend).await).await;
    let who: Actor = admin_of(&[A]);
    let grant = who.grant::<ReadSites>().expect("an admin");
    let mut broken_off = 0;
    for round in 0..200 {
        let looks = round % 4 + 1;
        let reading = async {
            let reader = farm.store.read(&who).await.expect("a reader");
            reader.find_site(&grant, id(100)).await.expect("an answer")
        };
        broken_off += u32::from(within_looks(looks, reading).await.is_none());
        let writing = async {
            let tx = farm.store.write(&who).await.expect("a transaction");
            tx.find_site(&grant, id(100)).await.expect("an answer")
        };
        broken_off += u32::from(within_looks(looks, writing).await.is_none());
        // Whoever sees everything does so on the connections that were just left.
        let reader = farm.store.read(&superuser()).await.expect("a reader");
        assert_eq!(met(&*reader).await, [100, 101, 200, 201], "after {looks} looks");
    }
    assert!(broken_off >= 50, "{broken_off} were broken off");
    assert_eq!(left_in_transaction(&farm).await, 0, "transactions that nobody knows of");
}
