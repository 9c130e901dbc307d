//! Two tenants in a store, and actors with any standing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use sitewatch_auth::{AccessTokens, BcryptHasher, KeyRingNotary, KeyRingSealer, SecretKeys};
use sitewatch_domain::{
    Platform, Ports,
    access::{
        Access, Actor, AdministerOrganizations, LogEnds, ManageCatalogue, ManageMembers, ManageModules,
        ManageSites, ManageUsers, Role, Spot, Standing,
    },
    audit::Audit,
    ids::{Id, ModuleId, OrgId, SiteId},
    memberships::{MemberRole, Membership},
    metrics::{Metric, MetricKind},
    module_types::{ModuleType, TypeMetric},
    modules::{Module, Rhythm},
    organizations::Organization,
    ports::{Store, StoreError},
    sites::Site,
    stamp::Stamp,
    time::{Clock, Instant},
    users::User,
};
use sitewatch_ephemeral::{LocalCache, Unlimited};
use sitewatch_files::FolderStore;
use sitewatch_jobs::Bells;
use sitewatch_persistence::SeaStore;
use sitewatch_runtime::system::OsEntropy;
use sitewatch_tests::world::Backend;
use uuid::Uuid;

use crate::EmptyDatabase;

/// The id of this number; of anything.
pub fn id<T>(number: u128) -> Id<T> {
    Id::from_uuid(Uuid::from_u128(number))
}

/// The two organizations, and the first user of all.
pub const A: u128 = 1;
pub const B: u128 = 2;
const ROOT: u128 = 3;
/// The metric and the module type of each organization.
const METRIC: u128 = 10;
const KIND: u128 = 20;

/// A clock that moves on by a second whenever it is looked at, from 2026 on.
#[derive(Default)]
pub struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Instant {
        start().plus(Duration::from_secs(u64::try_from(self.0.fetch_add(1, Ordering::Relaxed)).unwrap()))
    }
}

/// The first moment of all.
pub fn start() -> Instant {
    "2026-01-01T00:00:00Z".parse().expect("a moment")
}

/// A store with two organizations, A and B, each with a module type that has one metric.
pub struct Farm {
    pub store: Arc<dyn Store>,
    pub platform: Platform,
    pub database: EmptyDatabase,
}

/// An actor with exactly these rights.
pub fn actor(user: u128, memberships: &[(u128, Role)], assignments: &[(u128, Spot, Access)]) -> Actor {
    Actor::for_tests(Standing {
        user: id(user),
        session: Some(id(999)),
        is_superuser: false,
        memberships: memberships.iter().map(|(org, role)| (id(*org), *role)).collect(),
        assignments: assignments.iter().map(|(org, spot, access)| (id(*org), *spot, *access)).collect(),
        log_ends: LogEnds::default(),
    })
}

/// An admin of these organizations.
pub fn admin_of(orgs: &[u128]) -> Actor {
    let memberships: Vec<(u128, Role)> = orgs.iter().map(|org| (*org, Role::Admin)).collect();
    actor(900, &memberships, &[])
}

/// A member of A who is assigned to these places.
pub fn assigned_to(spots: &[Spot]) -> Actor {
    let assignments: Vec<(u128, Spot, Access)> =
        spots.iter().map(|spot| (A, *spot, Access::Viewer)).collect();
    actor(901, &[(A, Role::Member)], &assignments)
}

/// A superuser.
pub fn superuser() -> Actor {
    Actor::for_tests(Standing {
        user: id(ROOT),
        session: Some(id(999)),
        is_superuser: true,
        memberships: Vec::new(),
        assignments: Vec::new(),
        log_ends: LogEnds::default(),
    })
}

fn stamp() -> Stamp {
    Stamp::new(superuser().author(), start())
}

pub fn site(number: u128, org: u128, name: &str) -> Site {
    Site {
        id: id(number),
        organization_id: id(org),
        name: name.into(),
        code: None,
        description: None,
        timezone: "Europe/Paris".into(),
        latitude: None,
        longitude: None,
        address: None,
        tags: Vec::new(),
        external_id: None,
        stamp: stamp(),
    }
}

