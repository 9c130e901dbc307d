//! Users: who sees whom, whose address is taken, who may still count as a superuser.

use std::sync::Arc;

use sitewatch_domain::{
    Rule,
    access::{Actor, EditProfile, ListUsers, ManageUsers, ReadProfiles, Role},
    audit::Audit,
    memberships::MemberRole,
    page::{Direction, Listing, PageRequest},
    ports::StoreError,
    users::{User, UserFilter, UserSort},
};
use sitewatch_tests::world::Backend;

use crate::farm::{A, B, Farm, actor, admin_of, id, membership, start, superuser, user};

type Users = Listing<UserFilter, UserSort>;

/// Users 30 and 31 of A, 31 and 32 of B, 33 of none.
async fn peopled(backend: &Arc<Backend>) -> Farm {
    let farm = Farm::new(backend).await;
    for (number, name) in [(30, "ada"), (31, "bob"), (32, "eve"), (33, "zoe")] {
        farm.user(&user(number, name)).await.expect("a user");
    }
    for (number, org, member) in [(40, A, 30), (41, A, 31), (42, B, 31), (43, B, 32)] {
        farm.member(&membership(number, org, member, MemberRole::Member)).await.expect("a member");
    }
    farm
}

async fn listed(farm: &Farm, by: &Actor, listing: &Users) -> Vec<u128> {
    let grant = by.grant::<ListUsers>().expect("a grant");
    let page = farm.store.read(by).await.expect("a reader").list_users(&grant, listing).await;
    page.expect("a page").items.iter().map(|user| user.id.uuid().as_u128()).collect()
}

async fn found(farm: &Farm, by: &Actor, number: u128) -> bool {
    let grant = by.grant::<ReadProfiles>().expect("a grant");
    let reader = farm.store.read(by).await.expect("a reader");
    reader.find_user(&grant, id(number)).await.expect("an answer").is_some()
}

async fn archive(farm: &Farm, before: &User) {
    let by = superuser();
    let grant = by.grant_platform::<ManageUsers>().expect("a superuser");
    let after = User { stamp: before.stamp.archived(grant.author(), start()), ..before.clone() };
    let mut tx = farm.store.write(&by).await.expect("a transaction");
    assert!(tx.update_user(&grant, &after, before.stamp.revision).await.expect("no conflict"));
    tx.commit(Audit::updated(&grant, before, &after)).await.expect("committed");
}

pub async fn users_lie_within_reach_or_are_not_there(backend: Arc<Backend>) {
    let farm = peopled(&backend).await;
    assert_eq!(listed(&farm, &superuser(), &Users::default()).await, [3, 30, 31, 32, 33]);
    assert_eq!(listed(&farm, &admin_of(&[A]), &Users::default()).await, [30, 31]);
    assert_eq!(listed(&farm, &admin_of(&[A, B]), &Users::default()).await, [30, 31, 32]);
    let filter = UserFilter { organization: Some(id(B)), ..UserFilter::default() };
    let of_b = Users { filter, ..Users::default() };
    assert_eq!(listed(&farm, &superuser(), &of_b).await, [31, 32]);
    let himself = actor(33, &[], &[]);
    let member = actor(30, &[(A, Role::Member)], &[]);
    for (by, expected) in [
        (superuser(), vec![30, 31, 32, 33]),
        (admin_of(&[A]), vec![30, 31]),
        (member, vec![30]),
        (himself, vec![33]),
    ] {
        for number in 30..34 {
            assert_eq!(found(&farm, &by, number).await, expected.contains(&number), "{number}: {by:?}");
        }
    }
}

pub async fn archived_users_are_for_superusers(backend: Arc<Backend>) {
    let farm = peopled(&backend).await;
    let gone = user(30, "ada");
    archive(&farm, &gone).await;
    assert_eq!(listed(&farm, &admin_of(&[A]), &Users::default()).await, [31]);
    assert_eq!(listed(&farm, &superuser(), &Users::default()).await, [3, 31, 32, 33]);
    assert!(!found(&farm, &superuser(), 30).await);
    assert!(!found(&farm, &actor(30, &[], &[]), 30).await, "nor himself");
    let by = superuser();
    let grant = by.grant_with_archived::<ReadProfiles, ManageUsers>().expect("a superuser");
    let reader = farm.store.read(&by).await.expect("a reader");
    assert!(reader.find_user(&grant, id(30)).await.expect("an answer").is_some());
    // The address of an archived user stays reserved.
    let refused = farm.user(&User { email: gone.email, ..user(34, "other") }).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Rule::UserEmail))), "{refused:?}");
}

