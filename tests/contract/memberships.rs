//! Memberships: one per user and organization, and what ends with it.

use std::sync::Arc;

use sitewatch_domain::{
    Rule,
    access::{
        Access, Actor, LeaveOrganization, ManageAssignments, ManageMembers, ReadAssignments, ReadMembers,
        ReadProfiles, Role,
    },
    assignments::Assignment,
    audit::Audit,
    memberships::{MemberFilter, MemberRole, MemberSort, Membership, SearchedFields},
    page::{Direction, Listing, PageRequest},
    ports::StoreError,
    stamp::Stamp,
};
use sitewatch_tests::world::Backend;

use crate::farm::{A, B, Farm, actor, admin_of, id, membership, org, site, start, superuser, user};

type Members = Listing<MemberFilter, MemberSort>;

/// Users 30 (admin) to 33 of A; 33 also of B.
async fn peopled(backend: &Arc<Backend>) -> Farm {
    let farm = Farm::new(backend).await;
    for (number, name) in [(30, "ada"), (31, "bob"), (32, "cleo"), (33, "dan")] {
        farm.user(&user(number, name)).await.expect("a user");
        let role = if number == 30 { MemberRole::Admin } else { MemberRole::Member };
        farm.member(&membership(number + 10, A, number, role)).await.expect("a member");
    }
    farm.member(&membership(50, B, 33, MemberRole::Admin)).await.expect("a member");
    farm
}

async fn listed(farm: &Farm, by: &Actor, of: u128, listing: &Members, searched: SearchedFields) -> Vec<u128> {
    let grant = by.grant::<ReadMembers>().expect("a grant");
    let reader = farm.store.read(by).await.expect("a reader");
    let page = reader.list_members(&grant, org(of), listing, searched).await.expect("a page");
    page.items.iter().map(|member| member.user_id.uuid().as_u128()).collect()
}

async fn end(farm: &Farm, before: &Membership) -> bool {
    let by = superuser();
    let grant = by.grant_in::<ManageMembers>(before.organization_id).expect("a superuser");
    let after = Membership { stamp: before.stamp.archived(grant.author(), start()), ..before.clone() };
    let mut tx = farm.store.write(&by).await.expect("a transaction");
    let done = tx.archive_membership(&grant, &after, before.stamp.revision).await.expect("no conflict");
    tx.commit(Audit::updated(&grant, before, &after)).await.expect("committed");
    done.is_some()
}

pub async fn members_lie_within_reach_or_are_not_there(backend: Arc<Backend>) {
    let farm = peopled(&backend).await;
    let plain = Members::default();
    for (by, of_a, of_b) in [
        (superuser(), vec![30, 31, 32, 33], vec![33]),
        (admin_of(&[A]), vec![30, 31, 32, 33], vec![]),
        (actor(31, &[(A, Role::Member)], &[]), vec![30, 31, 32, 33], vec![]),
        (admin_of(&[B]), vec![], vec![33]),
        (actor(900, &[], &[]), vec![], vec![]),
    ] {
        for (of, expected) in [(A, of_a), (B, of_b)] {
            let found = listed(&farm, &by, of, &plain, SearchedFields::NameAndAddress).await;
            assert_eq!(found, expected, "{of} by {by:?}");
            let grant = by.grant::<ReadMembers>().expect("a grant");
            let reader = farm.store.read(&by).await.expect("a reader");
            for number in 30..34 {
                let member = reader.find_member(&grant, org(of), id(number)).await.expect("an answer");
                assert_eq!(member.is_some(), expected.contains(&number), "{number} of {of} by {by:?}");
            }
        }
    }
}

pub async fn organizations_of_a_user_are_told_as_far_as_they_concern(backend: Arc<Backend>) {
    let farm = peopled(&backend).await;
    for (by, expected) in [
        (superuser(), vec![A, B]),
        (actor(33, &[(A, Role::Member), (B, Role::Admin)], &[]), vec![A, B]),
        (admin_of(&[A]), vec![A]),
        (admin_of(&[B]), vec![B]),
        (actor(31, &[(A, Role::Member)], &[]), vec![]),
    ] {
        let grant = by.grant::<ReadProfiles>().expect("a grant");
        let reader = farm.store.read(&by).await.expect("a reader");
        let found = reader.list_user_organizations(&grant, id(33)).await.expect("organizations");
        let found: Vec<u128> = found.iter().map(|found| found.organization.id.uuid().as_u128()).collect();
        assert_eq!(found, expected, "{by:?}");
    }
}