pub fn module(number: u128, org: u128, site: u128, name: &str) -> Module {
    Module {
        id: id(number),
        organization_id: id(org),
        site_id: id(site),
        module_type_id: id(KIND + org),
        name: name.into(),
        description: None,
        serial_number: None,
        external_id: None,
        firmware: None,
        expected_interval_s: None,
        offline_after_s: None,
        rhythm: Rhythm::resolve((None, None), (None, None)),
        tags: Vec::new(),
        parent_module_id: None,
        is_enabled: true,
        last_seen_at: None,
        stamp: stamp(),
    }
}

pub fn user(number: u128, name: &str) -> User {
    User {
        id: id(number),
        email: format!("{name}@example.org").parse().expect("an address"),
        full_name: name.into(),
        is_superuser: false,
        locale: "en".into(),
        timezone: "UTC".into(),
        last_login_at: None,
        stamp: stamp(),
    }
}

pub fn membership(number: u128, org: u128, user: u128, role: MemberRole) -> Membership {
    Membership {
        id: Uuid::from_u128(number),
        organization_id: id(org),
        user_id: id(user),
        role,
        stamp: stamp(),
    }
}

impl Farm {
    pub async fn new(backend: &Arc<Backend>) -> Self {
        let database = EmptyDatabase::new(backend).await;
        SeaStore::migrate_up(&database.settings).await.expect("migrations run");
        Self::planted(Self::on(database).await).await
    }

    /// The same on PostgreSQL, with row level security in force for the role that serves.
    pub async fn walled(backend: &Arc<Backend>) -> Self {
        Self::planted(Self::on(EmptyDatabase::walled(backend).await).await).await
    }

    async fn planted(farm: Self) -> Self {
        farm.user(&User { is_superuser: true, ..user(ROOT, "root") }).await.expect("the superuser");
        for (org, name) in [(A, "a"), (B, "b")] {
            farm.organization(org, name).await;
        }
        farm
    }

    /// The store on a database that has its schema already.
    pub async fn on(database: EmptyDatabase) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(Ticking::default());
        let settings = database.settings.clone();
        let store =
            SeaStore::connect(settings, Arc::clone(&clock), Arc::new(OsEntropy), Arc::new(notary())).await;
        let store: Arc<dyn Store> = Arc::new(store.expect("a store"));
        Self { platform: platform(Arc::clone(&store), clock), store, database }
    }

    async fn organization(&self, org: u128, name: &str) {
        let actor = superuser();
        let organization = Organization {
            id: id(org),
            name: name.into(),
            slug: name.into(),
            timezone: "UTC".into(),
            stamp: stamp(),
        };
        let grant = actor.grant_platform::<AdministerOrganizations>().expect("a superuser");
        let mut tx = self.store.write(&actor).await.expect("a transaction");
        tx.insert_organization(&grant, &organization).await.expect("an organization");
        tx.commit(Audit::created(&grant, &organization)).await.expect("committed");
        let grant = actor.grant_of_owner::<ManageCatalogue>(Some(id(org))).expect("a superuser");
        let metric = Metric {
            id: id(METRIC + org),
            organization_id: Some(id(org)),
            key: "power".into(),
            name: "Power".into(),
            unit: "kW".into(),
            kind: MetricKind::Gauge,
            min: None,
            max: None,
            max_rate: None,
            stamp: stamp(),
        };
        let kind = ModuleType {
            id: id(KIND + org),
            organization_id: Some(id(org)),
            name: "Type".into(),
            manufacturer: None,
            model: None,
            expected_interval_s: None,
            offline_after_s: None,
            metrics: vec![TypeMetric { id: metric.id, key: metric.key.clone() }],
            stamp: stamp(),
        };
        let mut tx = self.store.write(&actor).await.expect("a transaction");
        tx.insert_metric(&grant, &metric).await.expect("a metric");
        tx.insert_module_type(&grant, &kind).await.expect("a module type");
        tx.commit(Audit::created(&grant, &kind)).await.expect("committed");
    }

    pub async fn site(&self, site: &Site) -> Result<(), StoreError> {
        let actor = superuser();
        let grant = actor.grant_in::<ManageSites>(site.organization_id).expect("a superuser");
        let mut tx = self.store.write(&actor).await.expect("a transaction");
        tx.insert_site(&grant, site).await?;
        tx.commit(Audit::created(&grant, site)).await.map(drop)
    }

    pub async fn module(&self, module: &Module) -> Result<(), StoreError> {
        let actor = superuser();
        let grant = actor.grant_in::<ManageModules>(module.organization_id).expect("a superuser");
        let mut tx = self.store.write(&actor).await.expect("a transaction");
        tx.insert_module(&grant, module).await?;
        tx.commit(Audit::created(&grant, module)).await.map(drop)
    }

    pub async fn user(&self, user: &User) -> Result<(), StoreError> {
        let actor = superuser();
        let grant = actor.grant_platform::<ManageUsers>().expect("a superuser");
        let mut tx = self.store.write(&actor).await.expect("a transaction");
        tx.insert_user(&grant, user, None).await?;
        tx.commit(Audit::created(&grant, user)).await.map(drop)
    }

    pub async fn member(&self, membership: &Membership) -> Result<(), StoreError> {
        let actor = superuser();
        let grant = actor.grant_in::<ManageMembers>(membership.organization_id).expect("a superuser");
        let mut tx = self.store.write(&actor).await.expect("a transaction");
        tx.insert_membership(&grant, membership).await?;
        tx.commit(Audit::created(&grant, membership)).await.map(drop)
    }

    /// Archives a site as its organization's admin would; whether its revision was the one that is stored.
    pub async fn archive_site(&self, before: &Site, by: &Actor) -> bool {
        let grant = by.grant_in::<ManageSites>(before.organization_id).expect("an admin");
        let after = Site { stamp: before.stamp.archived(grant.author(), start()), ..before.clone() };
        let mut tx = self.store.write(by).await.expect("a transaction");
        let done = tx.archive_site(&grant, &after, before.stamp.revision).await.expect("no conflict");
        tx.commit(Audit::updated(&grant, before, &after)).await.expect("committed");
        done.is_some()
    }

    /// Archives a module.
    pub async fn archive_module(&self, before: &Module) {
        let actor = superuser();
        let grant = actor.grant_in::<ManageModules>(before.organization_id).expect("a superuser");
        let after = Module { stamp: before.stamp.archived(grant.author(), start()), ..before.clone() };
        let mut tx = self.store.write(&actor).await.expect("a transaction");
        assert!(tx.update_module(&grant, &after, before.stamp.revision).await.expect("no conflict"));
        tx.commit(Audit::updated(&grant, before, &after)).await.expect("committed");
    }
}