pub async fn users_are_ordered_and_searched(backend: Arc<Backend>) {
    let farm = peopled(&backend).await;
    for (number, name, address) in [(50, "Same", "s1"), (51, "Same", "s2"), (52, "Same", "S3")] {
        farm.user(&User { full_name: name.into(), ..user(number, address) }).await.expect("a user");
    }
    let by = superuser();
    for direction in [Direction::Ascending, Direction::Descending] {
        let mut paged = Vec::new();
        for page in 1..=2 {
            let listing = Users {
                search: Some("SAME".into()),
                sort: vec![(UserSort::FullName, direction)],
                page: PageRequest::new(page, 2).expect("a page"),
                ..Users::default()
            };
            paged.extend(listed(&farm, &by, &listing).await);
        }
        let expected = if direction == Direction::Ascending { [50, 51, 52] } else { [52, 51, 50] };
        assert_eq!(paged, expected, "{direction:?}");
    }
    let search =
        async |text: &str| listed(&farm, &by, &Users { search: Some(text.into()), ..Users::default() }).await;
    assert_eq!(search("s3@EXAMPLE").await, [52]);
    assert_eq!(search("_").await, [0; 0]);
    let filter = UserFilter { email: Some("S3@Example.org".into()), ..UserFilter::default() };
    assert_eq!(listed(&farm, &by, &Users { filter, ..Users::default() }).await, [52], "without case");
    let filter = UserFilter { is_superuser: Some(true), ..UserFilter::default() };
    assert_eq!(listed(&farm, &by, &Users { filter, ..Users::default() }).await, [3]);
    let refused = farm.user(&user(53, "s3")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Rule::UserEmail))), "{refused:?}");
}

pub async fn a_profile_is_changed_by_its_own_user_alone(backend: Arc<Backend>) {
    let farm = peopled(&backend).await;
    let before = user(30, "ada");
    let by = actor(30, &[], &[]);
    let grant = by.grant_own::<EditProfile>().expect("his own");
    let changed = User {
        full_name: "Ada King".into(),
        is_superuser: true,
        email: "new@example.org".parse().expect("an address"),
        stamp: before.stamp.touched(grant.author(), start()),
        ..before.clone()
    };
    let mut tx = farm.store.write(&by).await.expect("a transaction");
    assert!(
        !tx.update_profile(&grant, &changed, before.stamp.revision.next()).await.expect("no conflict"),
        "stale"
    );
    assert!(tx.update_profile(&grant, &changed, before.stamp.revision).await.expect("no conflict"));
    tx.commit(Audit::updated(&grant, &before, &changed)).await.expect("committed");
    let grant = by.grant::<ReadProfiles>().expect("his own");
    let reader = farm.store.read(&by).await.expect("a reader");
    let stored = reader.find_user(&grant, id(30)).await.expect("an answer").expect("himself");
    assert_eq!(
        (stored.full_name.as_str(), stored.is_superuser),
        ("Ada King", false),
        "a profile gives no rights"
    );
    assert_eq!(stored.email, before.email);
    assert_eq!(stored.stamp.updated_by, Some(id(30)));
}

pub async fn active_superusers_are_counted(backend: Arc<Backend>) {
    let farm = peopled(&backend).await;
    let second = User { is_superuser: true, ..user(60, "second") };
    farm.user(&second).await.expect("a user");
    let by = superuser();
    let grant = by.grant_platform::<ManageUsers>().expect("a superuser");
    let others = async |except: u128| {
        let mut tx = farm.store.write(&by).await.expect("a transaction");
        tx.count_other_superusers(&grant, id(except)).await.expect("a number")
    };
    assert_eq!((others(3).await, others(60).await, others(30).await), (1, 1, 2));
    archive(&farm, &second).await;
    assert_eq!((others(3).await, others(60).await), (0, 1));
}