pub async fn members_are_ordered_filtered_and_searched(backend: Arc<Backend>) {
    let farm = peopled(&backend).await;
    let by = superuser();
    let ask = async |listing: &Members| listed(&farm, &by, A, listing, SearchedFields::NameAndAddress).await;
    let sorted = |key, direction| Members { sort: vec![(key, direction)], ..Members::default() };
    assert_eq!(ask(&sorted(MemberSort::FullName, Direction::Descending)).await, [33, 32, 31, 30]);
    assert_eq!(ask(&sorted(MemberSort::Role, Direction::Ascending)).await, [30, 31, 32, 33], "ties by id");
    assert_eq!(ask(&sorted(MemberSort::Role, Direction::Descending)).await, [33, 32, 31, 30]);
    let mut paged = Vec::new();
    for page in 1..=2 {
        let listing = Members {
            page: PageRequest::new(page, 3).expect("a page"),
            ..sorted(MemberSort::CreatedAt, Direction::Ascending)
        };
        paged.extend(ask(&listing).await);
    }
    assert_eq!(paged, [30, 31, 32, 33]);
    let filter = MemberFilter { role: Some(MemberRole::Admin) };
    assert_eq!(ask(&Members { filter, ..Members::default() }).await, [30]);
    let search = |text: &str| Members { search: Some(text.into()), ..Members::default() };
    assert_eq!(ask(&search("CLEO")).await, [32]);
    assert_eq!(ask(&search("bob@example")).await, [31]);
    assert_eq!(listed(&farm, &by, A, &search("bob@example"), SearchedFields::Name).await, [0; 0]);
    assert_eq!(ask(&search("%")).await, [0; 0]);
}

pub async fn a_membership_is_one_and_takes_its_assignments_along(backend: Arc<Backend>) {
    let farm = peopled(&backend).await;
    let refused = farm.member(&membership(60, A, 31, MemberRole::Admin)).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Rule::Membership))), "{refused:?}");
    farm.site(&site(100, A, "Site")).await.expect("a site");
    farm.site(&site(101, B, "Site")).await.expect("a site");
    let by = superuser();
    for (number, of, place) in [(70, A, 100), (71, B, 101)] {
        let grant = by.grant_in::<ManageAssignments>(org(of)).expect("a superuser");
        let assignment = Assignment {
            id: id(number),
            organization_id: org(of),
            user_id: id(33),
            site_id: Some(id(place)),
            module_id: None,
            access: Access::Viewer,
            stamp: Stamp::new(grant.author(), start()),
        };
        let mut tx = farm.store.write(&by).await.expect("a transaction");
        tx.insert_assignment(&grant, &assignment).await.expect("an assignment");
        let twin = Assignment { id: id(number + 10), ..assignment.clone() };
        tx.commit(Audit::created(&grant, &assignment)).await.expect("committed");
        let mut tx = farm.store.write(&by).await.expect("a transaction");
        let refused = tx.insert_assignment(&grant, &twin).await;
        assert!(matches!(refused, Err(StoreError::Conflict(Rule::Assignment))), "{refused:?}");
    }
    let before = membership(43, A, 33, MemberRole::Member);
    let stale = Membership {
        stamp: Stamp { revision: before.stamp.revision.next(), ..before.stamp.clone() },
        ..before.clone()
    };
    assert!(!end(&farm, &stale).await, "another revision");
    assert!(end(&farm, &before).await);
    assert_eq!(listed(&farm, &by, A, &Members::default(), SearchedFields::Name).await, [30, 31, 32]);
    let grant = by.grant::<ReadAssignments>().expect("a superuser");
    let reader = farm.store.read(&by).await.expect("a reader");
    let left = async |of: u128| {
        let page = reader.list_assignments(&grant, org(of), &Listing::default()).await;
        page.expect("a page").items.len()
    };
    assert_eq!((left(A).await, left(B).await), (0, 1), "what is assigned elsewhere stays");
    farm.member(&membership(61, A, 33, MemberRole::Member)).await.expect("he may come back");
}

pub async fn active_admins_are_counted(backend: Arc<Backend>) {
    let farm = peopled(&backend).await;
    farm.user(&user(80, "second")).await.expect("a user");
    let second = membership(81, A, 80, MemberRole::Admin);
    farm.member(&second).await.expect("a member");
    let by = admin_of(&[A]);
    let grant = by.grant_in::<LeaveOrganization>(org(A)).expect("an admin");
    let others = async |except: u128| {
        let mut tx = farm.store.write(&by).await.expect("a transaction");
        tx.count_other_admins(&grant, id(except)).await.expect("a number")
    };
    assert_eq!((others(30).await, others(80).await, others(31).await), (1, 1, 2), "B's admin is none of A's");
    assert!(end(&farm, &second).await);
    assert_eq!((others(30).await, others(80).await), (0, 1));
}