/// The secret key of every farm.
pub const KEY: &str = "c2VjcmV0IG9mIHRoZSBmYXJtcywgdGhpcnR5LXR3byE";

fn keys() -> SecretKeys {
    KEY.parse().expect("a key")
}

/// The notary of every farm.
pub fn notary() -> KeyRingNotary {
    KeyRingNotary::new(&keys()).expect("a notary")
}

/// The use cases over this store, with the adapters of an installation.
pub fn platform(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Platform {
    platform_of(store, clock, &keys())
}

/// The same with other keys.
pub fn platform_of(store: Arc<dyn Store>, clock: Arc<dyn Clock>, keys: &SecretKeys) -> Platform {
    Platform::new(ports_of(store, clock, keys))
}

/// The adapters of a platform over a store.
pub fn ports(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Ports {
    ports_of(store, clock, &keys())
}

fn ports_of(store: Arc<dyn Store>, clock: Arc<dyn Clock>, keys: &SecretKeys) -> Ports {
    Ports {
        queue: Arc::new(Bells::default()),
        // Nothing here makes reports.
        files: Arc::new(FolderStore::new("no reports".into())),
        store,
        limiter: Arc::new(Unlimited),
        cache: Arc::new(LocalCache::new(1 << 20)),
        passwords: Arc::new(BcryptHasher::new(keys, 4).expect("a hasher")),
        tokens: Arc::new(AccessTokens::new(keys, "sitewatch", "sitewatch").expect("a signer")),
        sealer: Arc::new(KeyRingSealer::new(keys).expect("a sealer")),
        notary: Arc::new(KeyRingNotary::new(keys).expect("a notary")),
        clock,
        entropy: Arc::new(OsEntropy),
    }
}

pub const fn spot_of_site(number: u128) -> Spot {
    Spot::Site(SiteId::from_uuid(Uuid::from_u128(number)))
}

pub const fn spot_of_module(number: u128) -> Spot {
    Spot::Module(ModuleId::from_uuid(Uuid::from_u128(number)))
}

pub fn org(number: u128) -> OrgId {
    id(number)
}
